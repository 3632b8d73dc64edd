"""Figures of docs/evidence.md: who escapes, and the curves of every run."""

import statistics
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from relax.files import atomic_write
from relax.results.figures.style import GREY, Drawing, panels, plain_log, save, wrapped
from relax.study.hypotheses import clopper_pearson
from relax.study.plan import Study, TrackedRun, escapes

#: Column -> label of its axis.
SHOWN = {
    "strategy/chain": "chains (share)",
    "reward": "reward",
    "entropy": "entropy (nats)",
    "dsd/eigenvalues": "DSD, eigenv.",
    "dsd/singular_values": "DSD, sing. v.",
}
#: An escaped run and one that stays: told apart by line and lightness, without a colour.
ESCAPED: dict[str, Any] = {"color": "#0068a8", "linestyle": "-"}
TRAPPED: dict[str, Any] = {"color": "#c98a3a", "linestyle": (0, (2.5, 1.2))}
THIN: dict[str, Any] = {"linewidth": 0.4, "alpha": 0.5}
#: One or two runs, without a median over them.
ALONE: dict[str, Any] = {"linewidth": 0.8, "alpha": 0.9}
#: From so many runs on a median is drawn.
FEW = 3
MARKERS = ("o", "s", "^", "D", "v")


def write_pictures(study: Study, folder: Path, name: str = "evidence") -> list[Path]:
    """``<name>-escapes.png`` and ``<name>-curves.png``; the same runs give the same bytes. Returns the files."""
    draws: list[Callable[[], Drawing | None]] = [partial(escapes_drawing, study), partial(curves_drawing, study)]
    written = []
    for draw in draws:
        with tempfile.TemporaryDirectory() as place:  # a page shows the PNG; as SVG hundreds of curves are megabytes
            figure = save(draw, Path(place))
            if figure is not None:
                written.append(folder / f"{name}-{figure.png.name}")
                atomic_write(written[-1], figure.png.read_bytes())
    return written


def escapes_drawing(study: Study) -> Drawing | None:
    """Share of runs that escape, per arm: all with their interval, and each initial policy."""
    methods = study.matrix.methods
    if not study.seeds:
        return None
    canvas, ((ax,),) = panels(1, 1, 0.2 * len(methods) + 0.6)
    # Initial policies above and below the line, so that equal shares do not hide each other.
    beside = np.linspace(-0.27, 0.27, len(study.matrix.policies)) if len(study.matrix.policies) > 1 else np.zeros(1)
    for place, method in enumerate(methods):
        runs = study.arm(method)
        low, high = clopper_pearson(escapes(runs), len(runs))
        ax.plot([low, high], [place, place], color="black", linewidth=1.2)
        ax.plot(escapes(runs) / len(runs), place, "|", color="black", markersize=9, markeredgewidth=1.8)
        for policy, marker, off in zip(study.matrix.policies, MARKERS, beside, strict=False):
            own = study.arm(method, policy)
            ax.plot(escapes(own) / len(own), place + off, marker, color=GREY, markersize=4, fillstyle="none")
    ax.set_yticks(range(len(methods)), methods)
    ax.set_ylim(len(methods) - 0.5, -0.5)
    ax.set_xlim(-0.02, 1.02)
    ax.set_xlabel("runs that leave the trap (share)")
    handles = [Line2D([], [], color="black", marker="|", label="all, 95 % interval")]
    handles += [
        Line2D([], [], color=GREY, marker=marker, fillstyle="none", linestyle="", markersize=4, label=policy)
        for policy, marker in zip(study.matrix.policies, MARKERS, strict=False)
    ]
    canvas.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return Drawing("escapes", "Escapes", "Share of runs that leave the trap.", canvas)


def curves_drawing(study: Study) -> Drawing | None:
    """A column of panels an arm: share of chains, reward, entropy and DSD against the step."""
    methods = [method for method in study.matrix.methods if study.arm(method)]
    if not methods:
        return None
    canvas, columns = wrapped(len(methods), 0.78, "step", list(SHOWN.values()), widest=7)
    for method, axes in zip(methods, columns, strict=True):
        axes[0].set_title(method, fontsize=6.5)
        for ax, column in zip(axes, SHOWN, strict=True):
            _panel(ax, [run for run in study.arm(method) if not run.broken], column)
            ax.tick_params(labelsize=6)
            ax.yaxis.label.set_fontsize(7)
    for row, column in enumerate(SHOWN):
        if column.startswith("dsd/"):
            for axes in columns:
                axes[row].set_yscale("log")
            plain_log(columns[0][row].yaxis)
        elif column != "entropy":
            columns[0][row].set_ylim(-0.03, 1.03)
    handles = [
        Line2D([], [], **look, linewidth=1.6, label=name) for look, name in ((ESCAPED, "escaped"), (TRAPPED, "trapped"))
    ]
    canvas.legend(handles=handles, loc="outside upper center", ncols=2, handlelength=3.6)
    return Drawing("curves", "Curves", "Curves of every run.", canvas)


def _panel(ax: Axes, runs: Sequence[TrackedRun], column: str) -> None:
    for look, kind in ((TRAPPED, [r for r in runs if r.escape is None]), (ESCAPED, [r for r in runs if r.escape])):
        found = [run.curve(column) for run in kind]
        for steps, values in found:
            ax.plot(steps, values, **look, **(THIN if len(found) >= FEW else ALONE))
        same = [values for steps, values in found if steps == found[0][0] and steps]
        if len(same) >= FEW:
            middle = [statistics.median(at) for at in zip(*same, strict=True)]
            ax.plot(found[0][0], np.array(middle), **look, linewidth=1.6)
