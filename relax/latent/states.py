"""The hidden states at the response tokens, after the final norm, by teacher forcing."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from relax.koopman import TrajectoryStatistics, trajectory_statistics
from relax.latent.rollouts import Rollout

BATCH = 64


@torch.no_grad()
def response_states(
    model: PreTrainedModel, rollouts: Sequence[Rollout], pad: int, batch: int = BATCH
) -> Iterator[tuple[Tensor, Tensor]]:
    """Hidden states of responses, batch by batch, in order.

    Args:
        model: any causal language model; its backbone's ``last_hidden_state`` is what is read, the
            input of the language-model head.
        rollouts: responses, of this policy or another.
        pad: token id for padding; padded positions are masked.

    Yields:
        (hidden, mask): (B, T, d) in the model's precision, T the longest response of the batch, right
        padded, and (B, T).
    """
    for start in range(0, len(rollouts), batch):
        rows = rollouts[start : start + batch]
        longest = max(len(r.response_ids) for r in rows)
        width = max(len(r.prompt_ids) for r in rows) + longest
        tokens = torch.full((len(rows), width), pad)
        attention = torch.zeros(len(rows), width, dtype=torch.long)
        mask = torch.zeros(len(rows), longest, dtype=torch.long)
        for i, row in enumerate(rows):
            # Prompts end, and responses begin, in the same column: padding left and right of them.
            begin = width - longest
            tokens[i, begin - len(row.prompt_ids) : begin] = torch.tensor(row.prompt_ids)
            tokens[i, begin : begin + len(row.response_ids)] = torch.tensor(row.response_ids)
            attention[i, begin - len(row.prompt_ids) : begin + len(row.response_ids)] = 1
            mask[i, : len(row.response_ids)] = 1
        positions = (attention.cumsum(1) - 1).clamp(min=0)
        output = model.base_model(
            input_ids=tokens.to(model.device),
            attention_mask=attention.to(model.device),
            position_ids=positions.to(model.device),
            use_cache=False,
        )
        yield output.last_hidden_state[:, -longest:], mask.to(model.device)


def statistics_of(
    model: PreTrainedModel, rollouts: Sequence[Rollout], weight: Tensor, pad: int
) -> TrajectoryStatistics:
    """Koopman statistics of responses under a policy; hidden states are dropped batch by batch."""
    weight = weight.to(model.device)
    return TrajectoryStatistics.cat(
        [trajectory_statistics(hidden, weight, mask) for hidden, mask in response_states(model, rollouts, pad)]
    )
