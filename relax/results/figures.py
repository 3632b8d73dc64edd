"""The figures of a results folder, one function each; captions speak of this very run."""

import json
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from relax.errors import DataError
from relax.files import atomic_write
from relax.results.figures_spectra import dsd_against_length, eigenvalues
from relax.results.figures_style import (
    THICK,
    Drawing,
    Figure,
    curves,
    legend,
    look,
    panels,
    plain_log,
    save,
)
from relax.results.model import INITIAL, SPECTRA, Results
from relax.results.statistics import fit_entropy_reward
from relax.results.tables import WORDS, ridge_of

CAPTIONS = "figures.json"


def write_figures(results: Results, out_dir: str | Path) -> list[Figure]:
    """Draw every figure that the finished runs allow, as SVG and PNG, per policy.

    Captions and file names are kept in ``figures.json`` beside them, for :func:`read_figures`.
    """
    out, figures = Path(out_dir), []
    for policy in results.matrix.policies:
        for draw in (
            training,
            entropy_reward,
            dsd,
            share_above_xi,
            dsd_against_length,
            eigenvalues,
            pass_at_k,
        ):
            figure = save(partial(draw, results, policy), out)
            if figure is not None:
                figures.append(figure)
    kept = [{"name": f.name, "title": f.title, "caption": f.caption} for f in figures]
    atomic_write(out / CAPTIONS, json.dumps(kept, indent=2, ensure_ascii=False) + "\n")
    return figures


