"""Countdown, small: make a target of a few digits by ``+``, ``-`` and ``*``, trying one combination after another.

A problem is ``347>25:``, the numbers 3, 4 and 7 and the target 25. A response is one attempt or several, split by
``;``. An attempt works from left to right and writes every result: ``3+4=7*7=49;3*7=21+4=25``. Only the last one
counts. Whoever answers needs variety, since most combinations miss: entropy is a means here, and a training that is
given no bonus has no reason to lose it. No file, no network: a seed says all.
"""

import itertools
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, NoReturn

from pydantic import Field

from relax.errors import DataError
from relax.settings import Settings
from relax.tasks.draws import different, endless
from relax.tasks.problem import Problem, split_of
from relax.tasks.task import Keep, Task

#: Every character a prompt or a response may hold.
ALPHABET = "0123456789+-*=;>:"
#: Attempts of a demonstration at most.
ATTEMPTS = 4
#: No number, target or result of a demonstration is larger.
LARGEST = 99
#: A problem is easy if at least this share of its combinations hits the target.
EASY = 1 / 10

_PROMPT = re.compile(r"[1-9]+>([0-9]+):")
_ATTEMPT = re.compile(r"\d([-+*]\d=\d{1,4})+")
_STEP = re.compile(r"([-+*])(\d)=(\d+)")


class CountdownSettings(Settings):
    """The small Countdown task."""

    numbers: Annotated[int, Field(ge=2, le=3)] = 3
    """Numbers of a problem."""


def answer_to(prompt: str) -> str | None:
    """The answer of a problem, its target; None where the prompt is none of this task."""
    found = _PROMPT.fullmatch(prompt)
    return found[1] if found else None


def verify(prompt: str, response: str) -> bool:
    """Does the last attempt use every number exactly once, is every step right, and does it end in the target?

    All attempts must have the form; of those before the last nothing else is asked. Integers are exact.
    """
    numbers, _, target = prompt.rstrip(":").partition(">")
    attempts = response.split(";")
    if not all(_ATTEMPT.fullmatch(attempt) for attempt in attempts):
        return False
    used, value = [attempts[-1][0]], int(attempts[-1][0])
    for operator, operand, result in _STEP.findall(attempts[-1]):
        value = _apply(operator, value, int(operand))
        if result != str(value):
            return False
        used.append(operand)
    return Counter(used) == Counter(numbers) and str(value) == target


def _apply(operator: str, left: int, right: int) -> int:
    return left + right if operator == "+" else left - right if operator == "-" else left * right


@cache
def combinations(numbers: str) -> dict[tuple[str, str], int]:
    """(numbers in an order, operators) -> value, where every result is from 0 to :data:`LARGEST`."""
    found = {}
    for order in sorted(set(itertools.permutations(numbers))):
        for operators in itertools.product("+-*", repeat=len(numbers) - 1):
            value = int(order[0])
            for operator, operand in zip(operators, order[1:], strict=True):
                value = _apply(operator, value, int(operand))
                if not 0 <= value <= LARGEST:
                    break
            else:
                found["".join(order), "".join(operators)] = value
    return found


def demonstrate(prompt: str, rng: random.Random, error_rate: float) -> str:
    """Attempts in a random order until one shows the target, :data:`ATTEMPTS` at most.

    Args:
        prompt: of a problem.
        rng: decides the order and the faults.
        error_rate: chance that a result is a random number of the same number of digits; the attempt goes on from it.
    """
    numbers, _, target = prompt.rstrip(":").partition(">")
    tried: list[str] = []
    for order, operators in rng.sample(list(combinations(numbers)), k=min(ATTEMPTS, len(combinations(numbers)))):
        value, text = int(order[0]), order[0]
        for operator, operand in zip(operators, order[1:], strict=True):
            value = _apply(operator, value, int(operand))
            if not 0 <= value <= LARGEST or rng.random() < error_rate:
                value = rng.randrange(10, 100) if value > 9 else rng.randrange(10)
            text += f"{operator}{operand}={value}"
        tried.append(text)
        if str(value) == target:
            break
    return ";".join(tried)


def demonstrations(own: Mapping[str, Any], stage: Mapping[str, Any], seed: str) -> Iterator[tuple[str, str]]:
    """Endless pairs of a training prompt and a response.

    Args:
        own: ``numbers`` of a problem.
        stage: of the warm-up: ``error_rate``.
        seed: of prompts and responses.
    """
    rng = random.Random(f"countdown/{seed}")
    for prompt in random_prompts("train", own["numbers"], seed):
        yield prompt, demonstrate(prompt, rng, stage["error_rate"])


def random_prompts(split: str, numbers: int, seed: int | str) -> Iterator[str]:
    """Endless prompts of one split; the target is what a random combination gives, from 1.

    The digest of the numbers, in order of size, and the target decides the split: another order of the numbers is
    the same problem.
    """
    rng = random.Random(f"countdown/{split}/{seed}")

    def draw() -> tuple[str, str]:
        target = 0
        while not target:
            drawn = "".join(rng.choice("123456789") for _ in range(numbers))
            target = rng.choice(list(combinations(drawn).values()))
        return f"{''.join(sorted(drawn))}>{target}", f"{drawn}>{target}:"

    return endless(split, draw)


def problems(n: int, split: str, numbers: int, seed: int) -> Iterator[Problem]:
    """``n`` different problems of one split, in an order fixed by the seed; ``subset`` is ``easy`` or ``hard``.

    Easy problems are those of whose combinations at least a share :data:`EASY` hits the target. The answer is the
    target.

    Args:
        n: how many; problems whose numbers stand in another order count as different ones.
        split: ``"train"`` or ``"test"``: disjoint whatever the seeds and the order of the numbers.
        numbers: of a problem, 2 or 3.
        seed: of the generator.

    Raises:
        DataError: there are not that many different problems.
    """
    all_drawn = map("".join, itertools.product("123456789", repeat=numbers))
    there = sum(
        split_of(f"{''.join(sorted(d))}>{t}") == split for d in all_drawn for t in {*combinations(d).values()} - {0}
    )

    def fewer(*_: Any) -> NoReturn:
        raise DataError(f"{n} different {split} problems asked for, {numbers} numbers give {there}; ask for fewer.")

    if n > 0.8 * there:
        fewer()
    for prompt in different((("", prompt, prompt) for prompt in random_prompts(split, numbers, seed)), n, fewer):
        drawn, _, target = prompt.rstrip(":").partition(">")
        values = list(combinations(drawn).values())
        subset = "easy" if values.count(int(target)) >= EASY * len(values) else "hard"
        yield Problem(f"countdown/{prompt[:-1]}", prompt, target, "countdown", subset=subset)


def _made(settings: Mapping[str, Any], n: int, split: str, keep: Keep) -> Iterator[Problem]:
    return problems(n, split, settings["countdown"]["numbers"], settings["seed"])


TASK = Task(
    name="countdown",
    problems=_made,
    settings=CountdownSettings,
    verify=verify,
    answer_to=answer_to,
    demonstrations=demonstrations,
    alphabet=ALPHABET,
)
