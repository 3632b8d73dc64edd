"""Which benchmarks there are and what is known of each. Light: it is asked before any work starts.

The one place where a benchmark is described is its lm-eval task file in ``relax/evaluation/tasks``; this module
reads those files without lm-eval. Files whose name starts with an underscore are shared by others.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from relax.errors import ConfigError
from relax.reading import YAMLLoader, read_yaml

#: lm-eval task files, one a benchmark.
TASKS = Path(__file__).parents[1] / "evaluation" / "tasks"


@dataclass(frozen=True)
class Benchmark:
    """Where the questions of a benchmark come from; the ``metadata`` of its task file.

    Attributes:
        benchmark: name, which decides how a row becomes a question.
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

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> "Benchmark":
        """Of a task's metadata; keys that are not described above are passed over."""
        values: dict[str, Any] = {field.name: metadata[field.name] for field in fields(cls)}
        return cls(**values | {name: tuple(values[name]) for name in ("configs", "splits")})


def names() -> list[str]:
    """Every task there is, by the name of its file."""
    return sorted(path.stem for path in TASKS.glob("*.yaml") if not path.name.startswith("_"))


def check_tasks(benchmarks: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse benchmarks whose task file does not exist.

    Args:
        benchmarks: name -> entry of the configuration, whose ``task`` is looked up.

    Raises:
        ConfigError: names the benchmark, the nearest task and all there are.
    """
    for name, benchmark in benchmarks.items():
        _require(benchmark["task"], f"benchmark {name}: ")


def read_task(name: str) -> dict[str, Any]:
    """A task file merged over the files it includes; functions are left as text, ``utils.load``.

    Raises:
        ConfigError: no such task.
    """
    _require(name)
    return _read(TASKS / f"{name}.yaml")


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
    if task in known:
        return
    nearest = difflib.get_close_matches(task, known, n=1)
    meant = f"did you mean {nearest[0]}? " if nearest else ""
    raise ConfigError(f"{prefix}no task {task!r}; {meant}there are {', '.join(known)}.")


class _Loader(YAMLLoader):
    """Reads lm-eval's ``!function`` tag as text."""


_Loader.add_constructor("!function", lambda loader, node: str(node.value))


def _read(path: Path) -> dict[str, Any]:
    # As lm-eval merges: key by key of the top level, the including file last.
    task = read_yaml(path, "task file", _Loader)
    included = task.pop("include", None)
    return (_read(path.parent / included) if included else {}) | task
