"""Does DSD fall before entropy? Correlation of their changes over a range of lags."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from relax.results.figures.captions import dimension_of, named, runs_shown, smoothing_window
from relax.results.figures.style import Drawing, look, spacing, wrapped
from relax.results.figures.training_curves import steps_of
from relax.results.intervals import DRAWS, lagged_correlation, shifted_band
from relax.results.model import SPECTRA, Results
from relax.results.tables.all import WORDS, ridge_of

Pair = tuple[NDArray[np.float64], NDArray[np.float64]]


def lag_figure(results: Results, policy: str) -> Drawing | None:
    """Cross-correlation of the changes of DSD and of token entropy, per method and spectrum."""
    series = steps_of(results, policy)
    columns = [f"dsd/{spectrum}" for spectrum in SPECTRA]
    needed = ["reward", "entropy", *columns]
    if not set(needed) <= set(series):
        return None
    # Steps that generate have a reward. Between them only some methods log DSD, of parts of the same responses.
    known = series.dropna(subset=needed)
    if known.empty:
        return None
    every = spacing(known.step.drop_duplicates())
    # In values from here on; a value is `every` steps.
    over = max(1, round(smoothing_window(int(series.step.max())) / every))
    pairs = {m: _changes(known[known.method == m], columns, over) for m in results.matrix.methods}
    pairs = {method: found for method, found in pairs.items() if found[columns[0]]}
    if not pairs:
        return None
    shortest = min(len(first) for found in pairs.values() for first, _ in found[columns[0]])
    reach = min(20, shortest // 5)
    if reach < 2:
        return None
    labels = [f"DSD, {WORDS[spectrum]}" for spectrum in SPECTRA]
    canvas, methods = wrapped(len(pairs), 1.5, "lag (steps)", labels)
    largest = 0.0
    for axes, (method, found) in zip(methods, pairs.items(), strict=True):
        axes[0].set_title(method)
        for ax, column in zip(axes, columns, strict=True):
            colour = look(method, results.matrix.methods)["color"]
            largest = max(largest, _panel(ax, found[column], reach, every, colour))
    for ax in (ax for axes in methods for ax in axes):
        ax.set_ylim(-1.5 * largest, 1.1 * largest)  # room for the words below the lines
    caption = (
        "Does DSD move before token entropy? Correlation between the change of log DSD (mean over the responses of a "
        f"step, ridge {ridge_of(results)}, {dimension_of(results, list(pairs))}) and the change of entropy so many "
        f"steps later; a change is the difference between two values {over * every} "
        f"{'step' if over * every == 1 else 'steps'} apart, nothing else is smoothed and no trend is taken out. A peak "
        "at a positive lag: DSD moves first and entropy follows; at a negative lag: entropy first; at 0: both within a "
        "step, as anything must that comes from the problems drawn. Thin: each seed; thick: mean over seeds, its "
        "largest value marked and printed where it leaves the band. Grey: what the mean of series shifted against "
        f"each other in a circle stays within at all lags in 95 % of {DRAWS} draws, panel by panel. "
        f"{runs_shown(results, policy)} Both follow response length and the reward, so an order in time is no cause."
    )
    return Drawing(named(results, policy, "lag"), "Does DSD move before entropy?", caption, canvas)


def _changes(known: pd.DataFrame, columns: list[str], over: int) -> dict[str, list[Pair]]:
    """Column -> for each seed, changes of log DSD and of entropy over ``over`` values."""
    found: dict[str, list[Pair]] = {column: [] for column in columns}
    for _, run in known.groupby("seed"):
        run = run.sort_values("step")
        if len(run) <= over or (run[columns] <= 0).any(axis=None):
            continue
        entropy = run.entropy.to_numpy()
        for column in columns:
            logs = np.log(run[column].to_numpy())
            found[column].append((logs[over:] - logs[:-over], entropy[over:] - entropy[:-over]))
    return found


def _panel(ax: Axes, pairs: list[Pair], reach: int, every: int, colour: str) -> float:
    """Draw one panel; returns the largest correlation in it."""
    lags = np.arange(-reach, reach + 1) * every
    runs = np.stack([lagged_correlation(*pair, reach) for pair in pairs])
    mean, band = runs.mean(axis=0), shifted_band(pairs, reach)
    if np.isfinite(band):
        ax.axhspan(-band, band, color="#e6e6e6", linewidth=0, zorder=0)
    ax.axvline(0, color="#767676", linewidth=0.6)
    for run in runs:
        ax.plot(lags, run, color=colour, linewidth=0.6, alpha=0.45)
    ax.plot(lags, mean, color=colour, linewidth=1.5)
    peak = int(np.nanargmax(np.abs(mean))) if np.isfinite(mean).any() else None
    if peak is not None and abs(mean[peak]) > band:
        ax.plot(lags[peak], mean[peak], "o", color=colour, markersize=4, markeredgecolor="white", markeredgewidth=0.5)
        text = f"{mean[peak]:+.2f} at {lags[peak]}".replace("-", "\N{MINUS SIGN}")
        ax.text(0.04, 0.03, text, transform=ax.transAxes, fontsize=7)
    return float(np.nanmax(np.abs([*runs.flatten(), band, 0.1])))
