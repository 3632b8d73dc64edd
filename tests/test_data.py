"""Problems: the task against brute force, disjoint splits, and what a broken file is told."""

import itertools
import random
from pathlib import Path

import pytest
from datasets import Dataset

from relax.data import hub, noisy_sum
from relax.data.build import build
from relax.data.problem import Problem, read_problems, split_of, write_problems
from relax.errors import ConfigError, DataError, MachineError
from relax.evaluation.grading import grade_response
from relax.tracking import Run


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
        ("[1]\n", ["line 1", "expected a JSON object, found list"]),
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
        build(settings, tmp_path / "data", Run("data", {}, settings))
    assert not (tmp_path / "data").exists()


def test_a_source_without_a_verifier_of_its_own_is_graded_as_mathematics() -> None:
    assert grade_response("lab/math", "1/2 + 1/2 = ?", r"It is \boxed{1}.", "1")
    assert not grade_response("lab/math", "1/2 + 1/2 = ?", "It is 1.", "1")


SOURCE = {"repo": "lab/math", "revision": "0" * 40, "config": None, "split": "train", "prompt": "problem",
          "answer": "answer", "images": None, "path": None, "file": None, "archive": None,
          "where": {"level": ["Level 3"]}}  # fmt: skip


def rows(**changes: list) -> Dataset:
    columns = {"problem": ["a", "b"], "answer": ["1", "2"], "level": ["Level 1", "Level 3"]}
    return Dataset.from_dict({**columns, **changes})


def test_rows_of_a_hub_data_set_become_problems() -> None:
    assert list(hub._problems(rows(), SOURCE, Path())) == [Problem("lab/math/1", "b", "2", "lab/math")]
    with pytest.raises(DataError, match=r"lab/math, split train: no column 'level'; there are problem, answer"):
        list(hub._problems(rows().remove_columns("level"), SOURCE, Path()))
    with pytest.raises(DataError, match="row 1: empty prompt or answer"):
        list(hub._problems(rows(answer=["1", ""]), SOURCE, Path()))


def test_the_instruction_stands_below_every_problem_and_does_not_change_the_split(monkeypatch) -> None:
    monkeypatch.setattr(hub, "load_split", lambda *_: rows(level=["Level 3", "Level 3"]))
    plain, asked = (
        hub.load_problems({"datasets": [SOURCE], "test_problems": 1, "instruction": text}, Path())
        for text in (None, "Box it.")
    )
    assert sorted(p.prompt for part in asked for p in part) == ["a\nBox it.", "b\nBox it."]
    assert [[p.id for p in part] for part in plain] == [[p.id for p in part] for part in asked]


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
