#!/usr/bin/env bash
# TRL 1.16.0, transformers 5.17.0, torch 2.13.0, on a CPU (2026-11-30).
#
# A guess: TRL's fused language-model head, which GRPOTrainer uses in training, computes logits of the tokens that have
# a label, as its documentation says. Seen: where there is no Triton, which means on every CPU, it computes those of all
# tokens of a batch, prompts and padding too, and masks them afterwards. A batch in which 10 of 300 tokens of a row have
# a label costs as much as one in which 299 have.
#
# Output seen:
#   head, 10 of 300 tokens of a row scored: 3.06 billion operations
#   head, 299 of 300 scored: 3.06 billion operations
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.17.0 trl==1.16.0 accelerate==1.15.0 datasets==5.2.0
cd "$work"
OMP_NUM_THREADS=1 TRL_EXPERIMENTAL_SILENCE=1 HF_HUB_OFFLINE=1 "$work/venv/bin/python" - <<'PYTHON'
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaConfig, LlamaForCausalLM
from trl.trainer.utils import add_fused_lm_head

torch.manual_seed(0)
model = LlamaForCausalLM(LlamaConfig(
    vocab_size=20_000, hidden_size=64, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2,
    intermediate_size=128, max_position_embeddings=512,
))
add_fused_lm_head(model)
tokens = torch.randint(0, 20_000, (4, 300))


def head_flops(scored: int) -> float:
    """Operations of the forward pass that are not the backbone's, where the last tokens of each row have a label."""
    labels = torch.full_like(tokens, -100)
    labels[:, -scored:] = tokens[:, -scored:]
    with torch.no_grad(), FlopCounterMode(display=False) as whole:
        model(input_ids=tokens, labels=labels, fused_lm_head=True)
    with torch.no_grad(), FlopCounterMode(display=False) as backbone:
        model.base_model(input_ids=tokens)
    return (whole.get_total_flops() - backbone.get_total_flops()) / 1e9


few, all_but_one = head_flops(10), head_flops(299)
print(f"head, 10 of 300 tokens of a row scored: {few:.2f} billion operations")
print(f"head, 299 of 300 scored: {all_but_one:.2f} billion operations")
assert few == all_but_one > 3, (few, all_but_one)
PYTHON
