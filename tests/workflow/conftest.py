"""What tests of the workflow share: a disk that can be full."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workflow.faults_fixture import SmallDisk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Four megabytes at tmp_path/disk."""
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        pytest.skip("a small disk needs util-linux")
    made = SmallDisk(tmp_path / "disk", 4_000_000)
    yield made
    made.close()
