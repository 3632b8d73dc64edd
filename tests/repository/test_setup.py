"""The set-up script: what it asks of the machine, in which words, before it makes anything."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY


@pytest.fixture
def bare(tmp_path) -> Path:
    """A folder with what the script reads, and no environment."""
    folder = tmp_path / "a path with spaces"
    shutil.copytree(REPOSITORY / "envs", folder / "envs")
    shutil.copyfile(REPOSITORY / "pyproject.toml", folder / "pyproject.toml")
    return folder


def setup(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", str(folder / "envs" / "setup.sh"), *arguments]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["gpu"], {}, "no lock file envs/gpu.lock; choose cpu or cuda."),
        (["cpu"], {"PYTHON": "/bin/echo"}, "the locks are for Python 3.11"),
        (["cpu"], {"PYTHON": "", "PATH": "/nowhere"}, None),
    ],
)
def test_what_is_missing_is_named_and_nothing_is_made(bare, arguments, environment, words) -> None:
    if "PATH" in environment:
        tools = bare / "tools"
        tools.mkdir()
        for name in ("bash", "dirname", "cat", "sha256sum", "cut", "uname", "grep", "df", "awk"):
            (tools / name).symlink_to(shutil.which(name))
        environment, words = {"PATH": str(tools)}, "python3.11 not found; install Python 3.11 or name it with PYTHON="
    result = setup(bare, *arguments, **environment)
    assert result.returncode == 4, result.stderr
    assert words in result.stderr
    assert not (bare / ".venv").exists()


def test_an_environment_that_fits_the_lock_is_left_alone() -> None:
    if not (REPOSITORY / ".venv" / "relax-cpu.stamp").exists():
        pytest.skip("these tests do not run from the environment that envs/setup.sh makes")
    before = Path(sys.prefix, "pyvenv.cfg").stat().st_mtime_ns
    result = setup(REPOSITORY)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert Path(sys.prefix, "pyvenv.cfg").stat().st_mtime_ns == before
