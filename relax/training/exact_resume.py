"""An exact resume on TRL's GRPOTrainer: the order of prompts, the rollouts that wait, and what the method keeps.

TRL drops the rollouts it has not trained on yet, and replays its first order of prompts in every later epoch, so that a
killed run would go on with other data. Each override wraps ``super()``.
"""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import Sampler
from transformers.trainer_utils import TrainOutput
from trl import GRPOTrainer

from relax.training.checkpoints import load_renamed, load_state, resumable, save_state, sealed
from relax.training.dynamic_sampling import PromptCursor
from relax.training.exploration import Exploration
from relax.training.relax_config import ReLaXConfig
from relax.training.sample import RolloutSample


class ExactResume(GRPOTrainer):
    """GRPOTrainer whose checkpoints hold all that decides how a run goes on.

    A class below sets ``exploration``, ``sample`` and, for dynamic sampling, ``_cursor``.
    """

    args: ReLaXConfig
    model: nn.Module
    exploration: Exploration
    sample: RolloutSample | None = None
    _cursor: PromptCursor
    _order: Any = None

    def train(self, resume_from_checkpoint: str | bool | None = None, *args: Any, **kwargs: Any) -> TrainOutput:
        if resume_from_checkpoint:
            folder = Path(self.args.output_dir)
            resume_from_checkpoint = resumable(resume_from_checkpoint, folder, self.accelerator)
        return super().train(resume_from_checkpoint, *args, **kwargs)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        with sealed(folder, self.args, self.state, self.accelerator):
            super()._save_checkpoint(model, trial)
            if self.accelerator.is_main_process:
                save_state(folder, self.exploration, self.sample)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        load_renamed(self.accelerator.unwrap_model(self.model), Path(resume_from_checkpoint))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        # Not beside the weights, which DeepSpeed loads by another way.
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is not None:
            load_state(Path(checkpoint), self.args.process_index, self.exploration, self.sample)

    def _load_best_model(self) -> None:
        best = self.state.best_model_checkpoint
        assert best is not None  # transformers asks for it only where there is one
        resumable(best, Path(self.args.output_dir), self.accelerator)
        super()._load_best_model()

    def _get_train_sampler(self, dataset: Any = None) -> Sampler[int]:
        # TRL's sampler replays its first permutation after a resume in a later epoch. Seeding it by
        # epoch makes the order a function of the epoch; epoch 0 is TRL's.
        sampler: Any = super()._get_train_sampler(dataset)
        if sampler.shuffle:
            sampler.set_epoch = lambda epoch: sampler.generator.manual_seed(self.args.seed + epoch)
            self._order = sampler
        return sampler

    def _run_epoch(self, *args: Any, **kwargs: Any) -> Any:
        # After a resume in several processes accelerate's layers hide the sampler from its own set_epoch.
        if self._order is not None:
            self._order.set_epoch(kwargs["epoch"])
        if 0 < self.args.max_steps <= self.state.global_step:
            # Killed after the last step: transformers asks only after a further one whether that was the last.
            self.control.should_training_stop = True
            return None
        return super()._run_epoch(*args, **kwargs)

    def _save_rng_state(self, output_dir: str) -> None:
        # TRL drops the rollouts it has not trained on yet; a resume would generate others.
        super()._save_rng_state(output_dir)
        generate_every = self.args.steps_per_generation * self.num_iterations
        buffer = self._buffered_inputs if self._step % generate_every else None
        drawn = self._cursor.drawn if self.args.dynamic_sampling else 0
        state = {"step": self._step, "buffer": buffer, "drawn": drawn}
        torch.save(state, Path(output_dir) / f"rollouts_{self.args.process_index}.pt")

    def _load_rng_state(self, checkpoint: str | None) -> None:
        super()._load_rng_state(checkpoint)
        if checkpoint is not None:
            path = Path(checkpoint) / f"rollouts_{self.args.process_index}.pt"
            state = torch.load(path, weights_only=True, map_location=self.accelerator.device)
            self._step, self._buffered_inputs = state["step"], state["buffer"]
            if self.args.dynamic_sampling:
                self._cursor.drawn = state["drawn"]
