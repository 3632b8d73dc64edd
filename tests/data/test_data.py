"""Problems: the task against brute force, disjoint splits, and what a broken file is told."""

import itertools
import random
import re
from pathlib import Path

import pandas as pd
import pytest

from relax.config.stage_settings import DataSettings
from relax.data import hub
from relax.data.copies import distinct
from relax.data.data_stage import make_problems
from relax.data.problem_files import check_problem, read_problems, write_problems
from relax.errors import ConfigError, DataError, MachineError
from relax.evaluation.grade_stage import grade_table
from relax.grading.golds import agree
from relax.grading.grader import grade_response
from relax.records.record import Run
from relax.tasks import TASKS, VERIFIED, answer_prior, countdown, noisy_sum
from relax.tasks.problem import Problem, split_of
from relax.training.rewards import correctness


@pytest.mark.parametrize("digits", ["3745811", "0000000", "9999999"])
def test_the_answer_is_the_sum_modulo_ten(digits: str) -> None:
    assert noisy_sum.answer_of(digits) == str(sum(int(d) for d in digits) % 10)


def test_every_right_chain_of_a_small_problem_is_accepted_and_nothing_else() -> None:
    right = {"=6"}  # 1 + 2 + 3
    for a, b, c in itertools.permutations("123"):
        right.add(f"{a}+{b}={(int(a) + int(b)) % 10}+{c}=6")
    accepted = {
        text
        for first in ["", "1", "2", "3", "4"]
        for a, s, b, t in itertools.product("1234", "34567", "1234", "56")
        for text in (f"={t}", f"{first}+{a}={s}+{b}={t}", f"{first}+{a}={t}", f"{a}={s}")
        if noisy_sum.verify("123:", text)
    }
    assert accepted == right


@pytest.mark.parametrize(
    ("response", "why"),
    [
        ("", "empty"),
        ("9", "no equals sign"),
        ("=99", "two digits"),
        ("=9 ", "trailing space"),
        ("3+7=1+4=4+5=9+8=7+1=8+1=9", "a wrong step"),
        ("3+7=0+4=4+5=9+8=7+1=9", "a digit is left out"),
        ("3+7=0+4=4+5=9+8=7+1=8+1=9+0=9", "a digit is invented"),
        ("3+7=0+4=4+5=9+8=7+1=8+2=0", "another digit"),
        ("3+7=0+4=4+5=9+8=7+1=8+1=9=9", "something behind"),
        ("=8", "wrong result"),
    ],
)
def test_wrong_responses(response: str, why: str) -> None:
    assert noisy_sum.verify("3745811:", "3+7=0+4=4+5=9+8=7+1=8+1=9")
    assert not noisy_sum.verify("3745811:", response), why


def test_demonstrations_without_errors_are_all_right_and_with_errors_some_are_wrong() -> None:
    rng = random.Random(0)
    texts = list(itertools.islice(noisy_sum.random_digits("train", 7, 0), 300))
    assert all(noisy_sum.verify(t + ":", noisy_sum.demonstrate(t, rng, 0.0)) for t in texts)
    share = sum(noisy_sum.verify(t + ":", noisy_sum.demonstrate(t, rng, 0.06)) for t in texts) / len(texts)
    # A chain of six steps is right with probability (1 - 0.06 * 0.9)^6 = 0.72, a direct answer 0.95.
    assert 0.70 < share < 0.87


def test_the_splits_are_disjoint_whatever_the_seeds() -> None:
    train = {p.prompt for p in noisy_sum.problems(2000, "train", 7, seed=1)}
    test = {p.prompt for p in noisy_sum.problems(500, "test", 7, seed=2)}
    assert len(train) == 2000
    assert len(test) == 500
    assert not train & test
    shown = itertools.islice(noisy_sum.random_digits("train", 7, "demonstrations/0"), 2000)
    assert not {text + ":" for text in shown} & test
    assert split_of("3745811") == "train"  # a digest, the same on every machine
    assert split_of("0000005") == "test"


