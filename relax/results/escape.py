"""When a run has left the answer-prior trap: the definition of the study, fixed before its runs."""

from collections.abc import Sequence

#: More than this share of the responses must be chains, at so many steps in a row.
SHARE, STEPS = 0.5, 10


def step_of_escape(chain_share: Sequence[float]) -> int | None:
    """The first step from which more than half of the responses are chains at ten steps in a row.

    Counted are chains and not the absence of rote answers, so that a policy that falls apart has not escaped; and
    ten steps, so that one lucky batch has not either. A run that starts above one half would have escaped at step 1.

    Args:
        chain_share: ``strategy/chain`` of steps 1, 2, ... of a run (``metrics.jsonl``).

    Returns:
        The step, from 1; None for a run that stays, or that leaves fewer than ten steps before its end.
    """
    above = 0
    for step, share in enumerate(chain_share, start=1):
        above = above + 1 if share > SHARE else 0
        if above == STEPS:
            return step - STEPS + 1
    return None
