"""The pictures of the gallery from what ``gallery.py`` measured; the caption of each states its numbers."""

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from scipy.stats import spearmanr, t
from torch import Tensor

from relax.koopman import SPECTRA, Dictionary, TrajectoryStatistics, project, shuffle_time
from relax.koopman.fitting import pad
from relax.koopman.plots import plot_eigenvalues, plot_pseudospectrum
from relax.progress import Progress

BLUE, BROWN, GREY = "#0068a8", "#95580a", "0.5"
#: How far single values, and their mean, stand from the place of their kind.
ASIDE = 0.12
RIDGE, ROBUST = 1e-3, 0.1
#: Lengths at which the same responses are cut; temperatures are compared at one length.
LENGTHS = (4, 6, 8, 10, 13, 16, 20, 26, 32, 48, 64, 96, 128, 160)
COMMON = 128
#: What is drawn of DSD: spectrum and ridge.
MEASURES = (("eigenvalues", RIDGE), ("eigenvalues", ROBUST), ("singular_values", RIDGE))

Found = dict[str, Any]


def draw(found: Found, out: Path) -> None:
    """Write ``gallery-*.png`` below ``out``."""
    figures: dict[str, Callable[[Found], Figure]] = {
        "spectra": spectra,
        "pseudospectrum": pseudospectra,
        "length": lengths,
        "temperature": temperatures,
        "repetition": repetition,
        "answers": answers,
    }
    style: dict[Any, Any] = {key: value for key, value in matplotlib.rcParamsDefault.items() if key != "backend"}
    style |= {"font.size": 9, "axes.titlesize": 9, "axes.spines.top": False, "axes.spines.right": False}
    progress = Progress("gallery: pictures", len(figures), unit="pictures")
    with matplotlib.rc_context(style):
        for done, (name, make) in enumerate(figures.items(), 1):
            figure = make(found)
            FigureCanvasAgg(figure)
            figure.savefig(out / f"gallery-{name}.png", dpi=150, metadata={"Software": None})
            progress.update(done)


# What is drawn ----------------------------------------------------------------------------------


def spectra(found: Found) -> Figure:
    statistics, shuffled = both_of(found["stories"][1.0], found["dictionary"])
    values, residuals = statistics.residuals(RIDGE)
    figure, (left, right) = canvas(2)
    order = residuals.flatten().argsort(descending=True)  # the best on top
    plot_eigenvalues(values.flatten()[order].numpy(), residuals.flatten()[order].numpy(), left)
    left.set_title("eigenvalues of K")
    place = np.arange(1, values.shape[1] + 1)
    for each, colour, label in ((statistics, BLUE, "states in their order"), (shuffled, GREY, "the same, shuffled")):
        size = each.singular_values(RIDGE)
        right.plot(place, size.mean(0), "o-", color=colour, markersize=3, label=label)
        right.fill_between(place, *size.quantile(torch.tensor([0.1, 0.9]).double(), dim=0), color=colour, alpha=0.15)
    right.set(yscale="log", xlabel="number of the singular value", title="singular values of K: mean, 10 to 90 %")
    logarithmic(right.yaxis)
    right.legend(frameon=False)
    largest = values.abs().amax(1)
    return captioned(
        figure, found, f"{stories_in_words(found, 1.0)} The largest |eigenvalue| is {within(largest)}. "
        f"Mean DSD: eigenvalues {within(statistics.dsd('eigenvalues', RIDGE))}, "
        f"singular values {within(statistics.dsd('singular_values', RIDGE))}.",
    )  # fmt: skip


def pseudospectra(found: Found) -> Figure:
    statistics, shuffled = both_of(found["stories"][1.0], found["dictionary"])
    index = int(statistics.length.argmax())
    figure, panels = canvas(2)
    for axes, each, title in zip(panels, (statistics, shuffled), ("in their order", "shuffled"), strict=True):
        plot_pseudospectrum(each, index, RIDGE, axes=axes)
        axes.set_title(f"one story, states {title}")
    return captioned(figure, found, f"One story at temperature 1, T = {int(statistics.length[index])} states.")


