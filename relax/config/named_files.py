"""The files on this machine that a configuration names, and their content."""

import functools
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from relax.config.experiment import Experiment
from relax.config.faults import where
from relax.config.stages import digest, evaluate_settings
from relax.errors import DataError
from relax.settings import Settings

#: Source of problems -> the key of `data` that lists what is read.
_LISTED = {"hub": "datasets", "file": "files"}


def local_files(settings: Settings | Mapping[str, Any]) -> list[str]:
    """The files that the settings of a stage name: of ``data``, of ``overlap`` and ``generate``.

    Args:
        settings: of a stage, or what a run record keeps of them.
    """
    recorded = settings.recorded() if isinstance(settings, Settings) else settings
    named = []
    for entry in recorded.get(_LISTED.get(recorded.get("source", ""), ""), []):
        named += _of_data_set(entry)
    named += [path for entry in recorded.get("benchmarks", {}).values() if (path := entry.get("path")) is not None]
    return list(dict.fromkeys(named))


def local_content(settings: Settings) -> str:
    """Digest of the content of :func:`local_files`. Snakemake compares times, and an older file may take the place of a
    newer one."""
    files = [Path(path) for path in local_files(settings) if Path(path).is_file()]
    return digest([_sha256(path, path.stat().st_mtime_ns, path.stat().st_size) for path in files])


def check_local_files(experiment: Experiment, paths: Sequence[str | Path] = ()) -> None:
    """Refuse a configuration that names files which are not there.

    Raises:
        DataError: names the file, and the file and line that name it.
    """
    named: list[tuple[list[str | int], str]] = []
    if (listed := _LISTED.get(experiment.data.source)) is not None:
        for number, entry in enumerate(getattr(experiment.data, listed)):
            named += [(["data", listed, number], path) for path in _of_data_set(entry.recorded())]
    for name, asked in evaluate_settings(experiment).benchmarks.items():
        named += [(["benchmarks", name, "path"], asked.path)] if asked.path is not None else []
    for key, path in named:
        if not Path(path).exists():
            raise DataError(f"{where([key], paths)}: {path}: no such file; put it there, or name another.")


def _of_data_set(entry: Mapping[str, Any]) -> list[str]:
    path, archive = entry.get("path"), entry.get("archive")
    if path is None:
        return []
    return [path, *([] if archive is None else [str(Path(path).parent / archive)])]


@functools.cache
def _sha256(path: Path, _changed: int, _size: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
