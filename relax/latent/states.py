"""The hidden states at the response tokens, after the final norm, by teacher forcing."""

import inspect
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from relax.data.processor import tokenizer_of
from relax.koopman import Dictionary, TrajectoryStatistics, project, shuffle_time, trajectory_statistics
from relax.latent.rollouts import Rollout, images_of
from relax.models.policy import Processing, check_tokens, end_tokens
from relax.progress import Progress

BATCH = 64


@torch.no_grad()
def response_states(
    model: PreTrainedModel,
    rollouts: Sequence[Rollout],
    processing: Processing,
    batch: int = BATCH,
    position: str = "response",
) -> Iterator[tuple[Tensor, Tensor]]:
    """Hidden states of responses, batch by batch, in order.

    Args:
        model: any causal or image-text-to-text model; its backbone's ``last_hidden_state`` is what is read, the
            input of the language-model head.
        rollouts: responses, of this policy or another.
        processing: its tokenizer, whose padding is masked, or its processor, which reads the images.
        batch: responses at a time.
        position: ``"response"``, the states at the response's tokens, ``"predicting"``, one to the left, or
            ``"text"``, at its tokens without the one that ended it.

    Yields:
        (hidden, mask): (B, T, d) in the model's precision, T the longest response of the batch, right
        padded, and (B, T), which says where there is a state.
    """
    ends = end_tokens(model, processing)
    # Without them a model counts padding on the left as positions; those that have none do not take them.
    takes_positions = "position_ids" in inspect.signature(model.base_model.forward).parameters
    for start in range(0, len(rollouts), batch):
        rows = rollouts[start : start + batch]
        tokens, attention, mask = padded(rows, tokenizer_of(processing).pad_token_id)
        check_tokens(model, tokens, f"responses from {rows[0].id!r} on")
        seen = images_of(processing, rows, tokens)
        inputs = {"input_ids": tokens, "attention_mask": attention, **seen}
        if takes_positions and not seen:  # with images the model lays positions out in the plane by itself
            inputs["position_ids"] = (attention.cumsum(1) - 1).clamp(min=0)
        moved = {name: tensor.to(model.device) for name, tensor in inputs.items()}
        output = model.base_model(**moved, use_cache=False)
        mask = state_mask(mask, tokens[:, -mask.shape[1] :], ends, position)
        yield completion_states(output.last_hidden_state, mask.shape[1], position), mask.to(model.device)


def padded(rollouts: Sequence[Rollout], pad: int) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens (B, P + T), their attention mask and the mask (B, T) of the responses, on the CPU.

    Prompts end, and responses begin, in the same column: padding is left and right of them.
    """
    longest = max(len(r.response_ids) for r in rollouts)
    begin = max(len(r.prompt_ids) for r in rollouts)
    tokens = torch.full((len(rollouts), begin + longest), pad)
    attention = torch.zeros(len(rollouts), begin + longest, dtype=torch.long)
    for i, row in enumerate(rollouts):
        columns = slice(begin - len(row.prompt_ids), begin + len(row.response_ids))
        tokens[i, columns] = torch.tensor(row.prompt_ids + row.response_ids)
        attention[i, columns] = 1
    return tokens, attention, attention[:, begin:].clone()


def completion_states(hidden: Tensor, length: int, position: str) -> Tensor:
    """The states of the last ``length`` tokens of (B, T, d), or of the tokens before them (``"predicting"``)."""
    return hidden[:, -length - 1 : -1] if position == "predicting" else hidden[:, -length:]


def state_mask(mask: Tensor, tokens: Tensor, ends: Sequence[int], position: str) -> Tensor:
    """The mask of responses as the mask of their states: for ``"text"`` without the token that ended a response.

    Args:
        mask: (B, T), non-zero at the tokens of responses.
        tokens: (B, T).
        ends: tokens that end a response.
        position: see :func:`response_states`.

    Returns:
        (B, T) of the mask's kind.
    """
    if position != "text":
        return mask
    there = mask.bool()
    last = there & (there.cumsum(1) == there.sum(1, keepdim=True))
    return mask * ~(last & torch.isin(tokens, torch.tensor(ends, dtype=tokens.dtype, device=tokens.device)))


def state_count(rollout: Rollout, ends: Sequence[int], position: str) -> int:
    """States of a response's trajectory."""
    tokens = rollout.response_ids
    return len(tokens) - (position == "text" and bool(tokens) and tokens[-1] in ends)


def statistics_of(
    model: PreTrainedModel, rollouts: Sequence[Rollout], dictionary: Dictionary, processing: Processing
) -> TrajectoryStatistics:
    """Koopman statistics of responses under a policy; hidden states are dropped batch by batch."""
    weight = dictionary.weight.to(model.device)
    states = response_states(model, rollouts, processing, position=dictionary.settings.position)
    return TrajectoryStatistics.cat([trajectory_statistics(hidden, weight, mask) for hidden, mask in states])


def statistics_with_baseline(
    model: PreTrainedModel,
    rollouts: Sequence[Rollout],
    dictionary: Dictionary,
    processing: Processing,
    seed: int,
    batch: int = BATCH,
    progress: Progress | None = None,
) -> tuple[TrajectoryStatistics, TrajectoryStatistics]:
    """Koopman statistics of responses, and of the same states in random time order, both on the CPU.

    Args:
        model: as :func:`response_states`.
        rollouts: responses.
        dictionary: its W and its choice of states.
        processing: as for :func:`response_states`.
        seed: of the random order, the baseline that has no dynamics.
        batch: responses at a time; their states are dropped before the next.
        progress: told of the responses done.
    """
    weight = dictionary.weight.to(model.device)
    real, shuffled, seen = [], [], 0
    for hidden, mask in response_states(model, rollouts, processing, batch, dictionary.settings.position):
        psi = project(hidden, weight, mask)
        real.append(_on_cpu(TrajectoryStatistics.from_snapshots(psi, mask)))
        shuffled.append(_on_cpu(TrajectoryStatistics.from_snapshots(shuffle_time(psi, mask, seed), mask)))
        seen += len(mask)
        if progress is not None:
            progress.update(seen)
    return TrajectoryStatistics.cat(real), TrajectoryStatistics.cat(shuffled)


def _on_cpu(statistics: TrajectoryStatistics) -> TrajectoryStatistics:
    return TrajectoryStatistics.from_tensors({name: t.cpu() for name, t in statistics.to_tensors().items()})
