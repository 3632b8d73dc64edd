"""A policy with random weights, and responses of lengths that were drawn once."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, StoppingCriteria

#: Tokens of 64 responses, drawn from a lognormal; the longest is four times the mean.
LENGTHS = Path(__file__).with_name("lengths.json")
PAD, END = 0, 1


class Ended(StoppingCriteria):
    """Ends each row after its own number of tokens."""

    def __init__(self, lengths: list[int], width: int) -> None:
        self.ends = width + torch.tensor(lengths)

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        return input_ids.shape[1] >= self.ends.to(input_ids.device)


def model(sizes: dict[str, Any]) -> LlamaForCausalLM:
    """A random policy."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=sizes["vocabulary"], hidden_size=sizes["d"], num_hidden_layers=sizes["layers"],
        num_attention_heads=sizes["heads"], num_key_value_heads=sizes["kv_heads"], intermediate_size=sizes["mlp"],
        max_position_embeddings=2048, tie_word_embeddings=True, pad_token_id=PAD, eos_token_id=END, bos_token_id=None,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()
