"""A real MLflow server on this machine: told live of a training, given the records, asked for the tables."""

import json
import socket
import subprocess
import time

import pytest
from mlflow.tracking import MlflowClient

from relax.store.client import LIVE_TAG, PATH_TAG
from relax.store.export import export
from relax.store.live import Live
from relax.store.restore import restore
from tests.results.results_fixture import write_record
from tests.store.store_fixture import contents, demo_config, make_experiment, make_tables, mlflow_server
from tests.workflow.workflow_fixture import ENVIRONMENT

CONFIG = demo_config("live")
IDENTITY = {"name": "live", "policy": "tiny", "method": "relax", "seed": 2}


def row(step: int) -> dict[str, float]:
    return {"step": step, "loss": 0.1 * step, "dsd/eigenvalues": float("nan") if step == 2 else 0.3}


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> str:
    with mlflow_server(tmp_path_factory.mktemp("server")) as address:
        yield address


def runs(server: str, name: str = "live") -> list:
    client = MlflowClient(server)
    return client.search_runs([client.get_experiment_by_name(name).experiment_id], max_results=1000)


def steps(server: str, run_id: str, name: str = "loss") -> list[int]:
    return [point.step for point in MlflowClient(server).get_metric_history(run_id, name)]


@pytest.mark.slow
def test_a_server_is_told_step_by_step_and_once_after_a_kill(server) -> None:
    tell = Live(server, CONFIG, IDENTITY)
    for step in range(5):
        tell(row(step))
    (live,) = runs(server)
    assert live.info.run_name == "train tiny relax seed 2 (live)"
    assert live.info.status == "RUNNING"
    assert {
        "verb": "train",
        "method": "relax",
        "seed": "2",
        "policy": "tiny",
        "pipeline": "by hand",
    }.items() <= live.data.tags.items()
    assert steps(server, live.info.run_id) == [0, 1, 2, 3, 4]
    assert steps(server, live.info.run_id, "dsd/eigenvalues") == [0, 1, 3, 4]
    again = Live(server, CONFIG, IDENTITY)  # killed after step 4, going on from the checkpoint after step 2
    for step in (0, 3, 4, 5, 6):
        again(row(step))
    assert [r.info.run_id for r in runs(server)] == [live.info.run_id]
    assert steps(server, live.info.run_id) == [0, 1, 2, 3, 4, 5, 6]
    anew = Live(server, CONFIG, IDENTITY)
    for step in (0, 1):
        anew(row(step))
    (other,) = runs(server)
    assert other.info.run_id != live.info.run_id
    assert steps(server, other.info.run_id) == [0, 1]


@pytest.mark.slow
def test_the_record_takes_the_place_of_what_was_told_and_the_tables_come_back(
    server, tmp_path, tmp_path_factory
) -> None:
    root = tmp_path / "results" / "synthetic"
    loaded = demo_config(matrix={"methods": ["grpo", "relax"]})
    make_experiment(root, loaded)
    for method in ("grpo", "relax"):
        Live(server, loaded, {"name": "synthetic", "policy": "tiny", "method": method, "seed": 1})(row(1))
    # grpo is done again after its record: its new run must stay.
    record = json.loads((root / "train/tiny/grpo/seed-1/run.json").read_text())
    assert record["started"] < "2026-01-02"
    write_record(
        root / "train/tiny/relax/seed-1",
        "train",
        {**IDENTITY, "name": "synthetic", "seed": 1},
        record["settings"],
        record["metrics"],
        wall=10**10,
    )
    make_tables(root, loaded, root / "tables")
    export(root, loaded, server)
    live = [r.data.tags[LIVE_TAG] for r in runs(server, "synthetic") if LIVE_TAG in r.data.tags]
    assert live == ["tiny/grpo/1"]
    assert export(root, loaded, server)["unchanged"] == len(
        [p for p in runs(server, "synthetic") if PATH_TAG in p.data.tags]
    )
    files = next(tmp_path_factory.getbasetemp().glob("server*/files"))
    (lost, *_) = [path for path in files.rglob("grades.parquet") if path.stat().st_size]
    lost.unlink()
    assert export(root, loaded, server)["mended"] == 1
    assert lost.is_file()
    restored, where = restore(server, "synthetic", tmp_path / "again")
    make_tables(where, restored.recorded(), tmp_path / "tables")
    assert contents(tmp_path / "tables") == contents(root / "tables")


@pytest.mark.slow
def test_a_training_logs_to_its_server_while_it_runs(server, smoke, tmp_path) -> None:
    root = smoke / "results" / "smoke"
    (smoke / "live.yaml").write_text(f"name: by-hand\ntraining: {{steps: 40}}\ntracking: {{uri: '{server}'}}\n")
    command = [
        "relax", "train", "--configfile", "config/config.yaml", "config/smoke.yaml", "live.yaml", "--policy", "tiny",
        "--method", "relax-sv", "--seed", "1", "--data", f"{root}/data/train.jsonl",
        "--base", f"{root}/base/tiny/model", "--dictionary", f"{root}/dictionary/tiny",
        "--checkpoints", f"{tmp_path}/c", "--out", f"{tmp_path}/result",
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=smoke, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    client, seen = MlflowClient(server), []
    while process.poll() is None and not seen:
        experiment = client.get_experiment_by_name("by-hand")
        if experiment:
            seen = [
                steps(server, r.info.run_id, "reward") for r in runs(server, "by-hand") if "reward" in r.data.metrics
            ]
        time.sleep(0.05)
    _, text = process.communicate()
    assert process.returncode == 0, text
    assert len(seen[0]) < 40, "nothing was seen before the training was over"
    (live,) = runs(server, "by-hand")
    rows = [json.loads(line) for line in (tmp_path / "result" / "metrics.jsonl").read_text().splitlines()]
    assert steps(server, live.info.run_id, "reward") == list(range(1, 41))
    history = {p.step: p.value for p in client.get_metric_history(live.info.run_id, "probe/eigenvalues")}
    assert history == {r["step"]: r["probe/eigenvalues"] for r in rows if "probe/eigenvalues" in r}


@pytest.mark.parametrize("silent", ["closed", "hangs"])
def test_a_server_that_is_down_costs_one_line(silent, monkeypatch, caplog) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        if silent == "hangs":
            held.listen()  # takes connections and never answers
        tell = Live(f"http://user:hunter2@127.0.0.1:{held.getsockname()[1]}", CONFIG, IDENTITY)
        began = time.monotonic()
        for step in range(2000):
            tell(row(step))
    assert time.monotonic() - began < 300  # each of 2000 rows would have waited
    (line,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING" and r.name == "relax"]
    assert "not told of this training" in line
    assert "it goes on" in line
    assert "hunter2" not in caplog.text
