"""The export to a real MLflow store: what is in it, run twice, after a crash, while jobs run, and with secrets."""

import fcntl
import json
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

from conftest import REPOSITORY
from relax import config
from relax.errors import DataError, MachineError
from relax.store import jobs
from relax.store.client import HASH_TAG, PATH_TAG, PIPELINE_TAG
from relax.store.export import export
from relax.store.views import COLOURS, colour, view_tags
from relax.tracking import Run, masked, read_record
from store_fixture import demo_config, make_experiment

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


# What is in the store ---------------------------------------------------------------------------


def test_a_job_is_a_run_that_a_person_finds_and_reads(results) -> None:
    assert export(results, CONFIG, uri_of(results)) == {"added": 2, "replaced": 0, "unchanged": 0, "waiting": 0}
    runs, client = runs_of(results), MlflowClient(uri_of(results))
    child, parent = runs["train/tiny/relax/seed-1"], runs["20260102T030405Z-abcdef"]
    kept = read_record(results / "train/tiny/relax/seed-1")
    assert child.info.run_name == "train tiny relax seed 1"
    tags = {"verb": "train", "policy": "tiny", "model": "tiny", "method": "relax", "seed": "1", "dirty": "false",
            "spectrum": "eigenvalues", "commit": kept["git"]["commit"], "pipeline": "20260102T030405Z-abcdef",
            "mlflow.parentRunId": parent.info.run_id, "mlflow.source.git.commit": kept["git"]["commit"]}  # fmt: skip
    tags["dirty"] = str(kept["git"]["dirty"]).lower()
    assert tags.items() <= child.data.tags.items()
    assert child.data.params == {"method.alpha": "0.1"}  # what is null says nothing
    history = client.get_metric_history(child.info.run_id, "reward")
    assert [(m.step, round(m.value, 6)) for m in history] == [(0, 0.0), (1, 0.1), (2, 0.2)]
    assert [m.timestamp - child.info.start_time for m in history] == [2000, 4000, 6000]
    assert child.data.metrics["final/reward"] == 0.5
    assert child.data.metrics["cost/wall_seconds"] == kept["wall_seconds"]
    assert child.info.end_time - child.info.start_time == pytest.approx(1000 * kept["wall_seconds"], abs=2)
    names = {a.path for a in client.list_artifacts(child.info.run_id)}
    assert names == {"run.json", "metrics.jsonl", "output.txt"}
    stored = json.loads(Path(client.download_artifacts(child.info.run_id, "run.json")).read_text())
    assert stored == kept


def test_a_parent_carries_start_command_commit_and_configuration(results) -> None:
    (results / "report.html").write_text("<p>report</p>")
    export(results, CONFIG, uri_of(results))
    parent, client = runs_of(results)["20260102T030405Z-abcdef"], MlflowClient(uri_of(results))
    assert parent.info.run_name == "pipeline 2026-01-02 03:04"
    assert parent.info.start_time == 1767323045000
    assert parent.data.tags["command"] == "snakemake --cores 2"
    assert parent.data.tags["commit"] == read_record(results / "train/tiny/relax/seed-1")["git"]["commit"]
    assert parent.data.tags["jobs"] == "2"
    assert "2 jobs of `snakemake --cores 2`" in parent.data.tags["mlflow.note.content"]
    assert {a.path for a in client.list_artifacts(parent.info.run_id)} == {"config.yaml", "report.html"}
    text = Path(client.download_artifacts(parent.info.run_id, "config.yaml")).read_text()
    assert yaml.safe_load(text) == CONFIG
    assert list(yaml.safe_load(text)["methods"]) == list(CONFIG["methods"])  # tables and figures follow the order


def test_the_names_in_the_store_are_readable() -> None:
    identity = {"policy": "tiny", "method": "initial", "seed": 0, "benchmark": "amc23"}
    assert jobs.title("evaluate", identity) == "evaluate tiny initial amc23"
    assert jobs.title("dictionary", {"policy": "tiny", "koopman_dim": 5}) == "dictionary tiny m 5"
    assert jobs.title("tables", {"name": "demo"}) == "tables"
    hub = {"policies": {"p": {"hub": {"repo": "Qwen/Qwen2.5-3B", "revision": "abc"}}}, "matrix": CONFIG["matrix"]}
    assert jobs.identity_tags("base", {"policy": "p"}, hub)["model"] == "Qwen/Qwen2.5-3B @ abc"


def test_tables_log_the_matrix_and_no_definition_of_what_does_not_run(tmp_path) -> None:
    made = {"verb": "tables", "settings": config.results_settings(CONFIG)}
    assert set(jobs.parameters_of(made)) == {f"matrix.{k}" for k in ("policies", "methods", "seeds", "benchmarks")}
    train = {"verb": "train", "settings": config.train_settings(CONFIG, "relax")}
    shown = jobs.parameters_of(train)
    assert shown["method.alpha"] == str(CONFIG["methods"]["relax"]["alpha"])
    assert shown["training.steps"] == "80"
    assert not {"None", "", "[]", "{}"} & set(shown.values())
    assert len(shown) < jobs.PARAMETERS


