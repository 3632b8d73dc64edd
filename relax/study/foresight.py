"""What DSD has to do with escapes: does it fall first, does it tell beforehand, what is left of it under controls."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relax.results.figures.captions import smoothing_window
from relax.results.intervals import Correlation, Summary, lagged_correlation, rank_correlation, shifted_band, summarise
from relax.results.model import BASELINE, SPECTRA
from relax.study.hypotheses import KL, strata, stratified_auc
from relax.study.plan import Study, TrackedRun

#: Steps in which DSD and entropy are looked at for what falls first.
EARLY = 50
#: Steps at which DSD is asked whether a run will escape.
ASKED = (21, 41)
#: Generations at either end of the early steps whose mean is their level.
ENDS = 3
#: Arms that raise DSD -> the arm they are compared with, and their spectrum; without ``relax-window``, whose DSD is
#: that of windows and has no like in ``grpo``.
RELAX = {
    "relax": (BASELINE, "eigenvalues"),
    "relax-alpha-0.03": (BASELINE, "eigenvalues"),
    "relax-no-shaping": (BASELINE, "eigenvalues"),
    "relax-sv": (BASELINE, "singular_values"),
    "relax-sv-no-kl": (BASELINE, "singular_values"),
    "relax-sv-kl": (KL, "singular_values"),
}
#: Words -> column, beside the spectrum's.
KINDS: dict[str, Callable[[str], str]] = {
    "on policy": lambda s: f"dsd/{s}",
    "matched length": lambda s: f"dsd/{s}/matched",
    "ridge 0.1": lambda s: f"dsd/{s}/ridge_0.1",
    "probes": lambda s: f"probe/{s}",
    "probes, ridge 0.1": lambda s: f"probe/{s}/ridge_0.1",
}


@dataclass(frozen=True)
class Lag:
    """Changes of log DSD against changes of entropy in the early steps (as :mod:`relax.results.figures.lag`).

    Attributes:
        entropy, dsd: change of the logarithm over the early steps, over runs.
        peak: lag, in steps, of the largest correlation of each run, over runs; positive: DSD first.
        value, at, band: largest mean correlation, its lag, and what unrelated series stay within in 95 % of draws.
    """

    entropy: Summary
    dsd: Summary
    peak: Summary
    value: float
    at: int
    band: float


def early_lag(runs: Sequence[TrackedRun], spectrum: str) -> Lag | None:
    """Over some runs; None where no run has enough early generations, or DSD is not positive."""
    found = [series for run in runs if (series := _early(run, spectrum)) is not None]
    if not found:
        return None
    every = found[0][0]
    over = max(1, round(smoothing_window(EARLY) / every))
    pairs = [(d[over:] - d[:-over], h[over:] - h[:-over]) for _, d, h in found]
    reach = min(20, min(len(d) for d, _ in pairs) // 5)
    if reach < 2:
        return None
    each = np.stack([lagged_correlation(*pair, reach) for pair in pairs])
    each = each[np.isfinite(each).all(axis=1)]
    if not len(each):
        return None
    peaks, mean = (np.abs(each).argmax(axis=1) - reach) * every, each.mean(axis=0)
    best = int(np.abs(mean).argmax())
    return Lag(
        entropy=summarise(_change(np.log(h)) for _, _, h in found),
        dsd=summarise(_change(d) for _, d, _ in found),
        peak=summarise(peaks),
        value=float(mean[best]),
        at=(best - reach) * every,
        band=shifted_band(pairs, reach),
    )


def _early(run: TrackedRun, spectrum: str) -> tuple[int, NDArray[np.float64], NDArray[np.float64]] | None:
    """Steps between generations, log DSD and entropy of the early ones."""
    steps, dsd = run.curve(f"dsd/{spectrum}")
    entropy = run.curve("entropy")[1]
    few = sum(step <= EARLY for step in steps)
    d, h = np.array(dsd[:few]), np.array(entropy[:few])
    if few < 2 * ENDS or not ((d > 0) & np.isfinite(d) & (h > 0) & np.isfinite(h)).all():
        return None
    return steps[1] - steps[0], np.log(d), h


def _change(values: NDArray[np.float64]) -> float:
    return float(values[-ENDS:].mean() - values[:ENDS].mean())


@dataclass(frozen=True)
class Foresight:
    """Does a measure at an early step tell which runs escape after it?

    Attributes:
        name: of the measure.
        step: at which it is read.
        auc, p_value, pairs: of :func:`relax.study.hypotheses.stratified_auc`, within arm and policy.
        runs, later: not yet escaped at the step, and how many of them escape later; of arms that have both.
    """

    name: str
    step: int
    auc: float
    p_value: float
    pairs: int
    runs: int
    later: int


def foresight(study: Study) -> list[Foresight]:
    """DSD of both spectra, on policy and on probes; share of chains and entropy as yardsticks."""
    columns = {
        f"DSD, {words}, {s.replace('_', ' ')}": KINDS[words](s) for s in SPECTRA for words in ("on policy", "probes")
    }
    columns |= {"share of chains": "strategy/chain", "entropy": "entropy"}
    found = []
    for step in ASKED:
        waiting = [run for run in study.counted() if not run.broken and run.step > step]
        for name, column in columns.items():
            groups = [[(run.at(column, step), run.escape is not None) for run in group] for group in strata(waiting)]
            groups = [[(v, y) for v, y in group if math.isfinite(v)] for group in groups]
            groups = [group for group in groups if len({y for _, y in group}) == 2]
            split = [([v for v, _ in group], [y for _, y in group]) for group in groups]
            runs, later = sum(map(len, groups)), sum(y for group in groups for _, y in group)
            found.append(Foresight(name, step, *stratified_auc(split), runs, later))
    return found


def gain(study: Study, first: str, second: str, column: str) -> Summary:
    """Paired difference of the logarithm of a column's mean over the last tenth of the steps."""
    ends = [(a.end(column), b.end(column)) for a, b in study.pairs(first, second)]
    return summarise(math.log(a / b) for a, b in ends if a > 0 and b > 0)


def tied(study: Study, column: str, step: int) -> tuple[Correlation, int, int]:
    """Rank correlation of a column at a step with the step of escape, among runs that have not escaped by then.

    Ranks are taken within arm and policy, so that differences between arms do not count; the interval is a bootstrap
    over the pairs of policy and seed. Negative: the higher, the earlier the escape.

    Returns:
        The correlation, the number of runs, and of the pairs that they are in.
    """
    waiting = [run for run in study.counted() if not run.broken and run.step > step]
    waiting = [run for run in waiting if math.isfinite(run.at(column, step))]
    labels = [f"{run.record['policy']} {run.record['seed']}" for run in waiting]
    runs, pairs = len(waiting), len(set(labels))
    if runs < 3 or len({run.step for run in waiting}) < 2:
        return Correlation(math.nan, math.nan, math.nan), runs, pairs
    groups = [f"{run.record['policy']} {run.record['method']}" for run in waiting]
    values, steps = [run.at(column, step) for run in waiting], [run.step for run in waiting]
    return rank_correlation(values, steps, labels, groups), runs, pairs
