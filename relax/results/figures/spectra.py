"""Figures of single trajectories: DSD against length and of one spectrum against the other; eigenvalues."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from relax.results.figures.captions import correlation_words, named, prompts_of, seeds_in
from relax.results.figures.style import COLOURS, GREY, SHADES, Drawing, panels, plain_log, wrapped
from relax.results.intervals import rank_correlation
from relax.results.model import BASELINE, INITIAL, SPECTRA, Results
from relax.results.tables.all import WORDS, ridge_of

#: Trajectories drawn per panel; all of them enter the lines and the tables.
DRAWN = 150
RHO = "\N{GREEK SMALL LETTER RHO}"
MEDIAN: dict[str, Any] = {
    "linewidth": 1.5,
    "marker": "o",
    "markersize": 4,
    "markeredgecolor": "white",
    "markeredgewidth": 0.6,
}
#: Eigenvalues drawn per panel; the shares below the panels are of all.
EIGENVALUES = 600
#: Largest modulus that an eigenvalue panel shows.
FRAME = 2.0


def on_policy(results: Results, policy: str) -> pd.DataFrame:
    """One row per response that a policy, trained or initial, gave itself."""
    found = results.trajectories
    return found[(found.policy == policy) & (found.kind == "policy")]


def _shown(results: Results, found: pd.DataFrame, only_relax: bool) -> list[str]:
    arms = results.arms()
    methods = [m for m in results.matrix.methods if not only_relax or m == BASELINE or arms[m].relax]
    return [method for method in (INITIAL, *methods) if (found.method == method).any()]


def _sample(own: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return own.iloc[np.sort(rng.permutation(len(own))[:DRAWN])]


def dsd_against_length_figure(results: Results, policy: str) -> Drawing | None:
    """DSD of single on-policy trajectories against their length, with the time-shuffled baseline."""
    found = on_policy(results, policy)
    if found.empty:
        return None
    shown = _shown(results, found, only_relax=True)
    labels = [f"DSD, {WORDS[spectrum]}" for spectrum in SPECTRA]
    canvas, columns = wrapped(len(shown), 2.0 if len(shown) <= 5 else 1.5, "states T", labels)
    rng = np.random.default_rng(0)
    for axes, method in zip(columns, shown, strict=True):
        own = found[found.method == method].reset_index(drop=True)
        drawn = _sample(own, rng)
        axes[0].set_title(method)
        for ax, spectrum in zip(axes, SPECTRA, strict=True):
            _length_panel(ax, own, drawn, spectrum, rng)
    for ax in columns[0]:
        ax.autoscale_view()
        plain_log(ax.yaxis)  # the other panels of the row share it
    handles = [
        Line2D([], [], color=colour, marker=marker, markersize=4, linewidth=1.5, label=label)
        for colour, marker, label in ((COLOURS[2], "o", "trajectory"), (COLOURS[1], "x", "same states, random order"))
    ]
    canvas.legend(handles=handles, loc="outside upper center", ncols=2, handlelength=3.2)
    count = int(found.groupby(["method", "seed"]).size().max())
    caption = (
        f"DSD of single responses against their length in states, ridge {ridge_of(results)}, dimension "
        f"{results.dictionary_setting('koopman_dim')}, logarithmic scale, beside the same states in random "
        f"order. Policy {policy}, {seeds_in(found)}; {count} responses per run, at most {DRAWN} drawn per "
        "panel, a little aside where lengths are few; lines: median at each length (or bin of lengths) with three "
        "responses or more, over all of them. DSD depends on length for one and the same process; what it shares with "
        "the shuffled baseline does not come from the order in time."
    )
    return Drawing(named(results, policy, "dsd_length"), "DSD against response length", caption, canvas)


def _length_panel(ax: Axes, own: pd.DataFrame, drawn: pd.DataFrame, spectrum: str, rng: np.random.Generator) -> None:
    # Where lengths are few, both kinds stand a little aside, or one would hide the other.
    aside = 0.03 * max(8, np.ptp(own.length)) if own.length.nunique() <= 10 else 0.0
    jitter = rng.uniform(-1, 1, len(drawn)) * max(0.3, 0.8 * aside)
    for name, colour, marker, side in (("dsd", COLOURS[2], "o", -aside), ("shuffled", COLOURS[1], "x", aside)):
        key, width = f"{name}_{spectrum}", 0 if marker == "o" else 0.5
        ax.scatter(
            drawn.length + side + jitter, drawn[key], s=7, color=colour, marker=marker, alpha=0.45, linewidths=width
        )
        middle = _medians(own, key)
        ax.plot(middle.index + side, middle, color="white", linewidth=3)
        ax.plot(middle.index + side, middle, color=colour, **MEDIAN)
    ax.set_yscale("log")
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))


def _medians(own: pd.DataFrame, key: str) -> pd.Series:
    """Median of a column by length, NaN in wide gaps so that no line crosses them.

    Lengths with fewer than three responses are left out; many different lengths are put into 15 bins.
    """
    groups = own.groupby(lengths_of(own), observed=True)
    middle = pd.DataFrame({"length": groups.length.median(), "value": groups[key].median(), "n": groups.size()})
    middle = middle[middle.n >= 3].set_index("length").value
    wide = np.diff(middle.index) > 0.2 * max(1.0, np.ptp(own.length))
    gaps = pd.Series(np.nan, index=middle.index[1:][wide] - 1e-6)
    return pd.concat([middle, gaps]).sort_index() if len(gaps) else middle


def lengths_of(own: pd.DataFrame) -> pd.Series:
    """Lengths, in 15 bins where there are many of them."""
    return own.length if own.length.nunique() <= 30 else pd.qcut(own.length, 15, duplicates="drop")


def dsd_spectra_figure(results: Results, policy: str) -> Drawing | None:
    """DSD of the eigenvalues against DSD of the singular values of single on-policy trajectories."""
    found = on_policy(results, policy)
    columns = [f"dsd_{spectrum}" for spectrum in SPECTRA]
    found = found[(found[columns] > 0).all(axis=1)]
    if found.empty:
        return None
    shown = _shown(results, found, only_relax=False)
    canvas, axes = wrapped(len(shown), 1.75, "DSD of eigenvalues", ["DSD of singular values"], widest=4)
    norm, rng = Normalize(found.length.min(), found.length.max()), np.random.default_rng(0)
    pictures = []
    for [ax], method in zip(axes, shown, strict=True):
        own = found[found.method == method]
        drawn = _sample(own, rng)
        x, y = (drawn[column] for column in columns)
        pictures.append(ax.scatter(x, y, s=6, c=drawn.length, norm=norm, cmap=SHADES, linewidths=0))
        ax.set(xscale="log", yscale="log", title=method)
        ax.text(0.04, 0.96, _ties(own, columns), transform=ax.transAxes, fontsize=7, va="top", linespacing=1.35)
    low, high = axes[0][0].get_ylim()
    axes[0][0].set_ylim(low, high * (high / low) ** 0.35)  # room for the words above the points
    for axis in (axes[0][0].xaxis, axes[0][0].yaxis):
        plain_log(axis)
    canvas.set_figheight(canvas.get_figheight() + 0.6)
    all_axes = [ax for [ax] in axes]
    bar = canvas.colorbar(pictures[-1], ax=all_axes, label="states T", location="bottom", shrink=0.5, aspect=40)
    bar.outline.set_visible(False)
    count = int(found.groupby(["method", "seed"]).size().max())
    caption = (
        "The two definitions of DSD for the same responses: variance of the moduli of the eigenvalues (the paper's Eq. "
        "7) and of the singular values (the authors' fragment) of the same Koopman matrix, ridge "
        f"{ridge_of(results)}, dimension {results.dictionary_setting('koopman_dim')}, logarithmic scales, colour: "
        f"length in states. Policy {policy}, {seeds_in(found)} pooled; {count} responses per run, at most {DRAWN} "
        f"drawn per panel. {RHO}: Spearman's rank correlation over all of them, with a 95 % interval from a bootstrap "
        "over prompts; equal T: with ranks among responses of one length (or bin of lengths) only, so that what ties "
        "the two through length does not count."
    )
    name = named(results, policy, "dsd_spectra")
    return Drawing(name, "DSD of eigenvalues against DSD of singular values", caption, canvas)


def _ties(own: pd.DataFrame, columns: list[str]) -> str:
    """Rank correlation of two columns, over all and at equal length."""
    prompts = prompts_of(own)
    first, second = (own[column] for column in columns)
    plain = rank_correlation(first, second, prompts)
    equal = rank_correlation(first, second, prompts, lengths_of(own).astype(str))
    return f"{RHO} = {correlation_words(plain)}\nequal T: {correlation_words(equal)}"


def eigenvalue_figure(results: Results, policy: str) -> Drawing | None:
    """Koopman eigenvalues on the unit circle, coloured by their residual."""
    found = results.eigenvalues
    found = found[(found.policy == policy) & (found.kind == "policy")]
    if found.empty:
        return None
    shown = _shown(results, found, only_relax=True)
    rows = -(-len(shown) // (3 if len(shown) <= 6 else 4))
    columns = -(-len(shown) // rows)
    canvas, grid = panels(rows, columns, 7 / max(3, columns))
    axes = [ax for row in grid for ax in row]
    furthest = np.maximum(found.real.abs(), found.imag.abs()).quantile(0.995)
    limit = float(min(FRAME, max(1.1, 1.05 * furthest)))
    # Linear: on a logarithmic scale the null directions of short responses (0, residual 0) would rule.
    norm = Normalize(0, float(found.residual.quantile(0.98)))
    circle = np.exp(1j * np.linspace(0, 2 * np.pi, 200))
    pictures = []
    rng = np.random.default_rng(0)
    for ax, method in zip(axes, shown, strict=False):
        own = found[found.method == method]
        outside = float((np.hypot(own.real, own.imag) > 1).mean())
        beyond = float(((own.real.abs() > limit) | (own.imag.abs() > limit)).mean())
        note = f"{100 * outside:.1f} % outside" + (f"\n{100 * beyond:.1f} % not shown" if beyond else "")
        # The small residuals last, on top: they are the eigenvalues to look at.
        drawn = own.iloc[rng.permutation(len(own))[:EIGENVALUES]].sort_values("residual", ascending=False)
        ax.axhline(0, color="#e6e6e6", linewidth=0.6, zorder=0)
        ax.axvline(0, color="#e6e6e6", linewidth=0.6, zorder=0)
        ax.plot(circle.real, circle.imag, color=GREY, linewidth=0.8, zorder=1)
        pictures.append(ax.scatter(drawn.real, drawn.imag, s=5, c=drawn.residual, norm=norm, cmap=SHADES, linewidths=0))
        ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xlabel=note)
        ax.set_title(method, loc="center")
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    for ax in axes[len(shown) :]:
        ax.set_axis_off()
    label = "normalised residual of the eigenpair (dark: small)"
    bar = canvas.colorbar(pictures[-1], ax=axes, label=label, location="bottom", shrink=0.5, aspect=40, extend="max")
    bar.outline.set_visible(False)
    count = int(found.groupby(["method", "seed"]).id.nunique().max())
    caption = (
        "Eigenvalues of the Koopman matrices of single responses in the complex plane, ridge "
        f"{ridge_of(results)}, dimension {results.dictionary_setting('koopman_dim')}; colour: normalised "
        "residual of the eigenpair (an eigenvalue of large residual need not belong to the dynamics); grey: "
        f"unit circle, with the share of eigenvalues outside it. Policy {policy}, {seeds_in(found)} pooled, "
        f"{count} responses per run; before training (initial) and at its end."
    )
    return Drawing(named(results, policy, "eigenvalues"), "Koopman eigenvalues before and after", caption, canvas)