def test_generation_is_a_function_of_the_seed() -> None:
    first, again, other = (list(noisy_sum.problems(50, "train", 7, seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_more_problems_than_there_are() -> None:
    with pytest.raises(DataError, match="2 digits give fewer"):
        list(noisy_sum.problems(90, "train", 2, seed=0))


def test_a_problem_file_survives_the_round_trip(tmp_path) -> None:
    problems = [Problem("a/1", "x²+1?", "$\\frac12$", "math"), Problem("a/2", "line\nbreak\u2028", "2", "math")]
    write_problems(tmp_path / "p.jsonl", problems)
    assert read_problems(tmp_path / "p.jsonl") == problems


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["holds no problems"]),
        ("{}\n", ["line 1", "'id'", "missing"]),
        (
            '{"id": "1", "prompt": "p", "answer": "2", "source": "s"}\n\n{"id": "2", "prompt"\n',
            ["line 3", "not JSON"],
        ),
        ('{"id": "1", "prompt": "p", "answer": 2, "source": "s"}\n', ["line 1", "'answer'", "found 2"]),
        ('{"id": "1", "prompt": "", "answer": "2", "source": "s"}\n', ["line 1", "'prompt'", "non-empty"]),
        ('{"id": "1", "prompt": " ", "answer": "2", "source": "s"}\n', ["line 1", "'prompt'", "non-empty"]),
        ('{"id": "1", "prompt": "p", "answer": "\\n", "source": "s"}\n', ["line 1", "'answer'", "non-empty"]),
        ("[1]\n", ["line 1", "expected a JSON object, found a list"]),
        (
            '{"id": "1", "prompt": "p", "answer": "2", "source": "s"}\n' * 2,
            ["line 2", "'1' stands there twice"],
        ),
    ],
)
def test_a_broken_problem_file_is_named_with_its_line(tmp_path, text: str, words: list[str]) -> None:
    path = tmp_path / "problems.jsonl"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_problems(path)
    assert str(path) in str(caught.value)
    assert all(word in str(caught.value) for word in words)
    with pytest.raises(DataError, match="no such problem file"):
        read_problems(tmp_path / "none.jsonl")


def test_an_empty_split_is_refused_and_leaves_nothing(tmp_path) -> None:
    settings = {
        "source": "noisy-sum",
        "seed": 0,
        "digits": 4,
        "train_problems": 0,
        "test_problems": 5,
        "datasets": [],
    }
    with pytest.raises(DataError, match=r"the train split is empty.*data\.train_problems"):
        make_problems(DataSettings(**settings), tmp_path / "data", Run("data", {}, settings))
    assert not (tmp_path / "data").exists()


def test_a_source_without_a_verifier_of_its_own_is_graded_as_mathematics() -> None:
    assert grade_response("lab/math", "1/2 + 1/2 = ?", r"It is \boxed{1}.", "1")
    assert not grade_response("lab/math", "1/2 + 1/2 = ?", "It is 1.", "1")


SOURCE = {
    "repo": "lab/math",
    "revision": "0" * 40,
    "config": None,
    "split": "train",
    "prompt": "problem",
    "answer": "answer",
    "images": None,
    "path": None,
    "file": None,
    "archive": None,
    "where": {"level": ["Level 3"]},
}


def rows(**changes: list) -> list[tuple[str, dict]]:
    columns = {"problem": ["a", "b"], "answer": ["1", "2"], "level": ["Level 1", "Level 3"], **changes}
    made = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return [(f"lab/math, row {number}", row) for number, row in enumerate(made, 1)]


def problems(rows: list[tuple[str, dict]], **changes: object) -> list[Problem]:
    return [problem for _, problem in hub._problems(rows, SOURCE | changes, "lab/math", hub._Reading(Path()))]


def test_rows_of_a_hub_data_set_become_problems() -> None:
    assert problems(rows()) == [Problem("lab/math/1", "b", "2", "lab/math")]
    without = [(where, {"problem": row["problem"], "answer": row["answer"]}) for where, row in rows()]
    with pytest.raises(DataError, match=r"lab/math, split train: no column 'level'; there are problem, answer\."):
        problems(without)
    with pytest.raises(DataError, match=r"row 1: no column 'gold'; there are problem, answer, level\."):
        problems(rows(), answer="gold", where={})
    with pytest.raises(DataError, match=r"no row has the values that data.datasets\[\].where asks for"):
        problems(rows(), where={"level": [3]})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"answer": ["1", ""]}, "row 2: 'answer' is empty."),
        ({"answer": ["1", " \n"]}, "row 2: 'answer' is empty."),
        ({"problem": ["a", "\t "]}, "row 2: 'problem' is empty."),
        ({"answer": ["1", None]}, "row 2: 'answer' is empty."),
        ({"answer": ["1", float("nan")]}, "row 2: 'answer' is nan; expected text or a finite number."),
        ({"answer": ["1", []]}, "row 2: 'answer' is an empty list; expected a gold answer."),
        ({"problem": ["a", {"role": "user"}]}, "row 2: 'problem' is of type dict; expected text or a number."),
        ({"answer": ["1", b"2"]}, "row 2: 'answer' is of type bytes; expected text or a number."),
    ],
)
def test_an_empty_cell_or_one_that_is_no_text_is_named_with_its_row(changes: dict, words: str) -> None:
    with pytest.raises(DataError) as caught:
        problems(rows(**changes))
    assert str(caught.value) == f"lab/math, {words}"


