"""Every job of an experiment, counted from the configuration, and when each could run."""

import heapq
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from relax.cluster.resources import RULES, gpus, layout
from relax.cluster.site import Site
from relax.config import Config, own_dimension
from relax.errors import ConfigError

#: Rules that run beside Snakemake, seconds each; no job of Slurm.
BEFORE, AFTER = ("data", "overlap"), ("tables", "figures", "report", "track")
LOCAL = (*BEFORE, *AFTER)
#: All rules in the order of the pipeline.
STAGES = (*BEFORE, *RULES, *AFTER)


@dataclass(frozen=True, eq=False)
class Job:
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
    after: tuple["Job", ...]

    @property
    def policy(self) -> str | None:
        return self.who[0] if self.who else None


def jobs(config: Config) -> list[Job]:
    """All jobs of a configuration, in an order in which they could run; the same that `snakemake -n` counts.

    Args:
        config: a loaded configuration.
    """
    data = Job("data", (), 0, ())
    found = [data, Job("overlap", (), 0, (data,))]
    for policy in config["matrix"]["policies"]:
        found += _of_policy(config, policy, data)
    tables = Job("tables", (), 0, tuple(found))
    figures = Job("figures", (), 0, tuple(found))
    report = Job("report", (), 0, (tables, figures))
    return [*found, tables, figures, report, Job("track", (), 0, (report,))]


def _of_policy(config: Config, policy: str, data: Job) -> Iterator[Job]:
    place = layout(config, policy, Site())

    def job(rule: str, *who: str, after: Sequence[Job]) -> Job:
        count = place.nodes * place.gpus if rule == "train" else gpus(config, rule, policy)
        return Job(rule, (policy, *who), count, tuple(after))

    base = job("base", after=[data])
    methods = config["matrix"]["methods"]
    own = {method: own_dimension(config, method) for method in methods}
    # The policies' spectra are measured in the common one, whatever methods there are.
    dictionaries = {
        m: job("dictionary", *([] if m is None else [f"m{m}"]), after=[base])
        for m in dict.fromkeys([None, *own.values()])
    }
    yield from (base, *dictionaries.values())
    policies = {("initial", "0"): base}
    for method, seed in itertools.product(methods, map(str, config["matrix"]["seeds"])):
        trained = job("train", method, seed, after=[dictionaries[own[method]]])
        yield trained
        policies[method, seed] = trained
    for who, made in policies.items():
        extracted = job("extract", *who, after=[made, dictionaries[None]])
        responses = job("generate", *who, after=[made])
        grades = job("grade", *who, after=[responses])
        yield from (extracted, job("koopman", *who, after=[extracted]))
        yield from (responses, grades, job("evaluate", *who, after=[grades]))


def schedule(
    planned: Sequence[Job], hours: Callable[[Job], float], at_once: int, total_gpus: int | None
) -> dict[Job, tuple[float, float]]:
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
    followers: dict[Job, list[Job]] = {job: [] for job in planned}
    for job in planned:
        for needed in job.after:
            followers[needed].append(job)
    order = {job: (job.rule != "train", number) for number, job in enumerate(planned)}
    ready = sorted((job for job in planned if not job.after), key=order.__getitem__)
    running: list[tuple[float, int, Job]] = []
    times: dict[Job, tuple[float, float]] = {}
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
