"""A SQLite store is there whole or not at all.

MLflow makes the tables of a store in some fifty steps, and brings those of an older store up to date in the same way.
Stopped between two of them it leaves a store that neither it nor anybody else can use again, because the first table
of the next step is there already. So that is done in a file beside the store, which is moved when it is whole.
"""

import contextlib
import functools
import glob
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import mlflow
from alembic.script import ScriptDirectory
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

from relax.errors import MachineError
from relax.files import lock, refusal, writable_folder

#: Seconds to wait for another process that writes, as MLflow does.
PATIENCE = 20


def make_whole(file: Path) -> None:
    """Make a SQLite store that is missing or half made; bring one of an older MLflow up to date.

    One that holds nothing is made anew. One that holds something is copied, and stays as it is where MLflow cannot
    bring the copy up to date.

    Raises:
        MachineError: it cannot be brought up to date, holds tables of another program, or is written by one.
        sqlite3.Error: it is no database.
    """
    if _is_whole(file):
        return
    writable_folder(file.parent)
    with lock(file.with_name(f".{file.name}.lock"), wait=True):
        for left in file.parent.glob(f".{glob.escape(file.name)}.*.tmp"):  # of a process that was killed
            shutil.rmtree(left)
        if _is_whole(file):
            return
        folder = Path(tempfile.mkdtemp(prefix=f".{file.name}.", suffix=".tmp", dir=file.parent))
        try:
            _make(file, folder / "made.db", folder / "whole.db")
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def _newest() -> str | None:
    """The state of a database after the last of MLflow's steps."""
    return ScriptDirectory(str(Path(mlflow.__file__).parent / "store" / "db_migrations")).get_current_head()


def _is_whole(file: Path) -> bool:
    if not file.is_file() or not file.stat().st_size:
        return False
    with closing(_open(file)) as store:
        if "alembic_version" not in _tables(store):
            return False
        return store.execute("SELECT version_num FROM alembic_version").fetchall() == [(_newest(),)]


def _make(file: Path, made: Path, whole: Path) -> None:
    with contextlib.ExitStack() as stack:
        old = stack.enter_context(closing(_open(file))) if file.exists() else None
        used = old is not None and _is_used(old)
        seen = old and _changes(old)
        if old and used:
            _copy(old, made)
        try:
            MlflowClient(tracking_uri=f"sqlite:///{made}").search_experiments(max_results=1)
        except (MlflowException, SQLAlchemyError) as error:
            if not used or refusal(error):
                raise
            reason = (str(error).strip().splitlines() or ["no reason given"])[0][:150]
            raise MachineError(
                f"{file}: its tables are not those of MLflow {mlflow.__version__}, which cannot bring them up to date "
                f"({reason}); it is left as it is: bring back a copy from before, or move it away and run `relax "
                "track`, which makes it anew."
            ) from error
        new = stack.enter_context(closing(_open(made)))
        if old and (others := sorted(_tables(old) - _tables(new))):
            raise MachineError(f"{file}: holds tables of another program ({others[0]}); name another file.")
        _copy(new, whole)  # not the file itself, which MLflow has open
        if old and _changes(old) != seen:
            raise MachineError(f"{file}: another process writes the store; try again after it.")
        if old:  # with a write goes the journal that a killed process may have left, which is not for the new file
            (version,) = old.execute("PRAGMA user_version").fetchone()
            old.execute(f"PRAGMA user_version = {version}")
    if any(file.with_name(file.name + kind).exists() for kind in ("-journal", "-wal")):
        raise MachineError(f"{file}: another process has the store open; try again after it.")
    os.replace(whole, file)


def _open(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file, timeout=PATIENCE)


def _tables(store: sqlite3.Connection) -> set[str]:
    """Names but for SQLite's own, and for those that a step of MLflow's writes into on its way."""
    names = store.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return {name for (name,) in names if not name.startswith(("sqlite_", "_alembic_tmp_"))}


def _is_used(store: sqlite3.Connection) -> bool:
    """Whether there is a row that no step of MLflow's has made, or no table of MLflow's among others."""
    tables = _tables(store)
    rows = (
        store.execute(f'SELECT EXISTS (SELECT 1 FROM "{table}")').fetchall() == [(1,)]
        for table in tables - {"alembic_version", "workspaces"}
    )
    return (bool(tables) and not tables & {"alembic_version", "experiments"}) or any(rows)


def _changes(store: sqlite3.Connection) -> int:
    """Another number after another process has written."""
    return store.execute("PRAGMA data_version").fetchone()[0]


def _copy(store: sqlite3.Connection, target: Path) -> None:
    with closing(sqlite3.connect(target)) as copy:
        store.backup(copy)
