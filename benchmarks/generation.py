"""What generation costs on a CPU: the loop of relax.models.decoding against transformers' own, ratios within one run.

    python benchmarks/generation.py --out results/bench/generation.json

A batch has 64 responses, whose lengths are those of ``lengths.json``. They were drawn from a lognormal, and the longest
is four times the mean. A response ends after so many tokens, whatever the policy writes; the policy has random weights
and the sizes of SmolLM2-135M. The rollouts are eight to each of eight prompts, sampled; against them stands the same
call of ``generate`` with transformers' loop. The answers of a benchmark are one to each of 64 prompts, greedy, as
``relax generate`` has them made; against them stands lm-eval's ``hf``. One thread, CPU time, the smallest of several
repeats taken in turns. ``--quick`` runs small sizes: it shows that the benchmark works.
"""

import json
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Before torch: one thread.
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import torch
from common import Result, in_turns, main, result
from lm_eval.models.huggingface import HFLM
from random_policy import END, LENGTHS, PAD, Ended, model
from torch import Tensor
from transformers import LlamaForCausalLM, StoppingCriteriaList
from transformers.utils import logging as transformers_logging

from relax.evaluation.backends import HuggingFace
from relax.evaluation.response import instances
from relax.models.decoding import loop_for
from relax.models.policy import load_policy
from relax.models.scratch import make_tokenizer

#: layers, d, heads, heads of keys and values, width of the MLP, vocabulary, tokens of a prompt, R; lengths are divided.
FULL = {
    "layers": 30, "d": 576, "heads": 9, "kv_heads": 3, "mlp": 1536, "vocabulary": 49152, "prompt": 40, "R": 8,
    "shorter": 1, "repeats": 3,
}  # fmt: skip
QUICK = {
    "layers": 2, "d": 32, "heads": 4, "kv_heads": 2, "mlp": 64, "vocabulary": 98, "prompt": 8, "R": 8, "shorter": 8,
    "repeats": 1,
}  # fmt: skip
Sizes = dict[str, Any]


def lengths(sizes: Sizes) -> list[int]:
    """Tokens of each response."""
    return [max(1, length // sizes["shorter"]) for length in json.loads(LENGTHS.read_text())]


def prompts(sizes: Sizes) -> dict[str, Tensor]:
    """Eight prompts, R times each, a little shorter or longer than the size says."""
    ids = torch.full((8, sizes["prompt"] + 4), PAD)
    generator = torch.Generator().manual_seed(1)
    for number, row in enumerate(ids):
        length = sizes["prompt"] - 3 + number
        row[-length:] = torch.randint(2, sizes["vocabulary"], (length,), generator=generator)
    ids = ids.repeat_interleave(sizes["R"], dim=0)
    return {"input_ids": ids, "attention_mask": (ids != PAD).long()}


def timed(work: dict[str, Callable[[], list[Any]]], repeats: int) -> tuple[dict[str, float], dict[str, Any]]:
    """Seconds of each piece of work, and how many of its responses are the same; `relax` is one of the two."""
    written: dict[str, list[Any]] = {}

    def kept(name: str) -> Callable[[], None]:
        return lambda: written.update({name: work[name]()})

    seconds = in_turns(repeats, **{name: kept(name) for name in work})
    one, other = written.values()
    same = sum(a == b for a, b in zip(one, other, strict=True))
    return seconds, {"responses": len(one), "the_same": same, **{f"{name}_s": took for name, took in seconds.items()}}


def rollouts(policy: LlamaForCausalLM, sizes: Sizes) -> Result:
    """A batch of rollouts as TRL asks for it."""
    own, inputs = lengths(sizes), prompts(sizes)
    asked: dict[str, Any] = {
        **inputs, "max_new_tokens": max(own), "do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0,
        "suppress_tokens": [END], "stopping_criteria": StoppingCriteriaList([Ended(own, inputs["input_ids"].shape[1])]),
    }  # fmt: skip
    loop = loop_for(policy, asked)
    assert loop is not None

    def sampled(by: Callable[..., Tensor] | None) -> list[list[int]]:
        torch.manual_seed(0)
        return policy.generate(**asked, custom_generate=by).tolist()

    work = {"relax": lambda: sampled(loop), "transformers": lambda: sampled(None)}
    seconds, detail = timed(work, sizes["repeats"])
    ratio = seconds["relax"] / seconds["transformers"]
    return result("a batch of rollouts: times transformers' generate", ratio, "<= 0.5", ratio <= 0.5, **detail)


def answers(policy: LlamaForCausalLM, sizes: Sizes, folder: Path) -> Result:
    """The answers to a benchmark's questions, both engines with the same requests."""
    letters = ["x", *(chr(0x20000 + number) for number in range(sizes["vocabulary"] - 3))]  # one for every token
    policy.save_pretrained(folder)
    make_tokenizer("".join(letters)).save_pretrained(folder)
    own = lengths(sizes)
    generator = torch.Generator().manual_seed(2)
    drawn = torch.randint(0, len(letters), (len(own), sizes["prompt"]), generator=generator)
    questions = ["".join(letters[token] for token in row) for row in drawn.tolist()]
    asked = {"until": [], "do_sample": False, "temperature": 0.0, "max_gen_toks": max(own), "suppress_tokens": [END]}
    model, tokenizer = load_policy(folder)
    theirs = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=len(own))
    ours = HuggingFace(folder, len(own))
    for engine in (theirs, ours):
        engine.model.generate = ending(engine.model.generate, own)

    def lm_eval() -> list[str]:
        return theirs.generate_until(instances(questions, [asked | {"until": []}] * len(own)), disable_tqdm=True)

    def relax() -> list[str]:
        return [response.text for response in ours.answer(questions, asked | {"until": []}, [0] * len(own), 0)]

    seconds, detail = timed({"relax": relax, "lm_eval": lm_eval}, sizes["repeats"])
    ratio = seconds["lm_eval"] / seconds["relax"]
    return result("answers a second of relax generate: times lm-eval's hf", ratio, ">= 2", ratio >= 2, **detail)


def ending(generate: Callable[..., Tensor], own: list[int]) -> Callable[..., Tensor]:
    """``generate`` whose rows end after their own numbers of tokens."""

    def ended(**asked: Any) -> Tensor:
        asked["stopping_criteria"].append(Ended(own, asked["input_ids"].shape[1]))
        return generate(**asked)

    return ended


def everything(sizes: Sizes, quick: bool) -> list[Result]:
    """Every row of the table."""
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    policy = model(sizes)
    with tempfile.TemporaryDirectory() as folder:
        return [rollouts(policy, sizes), answers(policy, sizes, Path(folder))]


if __name__ == "__main__":
    main(__doc__, (FULL, QUICK), everything, lambda sizes: None)
