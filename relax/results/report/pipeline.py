"""The pipeline as it ran, drawn from the run records: which stage read what another wrote, and when each job ran."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import PurePosixPath

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path

from relax.progress import duration
from relax.results.figures.style import COLOURS, WIDTH, Drawing
from relax.results.model import Results
from relax.results.tables.all import STAGES

#: Size of a box, and the distances of layers, of boxes within one and of lines that pass one; inches.
BOX, ACROSS, DOWN, LINE = (0.92, 0.62), 1.26, 0.84, 0.3


@dataclass(frozen=True)
class Times:
    """When records were made.

    Attributes:
        started, ended: of the first and of the last; None without a record.
        wall_seconds: of all together, one after the other.
        cpu_seconds, accelerator_seconds: of all together.
    """

    started: datetime | None
    ended: datetime | None
    wall_seconds: float
    cpu_seconds: float
    accelerator_seconds: float

    @property
    def elapsed_seconds(self) -> float:
        """From the first start to the last end."""
        return (self.ended - self.started).total_seconds() if self.started and self.ended else 0.0


def times(results: Results) -> Times:
    """When the runs were made, and how long they took."""
    costs = results.costs[results.costs.started.notna()]
    starts = [datetime.fromisoformat(text) for text in costs.started]
    walls = costs.wall_seconds.fillna(0).astype(float)
    ends = [start.timestamp() + wall for start, wall in zip(starts, walls, strict=True)]
    last = datetime.fromtimestamp(max(ends), tz=starts[0].tzinfo) if ends else None
    sums = (float(costs[name].fillna(0).sum()) for name in ("wall_seconds", "cpu_seconds", "accelerator_seconds"))
    return Times(min(starts, default=None), last, *sums)


def links(results: Results) -> set[tuple[str, str]]:
    """(stage that wrote, stage that read), by the paths that the records name."""
    wrote: dict[str, set[str]] = {}
    below: dict[str, set[str]] = {}
    for record in results.records:
        for path in record.get("outputs") or {}:
            wrote.setdefault(path, set()).add(record["verb"])
            for parent in PurePosixPath(path).parents:
                below.setdefault(str(parent), set()).add(record["verb"])
    found = set()
    for record in results.records:
        for path in record.get("inputs") or {}:
            above = (wrote.get(str(place), set()) for place in (path, *PurePosixPath(path).parents))
            makers = next((verbs for verbs in above if verbs), below.get(path, set()))
            found |= {(verb, record["verb"]) for verb in makers if verb != record["verb"]}
    return found


def layers(stages: Sequence[str], edges: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Stage -> layer: one more than the last of those that it reads from. ``stages`` must be in pipeline order."""
    place: dict[str, int] = {}
    known = list(edges)
    for stage in stages:
        place[stage] = 1 + max((place[a] for a, b in known if b == stage and a in place), default=-1)
    return place


def pipeline(results: Results) -> Drawing | None:
    """Stages as boxes with their jobs and times, an arrow where one read what another wrote."""
    present = set(results.costs.verb)
    stages = [stage for stage in STAGES if stage in present] + sorted(present - set(STAGES))
    if not stages:
        return None
    edges = sorted((a, b) for a, b in links(results) if stages.index(a) < stages.index(b))
    centre, lines = _arrange(stages, edges)
    xs, ys = zip(*centre.values(), strict=True)
    canvas = Canvas(figsize=(max(xs) + BOX[0] + 0.2, max(ys) - min(ys) + BOX[1] + 0.2))
    ax = canvas.subplots()
    ax.set(xlim=(-BOX[0] / 2 - 0.05, max(xs) + BOX[0] / 2 + 0.05), aspect="equal")
    ax.set_ylim(max(ys) + BOX[1] / 2 + 0.05, min(ys) - BOX[1] / 2 - 0.05)
    ax.set_axis_off()
    for start, end in lines:
        colour = COLOURS[stages.index(start.partition("@")[0]) % len(COLOURS)]
        _line(ax, centre[start], centre[end], colour, straight="@" in start, head="@" not in end)
    for stage in stages:
        _box(ax, centre[stage], stage, results)
    caption = (
        f"The {len(stages)} stages of {results.matrix.name} as they ran: number of jobs, wall time and CPU time of all "
        "of them together. An arrow where jobs of one stage read what jobs of another wrote, by the paths in the run "
        "records. Tables, figures and this report are made from all of them."
    )
    return Drawing("pipeline", "The pipeline as it ran", caption, canvas)


