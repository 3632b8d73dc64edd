"""What generation costs on a CPU: relax.models.decoding against transformers' own loop, ratios within one run.

    python benchmarks/generation.py --out results/bench/generation.json

A batch of 64 responses, eight to each of eight prompts, whose lengths are those of ``lengths.json``: they were drawn
from a lognormal, and the longest is four times the mean. A response ends after as many tokens, whatever the policy
writes, which has random weights and the sizes of SmolLM2-135M. The same for the answers of ``relax generate`` against
lm-eval's ``hf``. One thread, CPU time, the smallest of several repeats taken in turns. ``--quick`` runs small sizes: it
shows that the benchmark works.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Before torch: one thread.
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import torch
from common import Result, in_turns, result
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, StoppingCriteria, StoppingCriteriaList

from relax.models.decoding import loop_for

#: layers, d, heads, heads of keys and values, width of the MLP, vocabulary; tokens of a prompt, R, share of the lengths.
FULL = {
    "layers": 30, "d": 576, "heads": 9, "kv_heads": 3, "mlp": 1536, "vocabulary": 49152, "prompt": 40, "R": 8,
    "shorter": 1, "repeats": 3,
}  # fmt: skip
QUICK = {
    "layers": 2, "d": 32, "heads": 4, "kv_heads": 2, "mlp": 64, "vocabulary": 98, "prompt": 8, "R": 8, "shorter": 8,
    "repeats": 1,
}  # fmt: skip
Sizes = dict[str, Any]
LENGTHS = Path(__file__).with_name("lengths.json")
PAD, END = 0, 1


class Ended(StoppingCriteria):
    """Ends each row after its own number of tokens."""

    def __init__(self, lengths: list[int], width: int) -> None:
        self.ends = width + torch.tensor(lengths)

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        return input_ids.shape[1] >= self.ends


def lengths(sizes: Sizes) -> list[int]:
    """Tokens of each response."""
    return [max(1, length // sizes["shorter"]) for length in json.loads(LENGTHS.read_text())]


def model(sizes: Sizes) -> LlamaForCausalLM:
    """A random policy."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=sizes["vocabulary"], hidden_size=sizes["d"], num_hidden_layers=sizes["layers"],
        num_attention_heads=sizes["heads"], num_key_value_heads=sizes["kv_heads"], intermediate_size=sizes["mlp"],
        max_position_embeddings=2048, tie_word_embeddings=True, pad_token_id=PAD, eos_token_id=END, bos_token_id=None,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


def prompts(sizes: Sizes) -> dict[str, Tensor]:
    """Eight prompts, R times each, a little shorter or longer than the size says."""
    ids = torch.full((8, sizes["prompt"] + 4), PAD)
    generator = torch.Generator().manual_seed(1)
    for number, row in enumerate(ids):
        length = sizes["prompt"] - 3 + number
        row[-length:] = torch.randint(2, sizes["vocabulary"], (length,), generator=generator)
    ids = ids.repeat_interleave(sizes["R"], dim=0)
    return {"input_ids": ids, "attention_mask": (ids != PAD).long()}


def sampling(policy: LlamaForCausalLM, sizes: Sizes) -> dict[str, Callable[[], Tensor]]:
    """A batch of rollouts as TRL asks for it, by either loop."""
    own = lengths(sizes)
    inputs = prompts(sizes)
    asked: dict[str, Any] = {
        **inputs, "max_new_tokens": max(own), "do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0,
        "suppress_tokens": [END], "stopping_criteria": StoppingCriteriaList([Ended(own, inputs["input_ids"].shape[1])]),
    }  # fmt: skip

    def generate(loop: Callable[..., Tensor] | None) -> Tensor:
        torch.manual_seed(0)
        return policy.generate(**asked, custom_generate=loop)

    ours = loop_for(policy, asked)
    assert ours is not None
    return {"transformers": lambda: generate(None), "relax": lambda: generate(ours)}


def rollouts(policy: LlamaForCausalLM, sizes: Sizes) -> Result:
    """The batch, and whether both loops write the same tokens."""
    work = sampling(policy, sizes)
    written: dict[str, Tensor] = {}

    def kept(name: str) -> None:
        written[name] = work[name]()

    seconds = in_turns(sizes["repeats"], **{name: lambda name=name: kept(name) for name in work})
    ratio = seconds["relax"] / seconds["transformers"]
    same = (written["relax"] == written["transformers"]).all(dim=1)
    return result(
        "a batch of rollouts: times transformers' generate",
        ratio,
        "<= 0.5",
        ratio <= 0.5,
        relax_s=seconds["relax"],
        transformers_s=seconds["transformers"],
        rows=len(same),
        rows_with_the_same_tokens=int(same.sum()),
    )
