"""Run records: what a verb did, from what, with what, and what came out (``run.json``).

A record lies beside the outputs it speaks of and is written after them, so its presence means that
they are complete. Everything that is shown or exported later (tables, figures, MLflow) starts from
these records.
"""

import contextlib
import hashlib
import json
import logging
import os
import platform
import re
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from relax.config import digest
from relax.errors import DataError, MachineError
from relax.files import atomic_write
from relax.records.container import built_from, container

logger = logging.getLogger("relax")

RECORD = "run.json"
#: Packages whose versions can change a number.
PACKAGES = (
    "relax-rl",
    "torch",
    "transformers",
    "trl",
    "accelerate",
    "datasets",
    "lm-eval",
    "math-verify",
    "mlflow",
    "numpy",
    "reasoning-gym",
    "scipy",
    "snakemake",
    "vllm",
)
#: Folder of a local MLflow store's files below the results; it holds copies of the records.
ARTEFACTS = "mlartifacts"
#: What the tables are made from, beside the record, by verb: MLflow gets these files whatever their size.
TABLE_FILES = {
    "train": ("metrics.jsonl",),
    "koopman": ("trajectories.parquet", "eigenvalues.parquet"),
    "grade": ("*/grades.parquet",),
    "evaluate": ("scores.json",),
}
#: Set by a pipeline's main process for all its jobs (workflow/rules/common.smk): start and a random id, and
#: what was typed.
PIPELINE, PIPELINE_COMMAND = "RELAX_PIPELINE_RUN", "RELAX_PIPELINE_COMMAND"
#: What MLflow and the hub read credentials from, beside the tracking URI.
SECRETS = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
#: Seconds by which clocks may differ; beyond that Slurm's own authentication (munge) refuses a node.
CLOCKS = 300
_CREDENTIALS = re.compile(r"""(?<=://)(?:[^\s/@:"']*:[^\s@"']*|[^\s/@:"']+)@""")


def masked(text: str) -> str:
    """The text without credentials: what stands before the @ of a URI, and the values of :data:`SECRETS`."""
    text = _CREDENTIALS.sub("***@", text)
    for value in filter(None, map(os.environ.get, SECRETS)):
        text = text.replace(value, "***")
    return text


