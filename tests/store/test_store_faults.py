"""The export to a real MLflow store while jobs run, to a store that is none or locked, and with secrets."""

import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml
from mlflow.tracking import MlflowClient

from relax.errors import MachineError
from relax.records.record import masked
from relax.store.client import PATH_TAG
from relax.store.export import export
from tests.conftest import REPOSITORY
from tests.store.export_fixture import CONFIG, counts, ids, record, runs_of, seed, uri_of
from tests.store.store_fixture import make_experiment

# While jobs run -------------------------------------------------------------------------------------


def redone(folder: Path) -> None:
    record(folder, policy="tiny", method="relax", seed=1, settings={"a": 1})


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (lambda folder: (folder / "run.json").unlink(), "its record is gone"),
        (lambda folder: shutil.rmtree(folder), "its record is gone"),
        (redone, "done again meanwhile"),
        (lambda folder: (folder / "metrics.jsonl").write_text('{"step": 0}\n'), "metrics.jsonl is not what its"),
        (lambda folder: (folder / "metrics.jsonl").unlink(missing_ok=True), "metrics.jsonl is not what its"),
    ],
    ids=["record lost", "folder lost", "redone", "output changed", "output lost"],
)
@pytest.mark.parametrize("moment", ["create_run", "log_batch", "log_artifact"])
def test_a_job_that_is_redone_meanwhile_waits_for_the_next_export(
    results, monkeypatch, caplog, happens, reason, moment
) -> None:
    folder, original = results / "train/tiny/relax/seed-1", getattr(MlflowClient, moment)

    def meanwhile(client, *args, **kwargs):
        result = original(client, *args, **kwargs)
        if (folder / "run.json").exists() and (moment != "create_run" or PATH_TAG in kwargs["tags"]):
            happens(folder)
        return result

    monkeypatch.setattr(MlflowClient, moment, meanwhile)
    caplog.set_level("INFO", logger="relax")
    count = export(results, CONFIG, uri_of(results))
    monkeypatch.undo()
    assert (count["added"], count["waiting"]) == (1, 1)
    assert [r for r in caplog.messages if "is left for the next export" in r and reason in r]
    assert set(runs_of(results)) == {"train/tiny/relax/seed-2", "20260102T030405Z-abcdef"}
    monkeypatch.setenv("RELAX_PIPELINE_RUN", "20260102T030405Z-abcdef")
    seed(results, 1)
    assert export(results, CONFIG, uri_of(results)) == counts(added=1, unchanged=1)


def test_what_the_store_has_of_a_job_that_is_redone_stays_until_it_is_done(results) -> None:
    export(results, CONFIG, uri_of(results))
    before = ids(results)
    for number in (1, 2):
        (results / f"train/tiny/relax/seed-{number}/metrics.jsonl").write_text('{"step": 0, "reward": 1}\n')
    assert export(results, CONFIG, uri_of(results)) == counts(waiting=2)
    assert ids(results) == before


def test_half_a_record_and_a_strangers_are_left_alone(results, caplog) -> None:
    caplog.set_level("INFO", logger="relax")
    (results / "train/tiny/relax/seed-1/run.json").write_text('{"verb": ')
    (results / "other").mkdir()
    (results / "other" / "run.json").write_text('{"hello": 1}')
    assert export(results, CONFIG, uri_of(results)) == counts(added=1, waiting=2)
    assert any("not a run record" in text for text in caplog.messages)
    assert any("'verb'" in text or "verb is missing" in text for text in caplog.messages)


