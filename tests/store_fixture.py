"""A finished experiment with tables and figures, invented but for its configuration, and a real MLflow server."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from browser import free_port, wait_until_it_answers
from conftest import REPOSITORY
from relax import config
from relax.files import atomic_write
from relax.results import findings
from relax.results.collect import collect
from relax.results.tables import write_tables
from relax.store.client import PATH_TAG, PIPELINE_TAG
from relax.tracking import Run
from results_fixture import make_results, write_record

DEMO = REPOSITORY / "config" / "config.yaml"
#: No reports to MLflow's makers, and none of the job runners that only its evaluation of chat logs needs.
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def demo_config(name: str = "synthetic", **changes: Any) -> config.Config:
    """The demo's configuration under another name."""
    return config.merge(config.load([DEMO]), {"name": name, **changes})


def make_experiment(root: Path, loaded: config.Config | None = None, figures: bool = False) -> config.Config:
    """Runs of every method and seed, their tables, a dictionary file and a page that stands for the report."""
    loaded = loaded or demo_config()
    make_results(root, loaded)
    (root / "dictionary" / "tiny" / "dictionary.safetensors").write_bytes(b"weights of W")
    (root / "train" / "tiny" / "grpo" / "seed-1" / "rollouts.jsonl").write_text('{"step": 1, "response": "8+8=6"}\n')
    make_tables(root, loaded, root / "tables")
    write_record(root / "tables", "tables", {"name": loaded["name"]}, config.results_settings(loaded))
    if figures:
        from relax.results.figures import write_figures

        write_figures(collect(root, loaded), root / "figures")
        write_record(root / "figures", "figures", {"name": loaded["name"]}, config.results_settings(loaded))
    (root / "report.html").write_text("<h1>The report</h1>")
    return loaded


def make_tables(root: Path, loaded: config.Config, out: Path) -> None:
    """As ``relax tables`` does, without a record."""
    results = collect(root, loaded)
    write_tables(results, out)
    atomic_write(out / "findings.md", findings.to_markdown(findings.findings(results)))


def contents(folder: Path) -> dict[str, bytes]:
    """Bytes of the files of a folder but for the record."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "run.json"}


@contextmanager
def mlflow_server(folder: Path, store: str | None = None) -> Iterator[str]:
    """Address of a server on this machine, over an existing store or a new one below the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1",
               "--backend-store-uri", store or f"sqlite:///{folder}/server.db",
               "--artifacts-destination", str(folder / "files")]  # fmt: skip
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **QUIET}, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_until_it_answers(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


# Small real records ------------------------------------------------------------------------------

CONFIG = demo_config("t")


def record(folder: Path, verb: str = "train", settings: dict | None = None, **identity) -> dict:
    """A real record with real outputs."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "output.txt").write_text("whole")
    rows = [{"step": s, "reward": 0.1 * s, "probe/eigenvalues": 0.2, "seconds/step": 2.0} for s in range(3)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    run = Run(
        verb, {"name": "t", **identity}, settings or {"method": {"alpha": 0.1, "xi": None}},
        config_hash=config.digest(CONFIG), metrics={"reward": 0.5},
    )  # fmt: skip
    return run.finish(folder, [folder / "output.txt", folder / "metrics.jsonl"])


def seed(root: Path, number: int, **options) -> Path:
    folder = root / "train" / "tiny" / "relax" / f"seed-{number}"
    record(folder, policy="tiny", method="relax", seed=number, **options)
    return folder


def uri_of(root: Path) -> str:
    return f"sqlite:///{root}/mlflow.db"


def runs_of(root: Path, name: str = "t") -> dict:
    """Job runs by folder, parents by pipeline."""
    client = MlflowClient(uri_of(root))
    found = client.search_runs([client.get_experiment_by_name(name).experiment_id], max_results=5000)
    return {run.data.tags.get(PATH_TAG) or run.data.tags[PIPELINE_TAG]: run for run in found}


def ids(root: Path) -> dict[str, str]:
    return {place: run.info.run_id for place, run in runs_of(root).items()}


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory) -> Path:
    """MLflow takes seconds to make a database."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def results(tmp_path, empty_store, monkeypatch) -> Path:
    """Two seeds made in one pipeline run, nothing exported."""
    monkeypatch.setattr("sys.argv", ["relax", "train"])
    monkeypatch.setenv("RELAX_PIPELINE_RUN", "20260102T030405Z-abcdef")
    monkeypatch.setenv("RELAX_PIPELINE_COMMAND", "snakemake --cores 2")
    root = tmp_path / "results" / "my demo"
    for number in (1, 2):
        seed(root, number)
    shutil.copyfile(empty_store, root / "mlflow.db")
    return root
