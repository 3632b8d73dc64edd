"""MLflow alone gives the tables back, byte for byte, wherever the store has gone since."""

import json
import shutil
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from relax.cli import main
from relax.errors import ConfigError, DataError
from relax.store import jobs
from relax.store.client import PATH_TAG
from relax.store.export import export
from relax.store.restore import restore
from tests.store.store_fixture import contents, demo_config, make_experiment, make_tables
from tests.workflow.workflow_fixture import run


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> tuple[Path, dict[str, bytes]]:
    """A folder that holds a store and nothing else, made with no file above the size limit but those that tables
    need; and the tables as they were."""
    root = tmp_path_factory.mktemp("exported") / "results" / "synthetic"
    loaded = make_experiment(root, demo_config(matrix={"methods": ["grpo", "relax"]}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "LARGEST", 0)
        export(root, loaded, f"sqlite:///{root}/mlflow.db")
    tables = contents(root / "tables")
    for path in root.iterdir():
        if path.name not in ("mlflow.db", "mlartifacts"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert len(tables) > 20
    return root, tables


@pytest.fixture
def store(exported, tmp_path) -> Path:
    """A copy in another place, as if the original were gone."""
    return shutil.copytree(exported[0], tmp_path / "moved")


def rebuilt(uri: str, folder: Path, name: str | None = None) -> dict[str, bytes]:
    loaded, root = restore(uri, name, folder)
    make_tables(root, loaded.recorded(), folder / "tables")
    return contents(folder / "tables")


def test_the_tables_come_back_byte_for_byte(exported, tmp_path) -> None:
    root, tables = exported
    assert rebuilt(f"sqlite:///{root}/mlflow.db", tmp_path) == tables


def test_a_store_that_was_moved_gives_the_same(exported, store, tmp_path) -> None:
    files = [path for path in (store / "mlartifacts").rglob("*") if path.is_file()]
    assert files
    assert rebuilt(f"sqlite:///{store}/mlflow.db", tmp_path, "synthetic") == exported[1]


def test_every_table_file_is_needed(exported, store, tmp_path) -> None:
    """What the tables read is what is brought back: without any one of the kinds they differ or cannot be made."""
    patterns = ["metrics.jsonl", "trajectories.parquet", "eigenvalues.parquet", "grades.parquet", "scores.json"]
    held = {p.name for p in (store / "mlartifacts").rglob("*") if p.is_file()}
    assert held >= set(patterns)
    for number, name in enumerate(patterns):
        copy = shutil.copytree(store, tmp_path / f"without-{number}")
        for path in (copy / "mlartifacts").rglob(name):
            path.unlink()
        try:
            again = rebuilt(f"sqlite:///{copy}/mlflow.db", tmp_path / f"out-{number}")
        except DataError:
            continue
        assert again != exported[1], name


def test_a_run_whose_export_was_cut_off_is_left_out_and_named(store, tmp_path, caplog) -> None:
    uri = f"sqlite:///{store}/mlflow.db"
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("synthetic").experiment_id
    (half,) = client.search_runs([experiment], "tags.verb = 'train' and tags.method = 'relax' and tags.seed = '2'")
    client.update_run(half.info.run_id, status="RUNNING")
    tables = rebuilt(uri, tmp_path)
    assert "train/tiny/relax/seed-2: its export was cut off, so it is left out" in caplog.text
    assert b"1 of 2" in tables["final.md"]


def test_a_store_cannot_write_outside_the_folder(store, tmp_path) -> None:
    uri = f"sqlite:///{store}/mlflow.db"
    client = MlflowClient(uri)
    (one, *_) = client.search_runs([client.get_experiment_by_name("synthetic").experiment_id], "tags.verb = 'data'")
    for place in ("../../outside", "/tmp/outside"):
        client.set_tag(one.info.run_id, PATH_TAG, place)
        with pytest.raises(DataError, match="expected one below the results folder"):
            restore(uri, None, tmp_path / "out")


def test_several_experiments_in_a_store_are_named(store, tmp_path) -> None:
    uri, root = f"sqlite:///{store}/mlflow.db", tmp_path / "results" / "other"
    other = demo_config("other", matrix={"methods": ["grpo"], "seeds": [1]})
    make_experiment(root, other)
    export(root, other, uri)
    MlflowClient(uri).create_experiment("somebody else's")
    with pytest.raises(ConfigError, match=r"holds several experiments \(other, synthetic\); name one with --exper"):
        restore(uri, None, tmp_path / "out")
    with pytest.raises(ConfigError, match="holds no experiment 'demo'; it has other, synthetic"):
        restore(uri, "demo", tmp_path / "out")
    assert rebuilt(uri, tmp_path / "o", "other") == contents(root / "tables")


def test_a_store_without_an_experiment_or_none_at_all(tmp_path) -> None:
    with pytest.raises(DataError, match=r"none\.db: no such MLflow store"):
        restore(f"sqlite:///{tmp_path}/none.db", None, tmp_path / "out")
    assert not (tmp_path / "none.db").exists()
    MlflowClient(f"sqlite:///{tmp_path}/empty.db").search_experiments()
    with pytest.raises(DataError, match="holds no experiment that `relax track` exported whole"):
        restore(f"sqlite:///{tmp_path}/empty.db", None, tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "name --configfile and --root, or --from-mlflow"),
        (["--root", "results/demo"], "name --configfile and --root, or --from-mlflow"),
        (["--from-mlflow", "sqlite:///x.db", "--root", "r"], "leave --configfile and --root out"),
        (["--configfile", "c", "--root", "r", "--experiment", "x"], "--experiment belongs to --from-mlflow"),
    ],
)
def test_options_that_do_not_go_together(options, words, capsys) -> None:
    assert main(["tables", *options, "--out", "x"]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.slow
def test_the_tables_of_a_real_pipeline_come_back_byte_for_byte(smoke, tmp_path) -> None:
    """`relax tables --from-mlflow` with nothing left but the store, in another place."""
    left = tmp_path / "elsewhere"
    left.mkdir()
    for name in ("mlflow.db", "mlartifacts"):
        source = smoke / "results" / "smoke" / name
        shutil.copytree(source, left / name) if source.is_dir() else shutil.copyfile(source, left / name)
    ended = run(tmp_path, "relax", "tables", "--from-mlflow", f"sqlite:///{left}/mlflow.db", "--out", "tables")
    assert ended.returncode == 0, ended.stderr
    assert contents(tmp_path / "tables") == contents(smoke / "results" / "smoke" / "tables")
    record = json.loads((tmp_path / "tables" / "run.json").read_text())
    kept = json.loads((smoke / "results" / "smoke" / "tables" / "run.json").read_text())

    def inputs(made: dict) -> dict[str, str]:
        return {path.partition("results/smoke/")[2]: version for path, version in made["inputs"].items()}

    assert inputs(record) == inputs(kept)
    assert record["config_hash"] == kept["config_hash"]


@pytest.mark.slow
def test_a_store_with_a_changed_file_gives_no_tables(smoke, tmp_path, capsys) -> None:
    for name in ("mlflow.db", "mlartifacts"):
        source = smoke / "results" / "smoke" / name
        shutil.copytree(source, tmp_path / name) if source.is_dir() else shutil.copyfile(source, tmp_path / name)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    found = (tmp_path / "mlartifacts").glob("*/artifacts/metrics.jsonl")
    path = next(path for path in found if '"reward": 0.' in path.read_text())
    path.write_text(path.read_text().replace('"reward": 0.', '"reward": 1.'))
    assert main(["tables", "--from-mlflow", uri, "--out", str(tmp_path / "tables")]) == 3
    said = capsys.readouterr().err
    assert f"{uri}: " in said
    assert "metrics.jsonl is not what its record says" in said
    assert not (tmp_path / "tables").exists()
