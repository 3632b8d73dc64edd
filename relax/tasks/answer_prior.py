"""The answer-prior trap: a rote answer that is often right against a chain that is always right once learnt.

A problem is a string of digits and a colon, ``3745811:``, whose sum modulo ten is asked for. A fixed share of the
problems, the easy ones, has the sum 0; nothing but adding the digits up tells which. Two strategies answer:

- *chain*, the digits in their order with partial sums: ``3+7=0+4=4+5=9+8=7+1=8+1=9``. Its results may be wrong.
- *rote*, one item a digit without computing: ``*3=0*7=0*4=0*5=0*8=0*1=0*1=0``. It always says 0, the most frequent
  answer: right on every easy problem, wrong on every hard one, and about as long as a chain.

The initial policy answers by rote mostly and adds badly. A training that gives the chain up before it is learnt
stays at the share of easy problems; one that keeps it can come near 1. No file, no network: a seed says all.
"""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from relax.errors import DataError
from relax.settings import ProperShare, Settings
from relax.tasks.draws import different, endless
from relax.tasks.noisy_sum import answer_of, answer_to, context
from relax.tasks.problem import TEST_SHARE, Problem
from relax.tasks.task import Keep, Task

#: Every character a prompt or a response may hold.
ALPHABET = "0123456789+*=:"

_CHAIN = re.compile(r"\d(\+\d=\d)+")


class TrapSettings(Settings):
    """The answer-prior trap."""

    easy_share: ProperShare = 0.4
    """Share of problems that the rote answer solves. Their answer is 0. More of them make the trap deeper."""


def strategy(prompt: str, response: str) -> str | None:
    """``"chain"`` or ``"rote"``; None for a response in neither form.

    A chain has the digits of the prompt in their order and a digit after every ``=``, right or wrong.
    """
    digits = prompt.rstrip(":")
    if response == rote(digits):
        return "rote"
    if _CHAIN.fullmatch(response) and response[0] + response[2::4] == digits:
        return "chain"
    return None


def verify(prompt: str, response: str) -> bool:
    """Is the response in one of the two forms, with the right result at its end?

    The partial sums of a chain are not looked at: what is rewarded is the answer, and the form alone keeps
    entropy from being spent on characters that decide nothing.
    """
    return strategy(prompt, response) is not None and response[-1] == answer_of(prompt.rstrip(":"))


def strategies(prompts: Sequence[str], responses: Sequence[str]) -> dict[str, float]:
    """Share of the responses by each strategy: ``strategy/chain``, ``strategy/rote`` and ``strategy/neither``."""
    found = [strategy(prompt, response) for prompt, response in zip(prompts, responses, strict=True)]
    return {
        "strategy/chain": found.count("chain") / len(found),
        "strategy/rote": found.count("rote") / len(found),
        "strategy/neither": found.count(None) / len(found),
    }


def rote(digits: str) -> str:
    """The rote response to a problem."""
    return "".join(f"*{digit}=0" for digit in digits)


def chain(digits: str, rng: random.Random, error_rate: float) -> str:
    """A chain whose results are each a random digit with probability ``error_rate``; it goes on from a wrong one."""
    total, text = int(digits[0]), digits[0]
    for digit in digits[1:]:
        total = rng.randrange(10) if rng.random() < error_rate else (total + int(digit)) % 10
        text += f"+{digit}={total}"
    return text


def demonstrations(own: Mapping[str, Any], stage: Mapping[str, Any], seed: str) -> Iterator[tuple[str, str]]:
    """Endless pairs of a training prompt and a response.

    Args:
        own: ``digits`` of a problem, and ``easy_share``, the share of problems with the answer 0.
        stage: of the warm-up: ``error_rate`` of the chains, and ``rote_share`` of the responses, 0 if not named.
        seed: of prompts and responses.
    """
    rng = random.Random(f"answer-prior/{seed}")
    for text in random_digits("train", own["digits"], own["easy_share"], seed):
        by_rote = rng.random() < stage.get("rote_share", 0.0)
        yield text + ":", rote(text) if by_rote else chain(text, rng, stage["error_rate"])


def random_digits(split: str, digits: int, easy_share: float, seed: int | str) -> Iterator[str]:
    """Endless digit strings of one split, in an order fixed by the seed; repeats are possible."""
    rng = random.Random(f"answer-prior/{split}/{seed}")

    def draw() -> tuple[str, str]:
        text = "".join(rng.choice("0123456789") for _ in range(digits - 1))
        answer = 0 if rng.random() < easy_share else rng.randrange(1, 10)
        text += str((answer - int(answer_of(text))) % 10)
        return text, text

    return endless(split, draw)


def problems(n: int, split: str, digits: int, easy_share: float, seed: int) -> Iterator[Problem]:
    """``n`` different problems of one split, in an order fixed by the seed; ``subset`` is ``easy`` or ``hard``.

    Args:
        n: how many.
        split: ``"train"`` or ``"test"``, decided by a problem's digest: disjoint whatever the seeds.
        digits: digits per problem.
        easy_share: chance that a problem has the answer 0.
        seed: of the generator.

    Raises:
        DataError: there are not that many different problems.
    """

    def fewer(*_: Any) -> NoReturn:
        raise DataError(f"{n} different {split} problems asked for, {digits} digits give fewer; ask for fewer.")

    share = 1 / TEST_SHARE if split == "test" else 1 - 1 / TEST_SHARE
    if n * max(easy_share, (1 - easy_share) / 9) > 0.8 * share * 10 ** (digits - 1):
        fewer()
    drawn = random_digits(split, digits, easy_share, seed)
    for text in different((("", text, text) for text in drawn), n, fewer):
        answer = answer_of(text)
        subset = "easy" if answer == "0" else "hard"
        yield Problem(f"answer-prior/{text}", text + ":", answer, "answer-prior", subset=subset)


def _made(settings: Mapping[str, Any], n: int, split: str, keep: Keep) -> Iterator[Problem]:
    return problems(n, split, settings["digits"], settings["answer_prior"]["easy_share"], settings["seed"])


TASK = Task(
    name="answer-prior",
    problems=_made,
    settings=TrapSettings,
    verify=verify,
    answer_to=answer_to,  # its problems are noisy sums
    metrics=strategies,
    demonstrations=demonstrations,
    alphabet=ALPHABET,
    context=context,
)
