"""DSD of fixed trajectories along training, teacher-forced through the current policy.

What a policy samples changes in length and style as it learns, and DSD with them. The same initial
responses read by every policy show what changes in the hidden states alone.
"""

from collections.abc import Sequence

from torch import Tensor
from transformers import PreTrainedModel, TrainerCallback

from relax.koopman import ROBUST_RIDGE, SPECTRA
from relax.latent.rollouts import Rollout
from relax.latent.states import statistics_of
from relax.progress import Progress
from relax.training.trainer import ReLaXTrainer


class Probes:
    """Fixed responses and how their DSD is measured.

    Args:
        rollouts: responses of the initial policy.
        weight: (d, m) of the frozen dictionary.
        ridge: the training ridge; each DSD is measured at :data:`ROBUST_RIDGE` as well.
        pad: padding token.
    """

    def __init__(self, rollouts: Sequence[Rollout], weight: Tensor, ridge: float, pad: int) -> None:
        self.rollouts, self.weight, self.ridge, self.pad = rollouts, weight, ridge, pad

    def measure(self, model: PreTrainedModel) -> dict[str, float]:
        """Mean DSD by spectrum and ridge, under the names of the training log."""
        statistics = statistics_of(model, self.rollouts, self.weight, self.pad)
        values = {}
        for spectrum in SPECTRA:
            values[f"probe/{spectrum}"] = statistics.dsd(spectrum, self.ridge).mean().item()
            values[f"probe/{spectrum}/ridge_{ROBUST_RIDGE}"] = statistics.dsd(spectrum, ROBUST_RIDGE).mean().item()
        return values


class Follow(TrainerCallback):
    """Measures the probes every few steps and writes the progress lines."""

    def __init__(self, trainer: ReLaXTrainer, probes: Probes, every: int, progress: Progress) -> None:
        self.trainer, self.probes, self.every, self.progress = trainer, probes, every, progress

    def on_step_end(self, args, state, control, model=None, **kwargs):
        if state.global_step % self.every == 0 or state.global_step == state.max_steps:
            policy = self.trainer.accelerator.unwrap_model(model)
            training = policy.training
            policy.eval()
            measured = self.probes.measure(policy)
            policy.train(training)
            for name, value in measured.items():
                self.trainer.note(name, value)

    def on_log(self, args, state, control, logs=None, **kwargs):
        if logs and "reward" in logs:
            shown = {
                "reward": logs["reward"],
                "entropy": logs["entropy"],
                "DSD": logs[f"dsd/{args.spectrum}"],
            }
            self.progress.update(state.global_step, **{name: float(value) for name, value in shown.items()})
