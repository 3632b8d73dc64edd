"""A benchmark of the user's own: one YAML file whose rows are a question and its answer."""

from pathlib import Path

import pytest

from relax.config.benchmarks import check_tasks, read_task
from relax.errors import ConfigError
from relax.evaluation.benchmarks import load_benchmark
from relax.records.code import _task, code_of
from tests.repository.benchmarks_fixture import write_rows

OWN = """include: _base.yaml
task: my_contest
metadata:
  version: 1.0
  benchmark: contest
  repo: my-lab/contest
  revision: unpinned
  configs: [default]
  splits: [test]
  rows: 2
  digest: null
  samples: 1
  published: "2026-01-01"
  columns: {question: text, answer: result, id: number, subset: part}
"""


def test_a_file_of_the_users_own_is_a_benchmark(tmp_path: Path) -> None:
    file = tmp_path / "contest.yaml"
    file.write_text(OWN)
    check_tasks({"contest": str(file)})
    assert read_task(str(file))["generation_kwargs"] == read_task("gsm8k")["generation_kwargs"]
    rows = [
        {"number": 7, "text": "1 + 1?", "result": 2, "part": "sums"},
        {"number": 8, "text": "?", "result": "x", "part": "p"},
    ]
    first, second = load_benchmark(str(file), write_rows(tmp_path / "rows.jsonl", rows))
    assert (first.id, first.golds, first.subset, first.cluster) == ("7", ("2",), "sums", "7")
    assert (first.prompt.split("\n")[0], second.golds) == ("1 + 1?", ("x",))
    before = code_of("generate", {"benchmarks": {"contest": {"task": str(file)}}})
    file.write_text(OWN.replace("result", "text"))
    _task.cache_clear()
    assert code_of("generate", {"benchmarks": {"contest": {"task": str(file)}}}) != before


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("  rows: 2\n", "", "task contest: its metadata lacks 'rows'; add it to the task file."),
        ("answer: result, ", "", "task contest: its metadata says columns {.*}; expected those of question and answer"),
        ("id: number", "picture: image", "task contest: its metadata says columns {.*}; expected those"),
        ("  columns: {question: text, answer: result, id: number, subset: part}\n", "",
         r"benchmark contest: its task file says no columns; add columns: \{question: ..., answer: ...\}"),
    ],
)  # fmt: skip
def test_a_file_of_the_users_own_that_lacks_something_says_so(tmp_path: Path, old: str, new: str, words: str) -> None:
    file = tmp_path / "contest.yaml"
    file.write_text(OWN.replace(old, new))
    with pytest.raises(ConfigError, match=words):
        load_benchmark(
            str(file), write_rows(tmp_path / "rows.jsonl", [{"number": 1, "text": "?", "result": "1", "part": "p"}])
        )


def test_a_file_that_is_no_task_and_one_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"benchmark contest: no task file gone.yaml; put it there, or name another"):
        check_tasks({"contest": "gone.yaml"})
    for text, words in (
        ("- 1\n", "expected the keys and values of a task, found a list"),
        ("task: x\n", "has no metadata"),
    ):
        (tmp_path / "contest.yaml").write_text(text)
        with pytest.raises(ConfigError, match=words):
            read_task(str(tmp_path / "contest.yaml"))
