"""The two figures of the report's first screen: measures along training, and accuracy with intervals."""

import numpy as np
from matplotlib.figure import Figure as Canvas

from relax.results.claims.parts import accuracy
from relax.results.figures.captions import named, smoothing_window
from relax.results.figures.style import Drawing, curves, legend, look, plain_log
from relax.results.figures.training_curves import reward_title, steps_of
from relax.results.intervals import summarise
from relax.results.model import INITIAL, Results

#: Column of the series -> title of its panel; DSD on a logarithmic scale.
SHOWN = {
    "reward": "reward (share correct)",
    "entropy": "token entropy (nats)",
    "dsd/eigenvalues": "DSD of eigenvalues",
    "dsd/singular_values": "DSD of singular values",
}
#: Inches of the two figures, which stand side by side.
WIDE, SMALL, HEIGHT = 6.4, 4.3, 2.85


def training(results: Results, policy: str) -> Drawing | None:
    """Reward, token entropy and DSD of both spectra per step, one line a method."""
    series, methods = steps_of(results, policy), results.matrix.methods
    if series.empty:
        return None
    window = smoothing_window(int(series.step.max()))
    canvas = Canvas(figsize=(WIDE, HEIGHT))
    drawn: set[str] = set()
    titles = {**SHOWN, "reward": reward_title(results)}
    for ax, (column, title) in zip(canvas.subplots(2, 2, sharex=True).flat, titles.items(), strict=True):
        drawn |= set(curves(ax, series, column, methods, window))
        ax.set_title(title)
        if column.startswith("dsd") and ax.lines:
            ax.set_yscale("log")
            plain_log(ax.yaxis)
            ax.set_xlabel("training step")
    legend(canvas, [method for method in methods if method in drawn], methods)
    caption = (
        "Along training. Thin lines are single seeds and thick lines their means"
        f"{f', smoothed over {window} steps' if window > 1 else ''}."
    )
    return Drawing(named(results, policy, "opening-training"), "Reward, entropy and DSD", caption, canvas)


def accuracies(results: Results, policy: str) -> Drawing | None:
    """Mean accuracy of every final policy, with its 95 % interval over seeds."""
    methods = results.matrix.methods
    found = {name: summarise(accuracy(results, policy, name).values()) for name in (INITIAL, *methods)}
    found = {name: summary for name, summary in found.items() if summary.n}
    if not found:
        return None
    canvas = Canvas(figsize=(SMALL, max(HEIGHT, 0.2 * len(found) + 0.8)))
    ax = canvas.subplots()
    for place, (name, summary) in enumerate(found.items()):
        style = look(name, methods)
        if summary.n > 1:
            ends = np.clip([summary.low, summary.high], 0, 1)
            ax.plot(ends, [place, place], color=style["color"], linewidth=1.6)
        ax.plot(summary.mean, place, style["marker"], color=style["color"], markersize=6, markeredgecolor="white")
        ax.text(1.02, place, f"{summary.mean:.3f}", va="center", transform=ax.get_yaxis_transform())
    ax.set_yticks(range(len(found)), list(found))
    ax.set_ylim(len(found) - 0.5, -0.5)
    ax.grid(visible=False, axis="y")
    names = results.matrix.benchmarks
    ax.set_xlabel(f"accuracy on {names[0]}" if len(names) == 1 else f"mean accuracy over {len(names)} benchmarks")
    caption = (
        "After training. A marker is the mean over seeds and a line its 95 % interval. "
        "The initial policy is one policy and has no interval."
    )
    return Drawing(named(results, policy, "opening-accuracy"), "Accuracy", caption, canvas)
