"""The files on this machine that a configuration names, and their content."""

import functools
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from relax.config.experiment import Experiment
from relax.config.faults import where
from relax.config.own_code import missing, source_of
from relax.config.policies import Policy
from relax.config.stages import digest, evaluate_settings
from relax.errors import ConfigError, DataError
from relax.settings import Settings

#: Endings of the files that a policy's folder is read from.
_READ = (".json", ".jinja", ".model", ".safetensors", ".txt")
#: Source of problems -> the key of `data` that lists what is read.
_LISTED = {"hub": "datasets", "file": "files"}


def local_files(settings: Settings | Mapping[str, Any]) -> list[str]:
    """The files that the settings of a stage name: of ``data``, of ``base``, of ``overlap`` and ``generate``.

    Args:
        settings: of a stage, or what a run record keeps of them.
    """
    recorded = settings.recorded() if isinstance(settings, Settings) else settings
    named = []
    for entry in recorded.get(_LISTED.get(recorded.get("source", ""), ""), []):
        named += _of_data_set(entry)
    named += policy_files(recorded.get("policy", {}))
    named += [path for entry in recorded.get("benchmarks", {}).values() if (path := entry.get("path")) is not None]
    return list(dict.fromkeys(named))


def local_content(settings: Settings) -> str:
    """Digest of the content of :func:`local_files`. Snakemake compares times, and an older file may take the place of a
    newer one."""
    files = [Path(path) for path in local_files(settings) if Path(path).is_file()]
    return digest([_sha256(path, path.stat().st_mtime_ns, path.stat().st_size) for path in files])


def local_state(settings: Settings) -> str:
    """Digest of names, sizes and times of :func:`local_files`: of weights, whose content every job would hash again.
    The record of the stage keeps the hash of their content."""
    stats = [(path, Path(path).stat()) for path in local_files(settings) if Path(path).is_file()]
    return digest([[path, stat.st_size, stat.st_mtime_ns] for path, stat in stats])


def policy_files(policy: Policy | Mapping[str, Any]) -> list[str]:
    """The files of a policy that the configuration names by their place on this machine, sorted.

    Args:
        policy: an entry of ``policies``, or what a run record keeps of it.
    """
    recorded = policy.recorded() if isinstance(policy, Policy) else policy
    if (file := recorded.get("gguf")) is not None:
        return [file]
    if (folder := recorded.get("path")) is None or not Path(folder).is_dir():
        return []
    inside = sorted(Path(folder).iterdir())
    return [str(file) for file in inside if file.suffix in _READ and file.is_file() and file.name[0] != "."]


def check_local_files(experiment: Experiment, paths: Sequence[str | Path] = ()) -> None:
    """Refuse a configuration that names files, or modules of the user's own, which are not there.

    Raises:
        DataError: names the file, and the file and line that name it.
        ConfigError: names the module likewise.
    """
    named: list[tuple[list[str | int], str]] = []
    if (listed := _LISTED.get(experiment.data.source)) is not None:
        for number, entry in enumerate(getattr(experiment.data, listed)):
            named += [(["data", listed, number], path) for path in _of_data_set(entry.recorded())]
    for name, asked in evaluate_settings(experiment).benchmarks.items():
        named += [(["benchmarks", name, "path"], asked.path)] if asked.path is not None else []
    for name in experiment.matrix.policies:
        policy = experiment.policies[name]
        if policy.path is not None and not Path(policy.path).is_dir():
            told, gguf = where([["policies", name, "path"]], paths), policy.path.lower().endswith(".gguf")
            raise DataError(
                f"{told}: {policy.path}: is a GGUF file, expected a policy's folder; write `gguf` in place of `path`."
                if gguf and Path(policy.path).is_file()
                else f"{told}: {policy.path}: no such folder, expected one with config.json and safetensors files; "
                "put it there, or name another."
            )
        named += [(["policies", name, "gguf"], policy.gguf)] if policy.gguf is not None else []
    for key, path in named:
        if not Path(path).exists():
            raise DataError(f"{where([key], paths)}: {path}: no such file; put it there, or name another.")
    for place, name in own_functions(experiment):
        if source_of(name) is None:
            raise ConfigError(f"{where([place], paths)}: {name}: {missing(name)}")


def own_functions(experiment: Experiment) -> list[tuple[list[str | int], str]]:
    """(key, ``module:function``) of every function of the user's own that a stage will call."""
    found: list[tuple[list[str | int], str]] = [
        (["training", "rewards", number], name) for number, name in enumerate(experiment.training.rewards or [])
    ]
    for name, asked in evaluate_settings(experiment).benchmarks.items():
        found += [(["benchmarks", name, "verifier"], asked.verifier)] if asked.verifier is not None else []
    return found


def _of_data_set(entry: Mapping[str, Any]) -> list[str]:
    path, archive = entry.get("path"), entry.get("archive")
    if path is None:
        return []
    return [path, *([] if archive is None else [str(Path(path).parent / archive)])]


@functools.cache
def _sha256(path: Path, _changed: int, _size: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
