"""Reference folders: what is tracked of a run, made from records and tables that belong together."""

import json
import shutil
from pathlib import Path

import pytest

from relax import cli
from relax.paper import claims
from relax.records.record import Run
from relax.records.why import command, configuration, record_inputs
from relax.results.claims.runs import judge_claims
from relax.results.collect import collect
from relax.results.tables.all import write_tables


@pytest.fixture
def finished(all_runs, tmp_path, monkeypatch) -> Path:
    """A results folder with tables whose record names what they were made from."""
    monkeypatch.chdir(tmp_path)
    root = Path(shutil.copytree(all_runs[0], tmp_path / "results" / "synthetic"))
    results = collect(root, all_runs[1])
    run = Run("tables", {"name": "synthetic"}, {})
    run.digests = record_inputs(root, [record["folder"] for record in results.records])
    written = write_tables(results, root / "tables")
    texts = {"findings.md": "# Findings\n", claims.CONTENT: json.dumps(judge_claims(results))}
    for name, text in texts.items():
        (root / "tables" / name).write_text(text)
    run.finish(root / "tables", [*written, *(root / "tables" / name for name in texts)])
    return root


def reference(root, out):
    return cli.main(["reference", "--root", str(root), "--out", str(out)])


def test_it_holds_tables_claims_and_records_and_nothing_of_the_machine(finished, tmp_path):
    out = tmp_path / "results" / "reference" / "synthetic"
    assert reference(finished, out) == 0
    names = {path.name for path in out.iterdir()}
    assert {"final.md", "stages.md", "findings.md", "runs.csv", claims.CONTENT, "runs.json"} == {
        name for name in names if name in ("final.md", "stages.md", "findings.md") or not name.endswith(".md")
    }
    assert (out / "final.md").read_bytes() == (finished / "tables" / "final.md").read_bytes()
    content = json.loads((out / "runs.json").read_text())
    assert len(content["runs"]) == 79
    assert content["git"] == {"commit": "5e4d" * 10, "dirty": False}
    assert content["machine"] == {"processor": "Synthetic 1", "cpus": 2, "accelerator": None}
    assert str(tmp_path) not in "".join(path.read_text() for path in out.iterdir())


def test_what_is_there_is_replaced_as_a_whole_and_made_again_the_same(finished, tmp_path):
    out = tmp_path / "reference"
    assert reference(finished, out) == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    (out / "old-table.md").write_text("of another run")
    assert reference(finished, out) == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_records_that_differ_keep_what_is_their_own(finished, tmp_path, caplog, capsys):
    path = finished / "data" / "run.json"
    record = json.loads(path.read_text())
    record["git"] = {"commit": "f" * 40, "dirty": True}
    record["inputs"] = {"/home/somebody/rows.jsonl": "5e4d", "more.jsonl": "1234"}
    path.write_text(json.dumps(record))
    tables = finished / "tables" / "run.json"
    made = json.loads(tables.read_text())
    made["inputs"] |= record_inputs(finished, ["data"])
    tables.write_text(json.dumps(made))
    assert reference(finished, tmp_path / "reference") == 0
    content = json.loads((tmp_path / "reference" / "runs.json").read_text())
    (data,) = [run for run in content["runs"] if run["folder"] == "data"]
    assert data["inputs"] == {"rows.jsonl": "5e4d", "more.jsonl": "1234"}
    assert "git" not in content
    assert {run["git"]["commit"][:4] for run in content["runs"]} == {"5e4d", "ffff"}
    assert "1 records were made with uncommitted changes: data" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("damage", "code", "words"),
    [
        (lambda root, out: (root / "tables/final.md").write_text("edited"), 3, "run `relax tables` again"),
        (
            lambda root, out: (root / "train/tiny/grpo/seed-1/run.json").write_text("{}"),
            3,
            "not a run record ('verb' is missing",
        ),
        (
            lambda root, out: (root / "data/run.json").write_text((root / "base/tiny/run.json").read_text()),
            3,
            "data/run.json: is not what the tables were made with",
        ),
        (lambda root, out: shutil.rmtree(root / "tables"), 3, "no run record"),
        (lambda root, out: (out.mkdir(), (out / "precious.txt").write_text("x")), 2, "is not a reference folder"),
    ],
)
def test_what_does_not_belong_together_is_refused_and_nothing_is_written(
    finished, tmp_path, capsys, damage, code, words
):
    out = tmp_path / "reference"
    damage(finished, out)
    before = sorted(out.iterdir()) if out.exists() else None
    assert reference(finished, out) == code
    assert words in capsys.readouterr().err
    assert (sorted(out.iterdir()) if out.exists() else None) == before


def test_command_and_configuration_are_read_from_the_arguments():
    words = (
        "train --configfile config/config.yaml /tmp/a/my.yaml --policy tiny --method relax --seed 1 --data r/t.jsonl"
    )
    record = {"verb": "train", "arguments": words.split()}
    assert command(record) == "relax train --policy tiny --method relax --seed 1"
    assert configuration(record) == ["config/config.yaml", "my.yaml"]
    assert command({"verb": "koopman", "arguments": []}) == "relax koopman"
    assert configuration({"verb": "koopman", "arguments": ["koopman", "--configfile"]}) == []
