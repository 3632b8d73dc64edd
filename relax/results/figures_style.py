"""How every figure looks, and how it is saved."""

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from relax.files import atomic_write
from relax.results.model import INITIAL

#: Inches; a text column of a printed page.
WIDTH = 7.2
NARROW = 4.8
#: Okabe and Ito's colours, in an order that alternates dark and light; line and marker vary beside them.
COLOURS = ("#000000", "#e69f00", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#8c564b")
LINES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (8, 1.5, 1.5, 1.5)), (0, (2.5, 1.2)), (0, (12, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY = "#767676"
#: Mean over seeds.
THICK: dict[str, Any] = {
    "linewidth": 1.5,
    "markersize": 4.5,
    "markeredgecolor": "white",
    "markeredgewidth": 0.5,
}
STYLE = {
    "font.family": "DejaVu Sans", "font.size": 8, "axes.titlesize": 8.5, "axes.titlelocation": "left",
    "axes.labelsize": 8, "legend.fontsize": 8, "xtick.labelsize": 7.5, "ytick.labelsize": 7.5,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.7, "axes.grid": True,
    "grid.color": "#e6e6e6", "grid.linewidth": 0.6, "axes.axisbelow": True, "xtick.major.width": 0.7,
    "ytick.major.width": 0.7, "legend.frameon": False, "lines.solid_capstyle": "round",
    "figure.facecolor": "white", "savefig.facecolor": "white", "svg.fonttype": "path",
    "figure.constrained_layout.use": True,
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


@dataclass(frozen=True)
class Drawing:
    """A figure that is not saved yet."""

    name: str
    title: str
    caption: str
    canvas: Canvas


def save(draw: Callable[[], Drawing | None], out: Path) -> Figure | None:
    """Draw in our style and write SVG and PNG; the same results give the same bytes. None draws nothing."""
    defaults = {key: value for key, value in matplotlib.rcParamsDefault.items() if key != "backend"}
    with matplotlib.rc_context({**defaults, **STYLE, "svg.hashsalt": "relax"}):
        drawing = draw()
        if drawing is None:
            return None
        paths = {kind: out / f"{drawing.name}.{kind}" for kind in ("svg", "png")}
        FigureCanvasAgg(drawing.canvas)
        drawing.canvas.get_layout_engine().execute(drawing.canvas)
        drawing.canvas.set_layout_engine("none")  # laid out once, for both files
        for kind, metadata in (("svg", {"Date": None, "Creator": None}), ("png", {"Software": None})):
            stream = io.BytesIO()
            drawing.canvas.savefig(stream, format=kind, dpi=150, metadata=metadata)
            atomic_write(paths[kind], stream.getvalue())
    return Figure(drawing.name, drawing.title, drawing.caption, paths["svg"], paths["png"])


def look(method: str, methods: Sequence[str]) -> dict[str, Any]:
    """Colour, line and marker of a method: the same in every figure of a configuration."""
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


def legend(canvas: Canvas, shown: Sequence[str], methods: Sequence[str]) -> None:
    """One legend above all panels."""
    handles = [Line2D([], [], label=name, **THICK, **look(name, methods)) for name in shown]
    if not handles:
        return
    columns = min(len(handles), 6 if canvas.get_figwidth() == WIDTH else 3)
    canvas.legend(handles=handles, loc="outside upper center", ncols=columns, handlelength=3.6, columnspacing=1.6)


#: Digits for the ticks of a logarithmic axis, from a scale of many decades to a part of one.
TICKS = ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9),
         tuple(digit / 10 for digit in range(10, 100, 2)))  # fmt: skip


def plain_log(axis: Axis) -> None:
    """Ticks of a logarithmic axis whose data is drawn already: three to six of them, as plain numbers."""
    low, high = sorted(axis.get_view_interval())
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in TICKS:
        ticks = [digit * 10.0**decade for decade in decades for digit in digits]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) >= 3:
            break
    axis.set_major_locator(FixedLocator(ticks[:: -(-len(ticks) // 6)] if ticks else [low]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
    axis.set_minor_locator(NullLocator())


def smooth(values: pd.Series, window: int) -> pd.Series:
    """Centred running mean over ``window`` steps, shorter at the ends."""
    return values.rolling(window, center=True, min_periods=1).mean()


def curves(axes: Axes, series: pd.DataFrame, column: str, methods: Sequence[str], window: int) -> list[str]:
    """One thin line per seed and the mean over seeds thick; returns the methods that were there."""
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    drawn = []
    for method in methods:
        own = series[series.method == method]
        known = own[own[column].notna()] if column in own else own.head(0)
        if known.empty:
            continue
        style = look(method, methods)
        for _, run in known.groupby("seed"):
            axes.plot(run.step, smooth(run[column], window), color=style["color"], linewidth=0.6, alpha=0.45)
        mean = smooth(known.groupby("step")[column].mean(), window)
        every = max(1, len(mean) // 6)
        # Markers start at another step for each method, so that lines on top of each other stay apart.
        start = list(methods).index(method) * every // max(1, len(methods))
        axes.plot(mean.index, mean, markevery=(start, every), **THICK, **style)
        drawn.append(method)
    return drawn