def lengths(found: Found) -> Figure:
    states = [rows for rows in found["stories"][1.0] if len(rows) >= LENGTHS[-1]]
    m = found["dictionary"].settings.koopman_dim
    figure, panels = canvas(len(SPECTRA))
    walks, random = autoregressive(12, LENGTHS[-1]), Dictionary.random(64, m)
    curves: dict[str, list[TrajectoryStatistics]] = {"model": [], "shuffled": [], "walk": []}
    for length in LENGTHS:
        real, shuffled = both_of([rows[:length] for rows in states], found["dictionary"])
        curves["model"].append(real)
        curves["shuffled"].append(shuffled)
        curves["walk"].append(both_of([rows[:length] for rows in walks], random)[0])
    labels = {"model": found["model"], "shuffled": "its states, shuffled", "walk": "AR(1), memory 0.9"}
    colours = {"model": BLUE, "shuffled": GREY, "walk": BROWN}
    for axes, spectrum in zip(panels, SPECTRA, strict=True):
        for name, each in curves.items():
            values = torch.stack([statistics.dsd(spectrum, RIDGE) for statistics in each])
            half = torch.tensor([half_width(row) for row in values])
            axes.plot(LENGTHS, values.mean(1), "o-", color=colours[name], markersize=3, label=labels[name])
            low = (values.mean(1) - half).clamp_min(float(values[values > 0].min()) / 2)
            axes.fill_between(LENGTHS, low, values.mean(1) + half, color=colours[name], alpha=0.15)
        axes.axvline(m + 1, color="0.6", linewidth=0.8, linestyle=":")
        axes.set(xscale="log", yscale="log", xlabel="states T", title=f"DSD of {spectrum.replace('_', ' ')}")
        axes.set_xticks([4, 8, 16, 32, 64, 128], labels=["4", "8", "16", "32", "64", "128"])
        axes.minorticks_off()
        logarithmic(axes.yaxis)
    panels[0].legend(frameon=False, fontsize=8)
    return captioned(
        figure, found, f"The first T states of {len(states)} stories at temperature 1, and 12 draws of an AR(1) "
        f"process in 64 dimensions with a random W. Bands: 95 % of the mean. Dotted: T = m + 1 = {m + 1}.",
    )  # fmt: skip


def temperatures(found: Found) -> Figure:
    figure, panels = canvas(len(MEASURES), 3.4)
    kept = {
        heat: [i for i, rows in enumerate(states) if len(rows) >= COMMON] for heat, states in found["stories"].items()
    }
    common = sorted(set.intersection(*map(set, kept.values())))
    said = []
    for axes, (spectrum, ridge) in zip(panels, MEASURES, strict=True):
        values = {
            heat: both_of([states[i][:COMMON] for i in common], found["dictionary"])[0].dsd(spectrum, ridge)
            for heat, states in found["stories"].items()
        }
        for story in zip(*values.values(), strict=True):
            axes.plot(np.arange(len(values)) - ASIDE, story, color="0.85", linewidth=0.8, zorder=0)
        interval(axes, list(map(str, values)), list(values.values()))
        axes.set(title=named(spectrum, ridge), xlabel="temperature")
        coldest, *_, hottest = values.values()
        said.append(f"{named(spectrum, ridge)} {within(hottest - coldest)}")
    return captioned(
        figure, found, f"The first {COMMON} states of stories about the same {len(common)} topics (grey lines: one "
        f"topic). Bars: 95 % of the mean. Difference of the hottest and the coldest: {'; '.join(said)}.",
    )  # fmt: skip


def repetition(found: Found) -> Figure:
    figure = Figure(figsize=(8.4, 6), layout="constrained")
    above, below = figure.subplots(2, len(SPECTRA))
    heats = found["stories"]
    shares = torch.tensor([repeated(tokens) for heat in heats for tokens in found["tokens"][heat]])
    long = [len(rows) >= COMMON for heat in heats for rows in heats[heat]]
    states = [rows[:COMMON] for heat in heats for rows in heats[heat]]
    statistics = both_of([rows for rows, good in zip(states, long, strict=True) if good], found["dictionary"])[0]
    shares = shares[torch.tensor(long)]
    kinds = {"as written": found["stories"][1.0], **found["altered"]}
    said = []
    for axes, spectrum in zip(above, SPECTRA, strict=True):
        values = statistics.dsd(spectrum, RIDGE)
        axes.scatter(shares, values, s=12, color=BLUE)
        axes.set(xlabel="share of repeated 4-grams", title=f"DSD of {spectrum.replace('_', ' ')}")
        said.append(f"{spectrum.replace('_', ' ')} {spearmanr(shares, values).statistic:+.2f}")
    for axes, spectrum in zip(below, SPECTRA, strict=True):
        parts = [both_of(rows, found["dictionary"])[0].dsd(spectrum, RIDGE) for rows in kinds.values()]
        interval(axes, [kind.replace(" ", "\n", 1) for kind in kinds], parts)
        axes.set(yscale="log", title=f"DSD of {spectrum.replace('_', ' ')}, responses that were altered")
        logarithmic(axes.yaxis)
    return captioned(
        figure, found, f"Above: the first {COMMON} states of {len(shares)} stories at temperatures "
        f"{', '.join(map(str, heats))}; rank correlation {', '.join(said)}. Below: "
        f"{stories_in_words(found, 1.0)} The model reads the same prompts with responses of the same length: their "
        "tokens in random order, or a piece of them again and again. Bars: 95 % of the mean.",
    )  # fmt: skip


