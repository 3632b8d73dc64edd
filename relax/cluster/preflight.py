"""The pre-flight: what would stop a run on Slurm hours later, asked of the cluster in seconds."""

import getpass
import hashlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from relax.cluster.resources import RULES, gpus, needs, placement
from relax.cluster.site import FOLDER, REQUIRED, Site, variable
from relax.cluster.slurm import ask, live_jobs, try_to_ask, unfinished_runs
from relax.config import Experiment
from relax.errors import MachineError
from relax.reading import read_yaml


@dataclass(frozen=True)
class Diagnosis:
    """One line of the doctor: what was looked at and found, and how to mend it."""

    level: Literal["ok", "warning", "fault"]
    what: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.level:<8} {self.what}" + (f"; {self.fix}" if self.fix else "")


def preflight(config: Experiment, site: Site) -> Iterator[Diagnosis]:
    """Would the cluster run every kind of job? The cheap and telling questions first.

    Args:
        config: a loaded configuration.
        site: the cluster's settings.
    """
    missing = [name for name in ("sbatch", "squeue", "sinfo", "scontrol", "srun") if shutil.which(name) is None]
    if missing:
        yield Diagnosis("fault", f"Slurm: {', '.join(missing)} not found", "run this on a login node of the cluster")
        return
    code, text = try_to_ask("scontrol", "ping")
    if code or " is UP" not in text:
        yield Diagnosis("fault", "Slurm: its controller does not answer", "wait, or ask the cluster's support")
        return
    settings = _settings()
    yield Diagnosis("ok", f"Slurm {settings.get('SLURM_VERSION', '?')}, cluster {settings.get('ClusterName', '?')}")
    yield from _site(site)
    yield from _accounting(site, settings)
    yield from _polling(settings)
    yield from _idle(config, site)
    if not site.unset:
        partitions = list(_partitions(config, site))
        yield from partitions
        if all(finding.level != "fault" for finding in partitions):
            yield from _limits(config, site)


def refuse_faults(config: Experiment, site: Site) -> None:
    """Before anything is submitted.

    Raises:
        MachineError: the cluster would not run every job; names each fault and its fix.
    """
    faults = [f"{finding.what}; {finding.fix}" for finding in preflight(config, site) if finding.level == "fault"]
    if faults:
        raise MachineError("this cluster would not run every job:\n  " + "\n  ".join(faults))


def _settings() -> dict[str, str]:
    pairs = (line.split("=", 1) for line in ask("scontrol", "show", "config").splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _site(site: Site) -> Iterator[Diagnosis]:
    for name in site.unset:
        yield Diagnosis(
            "fault", f"site: {name} is not set", f"fill it in in profiles/slurm/site.yaml or export {variable(name)}"
        )
    if not site.unset:
        said = ", ".join(f"{name} {getattr(site, name) or 'none'}" for name in REQUIRED)
        yield Diagnosis("ok", f"site: {said}")


def _accounting(site: Site, settings: dict[str, str]) -> Iterator[Diagnosis]:
    account, user = site.slurm_account, getpass.getuser()
    if settings.get("AccountingStorageType", "").endswith("/none"):
        if account:
            yield Diagnosis(
                "fault",
                f"account {account}: accounting is off, and the plugin refuses a job whose account it cannot check",
                "set slurm_account: none",
            )
        else:
            yield Diagnosis("ok", "accounting is off: job states come from squeue")
        return
    code, text = try_to_ask("sacctmgr", "-n", "-P", "show", "assoc", f"user={user}", "format=account")
    known = sorted(set(text.split())) if not code else []
    if code:
        yield Diagnosis("warning", "accounting is on, but sacctmgr does not answer", "check the account by hand")
    elif account and account.lower() not in known:
        yield Diagnosis(
            "fault",
            f"account {account}: not one of {user}'s ({', '.join(known) or 'there are none'})",
            "set slurm_account to one of them",
        )
    elif not account:
        yield Diagnosis(
            "warning",
            f"slurm_account is none, {user} has {', '.join(known) or 'none'}",
            "jobs are charged to the cluster's default account",
        )
    else:
        yield Diagnosis("ok", f"account {account}")


def minutes(text: str) -> float | None:
    """A time limit of Slurm (``2-00:00:00``, ``01:30:00``) in minutes; None is unlimited."""
    found = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d\d):(\d\d)", text)
    if not found:
        return None
    days, hours, mins, seconds = (int(part or 0) for part in found.groups())
    return 1440 * days + 60 * hours + mins + seconds / 60


