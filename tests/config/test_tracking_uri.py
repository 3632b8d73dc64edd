"""Which tracking URIs are refused, where, and in which words."""

from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from relax import config
from relax.cli import main
from relax.cluster.site import read_site
from relax.config.tracking_uri import sqlite_file, uri_fault
from relax.errors import ConfigError, MachineError
from relax.store.export import export
from tests.conftest import REPOSITORY
from tests.store.export_fixture import CONFIG

DEMO = REPOSITORY / "config" / "config.yaml"
FOLDERS = ["mlruns", "./mlruns", "/data/mlruns", "~/mlruns", "file:mlruns", "file:///data/mlruns", "10.0.0.1:5000"]


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        *((uri, "is a folder, in which MLflow 3.17 keeps no runs any more; write https://") for uri in FOLDERS),
        *((uri, "names no SQLite file; write https://") for uri in (
            "sqlite:x.db", "sqlite:/x.db", "sqlite://x.db", "sqlite://", "sqlite:///", "sqlite:///:memory:",
            "sqlite:///?timeout=3", "sqlite+pysqlite:///x.db", "SQLite:///x.db")),
        *((uri, "is of a kind that cannot be served; write") for uri in (
            "databricks", "databricks://p", "databricks-uc", "uc", "uc:http://x", "s3://bucket/runs", "ftp://host/x",
            "localhost:5000", "user:hunter2@host:5000")),
        ("http:/host", "names no host; write https://"),
        ("https://", "names no host; write https://"),
        ("postgresql:db", "names no database; write postgresql://host/name"),
        *((uri, None) for uri in (
            "https://mlflow.example.org", "http://user:pa:ss/w0rd@host:5000/x", "HTTP://host", "sqlite:///x.db",
            "sqlite:////data/a b.db", "sqlite:///x.db?timeout=30", "postgresql://u:p@host/db", "mysql+pymysql://host/db",
            "mssql+pyodbc://host/db")),
    ],
)  # fmt: skip
def test_a_uri_that_cannot_be_served_is_refused_with_how_to_write_it(uri: str, words: str | None) -> None:
    fault = uri_fault(uri)
    assert fault is None if words is None else fault.startswith(words)
    assert "hunter2" not in str(fault)


def test_mlflow_refuses_the_folders_itself(tmp_path, monkeypatch) -> None:
    """Where a later MLflow takes them again, the check can go."""
    monkeypatch.chdir(tmp_path)
    for uri in ("mlruns", f"file://{tmp_path}/mlruns"):
        with pytest.raises(MlflowException, match="maintenance mode"):
            MlflowClient(uri).search_experiments()


def test_the_file_of_a_uri() -> None:
    assert sqlite_file("sqlite:///results/demo/mlflow.db?timeout=3") == Path("results/demo/mlflow.db")
    assert sqlite_file("sqlite:////data/mlflow.db") == Path("/data/mlflow.db")
    assert sqlite_file("http://host") is None


def test_a_configuration_is_refused_with_file_line_and_key(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("name: own\ntracking:\n  uri: mlruns\n")
    with pytest.raises(ConfigError) as caught:
        config.load([DEMO, tmp_path / "own.yaml"])
    said = str(caught.value)
    assert said.startswith(f"{tmp_path}/own.yaml, line 3: tracking.uri is a folder, in which MLflow 3.17 keeps no runs")
    assert said.endswith("for a file, or null for mlflow.db in the results folder.")
    (tmp_path / "own.yaml").write_text("tracking: {uri: ''}\n")  # counts as null
    config.load([DEMO, tmp_path / "own.yaml"])


def test_options_site_and_doctor_refuse_it_too(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    track = ["track", "--configfile", "config/config.yaml", "--root", str(tmp_path), "--out", str(tmp_path / "t.json")]
    (tmp_path / "own.yaml").write_text("tracking: {uri: 'file:mlruns'}\n")
    for words, told in (
        ([*track, "--uri", "mlruns"], "relax track: --uri is a folder"),
        (["tables", "--from-mlflow", "file:mlruns", "--out", str(tmp_path / "x")], "--from-mlflow is a folder"),
        (["doctor", "--configfile", str(tmp_path / "own.yaml")], "own.yaml, line 1: tracking.uri is a folder"),
    ):
        assert main(words) == 2
        said = "".join(capsys.readouterr())
        assert told in said
        assert "Traceback" not in said
    with pytest.raises(ConfigError, match=r"mlflow_uri of this cluster is a folder.* \(RELAX_MLFLOW_URI\)\.$"):
        read_site(tmp_path / "none.yaml", {"RELAX_MLFLOW_URI": "mlruns"})


def test_a_database_without_its_driver_is_one_sentence(results, capsys, monkeypatch) -> None:
    """None of them is in the environment's locks."""
    uri = "postgresql://user:hunter2@127.0.0.1:9/runs"
    with pytest.raises(
        MachineError, match=r"^postgresql://\*\*\*@127\.0\.0\.1:9/runs: needs the Python package psycopg2"
    ):
        export(results, CONFIG, uri)
    monkeypatch.setenv("RELAX_MLFLOW_URI", uri)
    monkeypatch.chdir(REPOSITORY)
    assert main(["doctor"]) == 4
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "psycopg2" in line]
    assert line.startswith("fault")
    assert "hunter2" not in line
