"""When a run has left the answer-prior trap: the definition of the study, fixed before its runs."""

from collections.abc import Sequence

#: More than this share of the responses must be chains, throughout so many optimizer steps.
SHARE, STEPS = 0.5, 10


def step_of_escape(chain_share: Sequence[float], updates: int = 1) -> int | None:
    """The first step from which more than half of the responses are chains in all generations of ten steps.

    Counted are chains and not the absence of rote answers, so that a policy that falls apart has not escaped; and
    ten steps, so that one lucky batch has not either. A run that starts above one half would have escaped at step 1.

    Args:
        chain_share: ``strategy/chain`` of the generations of a run in their order (``metrics.jsonl``, which holds it
            at the steps that generate).
        updates: optimizer steps on each generation (``training.updates_per_generation``).

    Returns:
        The step, from 1; None for a run that stays, or that leaves fewer than ten steps before its end.
    """
    needed, above = -(-STEPS // updates), 0
    for number, share in enumerate(chain_share):
        above = above + 1 if share > SHARE else 0
        if above == needed:
            return (number - needed + 1) * updates + 1
    return None
