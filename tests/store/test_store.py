"""The export to a real MLflow store: what is in it, run twice, after a crash and by a later pipeline."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from mlflow.tracking import MlflowClient

from relax import config
from relax.errors import DataError
from relax.records.record import read_record
from relax.store import jobs
from relax.store.client import HASH_TAG
from relax.store.export import export
from relax.store.views import COLOURS, colour, view_tags
from tests.conftest import REPOSITORY
from tests.store.export_fixture import CONFIG, counts, ids, record, runs_of, seed, uri_of
from tests.store.store_fixture import demo_config

# What is in the store ---------------------------------------------------------------------------


def test_a_job_is_a_run_that_a_person_finds_and_reads(results) -> None:
    assert export(results, CONFIG, uri_of(results)) == counts(added=2)
    runs, client = runs_of(results), MlflowClient(uri_of(results))
    child, parent = runs["train/tiny/relax/seed-1"], runs["20260102T030405Z-abcdef"]
    kept = read_record(results / "train/tiny/relax/seed-1")
    assert child.info.run_name == "train tiny relax seed 1"
    tags = {
        "verb": "train",
        "policy": "tiny",
        "model": "tiny",
        "method": "relax",
        "seed": "1",
        "dirty": "false",
        "spectrum": "eigenvalues",
        "commit": kept["git"]["commit"],
        "pipeline": "20260102T030405Z-abcdef",
        "mlflow.parentRunId": parent.info.run_id,
        "mlflow.source.git.commit": kept["git"]["commit"],
    }
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
    assert parent.info.run_name == "pipeline 2026-01-02 03:04 UTC"
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
    made = {"verb": "tables", "settings": config.results_settings(config.check(CONFIG))}
    assert set(jobs.parameters_of(made)) == {f"matrix.{k}" for k in ("policies", "methods", "seeds", "benchmarks")}
    train = {"verb": "train", "settings": config.train_settings(config.check(CONFIG), "relax").recorded()}
    shown = jobs.parameters_of(train)
    assert shown["method.alpha"] == str(CONFIG["methods"]["relax"]["alpha"])
    assert shown["training.steps"] == "80"
    assert not {"None", "", "[]", "{}"} & set(shown.values())
    assert len(shown) < jobs.PARAMETERS


def test_weights_states_and_responses_stay_out_of_the_store(tmp_path, empty_store) -> None:
    root = tmp_path / "t"
    kept = {
        "dictionary/tiny": ["dictionary.safetensors", "probes.jsonl"],
        "latent/tiny": ["responses.parquet"],
        "responses/tiny": ["noisy-sum/greedy-0.parquet"],
        "train/tiny": ["model/model.safetensors"],
        "grades/tiny": ["noisy-sum/grades.parquet"],
    }
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
    assert files == {
        "run.json",
        "output.txt",
        "metrics.jsonl",
        "dictionary.safetensors",
        "rollouts.jsonl",
        "grades.parquet",
        "config.yaml",
    }


def test_a_method_has_one_colour_in_figures_and_store() -> None:
    from relax.results.figures import style as figures_style

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
    assert export(results, CONFIG, uri_of(results)) == counts(unchanged=2)
    assert ids(results) == before
    assert sum(1 for _ in (results / "mlartifacts").rglob("*")) == size


def test_a_method_that_is_added_moves_the_colours_of_the_others(results) -> None:
    export(results, CONFIG, uri_of(results))
    before = ids(results)
    changed = demo_config("t", matrix={"methods": ["dapo", "relax"]})
    assert export(results, changed, uri_of(results))["unchanged"] == 2
    run = runs_of(results)["train/tiny/relax/seed-1"]
    assert run.data.tags["mlflow.runColor"] == COLOURS[1]
    assert run.info.run_id == before["train/tiny/relax/seed-1"]


def test_what_was_redone_is_replaced_and_what_was_cut_off_completed(results) -> None:
    export(results, CONFIG, uri_of(results))
    first = runs_of(results)
    seed(results, 1, settings={"method": {"alpha": 0.2}})
    client = MlflowClient(uri_of(results))
    client.update_run(first["train/tiny/relax/seed-2"].info.run_id, status="RUNNING")
    assert export(results, CONFIG, uri_of(results)) == counts(replaced=2)
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
    assert export(results, CONFIG, uri_of(results)) == counts(added=1, replaced=1)
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
    # In a process of its own, as in life: MLflow remembers for a process where the files of a run lie.
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(CONFIG))
    command = ["track", "--configfile", "c.yaml", "--root", str(results), "--out", "track.json"]
    subprocess.run([sys.executable, "-m", "relax", *command], cwd=tmp_path, check=True)
    moved = tmp_path / "elsewhere"
    shutil.move(results, moved)
    assert export(moved, CONFIG, uri_of(moved))["unchanged"] == 2
    seed(moved, 3)
    export(moved, CONFIG, uri_of(moved))
    assert not (results / "mlartifacts").exists()
    for place, run in runs_of(moved).items():
        names = [a.path for a in MlflowClient(uri_of(moved)).list_artifacts(run.info.run_id)]
        assert names, place
