"""Problems of reasoning-gym: against the library itself where it is installed, and one sentence where it is not."""

import ast
import importlib.util
import inspect
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from relax import config
from relax.cluster.doctor import _library
from relax.data.data_stage import make_problems
from relax.data.problem_files import read_problems
from relax.errors import ConfigError, DataError, MachineError
from relax.evaluation.grade_stage import grade_table
from relax.grading.grader import grade_response
from relax.records.record import Run
from relax.tasks import reasoning_gym
from relax.tasks.problem import Problem
from relax.training.rewards import correctness
from tests.conftest import REPOSITORY

BASE = REPOSITORY / "config" / "config.yaml"
MISSING = importlib.util.find_spec("reasoning_gym") is None
needs_library = [
    pytest.mark.reasoning_gym,
    pytest.mark.skipif(MISSING, reason="reasoning-gym is not installed; `make test-reasoning-gym` brings it"),
]
GYM = {"data": {"source": "reasoning-gym"}}
SUM = {"name": "chain_sum", "weight": 1, "subset": None, "settings": {"min_terms": 3, "max_terms": 3}}


def with_library(test: Any) -> Any:
    """The test, where the library is installed."""
    for mark in needs_library:
        test = mark(test)
    return test


def made(n: int, split: str, *tasks: dict[str, Any], seed: int = 0) -> list[Problem]:
    asked = [{**SUM, "settings": {}, **task} for task in tasks]
    settings = {"reasoning_gym": {"tasks": asked}, "seed": seed, "instruction": "Box it."}
    return list(reasoning_gym.problems(settings, n, split, lambda _: ""))


@with_library
def test_the_gold_answers_of_its_tasks_are_right_and_others_are_not() -> None:
    tasks = [{"name": name} for name in ("chain_sum", "letter_counting", "maze", "number_sorting", "spell_backward")]
    for p in made(60, "train", *tasks):
        gold = json.loads(p.answer)["answer"]
        assert p.prompt.endswith("\nBox it.")
        assert grade_response(p.source, p.prompt, rf"So \boxed{{{gold}}}.", p.answer)
        assert grade_response(p.source, p.prompt, rf"\boxed{{\text{{{gold}}}}}", p.answer)
        assert not grade_response(p.source, p.prompt, rf"\boxed{{x{gold}}}", p.answer)
        assert not grade_response(p.source, p.prompt, gold, p.answer)


@with_library
def test_an_answer_is_scored_as_the_library_scores_it_and_a_part_of_the_score_is_wrong() -> None:
    import reasoning_gym as library

    (problem,) = made(1, "train", {"name": "spell_backward"})
    entry = json.loads(problem.answer)
    near = entry["answer"][:-1] + ("x" if entry["answer"][-1] != "x" else "y")
    score = library.get_score_answer_fn("spell_backward")
    assert score(entry["answer"], entry) == 1
    assert 0 < score(near, entry) < 1
    assert reasoning_gym.check(entry["answer"], problem.answer)
    assert not reasoning_gym.check(near, problem.answer)
    assert correctness(["?"] * 2, [rf"\boxed{{{a}}}" for a in (entry["answer"], near)], [problem.answer] * 2,
                       ["reasoning-gym"] * 2) == [1.0, 0.0]  # fmt: skip


@with_library
def test_tasks_are_mixed_by_weight_under_their_subsets() -> None:
    easy = {**SUM, "subset": "sums of three", "weight": 3}
    problems = made(200, "train", easy, {"name": "gcd"})
    counts = pd.Series([p.subset for p in problems]).value_counts()
    assert set(counts.index) == {"sums of three", "gcd"}
    assert 125 < counts["sums of three"] < 175
    terms = [json.loads(p.answer)["metadata"]["num_terms"] for p in problems if p.subset == "sums of three"]
    assert set(terms) == {3}


@with_library
def test_no_question_of_the_held_out_seeds_is_trained_on_and_a_small_task_ends() -> None:
    small = {"name": "gcd", "settings": {"max_value": 12}}
    train, test = (
        {p.prompt for p in made(n, split, small, seed=s)} for n, split, s in ((60, "train", 1), (8, "test", 2))
    )
    assert (len(train), len(test)) == (60, 8)
    assert not train & test
    assert made(5, "train", small) == made(5, "train", small) != made(5, "train", small, seed=1)
    with pytest.raises(
        DataError, match=r"^300 different test problems asked for, but gcd of reasoning-gym gives fewer"
    ):
        made(300, "test", small)


