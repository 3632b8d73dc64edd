"""Site settings: what differs between two clusters and no experiment should say.

They come from ``profiles/slurm/site.yaml``, a copy of ``site.example.yaml`` beside it, and from environment
variables, which win: key ``cpu_partition`` is ``RELAX_CPU_PARTITION``.
"""

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from relax.config.faults import shown
from relax.config.tracking_uri import uri_fault
from relax.errors import ConfigError
from relax.reading import kind, read_yaml

#: Below the folder that Snakemake runs in.
FOLDER = Path("profiles/slurm")
FILE = FOLDER / "site.yaml"
#: What a site cannot do without: ``none`` says that there is none, an unset one is refused.
REQUIRED = ("slurm_account", "cpu_partition", "gpu_partition", "scratch")


@dataclass(frozen=True)
class Site:
    """The settings; None where one is not set or is ``none``.

    Attributes:
        slurm_account: account that jobs are charged to.
        cpu_partition: partition of jobs without a GPU; None is the cluster's default partition.
        gpu_partition: partition of jobs with GPUs; None as above.
        gpu_type: type of the GPUs as ``sinfo -o %G`` writes it; None takes any.
        scratch: folder on a shared disk for checkpoints; None keeps them in the results folder.
        image: Apptainer image, in place of the configuration's ``container``.
        mlflow_uri: MLflow server, where the configuration's ``tracking.uri`` is null.
        max_hours: longest time limit a job may ask for, in hours.
        max_memory_gb: most memory a job may ask for, in GB.
        gpus_per_node: GPUs of a node, for trainings on several; None takes all GPUs of a job in one node.
        unset: required settings that nobody has set.
    """

    slurm_account: str | None = None
    cpu_partition: str | None = None
    gpu_partition: str | None = None
    gpu_type: str | None = None
    scratch: str | None = None
    image: str | None = None
    mlflow_uri: str | None = None
    max_hours: float | None = None
    max_memory_gb: float | None = None
    gpus_per_node: int | None = None
    unset: tuple[str, ...] = ()

    def refuse_unset(self) -> None:
        """Nothing may be submitted while a required setting is open.

        Raises:
            ConfigError: names every one of them, and both ways to set it.
        """
        if self.unset:
            raise ConfigError(
                f"not set for this cluster: {', '.join(self.unset)}; copy profiles/slurm/site.example.yaml to "
                f"profiles/slurm/site.yaml and fill it in, or export {', '.join(map(variable, self.unset))} "
                "(`none` where the cluster has none)."
            )


NAMES = tuple(field.name for field in fields(Site) if field.name != "unset")


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"RELAX_{name.upper()}"


def read_site(file: Path = FILE, environment: Mapping[str, str] = os.environ) -> Site:
    """The site settings of this clone.

    Raises:
        ConfigError: the file is not YAML, holds an unknown key or a value that is no text or number.
    """
    written = _read(file)
    values: dict[str, Any] = {}
    unset = []
    for name in NAMES:
        text = str(environment.get(variable(name)) or written.get(name) or "").strip()
        if not text and name in REQUIRED:
            unset.append(name)
        values[name] = None if text.lower() in ("", "none") else READ.get(name, _text)(name, text)
    return Site(**values, unset=tuple(unset))


def _read(file: Path) -> Mapping[str, str | float]:
    if not file.exists():
        return {}
    try:
        written = read_yaml(file, "site settings") or {}
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror}).") from error
    if not isinstance(written, dict):
        raise ConfigError(f"{file}: expected keys and values, found {kind(written)}.")
    for key, value in written.items():
        if key not in NAMES:
            raise ConfigError(f"{file}: unknown key {key!r}; known are {', '.join(NAMES)}.")
        if not isinstance(value, str | int | float | None) or isinstance(value, bool):
            raise ConfigError(f"{file}: {key} is {shown(value)}, expected a text or a number (put it in quotes).")
    return written


def _text(_name: str, text: str) -> str:
    return text


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise ConfigError(f"{name} of this cluster is {text!r}, expected a number above 0 ({variable(name)}).")
    return value


def _count(name: str, text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"{name} of this cluster is {text!r}, expected a whole number above 0 ({variable(name)}).")
    return int(text)


def _uri(name: str, text: str) -> str:
    if fault := uri_fault(text):
        raise ConfigError(f"{name} of this cluster {fault} ({variable(name)}).")
    return text


#: Settings that are no text, or not any.
READ: Mapping[str, Callable[[str, str], str | float]] = {
    "mlflow_uri": _uri,
    "max_hours": _number,
    "max_memory_gb": _number,
    "gpus_per_node": _count,
}
