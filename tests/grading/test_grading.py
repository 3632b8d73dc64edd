"""The grader: equivalences made by hand, what a grade says, and the golds of real benchmarks."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from relax.evaluation import Status, grade, grade_many
from relax.grading.grader import unreadable
from tests.grading.grading_cases import pairs
from tests.repository.benchmarks_fixture import FOLDER, needs_folder


def boxed(answer: str) -> str:
    return rf"So the answer is \boxed{{{answer}}}."


# What is right ----------------------------------------------------------------------------------


def test_equivalences_made_by_hand() -> None:
    cases = pairs()
    assert len(cases) >= 600
    assert min(sum(equal for *_, equal in cases), sum(not equal for *_, equal in cases)) > 200
    grades = grade_many([boxed(answer) for _, _, answer, _ in cases], [gold for _, gold, *_ in cases])
    rows = list(zip(cases, grades, strict=True))
    assert [case for case, found in rows if found.correct and not case[3]] == []
    missed = [case for case, found in rows if case[3] and not found.correct]
    assert len(missed) <= 0.03 * len(cases), missed


@pytest.mark.parametrize(
    ("answer", "gold", "right"),
    [
        ("7", 7, True),
        ("7.0", 7, True),
        ("8", 7, False),
        (r"\frac{1}{2}", 0.5, True),
        ("-3", np.int64(-3), True),
        ("8", [7, 8], True),
        ("8", ["7", 8.0], True),
        ("9", (7, 8), False),
    ],
)
def test_a_gold_that_is_a_number_is_graded_as_its_text(answer: str, gold: Any, right: bool) -> None:
    texts = [str(one) for one in gold] if isinstance(gold, list | tuple) else str(gold)
    assert grade(boxed(answer), gold) == grade(boxed(answer), texts)
    assert grade(boxed(answer), gold).correct == right


def test_what_is_no_text_is_refused_by_name() -> None:
    for prediction in (None, 7, [boxed("7")]):
        with pytest.raises(TypeError, match=r"^prediction is .*, expected the text of a whole response\.$"):
            grade(prediction, "7")
    for gold in (None, True, ["7", None], [True]):
        with pytest.raises(TypeError, match=r"^gold is .*, expected a text, a number, or a list of them\.$"):
            grade(boxed("7"), gold)


@pytest.mark.parametrize(
    ("prediction", "gold", "status", "answer"),
    [
        (r"first \boxed{3}, no, \boxed{5}", "5", Status.CORRECT, "5"),
        (r"first \boxed{5}, no, \boxed{3}", "5", Status.WRONG, "3"),
        (r"\boxed{3} \boxed{5}", r"\{3,5\}", Status.WRONG, "5"),
        ("the answer is 5", "5", Status.NO_BOX, None),
        (r"\boxed{5", "5", Status.NO_BOX, None),
        ("", "5", Status.NO_BOX, None),
        (r"\boxed{}", "5", Status.UNPARSEABLE_ANSWER, ""),
        (r"\boxed 5", "5", Status.CORRECT, "5"),
        (r"\fbox{\frac{1}{2}}", "0.5", Status.CORRECT, r"\frac{1}{2}"),
        (r"\boxed{\text{(C)}}", "C", Status.CORRECT, r"\text{(C)}"),
        (r"\boxed{100000}", "99999", Status.WRONG, "100000"),
        (r"\boxed{70}", "070", Status.CORRECT, "70"),
        (r"\boxed{7}", r"We add and get \boxed{7}.", Status.CORRECT, "7"),
        (r"\boxed{1}", "", Status.UNPARSEABLE_GOLD, "1"),
    ],
)
def test_what_a_grade_says(prediction: str, gold: str, status: Status, answer: str | None) -> None:
    found = grade(prediction, gold)
    assert (found.status, found.answer, found.correct) == (status, answer, status == Status.CORRECT)


def test_any_of_several_golds_is_right() -> None:
    assert grade(boxed("B"), ["A", "B"]).correct
    assert grade(boxed("x^2+2x+1"), ["3", "(x+1)^2"]).correct
    assert not grade(boxed("C"), ["A", "B"]).correct


def test_lenient_takes_what_is_stated_and_nothing_that_merely_stands_there() -> None:
    for text in ("The answer is 5.", "answer: 5", "#### 5", "**Answer:** 5\nI hope it is right."):
        assert not grade(text, "5").correct
        assert grade(text, "5", lenient=True).correct, text
    assert not grade("12 apples and 5 pears", "5", lenient=True).correct
    assert not grade(r"The answer is 5. \boxed{6}", "5", lenient=True).correct


def test_many_are_graded_as_one_by_one() -> None:
    cases = pairs()[::20]
    predictions, golds = [boxed(a) for _, _, a, _ in cases], [g for _, g, _, _ in cases]
    assert grade_many(predictions, golds) == [grade(p, g) for p, g in zip(predictions, golds, strict=True)]
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        grade_many(predictions, golds[:-1])


def test_golds_that_cannot_be_read_are_found() -> None:
    golds = ["5", r"\frac{1}{2}", "", r"\frac{", "(-1, 2]", "C", r"x = \boxed{3}", "9" * 5000]
    assert unreadable(golds) == [2, 3, 7]


# Golds of real benchmarks -----------------------------------------------------------------------

FILES = {
    "math500": ("answer", 500), "minerva_math": ("answer", 272), "amc22": ("answer", 43), "amc23": ("answer", 40),
    "aime24": ("answer", 30), "aime25": ("answer", 30), "gsm8k_test": ("answer", 1319),
}  # fmt: skip


@needs_folder
@pytest.mark.parametrize("name", FILES)
def test_every_gold_of_a_benchmark_accepts_itself(name: str) -> None:
    column, count = FILES[name]
    rows = [json.loads(line) for line in (Path(FOLDER) / f"{name}.jsonl").read_text().splitlines()]
    golds = [re.sub(r".*####\s*", "", str(row[column]), flags=re.DOTALL) for row in rows]
    assert len(golds) == count
    grades = grade_many([boxed(gold) for gold in golds], golds)
    assert [gold for gold, found in zip(golds, grades, strict=True) if not found.correct] == []
    assert unreadable(golds) == []
    # And not that of the next problem, unless it is the same.
    shifted = grade_many([boxed(g) for g in golds[1:]], golds[:-1])
    assert sum(found.correct for found in shifted) <= 0.1 * len(golds)
