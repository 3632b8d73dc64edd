#!/usr/bin/env bash
# TRL 1.16.0, transformers 5.17.0, torch 2.13.0, on a CPU (2026-11-30).
#
# A guess: a reward of infinity (a ratio with a zero below it, say) stops GRPO, or makes the loss NaN, which one sees.
# Seen: the group's mean is infinite, its advantages become NaN and TRL replaces those by 0. The group trains nothing,
# loss and gradient stay finite, the logged reward and its spread are infinite or NaN, and no warning is given. With a
# batch of such groups the weights stand still.
#
# Output seen:
#   one infinite reward of eight (two groups of four): reward inf, loss finite, weights moved
#   its group's advantages: [0.0, 0.0, 0.0, 0.0]
#   an infinite reward in every group: reward inf, grad_norm 0.0, weights stood still
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.17.0 trl==1.16.0 accelerate==1.15.0 datasets==5.2.0
cd "$work"
OMP_NUM_THREADS=1 TRL_EXPERIMENTAL_SILENCE=1 HF_HUB_OFFLINE=1 "$work/venv/bin/python" - <<'PYTHON'
import math

import torch
from datasets import Dataset
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM
from trl import GRPOConfig, GRPOTrainer

vocabulary = {token: number for number, token in enumerate(["<pad>", "<eos>", *"0123456789+="])}
characters = Tokenizer(models.WordLevel(vocabulary))
characters.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
characters.decoder = decoders.Fuse()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=characters, pad_token="<pad>", eos_token="<eos>")
kept = []


class Watched(GRPOTrainer):
    def _generate_and_score_completions(self, inputs):
        batch = super()._generate_and_score_completions(inputs)
        kept.append(batch["advantages"].tolist())
        return batch


def train(infinite):
    torch.manual_seed(0)
    policy = Qwen2ForCausalLM(Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        intermediate_size=64, max_position_embeddings=64, pad_token_id=0, bos_token_id=None, eos_token_id=1,
    ))

    def reward(completions, **_):
        return [math.inf if row in infinite else float(len(set(text))) for row, text in enumerate(completions)]

    before = [p.detach().clone() for p in policy.parameters()]
    trainer = Watched(
        model=policy,
        reward_funcs=reward,
        args=GRPOConfig(
            "run", max_steps=1, per_device_train_batch_size=8, num_generations=4, max_completion_length=8,
            learning_rate=1e-2, logging_steps=1, save_strategy="no", report_to="none", use_cpu=True, bf16=False,
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_list([{"prompt": f"{a}+{a}="} for a in range(10)]),
        processing_class=tokenizer,
    )
    trainer.train()
    moved = any(not torch.equal(old, new) for old, new in zip(before, policy.parameters(), strict=True))
    return next(entry for entry in trainer.state.log_history if "reward" in entry), moved


log, moved = train({0})
assert log["reward"] == math.inf and math.isfinite(log["loss"]) and moved, (log, moved)
print("one infinite reward of eight (two groups of four): reward inf, loss finite, weights moved")
print("its group's advantages:", kept[-1][:4])
assert kept[-1][:4] == [0, 0, 0, 0] and any(kept[-1][4:]), kept[-1]
log, moved = train({0, 4})
assert log["reward"] == math.inf and log["grad_norm"] == 0 and not moved, (log, moved)
print(f"an infinite reward in every group: reward inf, grad_norm {log['grad_norm']}, weights stood still")
PYTHON
