"""A claim's parts: a number of the runs held against what the claim wants of it, with the words for both."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from relax.paper.claims import NO_INTERVAL, NOT_RUN, OPPOSITE, SEEN, UNCLEAR, combined
from relax.results.findings import Finding, compared, listed, short, with_interval
from relax.results.intervals import Summary, summarise
from relax.results.model import Results
from relax.results.tables.all import WORDS, ridge_of


@dataclass(frozen=True)
class Part:
    """One of the things that a claim says, and its numbers in a sentence."""

    status: str
    text: str


@dataclass(frozen=True)
class Outcome:
    """What the runs of one policy show of a claim.

    Attributes:
        policy: name of the initial policy.
        subject: method or arms it is about.
        methods: whose runs were used.
        parts: of the claim.
        note: what a reader must know beside it.
    """

    policy: str
    subject: str
    methods: Sequence[str]
    parts: Sequence[Part]
    note: str = ""

    @property
    def status(self) -> str:
        return combined(part.status for part in self.parts)


def part(found: Finding, wanted: str) -> Part:
    """A finding as a part of a claim that wants it to go ``up`` or ``down``."""
    directions = {"rose": "up", "higher": "up", "fell": "down", "lower": "down"}
    if found.verdict in directions:
        return Part(SEEN if directions[found.verdict] == wanted else OPPOSITE, found.text)
    return Part(UNCLEAR if found.verdict.startswith("no clear") else found.verdict, found.text)


def signed_part(change: Summary, wanted: str, subject: str, text: str, what: str = "difference") -> Part:
    """A number over seeds as a part that wants it above zero (``up``) or below (``down``).

    Args:
        change: the number.
        wanted: ``up`` or ``down``.
        subject: of the sentence, with the method.
        text: its verb and what follows.
        what: name of the number.
    """
    words = f"{subject} {text}. {with_interval(change, what)}" if change.n else f"{subject} was not measured."
    return part(Finding("", change.verdict, words), wanted)


def bounded_part(found: Summary, low: float, high: float, text: str) -> Part:
    """A number over seeds as a part that wants it, interval included, between two bounds."""
    if found.n < 2 or found.half_width <= 1e-9 * max(1.0, abs(found.mean)):
        return Part(NO_INTERVAL if found.n else NOT_RUN, text)
    if low < found.low and found.high < high:
        return Part(SEEN, text)
    return Part(OPPOSITE if found.high < low or found.low > high else UNCLEAR, text)


def dsd_column(results: Results, spectrum: str) -> tuple[str, str]:
    """Label and key of the on-policy DSD of a spectrum at the ridge of training."""
    return f"DSD of {WORDS[spectrum]} (on-policy, ridge {ridge_of(results)})", f"koopman/policy/dsd_{spectrum}"


def windows(results: Results, policy: str, method: str, column: str) -> dict[int, tuple[float, float, float]]:
    """Seed -> means over the first, the middle and the last tenth of the steps; runs of three steps or more."""
    series = results.series
    found: dict[int, tuple[float, float, float]] = {}
    if column not in series:
        return found
    own = series[(series.policy == policy) & (series.method == method) & (series.step > 0) & series[column].notna()]
    for seed, run in own.groupby("seed"):
        values = run.sort_values("step")[column].to_numpy()
        size = max(1, len(values) // 10)
        start = (len(values) - size) // 2
        if len(values) >= 3:
            first, middle, last = values[:size], values[start : start + size], values[-size:]
            found[int(seed)] = (float(first.mean()), float(middle.mean()), float(last.mean()))
    return found


def still_rising(results: Results, policy: str, method: str, column: str, label: str) -> Part:
    """Does a quantity of ``results.series`` rise in the second half of training?"""
    found = windows(results, policy, method, column)
    change = summarise(last - middle for _, middle, last in found.values())
    middle, last = (summarise(window[i] for window in found.values()).mean for i in (1, 2))
    text = f"goes from {short(middle)} in the middle to {short(last)} at the end of training"
    return signed_part(change, "up", f"Under {method}, {label}", text)


def accuracy(results: Results, policy: str, method: str) -> dict[int, float]:
    """Seed -> mean over the benchmarks of mean@k at the largest k; seeds that lack none."""
    columns = []
    for name in results.matrix.benchmarks:
        metric = [m for m in results.metrics_of(name) if m.startswith("mean@")][-1]
        columns.append(results.by_seed(policy, method, f"evaluate/{name}/{metric}"))
    seeds = set.intersection(*(set(column) for column in columns)) if columns else set()
    return {seed: float(np.mean([column[seed] for column in columns])) for seed in seeds}


def more_accurate(results: Results, policy: str, method: str, other: str) -> Part:
    """Is a method more accurate than another, over all benchmarks?"""
    names = results.matrix.benchmarks
    label = f"accuracy on {names[0]}" if len(names) == 1 else f"mean accuracy over {listed(list(names))}"
    values = (accuracy(results, policy, name) for name in (method, other))
    return part(compared("", method, other, label, *values), "up")


def correlation(first: pd.Series, second: pd.Series) -> float | None:
    """Pearson's; None where one of them does not vary."""
    known = first.notna() & second.notna()
    x, y = first[known].to_numpy(dtype=float), second[known].to_numpy(dtype=float)
    return float(np.corrcoef(x, y)[0, 1]) if len(x) > 2 and x.std() > 0 and y.std() > 0 else None