@with_library
@pytest.mark.parametrize(
    ("task", "words"),
    [
        ({"name": "chain_sums"}, "reasoning-gym has no task 'chain_sums'; did you mean 'chain_sum'"),
        ({"name": "n_queens"}, "n_queens: its verifier runs what the policy writes as code; name another task"),
        ({"settings": {"min_terms": 0}}, r"chain_sum refuses its settings \(min_terms must be positive\)"),
        ({"settings": {"min_term": 2}}, r"chain_sum refuses its settings \(.*unexpected keyword argument 'min_term'\)"),
        ({"settings": {"seed": 2}}, "chain_sum: the setting 'seed' is set by the pipeline; leave it out"),
        ({"name": "rearc"}, "rearc: its verifier finds its own answer wrong once it stands in a file"),
        ({"name": "game_of_life_halting"}, "game_of_life_halting: its verifier finds an answer right that is none"),
    ],
)
def test_a_task_that_cannot_be_used_is_named(task: dict[str, Any], words: str) -> None:
    with pytest.raises((ConfigError, DataError), match=rf"^data\.reasoning_gym\.tasks: {words}"):
        made(30, "train", task)


@with_library
def test_every_verifier_that_runs_a_response_as_code_is_refused() -> None:
    """Read off the library's own source: in which ``score_answer``, or a method behind it, code is evaluated."""
    from reasoning_gym.factory import DATASETS

    running = set()
    for name, (kind, _) in DATASETS.items():
        methods = {
            node.name: {
                getattr(call.func, "id", getattr(call.func, "attr", ""))
                for call in ast.walk(node)
                if isinstance(call, ast.Call) and "entry" not in ast.dump(call)
            }
            for node in ast.walk(ast.parse(inspect.getsource(sys.modules[kind.__module__])))
            if isinstance(node, ast.FunctionDef)
        }
        called, open_ = set(), {"score_answer"} & methods.keys()
        while open_:
            called |= open_
            open_ = {c for m in open_ for c in methods[m] if c in methods} - called
        if {"eval", "exec", "parse_expr", "sympify"} & {c for m in called for c in methods[m]} - methods.keys():
            running.add(name)
    assert running - set(reasoning_gym.EXECUTE) <= {"bitwise_arithmetic"}  # evaluates its own problem alone
    assert set(reasoning_gym.EXECUTE) <= running


@pytest.mark.parametrize("there", [True, False])
def test_the_doctor_looks_for_the_library(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "reasoning_gym", SimpleNamespace() if there else None)
    monkeypatch.setattr(reasoning_gym.metadata, "version", {"reasoning-gym": "0.1.25"}.__getitem__)
    other, asked = (config.load([BASE]), config.check(config.merge(config.load([BASE]).recorded(), GYM)))
    assert list(_library(other)) == []
    (found,) = _library(asked)
    assert str(found) == (
        "ok       reasoning-gym 0.1.25 makes and checks the problems"
        if there
        else "fault    data.source is reasoning-gym, which needs the Python package reasoning_gym; install what "
        "envs/reasoning-gym.lock names (docs/problems.md)"
    )


@with_library
def test_its_problems_go_through_the_stage_and_are_graded_by_subset(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text(
        "data: {source: reasoning-gym, train_problems: 20, test_problems: 6, "
        "reasoning_gym: {tasks: [{name: chain_sum}, {name: leg_counting}]}}\n"
    )
    settings = config.data_settings(config.load([BASE, tmp_path / "my.yaml"]))
    make_problems(settings, tmp_path / "data", Run("data", {}, settings.recorded()))
    assert len(read_problems(tmp_path / "data" / "train.jsonl")) == 20
    test = read_problems(tmp_path / "data" / "test.jsonl")
    assert "reasoning-gym" in json.loads((tmp_path / "data" / "run.json").read_text())["versions"]
    questions = pd.DataFrame(
        [{"id": p.id, "prompt": p.prompt, "golds": [p.answer], "cluster": p.id, "subset": p.subset, "texts": [],
          "tolerance": 0.0, "source": p.source} for p in test]
    )  # fmt: skip
    said = [rf"\boxed{{{json.loads(p.answer)['answer']}}}" if i % 2 else "?" for i, p in enumerate(test)]
    responses = pd.DataFrame(
        [{"id": p.id, "decoding": "greedy", "sample": 0, "response": r, "tokens": 2, "finish": "stop"}
         for p, r in zip(test, said, strict=True)]
    )  # fmt: skip
    table = grade_table(questions, responses)
    assert table.correct.tolist() == [bool(i % 2) for i in range(6)]
    assert table.answer.tolist() == [json.loads(p.answer)["answer"] if i % 2 else None for i, p in enumerate(test)]
    assert table.subset.tolist() == [p.subset for p in test]


def test_a_missing_library_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)
    with pytest.raises(
        MachineError, match=r"which needs the Python package reasoning_gym; install what envs/reasoning-"
    ):
        made(1, "train", {})


@pytest.mark.parametrize("gold", ["7", "[]", "{}", '{"answer": "7"}'])
def test_a_gold_that_is_no_entry_is_named(gold: str) -> None:
    with pytest.raises(DataError, match="is none of reasoning-gym; make the problems again"):
        reasoning_gym.check("7", gold)
