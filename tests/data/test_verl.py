"""Data as veRL has it: rows of its own scripts are read, our problems are written in its format and come back."""

from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from relax import config
from relax.data.cells import ABSENT, cell_at, gold_of, prompt_of
from relax.data.copies import same_text
from relax.data.problem_files import read_problems, write_problems
from relax.data.prompt import conversation
from relax.data.verl import write_verl
from relax.errors import ConfigError, DataError
from relax.grading.answers import gold_text
from relax.grading.golds import agree
from relax.grading.grader import grade_response
from relax.tasks.problem import Problem
from tests.conftest import REPOSITORY
from tests.data.test_own_files import BASE, made

PLAIN = {"chat_template": False, "system": None, "thinking": False}


def row(number: int, gold: Any, *before: dict[str, str], **more: Any) -> dict[str, Any]:
    """As veRL's examples/data_preprocess/gsm8k.py makes one."""
    question = f"What is {number} + 0?"
    return {
        "data_source": "openai/gsm8k",
        "prompt": [*before, {"role": "user", "content": question}],
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": gold},
        "extra_info": {"split": "train", "index": number, "answer": f"{gold} #### {gold}", "question": question},
        **more,
    }


def table(path: Path, rows: list[dict[str, Any]]) -> Path:
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def test_a_file_of_verl_needs_no_names_of_columns(tmp_path: Path) -> None:
    path = table(tmp_path / "train.parquet", [row(n, str(n)) for n in range(5)])
    train, test = made(tmp_path, f"[{{path: {path}}}]", "  format: verl\n")
    problems = sorted([*train, *test], key=lambda p: p.id)
    assert (len(train), len(test)) == (3, 2)
    assert problems[0] == Problem("train.parquet/0", "What is 0 + 0?", "0", "train.parquet", subset="openai/gsm8k")
    settings = config.data_settings(config.load([BASE, tmp_path / "my.yaml"])).recorded()
    assert settings["format"] == "verl"
    assert (settings["files"][0]["prompt"], settings["files"][0]["answer"]) == ("prompt", "reward_model.ground_truth")


def test_fields_below_a_column_are_named_with_dots_and_choose_rows(tmp_path: Path) -> None:
    path = table(tmp_path / "rows.parquet", [row(n, n) for n in range(4)])
    columns = (
        "prompt: prompt, answer: extra_info.answer, subset: extra_info.split, where: {extra_info.index: [0, 2, 3]}"
    )
    problems = [p for part in made(tmp_path, f"[{{path: {path}, {columns}}}]") for p in part]
    assert sorted(p.answer for p in problems) == ["0 #### 0", "2 #### 2", "3 #### 3"]
    assert {p.subset for p in problems} == {"train"}
    assert cell_at({"a.b": 1, "a": {"b": 2}}, "a.b") == 1
    assert cell_at({"a": {"b": None}}, "a.b") is None
    assert cell_at({"a": "text"}, "a.b") is ABSENT


def test_answers_that_end_as_those_of_gsm8k_are_their_last_number() -> None:
    solution = "Natalia sold 48/2 = <<48/2=24>>24 clips in May.\nAltogether 48+24 = <<48+24=72>>72.\n#### 72"
    assert gold_text(gold_of(solution, same_text)) == "72"
    assert grade_response("openai/gsm8k", "How many?", r"So \boxed{72}.", solution)
    assert not grade_response("openai/gsm8k", "How many?", r"So \boxed{24}.", solution)


@pytest.mark.parametrize(
    ("cell", "gold"),
    [(0, "0"), (72, "72"), (0.5, "0.5"), (72.0, "72.0"), ("007", "007"), (["34"], "34"), ([0], "0"), ([2, "2"], "2")],
)
def test_gold_answers(cell: Any, gold: str) -> None:
    assert gold_of(cell, same_text) == gold


def test_several_gold_answers_must_say_the_same() -> None:
    assert gold_of([r"\frac{1}{2}", "0.5"], agree) == r"\frac{1}{2}"
    with pytest.raises(ValueError, match=r"has the gold answers '1' and '2', which are not the same"):
        gold_of(["1", "2"], agree)


