"""The answer-prior trap and Countdown: verifiers against brute force, splits, shares, what a policy is shown."""

import itertools
import random
from collections import defaultdict

import pandas as pd
import pytest

from relax import config
from relax.config.benchmarks import read_task
from relax.config.stage_settings import DataSettings
from relax.data.data_stage import make_problems
from relax.data.problem_files import read_problems
from relax.errors import DataError
from relax.evaluation.grade_stage import grade_table
from relax.grading.grader import grade_response
from relax.records.record import Run
from relax.tasks import SEEING, TASKS, TEXT, VERIFIED, answer_prior, countdown, warm_up_task
from relax.tasks.problem import split_of
from relax.training.rewards import check_golds, correctness
from tests.conftest import REPOSITORY

TRAP = {"digits": 7, "easy_share": 0.4}
STAGE = {"error_rate": 0.45, "rote_share": 0.7}


# The answer-prior trap --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "strategy", "right"),
    [
        ("3+7=0+4=4+5=9+8=7+1=8+1=9", "chain", True),
        ("3+7=5+4=5+5=5+8=5+1=5+1=9", "chain", True),  # partial sums are not looked at
        ("3+7=0+4=4+5=9+8=7+1=8+1=0", "chain", False),
        ("*3=0*7=0*4=0*5=0*8=0*1=0*1=0", "rote", False),
        ("7+3=0+4=4+5=9+8=7+1=8+1=9", None, False),  # another order
        ("3+7=0+4=4+5=9+8=7+1=9", None, False),  # a digit is left out
        ("3+7=0+4=4+5=9+8=7+1=8+1=9+0=9", None, False),
        ("3+7=0+4=4+5=9+8=7+1=8+1=", None, False),
        ("3+7=0+4=4+5=9+8=7+1=8+1=9 ", None, False),
        ("*3=0*7=0*4=0*5=0*8=0*1=0*1=9", None, False),  # rote says 0
        ("=9", None, False),
        ("9", None, False),
        ("", None, False),
    ],
)
def test_the_two_strategies_of_the_trap(response: str, strategy: str | None, right: bool) -> None:
    assert answer_prior.strategy("3745811:", response) == strategy
    assert answer_prior.verify("3745811:", response) is right
    assert grade_response("answer-prior", "3745811:", response, "9") is right


def test_every_response_of_a_small_problem_is_right_or_wrong_as_the_page_says() -> None:
    right = {f"3+7={a}+0=0" for a in range(10)} | {"*3=0*7=0*0=0"}
    pieces = itertools.product(["3", "7", "*3"], ["+", "*"], "37", "=", "059", ["+", "*"], "07", "=", "01")
    others = {"".join(p) for p in pieces} | {
        "".join(("*3=0*7=0", *p)) for p in itertools.product("*+", "07", "=", "01")
    }
    found = {text for text in right | others if answer_prior.verify("370:", text)}
    assert found == right


def test_rote_solves_the_easy_problems_and_no_other() -> None:
    problems = list(answer_prior.problems(1000, "train", 7, 0.4, seed=0))
    easy = [p for p in problems if p.subset == "easy"]
    assert 0.35 < len(easy) / 1000 < 0.45
    for p in problems:
        digits = p.prompt[:-1]
        assert p.answer == str(sum(map(int, digits)) % 10)
        assert answer_prior.verify(p.prompt, answer_prior.rote(digits)) == (p.subset == "easy")
        assert answer_prior.verify(p.prompt, answer_prior.chain(digits, random.Random(0), 0.0))


def test_demonstrations_of_the_trap_hold_the_mixture() -> None:
    shown = list(itertools.islice(answer_prior.demonstrations(TRAP, STAGE, "x"), 2000))
    kinds = [answer_prior.strategy(*pair) for pair in shown]
    assert None not in kinds
    assert kinds.count("rote") / 2000 == pytest.approx(0.7, abs=0.03)
    right = [answer_prior.verify(*pair) for pair, kind in zip(shown, kinds, strict=True) if kind == "chain"]
    # The last sum is right with 0.55 + 0.045 if all before it were (0.595^6 = 0.044), else with about a tenth.
    assert 0.08 < sum(right) / len(right) < 0.22
    first = itertools.islice(answer_prior.demonstrations(TRAP, {"error_rate": 0.0}, "x"), 200)
    assert all(answer_prior.strategy(*p) == "chain" and answer_prior.verify(*p) for p in first)
    assert all(split_of(prompt[:-1]) == "train" for prompt, _ in shown)


