"""A finished experiment with tables and figures, invented but for its configuration, and a real MLflow server."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from relax import config
from relax.files import atomic_write
from relax.results import findings
from relax.results.collect import collect
from relax.results.tables.all import write_tables
from tests.conftest import REPOSITORY
from tests.results.results_fixture import make_results, write_record
from tests.store.browser import free_port, wait_until_it_answers

DEMO = REPOSITORY / "config" / "config.yaml"
#: No reports to MLflow's makers, and none of the job runners that only its evaluation of chat logs needs.
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def demo_config(name: str = "synthetic", **changes: Any) -> config.Config:
    """The demo's configuration under another name."""
    return config.merge(config.load([DEMO]).recorded(), {"name": name, **changes})


def make_experiment(root: Path, loaded: config.Config | None = None, figures: bool = False) -> config.Config:
    """Runs of every method and seed, their tables, a dictionary file and a page that stands for the report."""
    loaded = loaded or demo_config()
    make_results(root, loaded)
    (root / "dictionary" / "tiny" / "dictionary.safetensors").write_bytes(b"weights of W")
    (root / "train" / "tiny" / "grpo" / "seed-1" / "rollouts.jsonl").write_text('{"step": 1, "response": "8+8=6"}\n')
    make_tables(root, loaded, root / "tables")
    read = config.results_settings(config.check(loaded))
    write_record(root / "tables", "tables", {"name": loaded["name"]}, read)
    if figures:
        from relax.results.figures.all import write_figures

        write_figures(collect(root, loaded), root / "figures")
        write_record(
            root / "figures", "figures", {"name": loaded["name"]}, config.results_settings(config.check(loaded))
        )
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
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--port",
        str(port),
        "--workers",
        "1",
        "--backend-store-uri",
        store or f"sqlite:///{folder}/server.db",
        "--artifacts-destination",
        str(folder / "files"),
    ]
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
