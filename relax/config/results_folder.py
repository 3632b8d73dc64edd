"""Refusing a results folder that cannot hold an experiment."""

import json
import os
from pathlib import Path
from typing import Any

from relax.config.experiment import Experiment
from relax.config.stages import base_settings, data_settings, digest
from relax.errors import ConfigError, DataError, MachineError
from relax.settings import Settings


def check_results_folder(experiment: Experiment, root: Path) -> None:
    """Refuse a results folder that cannot be written, or whose foundation is another configuration's.

    Problems and initial policies are what all runs of an experiment share. Changing a method, a seed or
    a benchmark reruns the jobs it concerns; changing the foundation asks for another name.

    Args:
        experiment: a loaded configuration.
        root: the experiment's folder, which need not exist.

    Raises:
        MachineError: the folder, or the nearest one above it that exists, is not a writable folder.
        ConfigError: it was made from other problems or initial policies.
        DataError: a record there is broken.
    """
    nearest = next(path for path in (root, *root.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise MachineError(f"{nearest}: is a file, expected the results folder; move it away.")
    if not os.access(nearest, os.W_OK) or os.statvfs(nearest).f_flag & os.ST_RDONLY:
        raise MachineError(f"{nearest}: results cannot be written there (read-only); change its permissions.")
    foundation: dict[str, Settings] = {"data": data_settings(experiment)}
    foundation |= {f"base/{name}": base_settings(experiment, name) for name in experiment.policies}
    for part, settings in foundation.items():
        record = root / part / "run.json"
        if record.is_file() and _settings_hash(record) != digest(settings):
            raise ConfigError(
                f"{root}: its {part} was made with another configuration; "
                f"give this one another name (name: {experiment.name} now), or remove {root} to start over."
            )


def _settings_hash(record: Path) -> Any:
    try:
        return json.loads(record.read_text(encoding="utf-8"))["settings_hash"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"{record}: not a run record ({type(error).__name__}: {error}); remove its folder, and its step runs again."
        ) from error