# Countdown --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "right"),
    [
        ("3*7=21+4=25", True),
        ("7*3=21+4=25", True),
        ("3+4=7*7=49;3*7=21+4=25", True),
        ("3+4=9*7=63;3*7=21+4=25", True),  # attempts before the last may be wrong
        ("3*7=21+4=25;3+4=7*7=49", False),  # the last one counts
        ("3*7=20+4=25", False),  # a wrong step
        ("3*7=21+4=26", False),
        ("3*7=21", False),  # a number is left out
        ("3*7=21+4=25+0=25", False),
        ("7*7=49-8=41", False),
        ("3*7=21+4=025", False),
        ("4-7=3+3=25", False),
        ("3*7=21+4=25;", False),
        (";3*7=21+4=25", False),
        ("25", False),
        ("", False),
        ("int('25')", False),
    ],
)
def test_countdown_is_checked_with_exact_arithmetic(response: str, right: bool) -> None:
    assert countdown.verify("347>25:", response) is right
    assert grade_response("countdown", "347>25:", response, "25") is right


def test_the_combinations_are_those_that_python_finds() -> None:
    for numbers in ("12", "347", "992"):
        by_hand = {}
        for order in set(itertools.permutations(numbers)):
            for operators in itertools.product("+-*", repeat=len(numbers) - 1):
                text, values = order[0], []
                for operator, operand in zip(operators, order[1:], strict=True):
                    text = f"({text}{operator}{operand})"
                    values.append(eval(text))  # of this test's own text
                if all(0 <= value <= 99 for value in values):
                    by_hand["".join(order), "".join(operators)] = values[-1]
        assert countdown.combinations(numbers) == by_hand


def test_a_demonstration_without_faults_is_right_whenever_it_shows_the_target() -> None:
    rng = random.Random(0)
    for p in countdown.problems(300, "train", 3, seed=0):
        text = countdown.demonstrate(p.prompt, rng, 0.0)
        attempts = text.split(";")
        assert len(attempts) <= countdown.ATTEMPTS
        assert len(text) < 48
        assert countdown.verify(p.prompt, text) == (attempts[-1].rpartition("=")[2] == p.answer)
        assert not any(a.rpartition("=")[2] == p.answer for a in attempts[:-1])
        assert set(p.prompt + text) <= set(countdown.ALPHABET)


def test_every_countdown_problem_has_a_solution_and_one_split_whatever_the_order() -> None:
    train, test = (list(countdown.problems(n, split, 3, seed=1)) for n, split in ((3000, "train"), (400, "test")))

    def canonical(prompt: str) -> str:
        numbers, target = prompt[:-1].split(">")
        return f"{''.join(sorted(numbers))}>{target}"

    assert not {canonical(p.prompt) for p in train} & {canonical(p.prompt) for p in test}
    shown = itertools.islice(countdown.demonstrations({"numbers": 3}, STAGE, "x"), 2000)
    assert not {canonical(prompt) for prompt, _ in shown} & {canonical(p.prompt) for p in test}
    for p in test:
        assert int(p.answer) in countdown.combinations(p.prompt.partition(">")[0]).values()
    assert {p.subset for p in test} == {"easy", "hard"}


# Both -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["answer-prior", "countdown"])
def test_a_task_becomes_problem_files(tmp_path, source: str) -> None:
    own = {"answer_prior": {"easy_share": 0.4}} if source == "answer-prior" else {"countdown": {"numbers": 3}}
    settings = {"source": source, "seed": 3, "digits": 7, "train_problems": 50, "test_problems": 20, **own}
    asked = DataSettings(**settings)
    for place in ("a", "b"):
        make_problems(asked, tmp_path / place, Run("data", {}, asked.recorded()))
    assert (tmp_path / "a/train.jsonl").read_bytes() == (tmp_path / "b/train.jsonl").read_bytes()
    problems = read_problems(tmp_path / "a/test.jsonl")
    assert len(problems) == 20
    assert {p.source for p in problems} == {source}
    assert {p.subset for p in problems} == {"easy", "hard"}
    assert source in VERIFIED
    check_golds((p.answer for p in problems), (p.source for p in problems))
    assert "repo" not in read_task(source.replace("-", "_"))["metadata"]


