"""``source: file``: one's own problems, without a name and a commit on the hub."""

import json
from pathlib import Path

import pytest

from relax import config
from relax.data.data_stage import make_problems
from relax.data.problem_files import read_problems
from relax.errors import ConfigError, DataError
from relax.records.record import Run, digest_path
from relax.tasks.problem import Problem
from tests.conftest import REPOSITORY
from tests.workflow.faults_fixture import one_sentence, relax

BASE = REPOSITORY / "config" / "config.yaml"


def write(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return write(
        tmp_path / "mine.jsonl", [{"q": f"{n} + 1?", "a": n + 1, "kind": "odd" if n % 2 else "even"} for n in range(9)]
    )


def experiment(folder: Path, files: str, more: str = "") -> config.Experiment:
    """A configuration whose ``data.files`` is the text."""
    (folder / "my.yaml").write_text(f"name: mine\ndata:\n  source: file\n  test_problems: 2\n  files: {files}\n{more}")
    return config.load([BASE, folder / "my.yaml"])


def made(folder: Path, files: str, more: str = "") -> tuple[list[Problem], list[Problem]]:
    settings = config.data_settings(experiment(folder, files, more))
    make_problems(settings, folder / "data", Run("data", {}, settings.recorded()))
    train, test = (read_problems(folder / "data" / f"{name}.jsonl") for name in ("train", "test"))
    return train, test


def test_a_file_needs_its_path_and_the_names_of_two_columns(tmp_path: Path, questions: Path) -> None:
    train, test = made(tmp_path, f"[{{path: {questions}, prompt: q, answer: a}}]", "  instruction: Box it.\n")
    problems = sorted([*train, *test], key=lambda p: p.id)
    assert (len(train), len(test)) == (7, 2)
    assert problems[3] == Problem("mine.jsonl/3", "3 + 1?\nBox it.", "4", "mine.jsonl")
    hub = f"[{{repo: mine.jsonl, revision: unpinned, split: train, path: {questions}, prompt: q, answer: a}}]"
    (tmp_path / "hub.yaml").write_text(
        f"data: {{source: hub, test_problems: 2, instruction: Box it., datasets: {hub}}}\n"
    )
    settings = config.data_settings(config.load([BASE, tmp_path / "hub.yaml"]))
    make_problems(settings, tmp_path / "hub", Run("data", {}, settings.recorded()))
    for name in ("train", "test"):
        assert read_problems(tmp_path / "hub" / f"{name}.jsonl") == read_problems(tmp_path / "data" / f"{name}.jsonl")


def test_subsets_and_rows_are_chosen_by_columns(tmp_path: Path, questions: Path) -> None:
    files = f"[{{path: {questions}, prompt: q, answer: a, subset: kind, where: {{kind: [odd]}}}}]"
    train, test = made(tmp_path, files)
    assert {p.subset for p in (*train, *test)} == {"odd"}
    assert sorted(p.answer for p in (*train, *test)) == ["2", "4", "6", "8"]


def test_a_file_that_is_held_out_is_the_test_and_nothing_of_it_is_trained_on(tmp_path: Path, questions: Path) -> None:
    other = write(
        tmp_path / "held_out.jsonl", [{"question": "0 +  1?", "answer": "1"}, {"question": "?", "answer": "2"}]
    )
    apart = f"{{path: {other}, prompt: question, answer: answer, held_out: true}}"
    files = f"[{{path: {questions}, prompt: q, answer: a}}, {apart}]"
    train, test = made(tmp_path, files)
    assert [p.id for p in test] == ["held_out.jsonl/0", "held_out.jsonl/1"]
    assert [p.id for p in train] == [f"mine.jsonl/{n}" for n in range(1, 9)]


def test_a_file_whose_problems_are_all_held_out_leaves_none_to_train_on(tmp_path: Path, questions: Path) -> None:
    entry = f"{{path: {questions}, prompt: q, answer: a"
    with pytest.raises(DataError, match=r"^every problem stands in a file that is held out; none is left to train on"):
        made(tmp_path, f"[{entry}}}, {entry}, held_out: true}}]")


def test_files_that_are_not_read_are_said(tmp_path: Path, questions: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "my.yaml").write_text(
        f"data: {{train_problems: 9, files: [{{path: {questions}, prompt: q, answer: a}}]}}"
    )
    settings = config.data_settings(config.load([BASE, tmp_path / "my.yaml"]))
    make_problems(settings, tmp_path / "data", Run("data", {}, settings.recorded()))
    assert caplog.messages == ["data.files is not read, as data.source is noisy-sum and not file"]


def test_the_content_of_a_file_is_what_decides_and_is_recorded(tmp_path: Path, questions: Path) -> None:
    settings = config.data_settings(experiment(tmp_path, f"[{{path: {questions}, prompt: q, answer: a}}]"))
    assert config.local_files(settings) == [str(questions)]
    before = config.local_content(settings)
    ended = relax("data", "--configfile", str(BASE), str(tmp_path / "my.yaml"), "--out", str(tmp_path / "out"))
    assert ended.returncode == 0, ended.stderr
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert digest_path(questions) in json.dumps(record["inputs"])
    assert "unpinned" not in json.dumps(record)
    questions.write_text(questions.read_text().replace("8 + 1", "8 +  1"))
    assert config.local_content(settings) != before


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ("[]", r"line 3: data\.source is file, but data\.files names no file"),
        (
            "[{path: x.jsonl, prompt: q, answer: a, held_out: true}]",
            r"line 5: every file is held out, and none is left",
        ),
        ("[{path: x.jsonl, prompt: q}]", r"line 5: entry 1 of data\.files lacks the key 'answer'"),
        (
            "[{path: ~/x.jsonl, prompt: q, answer: a}]",
            r"path of entry 1 of data\.files is '~/x\.jsonl', expected a path",
        ),
        ("[{path: ' ', prompt: q, answer: a}]", r"path of entry 1 of data\.files is empty, expected a path"),
        (
            "[{repo: x, path: x.jsonl, prompt: q, answer: a}]",
            r"line 5: unknown key 'repo'; known are path, prompt, answer",
        ),
    ],
)
def test_an_entry_that_is_none_is_named(tmp_path: Path, files: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        experiment(tmp_path, files)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("prompt: question, answer: a", "mine.jsonl, line 1: no column 'question'; there are q, a, kind."),
        ("prompt: q, answer: a, subset: sort", "mine.jsonl, line 1: no column 'sort'; there are q, a, kind."),
        ("prompt: q, answer: a, where: {sort: [x]}", "mine.jsonl: no column 'sort'; there are q, a, kind."),
        ("prompt: q, answer: a, where: {kind: [x]}", "no row has the values that data.files[].where asks for"),
    ],
)
def test_a_column_that_is_not_there_is_named_with_the_file(
    tmp_path: Path, questions: Path, entry: str, words: str
) -> None:
    with pytest.raises(DataError) as caught:
        made(tmp_path, f"[{{path: {questions}, {entry}}}]")
    assert words in str(caught.value)
    assert not (tmp_path / "data").exists()


def test_a_file_that_is_missing_is_said_before_anything_runs(tmp_path: Path) -> None:
    asked = experiment(tmp_path, "[{path: nowhere.jsonl, prompt: q, answer: a}]")
    with pytest.raises(
        DataError, match=r"my\.yaml, line 5: nowhere\.jsonl: no such file; put it there, or name another"
    ):
        config.check_local_files(asked, [BASE, tmp_path / "my.yaml"])
    ended = relax("data", "--configfile", str(BASE), str(tmp_path / "my.yaml"), "--out", str(tmp_path / "out"))
    one_sentence(ended, 3, "nowhere.jsonl: no such file or folder; it is an input of `relax data`.")
    assert not (tmp_path / "out").exists()
