"""What the tables read is what the records say, record by record; or there are no tables."""

import html
import json
import shutil
from pathlib import Path

import pytest

from relax.config import digest
from relax.errors import DataError
from relax.records.record import digest_path
from relax.results.collect import collect
from relax.results.figures import all as figures
from relax.results.figures.style import Figure
from relax.results.report import page as report
from relax.results.tables.all import build_tables, write_tables
from tests.results import results_fixture

RUN = "tiny/grpo/seed-1"


def amend(folder: Path, **changes: object) -> None:
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(record | changes))


@pytest.fixture
def linked(one_seed, tmp_path):
    """(root, config): a copy in which one run's records name what they read and wrote, as on another machine."""
    root, config = shutil.copytree(one_seed[0], tmp_path / "synthetic"), one_seed[1]
    place = "/elsewhere/results/synthetic"

    def outputs(folder: str, *names: str) -> dict[str, str]:
        return {f"{place}/{folder}/{name}": digest_path(root / folder / name) for name in names}

    amend(root / "data", inputs={"rows.jsonl": "5e4d"}, outputs={f"{place}/data/train.jsonl": "abcd"})
    model = {f"{place}/train/{RUN}/model": "1234"}
    amend(
        root / f"train/{RUN}",
        inputs={f"{place}/data/train.jsonl": "abcd"},
        outputs=model | outputs(f"train/{RUN}", "metrics.jsonl"),
    )
    amend(root / f"latent/{RUN}", inputs=model)
    amend(root / f"responses/{RUN}", inputs=model)
    spectra = outputs(f"koopman/{RUN}", "trajectories.parquet", "eigenvalues.parquet", "matrices.parquet")
    amend(root / f"koopman/{RUN}", inputs={f"{place}/latent/{RUN}": "any"}, outputs=spectra)
    amend(root / f"grades/{RUN}", outputs=outputs(f"grades/{RUN}", "noisy-sum/grades.parquet"))
    amend(root / f"evaluate/{RUN}/noisy-sum", outputs=outputs(f"evaluate/{RUN}/noisy-sum", "scores.json"))
    return root, config


def test_records_that_fit_are_taken(linked, one_seed) -> None:
    assert collect(*linked).runs.equals(collect(*one_seed).runs)


@pytest.mark.parametrize("what", ["data/train.jsonl", f"train/{RUN}/model", f"latent/{RUN}/statistics.safetensors"])
def test_what_lies_further_behind_is_proved_as_well(linked, what) -> None:
    root, config = linked
    place = root / what
    if place.suffix:
        place.write_text("one\n")
        changed = place
    else:
        place.mkdir(exist_ok=True)
        (place / "config.json").write_text("{}")
        changed = place / "config.json"
    recorded = {f"/elsewhere/results/synthetic/{what}": digest_path(place)}
    record = json.loads((place.parent / "run.json").read_text())
    amend(place.parent, outputs=record["outputs"] | recorded)
    for follower in ("train", "latent", "responses"):  # they read what was recorded
        inputs = json.loads((root / follower / RUN / "run.json").read_text())["inputs"]
        amend(root / follower / RUN, inputs={key: recorded.get(key, value) for key, value in inputs.items()})
    collect(root, config)
    changed.write_text("two\n")
    with pytest.raises(DataError, match=f"{what}: is not what its run record says"):
        collect(root, config)


def test_settings_that_were_edited_in_a_record_are_named(linked) -> None:
    root, config = linked
    record = json.loads((root / f"train/{RUN}/run.json").read_text())
    amend(root / f"train/{RUN}", settings={"alpha": 1}, settings_hash=digest({"alpha": 2}))
    with pytest.raises(DataError, match=r"run\.json: its settings do not give their recorded hash"):
        collect(root, config)
    amend(root / f"train/{RUN}", **record)
    collect(root, config)