def shareable(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration as it may be shown and stored: the address of a server without credentials."""
    address = config["tracking"]["uri"]
    return {**config, "tracking": {**config["tracking"], "uri": address and masked(address)}}


def pipeline_run() -> dict[str, str] | None:
    """``run`` (start and id) and ``command`` of the pipeline this process is a job of; None by hand."""
    run = os.environ.get(PIPELINE)
    return {"run": run, "command": masked(os.environ.get(PIPELINE_COMMAND, ""))} if run else None


def digest_path(path: str | Path) -> str:
    """The same for a file, or for a folder: names and contents of its files, but for records and dot files
    (Snakemake leaves a time stamp in folders that are outputs)."""
    path, total = Path(path), hashlib.sha256()
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if _counts(p))
    for file in files:
        if path.is_dir():
            total.update(str(file.relative_to(path)).encode())
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                total.update(block)
    return total.hexdigest()[:12]


def _counts(path: Path) -> bool:
    return path.is_file() and path.name != RECORD and not path.name.startswith(".")


def last_change(path: str | Path) -> float:
    """When a file, or the newest thing in a folder, was written, by the clock of whoever wrote it."""
    return max(p.lstat().st_mtime for p in (Path(path), *Path(path).rglob("*")))


def git_state() -> dict[str, Any]:
    """Commit and dirty flag of the clone this package runs from, or that its image was built from; both None for an
    installed package, whose version stands among the record's versions."""
    if (built := built_from()) is not None:
        return built

    def git(*arguments: str) -> str | None:
        try:
            result = subprocess.run(
                ["git", "-C", str(resources.files("relax")), *arguments], capture_output=True, text=True
            )
        except FileNotFoundError:
            return None
        return result.stdout.strip() if result.returncode == 0 else None

    # An installed package may lie in an environment inside somebody else's repository.
    if git("ls-files", "--error-unmatch", "__init__.py") is None:
        return {"commit": None, "dirty": None}
    status = git("status", "--porcelain", "--untracked-files=no")
    return {"commit": git("rev-parse", "HEAD"), "dirty": None if status is None else bool(status)}


def processor() -> str | None:
    """Name of the processor, whose maker decides how matrix products are rounded (docs/study.md); None where the system
    does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return None
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), None)


def accelerator() -> str | None:
    """Name and count of the CUDA devices; None on a CPU. Asks torch only where it is loaded already."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}"


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


@dataclass
class Run:
    """Collects what a verb does; :meth:`finish` writes the record.

    Attributes:
        verb: of the command line.
        identity: name, policy, method, seed, benchmark, as far as they apply.
        settings: everything from the configuration that decides the outputs.
        inputs: paths that were read; their digests are taken when the run starts.
        code: versions of the code that decides the numbers (:func:`relax.records.code.code_of`); None where none
            are kept.
        metrics: final numbers, by name.
        seeds: every seed that was set.
        digests: of the inputs, by path.
    """

    verb: str
    identity: dict[str, Any]
    settings: dict[str, Any]
    inputs: list[str | Path] = field(default_factory=list)
    config_hash: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    seeds: dict[str, int] = field(default_factory=dict)
    code: dict[str, str] | None = None

    def __post_init__(self) -> None:
        self._clock, self._cpu = time.monotonic(), time.process_time()
        self._started = datetime.now(UTC)
        for path in self.inputs:
            if not Path(path).exists():
                raise DataError(f"{path}: no such file or folder; it is an input of `relax {self.verb}`.")
        self._check_clocks()
        self.digests = {str(path): digest_path(path) for path in self.inputs}

    def _check_clocks(self) -> None:
        """Refuse, before the work, inputs from a future that :meth:`_wait_for_the_clock` would not wait for."""
        changes = {str(path): last_change(path) for path in self.inputs}
        newest = max(changes, key=lambda path: changes[path], default=None)
        self._newest = changes[newest] if newest else 0.0
        ahead = self._newest - time.time()
        if ahead > CLOCKS:
            raise MachineError(
                f"{newest}: was written {ahead / 60:.0f} minutes in the future of this machine's clock, and outputs "
                "would look older than it; set the clocks of all machines right, or, where this one is, `touch` the "
                "file (of a folder: all in it), and run the same command again."
            )

    def _wait_for_the_clock(self) -> None:
        """Snakemake throws away outputs that are older than an input, as those of a clock that is behind are."""
        behind = self._newest - time.time()
        if behind > 0:
            logger.info("%s: this machine's clock is behind that of the inputs; waiting %.0f s", self.verb, behind)
            time.sleep(behind)

    def finish(self, out: str | Path, outputs: Sequence[str | Path], **extra: Any) -> dict[str, Any]:
        """Write ``out/run.json``; ``outputs`` must exist. Returns the record."""
        self._wait_for_the_clock()
        usage = resource.getrusage(resource.RUSAGE_SELF)
        record = {
            "verb": self.verb,
            "arguments": [masked(argument) for argument in sys.argv[1:]],
            "pipeline": pipeline_run(),
            "identity": self.identity,
            "settings": self.settings,
            "settings_hash": digest(self.settings),
            "config_hash": self.config_hash,
            "metrics": self.metrics,
            "seeds": self.seeds,
            "inputs": self.digests,
            "outputs": {str(path): digest_path(path) for path in outputs},
            **({} if self.code is None else {"code": self.code}),
            "git": git_state(),
            "container": container(),
            "versions": _versions(),
            "machine": {
                "system": platform.platform(),
                "processor": processor(),
                "cpus": os.cpu_count(),
                "accelerator": accelerator(),
            },
            "started": self._started.isoformat(timespec="seconds"),
            "wall_seconds": round(time.monotonic() - self._clock, 2),
            "cpu_seconds": round(time.process_time() - self._cpu, 2),
            "peak_memory_mb": round(usage.ru_maxrss / 1024, 1),
            **extra,
        }
        atomic_write(Path(out) / RECORD, json.dumps(record, indent=2, ensure_ascii=False) + "\n")
        return record


def read_record(folder: str | Path) -> dict[str, Any]:
    """The record of a finished run.

    Raises:
        DataError: there is none, or it is not one.
    """
    path = Path(folder) / RECORD
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no run record; the step that writes it has not finished.") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: not a run record (line {error.lineno}: {error.msg}).") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a run record ({error}).") from error
    if not isinstance(record, dict):
        raise DataError(f"{path}: not a run record (expected an object, found {type(record).__name__}).")
    return record


def check_recorded(path: str | Path) -> None:
    """Refuse a file that is not what the record beside it says: a file of lines reads well without half of them.

    Raises:
        DataError: its hash is another; nothing is said where no record speaks of it.
    """
    path = Path(path)
    if not (path.parent / RECORD).is_file():
        return
    record = read_record(path.parent)
    outputs = record.get("outputs") or {}
    recorded = next((value for name, value in outputs.items() if Path(name).name == path.name), None)
    if recorded is not None and (found := digest_path(path)) != recorded:
        raise DataError(
            f"{path}: is not what `relax {record.get('verb')}` wrote (hash {found}, recorded {recorded}); run it "
            "again, or give a file of your own another folder."
        )


def record_folders(root: str | Path) -> list[Path]:
    """Folders below a results folder that hold a record, sorted; MLflow's copies left out."""
    found = []
    for folder, below, names in os.walk(root):  # not rglob(), which fails when a folder goes while it looks
        # A folder with a leading dot is one that was being written when its process died.
        below[:] = [name for name in below if not name.startswith(".") and name != ARTEFACTS]
        if RECORD in names:
            found.append(Path(folder) / RECORD)
    return [path.parent for path in sorted(found)]


def find_records(root: str | Path, verb: str | None = None) -> list[tuple[Path, dict[str, Any]]]:
    """All records below a results folder, as (folder, record), sorted by folder."""
    found = [(folder, read_record(folder)) for folder in record_folders(root)]
    return [(folder, record) for folder, record in found if verb is None or record["verb"] == verb]


def flat_settings(mapping: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as ``a.b.c: value``, the form MLflow's parameters take."""
    items: dict[str, Any] = {}
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            items.update(flat_settings(value, f"{prefix}{key}."))
        else:
            items[f"{prefix}{key}"] = value
    return items
