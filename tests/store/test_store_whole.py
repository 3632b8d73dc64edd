"""A stop while a SQLite store is made or brought up to date, and stores that such a stop has left half made."""

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy
from alembic import command
from mlflow.store.db.utils import _get_alembic_config
from mlflow.store.tracking.dbmodels.initial_models import Base
from mlflow.tracking import MlflowClient

from relax.errors import MachineError
from relax.store.client import connect
from relax.store.export import export
from tests.conftest import REPOSITORY
from tests.store import export_fixture
from tests.store.export_fixture import CONFIG, counts, runs_of, uri_of
from tests.workflow.workflow_fixture import ENVIRONMENT

#: Bytes of the database at which its making is stopped: before the first table, between, and before the last.
MOMENTS = (1, 250_000, 500_000, 850_000)
UNTIL = 120
#: The file in which a store is made, beside where it is to be.
MADE = ".mlflow.db.*.tmp/made.db"
TRIES = 20


def stopped(
    make: Callable[[], object], pattern: str, size: int, number: int, folder: Path, undo: Callable[[], object]
) -> None:
    """Do it in a process of its own, which a signal stops as soon as a file below the folder has so many bytes.

    On a busy machine the process may be done before the signal comes. Then that is undone, and another one is stopped.
    """
    for _ in range(TRIES):
        process = multiprocessing.get_context("fork").Process(target=_giving_way, args=(make,))
        process.start()
        wait_for(folder, pattern, size, process.is_alive)
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)
        process.join()
        if process.exitcode:
            return
        undo()
    pytest.fail(f"{TRIES} processes were done before {pattern} had {size} bytes and they could be stopped")


def _giving_way(make: Callable[[], object]) -> None:
    """So that the one who is to stop it comes first."""
    os.nice(19)
    make()


def wait_for(folder: Path, pattern: str, size: int, alive: Callable[[], bool]) -> None:
    deadline = time.monotonic() + UNTIL
    while not any(bytes_of(path) >= size for path in folder.glob(pattern)):
        if not alive():
            return
        assert time.monotonic() < deadline
        time.sleep(0.002)


def bytes_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def left(folder: Path) -> list[str]:
    """What is beside the store that its making needs."""
    return sorted(path.name for path in folder.iterdir() if path.name.endswith((".tmp", "-journal", "-wal")))


def half_made(file: Path, size: int) -> None:
    """As MLflow itself leaves it."""

    def make() -> None:
        MlflowClient(f"sqlite:///{file}").search_experiments()

    stopped(make, file.name, size, signal.SIGKILL, file.parent, file.unlink)


def older(file: Path) -> None:
    """A store of an earlier MLflow with an experiment in it."""
    engine = sqlalchemy.create_engine(f"sqlite:///{file}")
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        configuration = _get_alembic_config(f"sqlite:///{file}")
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, "3500859a5d39")
    engine.dispose()
    with closing(sqlite3.connect(file)) as store, store:
        store.execute("INSERT INTO experiments (experiment_id, name, lifecycle_stage) VALUES (7, 'mine', 'active')")


# Stopped ------------------------------------------------------------------------------------------


