"""The overlap stage: what stands in the training set is found, the instruction alone is no overlap."""

import json
from pathlib import Path

import pytest

from relax.config.stage_settings import OverlapSettings
from relax.data.problem_files import write_problems
from relax.evaluation.overlap_stage import older_than, overlap_stage
from relax.evaluation.questions import BOXED
from relax.records.record import Run
from relax.tasks.problem import Problem

SHARED = "A baker has twelve trays with nine loaves each and sells a third of them before noon; how many are left?"
OTHER = "The sum of two consecutive odd numbers is eighty four, and what is the larger of the two numbers then?"
UNSEEN = "Seven friends sit around a table so that two of them never sit side by side; in how many ways?"


@pytest.fixture
def settings(tmp_path: Path) -> dict:
    rows = [
        {"problem": text, "answer": "1", "unique_id": f"q{i}", "subject": "Algebra", "level": 1, "solution": ""}
        for i, text in enumerate((SHARED, UNSEEN))
    ]
    (tmp_path / "math.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    entry = {"task": "math500", "path": str(tmp_path / "math.jsonl"), "rows": 2}
    return {
        "benchmarks": {"math": entry, "held-out": {"task": "noisy_sum", "path": None, "rows": None}},
        "instruction": BOXED,
        "released": {"new": "2024-09-19", "old": "2020-01-01", "scratch": None},
    }


def test_a_problem_in_the_training_set_is_found_below_its_instruction(settings: dict, tmp_path: Path) -> None:
    for name, texts in (("train", (SHARED, OTHER)), ("test", (OTHER.upper(),))):
        problems = [Problem(f"{name}/{i}", f"{text}\n{BOXED}", "1", "lab/math") for i, text in enumerate(texts)]
        write_problems(tmp_path / f"{name}.jsonl", problems)
    run = Run("overlap", {}, settings)
    overlap_stage(OverlapSettings(**settings), tmp_path / "train.jsonl", tmp_path / "test.jsonl", tmp_path / "out", run)
    written = json.loads((tmp_path / "out" / "overlap.json").read_text())
    math, held_out = written["overlaps"]
    assert (math["benchmark"], math["problems"], math["shared"], math["duplicated"]) == ("math", 2, 1, 1)
    assert math["duplicates"] == [["q0", "train/0"]]
    assert held_out["duplicates"] == [["test/0", "train/1"]]
    assert written["older"] == {"math": {"new": True, "old": False}, "held-out": {}}
    assert (tmp_path / "out" / "run.json").exists()


def test_a_worked_example_that_a_benchmark_asks_is_found(settings: dict, tmp_path: Path) -> None:
    for name, text in (("train", OTHER), ("test", "What is 1 + 1?")):
        write_problems(tmp_path / f"{name}.jsonl", [Problem(f"{name}/0", text, "1", "lab/math")])
    shots = [{"problem": "Hello?", "response": "Yes."}, {"problem": f"{UNSEEN}\n{BOXED}", "response": "So \\boxed{1}."}]
    asked = OverlapSettings(**settings, shots=shots)
    out = tmp_path / "out"
    overlap_stage(asked, tmp_path / "train.jsonl", tmp_path / "test.jsonl", out, Run("overlap", {}, asked.recorded()))
    math, _ = json.loads((out / "overlap.json").read_text())["overlaps"]
    assert math["duplicates"] == [["q1", "prompt.shots, entry 2"]]
    assert "shots" not in OverlapSettings(**settings).recorded()


def test_rendered_problems_are_the_same_by_their_facts_and_not_by_their_words(settings: dict, tmp_path: Path) -> None:
    words = "What is the sum of the heights of all the bars in this picture?"
    for name, clusters in (("train", ("bars/1/2-3", "bars/1/4-5")), ("test", ("bars/1/4-5", "bars/1/2-2"))):
        write_problems(
            tmp_path / f"{name}.jsonl",
            [Problem(f"{name}/{i}", words, "5", "visual", cluster=c) for i, c in enumerate(clusters)],
        )
    overlap_stage(
        OverlapSettings(**settings),
        tmp_path / "train.jsonl",
        tmp_path / "test.jsonl",
        tmp_path / "out",
        Run("overlap", {}, {}),
    )
    held_out = json.loads((tmp_path / "out" / "overlap.json").read_text())["overlaps"][1]
    assert held_out["duplicates"] == [["test/0", "train/1"]]
    assert (held_out["shared"], held_out["mostly"]) == (0, 0)


def test_a_benchmark_is_older_than_what_was_published_after_it() -> None:
    assert older_than("aime25", {"qwen2.5": "2024-09-19", "later": "2025-04-29"}) == {"qwen2.5": False, "later": True}
