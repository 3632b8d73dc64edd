"""Hidden states of many responses, in a temporary file instead of in memory."""

import errno
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, overload

import torch
from torch import Tensor
from transformers import PreTrainedModel

from relax.files import writable_folder, writing
from relax.latent.rollouts import Rollout
from relax.latent.states import BATCH, response_states
from relax.models.policy import Processing
from relax.progress import Progress


class _Place(NamedTuple):
    """Where the states of a response are in the file, and what they are."""

    offset: int
    length: int
    width: int
    kind: torch.dtype


class StoredStates(Mapping[str, Tensor]):
    """States (T, d) by the id of their response, each read from the file when it is asked for.

    The file has no name: the system removes it when it is closed, or when the process ends, however it ends.

    Args:
        folder: whose disk has room for it; made where it is missing.
        device: on which states are given back.

    Raises:
        MachineError: the folder cannot be written, its disk is full, or it cannot be read again.
    """

    def __init__(self, folder: str | Path, device: torch.device | str = "cpu") -> None:
        self.folder, self.device = writable_folder(folder), device
        with writing(self.folder):
            # Unbuffered: what a full disk has not taken is said by the write, and by nothing later.
            self._file = tempfile.TemporaryFile(dir=self.folder, buffering=0)  # noqa: SIM115 - closed at the exit
        self._places: dict[str, _Place] = {}
        self._end = 0

    def __enter__(self) -> "StoredStates":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def add(self, name: str, states: Tensor) -> None:
        """Write the states (T, d) of a response, behind those that are there."""
        length, width = states.shape
        plain = states.cpu().clone(memory_format=torch.contiguous_format)
        left = plain.reshape(-1).view(torch.uint8).numpy().data
        self._places[name] = _Place(self._end, length, width, states.dtype)
        with writing(self.folder):
            self._file.seek(self._end)
            self._end += len(left)
            while left:
                left = left[self._file.write(left) :]

    def length(self, name: str) -> int:
        """T, without reading."""
        return self._places[name].length

    def __getitem__(self, name: str) -> Tensor:
        place = self._places[name]
        states = torch.empty(place.length, place.width, dtype=place.kind)
        left = states.reshape(-1).view(torch.uint8).numpy().data
        with writing(self.folder):
            self._file.seek(place.offset)
            while left:
                read = self._file.readinto(left)
                if not read:
                    raise OSError(errno.EIO, "the temporary file of hidden states has been cut")
                left = left[read:]
        return states.to(self.device)

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class Chosen(Sequence[Tensor]):
    """Some of many trajectories, in an order of their own; none of them is held.

    Args:
        states: all of them, by id or in a sequence.
        keys: ids or places.
    """

    def __init__(self, states: "Mapping[str, Tensor] | Sequence[Tensor]", keys: Sequence[str] | Sequence[int]) -> None:
        self._states: Any = states
        self._keys = keys

    @overload
    def __getitem__(self, index: int) -> Tensor: ...
    @overload
    def __getitem__(self, index: slice) -> "Chosen": ...
    def __getitem__(self, index: int | slice) -> "Tensor | Chosen":
        if isinstance(index, slice):
            return Chosen(self._states, self._keys[index])
        states: Tensor = self._states[self._keys[index]]
        return states

    def __len__(self) -> int:
        return len(self._keys)


def store_states(
    stored: StoredStates,
    model: PreTrainedModel,
    rollouts: Sequence[Rollout],
    processing: Processing,
    position: str,
    batch: int = BATCH,
    progress: Progress | None = None,
) -> None:
    """Add the states of responses, whose ids are unique; arguments as :func:`relax.latent.states.response_states`."""
    seen = 0
    for hidden, mask in response_states(model, rollouts, processing, batch, position):
        for row, length in zip(hidden, mask.sum(dim=1).tolist(), strict=True):
            stored.add(rollouts[seen].id, row[:length])
            seen += 1
        if progress is not None:
            progress.update(seen)
