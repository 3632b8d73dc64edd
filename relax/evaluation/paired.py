"""Two policies on the same problems: paired differences, exact permutation tests, correction over a table.

Two kinds of chance are kept apart. Over problems: would these very checkpoints differ on other problems of this
kind? Over seeds: would training again give the difference on these problems? A claim on a method needs both.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from relax.errors import DataError
from relax.evaluation.metrics import CONFIDENCE, Labels, cluster_index, pass_rates, standard_error

#: Up to this many differences every choice of signs is enumerated: 65 536 of them.
ENUMERATED = 16
#: Random choices of signs beyond; the p-value is at least 1 / (DRAWS + 1).
DRAWS = 99_999
#: Random signs held at once.
BATCH = 2_000_000

#: Training seed -> graded samples (problems, k).
Runs = Mapping[int, NDArray[np.bool_]]
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Difference:
    """A mean of paired differences over n units.

    Attributes:
        value: mean over problems, first minus second.
        stderr: of the mean over the units; NaN for one unit.
        low, high: 95 % Student t interval; NaN for one unit. See ``compare_policies`` for units that all agree.
        p_value: two-sided sign-flip test.
        exact: whether every choice of signs was counted; otherwise they were drawn.
        n: number of units.
        unit: ``problems``, ``clusters`` or ``seeds``.
        p_corrected: Holm's, over the table of ``compare_table``; None outside of one.
    """

    value: float
    stderr: float
    low: float
    high: float
    p_value: float
    exact: bool
    n: int
    unit: str
    p_corrected: float | None = None


@dataclass(frozen=True)
class Comparison:
    """The same difference with two kinds of chance.

    Attributes:
        problems: over problems, or clusters of them, of the mean over seeds; holds for these checkpoints.
        seeds: over training seeds, of the mean over problems; holds for these problems.
    """

    problems: Difference
    seeds: Difference


class Pair(NamedTuple):
    """What is compared in one cell of a table; as the arguments of ``compare_policies``."""

    first: Runs
    second: Runs
    clusters: Labels | None = None


def compare_policies(first: Runs, second: Runs, clusters: Labels | None = None, k: int = 1) -> Comparison:
    """``first`` minus ``second``, paired by problem and by seed.

    Where all units have the same difference v the spread says nothing. Then the interval is the rule of three:
    with 95 % confidence at most 1 - 0.05^(1/n) of all units differ otherwise, and by no more than to -1 or 1.

    Args:
        first: seed -> (problems, k), the problems in one and the same order everywhere. Seeds that only one
            side has are left out. A policy without seeds of its own (the initial one) stands under each.
        second: as ``first``; the number of samples may be another.
        clusters: label of each problem where a benchmark repeats one.
        k: compares pass@k; the default, pass@1, is the mean over samples.

    Raises:
        DataError: no common seed, runs of different shapes, or as in ``statistics.mean_at_k``.
        ValueError: fewer than k samples.
    """
    seeds = sorted(first.keys() & second.keys())
    if not seeds:
        raise DataError(f"nothing to pair: one policy has seeds {sorted(first)}, the other {sorted(second)}.")
    shapes = [{runs[seed].shape for seed in seeds} for runs in (first, second)]
    if max(map(len, shapes)) > 1 or len({shape[0] for shape in set.union(*shapes)}) > 1:
        raise DataError(
            f"runs to compare have graded samples of shapes {sorted(set.union(*shapes))}; expected the same "
            "problems everywhere and one number of samples for each policy."
        )
    scores = np.array([pass_rates(first[seed], k) - pass_rates(second[seed], k) for seed in seeds])
    # Integers for pass@1: their test is exact whatever the number of problems.
    flips = np.array([_counts(first[seed], second[seed]) for seed in seeds]) if k == 1 else scores
    index = cluster_index(clusters, scores.shape[1])
    unit = "problems" if clusters is None else "clusters"
    return Comparison(
        _difference(scores.mean(axis=0), index, _sums(flips.sum(axis=0), index), unit),
        _difference(scores.mean(axis=1), np.arange(len(seeds)), flips.sum(axis=1), "seeds"),
    )


def compare_table(pairs: Mapping[Key, Pair], k: int = 1) -> dict[Key, Comparison]:
    """``compare_policies`` for every cell of a table, with p-values corrected over the table.

    Holm's correction holds whatever the cells share (problems, seeds, a baseline). The p-values over problems
    are one family, those over seeds another.
    """
    found = {key: compare_policies(pair.first, pair.second, pair.clusters, k) for key, pair in pairs.items()}
    problems = holm([c.problems.p_value for c in found.values()])
    seeds = holm([c.seeds.p_value for c in found.values()])
    return {
        key: Comparison(replace(c.problems, p_corrected=p), replace(c.seeds, p_corrected=s))
        for (key, c), p, s in zip(found.items(), problems, seeds, strict=True)
    }


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number (Holm, 1979): below 0.05 means a family-wise error of 5 % at most."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    corrected = np.empty(len(p))
    corrected[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(corrected, 1).tolist()


def sign_flip_test(differences: NDArray[np.integer] | NDArray[np.float64], rounding: float = 0.0) -> tuple[float, bool]:
    """Two-sided p-value of a sum of paired differences, and whether it is exact.

    Under the null each difference might as well have had the other sign (the two policies are exchangeable on
    every unit); the p-value is the share of choices of signs whose sum is at least as far from 0. Integers: all
    2^n choices are counted, for any n, by adding one difference after the other to the distribution of the sum
    (Pagano and Tritchler, 1983). Other numbers: all choices up to n = 16, beyond that 99 999 drawn ones from a
    fixed seed, of which the observed one is one more (Phipson and Smyth, 2010: never 0).

    Args:
        differences: (units,).
        rounding: how far each may be off where they come from rounded numbers; sums that may be equal count as equal.
            For integers it is not looked at.
    """
    moved = np.abs(differences[differences != 0])
    observed = abs(differences.sum())
    if not len(moved):
        return 1.0, True
    if np.issubdtype(moved.dtype, np.integer):
        return _count(moved, int(observed)), True
    # Sums that are equal but for rounding count as equal; both of them may be off.
    limit = float(observed) - max(1e-9 * float(moved.sum()), 2 * rounding * len(moved))
    if len(moved) <= ENUMERATED:
        signs = (np.arange(2 ** len(moved))[:, None] >> np.arange(len(moved)) & 1) * 2 - 1
        return float((np.abs(signs @ moved) >= limit).mean()), True
    rng, hits = np.random.default_rng(0), 0
    batch = max(BATCH // len(moved), 1)
    for start in range(0, DRAWS, batch):
        signs = rng.integers(0, 2, (min(batch, DRAWS - start), len(moved)), dtype=np.int8) * 2 - 1
        hits += int((np.abs(signs @ moved) >= limit).sum())
    return (hits + 1) / (DRAWS + 1), False


def _count(sizes: NDArray[np.integer], observed: int) -> float:
    """Share of the choices of signs whose sum is at least ``observed`` in size."""
    divisor = int(np.gcd.reduce(sizes))
    sizes = sizes // divisor
    total = int(sizes.sum())
    # chance[s]: of the differences so far, those with a plus sign add up to s.
    chance, reached = np.zeros(total + 1), 0
    chance[0] = 1
    for size in sizes.tolist():
        added = chance[: reached + 1] / 2
        chance[: reached + 1] = added
        chance[size : reached + size + 1] += added
        reached += size
    sums = np.abs(2 * np.arange(total + 1) - total) * divisor
    return min(float(chance[sums >= observed].sum()), 1.0)


def _counts(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Differences of the shares of right samples, times both numbers of samples."""
    return first.sum(axis=1) * second.shape[1] - second.sum(axis=1) * first.shape[1]


def _sums(values: NDArray, index: NDArray[np.intp]) -> NDArray:
    sums = np.zeros(index.max() + 1, dtype=values.dtype)
    np.add.at(sums, index, values)
    return sums


def _difference(values: NDArray[np.float64], index: NDArray[np.intp], flips: NDArray, unit: str) -> Difference:
    value, n = float(values.mean()), int(index.max()) + 1
    stderr = standard_error(values, index)
    p_value, exact = sign_flip_test(flips)
    if n > 1 and np.ptp(values) < 1e-12:
        otherwise = 1 - (1 - CONFIDENCE) ** (1 / n)
        low, high = value - otherwise * (1 + value), value + otherwise * (1 - value)
    else:
        half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * stderr if n > 1 else math.nan
        low, high = value - half, value + half
    return Difference(value, stderr, low, high, p_value, exact, n, unit)
