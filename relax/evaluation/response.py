"""A response and how it ended, and how that travels through lm-eval, which hands on text alone."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from lm_eval.api.instance import Instance

#: Between a response and its ending, on the way through lm-eval, which hands on text alone.
MARK = "\x1e"


class Response(NamedTuple):
    """A response and how it ended.

    Attributes:
        text: without special tokens.
        tokens: generated, the end token included.
        finish: ``"stop"`` at an end token, ``"length"`` at the limit.
    """

    text: str
    tokens: int
    finish: str


def marked(text: str, tokens: int, finish: str) -> str:
    """A response as it travels through lm-eval."""
    return f"{text}{MARK}{tokens}{MARK}{finish}"


def unmarked(text: str) -> Response:
    """The response that :func:`marked` wrote.

    lm-eval cuts a text at the end token written out as characters; the mark behind it is then lost, and the
    number of tokens not known (0).
    """
    parts = text.rsplit(MARK, 2)
    return Response(parts[0], int(parts[1]), parts[2]) if len(parts) == 3 else Response(text, 0, "stop")


def instances(prompts: Sequence[str], kwargs: Sequence[dict[str, Any]]) -> list[Instance]:
    """Requests as lm-eval takes them."""
    return [
        Instance(request_type="generate_until", doc={}, arguments=(prompt, own), idx=0)
        for prompt, own in zip(prompts, kwargs, strict=True)
    ]
