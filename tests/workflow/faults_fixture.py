"""Faults of a machine, made for real: a small disk, a read-only one, a system without file locks, what a user sees."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.workflow.workflow_fixture import ENVIRONMENT

SMOKE = ("--configfile", "config/config.yaml", "config/smoke.yaml")
#: A process in which the system answers flock() with an error number, as on file systems without locks.
NO_LOCKS = """
import ctypes, os, platform, struct, sys
number = {"x86_64": 73, "aarch64": 32}[platform.machine()]
load, equal, give = 0x20, 0x15, 0x06
rules = [(load, 0, 0, 0), (equal, 0, 1, number), (give, 0, 0, 0x00050000 | int(sys.argv[1])), (give, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("rules", ctypes.c_void_p)]
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Program(len(rules), ctypes.addressof(code))), 0, 0) == 0, ctypes.get_errno()
os.execvp(sys.argv[2], sys.argv[2:])
"""


def relax(*words: str | Path, before: tuple[str, ...] = (), **environment: str) -> subprocess.CompletedProcess[str]:
    """A verb as a user runs it, in the repository; ``before`` are words of a command that starts it."""
    command = [*before, sys.executable, "-m", "relax", *map(str, words)]
    return subprocess.run(
        command, cwd=REPOSITORY, env={**ENVIRONMENT, **environment}, capture_output=True, text=True, timeout=300
    )


def one_sentence(ended: subprocess.CompletedProcess[str], code: int, *words: str) -> str:
    """The last line on the terminal, which is all that is said of a fault; of `relax` and of Snakemake."""
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr, ended.stderr
    sentence = ended.stderr.strip().splitlines()[-1]
    assert not [word for word in words if word not in sentence], sentence
    return sentence


class SmallDisk:
    """A disk of its own for one folder, seen by commands after :attr:`before` alone.

    Args:
        folder: where it is mounted, as those commands name it.
        size: in bytes.
        home: folder that those commands run in.
    """

    def __init__(self, folder: Path, size: int, home: Path = REPOSITORY) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        mount = f'mount -t tmpfs -o size={size} none "$0" && echo mounted && exec sleep 600'
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount, str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if self._holder.stdout.readline() != "mounted\n":
            self.close()
            pytest.skip("a small disk needs root and mount namespaces")
        entering = ("nsenter", f"--mount=/proc/{self._holder.pid}/ns/mnt")
        self.before = (*entering, "sh", "-c", 'cd "$0" && exec "$@"', str(home))
        #: The same folder, for this process.
        self.inside = Path(f"/proc/{self._holder.pid}/root{folder}")

    def fill(self, left: int = 0) -> None:
        """Leave so many bytes free."""
        disk = os.statvfs(self.inside)
        (self.inside / "fill").write_bytes(bytes(disk.f_bavail * disk.f_frsize - left))

    def make_room(self) -> None:
        """Undo it."""
        (self.inside / "fill").unlink()

    def read_only(self) -> None:
        """From now on."""
        subprocess.run([*self.before, "mount", "-o", "remount,ro", str(self.folder)], check=True)

    def files(self) -> dict[str, bytes]:
        """Everything on it but for what fills it."""
        found = [path for path in self.inside.rglob("*") if path.is_file() and path.name != "fill"]
        return {path.relative_to(self.inside).as_posix(): path.read_bytes() for path in found}

    def close(self) -> None:
        """The disk goes with the process that holds it."""
        self._holder.kill()
        self._holder.communicate()
