"""A store: how it is reached, what its tags are called, its faults in one sentence."""

import contextlib
import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlflow.entities import Experiment, Metric, Run, ViewType
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

from relax.config.tracking_uri import DATABASES, sqlite_file
from relax.errors import MachineError
from relax.files import cannot_write, refusal
from relax.records.record import ARTEFACTS, masked
from relax.store.whole import make_whole

#: Tags of a job's run: folder of the record it shows, and version of that record.
PATH_TAG, HASH_TAG = "relax.record", "relax.record_hash"
#: Tag of a parent: the pipeline run, or :data:`BY_HAND`.
PIPELINE_TAG, BY_HAND = "relax.pipeline", "by hand"
#: Tag of an experiment and of the parent that holds this configuration: its hash.
CONFIG_TAG = "relax.config"
#: Tag of a run that a training wrote as it went: its :func:`live_key`.
LIVE_TAG = "relax.live"
#: The resolved configuration, an artefact of a parent.
CONFIG_FILE = "config.yaml"


def connect(uri: str) -> MlflowClient:
    """A client that says only what matters and gives a server that is down some seconds, not minutes. The tables of a
    SQLite store are whole then."""
    # The store's schema changes write their own log lines; they are not the user's concern.
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # A fault of a store is one sentence, from faults(); MLflow would print pages before it, and past our masking.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    logging.getLogger("mlflow").handlers.clear()
    logging.getLogger("mlflow").propagate = True
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    # MLflow prints the address of every run that ends, with the password that the server's address may have.
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    if file := sqlite_file(uri):
        make_whole(file)
    return MlflowClient(tracking_uri=uri)


@contextlib.contextmanager
def faults(uri: str) -> Iterator[None]:
    """Whatever a store raises within the block, as one sentence without credentials.

    Raises:
        MachineError: the store cannot be reached or written, is no store, is locked, or its database's driver is
            not installed.
    """
    try:
        yield
    except ImportError as error:
        if not uri.startswith(DATABASES):
            raise
        raise MachineError(
            f"{masked(uri)}: needs the Python package {error.name}, which is not installed; pip install it, or name "
            "a server or a SQLite file."
        ) from error
    except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
        where, said = masked(uri), masked(str(error))
        if (beside := artefacts_beside(uri)) and (reason := refusal(error)):
            raise cannot_write(beside.parent, f"MLflow: {reason}") from error
        if "database is locked" in said:
            raise MachineError(f"{where}: another process keeps the store locked; try again after it.") from error
        if "Max retries exceeded" in said:
            raise MachineError(f"{where}: no MLflow server answers there; start it, or correct the address.") from error
        raise MachineError(f"{where}: the MLflow store does not answer as it should ({_first(said)}).") from error


def _first(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[0][:300]


def live_key(identity: Mapping[str, Any]) -> str:
    """The same for a training and for the record it leaves."""
    return "/".join(str(identity.get(key)) for key in ("policy", "method", "seed"))


def artefacts_beside(uri: str) -> Path | None:
    """Folder of a SQLite store's artefacts where the store lies in a results folder, else None."""
    file = sqlite_file(uri)
    return file and file.parent / ARTEFACTS


def runs_of(client: MlflowClient, experiment: Experiment) -> Iterator[Run]:
    """Every run of an experiment that is not deleted."""
    token: str | None = None
    while True:
        page = client.search_runs(
            [experiment.experiment_id], run_view_type=ViewType.ACTIVE_ONLY, max_results=1000, page_token=token
        )
        yield from page
        token = page.token
        if not token:
            return


def metric(name: str, value: float, step: int, time: float) -> Metric:
    """A point of a curve; ``time`` in seconds since 1970. MLflow allows no @ in names: mean@16 is mean_at_16."""
    return Metric(name.replace("@", "_at_"), float(value), round(1000 * time), step)
