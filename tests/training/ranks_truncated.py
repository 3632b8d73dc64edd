"""One process of two, of which the first has no response to read before the dictionary is fitted.

Started by test_ranks.py with the environment of torchrun: ``python ranks_truncated.py POLICY FOLDER``.
"""

import json
import os
import sys
from pathlib import Path

from transformers import TrainerCallback

from tests.training.trainer_fixture import Scripted, trainer

MASKED = [-12] * 8


class Waits(TrainerCallback):
    """Whether the dictionary was still unknown after each step."""

    def __init__(self) -> None:
        self.waited: list[bool] = []
        self.made: Scripted | None = None

    def on_step_end(self, args, state, control, **kwargs):
        self.waited.append(self.made.exploration.dictionary is None)


def main(policy: Path, folder: Path) -> None:
    rank = int(os.environ["RANK"])
    made = trainer(
        policy, folder / "run", Scripted, alpha=0.1, xi="q50", koopman_dim=6, mask_truncated_completions=True,
        max_steps=2,
    )  # fmt: skip
    made.lengths = (MASKED, MASKED) if rank == 0 else (MASKED, [9, -12, -12, 6, -12, 7, -12, 11])
    waits = Waits()
    waits.made = made
    made.add_callback(waits)
    left = []
    note = made.note

    def noted(name: str, value: float) -> None:
        left.extend([value] if name == "relax/left_out" else [])
        note(name, value)

    made.exploration.note = noted
    made.train()
    kept = {**made.exploration.state(), "waited": waits.waited, "left_out": left}
    (folder / f"rank-{rank}.json").write_text(json.dumps(kept))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
