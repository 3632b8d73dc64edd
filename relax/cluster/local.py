"""Runs on one machine: the memory that jobs may share, how long all of them still take, and what they have cost."""

import csv
import json
import logging
import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from relax.config import Experiment
from relax.progress import duration

#: Megabytes of a job whose policy is made from scratch; the largest job of the demo takes 840.
SCRATCH_MB = 1000
#: Where a control group, such as a container's, says how much memory it may use.
CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
#: Seconds of a job that nothing is known about: the rules without a policy, such as tables and figures.
USUAL = 10.0
#: Seconds of finished work after which the speed of this machine counts as much as that of the reference.
TRIAL = 60.0


# Memory -------------------------------------------------------------------------------------------


def machine_mb(limits: Iterable[str] = CGROUPS) -> int:
    """Memory of this machine, or of the container that this process runs in, in megabytes of a million bytes.

    Args:
        limits: files of control groups; one that is missing or holds no number limits nothing.
    """
    sizes = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in map(Path, limits):
        text = path.read_text().strip() if path.is_file() else ""
        sizes += [int(text)] if text.isdecimal() else []
    return min(sizes) // 1_000_000


def job_mb(config: Experiment, policy: str, asked: int, machine: int) -> int:
    """Megabytes that a job counts for beside others on this machine.

    Args:
        config: a loaded configuration.
        policy: the job's.
        asked: what its Slurm job would ask for, from ``resources``. It counts for a pretrained policy alone: the
            table's least is far above what a policy made from scratch takes.
        machine: of :func:`machine_mb`. A job that asks for more runs by itself.
    """
    return min(machine, SCRATCH_MB if config.policies[policy].scratch is not None else asked)


# Time ---------------------------------------------------------------------------------------------


def reference_seconds(folder: Path) -> dict[str, float]:
    """Verb -> mean seconds of its jobs in a tracked run of the same experiment; empty where there is none.

    Args:
        folder: ``results/reference/<name>``.
    """
    path = folder / "runs.json"
    if not path.is_file():
        return {}
    found: dict[str, list[float]] = {}
    for run in json.loads(path.read_text(encoding="utf-8"))["runs"]:
        # A job of `evaluate` writes a record for each benchmark, within the same seconds.
        found.setdefault(run["verb"], []).append(run["wall_seconds"])
    return {verb: sum(seconds) / len(seconds) for verb, seconds in found.items()}


class Outlook(logging.Handler):
    """Prints a line whenever a job has ended: how many of all have, and about how long the others take.

    A job's time is that of the finished ones of its rule, or of the reference at the speed of this machine so far.
    While a training is among those of which nothing is known, no time left is printed.

    Args:
        name: of the experiment.
        jobs: the rule of each job that is to run.
        expected: rule -> seconds of a job, of :func:`reference_seconds`.
        side_by_side: jobs that run at once.
        clock: seconds.
        say: takes the line.
    """

    def __init__(
        self,
        name: str,
        jobs: Iterable[str],
        expected: Mapping[str, float],
        side_by_side: int,
        clock: Callable[[], float] = time.monotonic,
        say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
    ) -> None:
        super().__init__()
        self.name, self.waiting, self.expected = name, list(jobs), expected
        self.side_by_side, self.clock, self.say = side_by_side, clock, say
        self.total, self.start = len(self.waiting), clock()
        self.running: dict[int, tuple[str, float]] = {}
        self.measured: dict[str, list[float]] = {}
        self.say(f"{name}: {self.total} {'job' if self.total == 1 else 'jobs'} to run{self._left()}")

    def emit(self, record: logging.LogRecord) -> None:
        """Hear of a job's begin or end, as Snakemake logs them."""
        said: Any = record  # Snakemake's entries carry attributes that the type of a record does not have
        event = getattr(said, "event", None)
        if event == "job_info" and said.rule_name in self.waiting:
            self.waiting.remove(said.rule_name)
            self.running[said.jobid] = (said.rule_name, self.clock())
        elif event == "job_finished" and said.job_id in self.running:
            rule, start = self.running.pop(said.job_id)
            self.measured.setdefault(rule, []).append(self.clock() - start)
            done = self.total - len(self.waiting) - len(self.running)
            self.say(f"{self.name}: {done} of {self.total} jobs, {duration(self.clock() - self.start)}{self._left()}")

    def _left(self) -> str:
        running = [max(0.0, self._seconds(rule) - (self.clock() - start)) for rule, start in self.running.values()]
        rest = running + [self._seconds(rule) for rule in self.waiting]
        if not rest or math.isnan(sum(rest)):
            return ""
        return f", about {duration(max(sum(rest) / self.side_by_side, *rest))} left"

    def _seconds(self, rule: str) -> float:
        if measured := self.measured.get(rule):
            return sum(measured) / len(measured)
        if rule == "train" and rule not in self.expected:
            return math.nan
        known = {name: found for name, found in self.measured.items() if name in self.expected}
        took = TRIAL + sum(map(sum, known.values()))
        thought = TRIAL + sum(self.expected[name] * len(found) for name, found in known.items())
        return self.expected.get(rule, USUAL) * took / thought


# Cost ---------------------------------------------------------------------------------------------


def costs(timings: Path) -> str:
    """Time, CPU time and peak memory of each stage, as a table for a terminal; empty where nothing was timed.

    Args:
        timings: the folder of Snakemake's benchmark files, one a job, in folders by rule.
    """
    stages: dict[str, list[dict[str, str]]] = {}
    for path in sorted(timings.rglob("*.tsv"), key=lambda path: path.stat().st_mtime):
        stage = path.relative_to(timings).parts[0].removesuffix(".tsv")
        with path.open(encoding="utf-8", newline="") as stream:
            stages.setdefault(stage, []).extend(csv.DictReader(stream, delimiter="\t"))
    if not stages:
        return ""
    rows = [("stage", "jobs", "time", "CPU time", "peak memory")]
    for stage, jobs in stages.items():
        rows.append(
            (
                stage,
                str(len(jobs)),
                duration(sum(_numbers(jobs, "s"))),
                duration(sum(_numbers(jobs, "cpu_time"))),
                f"{max(_numbers(jobs, 'max_rss'), default=0.0) / 1000:.1f} GB",
            )
        )
    first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    lines = []
    for stage, *numbers in rows:
        cells = [number.rjust(width) for number, width in zip(numbers, others, strict=True)]
        lines.append("  ".join([stage.ljust(first), *cells]))
    return "\n".join(lines)


def _numbers(jobs: Iterable[Mapping[str, str]], column: str) -> list[float]:
    """Of the jobs that were long enough for Snakemake to look at them."""
    found = []
    for job in jobs:
        try:
            found.append(float(job.get(column, "")))
        except ValueError:
            continue
    return found
