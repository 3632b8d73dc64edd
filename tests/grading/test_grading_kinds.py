"""How answers are written: units, ratios, typography, conditions, labels, and the near misses of each."""

from collections import Counter

from relax.evaluation import Status, grade_many
from relax.grading.answers import clean
from relax.grading.equivalence import judge
from relax.grading.scalars import compare
from tests.grading.grading_cases import Case, conventions


def verdicts(cases: list[Case]) -> list[bool]:
    """Whether each answer is right; computer algebra is asked in this process, where no busy machine ends it."""
    found = []
    for _, gold, answer, _ in cases:
        sides = clean(gold), clean(answer)
        at_once = compare(*sides)
        found.append(judge([sides[0]], sides[1]) == Status.CORRECT if at_once is None else at_once)
    return found


def test_every_kind_is_right_and_no_near_miss_is_accepted() -> None:
    cases = conventions()
    rows = list(zip(cases, verdicts(cases), strict=True))
    assert [case for case, right in rows if right and not case[3]] == []
    assert [case for case, right in rows if case[3] and not right] == []


def test_each_kind_has_both() -> None:
    equal = Counter((kind, same) for kind, _, _, same in conventions())
    assert min(equal[kind, same] for kind, _ in equal for same in (True, False)) >= 5
    assert equal.total() > 900


def test_every_gold_accepts_itself() -> None:
    golds = sorted({gold for _, gold, _, _ in conventions()})
    grades = grade_many([rf"\boxed{{{gold}}}" for gold in golds], golds)
    assert [gold for gold, found in zip(golds, grades, strict=True) if not found.correct] == []
    assert [gold for gold in golds if judge([clean(gold)], None) != Status.CORRECT] == []
