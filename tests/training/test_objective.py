"""The objective against autograd of the printed equations, finite differences and hand-made cases."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from relax.training import objective

R = 4


def group(seed: int, prompts: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    dsd = torch.rand(prompts * R, generator=generator, dtype=torch.float64) * 5
    advantages = torch.randn(prompts * R, generator=generator, dtype=torch.float64)
    return dsd, advantages


def test_the_loss_is_the_printed_equation() -> None:
    dsd, advantages = group(0)
    expected = 0.0
    for g in range(3):
        rows = range(g * R, (g + 1) * R)
        expected += math.log(sum(math.exp(-max(float(advantages[i]), 0) * float(dsd[i])) for i in rows) / R) / 3
    factor = objective.exploration_factor(advantages, dsd, shaping=True, xi=None)
    assert objective.exploration_loss(dsd, factor, R).item() == pytest.approx(expected, rel=1e-12)


def test_without_shaping_every_response_counts_the_same() -> None:
    dsd, advantages = group(1)
    assert objective.exploration_factor(advantages, dsd, shaping=False, xi=None).tolist() == [1.0] * 12


def test_above_xi_the_encouragement_is_suspended() -> None:
    dsd, advantages = torch.tensor([1.0, 3.0, 2.0]), torch.tensor([1.0, 1.0, -1.0])
    assert objective.exploration_factor(advantages, dsd, shaping=True, xi=2.0).tolist() == [1.0, 0.0, 0.0]


@given(st.integers(0, 10_000), st.booleans(), st.sampled_from([None, 2.0]))
def test_the_surrogate_has_the_gradient_of_the_loss_in_any_split_and_order(seed, shaping, xi) -> None:
    dsd, advantages = group(seed)
    factor = objective.exploration_factor(advantages, dsd, shaping, xi)
    direct = dsd.clone().requires_grad_()
    objective.exploration_loss(direct, factor, R).backward()

    weights = objective.group_weights(dsd, factor, R)
    leaf = dsd.clone().requires_grad_()
    order = torch.randperm(12, generator=torch.Generator().manual_seed(seed))
    for part in order.split(3):  # micro-batches that cut through the groups
        (objective.exploration_surrogate(leaf[part], factor[part], weights[part]) / 4).backward()
    torch.testing.assert_close(leaf.grad, direct.grad, rtol=1e-12, atol=1e-15)


def test_the_gradient_is_that_of_finite_differences() -> None:
    dsd, advantages = group(3)
    factor = objective.exploration_factor(advantages, dsd, shaping=True, xi=None)
    assert torch.autograd.gradcheck(lambda d: objective.exploration_loss(d, factor, R), dsd.requires_grad_())


def test_minimising_raises_dsd_most_where_the_weighted_dsd_is_lowest() -> None:
    dsd = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64, requires_grad=True)
    objective.exploration_loss(dsd, torch.ones(4, dtype=torch.float64), R).backward()
    assert (dsd.grad < 0).all()
    assert (dsd.grad.diff() > 0).all()


def test_weights_are_a_softmax_of_mean_one_per_group() -> None:
    dsd, advantages = group(4)
    factor = objective.exploration_factor(advantages, dsd, shaping=True, xi=None)
    weights = objective.group_weights(dsd, factor, R)
    torch.testing.assert_close(weights.view(-1, R).mean(dim=1), torch.ones(3, dtype=torch.float64))
    assert not weights.requires_grad


def test_a_group_without_positive_advantage_gives_nothing() -> None:
    dsd, zeros = group(5)[0].requires_grad_(), torch.zeros(12, dtype=torch.float64)
    factor = objective.exploration_factor(zeros, dsd.detach(), shaping=True, xi=None)
    loss = objective.exploration_loss(dsd, factor, R)
    loss.backward()
    assert loss.item() == 0
    assert (dsd.grad == 0).all()


def test_the_kl_of_a_trajectory_is_the_mean_k3_over_its_tokens() -> None:
    logps = torch.tensor([[-1.0, -2.0, -9.0], [-0.5, -0.5, -0.5]])
    reference = torch.tensor([[-1.5, -1.0, float("nan")], [-0.5, -0.5, -0.5]])
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]])
    kl = objective.trajectory_kl(logps, reference, mask)
    k3 = [math.exp(r) - r - 1 for r in (-0.5, 1.0)]
    assert kl.tolist() == pytest.approx([sum(k3) / 2, 0.0], rel=1e-6)
    assert objective.trajectory_kl(logps, reference, torch.zeros_like(mask)).tolist() == [0, 0]


def test_the_k3_estimator_has_the_kl_as_its_mean() -> None:
    generator = torch.Generator().manual_seed(0)
    p, q = (torch.softmax(torch.randn(5, generator=generator), 0) for _ in range(2))
    tokens = torch.multinomial(p, 200_000, replacement=True, generator=generator)
    kl = objective.trajectory_kl(p.log()[tokens][:, None], q.log()[tokens][:, None], torch.ones(200_000, 1))
    exact = (p * (p / q).log()).sum().item()
    assert kl.mean().item() == pytest.approx(exact, rel=0.02)
    assert (kl >= -1e-6).all()


def test_the_gate_holds_back_trajectories_above_xi() -> None:
    dsd = torch.tensor([1.0, 2.0, 3.0])
    assert objective.kl_gate(dsd, "adaptive", 2.0).tolist() == [0, 0, 1]
    assert objective.kl_gate(dsd, "adaptive", None).tolist() == [0, 0, 0]
    assert objective.kl_gate(dsd, "uniform", 2.0).tolist() == [1, 1, 1]


@pytest.mark.parametrize(("reduction", "expected"), [("mean", 1.5), ("group", 1.5 * R), ("sum", 1.5 * 12)])
def test_reductions_of_the_kl(reduction: str, expected: float) -> None:
    kl, gate = torch.full((12,), 3.0), torch.tensor([1.0, 0.0] * 6)
    whole = objective.kl_penalty(kl, gate, reduction, R, batch_size=12)
    assert whole.item() == pytest.approx(expected)
    halves = [objective.kl_penalty(kl[p], gate[p], reduction, R, batch_size=12) for p in (slice(6), slice(6, 12))]
    assert torch.stack(halves).mean().item() == pytest.approx(expected)
    with pytest.raises(ValueError, match="kl_reduction is 'total'"):
        objective.kl_penalty(kl, gate, "total", R, 12)
