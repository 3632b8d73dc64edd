"""A test that cannot run here is skipped with its reason; a lane of tests that cannot run ends with an error."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import LANES, REPOSITORY
from tests.workflow.workflow_fixture import ENVIRONMENT

LANE = """
import pytest

@pytest.fixture
def machine():
    pytest.skip("no such machine here")

{marks}
def test_in_a_fixture(machine):
    pass

{marks}
@pytest.mark.skipif(True, reason="no such machine here")
def test_before():
    pass
"""


def lane(folder: Path, name: str, *options: str) -> tuple[int, str]:
    """Exit code and text of pytest over a file of a lane, as this repository sets it up."""
    (folder / "test_lane.py").write_text(LANE.format(marks=f"@pytest.mark.{name}"))
    words = [sys.executable, "-m", "pytest", "-c", str(REPOSITORY / "pyproject.toml"), "-p", "no:cacheprovider"]
    words += ["-p", "tests.conftest", *options, str(folder / "test_lane.py")]
    environment = {**ENVIRONMENT, "PYTHONPATH": str(REPOSITORY)}
    ended = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    return ended.returncode, ended.stdout


def test_a_lane_that_cannot_run_its_tests_ends_with_an_error(tmp_path: Path) -> None:
    code, said = lane(tmp_path, "slurm_trouble", "-m", "slurm_trouble")
    assert code == 1
    assert (
        said.count("-m slurm_trouble cannot run this test here: no such machine here") >= 2
    )  # the summary may repeat them


@pytest.mark.parametrize("options", [(), ("-m", "not slow")], ids=["make test", "a choice of tests"])
def test_elsewhere_it_is_skipped_with_its_reason(tmp_path: Path, options: tuple[str, ...]) -> None:
    code, said = lane(tmp_path, "cuda", *options)
    assert code == 0
    assert "no such machine here" in said
    assert "2 skipped" in said


def test_the_lanes_of_make_are_known_to_it() -> None:
    asked = re.findall(r"pytest -m (\S+)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    assert sorted(asked) == ["long", "slurm_trouble"]
    assert set(asked) <= set(LANES)


def test_make_help_names_every_target_and_the_checks_are_those_of_ci() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = set(re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)[1].split()) - {"help"}
    assert targets == set(re.findall(r"^([\w-]+):(?!=)", makefile, re.MULTILINE)) - {"help"}
    assert set(re.findall(r'^\t@echo "make ([\w-]+) ', makefile, re.MULTILINE)) == targets
    recipe = re.search(r"^check: setup\n((?:\t.+\n)+)", makefile, re.MULTILINE)[1].split("\n\t")
    commands = [line.strip() for line in recipe]
    assert commands == [
        "ruff check .",
        "ruff format --check .",
        "snakefmt --check Snakefile workflow",
        "mypy",
        "snakemake --lint",
    ]
    ci = (REPOSITORY / ".ci" / "run").read_text()
    assert re.findall(r"^make (\S+)$", ci, re.MULTILINE) == ["check", "test"]
    assert "set -euo pipefail" in ci


@pytest.fixture
def without_index(tmp_path: Path) -> Path:
    """What `make test-latest` reads, beside this environment's tools, and no package index."""
    shutil.copytree(REPOSITORY / "envs", tmp_path / "envs")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(REPOSITORY / name, tmp_path / name)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


def test_the_newest_libraries_that_cannot_be_installed_end_with_an_error(without_index: Path) -> None:
    environment = {**ENVIRONMENT, "UV_OFFLINE": "1", "UV_NO_CACHE": "1", "UV_NO_CONFIG": "1"}
    ended = subprocess.run(
        ["bash", without_index / "envs" / "latest.sh"], env=environment, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 4
    assert ended.stderr.splitlines()[-1].startswith("latest: no torch could be installed; name an index")
    assert ended.stdout == ""
