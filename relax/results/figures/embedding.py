"""Trajectories in the plane: t-SNE of their Koopman matrices."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from relax.results.figures.captions import correlation_words, named, prompts_of, seeds_in
from relax.results.figures.spectra import lengths_of, on_policy
from relax.results.figures.style import COLOURS, SHADES, Drawing, panels, plain_log
from relax.results.intervals import rank_correlation
from relax.results.model import INITIAL, SPECTRA, Results
from relax.results.tables.all import WORDS, ridge_of

PERPLEXITY = 30
#: Fewest trajectories that are worth a map.
FEWEST = 50


def tsne_figure(results: Results, policy: str) -> Drawing | None:
    """All policies' trajectories in one t-SNE map, by DSD, length and correctness (the paper's Figure 7)."""
    keys = ["policy", "method", "seed", "id"]
    found = on_policy(results, policy).merge(results.matrices, on=keys) if len(results.matrices) else pd.DataFrame()
    if len(found) < FEWEST:
        return None
    perplexity = min(PERPLEXITY, (len(found) - 1) / 3)
    # Rare and dark things come last, on top, whatever the order of the runs.
    order = np.random.default_rng(0).permutation(len(found))
    found = found.assign(**dict(zip("xy", embed(np.stack(found.matrix), perplexity).T, strict=True))).iloc[order]
    canvas, grid = panels(2, 2, 2.9)
    for ax, spectrum in zip(grid[0], SPECTRA, strict=True):
        _coloured(canvas, ax, found, f"dsd_{spectrum}", f"DSD of {WORDS[spectrum]}", log=True)
    _coloured(canvas, grid[1][0], found, "length", "length (states T)", log=False)
    _correctness(grid[1][1], found)
    middle, half = (
        found[["x", "y"]].agg(["min", "max"]).mean(),
        0.52 * np.ptp(found[["x", "y"]].to_numpy(), axis=0).max(),
    )
    for ax in (ax for row in grid for ax in row):
        ax.set(xlim=(middle.x - half, middle.x + half), ylim=(middle.y - half, middle.y + half))
        ax.set(xticks=[], yticks=[], aspect="equal")
        ax.grid(False)
        ax.spines[:].set_visible(False)
    count = int(found.groupby(["method", "seed"]).size().max())
    trained = [method for method in results.matrix.methods if (found.method == method).any()]
    initial = "the initial policy and " if (found.method == INITIAL).any() else ""
    caption = (
        f"Responses of {initial}the final policies of {', '.join(trained)} in one t-SNE map. Embedded is the Koopman "
        f"matrix of each response, row by row (dimension {results.dictionary_setting('koopman_dim')}, ridge "
        f"{ridge_of(results)}), this repository's choice of a trajectory's vector. Perplexity {perplexity:.3g}, start "
        f"from the first two principal components, fixed seed. Policy {policy}, {seeds_in(found)}; {len(found)} "
        f"points, at most {count} per run; colours of DSD are logarithmic and end at its 1st and 99th percentile. "
        f"{_neighbours(found)} {_tie(results, policy)} Sizes of groups and distances between them mean nothing in such "
        "a map. DSD is a function of what is embedded, and length shapes it: that their colours are ordered is no "
        "finding."
    )
    return Drawing(named(results, policy, "tsne"), "Trajectories by DSD and correctness", caption, canvas, "Figure 7")


def embed(vectors: NDArray[Any], perplexity: float) -> NDArray[np.float64]:
    """(n, 2) t-SNE coordinates, the same bits every time on one machine.

    Source: van der Maaten and Hinton, Visualizing Data using t-SNE (2008).
    """
    # Loaded here: no other figure needs them.
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    # Sums over several threads are added in an order that changes from run to run.
    with threadpool_limits(limits=1):
        model = TSNE(perplexity=perplexity, init="pca", random_state=0)
        return model.fit_transform(np.asarray(vectors, dtype=np.float64))


def _coloured(canvas: Canvas, ax: Axes, found: pd.DataFrame, column: str, label: str, log: bool) -> None:
    values = found[column].astype(float)
    if log:
        positive = values[values > 0]
        # A handful of outliers must not use up the scale.
        low, high = positive.quantile([0.01, 0.99]) if len(positive) else (0.1, 1.0)
        norm: Normalize = LogNorm(low, max(high, 1.01 * low))
        values = values.clip(lower=low)
    else:
        norm = Normalize(values.min(), values.max())
    picture = ax.scatter(found.x, found.y, s=5, c=values, norm=norm, cmap=SHADES, linewidths=0)
    bar = canvas.colorbar(picture, cax=ax.inset_axes((1.02, 0.1, 0.035, 0.8)), extend="both" if log else "neither")
    bar.outline.set_visible(False)
    if log:
        plain_log(bar.ax.yaxis)
    ax.set_title(label)


def _correctness(ax: Axes, found: pd.DataFrame) -> None:
    right = found.correct.astype(bool)
    for kind, colour, marker, label in ((right, COLOURS[5], "o", "correct"), (~right, "#000000", "x", "wrong")):
        own = found[kind]
        ax.scatter(
            own.x,
            own.y,
            s=6 if marker == "o" else 9,
            color=colour,
            marker=marker,
            linewidths=0 if marker == "o" else 0.7,
            label=f"{label} ({len(own)})",
        )
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=2,
        markerscale=1.6,
        handletextpad=0.2,
        borderpad=0.2,
        columnspacing=1.5,
    )


def _neighbours(found: pd.DataFrame) -> str:
    """What the map is ordered by, in a sentence."""
    _, nearest = cKDTree(found[["x", "y"]]).query(found[["x", "y"]], k=2)
    # A point that lies on another may be named before itself.
    other = np.where(nearest[:, 0] == np.arange(len(found)), nearest[:, 1], nearest[:, 0])
    prompts = prompts_of(found).to_numpy()
    same = 100 * (prompts == prompts[other]).mean()
    return f"For {same:.0f} % of the points the nearest one answers the same problem."


def _tie(results: Results, policy: str) -> str:
    """How strongly DSD and correctness go together, within runs, in a sentence."""
    found = on_policy(results, policy)
    found = found[found.correct.notna()]
    prompts, runs = prompts_of(found), found.method + "/" + found.seed.astype(str)
    lengths, right = runs + "/" + lengths_of(found).astype(str), found.correct.astype(float)
    words = []
    for spectrum in SPECTRA:
        within, equal = (rank_correlation(found[f"dsd_{spectrum}"], right, prompts, s) for s in (runs, lengths))
        words.append(f"{correlation_words(within)} for {WORDS[spectrum]} ({correlation_words(equal)} at equal length)")
    return (
        f"Rank correlation of DSD with correctness over all {len(found)} responses, ranks within each run: "
        f"{' and '.join(words)}; in brackets 95 % intervals from a bootstrap over {prompts.nunique()} prompts."
    )
