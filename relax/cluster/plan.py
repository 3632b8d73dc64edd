"""Every job of an experiment, counted from the configuration, and when each could run.

The workflow's rules say the same, and a test holds the two together. `relax cost` does not ask Snakemake, because a dry
run needs the clone and does not say which job waits for which.
"""

import heapq
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from relax.cluster.resources import RULES, gpus, placement
from relax.cluster.site import Site
from relax.config import Experiment, frame_of, measured_policies, own_dimension
from relax.errors import ConfigError

#: Rules that run beside Snakemake, seconds each; no job of Slurm.
BEFORE, AFTER = ("data", "overlap"), ("tables", "figures", "report", "track")
LOCAL = (*BEFORE, *AFTER)
#: All rules in the order of the pipeline.
STAGES = (*BEFORE, *RULES, *AFTER)


@dataclass(frozen=True, eq=False)
class PlannedJob:
    """One job of the workflow.

    Attributes:
        rule: its rule.
        who: policy, method and seed, as far as the rule has them; of a dictionary its dimension, where it has one of
            its own.
        gpus: how many it asks for.
        after: the jobs whose outputs it reads.
    """

    rule: str
    who: tuple[str, ...]
    gpus: int
    after: tuple["PlannedJob", ...]

    @property
    def policy(self) -> str | None:
        return self.who[0] if self.who else None


def jobs(config: Experiment) -> list[PlannedJob]:
    """All jobs of a configuration, in an order in which they could run; the same that `snakemake -n` counts.

    Args:
        config: a loaded configuration.
    """
    data = PlannedJob("data", (), 0, ())
    found = [data, PlannedJob("overlap", (), 0, (data,))]
    frames: dict[str, dict[int | None, PlannedJob]] = {}
    # Policies that have a dictionary come before those that are measured with it.
    for policy in sorted(config.matrix.policies, key=lambda name: frame_of(config, name) != name):
        found += _of_policy(config, policy, data, frames)
    tables = PlannedJob("tables", (), 0, tuple(found))
    figures = PlannedJob("figures", (), 0, tuple(found))
    report = PlannedJob("report", (), 0, (tables, figures))
    return [*found, tables, figures, report, PlannedJob("track", (), 0, (report,))]


def _of_policy(
    config: Experiment, policy: str, data: PlannedJob, frames: dict[str, dict[int | None, PlannedJob]]
) -> Iterator[PlannedJob]:
    """The jobs of a policy; ``frames`` are the dictionaries of those before, by policy and m."""
    place = placement(config, policy, Site())

    def job(rule: str, *who: str, after: Sequence[PlannedJob]) -> PlannedJob:
        count = place.nodes * place.gpus if rule == "train" else gpus(config, rule, policy)
        return PlannedJob(rule, (policy, *who), count, tuple(after))

    base = job("base", after=[data])
    methods = config.matrix.methods
    own = {method: own_dimension(config, method) for method in methods}
    # The policies' spectra are measured in the common one, whatever methods there are.
    yield base
    measured, frame = policy in measured_policies(config), frame_of(config, policy)
    if measured and frame == policy:
        frames[policy] = {
            m: job("dictionary", *([] if m is None else [f"m{m}"]), after=[base])
            for m in dict.fromkeys([None, *own.values()])
        }
        yield from frames[policy].values()
    dictionaries = frames[frame] if measured else {}
    policies = {("initial", "0"): base}
    for method, seed in itertools.product(methods, map(str, config.matrix.seeds)):
        trained = job("train", method, seed, after=[dictionaries[own[method]]])
        yield trained
        policies[method, seed] = trained
    for who, made in policies.items():
        if measured:
            extracted = job("extract", *who, after=[made, dictionaries[None]])
            yield from (extracted, job("koopman", *who, after=[extracted]))
        responses = job("generate", *who, after=[made])
        grades = job("grade", *who, after=[responses])
        yield from (responses, grades, job("evaluate", *who, after=[grades]))


def schedule(
    planned: Sequence[PlannedJob], hours: Callable[[PlannedJob], float], at_once: int, total_gpus: int | None
) -> dict[PlannedJob, tuple[float, float]]:
    """When each job would begin and end, in hours: trainings first, as soon as there is room.

    Args:
        planned: of :func:`jobs`.
        hours: how long a job takes.
        at_once: jobs of Slurm that run at the same time (`jobs` of the profile).
        total_gpus: GPUs at the same time; None is no limit.

    Raises:
        ConfigError: a job asks for more GPUs than there are.
    """
    for job in planned:
        if total_gpus is not None and job.gpus > total_gpus:
            raise ConfigError(f"--gpus {total_gpus}: {job.rule} {job.policy} alone takes {job.gpus}; give as many.")
    waiting = {job: len(job.after) for job in planned}
    followers: dict[PlannedJob, list[PlannedJob]] = {job: [] for job in planned}
    for job in planned:
        for needed in job.after:
            followers[needed].append(job)
    order = {job: (job.rule != "train", number) for number, job in enumerate(planned)}
    ready = sorted((job for job in planned if not job.after), key=order.__getitem__)
    running: list[tuple[float, int, PlannedJob]] = []
    times: dict[PlannedJob, tuple[float, float]] = {}
    now, free, free_gpus = 0.0, at_once, total_gpus if total_gpus is not None else sum(job.gpus for job in planned)
    while ready or running:
        left = []
        for job in ready:
            slots = job.rule not in LOCAL
            if slots <= free and job.gpus <= free_gpus:
                times[job] = (now, now + hours(job))
                heapq.heappush(running, (times[job][1], order[job][1], job))
                free, free_gpus = free - slots, free_gpus - job.gpus
            else:
                left.append(job)
        now, _, ended = heapq.heappop(running)
        free, free_gpus = free + (ended.rule not in LOCAL), free_gpus + ended.gpus
        for job in followers[ended]:
            waiting[job] -= 1
            if not waiting[job]:
                left.append(job)
        ready = sorted(left, key=order.__getitem__)
    return times
