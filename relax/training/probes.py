"""DSD of fixed trajectories along training, teacher-forced through the current policy.

What a policy samples changes in length and style as it learns, and DSD with them. The same initial
responses read by every policy show what changes in the hidden states alone.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from relax.data.processor import tokenizer_of
from relax.koopman import ROBUST_RIDGE, SPECTRA, TrajectoryStatistics, trajectory_statistics
from relax.latent.rollouts import Rollout, images_of
from relax.latent.states import BATCH, padded
from relax.progress import Progress
from relax.training.trainer import ReLaXTrainer

logger = logging.getLogger("relax")


class Probes:
    """Fixed responses whose DSD is measured.

    Args:
        rollouts: responses of the initial policy.
        trainer: its policy reads them, in its frame.
    """

    def __init__(self, rollouts: Sequence[Rollout], trainer: ReLaXTrainer) -> None:
        self.rollouts, self.trainer = rollouts, trainer

    def states(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Hidden states of the responses under the policy as it is.

        Yields:
            (hidden, mask): (B, T, d) and (B, T), batch by batch, in order.
        """
        processing, device = self.trainer.processing_class, self.trainer.accelerator.device
        # No more than a micro-batch: its logits are the largest thing in memory where a vocabulary is large.
        batch = min(BATCH, self.trainer.args.per_device_train_batch_size)
        for start in range(0, len(self.rollouts), batch):
            rows = self.rollouts[start : start + batch]
            tokens, attention, mask = padded(rows, tokenizer_of(processing).pad_token_id)
            tokens, attention = tokens.to(device), attention.to(device)
            seen = images_of(processing, rows, tokens)
            seen |= {"num_images": [len(rollout.images) for rollout in rows]} if seen else {}
            yield self.trainer.states_of(tokens, attention, mask.shape[1], **seen)

    def measure(self) -> dict[str, float]:
        """Mean DSD by spectrum, at the training ridge and the robust one, under the names of the training log."""
        weight, ridge = self.trainer.exploration.weight, self.trainer.args.ridge
        parts = [trajectory_statistics(hidden, weight, mask) for hidden, mask in self.states()]
        statistics = TrajectoryStatistics.cat(parts)
        values = {}
        for spectrum in SPECTRA:
            values[f"probe/{spectrum}"] = statistics.dsd(spectrum, ridge).mean().item()
            values[f"probe/{spectrum}/ridge_{ROBUST_RIDGE}"] = statistics.dsd(spectrum, ROBUST_RIDGE).mean().item()
        return values


class Follow(TrainerCallback):
    """Measures the probes every few steps and writes the progress lines."""

    def __init__(self, probes: Probes, every: int, progress: Progress) -> None:
        self.probes, self.every, self.progress = probes, every, progress
        self.shown: dict[str, float] = {}  # with several updates per generation, the reward of the last one

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if state.global_step:
            logger.info("%s: going on from checkpoint-%d", self.progress.label, state.global_step)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if state.global_step % self.every == 0 or state.global_step == state.max_steps:
            for name, value in self.probes.measure().items():
                self.probes.trainer.note(name, value)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        names = {"reward": "reward", "entropy": "entropy", f"dsd/{self.probes.trainer.args.spectrum}": "DSD"}
        if logs and "grad_norm" in logs:
            self.shown |= {ours: float(logs[theirs]) for theirs, ours in names.items() if logs.get(theirs) is not None}
            self.progress.update(state.global_step, **self.shown)
