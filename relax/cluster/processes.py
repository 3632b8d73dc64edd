"""Starts the commands of a plan and watches them: all end well, or all end.

The processes that train and their launcher speak through a folder on the checkpoints' disk. The first process writes
there what the user should see (`said`), each one its error (`rank-N`), and the launcher that all should stop (`stop`).
"""

import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from relax.cluster.launch import FOLDER, Command, Plan
from relax.errors import ConfigError, DataError, Interrupted, MachineError, NumericsError, RelaxError
from relax.files import writable_folder

logger = logging.getLogger("relax")

#: Seconds: between two looks, for the others to end after the first has failed, for a server to end, to be up.
LOOK, GRACE, SERVER_GRACE, SERVER_START = 0.5, 20, 60, 1800
CLASSES = {kind.exit_code: kind for kind in (ConfigError, DataError, MachineError, NumericsError, Interrupted)}


# In a process that was launched -------------------------------------------------------------------


def spoken(name: str) -> Path | None:
    """A file of the folder that a process shares with its launcher; None where it has none."""
    return Path(os.environ[FOLDER]) / name if FOLDER in os.environ else None


def rank() -> int:
    """Number of this process among those of its training."""
    return int(os.environ.get("RANK", "0"))


def listen() -> None:
    """From now on Slurm's warning is kept until the training can heed it."""
    place = spoken("stop")
    if place is None:
        return

    def keep(_number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(OSError):  # the launcher is gone
            place.touch()

    signal.signal(signal.SIGUSR1, keep)


def note(error: RelaxError) -> None:
    """Leave the error to the launcher, which has the last word."""
    place = spoken(f"rank-{rank()}")
    if place is not None:
        with contextlib.suppress(OSError):  # the launcher is gone
            new = place.with_suffix(".new")
            new.write_text(json.dumps({"code": error.exit_code, "message": str(error), "time": time.time()}))
            os.replace(new, place)


# The launcher -------------------------------------------------------------------------------------


def run(plan: Plan, checkpoints: Path, label: str, log: Path | None) -> None:
    """Start the server, then the training, and wait for its end; nothing of it is left running.

    Args:
        plan: the commands.
        checkpoints: folder on a disk that all nodes see, for the folder they speak through.
        label: of the training, for messages.
        log: file of its messages, if there is one.

    Raises:
        Interrupted: every process stopped at a checkpoint, after a signal to this one or to them.
        RelaxError: the error of the process that failed first.
        MachineError: a process ended without a word, or the server did, or the folder cannot be made.
    """
    folder = checkpoints / f"launch-{os.environ.get('SLURM_JOB_ID') or os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)  # of the same job, before it was requeued
    writable_folder(folder)
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(_stopping(folder))
            server = stack.enter_context(_server(plan, folder, log))
            trainers = [stack.enter_context(_started(command, folder)) for command in plan.trainers]
            _watch(trainers, server, folder, label, log)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _stopping(folder: Path) -> Iterator[None]:
    """Within the block, signals ask for a safe stop; a second Ctrl-C ends everything at once."""
    asked: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        (folder / "stop").touch()
        if number == signal.SIGINT:
            asked.append(number)
        if len(asked) > 1:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _start(command: Command, folder: Path, output: int | None = None) -> subprocess.Popen:
    environment = {**os.environ, **command.environment, FOLDER: str(folder.absolute())}
    environment.pop("RELAX_STOPPED", None)  # the launcher tells the job, once
    try:
        # A session of its own: Ctrl-C in a terminal is for the launcher alone, and what is left is ended together.
        return subprocess.Popen(
            command.words,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    except OSError as error:
        raise MachineError(f"{command.words[0]}: cannot be started ({error.strerror}).") from error


@contextlib.contextmanager
def _started(command: Command, folder: Path) -> Iterator[subprocess.Popen]:
    process = _start(command, folder)
    try:
        yield process
    finally:
        _end(process, signal.SIGHUP, GRACE)


def _end(process: subprocess.Popen, number: int, patience: float) -> None:
    """End a process and what it has started, however deaf."""
    if process.poll() is None:
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def _server(plan: Plan, folder: Path, log: Path | None) -> Iterator[subprocess.Popen | None]:
    """The vLLM server, when it answers; None where the plan has none."""
    if plan.server is None:
        yield None
        return
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(_server_log(log).open("ab")).fileno() if log else None
        process = _start(plan.server, folder, output)
        stack.callback(_end, process, signal.SIGTERM, SERVER_GRACE)
        logger.info("vLLM server on %s: starting", plan.address)
        begin = time.monotonic()
        while not _answers(f"{plan.address}/health"):
            if process.poll() is not None:
                raise MachineError(f"the vLLM server ended before the training began ({_end_of(process, log)}).")
            if (folder / "stop").exists():
                raise Interrupted("stopped before the training began; run it again.")
            if time.monotonic() - begin > SERVER_START:
                raise MachineError(
                    f"the vLLM server does not answer after {SERVER_START // 60} minutes ({plan.address})."
                )
            time.sleep(LOOK)
        logger.info("vLLM server on %s: up", plan.address)
        yield process


def _server_log(log: Path) -> Path:
    return log.with_name(f"{log.name}.vllm")


def _end_of(process: subprocess.Popen, log: Path | None) -> str:
    return f"exit code {process.returncode}" + (f"; its messages are in {_server_log(log)}" if log else "")


def _answers(url: str) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def _watch(
    trainers: list[subprocess.Popen], server: subprocess.Popen | None, folder: Path, label: str, log: Path | None
) -> None:
    """Wait until all have ended, or until one has failed and the others have had time to."""
    heard, deadline, gone = 0, float("inf"), False
    while any(process.poll() is None for process in trainers) and time.monotonic() < deadline:
        heard = _relay(folder / "said", heard)
        gone = gone or (server is not None and server.poll() is not None)
        if deadline == float("inf") and (gone or any(process.poll() for process in trainers)):
            deadline = time.monotonic() + GRACE
        time.sleep(LOOK)
    _relay(folder / "said", heard)
    if all(process.poll() == 0 for process in trainers):
        return
    error = _first_error(folder)
    if error is not None:
        raise error
    if gone and server is not None:
        raise MachineError(f"{label}: the vLLM server ended during the training ({_end_of(server, log)}).")
    codes = ", ".join(str(process.poll()) for process in trainers if process.poll())
    where = f"; the last messages are in {log} and {log.name}.rank*" if log else ""
    raise MachineError(f"{label}: a process ended without a word (exit code {codes}), and so did the others{where}.")


def _relay(said: Path, heard: int) -> int:
    """Log what was said since; returns how many bytes that are."""
    if not said.exists():
        return heard
    new = said.read_bytes()[heard:]
    whole = new[: new.rfind(b"\n") + 1]
    for line in whole.decode(errors="replace").splitlines():
        logger.info("%s", line)
    return heard + len(whole)


def _first_error(folder: Path) -> RelaxError | None:
    """The first error that a process left, a safe stop only where nothing else happened."""
    notes = [json.loads(path.read_text()) for path in folder.glob("rank-*[0-9]")]
    if not notes:
        return None
    stopped = Interrupted.exit_code
    first = min(notes, key=lambda one: (one["code"] == stopped, one["time"]))
    return CLASSES[first["code"]](first["message"])
