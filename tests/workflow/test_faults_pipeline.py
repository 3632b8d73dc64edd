"""Faults of a machine as a pipeline meets them: disks, locks, two at once, a file system that is late."""

import errno
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.workflow.faults_fixture import NO_LOCKS, SmallDisk, one_sentence
from tests.workflow.workflow_fixture import ENVIRONMENT, overlay, run, snakemake

#: Instead of `relax`: waits until a file is there, and lets an output appear some seconds after the job has ended.
STAND_IN = """#!/bin/sh
touch "$STARTED"
while [ -n "$GO" ] && [ ! -e "$GO" ]; do sleep 0.05; done
"$RELAX" "$@" || exit
if [ -n "$LATE" ]; then mv "$LATE" "$LATE.late"; { sleep 3; mv "$LATE.late" "$LATE"; } > "$STARTED" 2>&1 & fi
"""


def stand_in(folder: Path, **how: str) -> dict[str, str]:
    """The environment of a pipeline whose jobs run through it."""
    folder.mkdir()
    (folder / "relax").write_text(STAND_IN)
    (folder / "relax").chmod(0o755)
    real = shutil.which("relax", path=ENVIRONMENT["PATH"])
    paths = {"PATH": f"{folder}{os.pathsep}{ENVIRONMENT['PATH']}", "RELAX": str(real)}
    return {**ENVIRONMENT, "GO": "", "LATE": "", "STARTED": str(folder / "started"), **paths, **how}


def data_alone(clone: Path, name: str) -> list[str]:
    """Options for a pipeline of one job, in a results folder of its own."""
    return [*overlay(clone, f"{name}.yaml", f"name: {name}\n"), "--cores", "1", f"results/{name}/data/run.json"]


def test_a_second_pipeline_is_refused_and_the_first_unaffected(clone: Path, tmp_path: Path) -> None:
    options, go = data_alone(clone, "twice"), tmp_path / "go"
    environment = stand_in(tmp_path / "bin", GO=str(go))
    first = subprocess.Popen(["snakemake", *options], cwd=clone, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 120
        while not (tmp_path / "bin" / "started").exists():
            assert first.poll() is None, first.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        second = snakemake(clone, *options)
        one_sentence(second, 4, "results/twice: another pipeline works in this folder; wait for it or stop it.")
        assert first.poll() is None
    finally:
        go.touch()
        said = first.communicate(timeout=120)[1]
    assert first.returncode == 0, said
    assert (clone / "results/twice/data/run.json").exists()


def test_an_output_that_appears_late_is_waited_for(clone: Path, tmp_path: Path) -> None:
    """As on a network file system. Where the wait is too short it is said, and the same command goes on."""
    options = data_alone(clone, "late")
    environment = stand_in(tmp_path / "bin", LATE="results/late/data/test.jsonl")
    short = snakemake(clone, *options, "--latency-wait", "0", env=environment)
    assert short.returncode == 1
    assert "due to filesystem latency" in short.stderr
    assert "results/late/data/test.jsonl" in short.stderr
    enough = snakemake(clone, *options, "--latency-wait", "60", env=environment)
    assert enough.returncode == 0, enough.stderr
    assert "Nothing to be done" in snakemake(clone, *options).stderr


def test_a_pipeline_on_a_file_system_without_locks(clone: Path) -> None:
    denied = (sys.executable, "-c", NO_LOCKS, str(errno.ENOLCK))
    ended = run(clone, *denied, "snakemake", *data_alone(clone, "unlocked"))
    one_sentence(ended, 4, "results/unlocked/.lock: its file system has no file locks (No locks available)")
    assert not (clone / "results/unlocked/data").exists()


def test_a_pipeline_whose_results_are_on_a_full_disk(clone: Path) -> None:
    """Before its first job, and within it; with room again the same command goes on."""
    options, words = data_alone(clone, "full"), "(No space left on device; 0.0 MB free); make room and run the same"
    disk = SmallDisk(clone / "results" / "full", 300_000, home=clone)
    try:
        disk.fill()
        one_sentence(run(clone, *disk.before, "snakemake", *options), 4, "results/full: cannot write there", words)
        disk.make_room()
        disk.fill(left=36_000)
        within = run(clone, *disk.before, "snakemake", *options)
        assert within.returncode == 1  # Snakemake's own code for a job that failed
        assert f"relax data: results/full/data/train.jsonl: cannot write there {words}" in within.stderr
        assert "non-zero exit status 4" in within.stderr
        assert not [name for name in disk.files() if name.startswith("data/")]
        disk.make_room()
        again = run(clone, *disk.before, "snakemake", *options)
        assert again.returncode == 0, again.stderr
    finally:
        disk.close()


def test_a_pipeline_that_cannot_write_snakemakes_memory(clone: Path) -> None:
    bind = "mount --bind .snakemake .snakemake && mount -o remount,ro,bind .snakemake"
    (clone / ".snakemake").mkdir(exist_ok=True)
    if shutil.which("unshare") is None or run(clone, "unshare", "-m", "sh", "-c", bind).returncode:
        pytest.skip("a read-only mount needs root and mount namespaces")
    command = 'exec snakemake "$@"'
    ended = run(clone, "unshare", "-m", "sh", "-c", f"{bind} && {command}", "sh", *data_alone(clone, "forgetful"))
    one_sentence(ended, 4, ".snakemake: cannot write there (Read-only file system)")
    assert not (clone / "results/forgetful").exists()