def load(monkeypatch, rows: list[tuple[str, dict]], entries: int = 1, run: Run | None = None, **changes: object):
    """Of as many entries that all have these rows."""
    monkeypatch.setattr(hub, "load_split", lambda *_: rows)
    settings = {"datasets": [SOURCE | {"where": {}}] * entries, "test_problems": 1}
    settings |= {"instruction": None, **changes}
    return hub.load_problems(settings, Path(), run, agree)


def test_the_instruction_stands_below_every_problem_and_does_not_change_the_split(monkeypatch) -> None:
    plain, asked = (load(monkeypatch, rows(), instruction=text) for text in (None, "Box it."))
    assert sorted(p.prompt for part in asked for p in part) == ["a\nBox it.", "b\nBox it."]
    assert [[p.id for p in part] for part in plain] == [[p.id for p in part] for part in asked]


def test_equal_prompts_are_one_problem_and_no_held_out_problem_is_trained_on(monkeypatch, caplog) -> None:
    # A worked solution, a number and its decimals say the same; so do an e with an accent and its two characters.
    prompts = ["a?", "a?", " a?\n", "a\u0301  b", "\u00e1 b", "c", "d"]
    answers = ["3", "3.0", r"It is \boxed{3}.", "x", "x", "1", "1"]
    run = Run("data", {}, {})
    train, test = load(monkeypatch, rows(problem=prompts, answer=answers, level=[""] * 7), run=run)
    assert sorted(p.id for p in (*train, *test)) == ["lab/math/0", "lab/math/3", "lab/math/5", "lab/math/6"]
    assert ({p.prompt for p in train} & {p.prompt for p in test}, len(test)) == (set(), 1)
    assert run.metrics["copies_left_out"] == 3
    assert "3 of 7 rows ask what an earlier row asks and are left out, the first is lab/math, row 2" in caplog.text


def test_two_answers_to_one_problem_are_refused_with_both_rows(monkeypatch) -> None:
    with pytest.raises(DataError) as caught:
        load(monkeypatch, rows(problem=["a", "a "]))
    assert str(caught.value) == (
        "lab/math, row 2: the answer is '2', but lab/math, row 1 asks the same and answers '1'; correct one, or take "
        "a row out."
    )


def test_equal_words_below_other_pictures_are_other_problems() -> None:
    first, other = (Problem(name, "How many?", "2", "s", images=(f"images/{name}.png",)) for name in "ab")
    again = Problem("c", "How many?", "3", "s", images=first.images)
    assert distinct([("1", first), ("2", other)]) == ([first, other], [])
    with pytest.raises(DataError, match="3: the answer is '3', but 1 asks the same and answers '2'"):
        distinct([("1", first), ("2", other), ("3", again)])


def test_two_entries_of_one_repository_have_ids_of_their_own(monkeypatch) -> None:
    parts = iter([rows(), rows(problem=["c", "d"])])
    monkeypatch.setattr(hub, "load_split", lambda *_: next(parts))
    settings = {"datasets": [SOURCE | {"where": {}}] * 2, "test_problems": 1, "instruction": None}
    train, test = hub.load_problems(settings, Path())
    assert sorted(p.id for p in (*train, *test)) == ["lab/math#2/0", "lab/math#2/1", "lab/math/0", "lab/math/1"]
    assert (len(train), len(test)) == (3, 1)


def test_as_many_held_out_problems_as_there_are_leave_none_to_train_on(monkeypatch) -> None:
    with pytest.raises(DataError, match=r"data\.test_problems holds out 2 problems and there are 2; none is left"):
        load(monkeypatch, rows(), entries=2, test_problems=2)


# Names decide no verifier --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VERIFIED)
def test_a_data_set_with_the_name_of_a_task_is_graded_by_its_answers(name: str) -> None:
    (_, problem), _ = hub._problems(rows(), SOURCE | {"repo": name, "where": {}}, name, hub._Reading(Path()))
    assert (problem.id, problem.source) == (f"{name}/0", f"data set {name}")
    assert correctness(["a", "a"], [r"\boxed{1}", "1+1=2"], [problem.answer] * 2, [problem.source] * 2) == [1.0, 0.0]


