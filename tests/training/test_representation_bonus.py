"""The bonuses without a Koopman operator, against NumPy and SciPy, and in the trainer against TRL's own advantages."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from relax.errors import ConfigError
from relax.training.representation_bonus import (
    effective_rank,
    elliptical_bonus,
    normalised,
    random_projection,
    rank_dynamics,
    shaped_advantages,
)
from tests.training.trainer_fixture import GROUP, Recorder, save_dictionary, trainer


def rank_by_scipy(states: np.ndarray) -> float:
    values = np.linalg.svd(states - states.mean(axis=0), compute_uv=False)
    return float(np.exp(entropy(values / values.sum())))


@pytest.mark.parametrize("shape", [(2, 5), (7, 30), (40, 6)])
def test_effective_rank_is_scipys(shape: tuple[int, int]) -> None:
    states = np.random.default_rng(0).normal(size=shape) + 3
    assert effective_rank(torch.from_numpy(states)).item() == pytest.approx(rank_by_scipy(states), rel=1e-6)


def test_effective_rank_of_known_states() -> None:
    """k directions of equal size have rank k, and nothing that stands still has any."""
    corners = torch.eye(8)[:3].repeat(2, 1) * torch.tensor([1.0, 1, 1, -1, -1, -1])[:, None]
    assert effective_rank(corners).item() == pytest.approx(3)
    assert effective_rank(torch.ones(5, 8)).item() == 0
    assert effective_rank(torch.randn(1, 8)).item() == 0


def test_velocity_and_acceleration_are_written_out() -> None:
    states = np.random.default_rng(1).normal(size=(23, 9)).cumsum(axis=0)
    ranks = [rank_by_scipy(states[:end]) for end in (6, 11, 16, 21)]
    change = [ranks[j] - np.mean(ranks[:j]) for j in (1, 2, 3)]
    expected = [rank_by_scipy(states), np.mean(change), np.mean([change[1] - change[0], change[2] - change[1]])]
    assert rank_dynamics(torch.from_numpy(states), 5).tolist() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("length", "zeros"), [(1, 3), (9, 2), (10, 2), (11, 1), (16, 0)])
def test_short_responses_have_no_growth(length: int, zeros: int) -> None:
    """With a stride of 5: two ranks need eleven states, three need sixteen."""
    found = rank_dynamics(torch.randn(length, 6, generator=torch.Generator().manual_seed(0)), 5)
    assert (found == 0).sum() == zeros


def test_the_shaped_advantage_is_written_out() -> None:
    rng = np.random.default_rng(2)
    advantages, dynamics, means = rng.normal(size=50), rng.normal(size=(50, 3)) * 2, np.array([1.0, -0.5, 0.2])
    shares = np.clip((dynamics - means) / (np.abs(means) + 1e-8), -5, 5)
    explore = 1 / (1 + np.exp(-2 * shares[:, 2]))
    bonus = explore * np.tanh(shares[:, 0]) + (1 - explore) * np.tanh(shares[:, 1])
    expected = advantages + np.minimum(np.maximum(bonus, 0), np.abs(advantages) / 2)
    found = shaped_advantages(*map(torch.from_numpy, (advantages, dynamics, means)), kappa=2.0).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert (np.sign(found) == np.sign(advantages)).all()
    assert (found > advantages).any()


def test_the_elliptical_bonus_is_that_of_the_inverse() -> None:
    features = np.random.default_rng(3).normal(size=(3 * GROUP, 5))
    features[1] = np.nan
    found = elliptical_bonus(torch.from_numpy(features), GROUP, 0.01)
    for start in range(0, len(features), GROUP):
        own = [i for i in range(start, start + GROUP) if not np.isnan(features[i]).any()]
        centred = features[own] - features[own].mean(axis=0)
        inverse = np.linalg.inv(0.01 * np.eye(5) + centred.T @ centred)
        expected = np.einsum("ij,jk,ik->i", centred, inverse, centred)
        np.testing.assert_allclose(found[own], expected, rtol=1e-9)
    assert found[1] == 0
    assert found.min() >= 0
    assert found.max() < 1


def test_the_response_that_stands_apart_earns_most() -> None:
    features = torch.zeros(GROUP, 3, dtype=torch.float64)
    features[:, 0] = torch.tensor([0.0, 0.01, -0.01, 1.0])
    assert elliptical_bonus(features, GROUP, 0.01).argmax() == 3
    assert elliptical_bonus(torch.ones(GROUP, 3), GROUP, 0.01).abs().max() < 1e-12


def test_a_projection_keeps_distances_and_is_that_of_its_seed() -> None:
    points = torch.randn(200, 400, generator=torch.Generator().manual_seed(0))
    lengths = (points @ random_projection(400, 64, 7)).norm(dim=1) / points.norm(dim=1)
    assert lengths.mean().item() == pytest.approx(1, abs=0.05)
    assert torch.equal(random_projection(400, 64, 7), random_projection(400, 64, 7))
    assert not torch.equal(random_projection(400, 64, 7), random_projection(400, 64, 8))


def first_batch(policy: Path, folder: Path, **options: object) -> Recorder:
    options = {"alpha": 0.0, "dictionary": save_dictionary(folder), "max_steps": 1, **options}
    made = trainer(policy, folder, Recorder, **options)
    made.train()
    return made


def test_rewards_are_normalised_as_by_trl(tiny_policy: Path, tmp_path: Path) -> None:
    """At weight 0 the advantages, which are then made anew, are TRL's."""
    plain = first_batch(tiny_policy, tmp_path)
    bonus = {"representation_bonus": "elliptical", "elliptical_coef": 0.0, "elliptical_dim": 8}
    without = first_batch(tiny_policy, tmp_path, **bonus)
    expected = plain.batches[0]["advantages"]
    assert expected.abs().max() > 0.5
    torch.testing.assert_close(without.batches[0]["advantages"], expected, rtol=1e-5, atol=1e-6)
    with_it = first_batch(tiny_policy, tmp_path, **bonus | {"elliptical_coef": 0.5})
    changed = with_it.batches[0]["advantages"]
    assert not torch.allclose(changed, expected, atol=1e-2)
    torch.testing.assert_close(changed.view(-1, GROUP).sum(dim=1), torch.zeros(2), atol=1e-5, rtol=0)
    assert with_it.state.log_history[0]["relax/bonus"] > 0


