"""A sample of the rollouts of a training, for people to read: ``rollouts.jsonl``.

All responses to the first prompt of some generations: the first, the last, and those of the steps at which the probes
are measured, thinned out where they are many. What is sampled before a checkpoint travels in it, so that a run that
was killed leaves the same file as one that was not.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from relax.koopman import SPECTRA

FILE = "rollouts.jsonl"
#: Generations at most, and characters of a text: beyond them its middle is left out.
GENERATIONS, CHARACTERS = 24, 4000


class Decoder(Protocol):
    """What turns tokens into text."""

    def decode(self, token_ids: Sequence[int], skip_special_tokens: bool = ...) -> str: ...


class RolloutSample:
    """Rows of ``rollouts.jsonl``: ``step`` (the first that trains on the response), ``prompt``, ``response``,
    ``answer`` (the gold one), ``reward`` (and further rewards by name), ``advantage``, ``length`` (tokens), and
    ``dsd/eigenvalues``, ``dsd/singular_values`` where the method needs DSD before its updates and the loss does not
    mask the response, else null.

    Args:
        steps: of the whole training.
        every: steps between two generations that are looked at.
        updates: steps per generation.
        group_size: R, responses to a prompt.
        tokenizer: of the policy.
        rewards: names of the reward functions; the first is called ``reward``.
    """

    def __init__(
        self, steps: int, every: int, updates: int, group_size: int, tokenizer: Decoder, rewards: Sequence[str]
    ) -> None:
        every *= -(-steps // (every * (GENERATIONS - 2)))
        self.wanted = {1, steps, *range(every, steps, every)}
        self.updates, self.group_size, self.tokenizer = updates, group_size, tokenizer
        self.names = ["reward", *rewards[1:]]
        self.rows: list[dict[str, Any]] = []

    def take(self, done: int, inputs: Sequence[dict[str, Any]], rewards: Tensor, batch: dict[str, Any]) -> None:
        """Look at a generation.

        Args:
            done: steps before it.
            inputs: rows of the data set, one a response, groups next to each other.
            rewards: (N, functions).
            batch: the generation batch, rows as in ``inputs``.
        """
        step = done + 1
        again = bool(self.rows) and self.rows[-1]["step"] == step  # a further round of dynamic sampling
        if again or self.wanted.isdisjoint(range(step, step + self.updates)):
            return
        for i in range(min(self.group_size, len(inputs))):
            tokens = batch["completion_ids"][i][batch["completion_mask"][i].bool()].tolist()
            logged = batch["relax_logged"][i].tolist() if "relax_logged" in batch else None
            self.rows.append(
                {
                    "step": step,
                    "prompt": _cut(_text(inputs[i]["prompt"])),
                    "response": _cut(self.tokenizer.decode(tokens, skip_special_tokens=True)),
                    "answer": inputs[i].get("answer"),
                    **{k: _number(v) for k, v in zip(self.names, rewards[i].tolist(), strict=True)},
                    "advantage": batch["advantages"][i].item(),
                    "length": len(tokens),
                    # Three columns a spectrum, the first at the training ridge; NaN where the loss masks the response.
                    **{f"dsd/{name}": logged and _number(logged[3 * place]) for place, name in enumerate(SPECTRA)},
                }
            )

    def text(self) -> str:
        """The rows as JSON lines."""
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in self.rows)

    def save(self, folder: Path) -> None:
        """Into a checkpoint."""
        (folder / FILE).write_text(self.text(), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """From a checkpoint."""
        # Not splitlines(): a response may hold other characters that Unicode counts as ends of lines.
        lines = (folder / FILE).read_text(encoding="utf-8").split("\n")
        self.rows = [json.loads(line) for line in lines if line]


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _text(prompt: Any) -> str:
    if isinstance(prompt, str):
        return prompt
    turns = [turn["content"] if isinstance(turn["content"], list) else [turn] for turn in prompt]
    return "\n".join("".join(part.get("text", part.get("content", "<image>")) for part in parts) for parts in turns)


def _cut(text: str) -> str:
    if len(text) <= CHARACTERS:
        return text
    half = CHARACTERS // 2
    return f"{text[:half]} [... {len(text) - 2 * half} characters ...] {text[-half:]}"
