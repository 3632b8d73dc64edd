"""``relax why`` on a real run: whole chains, and every fault that was planted in a copy."""

import shutil
from pathlib import Path

import pytest

from workflow_fixture import run

pytestmark = pytest.mark.slow
WHOLE = "every link is there and every hash as recorded."


@pytest.fixture
def copy(smoke: Path, tmp_path: Path) -> Path:
    """The finished smoke run in another place, as a reviewer may have it."""
    shutil.copytree(smoke / "results" / "smoke", tmp_path / "results" / "smoke")
    return tmp_path


def why(folder: Path, *arguments: str) -> str:
    ended = run(folder, "relax", "why", *arguments)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_chain_of_a_table_goes_down_to_the_data(copy: Path) -> None:
    text = why(copy, "results/smoke/tables/final.md")
    assert text.startswith("smoke/tables/final.md\n  tables: relax tables, ")
    for link in ("train/tiny/relax-sv/seed-1: relax train", "evaluate/tiny/grpo/seed-1/noisy-sum: relax evaluate",
                 "responses/tiny/grpo/seed-1: relax generate", "grades/tiny/initial/seed-0: relax grade",
                 "base/tiny: relax base", "dictionary/tiny: relax dictionary", "data: relax data"):  # fmt: skip
        assert link in text
    assert text.rstrip().endswith(WHOLE)
    assert text.count("data: relax data") == 1  # each record once
    assert "seed data 0" in text
    assert "torch 2." in text


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
    text = why(copy, "results/smoke/tables/final.md")
    assert "! train/tiny/grpo/seed-1/metrics.jsonl is not what it wrote: hash " in text
    assert "! data/test.jsonl, which it wrote, is missing" in text
    assert "! grades/tiny/initial/seed-0, which it read, is missing" in text
    assert "no record says who made grades/tiny/initial/seed-0" in text
    assert WHOLE not in text
    assert "faults, marked !" in text


def test_what_no_record_made_is_said_so(copy: Path) -> None:
    for path, words in (
        ("results/smoke/logs/data.log", "no run record says that it made this"),
        ("results/smoke/nothing.md", "no such file or folder"),
        ("..", "not below a results folder"),
    ):
        ended = run(copy, "relax", "why", path)
        assert ended.returncode == 3
        assert words in ended.stderr
