"""How fast the grader is: easy and hard answers a second, against plain math-verify, ratios within one run.

    python benchmarks/grading.py --out results/bench/grading.json

Easy: text and numbers decide. Hard: computer algebra in child processes. Wall time, since the work is in other
processes; the smallest of several repeats taken in turns. ``--quick`` runs few answers: it shows that it works.
"""

import logging
import random
import time
from collections.abc import Callable
from typing import Any

from common import Result, main, result

from relax.evaluation import grade_many

FULL = {"easy": 20_000, "hard": 300, "repeats": 3}
QUICK = {"easy": 200, "hard": 10, "repeats": 1}
Sizes = dict[str, Any]
Case = tuple[str, str]


def easy(count: int) -> list[Case]:
    """(response, gold): integers, fractions and choices, half of them right."""
    rng, cases = random.Random(0), []
    for _ in range(count):
        gold = rng.choice([str(rng.randrange(10**4)), rf"\frac{{{rng.randrange(1, 99)}}}{{7}}", rng.choice("ABCD")])
        answer = gold if rng.random() < 0.5 else f"{rng.randrange(10**4, 10**5)}"
        cases.append((rf"{'We add and divide. ' * 40}So it is \boxed{{{answer}}}.", gold))
    return cases


def hard(count: int) -> list[Case]:
    """(response, gold): products to be multiplied out, every one another, half of them right."""
    return [(rf"So it is \boxed{{(x+{n})(x-{n + 1})}}.", f"x^2-x-{n * (n + 1) + n % 2}") for n in range(1, count + 1)]


def seconds(sizes: Sizes, **work: Callable[[], object]) -> dict[str, float]:
    """Smallest wall seconds of each piece of work, in turns; the first turn warms up and does not count."""
    best = dict.fromkeys(work, float("inf"))
    for turn in range(sizes["repeats"] + 1):
        for name, do in work.items():
            start = time.perf_counter()
            do()
            if turn:
                best[name] = min(best[name], time.perf_counter() - start)
    return best


def plain(cases: list[Case]) -> None:
    """math-verify as its users call it, both sides in a box, its alarms off."""
    from math_verify import parse, verify

    for response, gold in cases:
        verify(
            parse(rf"\boxed{{{gold}}}", parsing_timeout=None),
            parse(response, parsing_timeout=None),
            timeout_seconds=None,
        )


def ours(cases: list[Case], workers: int) -> None:
    """The grader with a number of child processes."""
    grade_many([response for response, _ in cases], [gold for _, gold in cases], workers=workers)


def everything(sizes: Sizes, quick: bool) -> list[Result]:
    """Every row of the table."""
    logging.getLogger("math_verify").setLevel(logging.ERROR)
    simple, algebra = easy(sizes["easy"]), hard(sizes["hard"])
    part = simple[: max(1, len(simple) // 100)]
    # One child first: the pool only grows.
    one = seconds(
        sizes,
        easy=lambda: ours(simple, 1),
        hard=lambda: ours(algebra, 1),
        plain=lambda: plain(algebra),
        plain_easy=lambda: plain(part),
    )
    two = seconds(sizes, hard=lambda: ours(algebra, 2))
    rate = len(simple) / one["easy"]
    return [
        result("easy answers a second", rate, ">= 2000", rate >= 2000),
        result("easy answers: times faster than plain math-verify", one["plain_easy"] / len(part) * rate, "", None),
        result("hard answers a second, one child", len(algebra) / one["hard"], "", None),
        result("hard answers: time of one child over plain math-verify's", one["hard"] / one["plain"], "", None),
        result("hard answers: times faster with two children", one["hard"] / two["hard"], "", None),
    ]


if __name__ == "__main__":
    main(__doc__, (FULL, QUICK), everything, lambda sizes: None)
