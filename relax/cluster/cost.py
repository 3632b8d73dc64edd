"""``relax cost``: jobs, GPU hours, disk and time of an experiment by stage, before anything is submitted."""

import csv
import statistics
import textwrap
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from relax import config as settings
from relax.cluster.plan import LOCAL, STAGES, PlannedJob, jobs, schedule
from relax.cluster.resources import grows, needs
from relax.cluster.site import FOLDER, Site
from relax.config import Experiment
from relax.config.benchmarks import find, read_task
from relax.data.policy_files import billions, gguf_file, size_is_known
from relax.errors import ConfigError
from relax.progress import duration
from relax.reading import read_yaml

#: Rules whose jobs write weights.
WEIGHTS = ("base", "train")
#: Bytes of a token of a response as text; English is nearer to 4.
TEXT_BYTES = 6


@dataclass
class Stage:
    """Sums over the jobs of a rule; hours, megabytes of memory of the largest, gigabytes of disk.

    They are unknown where they depend on the size of a policy that `relax fetch` has not brought yet.
    """

    jobs: int = 0
    gpus: set[int] = field(default_factory=set)
    hours: list[float] = field(default_factory=list)
    gpu_hours: float = 0.0
    cpu_hours: float = 0.0
    memory: float = 0.0
    disk: float = 0.0
    begins: float = float("inf")
    ends: float = 0.0
    measured: int = 0
    unknown: bool = False


def cost(paths: Sequence[Path], gpus: int | None = None, at_once: int | None = None) -> str:
    """The table, and what its numbers are.

    A job takes what jobs of its rule and policy took in ``results/<name>/`` on average, where some have ended there;
    else what it asks Slurm for (``resources``), which is an upper bound and for rules beside Snakemake nothing.

    Args:
        paths: configuration files; ``config/config.yaml`` comes first, as in the pipeline.
        gpus: GPUs at the same time; None is no limit.
        at_once: jobs at the same time; None is `jobs` of profiles/slurm.

    Raises:
        ConfigError: the configuration is faulty, one job takes more GPUs than there are, or there is no profile.
    """
    loaded = settings.load(settings.over_base(paths))
    root = Path("results") / loaded.name
    planned, took = jobs(loaded), _measured(root / "timings")
    asked: dict[tuple[str, str | None], dict[str, Any]] = {
        (job.rule, job.policy): needs(loaded, job.rule, job.policy, 1, Site())
        for job in planned
        if job.policy is not None
    }

    def hours(job: PlannedJob) -> float:
        if (job.rule, job.policy) in took:
            return took[job.rule, job.policy]
        return asked[job.rule, job.policy]["runtime"] / 60 if job.rule not in LOCAL else 0.0

    profile = FOLDER / "config.yaml"
    if at_once is None and not profile.is_file():
        raise ConfigError(
            f"{profile}: no such profile; run this in a clone of the repository, or say with --jobs how many jobs run "
            "at the same time."
        )
    at_once = at_once or read_yaml(profile, "profile")["jobs"]
    times = schedule(planned, hours, at_once, gpus)
    responses = _responses(loaded)
    stages: dict[str, Stage] = defaultdict(Stage)
    for job in planned:
        stage, (begins, ends), one = stages[job.rule], times[job], asked.get((job.rule, job.policy), {})
        stage.jobs += 1
        stage.gpus.add(job.gpus)
        stage.hours.append(ends - begins)
        stage.gpu_hours += job.gpus * (ends - begins)
        stage.cpu_hours += one.get("cpus_per_task", 1) * (ends - begins)
        stage.memory = max(stage.memory, one.get("mem_mb", 0.0))
        stage.disk += _disk(loaded, job, responses)
        stage.begins, stage.ends = min(stage.begins, begins), max(stage.ends, ends)
        stage.measured += (job.rule, job.policy) in took
        if job.policy is not None and not size_is_known(loaded, job.policy):
            stage.unknown |= job.rule in WEIGHTS or grows(loaded, job.rule)
    room = f"{at_once} jobs at once, {'any number of' if gpus is None else gpus} GPUs"
    return _text(loaded, root, stages, times, room)


def _measured(folder: Path) -> dict[tuple[str, str | None], float]:
    """(rule, policy) -> mean hours of its finished jobs, as Snakemake's `benchmark` files tell."""
    found: dict[tuple[str, str | None], list[float]] = defaultdict(list)
    for path in sorted(folder.rglob("*.tsv")):
        rule, *who = path.relative_to(folder).with_suffix("").parts
        with path.open(encoding="utf-8", newline="") as stream:
            seconds = [float(row["s"]) for row in csv.DictReader(stream, delimiter="\t") if row.get("s")]
        found[rule, who[0] if who else None] += seconds
    return {key: statistics.fmean(seconds) / 3600 for key, seconds in found.items() if seconds}


# Disk, in gigabytes ---------------------------------------------------------------------------------


def _disk(config: Experiment, job: PlannedJob, responses: int) -> float:
    """An upper bound of what a job leaves: exact for models and statistics, full length for responses."""
    if job.policy is None:
        return 0.0
    size = billions(config, job.policy)
    tokens = config.evaluation.longest(config.training.max_response_length)
    return {
        # bfloat16; hard links to the hub's cache on the same disk. A GGUF file becomes float32.
        "base": 2 * size if gguf_file(config.policies[job.policy]) is None else 4 * size,
        "train": 4 * size,  # float32
        "extract": _trajectories(config) * 16 * (3 * config.dictionary.koopman_dim**2) / 1e9,
        "generate": responses * tokens * TEXT_BYTES / 1e9,
        "grade": responses * 200 / 1e9,
    }.get(job.rule, 0.0)


