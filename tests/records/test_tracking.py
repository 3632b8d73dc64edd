"""Run records, and files that are whole or absent."""

import os
import shutil
import subprocess
import sys

import pytest

from relax.errors import DataError
from relax.files import atomic_folder, atomic_write
from relax.records.record import Run, digest_path, find_records, flat_settings, read_record, record_folders
from tests.conftest import REPOSITORY


def record(folder, verb="train", settings=None, **identity):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "output.txt").write_text("whole")
    run = Run(verb, {"name": "t", **identity}, settings or {"method": {"alpha": 0.1}}, metrics={"reward": 0.5})
    return run.finish(folder, [folder / "output.txt"])


def test_a_record_says_what_ran_and_what_came_out(tmp_path) -> None:
    (tmp_path / "input").write_text("x")
    run = Run("train", {"name": "t", "seed": 1}, {"a": {"b": 2}}, [tmp_path / "input"], seeds={"training": 1})
    atomic_write(tmp_path / "out" / "file", "y")
    written = run.finish(tmp_path / "out", [tmp_path / "out" / "file"], extra=1)
    assert read_record(tmp_path / "out") == written
    described = {"verb", "arguments", "identity", "settings", "settings_hash", "metrics", "seeds", "inputs", "outputs"}
    measured = {"git", "versions", "machine", "wall_seconds", "cpu_seconds", "peak_memory_mb", "started"}
    assert described | measured <= written.keys()
    assert written["inputs"] == {str(tmp_path / "input"): digest_path(tmp_path / "input")}
    assert written["git"]["commit"] == head()
    assert str(written["machine"]["processor"]) in subprocess.run(["lscpu"], capture_output=True, text=True).stdout
    assert written["extra"] == 1
    assert written["peak_memory_mb"] > 10


def head() -> str:
    command = ["git", "-C", str(REPOSITORY), "rev-parse", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_an_input_that_is_missing_is_named_before_anything_starts(tmp_path) -> None:
    with pytest.raises(DataError, match=r"none: no such file or folder; it is an input of `relax train`"):
        Run("train", {}, {}, [tmp_path / "none"])
    with pytest.raises(DataError, match="has not finished"):
        read_record(tmp_path)
    (tmp_path / "run.json").write_text('{"verb": ')
    with pytest.raises(DataError, match="not a run record"):
        read_record(tmp_path)


def test_digests_see_contents_and_names_but_no_records_or_time_stamps(tmp_path) -> None:
    (tmp_path / "a").write_text("1")
    before = digest_path(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / ".snakemake_timestamp").write_text("")
    assert digest_path(tmp_path) == before
    (tmp_path / "a").rename(tmp_path / "b")
    renamed = digest_path(tmp_path)
    (tmp_path / "b").write_text("2")
    assert len({before, renamed, digest_path(tmp_path)}) == 3


def test_a_folder_that_fails_half_way_leaves_the_old_one(tmp_path) -> None:
    with atomic_folder(tmp_path / "model") as folder:
        (folder / "weights").write_text("old")

    def die_half_way() -> None:
        with atomic_folder(tmp_path / "model") as folder:
            (folder / "weights").write_text("new")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        die_half_way()
    assert (tmp_path / "model" / "weights").read_text() == "old"
    assert os.listdir(tmp_path) == ["model"]


def test_a_process_killed_while_writing_leaves_no_file(tmp_path) -> None:
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom relax import files\n"
        "os.replace = lambda *a: os.kill(os.getpid(), 9)\n"
        "files.atomic_write(sys.argv[1], 'half')"
    )
    target = tmp_path / "table.md"
    assert subprocess.run([sys.executable, "-c", program, str(target)], cwd=REPOSITORY).returncode == -9
    assert not target.exists()


def test_half_written_folders_are_not_records(tmp_path) -> None:
    record(tmp_path / "train" / "a", seed=1)
    record(tmp_path / "train" / ".b.123.tmp", seed=2)
    assert [r["identity"]["seed"] for _, r in find_records(tmp_path)] == [1]
    assert find_records(tmp_path, verb="data") == []


def test_folders_that_go_while_one_looks_are_no_fault(tmp_path, monkeypatch) -> None:
    record(tmp_path / "train" / "a", seed=1)
    record(tmp_path / "train" / "b", seed=2)
    record(tmp_path / "mlartifacts" / "run" / "artifacts", seed=3)
    scandir = os.scandir

    def losing(path):
        if str(path).endswith("b"):
            shutil.rmtree(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", losing)
    assert [folder.name for folder in record_folders(tmp_path)] == ["a"]


def test_a_record_names_its_pipeline_run(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("RELAX_PIPELINE_RUN", raising=False)
    assert record(tmp_path)["pipeline"] is None
    monkeypatch.setenv("RELAX_PIPELINE_RUN", "20260102T030405Z-abcdef")
    monkeypatch.setenv("RELAX_PIPELINE_COMMAND", "snakemake --set-x http://user:hunter2@host")
    found = record(tmp_path)["pipeline"]
    assert found == {"run": "20260102T030405Z-abcdef", "command": "snakemake --set-x http://***@host"}


def test_flat() -> None:
    assert flat_settings({"a": {"b": {"c": 1}}, "d": [1]}) == {"a.b.c": 1, "d": [1]}
