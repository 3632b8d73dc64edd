"""The three figures of ``relax dsd``, as the bytes of PNG and SVG files."""

import io
from collections.abc import Callable
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from relax.koopman import SPECTRA, TrajectoryStatistics
from relax.koopman.plots import plot_dsd_against_length, plot_eigenvalues, plot_pseudospectrum

#: Responses whose eigenvalues are drawn.
SHOWN = 64
GREY = "#8a8a8a"


def draw_figures(
    model: str, shown: pd.DataFrame, eigenvalues: pd.DataFrame, statistics: TrajectoryStatistics, ridge: float
) -> dict[str, bytes]:
    """Draw ``eigenvalues``, ``dsd_length`` and ``pseudospectrum``; the same results give the same bytes.

    Args:
        model: name, for the titles.
        shown: one row a response that is drawn; its index is the number of the response.
        eigenvalues: m rows a response, of all responses in their order.
        statistics: of all responses, in their order.
        ridge: of the Koopman matrices.

    Returns:
        Contents by file name.
    """
    m = statistics.last.shape[1]
    longest = int(shown.length.idxmax())

    def draw_eigenvalues() -> Figure:
        rows = eigenvalues[eigenvalues.id.isin(shown.id.head(SHOWN))]
        figure, axes = _canvas(5.6, 4.4)
        rows = rows.sort_values("residual", ascending=False, kind="stable", na_position="first")  # the best on top
        plot_eigenvalues((rows["real"] + 1j * rows["imag"]).to_numpy(), rows.residual.to_numpy(), axes[0])
        axes[0].set_title(f"Eigenvalues of {len(rows) // m} of {len(shown)} responses, m = {m}, ridge {ridge:g}")
        return figure

    def draw_length() -> Figure:
        figure, axes = _canvas(8.4, 3.8, columns=len(SPECTRA))
        for panel, spectrum in zip(axes, SPECTRA, strict=True):
            _length_panel(panel, shown, spectrum, m)
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
        return figure

    def draw_pseudospectrum() -> Figure:
        figure, axes = _canvas(5.6, 4.4)
        plot_pseudospectrum(statistics, longest, ridge, axes=axes[0])
        axes[0].set_title(f"Pseudospectrum of the longest response, {shown.id[longest]}, T = {shown.length[longest]}")
        return figure

    drawn: dict[str, Callable[[], Figure]] = {
        "eigenvalues": draw_eigenvalues,
        "dsd_length": draw_length,
        "pseudospectrum": draw_pseudospectrum,
    }
    files: dict[str, bytes] = {}
    # From the defaults, whatever the user's own matplotlibrc says.
    style: dict[Any, Any] = {key: value for key, value in matplotlib.rcParamsDefault.items() if key != "backend"}
    style |= {"font.size": 9, "axes.titlesize": 9, "svg.hashsalt": "relax"}
    with matplotlib.rc_context(style):
        for name, draw in drawn.items():
            figure = draw()
            figure.suptitle(model, fontsize=8, color="0.4")
            files |= _files(name, figure)
    return files


def _length_panel(axes: matplotlib.axes.Axes, table: pd.DataFrame, spectrum: str, m: int) -> None:
    shuffled = table[f"shuffled_{spectrum}"]
    seen = shuffled > 0
    plot_dsd_against_length(table.length.to_numpy(), table[f"dsd_{spectrum}"].to_numpy(), spectrum, axes)
    axes.collections[-1].set(label="states in their order", alpha=0.6)
    # Many responses have the same length: a few points aside, or one kind would hide the other.
    aside = ScaledTranslation(6 / 72, 0, axes.figure.dpi_scale_trans)
    axes.scatter(
        table.length[seen],
        shuffled[seen],
        s=10,
        color=GREY,
        alpha=0.6,
        transform=axes.transData + aside,
        label="the same states, shuffled (drawn a little aside)",
    )
    # What is drawn with an offset does not count for the limits by itself.
    axes.update_datalim(table.loc[seen, ["length", f"shuffled_{spectrum}"]].to_numpy())
    axes.autoscale_view()
    axes.axvline(m + 1, color="0.6", linewidth=0.8, linestyle=":", zorder=0)
    axes.annotate(
        "T = m + 1",
        (m + 1, 1),
        xycoords=("data", "axes fraction"),
        xytext=(2, -8),
        textcoords="offset points",
        fontsize=7,
        color="0.4",
    )


def _canvas(width: float, height: float, columns: int = 1) -> tuple[Figure, list[matplotlib.axes.Axes]]:
    # Outside pyplot: no window, no state to close.
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, list(figure.subplots(1, columns, squeeze=False)[0])


def _files(name: str, figure: Figure) -> dict[str, bytes]:
    FigureCanvasAgg(figure)
    files = {}
    for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None, "Creator": None})):
        stream = io.BytesIO()
        figure.savefig(stream, format=kind, dpi=150, metadata=metadata)
        files[f"{name}.{kind}"] = stream.getvalue()
    return files
