"""Figures of the configured ablations: methods side by side under the labels of their arms."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from relax.results.figures.captions import named, runs_shown, smoothing_window
from relax.results.figures.style import Drawing, look, panels
from relax.results.figures.training_curves import draw_dynamics, dynamics_caption, reward_title, steps_of
from relax.results.intervals import summarise
from relax.results.model import BASELINE, Ablation, Results

#: Beginning of an ablation's name -> figures of the paper with curves along training, and with final scores.
CURVES = {"figure-4": "Figure 4", "figure-6": "Figures 6b, 6c and 10", "figure-11": "Figure 11"}
SCORES = {"figure-5": "Figure 5", "figure-6": "Figures 6a and 9"}


def _paper(ablation: Ablation, figures: dict[str, str]) -> str | None:
    return next((figure for key, figure in figures.items() if f"{ablation.name}-".startswith(f"{key}-")), None)


def _title(ablation: Ablation) -> str:
    return ablation.title[:1].upper() + ablation.title[1:]


def _arms(ablation: Ablation) -> str:
    return ", ".join(f"{label}: {method}" for label, method in ablation.arms.items())


def ablation_curves(results: Results, policy: str, ablation: Ablation) -> Drawing | None:
    """What is logged along training for the arms of one ablation (the paper's Figures 4, 6b, 6c, 10 and 11)."""
    series = steps_of(results, policy)
    parts = [series[series.method == method].assign(method=label) for label, method in ablation.arms.items()]
    if sum(len(part) > 0 for part in parts) < 2:
        return None
    labelled, methods = pd.concat(parts, ignore_index=True), list(ablation.arms.values())
    canvas, _ = draw_dynamics(labelled, list(ablation.arms), reward_title(results))
    words = dynamics_caption(results, methods, smoothing_window(int(labelled.step.max())))
    caption = f"{_title(ablation)} ({_arms(ablation)}). {words} {runs_shown(results, policy, methods)}"
    name = named(results, policy, f"ablation_curves-{ablation.name}")
    return Drawing(name, f"{_title(ablation)}: along training", caption, canvas, _paper(ablation, CURVES))


def ablation_bars(results: Results, policy: str, ablation: Ablation) -> Drawing | None:
    """Final scores on every benchmark for the arms of one ablation (the paper's Figures 5, 6a and 9)."""
    metrics = {name: _metric(results, name) for name in results.matrix.benchmarks}
    metrics = {name: metric for name, metric in metrics.items() if _scores(results, policy, ablation, name, metric)}
    if not metrics:
        return None
    columns = min(3, len(metrics))
    rows = -(-len(metrics) // columns)
    canvas, grid = panels(rows, columns, 0.5 + 0.27 * len(ablation.arms), sharex=True, sharey=True)
    axes = [ax for row in grid for ax in row]
    for ax, (benchmark, metric) in zip(axes, metrics.items(), strict=False):
        _bars(ax, ablation, _scores(results, policy, ablation, benchmark, metric))
        ax.set_title(f"{benchmark}, {metric}")
    for ax in axes[len(metrics) :]:
        ax.set_axis_off()
    for ax in axes[max(0, len(metrics) - columns) : len(metrics)]:
        ax.set_xlabel("score")
        ax.tick_params(labelbottom=True)
    first, seeds = next(iter(ablation.arms)), len(results.matrix.seeds)
    sizes = ", ".join(f"{name}: {results.problems_of(name)}" for name in metrics)
    runs = runs_shown(results, policy, list(ablation.arms.values()))
    single = " One seed gives no interval." if seeds == 1 else ""
    caption = (
        f"{_title(ablation)} ({_arms(ablation)}): scores of the final policies ({sizes}). Bar and number: mean over "
        f"seeds; dots: each seed; line: 95 % Student t interval over seeds, cut at 0 and 1.{single} In brackets: "
        f"difference to {first}, mean over the seeds that both have. {runs} Intervals of differences to {BASELINE} are "
        "in the tables."
    )
    name = named(results, policy, f"ablation_bars-{ablation.name}")
    return Drawing(name, f"{_title(ablation)}: benchmarks", caption, canvas, _paper(ablation, SCORES))


def _metric(results: Results, benchmark: str) -> str:
    """mean@k with the most samples: the least noisy one, and the paper's for what it samples 32 times."""
    return [metric for metric in results.metrics_of(benchmark) if metric.startswith("mean@")][-1]


def _scores(
    results: Results, policy: str, ablation: Ablation, benchmark: str, metric: str
) -> dict[str, dict[int, float]]:
    """Arm -> seed -> score; empty unless two arms have one."""
    key = f"evaluate/{benchmark}/{metric}"
    found = {label: results.by_seed(policy, method, key) for label, method in ablation.arms.items()}
    return found if sum(bool(scores) for scores in found.values()) > 1 else {}


def _bars(ax: Axes, ablation: Ablation, scores: dict[str, dict[int, float]]) -> None:
    labels = list(ablation.arms)
    first = scores[labels[0]]
    for place, label in enumerate(labels):
        own, found = scores[label], summarise(scores[label].values())
        if not own:
            ax.text(0.02, place, "no score", va="center", fontsize=7)
            continue
        ax.barh(place, found.mean, height=0.62, color=look(label, labels)["color"], alpha=0.45, linewidth=0)
        if found.n > 1:
            ax.plot(np.clip([found.low, found.high], 0, 1), [place, place], color="black", linewidth=1)
        spread = np.linspace(-0.16, 0.16, len(own)) if len(own) > 1 else [0.0]
        ax.plot(
            list(own.values()),
            place + np.asarray(spread),
            "o",
            color="black",
            markersize=3,
            markeredgecolor="white",
            markeredgewidth=0.5,
        )
        shared = own.keys() & first.keys()
        text = f"{found.mean:.3f}"
        if place and shared:
            text += f" ({summarise(own[s] - first[s] for s in shared).mean:+.3f})".replace("-", "\N{MINUS SIGN}")
        ax.text(1.02, place, text, va="center", fontsize=7, transform=ax.get_yaxis_transform())
    ax.set(xlim=(0, 1), ylim=(len(labels) - 0.5, -0.5))
    ax.set_yticks(range(len(labels)), labels)
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")
