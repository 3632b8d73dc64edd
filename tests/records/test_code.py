"""The version of the code behind a stage: what changes it, what does not, and where a record is held against it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from relax.config import benchmarks, digest
from relax.config.schema import rule_of
from relax.grading import workers
from relax.records import code
from relax.tasks import TASKS
from tests.conftest import REPOSITORY

SETTINGS = {
    "data": {"source": "noisy-sum"},
    "generate": {"benchmarks": {"school": {"task": "gsm8k"}}},
    "overlap": {"benchmarks": {"school": {"task": "gsm8k"}}},
}
CACHED = (code._module, code._part, code.definitions, code._task, code._versions)
GRADING = {"train", "extract", "grade"}


@pytest.fixture
def edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str, str], None]]:
    """Edits a file of a copy of the package, which the versions are then of."""
    shutil.copytree(REPOSITORY / "relax", tmp_path / "relax", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "PACKAGE", tmp_path / "relax")
    monkeypatch.setattr(benchmarks, "TASKS", tmp_path / "relax" / "evaluation" / "tasks")

    def replaced(name: str, old: str, new: str) -> None:
        path = tmp_path / "relax" / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        forget()

    forget()
    yield replaced
    forget()


def forget() -> None:
    for function in CACHED:
        function.cache_clear()


def versions() -> dict[str, str]:
    return {verb: digest(code.code_of(verb, SETTINGS.get(verb, {}))) for verb in code.DECIDES}


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("tasks/noisy_sum.py", 'if response == "=" + answer', 'if response == "=:" + answer', GRADING),
        ("tasks/noisy_sum.py", '_CHAIN = re.compile(r"\\d', '_CHAIN = re.compile(r"\\d?', GRADING),
        ("tasks/noisy_sum.py", 'rng = random.Random(f"noisy-sum/', 'rng = random.Random(f"noisy/', {"data"}),
        ("tasks/countdown.py", "Counter(used) == Counter(numbers)", "set(used) == set(numbers)", GRADING),
        ("tasks/countdown.py", "EASY = 1 / 10", "EASY = 1 / 9", set()),  # of another source
        ("tasks/problem.py", "TEST_SHARE = 8", "TEST_SHARE = 9", {"data"}),
        ("grading/equivalence.py", "def judge(", "def judge(more=0, *", GRADING),  # runs in child processes
        ("grading/symbolic.py", "import sympy\n", "import sympy\n\nsympy.init_printing()\n", GRADING),
        ("evaluation/metrics.py", "CONFIDENCE = 0.95", "CONFIDENCE = 0.9", {"evaluate"}),
        ("evaluation/questions.py", "def _gsm8k(", "def _gsm8k(more=0, *", {"generate", "overlap"}),
        ("evaluation/tasks/_base.yaml", "top_p: 1.0", "top_p: 0.9", {"generate", "overlap"}),
        ("data/prompt.py", '{"role": "user", "content": problem}', '{"role": "human", "content": problem}',
         {"dictionary", "train", "extract", "generate"}),
        ("koopman/spectrum.py", "def singular_values(", "def singular_values(more=0, *", {"koopman"}),
        # What decides nothing.
        ("tasks/noisy_sum.py", 'digits = prompt.rstrip(":")', '# Why.\n    digits = (prompt.rstrip(":"))', set()),
        ("tasks/noisy_sum.py", "Is the response a correct", "Is it a correct", set()),
        ("tasks/noisy_sum.py", "-> bool:", '-> "bool":', set()),
        ("tasks/noisy_sum.py", "digits give fewer", "digits are few", set()),
        ("evaluation/grade_stage.py", '"%s: %s, %d responses to', '"%s: %s: %d responses to', set()),
        ("evaluation/tasks/_base.yaml", "# Shared by", "# For", set()),
    ],
)  # fmt: skip
def test_an_edit_changes_the_version_of_what_it_decides(edit, name, old, new, expected) -> None:
    before = versions()
    edit(name, old, new)
    after = versions()
    assert {verb for verb in before if before[verb] != after[verb]} == expected


def test_a_source_of_problems_has_a_version_of_its_own(edit) -> None:
    before = {source: code.code_of("data", {"source": source}) for source in TASKS}
    edit("tasks/countdown.py", "EASY = 1 / 10", "EASY = 1 / 9")
    after = {source: code.code_of("data", {"source": source}) for source in TASKS}
    assert [source for source in before if before[source] != after[source]] == ["countdown"]


def test_every_source_of_the_configuration_is_known() -> None:
    assert set(TASKS) == {*rule_of(["data", "source"])["enum"]}


def test_every_module_of_the_grader_stands_behind_the_grades() -> None:
    found = {entry.partition(":")[0] for entry in code.definitions(code.DECIDES["grade"])}
    names = ("grader", "answers", "scalars", "equivalence", "symbolic", "workers")
    assert workers.JUDGE in code.CHILD
    assert found >= {f"relax.grading.{name}" for name in names}


def test_an_entry_that_is_gone_is_an_error() -> None:
    with pytest.raises(LookupError, match="noisy_sum:problem: there is no such function"):
        code.definitions(("relax.tasks.noisy_sum:problem",))


def test_another_release_of_the_algebra_is_another_version_where_it_is_installed(monkeypatch) -> None:
    record = {"verb": "grade", "settings": {}, "code": code.code_of("grade", {})}
    assert set(record["code"]) == {"relax", *code.LIBRARIES}
    assert code.changed(record) == ""
    older = {**record, "code": {**record["code"], "sympy": "1.0"}}
    assert code.changed(older) == f"sympy 1.0, now {record['code']['sympy']}"
    monkeypatch.setattr(code, "LIBRARIES", ("math-verify",))
    forget()
    assert code.changed(older) == ""
    forget()


def test_a_record_without_the_key_is_as_good_as_before() -> None:
    assert code.changed({"verb": "grade", "settings": {}}) == ""
    assert code.changed({"verb": "tables", "settings": {}, "code": None}) == ""
