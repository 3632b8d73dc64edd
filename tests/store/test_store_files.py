"""Files that a store has lost since, or has otherwise: an export puts them back, tables from it say so."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from relax.cli import main
from relax.errors import DataError
from relax.store.export import export
from relax.store.restore import restore
from tests.store.export_fixture import CONFIG, counts, ids, runs_of, uri_of

SEED, PARENT = "train/tiny/relax/seed-1", "20260102T030405Z-abcdef"


@pytest.fixture
def store(results) -> Path:
    """The results folder, exported."""
    (results / "report.html").write_text("<p>report</p>")
    assert export(results, CONFIG, uri_of(results)) == counts(added=2)
    return results


def kept(root: Path, run: str) -> Path:
    """Folder of a run's files in the store."""
    return root / "mlartifacts" / ids(root)[run] / "artifacts"


def altered(path: Path) -> None:
    """One character is another one; neither the size nor the form of the file changes."""
    text = path.read_text()
    path.write_text(text.replace("1", "2", 1) if "1" in text else text.replace("r", "s", 1))


def halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def contents(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in (root / "mlartifacts").rglob("*") if p.is_file()}


def test_all_files_lost_are_put_back_into_the_same_runs(store, caplog) -> None:
    before, runs = contents(store), ids(store)
    shutil.rmtree(store / "mlartifacts")
    assert export(store, CONFIG, uri_of(store)) == counts(mended=3)  # two jobs and their parent
    assert "the store lacked 8 of its files, or had others (first: metrics.jsonl of" in caplog.text
    assert contents(store) == before
    assert ids(store) == runs
    assert export(store, CONFIG, uri_of(store)) == counts(unchanged=2)


@pytest.mark.parametrize(
    ("run", "name", "damage"),
    [
        (SEED, "metrics.jsonl", Path.unlink),
        (SEED, "metrics.jsonl", altered),
        (SEED, "output.txt", halved),
        (SEED, "run.json", altered),
        (PARENT, "config.yaml", Path.unlink),
        (PARENT, "report.html", altered),
    ],
)
def test_a_file_is_put_back(store, run: str, name: str, damage: Callable[[Path], None]) -> None:
    before = contents(store)
    damage(kept(store, run) / name)
    assert contents(store) != before
    assert export(store, CONFIG, uri_of(store)) == counts(mended=1, unchanged=2 - (run == SEED))
    assert contents(store) == before


def test_relax_track_says_what_it_has_mended(store, tmp_path, capsys) -> None:
    (kept(store, SEED) / "metrics.jsonl").unlink()
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(CONFIG, sort_keys=False))
    words = ["track", "--configfile", str(tmp_path / "c.yaml"), "--root", str(store)]
    assert main([*words, "--out", str(tmp_path / "track.json")]) == 0
    said = capsys.readouterr().err
    assert "first: metrics.jsonl of train/tiny/relax/seed-1" in said
    assert "track: 0 runs added, 1 runs mended, 1 runs unchanged" in said
    assert json.loads((tmp_path / "track.json").read_text())["mended"] == 1


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("metrics.jsonl", Path.unlink),
        ("metrics.jsonl", altered),
        ("run.json", Path.unlink),
        ("run.json", altered),
        ("run.json", halved),
    ],
)
def test_no_tables_are_made_from_a_damaged_file(store, tmp_path, name: str, damage: Callable[[Path], None]) -> None:
    damage(kept(store, SEED) / name)
    with pytest.raises(DataError) as caught:
        restore(uri_of(store), None, tmp_path / "out")
    assert f": of 1 of its 2 runs files have gone or changed since they were exported ({SEED}: " in str(caught.value)
    assert name in str(caught.value)
    assert "or run `relax track` on the results, which puts them back" in str(caught.value)
    export(store, CONFIG, uri_of(store))
    restore(uri_of(store), None, tmp_path / "again")


def test_no_tables_are_made_from_a_store_without_its_files(store, tmp_path, capsys) -> None:
    shutil.rmtree(store / "mlartifacts")
    assert main(["tables", "--from-mlflow", uri_of(store), "--out", str(tmp_path / "tables")]) == 3
    said = capsys.readouterr().err.strip()
    assert (
        "experiment t: the store has lost the file config.yaml of its runs; bring back the folder mlartifacts" in said
    )
    assert "\n" not in said
    assert not (tmp_path / "tables").exists()
    assert len(runs_of(store)) == 3
