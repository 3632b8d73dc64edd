"""Draws the time of an optimizer step against longest/mean, from the numbers of step.py.

python benchmarks/step_figure.py results/bench/step.json docs/images/step.png
"""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

#: Who in the numbers -> label, colour and line.
LINES = {"trl": ("GRPOTrainer of TRL", "black", "--"), "relax": ("ReLaXTrainer with its terms", "#0068a8", "-")}


def points(measured: dict[str, Any]) -> list[dict[str, Any]]:
    """What step.py wrote about each ratio of the longest response to the mean."""
    return [row["detail"] for row in measured["results"] if "ratio" in row["detail"]]


def draw(measured: dict[str, Any]) -> pyplot.Figure:
    """One line a trainer."""
    found = points(measured)
    clock = "cpu" if measured["machine"]["gpu"] is None else "wall"
    figure, ax = pyplot.subplots(figsize=(6, 3), layout="constrained")
    for who, (label, colour, line) in LINES.items():
        seconds = [point[f"{who}_{clock}_s"] for point in found]
        ax.plot([point["ratio"] for point in found], seconds, line, color=colour, linewidth=2, marker="o")
        ax.annotate(label, (found[-1]["ratio"], seconds[-1]), (-8, 8), textcoords="offset points", color=colour,
                    ha="right")  # fmt: skip
    ax.set(ylim=(0, None), xticks=[point["ratio"] for point in found])
    ax.set_xlabel("longest response / mean")
    ax.set_ylabel(f"{'CPU' if clock == 'cpu' else 'wall'} seconds of a step")
    ax.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    draw(json.loads(source.read_text())).savefig(target, dpi=150, metadata={"Software": None})