def test_more_problems_than_there_are() -> None:
    with pytest.raises(
        DataError, match=r"1000000 different test problems asked for, 3 numbers give \d+; ask for fewer"
    ):
        list(countdown.problems(10**6, "test", 3, seed=0))
    with pytest.raises(DataError, match="1000 different test problems asked for, 3 digits give fewer"):
        list(answer_prior.problems(1000, "test", 3, 0.4, seed=0))


def test_the_reward_counts_the_strategies_of_the_trap_alone() -> None:
    counted = defaultdict(list)
    rewards = correctness(
        prompts=["37:", "37:", "37:", "37:", "12:"],
        completions=["3+7=0", "*3=0*7=0", "3+7=1", "0", "=3"],
        answer=["0", "0", "0", "0", "3"],
        source=["answer-prior"] * 4 + ["noisy-sum"],
        log_metric=lambda name, value: counted[name].append(value),
    )
    assert rewards == [1.0, 1.0, 0.0, 0.0, 1.0]
    assert counted == {"strategy/chain": [0.5], "strategy/rote": [0.25], "strategy/neither": [0.25]}


@pytest.mark.parametrize(
    ("name", "own"), [("answer-prior", TRAP), ("countdown", {"numbers": 3, "digits": 7}), ("noisy-sum", {"digits": 7})]
)
def test_what_a_policy_is_shown_follows_the_task(name: str, own: dict) -> None:
    task, first = TASKS[name], {"error_rate": 0.0}
    pairs = list(itertools.islice(task.demonstrations(own, first, "demonstrations/0"), 100))
    assert pairs == list(itertools.islice(task.demonstrations(own, first, "demonstrations/0"), 100))
    assert any(grade_response(name, prompt, response, "") for prompt, response in pairs)
    assert {c for pair in pairs for text in pair for c in text} <= set(task.alphabet)
    assert max(len(prompt + response) + 1 for prompt, response in pairs) <= task.context(own) == 64
    assert task.context({**own, "digits": 64}) == (64 if name == "countdown" else 324)


def test_a_source_without_demonstrations_takes_those_of_another_task() -> None:
    asked = [(source, sees) for source in ("noisy-sum", "countdown", "visual", "hub") for sees in (False, True)]
    found = [warm_up_task(source, sees).name for source, sees in asked]
    assert found == [TEXT, SEEING, "countdown", SEEING, TEXT, SEEING, TEXT, SEEING]


def test_what_belongs_to_one_task_decides_nothing_of_another() -> None:
    demo = config.load([REPOSITORY / "config/config.yaml"])
    assert not {"visual", "answer_prior", "countdown"} & set(config.data_settings(demo).recorded())
    base = config.base_settings(demo, "tiny").recorded()
    assert set(base) == {"policy", "digits"}
    assert "second_stage" not in base["policy"]["scratch"]["warmup"]
    study = config.load([REPOSITORY / "config" / name for name in ("config.yaml", "study.yaml")])
    assert config.data_settings(study).recorded()["answer_prior"] == {"easy_share": 0.4}
    of_trap = config.base_settings(study, "trap-b").recorded()
    assert (of_trap["source"], of_trap["easy_share"], of_trap["policy"]["scratch"]["seed"]) == ("answer-prior", 0.4, 2)
    assert of_trap["policy"]["scratch"]["warmup"]["second_stage"]["rote_share"] == 0.7


def test_difficulties_are_scored_apart_and_subjects_of_benchmarks_are_not() -> None:
    questions = pd.DataFrame(
        {
            "id": ["e", "h"],
            "prompt": ["37:", "38:"],
            "golds": [["0"], ["1"]],
            "cluster": ["e", "h"],
            "subset": ["easy", "hard"],
            "texts": [[], []],
            "tolerance": 0.0,
            "source": "answer-prior",
        }
    )
    texts = ["*3=0*7=0", "3+7=1", "*3=0*8=0", "3+8=1"]
    responses = pd.DataFrame(
        {
            "id": ["e", "e", "h", "h"],
            "decoding": "sampled",
            "sample": [0, 1, 0, 1],
            "response": texts,
            "tokens": 9,
            "finish": "stop",
        }
    )
    table = grade_table(questions, responses)
    assert table.correct.tolist() == [True, False, False, True]
    assert table.subset.tolist() == ["easy", "easy", "hard", "hard"]
    assert "subset" not in grade_table(questions.assign(source="math500"), responses)
