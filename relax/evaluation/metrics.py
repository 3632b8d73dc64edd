"""Numbers from graded samples of one policy on one benchmark. Pure functions of arrays.

Every estimate is a dict: ``value``; ``stderr``, the standard error over problems (samples of one problem are
not independent), over clusters of problems where labels are given; ``low`` and ``high``, a 95 % interval that
stays within [0, 1]. All three are NaN with a single problem or cluster. What each covers: docs/statistics.md.
"""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from relax.errors import DataError

CONFIDENCE = 0.95
#: Statuses of a graded response that are reported as rates of their own.
FAULTS = ("no_box", "timeout", "unparseable_gold", "unparseable_answer")

Estimate = dict[str, float]
Labels = Sequence[Hashable] | NDArray[Any]


def complete_samples(
    rows: Sequence[Sequence[bool | float | None]] | NDArray[Any], k: int, ids: Sequence[str] | None = None
) -> NDArray[np.bool_]:
    """Graded samples as an array, refused unless every problem has k of them.

    A mean that divides by the samples asked for, with fewer present, is too low; one over unequal numbers
    of samples is another number than mean@k.

    Args:
        rows: of each problem the samples there are; None and NaN are samples that are missing.
        k: samples asked for.
        ids: of the problems, for the message; default is their row numbers.

    Returns:
        (problems, k).

    Raises:
        DataError: no problem, or a problem with another number of samples.
    """
    present = [[bool(sample) for sample in row if sample is not None and sample == sample] for row in rows]
    if not present:
        raise DataError("no graded samples at all; expected some for every problem of the benchmark.")
    wrong = [number for number, samples in enumerate(present) if len(samples) != k]
    if wrong:
        first = wrong[0]
        name = f"row {first}" if ids is None else f"problem {ids[first]}"
        raise DataError(
            f"{len(wrong)} of {len(present)} problems do not have the {k} samples asked for ({name} has "
            f"{len(present[first])}); generate what is missing or ask for fewer samples."
        )
    return np.array(present, dtype=bool)


def mean_at_k(correct: NDArray[np.bool_], clusters: Labels | None = None) -> Estimate:
    """Share of right samples.

    Args:
        correct: (problems, k).
        clusters: label of each problem where a benchmark repeats one.

    Raises:
        DataError: ``correct`` is no array of bool, or the labels are not one a problem.
    """
    _check(correct)
    return _estimate(correct.mean(axis=1), correct.shape[1], clusters)


def pass_at_k(correct: NDArray[np.bool_], k: int, clusters: Labels | None = None) -> Estimate:
    """Chance that at least one of k samples is right: the unbiased estimate from all samples there are.

    Args:
        correct: (problems, n).
        k: at most n.
        clusters: as in ``mean_at_k``.

    Raises:
        DataError: as in ``mean_at_k``.
        ValueError: fewer than k samples.
    """
    return _estimate(pass_rates(correct, k), correct.shape[1], clusters)


def pass_rates(correct: NDArray[np.bool_], k: int) -> NDArray[np.float64]:
    """Unbiased pass@k of each problem; (problems,).

    ``1 - C(n - c, k) / C(n, k)`` for a problem with c right of n samples (Chen et al., "Evaluating Large
    Language Models Trained on Code", arXiv 2107.03374, Eq. 1). For k = 1 it is c / n.

    Raises:
        DataError: ``correct`` is no array of bool.
        ValueError: fewer than k samples.
    """
    _check(correct)
    n = correct.shape[1]
    if k > n:
        raise ValueError(f"pass@{k} needs at least {k} samples per problem, there are {n}.")
    wrong = n - correct.sum(axis=1)
    return np.array([1 - math.comb(int(w), k) / math.comb(n, k) for w in wrong])


def pass_curve(correct: NDArray[np.bool_], clusters: Labels | None = None) -> dict[int, Estimate]:
    """pass@k for k = 1, 2, 4, ... and for all n samples there are; k -> estimate."""
    n = correct.shape[1]
    powers = {2**i for i in range(n.bit_length()) if 2**i <= n}
    return {k: pass_at_k(correct, k, clusters) for k in sorted(powers | {n})}


def majority_at_k(
    answers: Sequence[Sequence[str | None]], correct: NDArray[np.bool_], clusters: Labels | None = None
) -> Estimate:
    """Whether the most frequent of the k answers is right (self-consistency, arXiv 2203.11171).

    Answers are equal where their strings are, so they must have been through the grader's clean-up. A tie
    counts as its expectation when one of the tied answers is drawn. None does not vote; where no sample has
    an answer the problem is wrong.

    Args:
        answers: (problems, k), the extracted answers.
        correct: (problems, k), whether each is right. Samples of one answer with different grades (a
            time-out among them) count as their mean.
        clusters: as in ``mean_at_k``.

    Raises:
        DataError: as in ``mean_at_k``, or answers and grades of different numbers.
    """
    _check(correct)
    if [len(row) for row in answers] != [correct.shape[1]] * len(correct):
        raise DataError(f"answers to vote with do not match the {correct.shape[0]} x {correct.shape[1]} grades.")
    values = [_vote(row, right) for row, right in zip(answers, correct, strict=True)]
    return _estimate(np.array(values), correct.shape[1], clusters)


def _vote(answers: Sequence[str | None], correct: NDArray[np.bool_]) -> float:
    votes = Counter(answer for answer in answers if answer is not None)
    if not votes:
        return 0.0
    most = max(votes.values())
    tied = [answer for answer, count in votes.items() if count == most]
    grades = [np.mean([c for a, c in zip(answers, correct, strict=True) if a == answer]) for answer in tied]
    return float(np.mean(grades))


