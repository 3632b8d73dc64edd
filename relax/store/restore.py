"""MLflow -> a results folder: what the tables are made from, laid out as it was, and the configuration."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import mlflow.artifacts
from mlflow.entities import Experiment, Run
from mlflow.tracking import MlflowClient

from relax import config
from relax.errors import ConfigError, DataError
from relax.store.client import (
    CONFIG_FILE,
    CONFIG_TAG,
    PATH_TAG,
    artefacts_beside,
    connect,
    faults,
    runs_of,
)
from relax.tracking import RECORD, TABLE_FILES, masked

logger = logging.getLogger("relax")


def restore(uri: str, name: str | None, out: str | Path) -> tuple[config.Config, Path]:
    """Bring back from a store what the tables of an experiment are made from.

    Args:
        uri: tracking URI.
        name: of the experiment; None where the store has one alone.
        out: an empty folder.

    Returns:
        The configuration of the last export, and the results folder below ``out``, with records, curves, spectra,
        grades and scores where they were.

    Raises:
        ConfigError: no experiment of that name, or several and none named.
        DataError: the experiment was not exported whole.
        MachineError: the store cannot be reached.
    """
    if Path(uri).is_file():
        raise ConfigError(f"{uri}: is a file, expected a tracking URI; write sqlite:///{uri}.")
    database = Path(uri.removeprefix("sqlite:///"))
    if uri.startswith("sqlite:///") and not database.is_file():  # or MLflow would make an empty store there
        raise DataError(f"{database}: no such MLflow store.")
    with faults(uri):
        client = connect(uri)
        experiment = _experiment(client, name, uri)
        store = _Store(client, uri)
        runs = list(runs_of(client, experiment))
        loaded = _configuration(store, experiment, runs, Path(out))
        root = Path(out) / "results" / loaded["name"]
        for run in runs:
            if PATH_TAG in run.data.tags:
                _job(store, run, root)
    return loaded, root


def _experiment(client: MlflowClient, name: str | None, uri: str) -> Experiment:
    found = {e.name: e for e in client.search_experiments() if CONFIG_TAG in e.tags}
    where, known = masked(uri), ", ".join(sorted(found))
    if not found:
        raise DataError(f"{where}: holds no experiment that `relax track` exported whole.")
    if name is None and len(found) > 1:
        raise ConfigError(f"{where}: holds several experiments ({known}); name one with --experiment.")
    if name is not None and name not in found:
        raise ConfigError(f"{where}: holds no experiment {name!r}; it has {known}.")
    return found[name] if name is not None else next(iter(found.values()))


def _configuration(store: "_Store", experiment: Experiment, runs: list[Run], out: Path) -> config.Config:
    asked = experiment.tags[CONFIG_TAG]
    holders = [run for run in runs if run.data.tags.get(CONFIG_TAG) == asked]
    if not holders:
        raise DataError(f"experiment {experiment.name}: its configuration {asked} is gone; run `relax track` again.")
    newest = max(holders, key=lambda run: run.info.start_time)
    store.fetch(newest, CONFIG_FILE, out / CONFIG_FILE)
    return config.load([out / CONFIG_FILE])


def _job(store: "_Store", run: Run, root: Path) -> None:
    """The record of a run and the files that count, in the folder where they were."""
    place = PurePosixPath(run.data.tags[PATH_TAG])
    if place.is_absolute() or ".." in place.parts:
        raise DataError(f"run {run.info.run_id}: its folder is {str(place)!r}, expected one below the results folder.")
    if run.info.status != "FINISHED":
        logger.warning("%s: its export was cut off, so it is left out; `relax track` completes it", place)
        return
    wanted = (RECORD, *TABLE_FILES.get(run.data.tags.get("verb", ""), ()))
    for name in store.names(run):
        if any(PurePosixPath(name).match(pattern) and name.count("/") == pattern.count("/") for pattern in wanted):
            store.fetch(run, name, root / place / name)


class _Store:
    """Artefacts of runs. Those of a SQLite store that lies beside them are read there, wherever the folder was moved
    since: MLflow itself looks where they were written."""

    def __init__(self, client: MlflowClient, uri: str) -> None:
        self.client, self.uri, self.beside = client, uri, artefacts_beside(uri)

    def _local(self, run: Run) -> Path | None:
        folder = self.beside / run.info.run_id / "artifacts" if self.beside else None
        return folder if folder and folder.is_dir() else None

    def names(self, run: Run) -> Iterator[str]:
        """Paths of all files of a run."""
        local = self._local(run)
        if local:
            yield from sorted(path.relative_to(local).as_posix() for path in local.rglob("*") if path.is_file())
            return
        folders: list[str | None] = [None]
        while folders:
            for item in self.client.list_artifacts(run.info.run_id, folders.pop()):
                if item.is_dir:
                    folders.append(item.path)
                else:
                    yield item.path

    def fetch(self, run: Run, name: str, target: Path) -> None:
        """Copy one file."""
        target.parent.mkdir(parents=True, exist_ok=True)
        local = self._local(run)
        if local:
            shutil.copyfile(local / name, target)
            return
        made = mlflow.artifacts.download_artifacts(
            run_id=run.info.run_id, artifact_path=name, dst_path=str(target.parent), tracking_uri=self.uri
        )
        if Path(made) != target:  # MLflow keeps the folders of the name
            shutil.move(made, target)
