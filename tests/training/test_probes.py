"""Probes pass through the policy in micro-batches, whose logits fit where a step's do."""

from pathlib import Path

import pytest
import torch

from relax.latent.rollouts import Rollout
from relax.training.probes import Probes
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