def test_a_store_whose_making_is_stopped_is_not_there_and_is_made_by_the_next_run(results) -> None:
    (results / "mlflow.db").unlink()
    for size, number in zip(MOMENTS, (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGKILL), strict=True):
        before = left(results)
        stopped(lambda: connect(uri_of(results)), MADE, size, number, results, (results / "mlflow.db").unlink)
        assert not (results / "mlflow.db").exists()
        assert number != signal.SIGINT or len(left(results)) < max(1, len(before))
    assert left(results)
    assert export(results, CONFIG, uri_of(results)) == counts(added=2)
    assert left(results) == []
    assert len(runs_of(results)) == 3


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_relax_track_is_stopped_at_many_moments(results, number) -> None:
    (results / "mlflow.db").unlink()
    words = [sys.executable, "-m", "relax", "track", "--configfile", "config/config.yaml", "--root", str(results)]
    words += ["--out", str(results / "track.json")]
    for size in range(1, 950_000, 100_000):
        for _ in range(TRIES):  # as in `stopped`: on a busy machine it may be done before the signal comes
            process = subprocess.Popen(
                ["nice", "-n", "19", *words], cwd=REPOSITORY, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
            )
            wait_for(results, MADE, size, lambda process=process: process.poll() is None)
            process.send_signal(number)
            _, said = process.communicate(timeout=UNTIL)
            if process.returncode:
                break
            (results / "mlflow.db").unlink()
        assert process.returncode == (130 if number == signal.SIGINT else -number)
        assert number != signal.SIGINT or ("nothing half-written is left" in said and left(results) == [])
        assert not (results / "mlflow.db").exists()
    done = subprocess.run(words, cwd=REPOSITORY, env=ENVIRONMENT, capture_output=True, text=True, timeout=UNTIL)
    assert done.returncode == 0, done.stderr
    assert "2 runs added" in done.stderr
    assert left(results) == []


def test_two_exports_of_two_folders_make_a_common_store_once(results, tmp_path) -> None:
    other, uri = tmp_path / "other", f"sqlite:///{tmp_path}/common/mlflow.db"
    export_fixture.seed(other, 1)
    second = CONFIG | {"name": "other"}
    both = [
        multiprocessing.get_context("fork").Process(target=export, args=arguments)
        for arguments in ((results, CONFIG, uri), (other, second, uri))
    ]
    for process in both:
        process.start()
    for process in both:
        process.join(UNTIL)
    assert [process.exitcode for process in both] == [0, 0]
    assert {e.name for e in MlflowClient(uri).search_experiments()} == {"Default", CONFIG["name"], "other"}


# Found half made ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [150_000, 600_000])
def test_a_store_that_a_stop_has_left_half_made_is_made_anew(results, size: int) -> None:
    store = results / "mlflow.db"
    store.unlink()
    half_made(store, size)
    assert export(results, CONFIG, uri_of(results)) == counts(added=2)
    assert left(results) == []
    assert len(runs_of(results)) == 3


def test_one_that_holds_something_and_cannot_be_brought_up_to_date_stays(results) -> None:
    """A step of MLflow's was stopped between two tables."""
    store = results / "mlflow.db"
    store.unlink()
    older(store)
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("CREATE TABLE trace_info (a)")
        connection.execute("CREATE TABLE logged_models (a)")
    before = store.read_bytes()
    with pytest.raises(MachineError, match=r"mlflow\.db: its tables are not those of MLflow 3\S+, which cannot bring"):
        export(results, CONFIG, uri_of(results))
    assert store.read_bytes() == before
    assert left(results) == []


def test_an_older_store_is_brought_up_to_date_whole_or_not_at_all(results) -> None:
    store = results / "mlflow.db"
    store.unlink()
    older(store)
    before = store.read_bytes()
    undo = partial(store.write_bytes, before)
    stopped(lambda: connect(uri_of(results)), MADE, 500_000, signal.SIGKILL, results, undo)
    assert store.read_bytes() == before
    assert export(results, CONFIG, uri_of(results)) == counts(added=2)
    assert {e.name for e in MlflowClient(uri_of(results)).search_experiments()} >= {"mine", CONFIG["name"]}
    assert left(results) == []


def test_a_database_of_another_program_is_not_taken_for_a_half_made_store(tmp_path) -> None:
    with closing(sqlite3.connect(tmp_path / "theirs.db")) as connection, connection:
        connection.executescript("CREATE TABLE experiments (a); CREATE TABLE samples (a);")
    before = (tmp_path / "theirs.db").read_bytes()
    with pytest.raises(MachineError, match=r"theirs\.db: holds tables of another program \(samples\); name another"):
        connect(f"sqlite:///{tmp_path}/theirs.db")
    assert (tmp_path / "theirs.db").read_bytes() == before
