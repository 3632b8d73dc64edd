"""Policies that are evaluated as they are: tables, figures and report without a training, one protocol, intervals."""

import json
import math
import shutil
from pathlib import Path

import pytest

from relax.errors import DataError
from relax.paper.printed import LAYOUTS, read_table
from relax.results.collect import collect
from relax.results.figures.all import write_figures
from relax.results.findings import findings, to_markdown
from relax.results.model import Results
from relax.results.report.page import write_report
from relax.results.tables.all import shown_tables, write_tables
from relax.results.tables.paper_tables import paper_tables
from relax.results.tables.render import Compared
from tests.results.paper_fixture import BENCHMARKS, ROWS, paper_config, paper_results
from tests.results.results_fixture import config_of, make_results, write_record

DECODING = {"temperature": 0.6, "top_p": 0.95, "max_response_length": None, "system": "Box it."}


@pytest.fixture(scope="module")
def as_they_are(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Two policies with spectra, of which none was trained."""
    root, config = tmp_path_factory.mktemp("released") / "synthetic", config_of(policies=("tiny", "other"))
    make_results(root, config, [("tiny", "grpo", 1), ("other", "grpo", 1)])
    for stage in ("train", "koopman", "latent", "evaluate", "grades", "responses"):
        for place in (root / stage).glob("*/grpo"):
            shutil.rmtree(place)
    config["matrix"]["methods"] = []
    config["policies"] = {"tiny": {}, "other": {"dictionary_of": "tiny"}}
    return collect(root, config)


def test_the_tables_hold_the_policies_and_nothing_of_a_training(as_they_are: Results, tmp_path: Path) -> None:
    tables = {table.name: table for table in shown_tables(as_they_are)}
    assert [(row["policy"], row["method"]) for row in tables["final"].rows] == [
        ("tiny", "initial"), ("other", "initial")
    ]  # fmt: skip
    keys = {column.key for column in tables["final"].columns}
    assert {"evaluate/noisy-sum/mean@16", "koopman/policy/dsd_eigenvalues"} <= keys
    assert not any(key.startswith("train/") for key in keys)
    assert not {"differences", "paired", "cost"} & tables.keys()
    assert "with the policy's own dictionary, that of other with the dictionary of tiny." in tables["final"].caption
    assert all("train" not in column.title for table in tables.values() for column in table.columns)
    write_tables(as_they_are, tmp_path)  # the pipeline expects these files all the same
    assert (tmp_path / "differences.csv").is_file()
    assert to_markdown(findings(as_they_are)).endswith("Nothing was trained, so nothing is found about a training.\n")


def test_without_hidden_states_no_column_of_dsd(tmp_path: Path) -> None:
    root, config = tmp_path / "paper", paper_config()
    paper_results(root, config, [])
    config["matrix"]["methods"] = []
    final = shown_tables(collect(root, config))[0]
    assert not any("koopman" in column.key for column in final.columns)


def test_the_report_says_that_nothing_was_trained(as_they_are: Results, tmp_path: Path) -> None:
    figures = write_figures(as_they_are, tmp_path / "figures")
    assert any("which was not trained here" in figure.caption for figure in figures)
    page = write_report(as_they_are, as_they_are.config, shown_tables(as_they_are), figures, tmp_path / "report.html")
    text = page.read_text(encoding="utf-8")
    assert "Language models, evaluated as they are" in text
    assert "The accuracy of tiny over 2 benchmarks is" in text
    assert 'id="claims"' not in text
    assert 'href="#claims"' not in text
    assert "training run" not in text


def released(root: Path, rerun: float) -> Results:
    """The initial policies of the printed rows, sampled benchmarks with an error over new samples."""
    config = paper_config()
    for policy in ("small", "other"):
        paper_results(root, config, [(policy, "grpo", 1)])
    for folder in root.glob("*/*/grpo"):
        shutil.rmtree(folder)
    for path in root.glob("evaluate/*/initial/*/*/scores.json"):
        content = json.loads(path.read_text())
        for name, found in content["metrics"].items():
            if name == "mean@32":
                found["rerun"] = rerun
        path.write_text(json.dumps(content))
    config["matrix"]["methods"] = []
    return collect(root, config)


def test_one_policy_has_the_interval_of_new_samples(tmp_path: Path) -> None:
    """The fixture's score is 0.6 points below print: within 1.96 errors of 0.4 points, and beyond those of 0.2."""
    for rerun, verdict in ((0.004, "reproduced"), (0.002, "not reproduced")):
        tables = {table.name: table for table in paper_tables(released(tmp_path / str(rerun), rerun))}
        row = next(row for row in tables["table2"].rows if row.get("our_policy") == "small")
        cells = {column: row[column] for column in BENCHMARKS}
        assert all(isinstance(cell, Compared) for cell in cells.values())
        verdicts = {column: cell.verdict for column, cell in cells.items() if isinstance(cell, Compared)}
        assert verdicts == {c: verdict if c.startswith("A") else "no interval" for c in BENCHMARKS}
        assert row["n"] == "1"
        own = cells["AIME24"]
        assert isinstance(own, Compared)
        assert own.ours is not None
        assert own.ours.summary.half_width == pytest.approx(196 * rerun)
        average = row["average"]  # two columns are greedy and have no error
        assert isinstance(average, Compared)
        assert average.ours is not None
        assert math.isnan(average.ours.summary.half_width)


def test_rows_of_trained_methods_stand_for_nothing(tmp_path: Path) -> None:
    tables = {table.name: table for table in paper_tables(released(tmp_path / "paper", 0.01))}
    (layout,) = [layout for layout in LAYOUTS if layout.table == "Table 2"]
    ours = [row for row in tables["table2"].rows if row["ours"]]
    assert len(tables["table2"].rows) == len(read_table(layout))
    assert [row["our_method"] for row in ours] == ["initial"]
    assert sum("initial" in row["methods"] for row in ROWS["Table 2"].values()) == 1


def test_two_protocols_are_never_mixed(tmp_path: Path) -> None:
    root, config = tmp_path / "paper", paper_config()
    paper_results(root, config, [("small", "grpo", 1)])
    settings = {"max_response_length": 8192, "asked": DECODING}
    for method, seed, asked in (("initial", 0, settings), ("grpo", 1, settings)):
        identity = {"policy": "small", "method": method, "seed": seed}
        write_record(root / "responses" / f"small/{method}/seed-{seed}", "generate", identity, settings=asked)
    caption = shown_tables(collect(root, config))[0].caption
    assert "drawn at temperature 0.6 with top-p 0.95 and have at most 8,192 tokens" in caption
    assert "The instruction is a system turn." in caption
    identity = {"policy": "small", "method": "grpo", "seed": 2}
    write_record(root / "responses/small/grpo/seed-2", "generate", identity, settings={"max_response_length": 3072})
    with pytest.raises(DataError, match="asked for under different protocols"):
        collect(root, config)