def timeline(results: Results) -> Drawing | None:
    """Every job as a bar from its start to its end, a lane for each stage."""
    costs = results.costs[results.costs.started.notna() & results.costs.wall_seconds.notna()]
    if costs.empty:
        return None
    first = min(datetime.fromisoformat(text) for text in costs.started)
    starts = [(datetime.fromisoformat(text) - first).total_seconds() for text in costs.started]
    costs = costs.assign(start=starts, end=np.asarray(starts) + costs.wall_seconds.astype(float))
    whole = float(costs.end.max())
    unit, size = next((u, s) for u, s in (("h", 3600), ("min", 60), ("s", 1)) if whole >= 3 * s or s == 1)
    verbs = [stage for stage in (*STAGES, *sorted(set(costs.verb) - set(STAGES))) if stage in set(costs.verb)]
    canvas = Canvas(figsize=(WIDTH, 0.24 * len(verbs) + 0.75))
    ax = canvas.subplots()
    for row, verb in enumerate(verbs):
        own = costs[costs.verb == verb].sort_values("start")
        lanes = _lanes(list(zip(own.start, own.end, strict=True)))
        height = 0.84 / (max(lanes) + 1)
        for (start, end), lane in zip(zip(own.start, own.end, strict=True), lanes, strict=True):
            seen = max(end - start, whole / 400)  # a job of no time is still a job
            ax.broken_barh(
                [(start / size, seen / size)],
                (row - 0.42 + lane * height, 0.92 * height),
                facecolor="#0072b2",
                edgecolor="white",
                linewidth=0.3,
            )
    ax.set(yticks=range(len(verbs)), yticklabels=verbs, ylim=(len(verbs) - 0.4, -0.6), xlim=(0, whole / size * 1.01))
    ax.set_xlabel(f"{unit} since {first:%Y-%m-%d %H:%M} UTC")
    ax.grid(axis="y", visible=False)
    spent = times(results)
    caption = (
        "Every job from start to end; those of a stage that ran side by side lie below one another. "
        f"{duration(spent.elapsed_seconds)} from the first start to the last end, {duration(spent.wall_seconds)} of "
        f"wall time in all jobs together, {duration(spent.cpu_seconds)} of CPU time. Gaps are starts of processes, or "
        "pauses."
    )
    return Drawing("timeline", "When each job ran", caption, canvas)


def _arrange(
    stages: Sequence[str], edges: Sequence[tuple[str, str]]
) -> tuple[dict[str, tuple[float, float]], list[tuple[str, str]]]:
    """Places of the stages and of the points ``stage@layer`` at which lines pass a layer, and the lines between them.

    All lines from a stage run together as long as they can. Within a layer the order is that of the mean place of the
    neighbours, a few times over (Sugiyama et al., 1981).
    """
    layer = layers(stages, edges)
    nodes: dict[int, list[str]] = {}
    for stage in stages:
        nodes.setdefault(layer[stage], []).append(stage)
    lines: dict[tuple[str, str], None] = {}
    for a, b in edges:
        passed = [f"{a}@{at}" for at in range(layer[a] + 1, layer[b])]
        for at, name in enumerate(passed, layer[a] + 1):
            if name not in nodes[at]:
                nodes[at].append(name)
        lines |= dict.fromkeys(pairwise([a, *passed, b]))
    beside: dict[str, list[str]] = {}
    for start, end in lines:
        beside.setdefault(start, []).append(end)
        beside.setdefault(end, []).append(start)
    y = {name: place for names in nodes.values() for name, place in _stacked(names).items()}
    for sweep in range(8):
        for at in sorted(nodes, reverse=bool(sweep % 2)):
            mean = {name: float(np.mean([y[other] for other in beside.get(name, [name])])) for name in nodes[at]}
            nodes[at].sort(key=lambda name, mean=mean: mean[name])
            y |= _stacked(nodes[at])
    return {name: (at * ACROSS, y[name]) for at, names in nodes.items() for name in names}, list(lines)


def _stacked(names: Sequence[str]) -> dict[str, float]:
    """Heights one below the other around 0; a line takes less room than a box."""
    sizes = [LINE if "@" in name else DOWN for name in names]
    ends = np.cumsum(sizes)
    return dict(zip(names, ends - np.asarray(sizes) / 2 - ends[-1] / 2, strict=True))


def _line(
    ax: Axes, start: tuple[float, float], end: tuple[float, float], colour: str, straight: bool, head: bool
) -> None:
    """From the right side of a place, which a line that passes it crosses first, to the left side of the next one."""
    (x, y), (end_x, end_y), half = start, end, BOX[0] / 2
    middle, last = (x + half + end_x - half) / 2, end_x - half - (0.01 if head else 0)
    points = [(x - half, y), (x + half, y), (middle, y), (middle, end_y), (last, end_y)][0 if straight else 1 :]
    codes = [Path.MOVETO, *([Path.LINETO] if straight else []), *[Path.CURVE4] * 3]
    style = {"edgecolor": colour, "facecolor": colour if head else "none", "linewidth": 0.9, "zorder": 1}
    ax.add_patch(PathPatch(Path(points, codes), **style | {"facecolor": "none"}))
    if head:
        tip = [(last, end_y), (last - 0.06, end_y - 0.028), (last - 0.06, end_y + 0.028)]
        ax.add_patch(Polygon(tip, closed=True, **style | {"linewidth": 0.5}))


def _box(ax: Axes, centre: tuple[float, float], stage: str, results: Results) -> None:
    own, (x, y) = results.costs[results.costs.verb == stage], centre
    ax.add_patch(
        FancyBboxPatch(
            (x - BOX[0] / 2, y - BOX[1] / 2),
            *BOX,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor="#f2f6fa",
            edgecolor="#0072b2",
            linewidth=0.9,
            zorder=2,
        )
    )
    ax.text(x, y - 0.16, stage, ha="center", va="center", fontsize=8.5, fontweight="bold", zorder=3)
    wall, cpu = (duration(float(own[name].fillna(0).sum())) for name in ("wall_seconds", "cpu_seconds"))
    words = f"{len(own)} {'job' if len(own) == 1 else 'jobs'}, {wall}\nCPU {cpu}"
    ax.text(x, y + 0.11, words, ha="center", va="center", fontsize=6.8, color="#4a4a4a", linespacing=1.3, zorder=3)


def _lanes(spans: Sequence[tuple[float, float]]) -> list[int]:
    """A lane for each span (sorted by start): the first that is free."""
    free: list[float] = []
    chosen = []
    for start, end in spans:
        lane = next((number for number, until in enumerate(free) if until <= start), len(free))
        free[lane : lane + 1] = [end]
        chosen.append(lane)
    return chosen
