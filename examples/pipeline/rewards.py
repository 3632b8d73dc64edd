"""A reward and a verifier of one's own, named in mine.yaml as `examples.pipeline.rewards:...`."""

from typing import Any


def last_number(prompt: str, response: str, answer: str) -> bool:
    """The verifier: whether the number behind the last `=` is the answer."""
    return response.rpartition("=")[2].strip() == answer


def right_answer(completions: list[str], answer: list[str], **columns: Any) -> list[float]:
    """The reward, as TRL calls it: 1 for a right response and 0 for a wrong one."""
    return [float(last_number("", text, gold)) for text, gold in zip(completions, answer, strict=True)]


def brevity(completions: list[str], **columns: Any) -> list[float]:
    """A second reward: near 1 for a short response, near 0 for a long one."""
    return [1 / (1 + len(text)) for text in completions]
