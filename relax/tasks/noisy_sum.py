"""The noisy-sum task: add seven digits modulo ten, step by step or at once.

A problem is a string of digits and a colon, ``3745811:``. A response is either the bare result,
``=9``, or a chain of partial sums modulo ten, ``3+7=0+4=4+...=9``, in any order of the digits. The
demonstrations that make the initial policy mix the styles and carry wrong digits in some steps, so
that reinforcement learning has something to improve. No file, no network: everything follows from
a seed.
"""

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from relax.errors import DataError
from relax.tasks.draws import different, endless
from relax.tasks.problem import TEST_SHARE, Problem
from relax.tasks.task import CONTEXT, Keep, Task

#: Every character a prompt or a response may hold.
ALPHABET = "0123456789+=:"

#: Share of each style among the demonstrations.
STYLES = {"direct": 0.30, "in_order": 0.35, "shuffled": 0.35}

_PROMPT = re.compile(r"[0-9]+:")
_CHAIN = re.compile(r"\d(\+\d=\d)+")


def answer_of(digits: str) -> str:
    """The sum of the digits modulo ten, as one character."""
    return str(sum(map(int, digits)) % 10)


def answer_to(prompt: str) -> str | None:
    """The answer of a problem; None where the prompt is none of this task."""
    return answer_of(prompt[:-1]) if _PROMPT.fullmatch(prompt) else None


def verify(prompt: str, response: str) -> bool:
    """Is the response a correct derivation of the right result?

    A chain counts only if it uses every digit of the prompt exactly once and every partial sum is
    right: a right result behind a wrong step is wrong. Anything else than the two forms is wrong.
    """
    digits = prompt.rstrip(":")
    if response == "=" + answer_of(digits):
        return True
    if not _CHAIN.fullmatch(response):
        return False
    first, *steps = response.split("+")
    total, used = int(first), [first]
    for step in steps:
        operand, result = step.split("=")
        total = (total + int(operand)) % 10
        if int(result) != total:
            return False
        used.append(operand)
    return Counter(used) == Counter(digits)


def demonstrate(digits: str, rng: random.Random, error_rate: float) -> str:
    """One demonstration for a problem, with a wrong digit in a step with probability ``error_rate``.

    A chain goes on from its wrong partial sum; the direct style has one step.
    """
    style = rng.choices(list(STYLES), weights=list(STYLES.values()))[0]

    def noisy(value: int) -> int:
        return rng.randrange(10) if rng.random() < error_rate else value % 10

    if style == "direct":
        return f"={noisy(int(answer_of(digits)))}"
    order = list(digits)
    if style == "shuffled":
        rng.shuffle(order)
    total, text = int(order[0]), order[0]
    for digit in order[1:]:
        total = noisy(total + int(digit))
        text += f"+{digit}={total}"
    return text


def demonstrations(own: Mapping[str, Any], stage: Mapping[str, Any], seed: str) -> Iterator[tuple[str, str]]:
    """Endless pairs of a training prompt and a response.

    Args:
        own: ``digits`` of a problem.
        stage: of the warm-up: ``error_rate``.
        seed: of prompts and responses.
    """
    rng = random.Random(seed)
    for text in random_digits("train", own["digits"], seed):
        yield text + ":", demonstrate(text, rng, stage["error_rate"])


def random_digits(split: str, digits: int, seed: int | str) -> Iterator[str]:
    """Endless digit strings of one split, in an order fixed by the seed; repeats are possible."""
    rng = random.Random(f"noisy-sum/{split}/{seed}")

    def draw() -> tuple[str, str]:
        text = "".join(rng.choice("0123456789") for _ in range(digits))
        return text, text

    return endless(split, draw)


def problems(n: int, split: str, digits: int, seed: int) -> Iterator[Problem]:
    """``n`` different problems of one split, in an order fixed by the seed.

    Args:
        n: how many; at most about 0.8 x 10^digits for training, 0.1 x 10^digits for the test.
        split: ``"train"`` or ``"test"``; a problem's digest decides to which it belongs, so the two
            are disjoint whatever the seeds.
        digits: digits per problem.
        seed: of the generator.

    Raises:
        DataError: there are not that many different problems.
    """

    def fewer(*_: Any) -> NoReturn:
        raise DataError(f"{n} different {split} problems asked for, {digits} digits give fewer; ask for fewer.")

    share = 1 / TEST_SHARE if split == "test" else 1 - 1 / TEST_SHARE
    if n > 0.9 * share * 10**digits:
        fewer()
    # The digest shares problems out evenly only where there are many.
    for text in different((("", text, text) for text in random_digits(split, digits, seed)), n, fewer):
        yield Problem(id=f"noisy-sum/{text}", prompt=text + ":", answer=answer_of(text), source="noisy-sum")


def _made(settings: Mapping[str, Any], n: int, split: str, keep: Keep) -> Iterator[Problem]:
    return problems(n, split, settings["digits"], settings["seed"])


def context(own: Mapping[str, Any]) -> int:
    """Tokens of a prompt of d digits and its longest response, of 4 d tokens and the end; 64 up to 12 digits."""
    return max(CONTEXT, 5 * own["digits"] + 4)


TASK = Task(
    name="noisy-sum",
    problems=_made,
    verify=verify,
    answer_to=answer_to,
    demonstrations=demonstrations,
    alphabet=ALPHABET,
    context=context,
)