def _trajectories(config: Experiment) -> int:
    """Of an ``extract`` job; each leaves three Gram matrices in float64, and three more of shuffled states."""
    analysis = config.analysis
    return analysis.prompts * analysis.responses_per_prompt + config.dictionary.probes


def _responses(config: Experiment) -> int:
    """To all benchmarks, of one policy."""
    total = 0
    for name in config.matrix.benchmarks:
        entry = config.benchmarks[name]
        known = find(entry.task).rows if "repo" in read_task(entry.task)["metadata"] else None
        rows = entry.rows or known or config.data.test_problems
        total += rows * (entry.samples + entry.greedy)
    return total


def _checkpoints(config: Experiment, times: dict[PlannedJob, tuple[float, float]]) -> float:
    """The most that the trainings running at one time keep: two checkpoints of 12 bytes a parameter each."""
    events = []
    for job, (begins, ends) in times.items():
        if job.rule == "train" and job.policy is not None:
            kept = 2 * 12 * billions(config, job.policy)
            events += [(begins, kept), (ends, -kept)]
    now = most = 0.0
    for _, change in sorted(events):
        now += change
        most = max(most, now)
    return most


# Text -----------------------------------------------------------------------------------------------

HEAD = ("stage", "jobs", "GPUs each", "time each", "GPU hours", "CPU hours", "memory", "disk", "from", "to")
UNKNOWN = "unknown"
KINDS = {"policies": "policy", "methods": "method", "seeds": "seed", "benchmarks": "benchmark"}


def _text(
    config: Experiment, root: Path, stages: dict[str, Stage], times: dict[PlannedJob, tuple[float, float]], room: str
) -> str:
    rows = [HEAD, *(_row(rule, stages[rule]) for rule in STAGES if stages[rule].jobs)]
    rows.append(_total(list(stages.values()), max(ends for _, ends in times.values())))
    if any(stage.unknown for stage in stages.values()):  # when a stage begins rests on those before it
        rows = [HEAD, *((*row[:-2], "", "") for row in rows[1:])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [
        "  ".join(
            cell.ljust(width) if not number else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    sizes = {kind: len(getattr(config.matrix, kind)) for kind in KINDS}
    counts = ", ".join(f"{n} {kind if n != 1 else KINDS[kind]}" for kind, n in sizes.items())
    return "\n".join(
        [f"{config.name}: {counts}", "", *lines, "", *textwrap.wrap(_notes(config, root, stages, times, room), 110)]
    )


def _notes(
    config: Experiment, root: Path, stages: dict[str, Stage], times: dict[PlannedJob, tuple[float, float]], room: str
) -> str:
    measured = [rule for rule in STAGES if stages[rule].measured]
    asked = (
        "what jobs ask Slurm for (`resources` of the configuration), an upper bound; what runs beside Snakemake takes "
        "seconds"
    )
    source = asked
    if measured:
        source = f"means of the jobs that have ended in {root}"
        source += f" ({', '.join(measured)}); else {asked}" if len(measured) < len(STAGES) else ""
    checkpoints = _checkpoints(config, times)
    unknown = [name for name in config.matrix.policies if not size_is_known(config, name)]
    fetched = f" Unknown: the size of {', '.join(unknown)} is known after `relax fetch`." if unknown else ""
    shown = checkpoints >= 0.05 and not unknown
    beside = f", and {_gigabytes(checkpoints)} of checkpoints while trainings run" if shown else ""
    return (
        f"Times: {source}. From and to: {room}, no waiting in the queue, no second attempt. Memory: of the largest "
        f"job. Disk: at most, with every response at full length{beside}.{fetched}"
    )


def _row(rule: str, stage: Stage) -> tuple[str, ...]:
    def span(values: Sequence[str]) -> str:
        shown = list(dict.fromkeys(values))
        return shown[0] if len(shown) == 1 else f"{shown[0]} to {shown[-1]}"

    if rule in LOCAL and not stage.measured:
        return (rule, f"{stage.jobs:,}", *[""] * (len(HEAD) - 2))
    if stage.unknown:
        return (rule, f"{stage.jobs:,}", *[UNKNOWN] * 6, "", "")
    gpus, hours = [str(n) for n in sorted(stage.gpus)], [_time(h) for h in sorted(stage.hours)]
    memory = f"{stage.memory / 1000:,.0f} GB" if stage.memory else ""
    sums = (_hours(stage.gpu_hours), _hours(stage.cpu_hours), memory, _gigabytes(stage.disk))
    return (rule, f"{stage.jobs:,}", span(gpus), span(hours), *sums, _time(stage.begins), _time(stage.ends))


def _total(stages: Sequence[Stage], end: float) -> tuple[str, ...]:
    if any(s.unknown for s in stages):
        return ("all", f"{sum(s.jobs for s in stages):,}", "", "", *[UNKNOWN] * 2, "", UNKNOWN, "", "")
    count, disk = sum(s.jobs for s in stages), sum(s.disk for s in stages)
    gpu_hours, cpu_hours = sum(s.gpu_hours for s in stages), sum(s.cpu_hours for s in stages)
    return ("all", f"{count:,}", "", "", _hours(gpu_hours), _hours(cpu_hours), "", _gigabytes(disk), "", _time(end))


def _hours(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:,.1f}" if hours >= 0.05 else ""


def _time(hours: float) -> str:
    return f"{hours / 24:,.1f} days" if hours >= 48 else duration(3600 * hours)


def _gigabytes(size: float) -> str:
    return f"{size:,.0f} GB" if size >= 10 else f"{size:,.1f} GB" if size >= 0.05 else ""
