"""A pool of child processes for what may take any time and memory: each is killed at its limit and replaced.

A child is a fresh interpreter, no fork: the parent may hold threads, torch and a CUDA context. It imports math-verify
and nothing of torch, reads JSON lines of strings from its standard input, and ends when that closes, so that it never
outlives its parent. Its time is limited twice, by the parent and by an alarm of its own that ends it even in the midst
of a big-integer power; in the parent there is no alarm, and any thread may ask.
"""

import atexit
import contextlib
import json
import os
import pkgutil
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from relax.errors import MachineError

#: Seconds for one question, from when a child begins on it.
LIMIT = 4.5
#: Bytes of address space a child may use; math-verify itself takes 0.1 GB.
MEMORY = 1 << 30
#: Seconds for a child to import math-verify on a busy machine.
_START = 120
#: What answers the questions in a child: module and name of a function of golds and answer.
JUDGE = "relax.grading.equivalence:judge"
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from relax.grading.workers import serve; serve(sys.argv[2])"
)


class _Child:
    """One child process; of one thread at a time."""

    def __init__(self, judge: str) -> None:
        path = [entry for entry in sys.path if isinstance(entry, str)]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, json.dumps(path), judge],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is the parent's business
        )
        if self._line(_START) != "ready":
            self.stop()
            raise MachineError(
                f"a child process for grading did not start ({sys.executable}); see its message above, "
                "and check that `python -c 'import math_verify'` works."
            )

    def ask(self, question: Sequence[object]) -> str | None:
        """The child's answer; None if it reached its time limit.

        Raises:
            BrokenPipeError: the child is gone, and not for want of time.
        """
        begin = time.monotonic()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        self._process.stdin.flush()
        answer = self._line(LIMIT)
        if answer is None and time.monotonic() - begin < LIMIT:
            raise BrokenPipeError
        return answer

    def _line(self, seconds: float) -> str | None:
        """One line of the child; None at the end of the time or of the child."""
        assert self._process.stdout is not None
        descriptor, end, text = self._process.stdout.fileno(), time.monotonic() + seconds, b""
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        while not text.endswith(b"\n"):
            if not poll.poll(max(0, end - time.monotonic()) * 1000):
                return None
            read = os.read(descriptor, 4096)
            if not read:
                return None
            text += read
        return text.decode().strip()

    def stop(self) -> None:
        """Kill it and wait for its end."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


class Pool:
    """Children that are started when they are first needed.

    Args:
        size: most children at a time.
        judge: as :data:`JUDGE`, which is the grader's; another one shows what a child is kept from.
    """

    def __init__(self, size: int = 2, judge: str = JUDGE) -> None:
        self._size, self._judge = size, judge
        self._idle: list[_Child] = []
        self._running = 0
        self._change = threading.Condition()

    def grow(self, size: int) -> None:
        """Allow at least this many children."""
        with self._change:
            self._size = max(self._size, size)
            self._change.notify_all()

    def ask(self, question: Sequence[object]) -> str | None:
        """Put a question to the next free child, waiting for one without limit.

        Args:
            question: what :func:`serve` understands; strings and lists of strings.

        Returns:
            The child's answer; None if it reached its limit of time or memory.

        Raises:
            MachineError: no child can be started.
        """
        for _ in range(2):  # a child that was killed from outside has said nothing about the question
            child = self._take()
            try:
                answer = child.ask(question)
            except BrokenPipeError:
                self._give_back(child, alive=False)
                continue
            except BaseException:
                self._give_back(child, alive=False)
                raise
            self._give_back(child, alive=answer is not None and answer != "memory")
            return None if answer == "memory" else answer
        return None

    def close(self) -> None:
        """Stop all children that have nothing to do."""
        with self._change:
            while self._idle:
                self._idle.pop().stop()
                self._running -= 1

    def _take(self) -> _Child:
        with self._change:
            self._change.wait_for(lambda: self._idle or self._running < self._size)
            if self._idle:
                return self._idle.pop()
            self._running += 1
        try:
            return _Child(self._judge)
        except BaseException:
            with self._change:
                self._running -= 1
                self._change.notify()
            raise

    def _give_back(self, child: _Child, alive: bool) -> None:
        if not alive:
            child.stop()
        with self._change:
            if alive:
                self._idle.append(child)
            else:
                self._running -= 1
            self._change.notify()


_pool = Pool()


def pool() -> Pool:
    """The pool of this process."""
    return _pool


def _forget() -> None:
    """After a fork: the children belong to the parent."""
    global _pool
    _pool = Pool()


atexit.register(lambda: _pool.close())
os.register_at_fork(after_in_child=_forget)


# In the child -----------------------------------------------------------------------------------


def serve(judge: str) -> None:
    """Answer questions until the standard input closes. The child's main program.

    Args:
        judge: as :data:`JUDGE`.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"):  # a scheduler sends them to every process
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    answer = pkgutil.resolve_name(judge)
    if judge == JUDGE:  # it would be imported with the first question, whose time that is not
        import relax.grading.symbolic  # noqa: F401
    answers = os.fdopen(os.dup(1), "w")
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    print("ready", file=answers, flush=True)
    os.dup2(quiet, 2)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it has nothing to write
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin:
        # The alarm's default action ends the process: the parent may be gone by then.
        signal.setitimer(signal.ITIMER_REAL, LIMIT + 0.5)
        try:
            verdict = answer(*json.loads(line))
        except MemoryError:
            verdict = "memory"
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(verdict, file=answers, flush=True)