def test_weights_states_and_responses_stay_out_of_the_store(tmp_path, empty_store) -> None:
    root = tmp_path / "t"
    kept = {"dictionary/tiny": ["dictionary.safetensors", "probes.jsonl"], "latent/tiny": ["responses.parquet"],
            "responses/tiny": ["noisy-sum/greedy-0.parquet"], "train/tiny": ["model/model.safetensors"],
            "grades/tiny": ["noisy-sum/grades.parquet"]}  # fmt: skip
    verbs = {
        "dictionary": "dictionary",
        "latent": "extract",
        "responses": "generate",
        "train": "train",
        "grades": "grade",
    }
    for place, names in kept.items():
        record(root / place, verb=verbs[place.split("/")[0]])
        for name in names:
            (root / place / name).parent.mkdir(exist_ok=True)
            (root / place / name).write_bytes(b"x")
    (root / "train/tiny/rollouts.jsonl").write_text("{}\n")
    (root / "train/tiny/large.bin").write_bytes(b"x" * (jobs.LARGEST + 1))
    shutil.copyfile(empty_store, root / "mlflow.db")
    export(root, CONFIG, uri_of(root))
    files = {p.name for p in (root / "mlartifacts").rglob("*") if p.is_file()}
    assert files == {"run.json", "output.txt", "metrics.jsonl", "dictionary.safetensors", "rollouts.jsonl",
                     "grades.parquet", "config.yaml"}  # fmt: skip


def test_a_method_has_one_colour_in_figures_and_store() -> None:
    from relax.results import figures_style

    assert figures_style.COLOURS == COLOURS
    assert colour({"method": "grpo-kl", "seed": 1}, CONFIG) == COLOURS[1]
    shades = [colour({"method": m, "seed": s}, CONFIG) for m in CONFIG["matrix"]["methods"] for s in (1, 2)]
    assert len(set(shades)) == 10
    assert colour({"method": "initial", "seed": 0}, CONFIG) is None


def test_the_views_fit_into_mlflows_tags() -> None:
    many = {f"b{i}": {"task": "noisy_sum", "greedy": True, "samples": 32} for i in range(13)}
    large = demo_config("t", matrix={"benchmarks": list(many)}, benchmarks=many)
    for tags in (view_tags(CONFIG, 0), view_tags(large, 0)):
        assert max(map(len, tags.values())) < 20_000  # MLflow's MAX_EXPERIMENT_TAG_VAL_LENGTH
    state = json.loads(json.loads(view_tags(CONFIG, 0)["mlflow.sharedViewState.relax-benchmarks"])["state"])
    charts = [chart["metricKey"] for chart in state["compareRunCharts"]]
    assert charts == ["noisy-sum/mean_at_1", "noisy-sum/mean_at_16", "noisy-sum/pass_at_16"]


# Twice, after a crash, later pipelines -------------------------------------------------------------


def test_a_second_export_changes_nothing(results) -> None:
    export(results, CONFIG, uri_of(results))
    before, size = ids(results), sum(1 for _ in (results / "mlartifacts").rglob("*"))
    assert export(results, CONFIG, uri_of(results)) == {"added": 0, "replaced": 0, "unchanged": 2, "waiting": 0}
    assert ids(results) == before
    assert sum(1 for _ in (results / "mlartifacts").rglob("*")) == size


def test_what_was_redone_is_replaced_and_what_was_cut_off_completed(results) -> None:
    export(results, CONFIG, uri_of(results))
    first = runs_of(results)
    seed(results, 1, settings={"method": {"alpha": 0.2}})
    client = MlflowClient(uri_of(results))
    client.update_run(first["train/tiny/relax/seed-2"].info.run_id, status="RUNNING")
    assert export(results, CONFIG, uri_of(results)) == {"added": 0, "replaced": 2, "unchanged": 0, "waiting": 0}
    last = runs_of(results)
    assert len(last) == 3
    assert last["train/tiny/relax/seed-1"].data.params == {"method.alpha": "0.2"}
    assert last["train/tiny/relax/seed-1"].data.tags[HASH_TAG] != first["train/tiny/relax/seed-1"].data.tags[HASH_TAG]


def test_an_export_that_was_killed_is_completed_by_the_next(results) -> None:
    """SIGKILL while the first run is being written."""
    program = (
        "import os, sys, yaml\nfrom pathlib import Path\nfrom mlflow.tracking import MlflowClient\n"
        "MlflowClient.set_terminated = lambda *a, **k: os.kill(os.getpid(), 9)\n"
        "from relax.store.export import export\n"
        "export(Path(sys.argv[1]), yaml.safe_load(sys.argv[2]), sys.argv[3])"
    )
    command = [sys.executable, "-c", program, str(results), yaml.safe_dump(CONFIG), uri_of(results)]
    assert subprocess.run(command, cwd=REPOSITORY).returncode == -9
    assert [r.info.status for place, r in runs_of(results).items() if place.startswith("train")] == ["RUNNING"]
    assert export(results, CONFIG, uri_of(results)) == {"added": 1, "replaced": 1, "unchanged": 0, "waiting": 0}
    assert {run.info.status for run in runs_of(results).values()} == {"FINISHED"}
    assert len(runs_of(results)) == 3


