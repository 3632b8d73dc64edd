"""Files there whole or not at all, what a disk says against them, locks, and the readers of YAML and JSON lines."""

import contextlib
import errno
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import IO

from relax.errors import MachineError, RelaxError

#: Where this package runs from: the folder of its clone, or that of all installed packages.
_HOME = Path(str(files("relax"))).parent
#: A disk, or this user's share of it, is full.
_FULL = (errno.ENOSPC, errno.EDQUOT)
#: Not ours to mend either: permissions, a read-only or broken disk, a network file system that lost a file.
_REFUSED = (*_FULL, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ESTALE)
#: The same, as libraries put it that raise no OSError: safetensors, SQLite, and torch, which names no reason.
_SAID = re.compile(
    "No space left on device|Disk quota exceeded|database or disk is full|Permission denied|Read-only file system"
    "|Input/output error|Stale file handle|(?P<torch>inline_container|PytorchStreamWriter)"
)
_TORCH = "torch could not write all of a file"


def of_the_clone(name: str) -> Path:
    """A file or folder that a clone of the repository holds and an installed package does not.

    Args:
        name: below the clone's folder, such as ``envs/cpu.lock``.

    Raises:
        MachineError: the package runs from no clone, or the clone lacks it.
    """
    if not (_HOME / name).exists():
        raise MachineError(
            f"{name} is part of a clone of the repository, and relax runs from {_HOME}, which holds no such thing; "
            "change to the folder of a clone, run `make setup` there and give the same words to its .venv/bin/relax."
        )
    return _HOME / name


def refusal(error: BaseException | None) -> str | None:
    """What the system said against a file, in an error or in one of its causes; None where it is of another kind."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _REFUSED:
            return os.strerror(error.errno)
        if found := _SAID.search(str(error)):
            return _TORCH if found["torch"] else found[0]
        error = error.__cause__ or error.__context__
    return None


def cannot_write(path: str | Path | None, reason: str) -> MachineError:
    """The sentence for a file or folder that cannot be written, with what is free where that is little; None where only
    a library knows which."""
    if path is None:
        return MachineError(
            f"a library could not write a file ({reason}); look at {tempfile.gettempdir()}, the home folder and the "
            "disk of the outputs, and run the same command again."
        )
    nearest = next(place for place in (Path(path), *Path(path).absolute().parents) if place.exists())
    disk = os.statvfs(nearest)
    free = disk.f_bavail * disk.f_frsize / 1e6
    full = [*map(os.strerror, _FULL), "database or disk is full", *([_TORCH] if free < 1 else [])]
    if not reason.endswith(tuple(full)):
        return MachineError(f"{path}: cannot write there ({reason}); choose another folder, or change its permissions.")
    left = "no more files" if not disk.f_favail and disk.f_files else f"{free:.1f} MB free"
    return MachineError(
        f"{path}: cannot write there ({reason}; {left}); make room and run the same command again, which goes on "
        "from what is there."
    )


@contextlib.contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """What is written within the block goes below ``path``.

    Raises:
        MachineError: the system did not take it.
    """
    try:
        yield
    except RelaxError:
        raise
    except Exception as error:
        if reason := refusal(error):
            raise cannot_write(path, reason) from error
        raise


def writable_folder(path: str | Path) -> Path:
    """Make the folder and prove that a file can be written there.

    Raises:
        MachineError: it cannot.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path) as file:
            file.write(b"room for a block")  # a full disk still takes empty files
    except OSError as error:
        reason = "a file of that name is there" if isinstance(error, FileExistsError) else error.strerror or str(error)
        raise cannot_write(path, reason) from error
    return path


def atomic_write(path: str | Path, content: str | bytes) -> None:
    """Write a file so that it is there whole or not at all.

    Raises:
        MachineError: it cannot be written; nothing is left of it.
    """
    path = Path(path)
    writable_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with writing(path):
        try:
            temporary.write_bytes(content.encode() if isinstance(content, str) else content)
            os.replace(temporary, path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            if isinstance(error, IsADirectoryError):
                raise MachineError(f"{path}: is a folder, expected the name of a file; give one below it.") from error
            raise


@contextlib.contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """A temporary folder that takes the place of ``path`` when the block ends without an error.

    Raises:
        MachineError: it cannot be written; nothing is left of it.
    """
    path = Path(path)
    writable_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with writing(path):
            temporary.mkdir()
            yield temporary
            shutil.rmtree(path, ignore_errors=True)
            os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def lock(path: str | Path, wait: bool = False) -> IO[str]:
    """A file that only one process has open under this lock. It ends when the file is closed or the process dies,
    however it dies.

    Args:
        path: of the file, which is made where it is missing and never removed.
        wait: until another process lets go.

    Raises:
        BlockingIOError: another process holds it, and ``wait`` is not set.
        MachineError: the file cannot be made, or its file system knows no locks.
    """
    path = Path(path)
    with writing(path):
        stream = path.open("w")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        stream.close()
        raise
    except OSError as error:
        stream.close()
        raise MachineError(
            f"{path}: its file system has no file locks ({error.strerror}), and without one two processes could write "
            "the same files; choose a folder on another disk, or ask for a mount with locks (Lustre: flock)."
        ) from error
    return stream
