"""How tasks draw their problems: endlessly, of one split, by weight, and each once."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NoReturn, TypeVar

from relax.tasks.problem import split_of

Item = TypeVar("Item")

#: Draws of one kind without a new problem, after which there are taken to be no more.
PATIENCE = 2000


def endless(split: str, draw: Callable[[], tuple[str, Item]]) -> Iterator[Item]:
    """Whatever is drawn and belongs to a split; repeats are possible.

    Args:
        split: ``"train"`` or ``"test"``.
        draw: draws once, and gives the text whose digest decides the split, and what was drawn.
    """
    while True:
        decides, item = draw()
        if split_of(decides) == split:
            yield item


def by_weight(
    rng: random.Random, sources: Sequence[tuple[float, Callable[[], Item]]]
) -> Callable[[], tuple[int, Item]]:
    """A draw from one of several sources, which gives the number of the source and what the source gave.

    Args:
        rng: decides the source.
        sources: the weight of each, and its own draw.
    """
    weights = [weight for weight, _ in sources]

    def draw() -> tuple[int, Item]:
        (number,) = rng.choices(range(len(sources)), weights)
        return number, sources[number][1]()

    return draw


def different(
    drawn: Iterable[tuple[str, str, Item]], n: int, fewer: Callable[[str, int], NoReturn], patience: int = PATIENCE
) -> Iterator[Item]:
    """The first ``n`` different ones of endless draws.

    Args:
        drawn: the kind of each, the text that tells one from another, and what was drawn.
        n: how many.
        fewer: raises, told a kind and how many of the kind were found.
        patience: draws of one kind in a row that bring nothing new, at most.

    Raises:
        DataError: a kind gives no more.
    """
    seen: set[str] = set()
    found, idle = Counter[str](), Counter[str]()
    for kind, text, item in drawn if n else ():
        if text not in seen:
            seen.add(text)
            found[kind] += 1
            idle[kind] = 0
            yield item
            if len(seen) == n:
                return
            continue
        idle[kind] += 1
        if idle[kind] > patience:
            fewer(kind, found[kind])