def _attempts() -> int:
    return 1 + read_yaml(FOLDER / "config.yaml", "profile").get("retries", 0)


def _kinds(config: Experiment, site: Site, gpu: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """(rule and policy in words, resources) of every kind of job, first and last attempt, with or without GPUs."""
    for attempt in sorted({1, _attempts()}):
        for rule in RULES:
            for policy in config.matrix.policies:
                asked = needs(config, rule, policy, attempt, site)
                if bool(asked["gpu"] or asked["gres"]) == gpu:
                    yield f"{rule} {policy}, attempt {attempt}", asked


def _idle(config: Experiment, site: Site) -> Iterator[Diagnosis]:
    for policy in config.matrix.policies:
        count = gpus(config, "train", policy)
        if count > 1 and placement(config, policy, site).processes == 1:
            yield Diagnosis(
                "warning",
                f"train {policy}: {count} GPUs, but one process",
                "set training.parallel to ddp, fsdp2 or zero3",
            )


def _partitions(config: Experiment, site: Site) -> Iterator[Diagnosis]:
    for name, key, gpu in ((site.cpu_partition, "cpu_partition", False), (site.gpu_partition, "gpu_partition", True)):
        kinds = list(_kinds(config, site, gpu))
        if kinds:
            yield from _partition(name, key, kinds)
            if gpu:
                yield from _gpu_types(name, site.gpu_type)


def _partition(name: str | None, key: str, kinds: list[tuple[str, dict[str, Any]]]) -> Iterator[Diagnosis]:
    """There, up, and long enough: Slurm takes a job beyond the limit and lets it wait for ever."""
    names = ask("sinfo", "--noheader", "--format=%P").split()
    if name is None:
        name = next((entry.removesuffix("*") for entry in names if entry.endswith("*")), None)
    known = ", ".join(sorted({entry.removesuffix("*") for entry in names}))
    if name is None or name not in known.split(", "):
        yield Diagnosis(
            "fault", f"partition {name or 'by default'}: there is none ({known})", f"set {key} to one of them"
        )
        return
    shown = dict(pair.split("=", 1) for pair in ask("scontrol", "-o", "show", "partition", name).split() if "=" in pair)
    if shown.get("State") != "UP":
        yield Diagnosis(
            "fault",
            f"partition {name}: is {shown.get('State', 'in no known state')}",
            f"wait, or set {key} to another ({known})",
        )
        return
    limit = minutes(shown.get("MaxTime", ""))
    label, longest = max(kinds, key=lambda kind: kind[1]["runtime"])
    if limit is not None and longest["runtime"] > limit:
        yield Diagnosis(
            "fault",
            f"partition {name}: {shown['MaxTime']} at most, {label} asks for {longest['runtime'] / 60:.1f} h",
            f"set max_hours: {limit / 60:g}",
        )
    else:
        yield Diagnosis("ok", f"partition {name}: up, time limit {shown.get('MaxTime', 'unknown')}")


def _gpu_types(partition: str | None, wanted: str | None) -> Iterator[Diagnosis]:
    only = [f"--partition={partition}"] if partition else []
    entries = {e for line in ask("sinfo", "--noheader", "--format=%G", *only).splitlines() for e in line.split(",")}
    found = sorted({part for e in entries for part in re.findall(r"^gpu:([A-Za-z][\w.-]*)", e.strip())})
    if not any(entry.strip().startswith("gpu") for entry in entries):
        yield Diagnosis("fault", f"GPUs: none in partition {partition or 'by default'}", "set gpu_partition to another")
    elif wanted and wanted not in found:
        yield Diagnosis(
            "fault", f"GPUs: no {wanted} ({', '.join(found) or 'without types'})", "set gpu_type to one of them"
        )
    elif not wanted and len(found) > 1:
        yield Diagnosis(
            "warning", f"GPUs: {', '.join(found)}, any is taken", "set gpu_type where they differ in memory"
        )
    else:
        yield Diagnosis("ok", f"GPUs: {wanted or ', '.join(found) or 'without types'}")


def submission(resources: dict[str, Any]) -> list[str]:
    """The options of ``sbatch`` for a job, as the plugin gives them."""
    r, options = resources, []
    options += [f"--account={r['slurm_account']}"] if r["slurm_account"] else []
    options += [f"--partition={r['slurm_partition']}"] if r["slurm_partition"] else []
    options += [f"--time={r['runtime']}", f"--mem={r['mem_mb']}", f"--cpus-per-task={r['cpus_per_task']}", "--requeue"]
    if r["mpi"]:
        options += [f"--nodes={r['nodes']}", f"--ntasks={r['tasks']}", f"--gres={r['gres']}"]
    elif r["gpu"]:
        options += [f"--nodes={r['nodes']}", f"--gpus={r['gpu_model'] + ':' if r['gpu_model'] else ''}{r['gpu']}"]
    else:
        options += ["--ntasks=1"]
    return options + (r["slurm_extra"].split() if r["slurm_extra"] else [])


def _limits(config: Experiment, site: Site) -> Iterator[Diagnosis]:
    """Slurm's own opinion of every kind of job, first and last attempt; nothing is submitted."""
    kinds = [kind for gpu in (False, True) for kind in _kinds(config, site, gpu)]
    answers: dict[tuple[str, ...], tuple[int, str]] = {}
    refused: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    for label, resources in kinds:
        options = tuple(submission(resources))
        if options not in answers:
            answers[options] = try_to_ask("sbatch", "--test-only", *options, "--wrap=true")
        if answers[options][0]:
            refused.setdefault(label.split()[0], []).append((label, options))
    for jobs in refused.values():
        label, options = jobs[0]
        said = " ".join(line.split("error: ")[-1] for line in answers[options][1].splitlines() if line.strip())
        more = f" and {len(jobs) - 1} more" if len(jobs) > 1 else ""
        yield Diagnosis(
            "fault",
            f"jobs {label}{more}: {said} (sbatch {' '.join(options)})",
            "set max_memory_gb, gpus_per_node, gpu_type or the partition, or change `resources`",
        )
    if not refused:
        yield Diagnosis("ok", f"jobs: all {len(answers)} kinds would be accepted (sbatch --test-only)")


def _polling(settings: dict[str, str]) -> Iterator[Diagnosis]:
    profile = read_yaml(FOLDER / "config.yaml", "profile")
    age = int((settings.get("MinJobAge", "0").split() or ["0"])[0])
    no_accounting = settings.get("AccountingStorageType", "").endswith("/none")
    if no_accounting and age < 3 * profile["slurm-init-seconds-before-status-checks"]:
        yield Diagnosis(
            "warning",
            f"finished jobs are forgotten after {age} s (MinJobAge) and accounting is off",
            "Snakemake may miss the end of a job; ask the cluster's support for 300 s",
        )


def earlier(root: Path) -> Iterator[Diagnosis]:
    """Jobs of a Snakemake that died: another one would be refused while they live."""
    try:
        alive = live_jobs(unfinished_runs(root))
    except MachineError as error:
        yield Diagnosis("warning", f"{root}: jobs of an earlier run cannot be looked for ({error})")
        return
    if alive:
        numbers = " ".join(job.number for job in alive)
        yield Diagnosis(
            "fault",
            f"{root}: {len(alive)} jobs of an earlier run are in Slurm",
            f"if its Snakemake is dead, wait or scancel {numbers}",
        )
    else:
        yield Diagnosis("ok", f"{root}: no job of an earlier run is alive")


def image(site: Site) -> Iterator[Diagnosis]:
    """The container image, and its digest where one is written beside it."""
    if not site.image:
        return
    path = Path(site.image)
    if not path.is_file():
        yield Diagnosis("fault", f"image {path}: there is none", "build it, or set image: none")
        return
    if not (shutil.which("apptainer") or shutil.which("singularity")):
        yield Diagnosis("fault", f"image {path}: apptainer not found", "load its module, or set image: none")
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    written = path.with_name(path.name + ".sha256")
    if written.is_file() and written.read_text().split()[:1] != [digest]:
        yield Diagnosis("fault", f"image {path}: sha256 {digest[:12]} is not that of {written.name}", "build it again")
    else:
        yield Diagnosis("ok", f"image {path}: sha256 {digest[:12]}")
