"""Visual reasoning problems without their pictures: what is shown, what is asked, what is right.

Five families, three levels each. A puzzle is its facts; the question, the facts in words, the worked solution and the
answer all follow from them, and so does the picture (:mod:`relax.tasks.visual.drawing`). Every answer is an integer.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

#: Difficulty, easiest first.
LEVELS = (1, 2, 3)

#: A term of a worked solution after the first: operation and number.
Term = tuple[str, int]


@dataclass(frozen=True)
class Puzzle:
    """One problem.

    Attributes:
        family: of :data:`FAMILIES`.
        level: 1 to 3.
        facts: the numbers that the picture shows; what they mean is the family's own.
    """

    family: str
    level: int
    facts: tuple[int, ...]

    @property
    def key(self) -> str:
        """The same for every drawing and wording of this problem; decides its split."""
        return f"{self.family}/{self.level}/{'-'.join(map(str, self.facts))}"

    @property
    def question(self) -> str:
        """What is asked, in one sentence."""
        return FAMILIES[self.family].question(self)

    @property
    def statement(self) -> str:
        """The facts in words: with them the question is answered without the picture."""
        return FAMILIES[self.family].statement(self)

    @property
    def terms(self) -> tuple[int, list[Term]]:
        """The worked solution: a number, and what is done to it one step after the other."""
        return FAMILIES[self.family].terms(self)

    @property
    def answer(self) -> int:
        """The result of :attr:`terms`."""
        value, terms = self.terms
        for operation, number in terms:
            value = value + number if operation == "+" else value * number
        return value


@dataclass(frozen=True)
class Family:
    """How the problems of a family are made and read."""

    facts: Callable[[random.Random, int], tuple[int, ...]]
    question: Callable[[Puzzle], str]
    statement: Callable[[Puzzle], str]
    terms: Callable[[Puzzle], tuple[int, list[Term]]]


def make(family: str, level: int, rng: random.Random) -> Puzzle:
    """A random puzzle."""
    return Puzzle(family, level, FAMILIES[family].facts(rng, level))


def side(level: int) -> int:
    """Cells along the edge of a grid: 3, 4 or 5."""
    return level + 2


def row_counts(puzzle: Puzzle) -> list[int]:
    """Filled cells of each row of a grid."""
    width = side(puzzle.level)
    return [sum(cell // width == row for cell in puzzle.facts) for row in range(width)]


def _total(numbers: Sequence[int]) -> tuple[int, list[Term]]:
    return numbers[0], [("+", number) for number in numbers[1:]]


def _listed(numbers: Sequence[int]) -> str:
    *first, last = map(str, numbers)
    return f"{', '.join(first)} and {last}" if first else last


def _bars(rng: random.Random, level: int) -> tuple[int, ...]:
    return tuple(rng.randint(1, 9) for _ in range(level + 1))


def _cells(rng: random.Random, level: int) -> tuple[int, ...]:
    cells = side(level) ** 2
    return tuple(sorted(rng.sample(range(cells), rng.randint(1, cells - 1))))


def _marks(rng: random.Random, level: int) -> tuple[int, ...]:
    return tuple(sorted(rng.sample(range(1, 10), level + 1)))


def _time(rng: random.Random, level: int) -> tuple[int, ...]:
    step = {1: 30, 2: 15, 3: 5}[level]
    return rng.randint(1, 11), step * rng.randrange(60 // step)


def _lengths(rng: random.Random, level: int) -> tuple[int, ...]:
    if level < 3:
        return rng.randint(2, 9), rng.randint(2, 9)
    # An L: a block of width and height, and beside it a lower one.
    height = rng.randint(4, 9)
    return rng.randint(2, 6), height, rng.randint(2, 6), rng.randint(2, height - 2)


def _lengths_in_words(puzzle: Puzzle) -> str:
    if puzzle.level < 3:
        return "The sides are {} and {} long.".format(*puzzle.facts)
    return "The left part is {} wide and {} high, the right part {} wide and {} high.".format(*puzzle.facts)


def _measure(puzzle: Puzzle) -> tuple[int, list[Term]]:
    first, second, *rest = puzzle.facts
    if puzzle.level == 1:
        return first, [("+", second), ("*", 2)]
    # The area of an L as a chain: its lower part over the whole width, then what stands on the left.
    if puzzle.level == 3:
        width, height = rest
        return first * second, [("+", width * height)]
    return first, [("*", second)]


FAMILIES: dict[str, Family] = {
    "bars": Family(
        _bars,
        lambda p: "What is the sum of the heights of the bars?",
        lambda p: f"The bars are {_listed(p.facts)} high.",
        lambda p: _total(p.facts),
    ),
    "cells": Family(
        _cells,
        lambda p: "How many cells are filled?",
        lambda p: f"Line by line {_listed(row_counts(p))} cells are filled.",
        lambda p: _total(row_counts(p)),
    ),
    "line": Family(
        _marks,
        lambda p: "What is the sum of the marked numbers?",
        lambda p: f"The marks are at {_listed(p.facts)}.",
        lambda p: _total(p.facts),
    ),
    "clock": Family(
        _time,
        lambda p: "How many minutes after twelve is it?",
        lambda p: "The hour is {} and the minute {}.".format(*p.facts),
        lambda p: (p.facts[0], [("*", 60), ("+", p.facts[1])]),
    ),
    "geometry": Family(
        _lengths,
        lambda p: "What is the perimeter of the rectangle?" if p.level == 1 else "What is the area of the figure?",
        _lengths_in_words,
        _measure,
    ),
}
