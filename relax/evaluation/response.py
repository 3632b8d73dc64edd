"""A response and how it ended, and how that travels through lm-eval, which hands on text alone."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from lm_eval.api.instance import Instance

#: Between a response and its ending, on the way through lm-eval, which hands on text alone.
MARK = "\x1e"
#: The ending is written in characters of Unicode's private use, from this one on, among which no stop word is found.
PRIVATE = 0xE000


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
    return f"{text}{MARK}{_shifted(str(tokens), PRIVATE)}{MARK}{_shifted(finish, PRIVATE)}"


def unmarked(text: str) -> Response:
    """The response that :func:`marked` wrote.

    lm-eval cuts a text at the end token written out as characters; the mark behind it is then lost, and the
    number of tokens not known (0).
    """
    parts = text.rsplit(MARK, 2)
    if len(parts) < 3:
        return Response(text, 0, "stop")
    return Response(parts[0], int(_shifted(parts[1], -PRIVATE)), _shifted(parts[2], -PRIVATE))


def _shifted(text: str, by: int) -> str:
    return "".join(chr(ord(character) + by) for character in text)


def instances(prompts: Sequence[str], kwargs: Sequence[dict[str, Any]]) -> list[Instance]:
    """Requests as lm-eval takes them."""
    return [
        Instance(request_type="generate_until", doc={}, arguments=(prompt, own), idx=0)
        for prompt, own in zip(prompts, kwargs, strict=True)
    ]
