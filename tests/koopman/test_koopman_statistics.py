"""Streaming statistics and the baselines: everything the snapshots say, without keeping them."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from relax.koopman import (
    TrajectoryStatistics,
    dsd,
    eigenpair_residuals,
    length_matched_dsd,
    project,
    pseudospectrum,
    shuffle_time,
    trajectory_statistics,
)

SPECTRA = ["eigenvalues", "singular_values"]


@pytest.fixture
def batch():
    """hidden (4, 40, 5), weight (5, 7), mask with padding on both sides and a gap; junk at padding."""
    rng = np.random.default_rng(0)
    hidden = torch.tensor(rng.normal(size=(4, 40, 5)).cumsum(axis=1) / 3)
    mask = torch.ones(4, 40, dtype=torch.bool)
    mask[1, 25:] = False
    mask[2, :9] = False
    mask[3, 15:18] = False
    hidden[~mask] = float("inf")
    return hidden, torch.tensor(rng.normal(size=(5, 7))), mask


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("ridge", [1e-3, 0.1])
def test_dsd_follows_from_the_statistics(batch, spectrum, ridge):
    found = trajectory_statistics(*batch).dsd(spectrum, ridge)
    assert torch.allclose(found, dsd(*batch, spectrum, ridge), rtol=1e-9)


def test_dsd_without_a_ridge_follows_where_the_gram_matrix_resolves_it(batch):
    found = trajectory_statistics(*batch).dsd(ridge=0)
    assert torch.allclose(found, dsd(*batch, ridge=0), rtol=1e-5)


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 40), max_size=6), seed=st.integers(0, 1000))
def test_chunks_of_any_size_add_up(cuts, seed):
    rng = np.random.default_rng(seed)
    hidden, weight = torch.tensor(rng.normal(size=(3, 40, 5))), torch.tensor(rng.normal(size=(5, 4)))
    mask = torch.tensor(rng.random(size=(3, 40)) < 0.8)
    whole = trajectory_statistics(hidden, weight, mask)
    parts = TrajectoryStatistics.empty(3, 4)
    edges = [0, *sorted(cuts), 40]
    for start, stop in itertools.pairwise(edges):
        parts.update(hidden[:, start:stop], weight, mask[:, start:stop])
    for name, tensor in whole.to_tensors().items():
        assert torch.allclose(parts.to_tensors()[name].double(), tensor.double(), atol=1e-12), name


def test_long_inputs_are_projected_in_pieces(batch, monkeypatch):
    whole = trajectory_statistics(*batch)
    for states in (7, 90):
        monkeypatch.setattr("relax.koopman.gram_statistics.CHUNK_STATES", states)
        pieces = trajectory_statistics(*batch)
        for name, tensor in whole.to_tensors().items():
            assert torch.allclose(pieces.to_tensors()[name].double(), tensor.double(), atol=1e-12), name


def test_the_matrices_are_those_of_the_snapshots(batch):
    hidden, weight, _ = batch
    statistics = trajectory_statistics(*batch)
    psi = 1 / (1 + np.exp(-hidden[1, :25].numpy() @ weight.numpy()))
    x, y = psi[:-1], psi[1:]
    assert np.abs(statistics.gram[1].numpy() - x.T @ x).max() < 1e-12
    assert np.abs(statistics.cross[1].numpy() - x.T @ y).max() < 1e-12
    assert np.abs(statistics.gram_next[1].numpy() - y.T @ y).max() < 1e-12
    assert np.abs(statistics.last[1].numpy() - psi[-1]).max() < 1e-12
    assert statistics.length.tolist() == [40, 25, 31, 37]
    assert statistics.leverage(0.1)[1].item() == pytest.approx(
        psi[-1] @ np.linalg.solve(x.T @ x + 0.1 * np.eye(7), psi[-1]), rel=1e-10
    )
    assert statistics.condition()[1].item() == pytest.approx(np.linalg.cond(x.T @ x), rel=1e-6)
    size = np.linalg.svd(x)[1]
    share = size / size.sum()
    assert statistics.effective_rank()[1].item() == pytest.approx(np.exp(-(share * np.log(share)).sum()), rel=1e-8)


def test_residuals_and_pseudospectrum_are_those_of_the_snapshots(batch):
    hidden, weight, mask = batch
    statistics = trajectory_statistics(*batch)
    values, residuals = statistics.residuals(1e-3)
    psi = project(hidden[:1], weight, mask[:1])[0]
    known = eigenpair_residuals(psi[:-1], psi[1:], 1e-3)
    order, other = values[0].abs().argsort(), known[0].abs().argsort()
    assert np.abs(np.sort(values[0].abs()) - np.sort(known[0].abs())).max() < 1e-9
    assert np.abs(np.sort(residuals[0]) - np.sort(known[1])).max() < 1e-6
    assert torch.allclose(residuals[0][order].sort().values, known[1][other].sort().values, atol=1e-6)
    z = torch.tensor([0.3 + 0.4j, 1.0 + 0.0j, -0.5 + 0.9j])
    assert torch.allclose(statistics.pseudospectrum(z), pseudospectrum(psi[:-1], psi[1:], z), atol=1e-6)


def test_eigenpairs_can_be_tested_on_other_trajectories():
    """A rotation found in one trajectory holds in another; noise does not."""
    angle = np.cumsum(np.full(60, 0.3))
    first = torch.tensor(np.stack([np.cos(angle), np.sin(angle)], axis=1))[None]
    second = torch.tensor(np.stack([np.cos(angle + 1), np.sin(angle + 1)], axis=1))[None]
    noise = torch.tensor(np.random.default_rng(0).normal(size=(1, 60, 2)))
    mask = torch.ones(1, 60, dtype=torch.bool)
    a, b, c = (TrajectoryStatistics.from_snapshots(psi, mask) for psi in (first, second, noise))
    assert a.residuals(1e-9, on=b)[1].max() < 1e-6
    assert a.residuals(1e-9, on=c)[1].min() > 0.5


def test_an_empty_trajectory_says_nothing():
    hidden, weight = torch.full((1, 5, 3), float("nan")), torch.ones(3, 4)
    for mask in (torch.zeros(1, 5, dtype=torch.bool), torch.zeros(1, 0, dtype=torch.bool)):
        statistics = trajectory_statistics(hidden[:, : mask.shape[1]], weight, mask)
        assert statistics.dsd().item() == statistics.dsd("singular_values", 0.0).item() == 0
        assert statistics.leverage().item() == statistics.effective_rank().item() == 0
        assert statistics.condition().item() == np.inf
        assert torch.isinf(statistics.residuals()[1]).all()


def test_batches_stack_and_survive_a_file(batch, tmp_path):
    from safetensors.torch import load_file, save_file

    hidden, weight, mask = batch
    whole = trajectory_statistics(*batch)
    parts = [trajectory_statistics(hidden[rows], weight, mask[rows]) for rows in (slice(0, 1), slice(1, 4))]
    stacked = TrajectoryStatistics.cat(parts)
    save_file(stacked.to_tensors(), tmp_path / "statistics.safetensors")
    loaded = TrajectoryStatistics.from_tensors(load_file(tmp_path / "statistics.safetensors"))
    assert len(loaded) == 4
    assert torch.allclose(loaded.dsd(), whole.dsd(), rtol=1e-10)
    assert torch.allclose(loaded[1:3].dsd(), whole.dsd()[1:3], rtol=1e-10)
    with pytest.raises(ValueError, match="tensors: no gram, cross"):
        TrajectoryStatistics.from_tensors({"last": whole.last})


def test_updates_that_do_not_continue_are_refused(batch):
    hidden, weight, mask = batch
    statistics = trajectory_statistics(*batch)
    with pytest.raises(ValueError, match="hidden: a batch of 2 with 7 functions does not continue"):
        statistics.update(hidden[:2], weight, mask[:2])
    with pytest.raises(ValueError, match="mask: its shape"):
        statistics.update(hidden, weight, mask[:, :3])


def test_statistics_carry_no_gradient(batch):
    hidden, weight, mask = batch
    statistics = trajectory_statistics(hidden.requires_grad_(), weight.requires_grad_(), mask)
    assert not any(tensor.requires_grad for tensor in statistics.to_tensors().values())


def test_shuffling_moves_states_only_within_their_trajectory(batch):
    mask = batch[2]
    psi = project(*batch)
    shuffled = shuffle_time(psi, mask, seed=3)
    assert torch.equal(shuffled, shuffle_time(psi, mask, seed=3))
    assert not torch.equal(shuffled, shuffle_time(psi, mask, seed=4))
    assert (shuffled[~mask] == 0).all()
    for row in range(4):
        before, after = psi[row][mask[row]], shuffled[row][mask[row]]
        assert not torch.equal(before, after)
        assert torch.equal(before[before[:, 0].argsort()], after[after[:, 0].argsort()])


def test_shuffling_removes_dynamics():
    """A slow rotation is nearly predictable; the same states in random order are not."""
    angle = torch.arange(200, dtype=torch.float64) * 0.1
    hidden = torch.stack([angle.cos(), angle.sin()], dim=1)[None]
    mask = torch.ones(1, 200, dtype=torch.bool)
    psi = project(hidden, torch.tensor([[1.0, 0.3, -0.7], [0.2, 1.0, 0.5]], dtype=torch.float64), mask)
    plain = TrajectoryStatistics.from_snapshots(psi, mask).residuals()[1].median()
    mixed = TrajectoryStatistics.from_snapshots(shuffle_time(psi, mask, 0), mask).residuals()[1].median()
    assert mixed > 5 * plain


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_length_matched_dsd_uses_equal_windows(batch, spectrum):
    hidden, weight, mask = batch
    psi = project(*batch)
    found = length_matched_dsd(psi, mask, 20, spectrum)
    assert torch.isnan(length_matched_dsd(psi, mask, 30, spectrum)).tolist() == [False, True, False, True]
    first = TrajectoryStatistics.from_snapshots(psi[:, :20], mask[:, :20]).dsd(spectrum)
    assert found[1].item() == pytest.approx(first[1].item(), rel=1e-9)  # 25 states hold one window of 20
    halves = [dsd(hidden[:1, a : a + 20], weight, mask[:1, a : a + 20], spectrum).item() for a in (0, 19)]
    assert found[0].item() == pytest.approx(np.mean(halves), rel=1e-9)


def test_baselines_name_bad_arguments():
    psi, mask = torch.zeros(1, 5, 2), torch.ones(1, 5, dtype=torch.bool)
    with pytest.raises(ValueError, match="length: 1 is too small"):
        length_matched_dsd(psi, mask, 1)
    with pytest.raises(ValueError, match=r"states: its shape is \(5, 2\)"):
        shuffle_time(psi[0], mask, 0)
    with pytest.raises(ValueError, match="mask: its shape"):
        shuffle_time(psi, mask[:, :2], 0)
