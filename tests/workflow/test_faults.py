"""Disks that are full or read-only, no file locks, clocks that differ: one sentence, and the same command goes on."""

import errno
import os
import shutil
import sqlite3
import sys
import time
from pathlib import Path

import pytest

from relax.errors import MachineError
from relax.files import atomic_folder, atomic_write, cannot_write, lock, refusal, writing
from relax.records.record import Run
from relax.store.export import export
from tests.conftest import REPOSITORY
from tests.store.export_fixture import CONFIG, counts, runs_of, seed, uri_of
from tests.workflow.faults_fixture import NO_LOCKS, SMOKE, SmallDisk, one_sentence, relax
from tests.workflow.workflow_fixture import run

FULL = "cannot write there (No space left on device; 0.0 MB free); make room and run the same command again"


# A full disk ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "where"), [(0, "disk/data: "), (30_000, "disk/data/train.jsonl: ")], ids=["at the start", "in the middle"]
)
def test_a_full_disk_under_the_results(disk: SmallDisk, tmp_path: Path, left: int, where: str) -> None:
    out = disk.folder / "data"
    disk.fill(left)
    one_sentence(relax("data", *SMOKE, "--out", out, before=disk.before), 4, where, FULL)
    assert disk.files() == {}
    disk.make_room()
    assert relax("data", *SMOKE, "--out", out, before=disk.before).returncode == 0
    assert relax("data", *SMOKE, "--out", tmp_path / "undisturbed").returncode == 0
    for name in ("train.jsonl", "test.jsonl"):
        assert disk.files()[f"data/{name}"] == (tmp_path / "undisturbed" / name).read_bytes()


def test_a_disk_that_fills_up_within_a_folder_of_files(disk: SmallDisk, tmp_path: Path) -> None:
    """The report's pages: weights of a policy take the same way."""
    program = (
        "import sys; from pathlib import Path; from relax.files import atomic_folder\n"
        "with atomic_folder(sys.argv[1]) as folder:\n"
        "    for name in 'ab': (folder / name).write_bytes(bytes(20_000))\n"
    )
    disk.fill(left=30_000)
    result = run(REPOSITORY, *disk.before, sys.executable, "-c", program, str(disk.folder / "model"))
    assert f"{disk.folder}/model: cannot write there (No space left on device; 0.0 MB free)" in result.stderr
    assert disk.files() == {}


def test_a_disk_that_fills_up_during_an_export(disk: SmallDisk, results: Path) -> None:
    """The store and its artefacts are on it. Afterwards each record is there once."""
    root = disk.inside / "results"
    shutil.copytree(results, root)
    command = (
        "track",
        "--configfile",
        "config/config.yaml",
        "--root",
        disk.folder / "results",
        "--out",
        disk.folder / "results" / "track.json",
    )
    for left in (0, 20_000, 60_000):
        disk.fill(left)
        one_sentence(relax(*command, before=disk.before), 4, "disk/results: cannot write there (", "0.0 MB free); make")
        assert not (root / "track.json").exists()
        disk.make_room()
    ended = relax(*command, before=disk.before)
    assert ended.returncode == 0, ended.stderr
    shutil.copyfile(root / "mlflow.db", results / "copy.db")
    with sqlite3.connect(results / "copy.db") as store:
        rows = store.execute(
            "SELECT value, status FROM runs JOIN tags ON runs.run_uuid = tags.run_uuid"
            " WHERE key = 'relax.record' AND lifecycle_stage = 'active' ORDER BY value"
        ).fetchall()
    assert rows == [(f"train/tiny/relax/seed-{number}", "FINISHED") for number in (1, 2)]


def test_a_log_that_takes_no_more_lines_costs_no_work(results: Path) -> None:
    """/dev/full is a file on a disk that is always full."""
    command = ("track", "--configfile", "config/config.yaml", "--root", results, "--out", results / "track.json")
    ended = relax(*command, "--log", "/dev/full")
    assert ended.returncode == 0, ended.stderr
    said = [line.partition(", ")[0] if "runs/s" in line else line for line in ended.stderr.splitlines()]
    assert said == [
        "track: 2 of 2 runs",
        "the log ends here, as it cannot be written any more (No space left on device); the work goes on",
        "track: 2 runs added",
    ]


