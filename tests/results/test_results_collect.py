"""Reading of results folders: whole, in part, empty, and damaged."""

import json
import math
import shutil

import pytest

from relax.errors import DataError
from relax.records.record import Run
from relax.results.collect import collect
from tests.results.results_fixture import METHODS, STEPS, config_of, make_results, write_record


@pytest.fixture
def damaged(one_seed, tmp_path):
    """A copy that a test may break."""
    root, config = one_seed
    return shutil.copytree(root, tmp_path / "synthetic"), config


def test_the_fixture_writes_records_like_the_real_ones(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["relax"])
    identity = {"name": "x", "policy": "p"}
    real = Run("base", identity, {}).finish(tmp_path / "real", [])
    write_record(tmp_path / "synthetic", "base", identity)
    synthetic = json.loads((tmp_path / "synthetic" / "run.json").read_text())
    assert synthetic.keys() == real.keys()
    for key in ("git", "machine"):
        assert synthetic[key].keys() == real[key].keys()


def test_everything_is_there_once(all_runs):
    results = collect(*all_runs)
    assert len(results.runs) == 1 + 2 * len(METHODS)
    assert results.runs.method.iloc[0] == "initial"
    assert results.runs.finished.all()
    assert len(results.series) == 2 * len(METHODS) * (STEPS + 1)
    assert not results.scores.duplicated(["policy", "method", "seed", "benchmark", "metric"]).any()
    assert set(results.trajectories.kind) == {"policy", "probe"}
    assert results.outside == []


def test_final_numbers_are_those_of_the_files(all_runs):
    root, config = all_runs
    results = collect(root, config)
    scores = json.loads((root / "evaluate/tiny/relax/seed-2/noisy-sum/scores.json").read_text())
    assert results.by_seed("tiny", "relax", "evaluate/noisy-sum/mean@16")[2] == scores["metrics"]["mean@16"]["value"]
    record = json.loads((root / "train/tiny/relax/seed-2/run.json").read_text())
    assert results.by_seed("tiny", "relax", "train/entropy")[2] == record["metrics"]["entropy"]
    per_step = record["cpu_seconds"] / STEPS
    assert results.by_seed("tiny", "relax", "cost/cpu_per_step")[2] == pytest.approx(per_step)
    koopman = json.loads((root / "koopman/tiny/relax/seed-2/run.json").read_text())["metrics"]
    for key in ("policy/dsd_eigenvalues", "probe/dsd_singular_values_ridge_0.1"):
        assert results.by_seed("tiny", "relax", f"koopman/{key}")[2] == pytest.approx(koopman[key])


def test_the_initial_policy_has_the_first_step_of_all_runs(all_runs):
    results = collect(*all_runs)
    first = results.series[results.series.step == 1]
    assert len(first) == 2 * len(METHODS)
    assert results.by_seed("tiny", "initial", "train/entropy") == {0: pytest.approx(first.entropy.mean())}


def test_share_of_dsd_is_over_all_steps(all_runs):
    results = collect(*all_runs)
    run = results.series.query("method == 'relax' and seed == 1 and step > 0")
    share = run["seconds/dsd"].sum() / run["seconds/step"].sum()
    assert results.by_seed("tiny", "relax", "cost/dsd_share")[1] == pytest.approx(share)


def test_arms_are_told_by_their_settings(all_runs):
    arms = collect(*all_runs).arms()
    assert [name for name, arm in arms.items() if arm.relax] == ["relax", "relax-sv", "relax-sv-no-kl"]
    assert arms["relax-sv"].spectrum == "singular_values"
    assert (arms["relax-sv-no-kl"].kl, arms["grpo-kl"].kl, arms["grpo"].kl) == ("none", "uniform", "none")


def test_missing_runs_are_counted(one_seed):
    results = collect(*one_seed)
    assert (results.finished("tiny", "grpo"), results.asked("grpo")) == (1, 2)
    assert results.finished("tiny", "grpo-kl") == 0
    assert results.summary("tiny", "grpo-kl", "train/entropy").n == 0
    assert results.difference("tiny", "relax", "train/entropy").n == 1


def test_an_empty_folder_is_no_error(no_runs):
    results = collect(*no_runs)
    assert (len(results.runs), len(results.series), len(results.records)) == (0, 0, 0)
    assert results.metrics_of("noisy-sum") == ["mean@1", "mean@16", "pass@16"]
    assert results.metrics_of("long-sum") == ["mean@1"]
    assert results.dictionary_setting("ridge") == 1e-3