def worst_case_share(correct: NDArray[np.bool_], clusters: Labels) -> Estimate:
    """Share of clusters all of whose problems are right (the worst-case accuracy of DynaMath, arXiv 2411.00836).

    With several samples, the chance that one response to each of the cluster's problems is right: the product
    of the problems' shares, unbiased since samples are independent. With one it is the definition. The standard
    error and the interval are over clusters.

    Args:
        correct: (problems, k).
        clusters: label of each problem.

    Raises:
        DataError: as in ``mean_at_k``.
    """
    _check(correct)
    index = cluster_index(clusters, len(correct))
    products = np.ones(index.max() + 1)
    np.multiply.at(products, index, correct.mean(axis=1))
    return _estimate(products, correct.shape[1], None)


def rerun_error(correct: NDArray[np.bool_]) -> float:
    """Standard error of mean@k from sampling alone: the same policy, the same problems, k new samples each.

    ``sqrt(sum of p (1 - p) / (k - 1)) / n`` with p the share of right samples of each of n problems: the root
    of an unbiased estimate. Part of the standard error over problems, not added to it. NaN for k = 1, where
    the samples do not say.

    Args:
        correct: (problems, k).

    Raises:
        DataError: ``correct`` is no array of bool.
    """
    _check(correct)
    n, k = correct.shape
    if k == 1:
        return math.nan
    p = correct.mean(axis=1)
    return float(np.sqrt((p * (1 - p) / (k - 1)).sum()) / n)


def rates(
    statuses: NDArray[np.str_],
    truncated: NDArray[np.bool_],
    lenient: NDArray[np.bool_],
    clusters: Labels | None = None,
) -> dict[str, Estimate]:
    """What stands beside a strict score: the lenient one, the truncated responses and the faults of grading.

    Args:
        statuses: (problems, k), the grader's status of each response.
        truncated: (problems, k), whether it ended at the token limit.
        lenient: (problems, k), whether it is right under the lenient rules.
        clusters: as in ``mean_at_k``.

    Returns:
        Shares of all responses under ``lenient``, ``truncated`` and every name of ``FAULTS``.

    Raises:
        DataError: as in ``mean_at_k``.
    """
    flags = {"lenient": lenient, "truncated": truncated} | {name: statuses == name for name in FAULTS}
    return {name: mean_at_k(flag, clusters) for name, flag in flags.items()}


def share_of_distinct(responses: list[list[str]]) -> Estimate:
    """Share of different texts among the samples of a problem."""
    shares = np.array([len(set(texts)) / len(texts) for texts in responses])
    return _estimate(shares, len(responses[0]), None)


def cluster_index(clusters: Labels | None, n: int) -> NDArray[np.intp]:
    """Number of the cluster of each of n problems; without labels each is its own.

    Raises:
        DataError: not n labels.
    """
    if clusters is None:
        return np.arange(n)
    if len(clusters) != n:
        raise DataError(f"{len(clusters)} cluster labels for {n} problems; expected one label a problem.")
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(label, len(numbers)) for label in clusters], dtype=np.intp)


def standard_error(values: NDArray[np.float64], index: NDArray[np.intp]) -> float:
    """Cluster-robust standard error of the mean over problems.

    ``sqrt(G / (G - 1) * sum over clusters of (sum of residuals)^2) / n`` with G clusters: the clustered
    standard error of Miller, "Adding Error Bars to Evals" (arXiv 2411.00640), with the usual factor for few
    clusters. One problem a cluster: sample standard deviation / sqrt(n).

    Args:
        values: (problems,).
        index: (problems,), from ``cluster_index``.

    Returns:
        NaN with a single cluster.
    """
    sums = np.bincount(index, weights=values - values.mean())
    g = len(sums)
    return math.sqrt(g / (g - 1) * float((sums**2).sum())) / len(values) if g > 1 else math.nan


def _estimate(values: NDArray[np.float64], samples: int, clusters: Labels | None) -> Estimate:
    """Mean of numbers in [0, 1], one a problem, each from that many samples."""
    index = cluster_index(clusters, len(values))
    value, stderr = float(values.mean()), standard_error(values, index)
    low, high = _interval(value, stderr, index.max() + 1, len(values) * samples)
    return {"value": value, "stderr": stderr, "low": low, "high": high}


def _interval(value: float, stderr: float, units: int, samples: int) -> tuple[float, float]:
    """Wilson's interval with the effective number of independent answers in place of their number.

    The effective number is the one at which independent answers would have this standard error (as for surveys:
    Franco et al., 2019, PMC6690503), at most the number of samples; where all are wrong or all are right the
    spread says nothing, and it is the number of problems or clusters. Student's t replaces the normal quantile.
    """
    if units < 2:
        return math.nan, math.nan
    # math.isclose: pass@k and means of thirds end beside 1.
    if math.isclose(value, 0, abs_tol=1e-12) or math.isclose(value, 1):
        effective = float(units)
    else:
        variance = stderr**2 * (units - 1) / units
        effective = min(value * (1 - value) / variance, samples) if variance else float(samples)
    t = float(stats.t.ppf((1 + CONFIDENCE) / 2, units - 1))
    scale = 1 + t**2 / effective
    centre = (value + t**2 / (2 * effective)) / scale
    half = t / scale * math.sqrt(max(value * (1 - value), 0) / effective + (t / (2 * effective)) ** 2)
    return max(centre - half, 0.0), min(centre + half, 1.0)


def _check(correct: NDArray[np.bool_]) -> None:
    if correct.dtype != bool or correct.ndim != 2 or not correct.size:
        raise DataError(
            f"graded samples are an array of {correct.dtype} of shape {correct.shape}; expected bool of shape "
            "(problems, k), which relax.evaluation.metrics.complete_samples makes of rows with missing samples."
        )
