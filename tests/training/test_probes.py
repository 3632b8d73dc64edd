"""Probes pass through the policy in micro-batches, whose logits fit where a step's do."""

from pathlib import Path

import pytest
import torch
from transformers import TrainerControl, TrainerState

from relax.latent.rollouts import Rollout
from relax.progress import Progress
from relax.training.probes import Follow, Probes
from tests.training.trainer_fixture import save_dictionary, trainer


def test_probes_are_read_a_micro_batch_at_a_time_with_the_same_numbers(tiny_policy: Path, tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    lengths = [5, 12, 9, 3, 7, 12, 4]
    rows = [torch.randint(2, 12, (4 + length,), generator=generator).tolist() for length in lengths]
    probes = [Rollout(f"probe/{i}", "", row[:4], row[4:], "") for i, row in enumerate(rows)]
    found = {}
    for size in (4, 8):
        made = trainer(
            tiny_policy, tmp_path / str(size), per_device_train_batch_size=size, gradient_accumulation_steps=8 // size,
            dictionary=save_dictionary(tmp_path),
        )  # fmt: skip
        measured = Probes(probes, made)
        assert [len(mask) for _, mask in measured.states()] == {4: [4, 3], 8: [7]}[size]
        found[size] = measured.measure()
    assert found[4] == pytest.approx(found[8], rel=1e-5)
    assert min(found[4].values()) > 0


def test_a_step_whose_responses_have_no_reward_is_followed_all_the_same(tiny_policy: Path, tmp_path: Path) -> None:
    """A reward function may score no completion of a step: TRL then logs NaN, and the log says None."""
    made = trainer(tiny_policy, tmp_path, dictionary=save_dictionary(tmp_path))
    follow = Follow(Probes([], made), 1, Progress("train", 2))
    for step, reward in enumerate((0.5, None), 1):
        state = TrainerState(global_step=step)
        follow.on_log(
            made.args, state, TrainerControl(), logs={"grad_norm": 1.0, "reward": reward, "entropy": 0.1 * step}
        )
    assert follow.shown == {"reward": 0.5, "entropy": 0.2}