def test_runs_of_another_matrix_are_left_out_and_named(all_runs):
    root, _ = all_runs
    results = collect(root, config_of(seeds=[1]))
    assert results.asked("grpo") == results.finished("tiny", "grpo") == 1
    assert "train/tiny/grpo/seed-2" in results.outside
    assert set(results.series.seed) == {1}


def test_unfinished_and_foreign_folders_are_not_read(damaged):
    root, config = damaged
    before = collect(root, config)
    shutil.copytree(root / "train/tiny/grpo/seed-1", root / "train/tiny/grpo/.seed-2.77.tmp")
    shutil.copytree(root / "train/tiny/grpo/seed-1", root / "mlflow/artifacts/train")
    after = collect(root, config)
    assert after.runs.equals(before.runs)
    assert len(after.records) == len(before.records)


def test_several_policies(tmp_path):
    config = config_of(policies=["small", "large"], seeds=[1])
    results = collect(tmp_path, make_results(tmp_path, config, [("large", "grpo", 1), ("small", "grpo", 1)]))
    assert list(results.runs.policy) == ["small", "small", "large", "large"]
    small, large = (results.by_seed(policy, "grpo", "train/entropy")[1] for policy in ("small", "large"))
    assert small != large


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("train/tiny/grpo/seed-1/run.json", "{", "not a run record"),
        ("train/tiny/grpo/seed-1/run.json", "[]", "not a run record"),
        ("train/tiny/grpo/seed-1/run.json", '{"verb": "train"}', "'identity'"),
        ("train/tiny/grpo/seed-1/metrics.jsonl", '{"step": 1, "entropy": 0.3}\n{"step": 2,', "line 2"),
        ("train/tiny/grpo/seed-1/metrics.jsonl", '{"entropy": 0.3}', "line 1"),
        ("train/tiny/grpo/seed-1/metrics.jsonl", '{"step": 1, "entropy": "low"}', "line 1"),
        ("train/tiny/grpo/seed-1/metrics.jsonl", None, "relax train"),
        ("evaluate/tiny/grpo/seed-1/noisy-sum/scores.json", '{"problems": 3}', "metrics"),
        ("koopman/tiny/grpo/seed-1/trajectories.parquet", "no parquet", "relax koopman"),
        ("koopman/tiny/grpo/seed-1/eigenvalues.parquet", None, "relax koopman"),
    ],
)
def test_a_damaged_file_is_named(damaged, file, content, words):
    root, config = damaged
    if content is None:
        (root / file).unlink()
    else:
        (root / file).write_text(content)
    with pytest.raises(DataError) as error:
        collect(root, config)
    assert str(root / file) in str(error.value)
    assert words in str(error.value)


def test_a_parquet_file_without_a_column_is_named(damaged):
    import pandas as pd

    root, config = damaged
    path = root / "koopman/tiny/relax/seed-1/trajectories.parquet"
    pd.read_parquet(path).drop(columns="leverage").to_parquet(path)
    with pytest.raises(DataError, match="leverage") as error:
        collect(root, config)
    assert str(path) in str(error.value)


def test_a_record_without_seed_is_named(damaged):
    root, config = damaged
    write_record(root / "train/tiny/grpo/seed-1", "train", {"policy": "tiny", "method": "grpo"})
    with pytest.raises(DataError, match="'seed'"):
        collect(root, config)


def test_values_that_a_step_does_not_have_are_missing(damaged):
    root, config = damaged
    lines = '{"step": 1, "entropy": 0.3, "kl": null}\n{"step": 2, "kl": 0.1}\n'
    (root / "train/tiny/grpo/seed-1/metrics.jsonl").write_text(lines)
    series = collect(root, config).series.query("method == 'grpo'")
    assert math.isnan(series.kl.iloc[0])
    assert math.isnan(series.entropy.iloc[1])


def test_a_method_may_have_a_dictionary_of_its_own(damaged):
    root, config = damaged
    identity = {"name": config["name"], "policy": "tiny", "koopman_dim": 4}
    write_record(root / "dictionary/tiny-m4", "dictionary", identity, {"koopman_dim": 4}, {"residual_q50": 0.5})
    assert collect(root, config).outside == ["dictionary/tiny-m4"], "no method asks for it"
    asking = {**config, "methods": {**config["methods"], "relax": {**config["methods"]["relax"], "koopman_dim": 4}}}
    results = collect(root, asking)
    assert results.outside == []
    assert sorted(results.dictionaries.policy) == ["tiny", "tiny, m = 4"]
    assert results.dictionary_setting("koopman_dim") == 8, "the common frame"
