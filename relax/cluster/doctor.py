"""``relax doctor``: is this machine, and with ``--slurm`` this cluster, ready for an experiment? One line a finding."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from relax import config as settings
from relax.cluster import memory
from relax.cluster.preflight import Diagnosis, earlier, image, preflight
from relax.cluster.resources import disk_gb
from relax.cluster.site import Site, read_site
from relax.config import Experiment
from relax.config.tracking_uri import DATABASES
from relax.data.policy_files import billions, size_is_known, wheel_file
from relax.errors import MachineError, RelaxError
from relax.files import of_the_clone
from relax.records.record import git_state, masked
from relax.tasks import reasoning_gym

#: File systems that every node of a cluster may see.
SHARED = ("nfs", "lustre", "gpfs", "beegfs", "ceph", "fuse", "panfs", "pvfs", "orangefs", "wekafs", "afs", "glusterfs")


#: Gigabytes of a GPU where nobody says how many.
GPU_GB = 80.0


def doctor(paths: Sequence[Path], slurm: bool, gpu: float = GPU_GB) -> int:
    """Print every finding; the exit code is 0 without a fault, 2 for a faulty configuration, else 4.

    Args:
        paths: configuration files; ``config/config.yaml`` comes first, as in the pipeline.
        slurm: look at the cluster as well.
        gpu: gigabytes of a GPU that jobs run on.
    """
    faults = 0
    try:
        loaded = settings.load(settings.over_base(paths))
        root, site = Path("results") / loaded.name, read_site()
        settings.check_results_folder(loaded, root)
        settings.check_local_files(loaded, settings.over_base(paths))
        for policy in loaded.matrix.policies:
            billions(loaded, policy)  # reads the headers of files that are here
    except RelaxError as error:
        print(Diagnosis("fault", str(error)))
        return error.exit_code
    print(Diagnosis("ok", f"configuration {loaded.name}, results in {root}"))
    for finding in _findings(loaded, site, root, slurm, gpu):
        print(finding, flush=True)
        faults += finding.level == "fault"
    return MachineError.exit_code if faults else 0


def _findings(config: Experiment, site: Site, root: Path, slurm: bool, gpu: float) -> Iterator[Diagnosis]:
    yield from _versions()
    yield from _gpu()
    yield from _disk(config, site, root)
    yield from memory.findings(config, gpu)
    yield from _snapshots(config)
    yield from _wheels(config)
    yield from _library(config)
    yield from _tracking(config.tracking.uri or site.mlflow_uri or "")
    if slurm:
        yield from _shared(site)
        yield from preflight(config, site)
        yield from earlier(root)
        yield from image(site)


def _versions() -> Iterator[Diagnosis]:
    """The commit, and the installed packages against the lock they came from."""
    state = git_state()
    commit = (
        f"commit {state['commit'][:12]}{' and changes' if state['dirty'] else ''}" if state["commit"] else "no commit"
    )
    yield Diagnosis("ok", f"{commit}, Python {platform.python_version()}, {platform.platform()}")
    kind = "cpu" if _installed("torch").endswith("+cpu") else "cuda"
    try:
        lines = of_the_clone(f"envs/{kind}.lock").read_text(encoding="utf-8").splitlines()
    except MachineError as error:
        yield Diagnosis("warning", f"packages are not compared with a lock: {error}")
        return
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    different = [f"{name} {_installed(name)}, not {pin}" for name, pin in pins if _installed(name) != pin]
    if different:
        more = f" and {len(different) - 3} more" if len(different) > 3 else ""
        yield Diagnosis(
            "fault",
            f"packages are not those of envs/{kind}.lock: {', '.join(different[:3])}{more}",
            f"envs/setup.sh {kind}",
        )
    else:
        yield Diagnosis("ok", f"{len(pins)} packages are those of envs/{kind}.lock")


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "missing"


def _gpu() -> Iterator[Diagnosis]:
    if shutil.which("nvidia-smi") is None:
        yield Diagnosis("ok", "no GPU on this machine; policies made from scratch need none")
        return
    import torch

    if not torch.cuda.is_available():
        yield Diagnosis(
            "warning", f"nvidia-smi is there, but torch {torch.__version__} sees no GPU", "envs/setup.sh cuda"
        )
        return
    names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    yield Diagnosis("ok", f"GPU: {', '.join(names)}")


def _disk(config: Experiment, site: Site, root: Path) -> Iterator[Diagnosis]:
    models, checkpoints = disk_gb(config)
    unknown = [name for name in config.matrix.policies if not size_is_known(config, name)]
    scratch = Path(site.scratch) if site.scratch else None
    if scratch and not (scratch.is_dir() and os.access(scratch, os.W_OK)):
        yield Diagnosis(
            "fault", f"scratch {scratch}: no folder that can be written", "make it, or set scratch to another"
        )
        scratch = None
    places = [(root, models, "the trained policies"), (scratch or root, checkpoints, "checkpoints of one training")]
    for place, needed, what in places:
        free = shutil.disk_usage(next(path for path in (place, *place.absolute().parents) if path.exists())).free / 1e9
        if unknown:
            size = f"how much {what} take is known after `relax fetch`"
            yield Diagnosis("ok", f"disk: {free:.0f} GB free at {place}, {size}")
        elif free < needed:
            yield Diagnosis("warning", f"disk: {free:.0f} GB free at {place}, {what} take {needed:.0f} GB", "make room")
        else:
            yield Diagnosis("ok", f"disk: {free:.0f} GB free at {place}, {what} take {needed:.1f} GB")


def _snapshots(config: Experiment) -> Iterator[Diagnosis]:
    """What `relax fetch` brings: compute nodes read it from the local cache."""
    wanted = list(_sources(config))
    if not wanted:
        return
    from relax.data.hub_cache import cached

    absent = [
        source["repo"]
        for kind, source in wanted
        if not cached(source["repo"], kind, None if source["revision"] == "unpinned" else source["revision"])
    ]
    if absent:
        yield Diagnosis("fault", f"hub cache: {', '.join(absent)} not there", "relax fetch with the same --configfile")
    else:
        yield Diagnosis("ok", f"hub cache: all {len(wanted)} snapshots of models and data are there")


def _wheels(config: Experiment) -> Iterator[Diagnosis]:
    """The files of wheels, which `relax fetch` brings as well."""
    for name in config.matrix.policies:
        if (wheel := config.policies[name].wheel) is None:
            continue
        if (file := wheel_file(wheel)).is_file():
            yield Diagnosis("ok", f"{wheel.package} {wheel.version}: its file is at {file}")
        else:
            yield Diagnosis(
                "fault",
                f"{wheel.package} {wheel.version}: its file is not at {file}",
                "relax fetch with the same --configfile",
            )


def _library(config: Experiment) -> Iterator[Diagnosis]:
    """The library that some problems come from, which the common environment does not have."""
    if config.data.source != reasoning_gym.NAME:
        return
    try:
        version = reasoning_gym.library_version()
    except MachineError as error:
        yield Diagnosis("fault", str(error).rstrip("."))
        return
    yield Diagnosis("ok", f"reasoning-gym {version} makes and checks the problems")


def _tracking(uri: str) -> Iterator[Diagnosis]:
    """The driver of a database that runs go to."""
    if not uri.startswith(DATABASES):
        return
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError

    try:
        create_engine(uri)
    except ImportError as error:
        yield Diagnosis("fault", f"tracking: {masked(uri)} needs the Python package {error.name}", "pip install it")
    except SQLAlchemyError as error:
        yield Diagnosis(
            "fault",
            f"tracking: {masked(uri)} is no address of a database ({masked(str(error))})",
            "write kind://host/name",
        )


def _sources(config: Experiment) -> Iterator[tuple[str, dict[str, Any]]]:
    from relax.config.benchmarks import find, read_task

    for name in config.matrix.policies:
        if (hub := config.policies[name].hub) is not None:
            yield "model", hub.recorded()
    for source in config.data.datasets:
        if source.path is None:
            yield "dataset", source.recorded()
    for name in config.matrix.benchmarks:
        entry = config.benchmarks[name]
        if entry.path is None and "repo" in read_task(entry.task)["metadata"]:
            benchmark = find(entry.task)
            yield "dataset", {"repo": benchmark.repo, "revision": benchmark.revision}


def _shared(site: Site) -> Iterator[Diagnosis]:
    """Compute nodes must see the clone, its environment, the scratch folder and the hub cache."""
    cache = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    places = {"this folder": Path.cwd(), "the environment": Path(sys.prefix), "the hub cache": cache}
    if site.scratch:
        places["scratch"] = Path(site.scratch)
    own = [
        f"{what} ({path}: {kind})"
        for what, path in places.items()
        if not (kind := _file_system(path)).startswith(SHARED)
    ]
    if own:
        yield Diagnosis(
            "warning",
            f"on disks that look like this machine's own: {', '.join(own)}",
            "compute nodes must see them; move them to a shared disk",
        )
    else:
        yield Diagnosis("ok", "clone, environment, hub cache and scratch are on shared disks")


def _file_system(path: Path) -> str:
    """Type of the file system that a path is on, by the longest mount point that leads to it."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    real = path.resolve()
    above = [(len(place), kind) for place, kind in mounts if real.is_relative_to(place.replace("\\040", " "))]
    return max(above)[1] if above else "unknown"
