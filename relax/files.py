"""Files that are there whole or not at all, and the one reader of JSON lines."""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from relax.errors import DataError, MachineError


def writable_folder(path: str | Path) -> Path:
    """Make the folder and prove that a file can be written there.

    Raises:
        MachineError: it cannot.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise MachineError(f"{path}: cannot write there ({error.strerror}); choose another folder.") from error
    return path


def atomic_write(path: str | Path, content: str | bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    path = Path(path)
    writable_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    os.replace(temporary, path)


@contextlib.contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """A temporary folder that takes the place of ``path`` when the block ends without an error."""
    path = Path(path)
    writable_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        shutil.rmtree(path, ignore_errors=True)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def read_json_lines(path: Path, what: str) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    """(file and line in words, line number, object) of every line that is not blank.

    Args:
        path: a file with one JSON object a line.
        what: what the objects are, in the plural, for the messages.

    Raises:
        DataError: the file cannot be read, is empty, or a line is no JSON object; names file and line.
    """
    try:
        content = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); expected a file of {what}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text (byte {error.start}); expected JSON lines.") from error
    empty = True
    # Not splitlines(): JSON text may hold other characters that Unicode counts as ends of lines.
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        empty = False
        where = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{where}: not JSON ({error.msg} at column {error.colno}).") from error
        if not isinstance(row, dict):
            raise DataError(f"{where}: expected a JSON object, found {type(row).__name__}.")
        yield where, number, row
    if empty:
        raise DataError(f"{path}: holds no {what}; expected one JSON object a line.")
