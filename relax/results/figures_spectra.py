"""Figures of single trajectories: DSD against length, and eigenvalues on the unit circle."""

import numpy as np
import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from relax.results.figures_style import COLOURS, GREY, Drawing, panels, plain_log
from relax.results.model import BASELINE, INITIAL, SPECTRA, Results
from relax.results.tables import WORDS, ridge_of

#: Trajectories drawn per panel; all of them enter the lines and the tables.
DRAWN = 150
MEDIAN = {
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


def _shown(results: Results, found: pd.DataFrame, only_relax: bool) -> list[str]:
    arms = results.arms()
    methods = [m for m in results.matrix.methods if not only_relax or m == BASELINE or arms[m].relax]
    return [method for method in (INITIAL, *methods) if (found.method == method).any()]


def dsd_against_length(results: Results, policy: str) -> Drawing | None:
    """DSD of single on-policy trajectories against their length, with the time-shuffled baseline."""
    found = results.trajectories
    found = found[(found.policy == policy) & (found.kind == "policy")]
    if found.empty:
        return None
    shown = _shown(results, found, only_relax=True)
    canvas, grid = panels(2, len(shown), 2.1, sharex=True, sharey="row")
    rng = np.random.default_rng(0)
    for column, method in enumerate(shown):
        own = found[found.method == method].reset_index(drop=True)
        drawn = own.iloc[np.sort(rng.permutation(len(own))[:DRAWN])]
        jitter = rng.uniform(-0.3, 0.3, len(drawn))
        for row, spectrum in enumerate(SPECTRA):
            ax = grid[row][column]
            series = (("dsd", COLOURS[2], "o"), ("shuffled", COLOURS[1], "x"))
            for name, colour, marker in series:
                key = f"{name}_{spectrum}"
                width = 0 if marker == "o" else 0.5
                ax.scatter(
                    drawn.length + jitter,
                    drawn[key],
                    s=7,
                    color=colour,
                    marker=marker,
                    alpha=0.45,
                    linewidths=width,
                )
                middle = _medians(own, key)
                ax.plot(middle.index, middle, color="white", linewidth=3)
                ax.plot(middle.index, middle, color=colour, **MEDIAN)
            ax.set_yscale("log")
            ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            if row == 0:
                ax.set_title(method)
            if column == 0:
                ax.set_ylabel(f"DSD, {WORDS[spectrum]}")
    for row in grid:
        row[0].autoscale_view()
        plain_log(row[0].yaxis)  # the other panels of the row share it
    for ax in grid[-1]:
        ax.set_xlabel("states T")
    handles = [
        Line2D([], [], color=COLOURS[2], marker="o", markersize=3, linewidth=1.5, label="trajectory"),
        Line2D(
            [],
            [],
            color=COLOURS[1],
            marker="x",
            markersize=4,
            linewidth=1.5,
            label="same states, random order",
        ),
    ]
    canvas.legend(handles=handles, loc="outside upper center", ncols=2, handlelength=3.2)
    count = int(found.groupby(["method", "seed"]).size().max())
    caption = (
        f"DSD of single responses against their length in states, ridge {ridge_of(results)}, dimension "
        f"{results.dictionary_setting('koopman_dim')}, logarithmic scale, beside the same states in random "
        f"order. Policy {policy}, {_seeds(found)}; {count} responses per run, at most {DRAWN} drawn per "
        "panel; lines: median at each length (or bin of lengths) with three responses or more, over all of "
        "them. DSD depends on length for one and the same process; what it shares with the "
        "shuffled baseline does not come from the order in time."
    )
    return Drawing(_named(results, policy, "dsd_length"), "DSD against response length", caption, canvas)


def _medians(own: pd.DataFrame, key: str) -> pd.Series:
    """Median of a column by length, NaN in wide gaps so that no line crosses them.

    Lengths with fewer than three responses are left out; many different lengths are put into 15 bins.
    """
    bins = own.length if own.length.nunique() <= 30 else pd.qcut(own.length, 15, duplicates="drop")
    groups = own.groupby(bins, observed=True)
    middle = pd.DataFrame({"length": groups.length.median(), "value": groups[key].median(), "n": groups.size()})
    middle = middle[middle.n >= 3].set_index("length").value
    wide = np.diff(middle.index) > 0.2 * max(1.0, np.ptp(own.length))
    gaps = pd.Series(np.nan, index=middle.index[1:][wide] - 1e-6)
    return pd.concat([middle, gaps]).sort_index() if len(gaps) else middle


def eigenvalues(results: Results, policy: str) -> Drawing | None:
    """Koopman eigenvalues on the unit circle, coloured by their residual."""
    found = results.eigenvalues
    found = found[(found.policy == policy) & (found.kind == "policy")]
    if found.empty:
        return None
    shown = _shown(results, found, only_relax=True)
    columns = min(3, len(shown))
    canvas, grid = panels(-(-len(shown) // columns), columns, 2.3)
    axes = [ax for row in grid for ax in row]
    modulus = np.hypot(found.real, found.imag)
    limit = float(min(FRAME, max(1.1, 1.05 * modulus.max())))
    # Linear: on a logarithmic scale the null directions of short responses (0, residual 0) would rule.
    norm = Normalize(0, float(found.residual.quantile(0.98)))
    circle = np.exp(1j * np.linspace(0, 2 * np.pi, 200))
    picture = None
    rng = np.random.default_rng(0)
    for ax, method in zip(axes, shown, strict=False):
        own = found[found.method == method]
        outside = float((np.hypot(own.real, own.imag) > 1).mean())
        beyond = float(((own.real.abs() > limit) | (own.imag.abs() > limit)).mean())
        note = f"{100 * outside:.1f} % outside" + (f" ({100 * beyond:.1f} % not shown)" if beyond else "")
        # The small residuals last, on top: they are the eigenvalues to look at.
        drawn = own.iloc[rng.permutation(len(own))[:EIGENVALUES]].sort_values("residual", ascending=False)
        ax.axhline(0, color="#e6e6e6", linewidth=0.6, zorder=0)
        ax.axvline(0, color="#e6e6e6", linewidth=0.6, zorder=0)
        ax.plot(circle.real, circle.imag, color=GREY, linewidth=0.8, zorder=1)
        picture = ax.scatter(drawn.real, drawn.imag, s=5, c=drawn.residual, norm=norm, cmap="cividis", linewidths=0)
        ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xlabel=note)
        ax.set_title(method, loc="center")
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    for ax in axes[len(shown) :]:
        ax.set_axis_off()
    label = "normalised residual of the eigenpair (dark: small)"
    bar = canvas.colorbar(picture, ax=axes, label=label, location="bottom", shrink=0.5, aspect=40, extend="max")
    bar.outline.set_visible(False)
    count = int(found.groupby(["method", "seed"]).id.nunique().max())
    caption = (
        "Eigenvalues of the Koopman matrices of single responses in the complex plane, ridge "
        f"{ridge_of(results)}, dimension {results.dictionary_setting('koopman_dim')}; colour: normalised "
        "residual of the eigenpair (an eigenvalue of large residual need not belong to the dynamics); grey: "
        f"unit circle, with the share of eigenvalues outside it. Policy {policy}, {_seeds(found)} pooled, "
        f"{count} responses per run; before training (initial) and at its end."
    )
    return Drawing(_named(results, policy, "eigenvalues"), "Koopman eigenvalues before and after", caption, canvas)


def _seeds(found: pd.DataFrame) -> str:
    seeds = sorted(found[found.method != INITIAL].seed.unique())
    return f"{len(seeds)} {'seed' if len(seeds) == 1 else 'seeds'}"


def _named(results: Results, policy: str, name: str) -> str:
    return name if len(results.matrix.policies) == 1 else f"{name}-{policy}"