def read_figures(out_dir: str | Path) -> list[Figure]:
    """What :func:`write_figures` has written there.

    Raises:
        DataError: it has not.
    """
    out = Path(out_dir)
    try:
        kept = json.loads((out / CAPTIONS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{out / CAPTIONS}: cannot be read ({error}); run `relax figures` first.") from error
    return [Figure(**item, svg=out / f"{item['name']}.svg", png=out / f"{item['name']}.png") for item in kept]


def named(results: Results, policy: str, name: str) -> str:
    """File name: with the policy where there are several."""
    return name if len(results.matrix.policies) == 1 else f"{name}-{policy}"


def about(results: Results, policy: str) -> str:
    """Which runs a picture shows, in a sentence."""
    runs = results.series[results.series.policy == policy]
    count = len(runs.drop_duplicates(["method", "seed"]))
    asked = len(results.matrix.methods) * len(results.matrix.seeds)
    seeds = sorted(runs.seed.unique())
    words = f"{len(seeds)} {'seed' if len(seeds) == 1 else 'seeds'} ({', '.join(map(str, seeds))})"
    missing = "" if count == asked else f"; {count} of {asked} runs are finished"
    return f"Policy {policy}, {words}, {int(runs.step.max())} steps{_batch(results)}{missing}."


def _batch(results: Results) -> str:
    training = results.config.get("training", {})
    prompts, rollouts = training.get("prompts_per_step"), training.get("rollouts_per_prompt")
    return f" of {prompts} problems with {rollouts} responses each" if prompts and rollouts else ""


def _window(steps: int) -> int:
    """Steps of the running mean: a twentieth of the run, odd, so that it is centred."""
    return max(1, steps // 20 // 2 * 2 + 1)


def _lines(window: int) -> str:
    running = f", running means over {window} steps" if window > 1 else ""
    return f"Thin: each seed; thick: mean over seeds{running}."


def training(results: Results, policy: str) -> Drawing | None:
    """Reward and token entropy per step (the paper's Figure 3)."""
    series = results.series[(results.series.policy == policy) & (results.series.step > 0)]
    if series.empty:
        return None
    window, methods = _window(int(series.step.max())), results.matrix.methods
    canvas, [axes] = panels(1, 2, 2.5, sharex=True)
    drawn = [curves(a, series, column, methods, window) for a, column in zip(axes, ("reward", "entropy"), strict=True)]
    for ax, label in zip(axes, ("reward (share correct)", "token entropy (nats)"), strict=True):
        ax.set(xlabel="training step", title=label)
    axes[1].set_ylim(bottom=0)
    legend(canvas, drawn[0] or drawn[1], methods)
    caption = (
        f"Reward and mean token entropy of the training rollouts per step. {about(results, policy)} "
        f"{_lines(window)} Each step draws other problems."
    )
    return Drawing(named(results, policy, "training"), "Reward and entropy along training", caption, canvas)


def entropy_reward(results: Results, policy: str) -> Drawing | None:
    """Reward against entropy with the fit R = -a exp(H) + b (the paper's Figure 1)."""
    series = results.series[(results.series.policy == policy) & (results.series.step > 0)]
    if series.empty or not {"entropy", "reward"} <= set(series):
        return None
    shown = [method for method in results.matrix.methods if (series.method == method).any()]
    rows = -(-len(shown) // 5)
    columns = -(-len(shown) // rows)
    canvas, grid = panels(rows, columns, 2.1, sharex=True, sharey=True)
    axes = [ax for row in grid for ax in row]
    words = []
    for ax, method in zip(axes, shown, strict=False):
        own, style = series[series.method == method], look(method, results.matrix.methods)
        ax.scatter(series.entropy, series.reward, s=5, color="#dddddd", linewidths=0)
        ax.scatter(
            own.entropy,
            own.reward,
            s=9,
            color=style["color"],
            marker=style["marker"],
            linewidths=0,
            alpha=0.6,
        )
        ax.set_title(method)
        ax.xaxis.set_major_locator(MaxNLocator(4))
        fit = fit_entropy_reward(own.entropy, own.reward)
        if fit is None:
            continue
        at = np.linspace(own.entropy.min(), own.entropy.max(), 60)
        ax.plot(at, -fit.a * np.exp(at) + fit.b, color="white", linewidth=3)
        ax.plot(at, -fit.a * np.exp(at) + fit.b, color=style["color"], linewidth=1.5)
        text = f"a = {fit.a:.2f} ± {fit.a_half_width:.2f}\nb = {fit.b:.2f} ± {fit.b_half_width:.2f}\n"
        text += f"R² = {fit.r_squared:.2f}"
        ax.text(0.04, 0.04, text, transform=ax.transAxes, fontsize=7, linespacing=1.35)
        words.append(f"{method} a = {fit.a:.3g}, b = {fit.b:.3g}, R² = {fit.r_squared:.2f}")
    low, high = axes[0].get_ylim()
    axes[0].set_ylim(low - 0.3 * (high - low), high)  # room for the parameters below the points
    for ax in axes[len(shown) :]:
        ax.set_axis_off()
    for place, ax in enumerate(axes[: len(shown)]):
        if place % columns == 0:
            ax.set_ylabel("reward")
        if place + columns >= len(shown):
            ax.set_xlabel("entropy (nats)")
            ax.tick_params(labelbottom=True)
    caption = (
        "Reward against token entropy, one point per training step and seed; grey: all methods. "
        f"{about(results, policy)} Line: least-squares fit of R = \N{MINUS SIGN}a exp(H) + b over all seeds "
        f"({'; '.join(words)}). The ± are 95 % intervals for independent points; steps of one run are not "
        "independent, so they are too narrow."
    )
    return Drawing(named(results, policy, "entropy_reward"), "Reward against entropy", caption, canvas)


def dsd(results: Results, policy: str) -> Drawing | None:
    """Both DSDs on-policy beside the fixed probes, at the training ridge and at 0.1."""
    series = results.series[results.series.policy == policy]
    ridge, methods = ridge_of(results), results.matrix.methods
    kinds = {"dsd": "on-policy", "probe": "probes"}
    views = {f"{k}/{{}}": f"{name}, ridge {ridge}" for k, name in kinds.items()}
    views |= {f"{k}/{{}}/ridge_0.1": f"{name}, ridge 0.1" for k, name in kinds.items()}
    if not any(view.format(s) in series for view in views for s in SPECTRA):
        return None
    window = _window(int(series.step.max()))
    canvas, grid = panels(2, 4, 2.1, sharex=True)
    drawn: list[str] = []
    for row, spectrum in zip(grid, SPECTRA, strict=True):
        for ax, (view, title) in zip(row, views.items(), strict=True):
            # Probes are measured on the same responses every time: nothing to smooth.
            found = curves(ax, series, view.format(spectrum), methods, 1 if view.startswith("probe") else window)
            drawn += [method for method in found if method not in drawn]
            ax.set_yscale("log")
            ax.set_title(title)
        _same_factor(row)
        row[0].set_ylabel(f"DSD, {WORDS[spectrum]}")
    for ax in grid[-1]:
        ax.set_xlabel("training step")
    legend(canvas, [method for method in methods if method in drawn], methods)
    caption = (
        "Dynamic spectral dispersion along training, logarithmic scales that span the same factor within a "
        "row; above: eigenvalues, below: singular values of the Koopman matrix (dimension "
        f"{results.dictionary_setting('koopman_dim')}). {about(results, policy)} {_lines(window)} On-policy: "
        "mean over the rollouts of the step, whose lengths change along training. Probes: fixed responses of "
        f"the initial policy, read by the current one. Training rewards the on-policy DSD at ridge {ridge} "
        "alone; a rise seen there only is one that only the trained-on measure sees."
    )
    return Drawing(named(results, policy, "dsd"), "Dynamic spectral dispersion (DSD) along training", caption, canvas)


def _same_factor(row: list[Axes]) -> None:
    """Logarithmic axes of a row: one range per ridge (left pair, right pair), all as many decades high."""
    pairs = [row[:2], row[2:]]
    ranges = []
    for pair in pairs:
        values = np.concatenate([line.get_ydata() for ax in pair for line in ax.lines] or [np.ones(1)])
        logs = np.log10(values[values > 0])
        ranges.append((logs.min(), logs.max()) if len(logs) else (0.0, 0.0))
    height = 1.15 * max(max(high - low for low, high in ranges), np.log10(2))
    for pair, (low, high) in zip(pairs, ranges, strict=True):
        for ax in pair:
            ax.set_ylim(10 ** ((low + high - height) / 2), 10 ** ((low + high + height) / 2))
            plain_log(ax.yaxis)
        pair[1].tick_params(labelleft=False)


def share_above_xi(results: Results, policy: str) -> Drawing | None:
    """Share of responses whose DSD is above the limit, per step."""
    series = results.series[(results.series.policy == policy) & (results.series.step > 0)]
    if "share_above_xi" not in series or series.share_above_xi.isna().all():
        return None
    window, methods = _window(int(series.step.max())), results.matrix.methods
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
        f"{about(results, policy)} {_lines(window)}"
    )
    return Drawing(named(results, policy, "share_above_xi"), "Share of responses above ξ", caption, canvas)


def pass_at_k(results: Results, policy: str) -> Drawing | None:
    """pass@k of the final policies on every benchmark with several samples per problem."""
    scores = results.scores[(results.scores.policy == policy) & results.scores.metric.str.startswith("pass@")]
    scores = scores.assign(k=scores.metric.str.removeprefix("pass@").astype(int))
    names = [n for n in results.matrix.benchmarks if scores[scores.benchmark == n].k.nunique() > 1]
    if not names:
        return None
    columns = min(3, len(names))
    canvas, grid = panels(-(-len(names) // columns), columns, 2.6)
    axes, methods = [ax for row in grid for ax in row], results.matrix.methods
    drawn: list[str] = []
    for ax, name in zip(axes, names, strict=False):
        found = scores[scores.benchmark == name]
        for method in (INITIAL, *methods):
            own, style = found[found.method == method], look(method, methods)
            if own.empty:
                continue
            drawn += [method] if method not in drawn else []
            for _, run in own.groupby("seed"):
                run = run.sort_values("k")
                ax.plot(run.k, run.value, color=style["color"], linewidth=0.6, alpha=0.45)
            mean = own.groupby("k").value.mean()
            ax.plot(mean.index, mean, **THICK, **style)
        ks = sorted(found.k.unique())
        ax.set_xscale("log", base=2)
        ax.set_xticks(ks, [str(k) for k in ks])
        ax.set(xlabel="k samples", ylabel="pass@k", title=name)
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    legend(canvas, drawn, methods)
    sizes = ", ".join(f"{n}: {int(scores[scores.benchmark == n].problems.max())} problems" for n in names)
    caption = (
        f"Share of problems solved by at least one of k samples ({sizes}; unbiased estimate). "
        f"{about(results, policy)} Thin: each seed; thick: mean over seeds. Where a curve is at 1 for every "
        "method the benchmark cannot tell them apart."
    )
    return Drawing(named(results, policy, "pass_at_k"), "pass@k of the final policies", caption, canvas)
