"""``relax why`` on a real run: whole chains, and every fault that was planted in a copy."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from relax.cli import main
from relax.config import digest
from relax.records.record import digest_path
from tests.conftest import REPOSITORY
from tests.workflow.workflow_fixture import run

pytestmark = pytest.mark.slow
WHOLE = "every link is there and every hash as recorded."


@pytest.fixture
def copy(smoke: Path, tmp_path: Path) -> Path:
    """The finished smoke run in another place, as a reviewer may have it."""
    shutil.copytree(smoke / "results" / "smoke", tmp_path / "results" / "smoke")
    return tmp_path


def why(folder: Path, *arguments: str, code: int = 0) -> str:
    ended = run(folder, "relax", "why", *arguments)
    assert ended.returncode == code, ended.stderr
    return ended.stdout


def rewritten(path: Path, change: Callable[[dict], object]) -> dict:
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))
    return record


def test_the_chain_of_a_table_goes_down_to_the_data(copy: Path) -> None:
    text = why(copy, "results/smoke/tables/final.md")
    for link in (
        "train/tiny/relax-sv/seed-1: relax train --policy tiny --method relax-sv --seed 1, ",
        "evaluate/tiny/grpo/seed-1/noisy-sum: relax evaluate",
        "responses/tiny/grpo/seed-1: relax generate",
        "grades/tiny/initial/seed-0: relax grade",
        "base/tiny: relax base",
        "dictionary/tiny: relax dictionary",
        "data: relax data",
    ):
        assert link in text
    assert text.rstrip().endswith(WHOLE)
    assert text.count("data: relax data") == 1  # each record once
    assert "seed data 0" in text


def test_it_names_configuration_commit_versions_machine_and_every_hash(copy: Path) -> None:
    text = why(copy, "results/smoke/tables/final.md")
    root = copy / "results" / "smoke"
    records = [json.loads((root / place / "run.json").read_text()) for place in ("data", "train/tiny/grpo/seed-1")]
    head = text[: text.index("\ntables: ")]
    assert head.startswith(f"smoke/tables/final.md  {digest_path(root / 'tables/final.md')}\n")
    assert f"config/config.yaml + config/smoke.yaml, hash {records[0]['config_hash']}" in head
    machine = records[0]["machine"]
    assert f"{machine['system']}, {machine['cpus']} processors ({machine['processor']}), no accelerator" in head
    assert re.search(r"^  image +none$", head, re.MULTILINE)
    for name, version in records[0]["versions"].items():
        assert f"{name} {version}" in head
    for record in records:
        assert f"settings {record['settings_hash']}" in text
        for path, recorded in (record["inputs"] | record["outputs"]).items():
            place = path.partition("results/smoke/")[2]
            assert f"{place} {recorded}" in text or f"{Path(place).name} {recorded}" in text


@pytest.mark.parametrize(
    ("path", "made", "behind"),
    [
        ("figures/dsd.svg", "figures: relax figures, ", "koopman/tiny/relax-sv/seed-1"),
        ("report.html", "report: relax report, ", "figures: relax figures"),
        ("report/tables/01-final.html", "report: relax report, ", "evaluate/tiny/grpo/seed-1/noisy-sum"),
        ("tables/claims.json", "tables: relax tables, ", "train/tiny/relax-sv/seed-1"),
    ],
)
def test_figures_report_and_claims_have_chains_too(copy: Path, path: str, made: str, behind: str) -> None:
    text = why(copy, f"results/smoke/{path}")
    assert f"\n{made}" in text
    assert re.search(rf"^ +{behind}", text, re.MULTILINE)
    assert "data: relax data" in text
    assert text.rstrip().endswith(WHOLE)


def test_a_folder_under_another_name_is_the_same(copy: Path) -> None:
    (copy / "results" / "smoke").rename(copy / "renamed")
    assert why(copy, "renamed/tables/final.md").rstrip().endswith(WHOLE)


def test_a_reader_who_has_enough_is_no_error(copy: Path) -> None:
    ended = run(copy, "bash", "-o", "pipefail", "-c", "relax why results/smoke/tables/final.md | head -n 1")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("smoke/tables/final.md  ")


def test_one_method_alone(copy: Path) -> None:
    text = why(copy, "results/smoke/tables/final.md", "--method", "grpo", "--seed", "1")
    assert "train/tiny/grpo/seed-1" in text
    assert "relax-sv" not in text
    assert "base/tiny" in text


def test_a_raw_file_has_a_chain_of_its_own(copy: Path) -> None:
    text = why(copy, "results/smoke/responses/tiny/relax-sv/seed-1/noisy-sum/questions.parquet")
    assert "responses/tiny/relax-sv/seed-1: relax generate" in text
    assert "train/tiny/relax-sv/seed-1: relax train" in text
    assert "relax koopman" not in text


def test_what_was_changed_or_lost_since_is_named(copy: Path) -> None:
    root = copy / "results" / "smoke"
    with (root / "train/tiny/grpo/seed-1/metrics.jsonl").open("a") as stream:
        stream.write("{}\n")
    (root / "data" / "test.jsonl").unlink()
    shutil.rmtree(root / "grades/tiny/initial")
    edited = root / "train/tiny/relax-sv/seed-1/run.json"
    record = json.loads(edited.read_text())
    record["settings"]["method"]["alpha"] = 0.5
    edited.write_text(json.dumps(record))
    text = why(copy, "results/smoke/tables/final.md", code=3)
    assert "! train/tiny/grpo/seed-1/metrics.jsonl is not what it wrote: hash " in text
    assert "! data/test.jsonl, which it wrote, is missing" in text
    assert "! grades/tiny/initial/seed-0, which it read, is missing" in text
    assert "no record says who made grades/tiny/initial/seed-0" in text
    assert f"! its settings do not give their recorded hash {record['settings_hash']}" in text
    assert "! train/tiny/relax-sv/seed-1/run.json is not what it read: hash " in text
    assert WHOLE not in text
    assert f"{sum(line.lstrip().startswith('! ') for line in text.splitlines())} faults, marked !" in text


def test_other_code_than_then_is_a_fault_of_what_would_run_again_alone(copy: Path) -> None:
    root, scores = copy / "results" / "smoke", "results/smoke/evaluate/tiny/grpo/seed-1/noisy-sum/scores.json"
    for place in ("grades", "train"):
        rewritten(root / place / "tiny/grpo/seed-1/run.json", lambda record: record["code"].update(relax="older"))
    text = why(copy, scores, code=3)
    assert re.search(r"^ +! its code has changed since: relax older, now \w{12}$", text, re.MULTILINE)
    assert re.search(r"^ +\(its code has changed since: relax older, now \w{12}\)$", text, re.MULTILINE)
    assert text.rstrip().endswith("; 1 fault, marked !.")
    for path in root.rglob("run.json"):
        rewritten(path, lambda record: record.pop("code", None))
    assert why(copy, scores).rstrip().endswith(WHOLE)  # made before there was such a key


def test_a_local_file_that_was_changed_is_a_fault_and_one_left_at_home_is_none(copy: Path) -> None:
    root, rows = copy / "results" / "smoke", copy / "rows.jsonl"
    rows.write_text("one\n")

    def name_it(record: dict) -> None:
        record["settings"] |= {"source": "hub", "datasets": [{"repo": "mine", "revision": "0", "path": "rows.jsonl"}]}
        record |= {"settings_hash": digest(record["settings"]), "inputs": {"rows.jsonl": digest_path(rows)}}
        del record["code"]

    rewritten(root / "data" / "run.json", name_it)
    assert why(copy, "results/smoke/data/train.jsonl").rstrip().endswith(WHOLE)
    rows.write_text("two\n")
    text = why(copy, "results/smoke/data/train.jsonl", code=3)
    assert "! rows.jsonl is not what it read: hash " in text
    rows.unlink()
    text = why(copy, "results/smoke/data/train.jsonl")
    assert "(rows.jsonl, which it read, is not on this machine)" in text
    assert text.rstrip().endswith(WHOLE)


def test_a_chain_is_the_same_from_within_the_folder(copy: Path) -> None:
    assert why(copy / "results" / "smoke", "tables/final.md").rstrip().endswith(WHOLE)


@pytest.mark.parametrize("lost", [None, "seed-1/run.json"])
def test_nothing_is_made_of_what_why_would_fault(copy: Path, monkeypatch, capsys, lost: str | None) -> None:
    """A reward set to NaN, or a training whose record is gone."""
    monkeypatch.chdir(copy)
    root = Path("results/smoke/train/tiny/grpo")
    if lost:
        (root / lost).unlink()
    else:
        path = root / "seed-1" / "metrics.jsonl"
        path.write_text(re.sub(r'"reward": [0-9.]+', '"reward": NaN', path.read_text(), count=1))
    words = "the run record of what made it is gone" if lost else "metrics.jsonl: is not what its run record says"
    files = [str(REPOSITORY / "config" / name) for name in ("config.yaml", "smoke.yaml")]
    of_report = ["--figures", "results/smoke/figures", "--pages", "new"]
    for verb in ("tables", "figures", "report"):
        more = of_report if verb == "report" else []
        assert main([verb, "--configfile", *files, "--root", "results/smoke", *more, "--out", "new"]) == 3
        assert words in capsys.readouterr().err
    assert not Path("new").exists()


def test_what_no_record_made_is_said_so(copy: Path) -> None:
    for path, words in (
        ("results/smoke/logs/data.log", "no run record says that it made this"),
        ("results/smoke/nothing.md", "no such file or folder"),
        ("..", "give a file or folder below results/<name>/."),
    ):
        ended = run(copy, "relax", "why", path)
        assert ended.returncode == 3
        assert words in ended.stderr
