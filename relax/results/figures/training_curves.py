"""Figures of training runs: what is logged per step, and reward against entropy."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from relax.results.figures.captions import dimension_of, lines_of, named, runs_shown, smoothing_window
from relax.results.figures.style import Drawing, curves, legend, look, panels, plain_log, wrapped
from relax.results.intervals import fit_entropy_reward, fit_intervals
from relax.results.model import SPECTRA, Results
from relax.results.tables.all import WORDS, ridge_of

#: What is drawn along training: column of the series -> title; DSD on a logarithmic scale.
QUANTITIES = {
    "reward": "reward (share correct)",
    "entropy": "token entropy (nats)",
    "length": "response length (tokens)",
    "dsd/eigenvalues": "DSD of eigenvalues",
    "dsd/singular_values": "DSD of singular values",
    "grad_norm": "gradient norm, before clipping",
}


def steps_of(results: Results, policy: str) -> pd.DataFrame:
    """The series of a policy without step 0, which holds the probes of the initial policy alone."""
    return results.series[(results.series.policy == policy) & (results.series.step > 0)]


def reward_title(results: Results) -> str:
    """Of the panel of the reward, which is a share unless the experiment names reward functions of its own."""
    return "reward" if results.config.get("training", {}).get("rewards") else QUANTITIES["reward"]


def draw_dynamics(
    series: pd.DataFrame, methods: Sequence[str], reward: str = QUANTITIES["reward"]
) -> tuple[Canvas, list[str]]:
    """Six panels along training; ``methods`` in the order of their looks, ``reward`` the title of its panel. Returns
    who was drawn."""
    window = smoothing_window(int(series.step.max()))
    canvas, grid = panels(2, 3, 2.1 if len(methods) <= 6 else 2.6, sharex=True)
    drawn: set[str] = set()
    titles = {**QUANTITIES, "reward": reward}
    for ax, (column, title) in zip((ax for row in grid for ax in row), titles.items(), strict=True):
        drawn |= set(curves(ax, series, column, methods, window))
        ax.set_title(title)
        if column.startswith("dsd") and ax.lines:
            ax.set_yscale("log")
            plain_log(ax.yaxis)
        if column in ("entropy", "grad_norm") and ax.dataLim.y1 > 0:
            ax.set_ylim(0, 1.06 * ax.dataLim.y1)
    for ax in grid[-1]:
        ax.set_xlabel("training step")
    shown = [method for method in methods if method in drawn]
    legend(canvas, shown, methods)
    return canvas, shown


def dynamics_caption(results: Results, methods: Sequence[str], window: int) -> str:
    """What the six panels hold, in words."""
    clip = results.config.get("training", {}).get("max_grad_norm")
    clipped = f" (clipped at {clip:g})" if clip else ""
    return (
        "Reward, mean token entropy and mean length of the responses sampled in each step; their mean dynamic spectral "
        f"dispersion, of the eigenvalues and of the singular values of the Koopman matrix (ridge {ridge_of(results)}, "
        f"{dimension_of(results, methods)}; logarithmic scales); norm of the gradient{clipped}. "
        f"{lines_of(window)} Each step draws other problems, and DSD changes with length by itself."
    )


def dynamics_figure(results: Results, policy: str) -> Drawing | None:
    """Reward, entropy, length, DSD of both spectra and gradient norm per step (the paper's Figures 3 and 8)."""
    series = steps_of(results, policy)
    if series.empty:
        return None
    canvas, _ = draw_dynamics(series, results.matrix.methods, reward_title(results))
    words = dynamics_caption(results, results.matrix.methods, smoothing_window(int(series.step.max())))
    caption = (
        f"{words} {runs_shown(results, policy)} The paper's Figure 8 has validation accuracy where this has the reward "
        "on training problems."
    )
    name = named(results, policy, "dynamics")
    return Drawing(name, "Training dynamics", caption, canvas, "Figures 3 and 8")


def entropy_reward_figure(results: Results, policy: str) -> Drawing | None:
    """Reward against entropy with the fit R = -a exp(H) + b (the paper's Figure 1)."""
    series = steps_of(results, policy)
    if series.empty or not {"entropy", "reward"} <= set(series):
        return None
    series = series.dropna(subset=["entropy", "reward"])
    shown = [method for method in results.matrix.methods if (series.method == method).any()]
    if not shown:
        return None
    canvas, columns = wrapped(len(shown), 2.1, "entropy (nats)", ["reward"])
    words = []
    for [ax], method in zip(columns, shown, strict=True):
        own, style = series[series.method == method], look(method, results.matrix.methods)
        ax.scatter(series.entropy, series.reward, s=5, color="#dddddd", linewidths=0)
        ax.scatter(own.entropy, own.reward, s=9, color=style["color"], marker=style["marker"], linewidths=0, alpha=0.6)
        ax.set_title(method)
        ax.xaxis.set_major_locator(MaxNLocator(3))
        words += _fit(ax, own, style["color"], method)
    low, high = columns[0][0].get_ylim()
    columns[0][0].set_ylim(low - 0.35 * (high - low), high)  # room for the parameters below the points
    caption = (
        "Reward against token entropy, one point per training step and seed; grey: all methods. "
        f"{runs_shown(results, policy)} Line: least-squares fit of R = \N{MINUS SIGN}a exp(H) + b over all seeds, as "
        f"in the paper's Figure 1 ({'; '.join(words)}). In brackets: 95 % intervals from a bootstrap of blocks, a "
        "tenth of a run long, of each seed's steps, since steps close to each other are not independent; they speak of "
        "these runs, not of further seeds. A fit to a path that training takes in one direction does not say that "
        "entropy buys reward."
    )
    name = named(results, policy, "entropy_reward")
    return Drawing(name, "Reward against entropy", caption, canvas, "Figure 1")


def _fit(ax: Axes, own: pd.DataFrame, colour: str, method: str) -> list[str]:
    """Draw the fit with its parameters; returns them in words, nothing where there is no fit."""
    fit = fit_entropy_reward(own.entropy, own.reward)
    if fit is None:
        return []
    runs = [(run.entropy, run.reward) for _, run in own.sort_values("step").groupby("seed")]
    intervals = fit_intervals(runs)
    at = np.linspace(own.entropy.min(), own.entropy.max(), 60)
    ax.plot(at, -fit.a * np.exp(at) + fit.b, color="white", linewidth=3)
    ax.plot(at, -fit.a * np.exp(at) + fit.b, color=colour, linewidth=1.5)
    lines = [
        f"{name} = {value:.2f} [{low:.2f}, {high:.2f}]".replace("-", "\N{MINUS SIGN}")
        for name, value, (low, high) in zip("ab", (fit.a, fit.b), intervals, strict=True)
    ]
    text = "\n".join([*lines, f"R² = {fit.r_squared:.2f}"])
    ax.text(0.04, 0.04, text, transform=ax.transAxes, fontsize=7, linespacing=1.35)
    return [f"{method} a = {fit.a:.3g}, b = {fit.b:.3g}, R² = {fit.r_squared:.2f}".replace("= -", "= \N{MINUS SIGN}")]


def dsd_figure(results: Results, policy: str) -> Drawing | None:
    """Both DSDs on-policy, at matched length and on the fixed probes, at the training ridge and at 0.1."""
    series = results.series[results.series.policy == policy]
    ridge, methods = ridge_of(results), results.matrix.methods
    views = {
        "dsd/{}": f"on-policy\nridge {ridge}",
        "dsd/{}/matched": f"matched length\nridge {ridge}",
        "probe/{}": f"probes\nridge {ridge}",
        "dsd/{}/ridge_0.1": "on-policy\nridge 0.1",
        "probe/{}/ridge_0.1": "probes\nridge 0.1",
    }
    views = {view: title for view, title in views.items() if any(view.format(s) in series for s in SPECTRA)}
    if not views:
        return None
    window = smoothing_window(int(series.step.max()))
    canvas, grid = panels(2, len(views), 2.1, sharex=True)
    drawn: set[str] = set()
    for row, spectrum in zip(grid, SPECTRA, strict=True):
        for ax, (view, title) in zip(row, views.items(), strict=True):
            # Probes are measured on the same responses every time: nothing to smooth.
            drawn |= set(curves(ax, series, view.format(spectrum), methods, 1 if view.startswith("probe") else window))
            ax.set_yscale("log")
            ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            if spectrum == SPECTRA[0]:
                ax.set_title(title)
        robust = sum(view.endswith("0.1") for view in views)
        _same_factor([row[: len(row) - robust], row[len(row) - robust :]])
        row[0].set_ylabel(f"DSD of {WORDS[spectrum]}")
    for ax in grid[-1]:
        ax.set_xlabel("training step")
    legend(canvas, [method for method in methods if method in drawn], methods)
    matched = (
        "Matched length: the same rollouts over windows of the median length of the initial policy's responses, "
        "shorter responses left out. "
    )
    caption = (
        "Dynamic spectral dispersion along training, logarithmic scales that span the same factor within a "
        "row; above: eigenvalues, below: singular values of the Koopman matrix "
        f"({dimension_of(results, methods)}). {runs_shown(results, policy)} {lines_of(window)} On-policy: "
        f"mean over the rollouts of the step, whose lengths change along training. "
        f"{matched if 'dsd/{}/matched' in views else ''}Probes: fixed responses of the initial policy, read by the "
        f"current one. Training rewards the on-policy DSD at ridge {ridge} alone; a rise seen there only is one that "
        "only the trained-on measure sees."
    )
    return Drawing(named(results, policy, "dsd"), "Dynamic spectral dispersion (DSD) along training", caption, canvas)


def _same_factor(groups: list[list[Axes]]) -> None:
    """Logarithmic axes of a row: one range per ridge (a group of axes), all as many decades high."""
    ranges = []
    for group in groups:
        values = np.concatenate([line.get_ydata() for ax in group for line in ax.lines] or [np.ones(1)])
        logs = np.log10(values[values > 0])
        ranges.append((logs.min(), logs.max()) if len(logs) else (0.0, 0.0))
    height = 1.15 * max(max(high - low for low, high in ranges), np.log10(2))
    for group, (low, high) in zip(groups, ranges, strict=True):
        for place, ax in enumerate(group):
            ax.set_ylim(10 ** ((low + high - height) / 2), 10 ** ((low + high + height) / 2))
            plain_log(ax.yaxis)
            ax.tick_params(labelleft=place == 0)


def share_above_xi_figure(results: Results, policy: str) -> Drawing | None:
    """Share of responses whose DSD is above the limit, per step."""
    series = steps_of(results, policy)
    if "share_above_xi" not in series or series.share_above_xi.isna().all():
        return None
    window, methods = smoothing_window(int(series.step.max())), results.matrix.methods
    canvas, [[ax]] = panels(1, 1, 2.6)
    drawn = curves(ax, series, "share_above_xi", methods, window)
    ax.set(xlabel="training step", ylabel="share of responses above ξ", ylim=(-0.02, 1.02))
    legend(canvas, drawn, methods)
    arms = results.arms()
    limits = {name: results.summary(policy, name, "train/xi") for name in drawn}
    values = {name: f", ξ = {found.mean:.3g}" if found.n else "" for name, found in limits.items()}
    spectra = "; ".join(f"{name}: {WORDS[arms[name].spectrum]}{values[name]}" for name in drawn)
    caption = (
        "Share of the training responses whose DSD exceeds the limit ξ, where the encouragement of DSD stops "
        f"and the adaptive KL starts. Spectrum and limit: {spectra}; ridge {ridge_of(results)}. "
        f"{runs_shown(results, policy)} {lines_of(window)}"
    )
    return Drawing(named(results, policy, "share_above_xi"), "Share of responses above ξ", caption, canvas)