def test_a_job_moves_to_the_pipeline_run_that_redid_it_and_childless_parents_go(results, monkeypatch) -> None:
    export(results, CONFIG, uri_of(results))
    monkeypatch.setenv("RELAX_PIPELINE_RUN", "20260103T000000Z-123456")
    seed(results, 1)
    export(results, CONFIG, uri_of(results))
    runs = runs_of(results)
    parents = {place: runs[place].data.tags["mlflow.parentRunId"] for place in runs if place.startswith("train")}
    assert parents == {
        "train/tiny/relax/seed-1": runs["20260103T000000Z-123456"].info.run_id,
        "train/tiny/relax/seed-2": runs["20260102T030405Z-abcdef"].info.run_id,
    }
    monkeypatch.delenv("RELAX_PIPELINE_RUN")
    for number in (1, 2):
        seed(results, number)
    export(results, CONFIG, uri_of(results))
    assert set(runs_of(results)) == {"train/tiny/relax/seed-1", "train/tiny/relax/seed-2", "by hand"}
    assert runs_of(results)["by hand"].info.run_name == "by hand"


def test_a_run_without_a_record_goes_but_an_emptied_folder_changes_nothing(results) -> None:
    export(results, CONFIG, uri_of(results))
    shutil.rmtree(results / "train/tiny/relax/seed-1")
    export(results, CONFIG, uri_of(results))
    assert set(runs_of(results)) == {"train/tiny/relax/seed-2", "20260102T030405Z-abcdef"}
    shutil.rmtree(results / "train")
    with pytest.raises(DataError, match="no run records there, so nothing is exported and the store stays"):
        export(results, CONFIG, uri_of(results))
    assert len(runs_of(results)) == 2


def test_an_experiment_deleted_in_the_interface_comes_back(results) -> None:
    export(results, CONFIG, uri_of(results))
    client = MlflowClient(uri_of(results))
    client.delete_experiment(client.get_experiment_by_name("t").experiment_id)
    assert export(results, CONFIG, uri_of(results))["waiting"] == 0
    assert client.get_experiment_by_name("t").lifecycle_stage == "active"
    assert len(runs_of(results)) == 3


def test_a_moved_folder_takes_its_store_along(results, tmp_path) -> None:
    export(results, CONFIG, uri_of(results))
    moved = tmp_path / "elsewhere"
    shutil.move(results, moved)
    assert export(moved, CONFIG, uri_of(moved))["unchanged"] == 2
    seed(moved, 3)
    export(moved, CONFIG, uri_of(moved))
    assert not (results / "mlartifacts").exists()
    for place, run in runs_of(moved).items():
        names = [a.path for a in MlflowClient(uri_of(moved)).list_artifacts(run.info.run_id)]
        assert names, place


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
    assert export(results, CONFIG, uri_of(results)) == {"added": 1, "replaced": 0, "unchanged": 1, "waiting": 0}


def test_what_the_store_has_of_a_job_that_is_redone_stays_until_it_is_done(results) -> None:
    export(results, CONFIG, uri_of(results))
    before = ids(results)
    for number in (1, 2):
        (results / f"train/tiny/relax/seed-{number}/metrics.jsonl").write_text('{"step": 0, "reward": 1}\n')
    assert export(results, CONFIG, uri_of(results)) == {"added": 0, "replaced": 0, "unchanged": 0, "waiting": 2}
    assert ids(results) == before


def test_half_a_record_and_a_strangers_are_left_alone(results, caplog) -> None:
    caplog.set_level("INFO", logger="relax")
    (results / "train/tiny/relax/seed-1/run.json").write_text('{"verb": ')
    (results / "other").mkdir()
    (results / "other" / "run.json").write_text('{"hello": 1}')
    assert export(results, CONFIG, uri_of(results)) == {"added": 1, "replaced": 0, "unchanged": 0, "waiting": 2}
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
    environment = {**os.environ, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_TRACKING_TOKEN": "hunter3",
                   "RELAX_PIPELINE_RUN": "20260102T030405Z-abcdef",
                   "RELAX_PIPELINE_COMMAND": f"snakemake --server {address}"}  # fmt: skip
    common = ["--traceback", "--log", "log.txt"]
    said = []
    for command in (
        ["track", "--configfile", "c.yaml", "--root", "results/synthetic", "--out", "track.json"],
        ["tables", "--from-mlflow", address, "--out", "again"],
        ["tables", "--configfile", "c.yaml", "--root", "results/synthetic", "--out", "tables"],
        ["report", "--configfile", "c.yaml", "--root", "results/synthetic", "--figures", "figures", "--out", "r.html"],
    ):
        if command[0] == "report":
            (tmp_path / "figures").mkdir()
            (tmp_path / "figures" / "figures.json").write_text("[]")
        ended = subprocess.run([sys.executable, "-m", "relax", *command, *common], cwd=tmp_path, capture_output=True,
                               text=True, env={**environment, "PYTHONPATH": str(REPOSITORY)})  # fmt: skip
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