@pytest.mark.parametrize(
    "file",
    [f"train/{RUN}/metrics.jsonl", f"evaluate/{RUN}/noisy-sum/scores.json", f"grades/{RUN}/noisy-sum/grades.parquet",
     *(f"koopman/{RUN}/{name}.parquet" for name in ("trajectories", "eigenvalues", "matrices"))],
)  # fmt: skip
def test_a_file_that_was_changed_since_is_named(linked, file) -> None:
    root, config = linked
    with (root / file).open("ab") as stream:
        stream.write(b"\n")
    with pytest.raises(DataError, match=rf"{file}: is not what its run record says \(hash \w+, recorded \w+\); put"):
        collect(root, config)


def test_a_training_without_its_record_is_named_with_what_was_made_from_it(linked) -> None:
    root, config = linked
    (root / f"train/{RUN}/run.json").unlink()
    with pytest.raises(
        DataError, match=rf"train/{RUN}/model: the run record of what made it is gone, but .*/{RUN} was"
    ):
        collect(root, config)


def test_a_training_that_was_done_again_is_named_with_what_is_older(linked) -> None:
    root, config = linked
    amend(root / f"train/{RUN}", outputs={f"results/synthetic/train/{RUN}/model": "5678"})
    with pytest.raises(DataError, match=rf"/{RUN}: was made from another .*train/{RUN}/model \(hash 1234\).*\(5678\)"):
        collect(root, config)


@pytest.fixture
def other(linked):
    """(root, config): graded by other code than that of now, and so were the rewards of the training."""
    root, config = linked
    for stage, verb in (("grades", "grade"), ("train", "train")):
        amend(root / f"{stage}/{RUN}", verb=verb, code={"relax": "older"})
    return root, config


def test_every_table_says_that_the_grader_has_changed_since(other, linked, tmp_path) -> None:
    results = collect(*other)
    assert results.fault.startswith("Fault: made with other code than that of now: grade (1 run); ")
    assert all(results.fault in table.caption for table in build_tables(results))
    for path in write_tables(results, tmp_path / "tables"):
        text = path.read_text()
        if path.suffix == ".csv":  # in words in every row
            header, *rows = text.splitlines()
            assert header.split(",")[-1] == "fault"
            assert all(row.endswith(f'"{results.fault}"') or results.fault in row for row in rows)
        else:
            assert "made with other code than that of now: grade (1 run)" in text
    report.write_report(results, other[1], [], [], tmp_path / "report.html")
    assert results.fault in html.unescape((tmp_path / "report.html").read_text())


def test_and_so_does_every_figure(other, tmp_path, monkeypatch) -> None:
    drawn = Figure("dsd", "DSD", "Its caption.", tmp_path / "dsd.svg", tmp_path / "dsd.png")
    monkeypatch.setattr(figures, "save", lambda draw, out: drawn)
    results = collect(*other)
    assert {f.caption for f in figures.write_figures(results, tmp_path)} == {f"Its caption. {results.fault}"}
    assert results.fault in (tmp_path / "figures.json").read_text()


def test_tables_without_a_fault_bear_nothing(all_runs) -> None:
    results = collect(*all_runs)
    assert results.fault == ""
    assert [column.key for table in build_tables(results) for column in table.columns if column.key == "fault"] == []


def test_a_figure_that_was_changed_since_is_in_no_report(tmp_path) -> None:
    results_fixture.write_record(tmp_path, "figures", {})
    (tmp_path / "figures.json").write_text("[]")
    (tmp_path / "dsd.svg").write_text("<svg/>")
    amend(tmp_path, outputs={"results/demo/figures/dsd.svg": digest_path(tmp_path / "dsd.svg")})
    assert figures.read_figures(tmp_path) == []
    (tmp_path / "dsd.svg").write_text("<svg></svg>")
    with pytest.raises(DataError, match=r"dsd\.svg: is not what its run record says"):
        figures.read_figures(tmp_path)