def test_the_last_user_turn_is_the_problem_and_a_system_turn_is_said_to_be_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    system = {"role": "system", "content": "Box it."}
    turns = [system, {"role": "user", "content": "1?"}, {"role": "assistant", "content": "1"}]
    assert prompt_of([*turns, {"role": "user", "content": "2?"}]) == (
        "2?",
        ["system: Box it.", "user: 1?", "assistant: 1"],
    )
    path = table(tmp_path / "rows.parquet", [row(n, n, system) for n in range(4)])
    train, _ = made(tmp_path, f"[{{path: {path}}}]", "  format: verl\n")
    assert {p.prompt for p in train} < {f"What is {n} + 0?" for n in range(4)}
    assert "4 conversations have turns beside the problem's, which are left out" in caplog.text
    assert "rows.parquet, row 1 begins with 'system: Box it.'" in caplog.text
    assert '"turns_left_out": 4' in (tmp_path / "data" / "run.json").read_text()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prompt": {"role": "user"}}, "'prompt' is of type dict; expected text or a number."),
        ({"prompt": ["a"]}, "'prompt' is a list; expected text, or a list of turns with the texts role and content."),
        ({"prompt": [{"role": "user", "content": 5}]}, "'prompt' is a list; expected text, or a list of turns"),
        ({"prompt": [{"role": "system", "content": "x"}]}, "'prompt' is a conversation without a user turn"),
        ({"prompt": [{"role": "user", "content": " "}]}, "'prompt' is empty."),
        ({"reward_model": {"style": "rule"}}, "no column 'reward_model.ground_truth'; there are data_source, prompt"),
        ({"reward_model": {"ground_truth": None}}, "'reward_model.ground_truth' is empty."),
        ({"reward_model": {"ground_truth": {"target": "x"}}}, "is of type dict; expected text or a number."),
        ({"reward_model": {"ground_truth": []}}, "is an empty list; expected a gold answer."),
        ({"reward_model": {"ground_truth": [["x"]]}}, "is a list with something else than texts and numbers"),
    ],
)
def test_a_cell_that_is_none_of_these_is_refused_with_its_row_and_type(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    path = table(tmp_path / "rows.parquet", [row(0, "0") | changes] * 2)
    with pytest.raises(DataError) as caught:
        made(tmp_path, f"[{{path: {path}}}]", "  format: verl\n")
    assert f"{path}, row 1: " in str(caught.value)
    assert words in str(caught.value)
    assert not (tmp_path / "data").exists()


def test_without_the_format_the_names_of_columns_are_still_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"entry 1 of data\.files lacks the key"):
        made(tmp_path, "[{path: x.parquet}]", "  format: columns\n")


# Written --------------------------------------------------------------------------------------------


def picture(path: Path, color: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), color).save(path)
    return path


def test_our_problems_come_back_from_the_files_that_are_written(tmp_path: Path) -> None:
    red, blue = (picture(tmp_path / "ours" / "images" / f"{color}.png", color) for color in ("red", "blue"))
    ours = {
        "train": [
            Problem("s/1", "a?\nBox it.", "1", "s"),
            Problem("s/2", "Which <image> is <image>?", "red", "s", (str(red), str(blue)), subset="colors"),
            Problem("s/2b", "Which is it?", "red", "s", (str(red),)),
            Problem("s/3", "b?", r"It is \boxed{\frac{1}{2}}.", "s"),
        ],
        "test": [Problem("s/4", "c?", "0", "s", subset="zeros")],
    }
    for split, problems in ours.items():
        relative = [Problem(**{**vars(p), "images": [f"images/{Path(i).name}" for i in p.images]}) for p in problems]
        write_problems(tmp_path / "ours" / f"{split}.jsonl", relative)
    out = tmp_path / "verl"
    assert write_verl(tmp_path / "ours", out, PLAIN, gold_text) == (4, 1)
    files = f"[{{path: {out}/train.parquet}}, {{path: {out}/test.parquet, held_out: true}}]"
    train, test = made(tmp_path, files, "  format: verl\n")

    def shown(problem: Problem) -> tuple[Any, ...]:
        return problem.prompt, problem.answer, problem.subset, [Path(image).read_bytes() for image in problem.images]

    expected = [shown(p) for p in ours["train"]]
    expected[2] = ("<image>Which is it?", *expected[2][1:])  # the same, with the place that veRL asks for
    assert conversation(expected[2][0], 1) == conversation("Which is it?", 1)
    expected[3] = ("b?", r"\frac{1}{2}", "", [])  # veRL's verifiers read the final answer alone
    assert [shown(p) for p in train] == expected
    assert [shown(p) for p in test] == [shown(p) for p in ours["test"]]


def test_the_columns_are_those_of_verl_and_hold_what_the_policy_reads(tmp_path: Path) -> None:
    write_problems(tmp_path / "train.jsonl", [Problem("s/1", "a?", "1", "s")])
    write_problems(tmp_path / "test.jsonl", [Problem("s/2", "b?", "2", "s")])
    shot = {"subset": None, "problem": "0?", "response": "0"}
    write_verl(tmp_path, tmp_path, {"chat_template": True, "system": "Think.", "shots": [shot]}, gold_text)
    (written,) = pyarrow.parquet.read_table(tmp_path / "train.parquet").to_pylist()
    assert list(written) == ["data_source", "prompt", "ability", "reward_model", "extra_info"]
    assert [(turn["role"], turn["content"]) for turn in written["prompt"]] == [
        ("system", "Think."),
        ("user", "0?"),
        ("assistant", "0"),
        ("user", "a?"),
    ]
    assert written["reward_model"] == {"style": "rule", "ground_truth": "1"}
    assert written["extra_info"] == {"split": "train", "index": 0, "id": "s/1", "subset": ""}


def test_the_verb_writes_both(tmp_path: Path) -> None:
    from relax.cli.app import main

    smoke = REPOSITORY / "config" / "smoke.yaml"
    words = ["data", "--configfile", str(BASE), str(smoke), "--out", str(tmp_path / "out")]
    assert main([*words, "--to-verl", str(tmp_path / "verl")]) == 0
    for split in ("train", "test"):
        problems = read_problems(tmp_path / "out" / f"{split}.jsonl")
        written = pyarrow.parquet.read_table(tmp_path / "verl" / f"{split}.parquet").to_pylist()
        assert [(r["prompt"][-1]["content"], r["reward_model"]["ground_truth"]) for r in written] == [
            (p.prompt, p.answer) for p in problems
        ]
