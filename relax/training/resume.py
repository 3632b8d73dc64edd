"""One process per folder of checkpoints, and stopping at a safe point."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from relax.errors import MachineError
from relax.files import lock, writable_folder

# In several processes on a CPU transformers loads the optimizer to "cpu:0", a place that torch cannot restore to.
torch.serialization.register_package(
    50, lambda storage: None, lambda storage, place: storage if place == "cpu:0" else None
)


@contextlib.contextmanager
def sole_user(folder: str | Path) -> Iterator[None]:
    """Hold a lock on a checkpoint folder; the kernel lets go of it when the process dies.

    Raises:
        MachineError: another process holds it, or there are no locks.
    """
    folder = writable_folder(folder)
    try:
        stream = lock(folder / "lock")
    except BlockingIOError as error:
        raise MachineError(f"{folder}: another process trains in this folder; wait for it or stop it.") from error
    with stream:
        yield


def any_process(flag: bool, device: torch.device) -> bool:
    """Whether the flag is set in any process of the run."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return flag
    total = torch.tensor([int(flag)], device=device)
    torch.distributed.all_reduce(total, op=torch.distributed.ReduceOp.MAX)
    return bool(total.item())


class StopSafely(TrainerCallback):
    """Turns SIGINT, SIGTERM and SIGUSR1 into a checkpoint after the running step and a clean stop.

    Args:
        file: that asks for the same when it appears; where the signal reaches a launcher only.
    """

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)

    def __init__(self, file: Path | None = None) -> None:
        self.asked, self._file = False, file

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Handle the signals within the block. Only in the main thread."""
        before = {number: signal.signal(number, self._ask) for number in self.signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        # A signal may reach one process, or several at different steps: all must stop after the same one.
        found = self._file is not None and self._file.exists()
        self.asked = any_process(self.asked or found, args.device)
        if self.asked and state.global_step < state.max_steps:
            control.should_save = True
            control.should_training_stop = True
        return control
