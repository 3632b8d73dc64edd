"""Elementary questions: every answer worked out a second time from the text, the mixture, the splits, the solutions."""

import itertools
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from relax import config
from relax.config.stage_settings import DataSettings
from relax.data.data_stage import make_problems
from relax.data.problem_files import read_problems
from relax.errors import ConfigError, DataError
from relax.grading.grader import grade_response
from relax.records.record import Run
from relax.tasks import elementary
from relax.tasks.problem import Problem
from tests.conftest import REPOSITORY

KINDS = ("sum-of-three", "letter-count", "two-digit-sum", "maximum-of-five")


def made(n: int, split: str, seed: int = 0, **kinds: float) -> list[Problem]:
    weights = {name.replace("_", "-"): weight for name, weight in kinds.items()} or dict.fromkeys(KINDS, 1)
    settings: dict[str, Any] = {"elementary": {"kinds": weights}, "seed": seed, "instruction": None}
    return list(elementary.problems(settings, n, split, lambda _: ""))


def solved(question: str) -> str:
    """The answer, from the text of the question alone."""
    if counted := re.fullmatch(r"How many times does the letter (.) occur in the word (\w+)\?", question):
        return str(Counter(counted[2])[counted[1]])
    numbers = [int(number) for number in re.findall(r"\d+", question)]
    return str(max(numbers) if "largest" in question else sum(numbers))


def test_every_answer_is_that_of_its_text_and_every_problem_is_of_its_kind() -> None:
    problems = made(800, "train")
    assert [p.answer for p in problems] == [solved(p.prompt) for p in problems]
    assert len({p.prompt for p in problems}) == len({p.id for p in problems}) == 800
    assert {p.subset for p in problems} == set(KINDS)
    assert all(elementary.subset_of(p.prompt) == p.subset for p in problems)
    digits = {
        kind: {len(n) for p in problems if p.subset == kind for n in re.findall(r"\d+", p.prompt)} for kind in KINDS
    }
    assert digits == {"sum-of-three": {1}, "letter-count": set(), "two-digit-sum": {1, 2}, "maximum-of-five": {2}}
    counted = Counter(p.answer for p in problems if p.subset == "letter-count")
    assert max(counted.values()) < 0.6 * sum(counted.values())


def test_the_weights_are_those_of_the_mixture() -> None:
    found = Counter(p.subset for p in made(400, "train", maximum_of_five=3, two_digit_sum=1, letter_count=0))
    assert set(found) == {"maximum-of-five", "two-digit-sum"}
    assert 250 < found["maximum-of-five"] < 350


def test_the_splits_share_no_problem_in_another_order_and_no_word_whatever_the_seeds() -> None:
    def facts(problems: list[Problem]) -> set[str]:
        words = {p.prompt.split()[-1] for p in problems if p.subset == "letter-count"}
        sums = {str(sorted(re.findall(r"\d+", p.prompt))) for p in problems if p.subset != "letter-count"}
        return words | sums

    train, test = facts(made(1500, "train", seed=1)), facts(made(200, "test", seed=2))
    assert len(train) > 900
    assert len(test) > 130
    assert not train & test
    shown = elementary.demonstrations({"kinds": dict.fromkeys(KINDS, 1)}, {"error_rate": 0.2}, "demonstrations/0")
    questions = {question for question, _ in itertools.islice(shown, 3000)}
    assert not questions & {p.prompt for p in made(200, "test")}


def test_generation_is_a_function_of_the_seed_and_of_no_order_of_the_keys() -> None:
    assert made(50, "train", 1) == made(50, "train", 1) != made(50, "train", 2)
    assert made(50, "train", two_digit_sum=1, letter_count=2) == made(50, "train", letter_count=2, two_digit_sum=1)


def test_more_problems_than_there_are() -> None:
    with pytest.raises(DataError, match=r"^900 different train problems asked for, but two-digit-sum gives only about"):
        made(900, "train", two_digit_sum=1)


def test_a_demonstration_without_mistakes_is_right_and_one_with_mistakes_often_not() -> None:
    def share(error_rate: float) -> float:
        own = {"kinds": dict.fromkeys(KINDS, 1)}
        shown = list(itertools.islice(elementary.demonstrations(own, {"error_rate": error_rate}, "0"), 400))
        assert all(set(question + text) <= set(elementary.ALPHABET) for question, text in shown)
        assert max(len(question + text) for question, text in shown) < elementary.CONTEXT
        return sum(grade_response("elementary", q, text, solved(q)) for q, text in shown) / len(shown)

    assert share(0.0) == 1.0
    # One number is worked out, but two in a sum of three: 0.7 and nearly 0.7^2, as two mistakes may cancel.
    assert 0.58 < share(0.3) < 0.75


def test_the_instruction_stands_below_every_problem(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text(
        "name: mine\ndata: {source: elementary, train_problems: 30, test_problems: 10, instruction: Box it.}\n"
    )
    settings = config.data_settings(config.load([REPOSITORY / "config" / "config.yaml", tmp_path / "my.yaml"]))
    assert isinstance(settings, DataSettings)
    assert settings.recorded()["elementary"] == {"kinds": {"sum-of-three": 1, "letter-count": 1, "two-digit-sum": 1}}
    make_problems(settings, tmp_path / "data", Run("data", {}, settings.recorded()))
    problems = read_problems(tmp_path / "data" / "train.jsonl")
    assert len(problems) == 30
    assert all(p.prompt.endswith("?\nBox it.") for p in problems)
    own = {"kinds": dict.fromkeys(KINDS, 1), "instruction": "Box + it."}
    shown = [prompt for prompt, _ in itertools.islice(elementary.demonstrations(own, {"error_rate": 0.0}, "0"), 40)]
    assert all(prompt.endswith("?\nBox + it.") for prompt in shown)
    assert {elementary.subset_of(prompt) for prompt in shown} == set(KINDS)


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        ("{sum-of-thre: 1}", r"unknown name 'sum-of-thre' in data\.elementary\.kinds; did you mean 'sum-of-three'"),
        ("{letter-count: -1}", r"letter-count is -1, expected at least 0"),
        ("{letter-count: 0}", "no kind has a weight above 0, so there are no problems; give one"),
        ("{}", "no kind has a weight above 0"),
    ],
)
def test_kinds_that_are_none_are_named(tmp_path: Path, kinds: str, words: str) -> None:
    (tmp_path / "my.yaml").write_text(f"data: {{source: elementary, elementary: {{kinds: {kinds}}}}}\n")
    with pytest.raises(ConfigError, match=rf"my\.yaml, line 1: .*{words}"):
        config.load([REPOSITORY / "config" / "config.yaml", tmp_path / "my.yaml"])
