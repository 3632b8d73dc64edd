"""Which benchmarks there are. Light: it is asked before any work starts."""

from pathlib import Path
from typing import Any

from relax.errors import ConfigError

#: lm-eval task files, one a benchmark.
TASKS = Path(__file__).parent / "tasks"


def check_tasks(benchmarks: dict[str, dict[str, Any]]) -> None:
    """Refuse benchmarks whose task file does not exist.

    Args:
        benchmarks: name -> entry of the configuration, whose ``task`` is looked up.

    Raises:
        ConfigError: names the benchmark and the tasks there are.
    """
    known = sorted(path.stem for path in TASKS.glob("*.yaml"))
    for name, benchmark in benchmarks.items():
        if benchmark["task"] not in known:
            raise ConfigError(f"benchmark {name}: no task {benchmark['task']!r}; there are {', '.join(known)}.")
