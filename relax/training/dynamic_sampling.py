"""Dynamic sampling: groups whose responses all earn the same are replaced by further prompts.

Such a group has advantage 0 and no gradient; dropping it keeps the number of informative groups in a
batch constant. Source: Yu et al., "DAPO", arXiv 2503.14476, section 3.2. TRL has none; here are its
parts that need no trainer: which groups count, further prompts, and joining what several rounds gave.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from relax.training.relax_config import ReLaXConfig

Batch = dict[str, Any]
Rows = list[dict[str, Any]]
"""Of the data set, one a response."""

#: Padded on the left, as prompts are; every other (N, T) entry of a batch is padded on the right.
LEFT = ("prompt_ids", "prompt_mask")
#: Between the seed of the further prompts and the seeds of the trainer's own order, epoch by epoch.
SEED_OFFSET = 1_000_003


def informative_groups(rewards: Tensor, group_size: int) -> Tensor:
    """Which groups have responses that earn differently.

    Args:
        rewards: (groups x R,) of one reward function, groups next to each other; NaN is not scored.
        group_size: R.

    Returns:
        (groups,) boolean.
    """
    grouped = rewards.view(-1, group_size)
    return grouped.nan_to_num(nan=-torch.inf).amax(dim=1) > grouped.nan_to_num(nan=torch.inf).amin(dim=1)


class PromptCursor:
    """Further prompts: the data set in a random order of its own, epoch after epoch.

    Args:
        size: prompts in the data set.
        seed: of the order.

    Attributes:
        drawn: prompts handed out so far; all there is to save and to restore.
    """

    def __init__(self, size: int, seed: int) -> None:
        self.size, self.seed, self.drawn = size, seed, 0

    def take(self, count: int) -> list[int]:
        """Indices of the next ``count`` prompts."""
        indices: list[int] = []
        while len(indices) < count:
            epoch, start = divmod(self.drawn, self.size)
            generator = torch.Generator().manual_seed(self.seed + SEED_OFFSET * (epoch + 1))
            order = torch.randperm(self.size, generator=generator)
            part = order[start : start + count - len(indices)].tolist()
            indices += part
            self.drawn += len(part)
        return indices


class Resampling:
    """Fills generation batches with informative groups, in as many rounds on every process.

    Args:
        dataset: of the training, with a length.
        args: of the training.
        cursor: which further prompts come next.
        pad: padding token.
        accelerator: its processes.
    """

    def __init__(
        self, dataset: Any, args: ReLaXConfig, cursor: PromptCursor, pad: int, accelerator: Accelerator
    ) -> None:
        self.dataset, self.cursor, self.pad, self.accelerator = dataset, cursor, pad, accelerator
        self.group_size, self.rounds = args.num_generations, args.dynamic_sampling_rounds

    def fill(self, inputs: Rows, score: Callable[[Rows, int], tuple[Batch, Tensor]]) -> tuple[Batch, int]:
        """A batch of as many rows as ``inputs``, informative groups before the others, and the rounds it took.

        Args:
            inputs: rows of the data set of this process, each prompt R times.
            score: rows and the number of the round, from 0, to a generation batch and which groups of all processes
                are informative.

        Returns:
            The batch, with ``relax_informative`` (N,) and the ``num_items_in_batch`` of such rows alone; rounds.
        """
        size, group = len(inputs), self.group_size
        groups, rounds = size // group, 0
        kept: list[Batch] = []
        spare: list[Batch] = []
        while True:
            batch, informative = score(inputs, rounds)
            rounds += 1
            first = self.accelerator.process_index * len(inputs) // group
            rows = informative[first : first + len(inputs) // group].repeat_interleave(group)
            kept.append(take_rows(batch, rows.nonzero().squeeze(1)))
            spare.append(take_rows(batch, (~rows).nonzero().squeeze(1)))
            found = sum(len(part["advantages"]) for part in kept) // group
            lacking = torch.tensor([groups - found], device=self.accelerator.device)
            missing = int(self.accelerator.gather(lacking).max())
            if missing <= 0 or rounds == self.rounds:
                return self._joined(kept, spare, min(found, groups) * group, size), rounds
            inputs = self._further(missing)

    def _further(self, groups: int) -> Rows:
        """Rows of ``groups`` prompts for this process, each prompt R times."""
        indices = self.cursor.take(groups * self.accelerator.num_processes)
        first = self.accelerator.process_index * groups
        return [self.dataset[i] for i in indices[first : first + groups] for _ in range(self.group_size)]

    def _joined(self, kept: list[Batch], spare: list[Batch], informative: int, size: int) -> Batch:
        batch = join([*kept, *spare], self.pad)
        batch = take_rows(batch, torch.arange(size, device=batch["advantages"].device))
        counts = torch.arange(size, device=batch["advantages"].device) < informative
        batch["relax_informative"] = counts
        mask = batch["completion_mask"] * batch.get("tool_mask", 1) * counts[:, None]
        batch["num_items_in_batch"] = self.accelerator.gather(mask.sum()).sum()
        return batch


def take_rows(batch: Batch, rows: Tensor) -> Batch:
    """Some trajectories of a batch: tensors and lists by row, numbers as they are."""
    return {
        name: value[rows]
        if isinstance(value, Tensor) and value.ndim
        else [value[i] for i in rows.tolist()]
        if isinstance(value, list)
        else value
        for name, value in batch.items()
    }


def join(batches: Iterable[Batch], pad: int) -> Batch:
    """One batch from several of the same kind, padded to the longest prompt and response.

    Args:
        batches: at least one; the first one's numbers (such as ``num_items_in_batch``) are kept.
        pad: padding token; masks and log-probabilities are padded with 0.
    """
    parts = list(batches)
    joined: Batch = {}
    for name, value in parts[0].items():
        values = [part[name] for part in parts]
        if isinstance(value, list):
            joined[name] = [item for items in values for item in items]
        elif value.ndim == 2:
            joined[name] = torch.cat(_padded(values, pad if name.endswith("_ids") else 0, name in LEFT))
        else:
            joined[name] = torch.cat(values) if value.ndim else value
    return joined


def _padded(values: list[Tensor], fill: int, left: bool) -> list[Tensor]:
    width = max(value.shape[1] for value in values)
    gaps = [width - value.shape[1] for value in values]
    return [
        torch.nn.functional.pad(value, (gap, 0) if left else (0, gap), value=fill)
        for value, gap in zip(values, gaps, strict=True)
    ]
