"""One process of several: trains one step without and with the term, keeps batches and gradients.

Started by test_ranks.py with the environment of torchrun: ``python ranks.py POLICY FOLDER OPTIONS``.
"""

import json
import os
import sys
from pathlib import Path

import torch
from transformers import TrainerCallback

from tests.training.test_dynamic_sampling import half_silent
from tests.training.trainer_fixture import Recorder, save_dictionary, shape, trainer


class Keep(TrainerCallback):
    """The gradient as the optimizer would see it, reduced over processes."""

    def __init__(self) -> None:
        self.gradient: dict[str, torch.Tensor] = {}

    def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs):
        # DDP puts the model behind an attribute.
        self.gradient = {n.removeprefix("module."): p.grad.clone() for n, p in model.named_parameters()}


def main(policy: Path, folder: Path, options: dict) -> None:
    rank = os.environ["RANK"]
    dictionary = save_dictionary(folder / rank)
    for alpha in (0.0, 2.0):
        made = trainer(
            policy, folder / f"run-{alpha}", Recorder, dtype=torch.float64, alpha=alpha, kl_mode="none", beta=0.0,
            ridge=1e-2, dictionary=dictionary, max_steps=1, max_grad_norm=0.0,
            reward=half_silent if options.get("dynamic_sampling") else shape, **options,
        )  # fmt: skip
        keep = Keep()
        made.add_callback(keep)
        made.train()
        metrics = [entry for entry in made.state.log_history if "loss" in entry]
        content = {"gradient": keep.gradient, "batch": made.batches[0], "metrics": metrics}
        torch.save(content, folder / f"rank-{rank}-{alpha}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]))
