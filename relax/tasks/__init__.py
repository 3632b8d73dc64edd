"""The tasks, one file each: its settings, problems, verifier, metrics and demonstrations.

Every module of this folder that holds a ``TASK`` is a task, so a new one is a new file and nothing else. Light: the
configuration reads the settings of every task, so what a file needs beyond the standard library it imports inside its
functions.
"""

import pkgutil
from importlib import import_module

from relax.tasks.task import Task

#: On what a policy made from scratch is warmed up where ``data.source`` has no demonstrations for it: one of text, and
#: one that sees.
TEXT, SEEING = "noisy-sum", "visual"


def _found() -> dict[str, Task]:
    modules = (import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
    return {module.TASK.name: module.TASK for module in modules if hasattr(module, "TASK")}


#: Name -> task, in the order of the files' names.
TASKS: dict[str, Task] = _found()
#: Those whose problems have a verifier of their own.
VERIFIED = tuple(name for name, task in TASKS.items() if task.verify is not None or task.check is not None)
#: Those whose scores are given by subset too.
BY_SUBSET = tuple(name for name, task in TASKS.items() if name in VERIFIED or task.by_subset)


def warm_up_task(source: str, sees: bool) -> Task:
    """The task whose demonstrations a policy made from scratch learns from.

    Args:
        source: the configuration's ``data.source``.
        sees: the policy has a vision tower.

    Returns:
        The source, or where it has no such demonstrations :data:`SEEING` or :data:`TEXT`.
    """
    task = TASKS[source]
    return task if (task.drawn if sees else task.demonstrations) else TASKS[SEEING if sees else TEXT]
