#!/usr/bin/env bash
# TRL 1.16.0, PEFT 0.21.2, transformers 5.17.0, torch 2.13.0, on a CPU (2026-11-30).
#
# A guess: GRPOTrainer refuses a policy of which no parameter can learn, or warns. Seen: PeftModel.from_pretrained loads
# an adapter frozen (is_trainable=False is its default); GRPOTrainer takes it, makes an optimizer without a single
# tensor, runs all steps and logs loss, reward, entropy and learning rate as always. Only grad_norm, 0.0, tells.
#
# Output seen:
#   tensors in the optimizer: 0
#   step 1: loss logged, reward logged, learning rate 0.01, grad_norm 0.0
#   step 2: loss logged, reward logged, learning rate 0.005, grad_norm 0.0
#   warnings about it: 0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.17.0 trl==1.16.0 peft==0.21.2 accelerate==1.15.0 datasets==5.2.0
cd "$work"
OMP_NUM_THREADS=1 TRL_EXPERIMENTAL_SILENCE=1 HF_HUB_OFFLINE=1 "$work/venv/bin/python" - <<'PYTHON'
import logging
import warnings

import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM
from trl import GRPOConfig, GRPOTrainer

vocabulary = {token: number for number, token in enumerate(["<pad>", "<eos>", *"0123456789+="])}
characters = Tokenizer(models.WordLevel(vocabulary))
characters.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
characters.decoder = decoders.Fuse()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=characters, pad_token="<pad>", eos_token="<eos>")


def policy():
    torch.manual_seed(0)
    return Qwen2ForCausalLM(Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        intermediate_size=64, max_position_embeddings=64, pad_token_id=0, bos_token_id=None, eos_token_id=1,
    ))


get_peft_model(policy(), LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")).save_pretrained("adapter")
said = []


class Listener(logging.Handler):
    def emit(self, record):
        said.append(record.getMessage())


for name in ("trl", "transformers", "peft"):
    logging.getLogger(name).addHandler(Listener(logging.WARNING))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    trainer = GRPOTrainer(
        model=PeftModel.from_pretrained(policy(), "adapter"),
        reward_funcs=lambda completions, **_: [float(len(set(text))) for text in completions],
        args=GRPOConfig(
            "run", max_steps=2, per_device_train_batch_size=8, num_generations=4, max_completion_length=8,
            learning_rate=1e-2, logging_steps=1, save_strategy="no", report_to="none", use_cpu=True, bf16=False,
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_list([{"prompt": f"{a}+{a}="} for a in range(10)]),
        processing_class=tokenizer,
    )
    trainer.train()
tensors = sum(len(group["params"]) for group in trainer.optimizer.param_groups)
print("tensors in the optimizer:", tensors)
steps = [entry for entry in trainer.state.log_history if "reward" in entry]
for entry in steps:
    print(f"step {entry['step']}: loss logged, reward logged, learning rate {entry['learning_rate']}, "
          f"grad_norm {entry['grad_norm']}")
about = [text for text in said + [str(w.message) for w in caught] if "trainable" in text or "grad" in text.lower()]
print("warnings about it:", len(about))
assert tensors == 0 and len(steps) == 2 and all(e["grad_norm"] == 0 and e["reward"] > 0 for e in steps), steps
assert not about, about
PYTHON
