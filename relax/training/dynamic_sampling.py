"""Dynamic sampling: groups whose responses all earn the same are replaced by further prompts.

Such a group has advantage 0 and no gradient; dropping it keeps the number of informative groups in a
batch constant. Source: Yu et al., "DAPO", arXiv 2503.14476, section 3.2. TRL has none; here are its
parts that need no trainer: which groups count, further prompts, and joining what several rounds gave.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

Batch = dict[str, Any]

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


def take_rows(batch: Batch, rows: Tensor) -> Batch:
    """Some trajectories of a batch: tensors and lists by row, numbers as they are."""
    return {
        name: value[rows] if isinstance(value, Tensor) and value.ndim else
        [value[i] for i in rows.tolist()] if isinstance(value, list) else value
        for name, value in batch.items()
    }  # fmt: skip


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
