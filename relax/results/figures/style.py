"""How every figure looks, and how it is saved."""

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from relax.files import atomic_write
from relax.results.model import INITIAL

#: Inches; a text column of a printed page.
WIDTH = 7.2
NARROW = 4.8
#: After Okabe and Ito, with lightness spread so that all eight differ in grey print, the first four by far, and
#: under red-green blindness. Line and marker vary beside them, with other periods: 280 looks, no two alike.
COLOURS = ("#000000", "#e69f00", "#0068a8", "#009e73", "#882255", "#7cc8f2", "#c24a00", "#d483b0")
LINES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (8, 1.5, 1.5, 1.5)), (0, (2.5, 1.2)), (0, (12, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY = "#767676"
#: For numbers; the lightest end of cividis is left out, since on white it cannot be seen.
SHADES = ListedColormap(colormaps["cividis"](np.linspace(0, 0.88, 256)), "shades")
#: Mean over seeds.
THICK: dict[str, Any] = {
    "linewidth": 1.5,
    "markersize": 4.5,
    "markeredgecolor": "white",
    "markeredgewidth": 0.5,
}
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans", "font.size": 8, "axes.titlesize": 8.5, "axes.titlelocation": "left",
    "axes.labelsize": 8, "legend.fontsize": 8, "xtick.labelsize": 7.5, "ytick.labelsize": 7.5,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.7, "axes.grid": True,
    "grid.color": "#e6e6e6", "grid.linewidth": 0.6, "axes.axisbelow": True, "xtick.major.width": 0.7,
    "ytick.major.width": 0.7, "legend.frameon": False, "lines.solid_capstyle": "round",
    "figure.facecolor": "white", "savefig.facecolor": "white", "svg.fonttype": "path",
    "figure.constrained_layout.use": True,
    "text.hinting": "none",  # with it words have other widths in the layout, the PNG and the SVG
}  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """A finished figure: its files and words; ``paper`` names the figure of the paper that it answers."""

    name: str
    title: str
    caption: str
    svg: Path
    png: Path
    paper: str | None = None
    """The figures of the paper that it answers, such as ``Figures 3 and 8``; None: the paper has none."""


@dataclass(frozen=True)
class Drawing:
    """A figure that is not saved yet."""

    name: str
    title: str
    caption: str
    canvas: Canvas
    paper: str | None = None


def save(draw: Callable[[], Drawing | None], out: Path) -> Figure | None:
    """Draw in our style and write SVG and PNG; the same results give the same bytes. None draws nothing."""
    # The keys are a list of literals to a type checker, and differ between versions of matplotlib.
    style: dict[Any, Any] = {key: value for key, value in matplotlib.rcParamsDefault.items() if key != "backend"}
    with matplotlib.rc_context({**style, **STYLE, "svg.hashsalt": "relax"}):
        drawing = draw()
        if drawing is None:
            return None
        paths = {kind: out / f"{drawing.name}.{kind}" for kind in ("svg", "png")}
        FigureCanvasAgg(drawing.canvas)
        if (layout := drawing.canvas.get_layout_engine()) is not None:  # laid out once, for both files
            layout.execute(drawing.canvas)
            drawing.canvas.set_layout_engine("none")
        for kind, metadata in (("svg", {"Date": None, "Creator": None}), ("png", {"Software": None})):
            stream = io.BytesIO()
            drawing.canvas.savefig(stream, format=kind, dpi=150, metadata=metadata)
            atomic_write(paths[kind], stream.getvalue())
    return Figure(drawing.name, drawing.title, drawing.caption, paths["svg"], paths["png"], drawing.paper)


def look(method: str, methods: Sequence[str]) -> dict[str, Any]:
    """Colour, line and marker of a method by its place in ``methods``.

    With the methods of the matrix it is the same in every figure of a configuration; the arms of an ablation give
    their own order, so that few arms have the looks that differ most.
    """
    if method == INITIAL:
        return {"color": GREY, "linestyle": (0, (1, 1)), "marker": "h"}
    place = list(methods).index(method)
    return {
        "color": COLOURS[place % len(COLOURS)],
        "linestyle": LINES[place % len(LINES)],
        "marker": MARKERS[place % len(MARKERS)],
    }


def panels(rows: int, columns: int, height: float, **options: Any) -> tuple[Canvas, list[list[Axes]]]:
    """A canvas with ``rows`` x ``columns`` axes of ``height`` inches; one panel alone is narrower."""
    canvas = Canvas(figsize=(WIDTH if rows * columns > 1 else NARROW, rows * height + 0.45))
    grid = canvas.subplots(rows, columns, squeeze=False, **options)
    return canvas, [list(row) for row in grid]


def wrapped(
    count: int, height: float, xlabel: str, ylabels: Sequence[str], widest: int = 5, sharex: bool = True
) -> tuple[Canvas, list[list[Axes]]]:
    """A canvas for ``count`` methods: a column of one axes per ylabel each, in as many lines as they need.

    Args:
        count: of methods, at least one.
        height: of one axes, in inches.
        xlabel: below the lowest axes of each method.
        ylabels: one for each axes of a method; axes with the same label share their scale.
        widest: methods side by side at most.
        sharex: do all axes share their scale?

    Returns:
        The canvas and, for each method, its axes from top to bottom.
    """
    rows, blocks = len(ylabels), -(-count // widest)
    columns = -(-count // blocks)
    canvas, grid = panels(blocks * rows, columns, height, sharex=sharex)
    methods = [[grid[place // columns * rows + row][place % columns] for row in range(rows)] for place in range(count)]
    for place, axes in enumerate(methods):
        for row, ax in enumerate(axes):
            if place:
                ax.sharey(methods[0][row])
            if place % columns == 0:
                ax.set_ylabel(ylabels[row])
            else:
                ax.tick_params(labelleft=False)
        if place + columns >= count:
            axes[-1].set_xlabel(xlabel)
            axes[-1].tick_params(labelbottom=True)
    for ax in {ax for line in grid for ax in line} - {ax for axes in methods for ax in axes}:
        ax.set_axis_off()
    return canvas, methods


def legend(canvas: Canvas, shown: Sequence[str], methods: Sequence[str]) -> None:
    """One legend above all panels, in as few lines as there is room for, all about as full; the canvas grows by it."""
    handles = [Line2D([], [], label=name, **THICK, **look(name, methods)) for name in shown]
    if not handles:
        return
    lines = 1
    while lines < len(handles) and _legend_width(shown, lines) > 72 * canvas.get_figwidth():
        lines += 1
    columns = -(-len(handles) // lines)
    canvas.set_figheight(canvas.get_figheight() + 0.17 * (-(-len(handles) // columns) - 1))
    canvas.legend(handles=handles, loc="outside upper center", ncols=columns, handlelength=3.6, columnspacing=1.6)


def _legend_width(names: Sequence[str], lines: int) -> float:
    """Points that a legend in so many lines takes: in each column a handle, gaps, and the longest name."""
    columns = [names[start : start + lines] for start in range(0, len(names), lines)]
    return sum(50 + 5 * max(map(len, column)) for column in columns)


#: Digits for the ticks of a logarithmic axis, from a scale of many decades to a part of one.
TICKS = (
    (1,),
    (1, 3),
    (1, 2, 5),
    (1, 1.5, 2, 3, 5, 7),
    (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9),
    tuple(digit / 10 for digit in range(10, 100, 2)),
)


def plain_log(axis: Axis) -> None:
    """Ticks of a logarithmic axis whose data is drawn already: three to six of them, as plain numbers."""
    low, high = sorted(axis.get_view_interval())
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    # Over less than a factor of two, digits of a decade would stand close together on one side of a power of ten.
    even = [list(MaxNLocator(4).tick_values(low, high))] if high < 2 * low else []
    for ticks in even + [[digit * 10.0**decade for decade in decades for digit in digits] for digits in TICKS]:
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) >= 3:
            break
    axis.set_major_locator(FixedLocator(ticks[:: -(-len(ticks) // 6)] if ticks else [low]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
    axis.set_minor_locator(NullLocator())


def spacing(steps: pd.Series) -> int:
    """Steps from one measured step to the next, the most frequent one."""
    gaps = steps.sort_values().diff().dropna()
    return int(gaps.mode().iloc[0]) if len(gaps) else 1


def smooth(values: pd.Series, window: int) -> pd.Series:
    """Centred running mean over ``window`` values, shorter at the ends."""
    return values.rolling(window, center=True, min_periods=1).mean()


def curves(axes: Axes, series: pd.DataFrame, column: str, methods: Sequence[str], window: int) -> list[str]:
    """One thin line per seed and the mean over seeds thick; returns the methods that were there.

    Args:
        axes: to draw on.
        series: rows of :class:`relax.results.model.Results`' series.
        column: what is drawn.
        methods: in the order of their looks.
        window: steps of the running mean; a quantity that is not measured at every step has fewer values in it.
    """
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    drawn = []
    faint = 0.45 if len(methods) <= 6 else 0.25
    for method in methods:
        own = series[series.method == method]
        known = own[own[column].notna()] if column in own else own.head(0)
        if known.empty:
            continue
        style = look(method, methods)
        mean = known.groupby("step")[column].mean()
        values = max(1, round(window / spacing(mean.index.to_series())))
        for _, run in known.groupby("seed"):
            axes.plot(run.step, smooth(run[column], values), color=style["color"], linewidth=0.6, alpha=faint)
        mean = smooth(mean, values)
        every = max(1, len(mean) // 6)
        # Markers start at another step for each method, so that lines on top of each other stay apart.
        start = list(methods).index(method) * every // max(1, len(methods))
        axes.plot(mean.index, mean, markevery=(start, every), **THICK, **style)
        drawn.append(method)
    return drawn
