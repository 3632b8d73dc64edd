"""Rendered problems in training and held-out splits, and demonstrations of how to solve them.

No file, no network: everything follows from a seed. A problem belongs to a split by the digest of its facts, so that
no drawing and no wording of a held-out problem is trained on.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from PIL.Image import Image

from relax.errors import DataError
from relax.tasks.problem import TEST_SHARE, Problem, split_of
from relax.tasks.task import Keep
from relax.tasks.visual.drawing import VARIANTS, Style, draw, paint, style_of
from relax.tasks.visual.puzzles import FAMILIES, LEVELS, Puzzle, make

SOURCE = "visual"
#: Draws without a new problem after which there are taken to be no more.
PATIENCE = 2000


@dataclass(frozen=True)
class Shown:
    """A puzzle as it is put: in one drawing, with or without the facts in words.

    Attributes:
        puzzle: what is asked.
        variant: of the drawing.
        style: of the drawing.
        told: the prompt says the facts, so the picture is not needed.
    """

    puzzle: Puzzle
    variant: str
    style: Style
    told: bool

    @property
    def prompt(self) -> str:
        """The text of the problem."""
        return f"{self.puzzle.statement} {self.puzzle.question}" if self.told else self.puzzle.question

    def png(self, size: int) -> bytes:
        """The picture."""
        return draw(self.puzzle, self.style, size)


def shown(settings: Mapping[str, Any], split: str, seed: int | str) -> Iterator[Shown]:
    """Endless problems of one split, each in a drawing of a random variant; repeats are possible.

    Args:
        settings: the configuration's ``data.visual``: ``families``, ``levels`` and ``text_share``.
        split: ``"train"`` or ``"test"``.
        seed: of the order.
    """
    rng = random.Random(f"visual/{split}/{seed}")
    while True:
        puzzle = make(rng.choice(settings["families"]), rng.choice(settings["levels"]), rng)
        variant = rng.choice(VARIANTS)
        style, told = style_of(variant, rng), rng.random() < settings["text_share"]
        if split_of(puzzle.key) == split:
            yield Shown(puzzle, variant, style, told)


def problems(
    settings: Mapping[str, Any], n: int, split: str, seed: int, keep: Keep, instruction: str | None = None
) -> Iterator[Problem]:
    """Problems of one split, their pictures handed to ``keep``.

    Training problems are ``n`` draws. Held-out problems are ``n`` different ones, each in every variant of
    :data:`VARIANTS` with the same words: the same accuracy on all of them is robustness. All of the first variant
    are not together: the first ``n`` rows are the ``n`` problems, their variants in turn.

    Args:
        settings: as of :func:`shown`, with ``size``, the pixels of a picture's side.
        n: how many.
        split: ``"train"`` or ``"test"``.
        seed: of the generator.
        keep: puts a picture beside the problem file.
        instruction: put below every problem, on a line of its own.

    Raises:
        DataError: there are not that many different held-out problems.
    """
    below = f"\n{instruction}" if instruction else ""
    drawn = shown(settings, split, seed)
    if split == "train":
        for number, one in zip(range(n), drawn, strict=False):
            yield _problem(one, f"{SOURCE}/train/{number}", settings["size"], keep, below)
        return
    kept = _different(drawn, n)
    for turn in range(len(VARIANTS)):
        for number, one in enumerate(kept):
            variant = VARIANTS[(number + turn) % len(VARIANTS)]
            style = style_of(variant, random.Random(f"{one.puzzle.key}/{variant}/{seed}"))
            redrawn = Shown(one.puzzle, variant, style, one.told)
            yield _problem(redrawn, f"{SOURCE}/test/{number}/{variant}", settings["size"], keep, below)


def _different(drawn: Iterator[Shown], n: int) -> list[Shown]:
    kept: dict[str, Shown] = {}
    idle = 0
    while len(kept) < n:
        one = next(drawn)
        idle = idle + 1 if one.puzzle.key in kept else 0
        if idle > PATIENCE:
            raise DataError(
                f"{n} different held-out problems asked for, the families and levels of data.visual give about "
                f"{len(kept)} (one problem in {TEST_SHARE} is held out); ask for fewer, or name more of them."
            )
        kept.setdefault(one.puzzle.key, one)
    return list(kept.values())


def _problem(one: Shown, identity: str, size: int, keep: Keep, below: str) -> Problem:
    puzzle = one.puzzle
    return Problem(
        id=identity,
        prompt=one.prompt + below,
        answer=str(puzzle.answer),
        source=SOURCE,
        images=(keep(one.png(size)),),
        cluster=puzzle.key,
        variant=one.variant,
        subset=f"{puzzle.family} {puzzle.level}",
        dependence="text" if one.told else "visual",
    )


def demonstrations(
    settings: Mapping[str, Any], stage: Mapping[str, Any], seed: str
) -> Iterator[tuple[str, str, Callable[[], Image]]]:
    """Endless training problems with a worked solution and a picture, which is drawn when it is asked for.

    Args:
        settings: as of :func:`problems`.
        stage: of the warm-up: ``error_rate``.
        seed: of the problems and of what is wrong in their solutions.
    """
    rng = random.Random(seed)
    for one in shown(settings, "train", seed):
        picture = partial(paint, one.puzzle, one.style, settings["size"])
        yield one.prompt, demonstrate(one.puzzle, rng, stage["error_rate"]), picture


def demonstrate(puzzle: Puzzle, rng: random.Random, error_rate: float) -> str:
    r"""A worked solution, ``3+5=8+2=10 \boxed{10}``, each number off by one with probability ``error_rate``.

    So some are misread and some miscalculated; the solution goes on from its wrong number, and boxes the last.
    """

    def written(number: int) -> int:
        return max(0, number + rng.choice((-1, 1))) if rng.random() < error_rate else number

    first, terms = puzzle.terms
    value = written(first)
    text = str(value)
    for operation, number in terms:
        operand = written(number)
        value = written(value + operand if operation == "+" else value * operand)
        text += f"{operation}{operand}={value}"
    return rf"{text} \boxed{{{value}}}"


def texts() -> Iterator[str]:
    """Prompts and solutions that together hold every word and sign the task has."""
    rng = random.Random("visual/texts")
    for family in FAMILIES:
        for level in LEVELS:
            for _ in range(20):
                puzzle = make(family, level, rng)
                yield puzzle.question
                yield f"{puzzle.statement} {puzzle.question}"
                yield demonstrate(puzzle, rng, 0.0)
