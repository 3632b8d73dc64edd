"""The grader's own judge in a child, while everything that Python is told to compile, open or start is looked at."""

import os
import sys

import relax.grading.symbolic  # noqa: F401 (its imports are not the first question's time)
from relax.grading.equivalence import judge
from tests.grading.grading_stand_ins import CANARY, touch

#: Name that stands in every text that must not be run; nothing is called so.
NAME = "canary"


def watched(golds: list[str], answer: str) -> str:
    """The judge itself."""
    _watch()
    return judge(golds, answer)


def evaluate(_: list[str], answer: str) -> str:
    """A judge that runs what it reads, watched in the same way."""
    _watch()
    try:
        return str(eval(answer))
    except NameError:  # nothing has that name
        return "wrong"


def _watch() -> None:
    if not _watching:
        _watching.append(True)
        sys.addaudithook(_look)


_watching: list[bool] = []
STARTS = ("os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "subprocess.Popen", "socket.connect")


def _look(event: str, arguments: tuple) -> None:
    named = NAME in str(arguments[0]) if event in ("compile", "open", "import") else event in STARTS
    if named and str(arguments[0]) != os.environ[CANARY]:
        touch()
