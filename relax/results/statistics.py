"""Means, intervals and fits over few runs. Pure functions of numbers."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Summary:
    """Mean and spread over n runs.

    Attributes:
        mean: NaN for n = 0.
        std: sample standard deviation (divisor n - 1); NaN below two runs.
        half_width: of the 95 % Student t interval of the mean; NaN below two runs.
        n: number of runs.
    """

    mean: float
    std: float
    half_width: float
    n: int

    @property
    def low(self) -> float:
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        return self.mean + self.half_width

    @property
    def verdict(self) -> str:
        """What the interval says of a change: ``rose``, ``fell`` or ``no clear change``.

        ``not run`` without a run, ``no interval`` with one. Runs that agree to the last digit (accuracies
        over few problems do) give an interval of width zero; that is the grain of the measure and not
        evidence: ``no interval`` again, or ``no clear change`` where nothing changed.
        """
        if self.n < 2:
            return "not run" if self.n == 0 else "no interval"
        if self.half_width <= 1e-9 * max(1.0, abs(self.mean)):
            return "no clear change" if abs(self.mean) <= 1e-12 else "no interval"
        if self.low <= 0 <= self.high:
            return "no clear change"
        return "rose" if self.mean > 0 else "fell"


def summarise(values: Iterable[float]) -> Summary:
    """Mean, sample standard deviation and 95 % Student t interval of independent runs."""
    numbers = np.asarray(list(values), dtype=float)
    n = len(numbers)
    if n == 0:
        return Summary(math.nan, math.nan, math.nan, 0)
    if n == 1:
        return Summary(float(numbers[0]), math.nan, math.nan, 1)
    std = float(numbers.std(ddof=1))
    return Summary(float(numbers.mean()), std, _quantile(n - 1) * std / math.sqrt(n), n)


def paired_difference(first: Mapping[int, float], second: Mapping[int, float]) -> Summary:
    """``first`` minus ``second`` over the seeds that both have (seed -> value)."""
    return summarise(first[seed] - second[seed] for seed in sorted(first.keys() & second.keys()))


@dataclass(frozen=True)
class Fit:
    """R = -a exp(H) + b by least squares (the paper's Figure 1).

    The intervals are those of independent points. The steps of one run are not independent, so the
    true ones are wider.

    Attributes:
        a, b: the parameters; a > 0 means that accuracy is bought with entropy.
        a_half_width, b_half_width: of their 95 % Student t intervals.
        r_squared: share of the variance of R that the fit explains.
        n: number of points.
    """

    a: float
    b: float
    a_half_width: float
    b_half_width: float
    r_squared: float
    n: int


def fit_entropy_reward(entropy: Sequence[float], reward: Sequence[float]) -> Fit | None:
    """Fit R = -a exp(H) + b; None below three points or when H does not vary."""
    grown, reward = np.exp(np.asarray(entropy, dtype=float)), np.asarray(reward, dtype=float)
    known = np.isfinite(grown) & np.isfinite(reward)
    grown, reward = grown[known], reward[known]
    if len(grown) < 3 or np.ptp(grown) == 0:
        return None
    line = stats.linregress(grown, reward)
    factor = _quantile(len(grown) - 2)
    return Fit(
        a=-float(line.slope),
        b=float(line.intercept),
        a_half_width=float(factor * line.stderr),
        b_half_width=float(factor * line.intercept_stderr),
        r_squared=float(line.rvalue**2),
        n=len(grown),
    )


def _quantile(degrees: int) -> float:
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, degrees))