def test_a_group_without_a_right_response_gets_no_bonus(tiny_policy: Path, tmp_path: Path) -> None:
    def nothing(prompts: list[str], completions: list[str], **_: object) -> list[float]:
        return [0.0] * len(completions)

    bonus = {"representation_bonus": "elliptical", "elliptical_coef": 1.0, "elliptical_dim": 8, "reward": nothing}
    made = first_batch(tiny_policy, tmp_path, **bonus)
    assert made.batches[0]["advantages"].abs().max() == 0
    assert made.state.log_history[0]["relax/bonus"] == 0


def test_effective_rank_changes_advantages_from_the_second_batch_on(tiny_policy: Path, tmp_path: Path) -> None:
    bonus = {"representation_bonus": "effective_rank", "rank_stride": 2, "max_steps": 2, "learning_rate": 0.0}
    plain = first_batch(tiny_policy, tmp_path, max_steps=2, learning_rate=0.0)
    made = first_batch(tiny_policy, tmp_path, **bonus)
    first, second = ([batch["advantages"] for batch in one.batches] for one in (plain, made))
    assert torch.equal(first[0], second[0])
    raised = second[1] - first[1]
    assert raised.max() > 0
    assert (raised >= 0).all()
    assert (raised <= first[1].abs() / 2 + 1e-6).all()
    assert made.exploration.bonus is not None
    assert made.exploration.state()["bonus"] == made.exploration.bonus.means


def test_rewards_that_nobody_gave_count_for_nobody() -> None:
    rewards = torch.tensor([1.0, torch.nan, 0.0, 0.5], dtype=torch.float64)
    there = rewards[~rewards.isnan()]
    expected = ((rewards - there.mean()) / (there.std() + 1e-4)).nan_to_num(nan=0.0)
    torch.testing.assert_close(normalised(rewards, 4), expected)


def test_another_normalisation_is_refused(tiny_policy: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'elliptical', which normalises rewards within groups; set scale_rewards"):
        trainer(tiny_policy, tmp_path, representation_bonus="elliptical", scale_rewards="batch")