def answers(found: Found) -> Figure:
    right = torch.tensor(found["right"].to_numpy())
    statistics = both_of(found["answers"], found["dictionary"])[0]
    figure, panels = canvas(3, 3.4)
    said = []
    for axes, spectrum in zip(panels, (*SPECTRA, "T"), strict=False):
        values = statistics.length.double() if spectrum == "T" else statistics.dsd(spectrum, RIDGE)
        parts = [values[~right], values[right]]
        if not len(parts[0]) or not len(parts[1]):
            continue
        interval(axes, ["wrong", "right"], parts)
        axes.set_title("states T" if spectrum == "T" else named(spectrum, RIDGE))
        said.append(f"{spectrum.replace('_', ' ')} {within(parts[0])} wrong, {within(parts[1])} right")
    return captioned(
        figure, found, f"{len(right)} answers at temperature 1 to sums of three digits after two worked examples, "
        f"{int(right.sum())} of them right; answers to one problem are not independent. Bars: 95 % of the mean. "
        f"{'; '.join(said)}.",
    )  # fmt: skip


# How it is drawn --------------------------------------------------------------------------------


def both_of(states: Sequence[Tensor], dictionary: Dictionary) -> tuple[TrajectoryStatistics, TrajectoryStatistics]:
    """Statistics of trajectories (T_i, d), and of the same in random order."""
    hidden, mask = pad(states)
    psi = project(hidden, dictionary.weight, mask)
    shuffled = shuffle_time(psi, mask, 0)
    return TrajectoryStatistics.from_snapshots(psi, mask), TrajectoryStatistics.from_snapshots(shuffled, mask)


def autoregressive(draws: int, length: int) -> list[Tensor]:
    """AR(1) states in 64 dimensions with memory 0.9 and variance 1, the process of docs/method.md."""
    noise = torch.randn(draws, length, 64, generator=torch.Generator().manual_seed(0))
    states = noise.clone()
    for now in range(1, length):
        states[:, now] = 0.9 * states[:, now - 1] + (1 - 0.9**2) ** 0.5 * noise[:, now]
    return list(states)


def repeated(tokens: Sequence[int]) -> float:
    """The share of 4-grams that stood in the response before."""
    grams = list(zip(*(tokens[i:] for i in range(4)), strict=False))
    return 1 - len(set(grams)) / max(1, len(grams))


def half_width(values: Tensor) -> float:
    """Of the 95 % interval of the mean, by Student's t."""
    return float(t.ppf(0.975, len(values) - 1) * values.double().std() / len(values) ** 0.5)


def within(values: Tensor) -> str:
    """The mean with the half width of its interval."""
    return f"{float(values.double().mean()):.3g} ± {half_width(values):.2g}"


def named(spectrum: str, ridge: float) -> str:
    return f"{spectrum.replace('_', ' ')}, ridge {ridge:g}"


def stories_in_words(found: Found, heat: float) -> str:
    counts = [len(rows) for rows in found["stories"][heat]]
    span = f"{min(counts)} to {max(counts)}" if min(counts) < max(counts) else f"{max(counts)}"
    return f"{len(counts)} stories at temperature {heat:g}, T = {span}."


def interval(axes: Any, names: Sequence[str], parts: Sequence[Tensor]) -> None:
    """The values of each part, and beside them their mean with its interval."""
    for place, values in enumerate(parts):
        axes.scatter([place - ASIDE] * len(values), values, s=8, color=GREY, alpha=0.5, linewidth=0)
        axes.errorbar(place + ASIDE, values.double().mean(), half_width(values), fmt="o", color=BLUE, capsize=3)
    axes.set_xticks(range(len(names)), labels=names)
    axes.set_xlim(-0.5, len(names) - 0.5)


def logarithmic(axis: Any) -> None:
    """Plain numbers at 1, 2 and 5 times the powers of ten."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def canvas(columns: int, height: float = 3.8) -> tuple[Figure, list[Any]]:
    figure = Figure(figsize=(4.2 * min(columns, 2) + 1.2 * max(columns - 2, 0), height), layout="constrained")
    return figure, list(figure.subplots(1, columns, squeeze=False)[0])


def captioned(figure: Figure, found: Found, text: str) -> Figure:
    """The figure with its caption: what it shows, and what holds for all."""
    s = found["dictionary"].settings
    text += f" {found['model']}, m = {s.koopman_dim}, ridge {RIDGE:g} unless said; W was fitted on other responses."
    figure.supxlabel("\n".join(textwrap.wrap(text, int(figure.get_figwidth() * 15.5))), fontsize=7.5, color="0.3")
    return figure