def test_a_second_export_of_a_folder_waits_for_the_first(results, caplog) -> None:
    caplog.set_level("INFO", logger="relax")
    with (results / ".track.lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        second = threading.Thread(target=export, args=(results, CONFIG, uri_of(results)))
        second.start()
        deadline = time.monotonic() + 60
        while not any("another export of" in text for text in caplog.messages):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert second.is_alive()
    second.join()
    assert len(runs_of(results)) == 3


# Faults and secrets -----------------------------------------------------------------------------------


def test_a_store_that_is_none_is_one_sentence(results, tmp_path) -> None:
    (tmp_path / "no.db").write_text("this is no database")
    with pytest.raises(MachineError, match=r"no\.db: the MLflow store does not answer as it should \("):
        export(results, CONFIG, f"sqlite:///{tmp_path}/no.db")


@pytest.mark.slow
def test_a_locked_store_is_one_sentence(results) -> None:
    """After the 20 s that MLflow waits for it."""
    export(results, CONFIG, uri_of(results))
    seed(results, 3)
    holder = sqlite3.connect(results / "mlflow.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(MachineError, match=r"mlflow\.db: another process keeps the store locked; try again after"):
            export(results, CONFIG, uri_of(results))
    finally:
        holder.close()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://user:pa:ss/w0rd@host:5000/x", "http://***@host:5000/x"),
        ("postgresql://user:secret@host/db and more", "postgresql://***@host/db and more"),
        ("https://token@host", "https://***@host"),
        ("http://host:5000/a b@c", "http://host:5000/a b@c"),
        ('"http://h:1", "x@y"', '"http://h:1", "x@y"'),
        ("mean@16", "mean@16"),
    ],
)
def test_credentials_are_masked(text, shown) -> None:
    assert masked(text) == shown


def test_a_record_masks_what_was_typed(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("sys.argv", ["relax", "tables", "--from-mlflow", "http://user:hunter2@host"])
    assert record(tmp_path)["arguments"] == ["tables", "--from-mlflow", "http://***@host"]


def test_passwords_of_the_environment_are_masked(monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "planted-1")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "planted-2")
    assert masked("Basic planted-1, Bearer planted-2") == "Basic ***, Bearer ***"


@pytest.mark.slow
def test_a_planted_secret_shows_up_nowhere(tmp_path) -> None:
    """Address with a password in the configuration and on the command line; the server is down."""
    root, secret = tmp_path / "results" / "synthetic", "hunter2"
    loaded = make_experiment(root)
    address = f"http://user:{secret}@127.0.0.1:9"
    (tmp_path / "c.yaml").write_text(yaml.safe_dump({**loaded, "tracking": {"uri": address}}))
    environment = {
        **os.environ,
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "MLFLOW_TRACKING_TOKEN": "hunter3",
        "RELAX_PIPELINE_RUN": "20260102T030405Z-abcdef",
        "RELAX_PIPELINE_COMMAND": f"snakemake --server {address}",
    }
    common = ["--traceback", "--log", "log.txt"]
    said = []
    for command in (
        ["track", "--configfile", "c.yaml", "--root", "results/synthetic", "--out", "track.json"],
        ["tables", "--from-mlflow", address, "--out", "again"],
        ["tables", "--configfile", "c.yaml", "--root", "results/synthetic", "--out", "tables"],
        [
            "report",
            "--configfile",
            "c.yaml",
            "--root",
            "results/synthetic",
            "--figures",
            "figures",
            "--out",
            "r.html",
            "--pages",
            "pages",
        ],
    ):
        if command[0] == "report":
            (tmp_path / "figures").mkdir()
            (tmp_path / "figures" / "figures.json").write_text("[]")
        ended = subprocess.run(
            [sys.executable, "-m", "relax", *command, *common],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env={**environment, "PYTHONPATH": str(REPOSITORY)},
        )
        said.append((ended.returncode, ended.stdout + ended.stderr + (tmp_path / "log.txt").read_text()))
    assert [code for code, _ in said] == [4, 4, 0, 0], said
    assert "http://***@127.0.0.1:9: no MLflow server answers there" in said[0][1]
    assert not [text for _, text in said if secret in text or "hunter3" in text]
    written = [p for p in tmp_path.rglob("*") if p.is_file() and p.name != "c.yaml"]
    assert any("***@127.0.0.1:9" in p.read_text() for p in written if p.name == "run.json")
    assert not [p for p in written if secret.encode() in p.read_bytes()]


def test_a_stored_configuration_has_no_password(results) -> None:
    export(results, CONFIG | {"tracking": {"uri": "http://user:hunter2@host"}}, uri_of(results))
    stored = [p for p in [results / "mlflow.db", *(results / "mlartifacts").rglob("*")] if p.is_file()]
    assert any(p.name == "config.yaml" and "http://***@host" in p.read_text() for p in stored)
    assert not [p for p in stored if b"hunter2" in p.read_bytes()]
