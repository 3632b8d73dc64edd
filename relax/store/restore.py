"""MLflow -> a results folder: what the tables are made from, laid out as it was, and the configuration."""

import logging
from pathlib import Path, PurePosixPath

from mlflow.entities import Experiment, Run
from mlflow.tracking import MlflowClient

from relax import config
from relax.config.tracking_uri import sqlite_file, uri_fault
from relax.errors import ConfigError, DataError
from relax.records.record import ARTEFACTS, RECORD, TABLE_FILES, masked, read_record
from relax.store import jobs
from relax.store.artefacts import Artefacts
from relax.store.client import CONFIG_FILE, CONFIG_TAG, HASH_TAG, PATH_TAG, connect, faults, runs_of

logger = logging.getLogger("relax")

_MEND = f"bring back the folder {ARTEFACTS} of the store, or run `relax track` on the results, which puts them back."


def restore(uri: str, name: str | None, out: str | Path) -> tuple[config.Experiment, Path]:
    """Bring back from a store what the tables of an experiment are made from.

    Args:
        uri: tracking URI.
        name: of the experiment; None where the store has one alone.
        out: an empty folder.

    Returns:
        The configuration of the last export, and the results folder below ``out``, with records, curves, spectra,
        grades and scores where they were.

    Raises:
        ConfigError: the URI cannot be served; no experiment of that name, or several and none named.
        DataError: the experiment was not exported whole, or files of its runs have gone or changed since.
        MachineError: the store cannot be reached.
    """
    if Path(uri).is_file():
        raise ConfigError(f"{uri}: is a file, expected a tracking URI; write sqlite:///{uri}.")
    if fault := uri_fault(uri):
        raise ConfigError(f"--from-mlflow {fault}.")
    database = sqlite_file(uri)
    if database and not database.is_file():  # or an empty store would be made there
        raise DataError(f"{database}: no such MLflow store.")
    with faults(uri):
        client = connect(uri)
        experiment = _experiment(client, name, uri)
        store = Artefacts(client, uri)
        runs = list(runs_of(client, experiment))
        loaded = _configuration(store, experiment, runs, Path(out))
        root = Path(out) / "results" / loaded.name
        exported = [run for run in runs if PATH_TAG in run.data.tags]
        broken = [fault for run in exported if (fault := _job(store, run, root))]
    if broken:
        raise DataError(
            f"{masked(uri)}: of {len(broken)} of its {len(exported)} runs files have gone or changed since they were "
            f"exported ({broken[0]}); {_MEND}"
        )
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


def _configuration(store: Artefacts, experiment: Experiment, runs: list[Run], out: Path) -> config.Experiment:
    asked = experiment.tags[CONFIG_TAG]
    holders = [run for run in runs if run.data.tags.get(CONFIG_TAG) == asked]
    if not holders:
        raise DataError(f"experiment {experiment.name}: its configuration {asked} is gone; run `relax track` again.")
    for run in sorted(holders, key=lambda run: run.info.start_time, reverse=True):
        if CONFIG_FILE in store.names(run):
            store.fetch(run, CONFIG_FILE, out / CONFIG_FILE)
            return config.load([out / CONFIG_FILE])
    raise DataError(f"experiment {experiment.name}: the store has lost the file {CONFIG_FILE} of its runs; {_MEND}")


def _job(store: Artefacts, run: Run, root: Path) -> str | None:
    """Bring the record of a run and the files that count to the folder where they were; what is wrong with them."""
    place = PurePosixPath(run.data.tags[PATH_TAG])
    if place.is_absolute() or ".." in place.parts:
        raise DataError(f"run {run.info.run_id}: its folder is {str(place)!r}, expected one below the results folder.")
    if run.info.status != "FINISHED":
        logger.warning("%s: its export was cut off, so it is left out; `relax track` completes it", place)
        return None
    wanted = (RECORD, *TABLE_FILES.get(run.data.tags.get("verb", ""), ()))
    kept = store.names(run)
    if RECORD not in kept:
        return f"{place}: {RECORD} is missing"
    for name in kept:
        if any(PurePosixPath(name).match(pattern) and name.count("/") == pattern.count("/") for pattern in wanted):
            store.fetch(run, name, root / place / name)
    try:
        record = read_record(root / place)
        jobs.check_unchanged(root / place, record)
    except (jobs.Changed, DataError) as error:
        return f"{place}: {error}"
    # The versions of earlier formats count as well.
    known = {jobs.version(record, form) for form in range(1, jobs.FORMAT + 1)}
    return None if run.data.tags.get(HASH_TAG) in known else f"{place}: {RECORD} is not what was exported"
