"""A copy of the repository in a path with a space, and Snakemake run there as a user runs it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import REPOSITORY

ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("RELAX_")},
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "OMP_NUM_THREADS": "1",
}
#: Secrets that must show up in no file, planted in every run of the smoke configuration.
PLANTED = {
    "HF_TOKEN": "hf_plantedTokenOfTheHub",
    "HUGGING_FACE_HUB_TOKEN": "hf_plantedTokenOfOldHubs",
    "MLFLOW_TRACKING_USERNAME": "plantedUser",
    "MLFLOW_TRACKING_PASSWORD": "plantedPassword",
    "MLFLOW_TRACKING_TOKEN": "plantedBearer",
}


def copy_repository(destination: Path) -> Path:
    """What git tracks and what it does not ignore, as a fresh clone would hold it."""
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=REPOSITORY, capture_output=True, check=True
    )
    for name in filter(None, listing.stdout.decode().split("\0")):
        source, target = REPOSITORY / name, destination / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            target.symlink_to(os.readlink(source))
        elif source.is_file():
            shutil.copyfile(source, target)
    return destination


def run(
    folder: Path, *command: str, timeout: int = 1200, env: dict[str, str] = ENVIRONMENT
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=timeout, check=False)


def snakemake(folder: Path, *options: str, **how: Any) -> subprocess.CompletedProcess[str]:
    return run(folder, "snakemake", *options, **how)


def planned(folder: Path, *options: str, **how: Any) -> dict[str, int]:
    """Jobs of a dry run by rule, without `all` and the total; empty when there is nothing to do."""
    result = snakemake(folder, "-n", "--quiet", "reason", *options, **how)
    assert result.returncode == 0, result.stderr + result.stdout
    text = result.stdout + result.stderr
    if "Job stats:" not in text:
        assert "Nothing to be done" in text, text
        return {}
    counts = {}
    for line in text.split("Job stats:")[1].splitlines()[3:]:
        if not line.strip():
            break
        name, count = line.split()
        counts[name] = int(count)
    return {name: n for name, n in counts.items() if name not in ("all", "total")}


def overlay(clone: Path, name: str, text: str) -> list[str]:
    """Options for the smoke configuration with one more file over it."""
    (clone / name).write_text(text)
    return ["--configfile", "config/smoke.yaml", name]
