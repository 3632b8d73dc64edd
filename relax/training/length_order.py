"""Rows of different lengths: which share a pass, and what of their padding is cut off.

Response lengths are heavy-tailed, and TRL pads a whole generation batch to its longest response. Rows of like length
that share a pass, cut to their own longest, leave nearly no padding. Nothing in the objective depends on which rows do.

Shapes: a batch has N rows of P prompt tokens, padded on the left, and C completion tokens, padded on the right.
"""

from typing import NamedTuple

import torch
from accelerate import Accelerator
from torch import Tensor

from relax.training.dynamic_sampling import LEFT, Batch, join, take_rows


class Cut(NamedTuple):
    """Rows without the columns of padding that all of them share: (B, p + ``keep``) tokens, and their mask."""

    tokens: Tensor
    attention: Tensor
    keep: int


def cut(tokens: Tensor, attention: Tensor, completion: int, left: bool = True) -> Cut:
    """Rows cut to the longest prompt and the longest completion among them, at least one column of each.

    Args:
        tokens, attention: (B, P + C).
        completion: C.
        left: cut the prompt's side too. Not for a model that counts padding on the left as positions.
    """
    used = attention.bool().any(dim=0).nonzero().squeeze(1).tolist()
    prompt = attention.shape[1] - completion
    begin = min(used[0], prompt - 1) if left else 0
    end = max(used[-1], prompt) + 1
    return Cut(tokens[:, begin:end], attention[:, begin:end], end - prompt)


def longest_first(prompts: Tensor, completions: Tensor) -> Tensor:
    """(N,) rows by descending length of the completion, then of the prompt; equal ones stay in their order.

    The longest come first, so that memory which does not suffice is missed at once.
    """
    by_prompt = prompts.argsort(descending=True, stable=True)
    return by_prompt[completions[by_prompt].argsort(descending=True, stable=True)]


def by_tokens(prompts: Tensor, completions: Tensor, budget: int) -> list[Tensor]:
    """Rows as passes of at most ``budget`` tokens, padding included; a longer row has a pass of its own.

    Args:
        prompts, completions: (N,) tokens.
        budget: tokens of a pass.

    Returns:
        Rows of each pass, the longest completions first.
    """
    passes: list[list[int]] = []
    widest = (0, 0)
    for row in longest_first(prompts, completions).tolist():
        wider = max(widest[0], int(prompts[row])), max(widest[1], int(completions[row]))
        if passes and (len(passes[-1]) + 1) * sum(wider) <= budget:
            passes[-1].append(row)
            widest = wider
        else:
            passes.append([row])
            widest = int(prompts[row]), int(completions[row])
    return [torch.tensor(rows, device=prompts.device) for rows in passes]


def common_passes(prompts: Tensor, completions: Tensor, budget: int, accelerator: Accelerator) -> list[Tensor]:
    """Passes of :func:`by_tokens` with as many rows in every process, since TRL gathers its metrics row by row.

    The rows of all processes that have the same place in the order of length count as the longest of them.
    """
    order = longest_first(prompts, completions)
    mine = torch.stack([prompts[order], completions[order]])[None]
    longest = accelerator.gather(mine).amax(dim=0)
    return [order[places] for places in by_tokens(longest[0], longest[1], budget)]


def lengths(batch: Batch) -> tuple[Tensor, Tensor]:
    """(N,) tokens of the prompts and of the completions of a batch."""
    return batch["prompt_mask"].sum(dim=1), batch["completion_mask"].sum(dim=1)


def ordered(batches: list[Batch], window: int, accelerator: Accelerator) -> list[Batch]:
    """The micro-batches of a generation, the rows of each optimizer step by length.

    Of several processes each gets as many rows, and as nearly as that allows as many tokens.

    Args:
        batches: TRL's, of one width and of as many rows each.
        window: micro-batches of an optimizer step.
        accelerator: its processes.
    """
    size = len(batches[0]["advantages"])
    found: list[Batch] = []
    for first in range(0, len(batches), window):
        step = join(batches[first : first + window], 0)
        if accelerator.num_processes > 1:
            step = {name: _of_all(name, value, accelerator) for name, value in step.items()}
        rows = dealt(longest_first(*lengths(step)), accelerator.process_index, accelerator.num_processes)
        found += [take_rows(step, part) for part in rows.split(size)]
    return found


def dealt(rows: Tensor, process: int, processes: int) -> Tensor:
    """A process's share of rows in the order of their length, dealt to and fro: 0 1 2 2 1 0 0 1 2 and so on."""
    rounds = rows.view(-1, processes)
    turned = torch.arange(len(rounds), device=rows.device) % 2 == 1
    return torch.where(turned, rounds[:, processes - 1 - process], rounds[:, process])


def _of_all(name: str, value: Tensor, accelerator: Accelerator) -> Tensor:
    """Rows of all processes, padded to the widest."""
    if not value.ndim:
        return value
    if value.ndim > 1:
        value = accelerator.pad_across_processes(value, dim=1, pad_first=name in LEFT)
    return accelerator.gather(value)
