"""A verifier of the user's own decides which responses to a benchmark are right."""

import json
from pathlib import Path

import pandas as pd
import pytest

from relax.config.own_code import sources
from relax.errors import ConfigError
from relax.evaluation.grade_stage import GRADES, grade_stage
from relax.evaluation.questions import Question
from relax.evaluation.shards import write_questions
from relax.grading.grader import own_verifier
from relax.records.code import changed, code_of
from relax.records.record import Run

VERIFIERS = """
def last_word(prompt, response, answer):
    return response.split()[-1] == answer

def share(prompt, response, answer):
    return sum(letter in response for letter in answer) / len(answer)

def text(prompt, response, answer):
    return "yes"

def two(prompt, response, answer):
    return 2

def fails(prompt, response, answer):
    return answer[99]
"""


@pytest.fixture
def responses(own_folder: Path) -> Path:
    """A finished generation of two benchmarks with the same three questions, and a file of verifiers."""
    (own_folder / "mine.py").write_text(VERIFIERS)
    questions = [Question("a", "Say red.", ("red",), "a"), Question("b", "Say 5 or 6.", ("5", "6"), "b")]
    rows = [("a", "it is red"), ("a", r"\boxed{red}"), ("b", "it is 6"), ("b", "it is 7")]
    table = pd.DataFrame(
        [
            {"id": id, "decoding": "greedy", "sample": i % 2, "response": text, "tokens": 3, "finish": "stop"}
            for i, (id, text) in enumerate(rows)
        ]
    )
    folder = own_folder / "responses"
    for name in ("mine", "theirs"):
        (folder / name).mkdir(parents=True)
        write_questions(folder / name, questions, "lab/words")
        table.to_parquet(folder / name / "block.parquet")
    (folder / "run.json").write_text(json.dumps({"blocks": {name: ["block.parquet"] for name in ("mine", "theirs")}}))
    return folder


def test_it_takes_the_place_of_the_grader_for_its_benchmark_alone(responses: Path) -> None:
    grade_stage(responses, "grades", Run("grade", {}, {}), "test", {"mine": "mine:last_word"})
    mine, theirs = (pd.read_parquet(f"grades/{name}/{GRADES}") for name in ("mine", "theirs"))
    assert mine.correct.tolist() == [True, False, True, False]  # the second gold is right too
    assert mine.status.tolist() == ["correct", "wrong", "correct", "wrong"]
    assert mine.lenient.tolist() == mine.correct.tolist()
    assert mine.answer.tolist() == [None, "red", None, None]
    assert theirs.correct.tolist() == [False, True, False, False]
    assert theirs.status.tolist() == ["no_box", "correct", "no_box", "no_box"]


def test_of_a_number_1_is_right(own_folder: Path) -> None:
    (own_folder / "mine.py").write_text(VERIFIERS)
    share = own_verifier("mine:share")
    assert [share("", "abc", ["ab"]), share("", "a", ["ab"]), share("", "", ["ab"])] == [True, False, False]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("text", "^the verifier mine:text returned 'yes', expected true or false, or a number from 0 to 1\\.$"),
        ("two", "^the verifier mine:two returned 2, expected true or false"),
        ("fails", r"^the verifier mine:fails failed with IndexError \(string index out of range\) in line 15 of "),
    ],
)
def test_what_it_must_not_return_is_one_sentence_and_leaves_no_grades(responses: Path, name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        grade_stage(responses, "grades", Run("grade", {}, {}), "test", {"mine": f"mine:{name}"})
    assert not list(Path("grades").rglob("*.*"))


def test_a_record_says_when_its_verifier_is_another_now(own_folder: Path) -> None:
    file = own_folder / "mine.py"
    file.write_text(VERIFIERS)
    settings = {"verifiers": {"mine": "mine:share"}, "sources": sources(["mine:share"])}
    record = {"verb": "grade", "settings": settings, "code": code_of("grade", settings)}
    assert changed(record) == ""
    file.write_text(VERIFIERS + "\n")
    assert changed(record).startswith(f"mine:share {settings['sources']['mine:share']}, now ")
    file.unlink()  # not on this machine
    assert changed(record) == ""