@pytest.mark.slow
def test_a_disk_that_fills_up_during_a_checkpoint(smoke: Path, disk: SmallDisk) -> None:
    """Room for the first checkpoint, not for the second; then the run goes on and ends with the same bytes."""
    root = smoke / "results" / "smoke"
    command = (
        "train", *SMOKE, "--policy", "tiny", "--method", "relax-sv", "--seed", "1", "--data", root / "data/train.jsonl",
        "--base", root / "base/tiny/model", "--dictionary", root / "dictionary/tiny",
        "--checkpoints", disk.folder / "checkpoints", "--out", disk.folder / "out",
    )  # fmt: skip
    disk.fill(left=2_000_000)
    one_sentence(relax(*command, before=disk.before), 4, "/checkpoint-4: cannot write there (", "0.0 MB free); make ro")
    assert not list((disk.inside / "out").iterdir())
    disk.make_room()
    ended = relax(*command, before=disk.before)
    assert ended.returncode == 0, ended.stderr
    assert "going on from checkpoint-2" in ended.stderr
    straight = root / "train/tiny/relax-sv/seed-1"
    for name in ("model/model.safetensors", "rollouts.jsonl"):
        assert disk.files()[f"out/{name}"] == (straight / name).read_bytes(), name


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.EDQUOT, "x"), "Disk quota exceeded"),
        (RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"), "No space left on"),
        (RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0"), "torch could not write"),
        (OSError(errno.ENOENT, "No such file"), None),
        (RuntimeError("shapes differ"), None),
    ],
)
def test_what_is_a_disks_fault(error: Exception, reason: str | None) -> None:
    def wrapped() -> Exception:
        try:
            raise RuntimeError("in a library") from error
        except RuntimeError as outer:
            return outer

    for found in (refusal(error), refusal(wrapped())):
        assert found is None if reason is None else found.startswith(reason)


def test_a_full_quota_on_an_empty_disk_is_said_to_be_full(tmp_path: Path) -> None:
    words = r"x: cannot write there \(Disk quota exceeded; [\d.]+ MB free\); make room"
    with pytest.raises(MachineError, match=words), writing(tmp_path / "x"):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")
    assert "choose another folder" in str(cannot_write("/proc/x", "Permission denied"))


# A folder that cannot be written ----------------------------------------------------------------------


def test_a_read_only_disk(disk: SmallDisk, results: Path) -> None:
    shutil.copytree(results, disk.inside / "results")
    (disk.inside / "results" / "mlflow.db").unlink()
    before = disk.files()
    disk.read_only()
    root, words = disk.folder / "results", "cannot write there (Read-only file system); choose another folder"
    for command in (
        ("data", *SMOKE, "--out", root / "data"),
        ("data", *SMOKE, "--out", results / "data", "--log", root / "logs" / "data.log"),
        ("track", "--configfile", "config/config.yaml", "--root", root, "--out", results / "track.json"),
    ):
        one_sentence(relax(*command, before=disk.before), 4, f"{root}", words)
    assert disk.files() == before
    assert not (results / "track.json").exists()


def test_a_results_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    for out, reason in ((tmp_path / "taken", "a file of that name is there"), (tmp_path / "taken" / "x", "Not a dir")):
        one_sentence(relax("data", *SMOKE, "--out", out), 4, f"{out}: cannot write there ({reason}")
    one_sentence(
        relax("data", *SMOKE, "--out", tmp_path / "x", "--log", tmp_path),
        4,
        f"{tmp_path}: cannot write there (Is a dir",
    )
    assert (tmp_path / "taken").read_text() == "mine"
    assert not (tmp_path / "x").exists()


# Locks ------------------------------------------------------------------------------------------------