def test_the_problems_of_every_task_with_a_verifier_are_known_as_its_own() -> None:
    made = [
        *noisy_sum.problems(40, "train", 7, 0),
        *answer_prior.problems(40, "test", 7, 0.4, 0),
        *countdown.problems(40, "train", 3, 0),
    ]
    assert {name for name in VERIFIED if TASKS[name].verify} == {p.source for p in made}
    for p in made:
        check_problem(p.source, p.prompt, p.answer)


@pytest.mark.parametrize(
    ("source", "prompt", "answer", "words"),
    [
        (
            "countdown",
            "What is 1 + 1?",
            "2",
            "'countdown' is a task with a verifier of its own, and the prompt is none",
        ),
        ("noisy-sum", "347>25:", "25", "'noisy-sum' is a task with a verifier of its own, and the prompt is none of"),
        ("countdown", "347>25:", "24", "the answer is '24', the task 'countdown' has '25' for this prompt"),
        ("answer-prior", "12:", "4", "the answer is '4', the task 'answer-prior' has '3' for this prompt"),
    ],
)
def test_a_row_written_by_hand_does_not_take_a_verifier_by_its_name(
    tmp_path: Path, source: str, prompt: str, answer: str, words: str
) -> None:
    write_problems(tmp_path / "p.jsonl", [Problem("1", prompt, answer, source)])
    with pytest.raises(DataError, match=rf"p\.jsonl, line 1: .*{re.escape(words)}"):
        read_problems(tmp_path / "p.jsonl")


def test_each_problem_of_a_mixed_file_is_graded_by_its_own_verifier() -> None:
    questions = pd.DataFrame(
        {"id": ["1", "2"], "prompt": ["12:", "1 + 2?"], "golds": [["3"], ["3"]], "cluster": ["1", "2"],
         "subset": ["", "easy"], "texts": [[], []], "tolerance": 0.0, "source": ["noisy-sum", "lab/math"]}
    )  # fmt: skip
    said = [("1", "=3"), ("1", r"\boxed{3}"), ("2", "=3"), ("2", r"\boxed{3.0}")]
    responses = pd.DataFrame(
        [{"id": i, "decoding": "greedy", "sample": 0, "response": r, "tokens": 2, "finish": "stop"} for i, r in said]
    )
    table = grade_table(questions, responses)
    assert table.correct.tolist() == [True, False, False, True]
    assert table.status.tolist() == ["correct", "wrong", "no_box", "correct"]


def test_scores_are_given_by_subset_where_the_task_asks_for_it() -> None:
    def columns(source: str) -> set[str]:
        questions = pd.DataFrame(
            {"id": ["1", "2"], "prompt": ["?", "?"], "golds": [["3"], ["3"]], "cluster": ["1", "2"],
             "subset": ["a", "b"], "texts": [[], []], "tolerance": 0.0, "source": source}
        )  # fmt: skip
        responses = pd.DataFrame({"id": ["1", "2"], "decoding": "greedy", "sample": 0, "tokens": 2, "finish": "stop"})
        return set(grade_table(questions, responses.assign(response=r"\boxed{3}")).columns)

    assert columns("elementary") - columns("visual") == {"subset"}
    assert columns("lab/math") == columns("visual")


def test_what_is_not_in_the_local_cache_names_the_fetch(tmp_path, monkeypatch) -> None:
    from relax.models.hub import snapshot

    with pytest.raises(MachineError, match=r"lab/model at 0{12} is not in the local hub cache; run `relax fetch`"):
        snapshot({"repo": "lab/model", "revision": "0" * 40})
    with pytest.raises(ConfigError, match="not pinned"):
        snapshot({"repo": "lab/model", "revision": "unpinned"})
    settings = {"datasets": [SOURCE], "test_problems": 1, "instruction": None}
    with pytest.raises(MachineError, match=r"lab/math at 0{12}, split train: not in the local cache"):
        hub.load_problems(settings, tmp_path)


def test_a_snapshot_in_the_cache_becomes_the_initial_policy(tmp_path, monkeypatch, tiny_policy) -> None:
    import huggingface_hub.constants

    from relax.models.hub import copy_snapshot

    revision = "a" * 40
    place = tmp_path / "models--lab--tiny"
    folder = place / "snapshots" / revision
    folder.mkdir(parents=True)
    for file in tiny_policy.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    copy_snapshot({"repo": "lab/tiny", "revision": revision}, tmp_path / "model")
    assert {f.name for f in (tmp_path / "model").iterdir()} == {f.name for f in tiny_policy.iterdir()}
