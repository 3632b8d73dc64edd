"""The hidden states at the response tokens, after the final norm, by teacher forcing."""

import inspect
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel

from relax.data.processor import tokenizer_of
from relax.koopman import Dictionary, TrajectoryStatistics, project, trajectory_statistics
from relax.koopman.baselines import reorder_time
from relax.koopman.fitting import pad
from relax.latent.pretrained import state_width
from relax.latent.rollouts import Rollout, images_of
from relax.models.policy import Processing, check_tokens, end_tokens
from relax.progress import Progress

#: Most responses that pass through a model at a time where they pass in the order in which they are given.
BATCH = 64
#: Numbers of states that pass at a time: tokens, padding included, times the width, which counts as WIDTH at least. A
#: layer holds some twenty times as many inside: 0.2 GB in 16 bits and 0.4 GB in float32, whatever the model.
NUMBERS = 1 << 22
#: So no more than 8,192 tokens of a narrow model.
WIDTH = 512


@torch.no_grad()
def response_states(
    model: PreTrainedModel,
    rollouts: Sequence[Rollout],
    processing: Processing,
    batch: int = BATCH,
    position: str = "response",
) -> Iterator[tuple[Tensor, Tensor]]:
    """Hidden states of responses, batch by batch, in order. A batch is as wide as its longest prompt and response, so
    that whoever has responses of many lengths gives them by :func:`length_order`.

    Args:
        model: any causal or image-text-to-text model; its backbone's ``last_hidden_state`` is what is read, the
            input of the language-model head.
        rollouts: responses, of this policy or another.
        processing: its tokenizer, whose padding is masked, or its processor, which reads the images.
        batch: responses at a time at most; fewer where they are long, see :data:`NUMBERS`.
        position: ``"response"``, the states at the response's tokens, ``"predicting"``, one to the left, or
            ``"text"``, at its tokens without the one that ended it.

    Yields:
        (hidden, mask): (B, T, d) in the model's precision, T the longest response of the batch, right
        padded, and (B, T), which says where there is a state.
    """
    ends = end_tokens(model, processing)
    # Without them a model counts padding on the left as positions; those that have none do not take them.
    takes_positions = "position_ids" in inspect.signature(model.base_model.forward).parameters
    for rows in _batches(rollouts, batch, state_width(model)):
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


def length_order(rollouts: Sequence[Rollout]) -> list[int]:
    """Places of the responses, the longest first: neighbours in a batch then need little padding."""
    return sorted(range(len(rollouts)), key=lambda i: -len(rollouts[i].response_ids))


def _batches(rollouts: Sequence[Rollout], most: int, width: int) -> Iterator[Sequence[Rollout]]:
    """Neighbours, as many as NUMBERS has room for, at least one and at most ``most``."""
    tokens = NUMBERS // max(width, WIDTH)
    start = prompt = response = 0
    for end, rollout in enumerate(rollouts):
        prompt, response = max(prompt, len(rollout.prompt_ids)), max(response, len(rollout.response_ids))
        rows = end - start
        if rows == most or (rows and (rows + 1) * (prompt + response) > tokens):
            yield rollouts[start:end]
            start, prompt, response = end, len(rollout.prompt_ids), len(rollout.response_ids)
    if rollouts:
        yield rollouts[start:]


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


def statistics_of(states: Iterable[Tensor], dictionary: Dictionary) -> TrajectoryStatistics:
    """Koopman statistics of trajectories (T, d), a few of which are held at a time."""
    return TrajectoryStatistics.cat(
        trajectory_statistics(hidden, dictionary.weight.to(hidden.device), mask) for hidden, mask in _padded(states)
    )


def _padded(states: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """Neighbours padded to the longest of them: (B, T, d), B at most BATCH, and the mask (B, T)."""
    held: list[Tensor] = []
    for row in states:
        longest = max(len(other) for other in (*held, row))
        if len(held) == BATCH or (held and (len(held) + 1) * longest * row.shape[1] > NUMBERS):
            yield pad(held)
            held = []
        held.append(row)
    if held:
        yield pad(held)


def statistics_with_baseline(
    model: PreTrainedModel,
    rollouts: Sequence[Rollout],
    dictionary: Dictionary,
    processing: Processing,
    seed: int,
    batch: int = BATCH,
    progress: Progress | None = None,
    stored: Mapping[str, Tensor] | None = None,
) -> tuple[TrajectoryStatistics, TrajectoryStatistics]:
    """Koopman statistics of responses, and of the same states in random time order, both on the CPU.

    The longest responses pass through the model first, and what is returned is in the order of ``rollouts``. Hidden
    states are dropped batch by batch.

    Args:
        model: as :func:`response_states`.
        rollouts: responses.
        dictionary: its W and its choice of states.
        processing: as for :func:`response_states`.
        seed: of the random order, the baseline that has no dynamics.
        batch: neighbours in ``rollouts`` whose random order is drawn together; nothing else depends on it.
        progress: told of the responses done.
        stored: states by the id of their response, which then does not pass through the model.
    """
    weight, known = dictionary.weight.to(model.device), {} if stored is None else stored
    order = sorted(length_order(rollouts), key=lambda i: rollouts[i].id in known)
    rows = [rollouts[i] for i in order]
    new = [row for row in rows if row.id not in known]
    read = response_states(model, new, processing, max(1, len(new)), dictionary.settings.position)
    again = _padded(known[row.id] for row in rows[len(new) :])
    drawn = _random_keys(rollouts, seed, batch)
    real, shuffled, seen = [], [], 0
    for hidden, mask in itertools.chain(read, again):
        psi = project(hidden, weight, mask)
        keys = pad_sequence([drawn[i] for i in order[seen : seen + len(mask)]], batch_first=True)
        mixed = reorder_time(psi, mask, keys[:, : mask.shape[1]])
        real.append(_on_cpu(TrajectoryStatistics.from_snapshots(psi, mask)))
        shuffled.append(_on_cpu(TrajectoryStatistics.from_snapshots(mixed, mask)))
        seen += len(mask)
        if progress is not None:
            progress.update(seen)
    place = torch.tensor(order).argsort()
    return TrajectoryStatistics.cat(real)[place], TrajectoryStatistics.cat(shuffled)[place]


def _random_keys(rollouts: Sequence[Rollout], seed: int, batch: int) -> list[Tensor]:
    """A random number for each token of the responses, (T,) each: sorted by them, states are in random order."""
    keys: list[Tensor] = []
    for start in range(0, len(rollouts), batch):
        lengths = [len(rollout.response_ids) for rollout in rollouts[start : start + batch]]
        drawn = torch.rand(len(lengths), max(lengths), generator=torch.Generator().manual_seed(seed))
        keys += [row[:length] for row, length in zip(drawn, lengths, strict=True)]
    return keys


def _on_cpu(statistics: TrajectoryStatistics) -> TrajectoryStatistics:
    return TrajectoryStatistics.from_tensors({name: t.cpu() for name, t in statistics.to_tensors().items()})