def test_a_lock_is_one_processs_and_ends_with_it(tmp_path: Path) -> None:
    held = lock(tmp_path / "lock")
    with pytest.raises(BlockingIOError):
        lock(tmp_path / "lock")
    held.close()
    lock(tmp_path / "lock").close()


def test_a_file_system_without_locks_is_one_sentence(results: Path) -> None:
    command = ("track", "--configfile", "config/config.yaml", "--root", results, "--out", results / "t.json")
    ended = relax(*command, before=(sys.executable, "-c", NO_LOCKS, str(errno.ENOLCK)))
    one_sentence(
        ended,
        4,
        f"{results}/.track.lock: its file system has no file locks (No locks available)",
        "choose a folder on another disk",
    )
    assert not (results / "t.json").exists()


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.ENOSYS])
def test_however_a_file_system_says_that_it_has_no_locks(tmp_path: Path, number: int) -> None:
    program = "import sys; from relax.files import lock; lock(sys.argv[1])"
    denied = (sys.executable, "-c", NO_LOCKS, str(number))
    ended = run(REPOSITORY, *denied, sys.executable, "-c", program, str(tmp_path / "lock"))
    assert f"MachineError: {tmp_path}/lock: its file system has no file locks ({os.strerror(number)})" in ended.stderr


# Clocks -----------------------------------------------------------------------------------------------


def shift(folder: Path, seconds: float) -> None:
    """As if all of a folder had been written by a machine whose clock is ahead."""
    then = time.time() + seconds
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (then, then))


def test_outputs_are_never_older_than_inputs_of_a_clock_that_is_ahead(tmp_path: Path, caplog) -> None:
    caplog.set_level("INFO", logger="relax")
    (tmp_path / "in" / "below").mkdir(parents=True)
    (tmp_path / "in" / "below" / "file").write_text("x")
    shift(tmp_path / "in", 1.5)
    newest = (tmp_path / "in").stat().st_mtime
    made = Run("grade", {"name": "t"}, {}, [tmp_path / "in"])
    record = made.finish(tmp_path / "out", [])
    assert time.time() >= newest
    assert (tmp_path / "out" / "run.json").stat().st_mtime >= newest
    assert record["wall_seconds"] > 1
    assert any("this machine's clock is behind that of the inputs; waiting" in text for text in caplog.messages)


def test_a_clock_that_is_hours_ahead_is_one_sentence_before_the_work(tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / f"{name}.jsonl").write_text("{}")
    shift(tmp_path, 7200)
    command = ("overlap", *SMOKE, "--train", tmp_path / "train.jsonl", "--test", tmp_path / "test.jsonl")
    one_sentence(
        relax(*command, "--out", tmp_path / "out"),
        4,
        "train.jsonl: was written 120 minutes in the future of",
        "set the clocks of all machines right, or, where this one is, `touch` the file",
    )
    assert not (tmp_path / "out").exists()


def test_an_export_copes_with_records_out_of_order_and_from_the_future(results: Path) -> None:
    import json

    for number, started in ((1, "2199-01-01T00:00:00+00:00"), (2, "1999-01-01T00:00:00+00:00")):
        path = results / f"train/tiny/relax/seed-{number}/run.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"started": started}))
    shift(results / "train", 3600)
    assert export(results, CONFIG, uri_of(results))["added"] == 2
    assert export(results, CONFIG, uri_of(results))["unchanged"] == 2
    for found in runs_of(results).values():
        assert found.info.end_time >= found.info.start_time
    seed(results, 1)
    assert export(results, CONFIG, uri_of(results)) == counts(replaced=1, unchanged=1)


def test_files_of_a_write_that_failed_are_gone(tmp_path: Path) -> None:
    """A folder stands where the file should go."""
    (tmp_path / "file").mkdir()
    with pytest.raises(MachineError, match="is a folder, expected the name of a file"):
        atomic_write(tmp_path / "file", "x")
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "folder"):
        raise RuntimeError("no disk's fault")
    assert os.listdir(tmp_path) == ["file"]
