"""Which benchmarks there are and what is known of each. Light: it is asked before any work starts.

The one place where a benchmark is described is its lm-eval task file, in ``relax/evaluation/tasks`` or wherever its
user keeps one; this module reads those files without lm-eval. Files whose name starts with an underscore are shared by
others. The held-out problems of ``data`` are a benchmark too, by ``_problems.yaml``.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from relax import tasks
from relax.errors import ConfigError
from relax.reading import YAMLLoader, kind, read_yaml

#: lm-eval task files, one a benchmark.
TASKS = Path(str(files("relax") / "evaluation" / "tasks"))
#: The file of all benchmarks that are asked the held-out problems of `data`.
PROBLEMS = "_problems.yaml"
#: The name of that benchmark, whatever `data.source` is; the name of any task means the same.
HELD_OUT = "held-out"


@dataclass(frozen=True)
class Benchmark:
    """Where the questions of a benchmark come from; the ``metadata`` of its task file.

    Attributes:
        benchmark: name, which decides how a row becomes a question where ``columns`` does not.
        version: of the task: a new one for another prompt, gold or data revision.
        repo: data set on the hub.
        revision: its commit, or ``unpinned`` where none is known.
        configs: configurations (subsets) of the data set that are joined, in this order.
        splits: splits that are joined.
        rows: questions there must be.
        digest: SHA-256 of the questions (`relax.evaluation.benchmarks.questions_digest`); None where no complete copy
            has been seen.
        samples: responses to each question in the paper; 1 is greedy.
        published: day the questions became public, to set beside a model's training data.
        columns: where a question is a text and its answer, the columns of the ``question`` and the ``answer``, and
            where there are such, of the ``id`` and the ``subset``; None where `relax.evaluation.questions` reads a row.
    """

    benchmark: str
    version: float
    repo: str
    revision: str
    configs: tuple[str, ...]
    splits: tuple[str, ...]
    rows: int
    digest: str | None
    samples: int
    published: str
    columns: Mapping[str, str] | None = None

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> "Benchmark":
        """The benchmark that a task's metadata describes; keys that are not described above are passed over.

        Raises:
            ConfigError: a key is missing, or the columns are not those above.
        """
        task, columns = f"task {metadata.get('benchmark', '')}: its metadata", metadata.get("columns")
        needed = [field.name for field in fields(cls) if field.name != "columns"]
        if missing := [name for name in needed if name not in metadata]:
            raise ConfigError(f"{task} lacks {missing[0]!r}; add it to the task file.")
        asked = columns.keys() if isinstance(columns, dict) else set()
        if columns is not None and not {"question", "answer"} <= asked <= {"question", "answer", "id", "subset"}:
            raise ConfigError(
                f"{task} says columns {columns!r}; expected those of question and answer, and if there are such of id "
                "and subset."
            )
        values: dict[str, Any] = {name: metadata[name] for name in needed}
        return cls(**values | {name: tuple(values[name]) for name in ("configs", "splits")}, columns=columns)


def names() -> list[str]:
    """Every benchmark that the package knows: by the name of its file, or as the held-out problems."""
    files = {path.stem for path in TASKS.glob("*.yaml") if not path.name.startswith("_")}
    return sorted(files | _own())


def _own() -> set[str]:
    return {HELD_OUT, *(task.key for task in tasks.TASKS.values())}


def task_file(name: str) -> Path:
    """The file that describes a benchmark.

    Args:
        name: of the benchmark, or the path of a user's own file, which ends in ``.yaml``.
    """
    if name.endswith(".yaml"):
        return Path(name)
    file = TASKS / f"{name}.yaml"
    return TASKS / PROBLEMS if name in _own() and not file.exists() else file


def asks_held_out(name: str) -> bool:
    """Whether a benchmark asks the held-out problems of ``data``, by the name of its task."""
    return task_file(name) == TASKS / PROBLEMS


def check_tasks(tasks: Mapping[str, str]) -> None:
    """Refuse benchmarks whose task file does not exist.

    Args:
        tasks: benchmark -> name of its task.

    Raises:
        ConfigError: names the benchmark, the nearest task and all there are.
    """
    for name, task in tasks.items():
        _require(task, f"benchmark {name}: ")


def read_task(name: str) -> dict[str, Any]:
    """A task file merged over the files it includes; functions are left as text, ``utils.load``.

    Raises:
        ConfigError: no such task.
    """
    _require(name)
    path = task_file(name)
    task = _read(path) | ({"task": name} if name in _own() else {})
    if not isinstance(task.get("metadata"), dict):
        raise ConfigError(f"{path}: has no metadata; expected what relax/evaluation/tasks/math500.yaml says of itself.")
    return task


def find(name: str) -> Benchmark:
    """What is known of a benchmark.

    Raises:
        ConfigError: no such task, or one whose problems the pipeline makes itself.
    """
    metadata = read_task(name)["metadata"]
    if "repo" not in metadata:
        raise ConfigError(f"task {name} has no data set of its own; its problems come from the `data` stage.")
    return Benchmark.from_metadata(metadata)


def _require(task: str, prefix: str = "") -> None:
    known = names()
    if task in known or (task.endswith(".yaml") and Path(task).is_file()):
        return
    if task.endswith(".yaml"):
        raise ConfigError(f"{prefix}no task file {task}; put it there, or name another.")
    nearest = difflib.get_close_matches(task, known, n=1)
    meant = f"did you mean {nearest[0]}? " if nearest else ""
    raise ConfigError(f"{prefix}no task {task!r}; {meant}there are {', '.join(known)}.")


class _Loader(YAMLLoader):
    """Reads lm-eval's ``!function`` tag as text."""


_Loader.add_constructor("!function", lambda loader, node: str(node.value))


def _read(path: Path) -> dict[str, Any]:
    # As lm-eval merges: key by key of the top level, the including file last.
    task = read_yaml(path, "task file", _Loader)
    if not isinstance(task, dict):
        raise ConfigError(f"{path}: expected the keys and values of a task, found {kind(task)}.")
    if (included := task.pop("include", None)) is None:
        return task
    # What a user's file includes is one of ours where it is not the user's.
    beside = path.parent / included
    return _read(beside if beside.exists() else TASKS / included) | task
