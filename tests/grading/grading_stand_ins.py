"""What child processes of the grader are given in place of its judge: each does one thing that they must not get away
with, and none is an input that any other program would read."""

import ctypes
import os
import time
from pathlib import Path

from relax.grading.workers import LIMIT, MEMORY

#: Environment variable: a file that is there as soon as something was done that must not be.
CANARY = "RELAX_GUARD_CANARY"


def touch(*_: object) -> str:
    """It has been called."""
    with open(os.environ[CANARY], "a"):
        return "correct"


def sleep(*_: object) -> str:
    """For longer than its limit."""
    time.sleep(10 * LIMIT)
    return "correct"


def act(golds: list[str], _: object) -> str:
    """What the first gold names."""
    return ACTIONS[golds[0]]()


def _hold() -> str:
    """Without ever coming back to the interpreter, as arithmetic of large integers does."""
    deadline = time.monotonic() + 10 * LIMIT
    while time.monotonic() < deadline:  # a signal that Python would handle cuts it short
        ctypes.PyDLL(None).sleep(int(10 * LIMIT))
    return "correct"


def _take_memory() -> str:
    return "correct" if bytearray(2 * MEMORY) else ""


def _leave() -> str:
    raise SystemExit


def _fail() -> str:
    raise RuntimeError("no answer")


def _speak() -> str:
    os.write(1, b"correct\n")
    print("correct", flush=True)
    return "wrong"


def _write() -> str:
    Path(os.environ[CANARY]).write_bytes(b"x")
    return "correct"


ACTIONS = {
    "hold": _hold, "take memory": _take_memory, "exit": lambda: os._exit(0), "abort": os.abort, "leave": _leave,
    "fail": _fail, "speak": _speak, "write": _write, "answer": lambda: "correct",
}  # fmt: skip
