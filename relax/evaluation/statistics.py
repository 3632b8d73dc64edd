"""Numbers from graded samples: mean@k, pass@k, and their standard errors over problems."""

import math

import numpy as np
from numpy.typing import NDArray


def mean_at_k(correct: NDArray[np.bool_]) -> dict[str, float]:
    """Share of right samples.

    Args:
        correct: (problems, k).

    Returns:
        ``value`` and ``stderr``, the standard error over problems (samples of one problem are not
        independent); NaN with a single problem.
    """
    return _over_problems(correct.mean(axis=1))


def pass_at_k(correct: NDArray[np.bool_], k: int) -> dict[str, float]:
    """Chance that at least one of k samples is right: the unbiased estimate from all samples there are.

    ``1 - C(n - c, k) / C(n, k)`` for a problem with c right of n samples (Chen et al., "Evaluating Large
    Language Models Trained on Code", 2021).

    Args:
        correct: (problems, n).
        k: at most n.

    Raises:
        ValueError: fewer than k samples.
    """
    n = correct.shape[1]
    if k > n:
        raise ValueError(f"pass@{k} needs at least {k} samples per problem, there are {n}.")
    wrong = n - correct.sum(axis=1)
    return _over_problems(np.array([1 - math.comb(int(w), k) / math.comb(n, k) for w in wrong]))


def distinct(responses: list[list[str]]) -> dict[str, float]:
    """Share of different texts among the samples of a problem."""
    return _over_problems(np.array([len(set(texts)) / len(texts) for texts in responses]))


def _over_problems(values: NDArray[np.float64]) -> dict[str, float]:
    n = len(values)
    stderr = float(values.std(ddof=1) / math.sqrt(n)) if n > 1 else float("nan")
    return {"value": float(values.mean()), "stderr": stderr}
