"""One run of ``relax dsd`` that several tests look at."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.latent.dsd_fixture import usual_options


@pytest.fixture(scope="session")
def options(tiny_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    return usual_options(tiny_policy, tmp_path_factory.mktemp("prompts") / "problems.jsonl")


@pytest.fixture(scope="session")
def done(tmp_path_factory: pytest.TempPathFactory, options: list[object]) -> tuple[Path, str]:
    """Folder and terminal of one run, in a process of its own."""
    out = tmp_path_factory.mktemp("done") / "out"
    command = [sys.executable, "-m", "relax", "dsd", *map(str, options), "--out", str(out)]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr
    return out, ended.stderr
