"""Gradients of DSD: right where it is smooth, finite or skipped where it is not."""

import numpy as np
import pytest
import torch

from relax.koopman import dsd, dsd_values
from relax.koopman.spectrum import spectral_variance

SPECTRA = ["eigenvalues", "singular_values"]


def states(length, width=4, batch=1, seed=0, kind=torch.float64):
    """Noisy states with memory, (batch, length, width)."""
    noise = np.random.default_rng(seed).normal(size=(batch, length, width))
    for t in range(1, length):
        noise[:, t] += 0.7 * noise[:, t - 1]
    return torch.tensor(noise, dtype=kind)


def weights(width=4, m=6, seed=1, kind=torch.float64):
    return torch.tensor(np.random.default_rng(seed).normal(size=(width, m)), dtype=kind)


def full(hidden):
    return torch.ones(hidden.shape[:2], dtype=torch.bool)


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("ridge", [0.0, 1e-3, 0.1])
@pytest.mark.parametrize("length", [2, 4, 6, 7, 8, 40])  # m = 6: below, near, at and above
def test_gradients_are_those_of_finite_differences(length, ridge, spectrum):
    hidden, weight = states(length, batch=2, seed=5), weights(seed=6)
    mask = full(hidden)
    mask[1, length // 2 :] = False
    hidden.requires_grad_()
    weight.requires_grad_()
    value = dsd_values(hidden, weight, mask, spectrum, ridge)
    gradients = torch.autograd.grad(value.values.sum(), (hidden, weight))
    assert not value.skipped.any()
    generator = torch.Generator().manual_seed(7)
    for _ in range(3):
        ways = [torch.randn(t.shape, generator=generator, dtype=t.dtype) for t in (hidden, weight)]

        def at(step, ways=ways):
            moved = [t.detach() + step * way for t, way in zip((hidden, weight), ways, strict=True)]
            return dsd(moved[0], moved[1], mask, spectrum, ridge).sum().item()

        e = 1e-5
        known = (8 * (at(e) - at(-e)) - (at(2 * e) - at(-2 * e))) / (12 * e)
        found = sum((g * way).sum().item() for g, way in zip(gradients, ways, strict=True))
        assert found == pytest.approx(known, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_the_closed_form_equals_automatic_differentiation(spectrum):
    generator = torch.Generator().manual_seed(0)
    koopman = torch.randn(5, 7, 7, dtype=torch.float64, generator=generator).requires_grad_()
    value, skipped = spectral_variance(koopman, spectrum)
    size = torch.linalg.eigvals(koopman).abs() if spectrum == "eigenvalues" else torch.linalg.svdvals(koopman)
    known = size.var(dim=1)
    pull = torch.arange(1.0, 6.0, dtype=torch.float64)
    found = torch.autograd.grad((value * pull).sum(), koopman)[0]
    assert torch.allclose(value, known, atol=1e-13)
    assert torch.allclose(found, torch.autograd.grad((known * pull).sum(), koopman)[0], atol=1e-11)
    assert not skipped.any()


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_degenerate_matrices_give_a_finite_gradient_and_leave_the_others_alone(spectrum):
    jordan = 0.5 * torch.eye(6, dtype=torch.float64) + torch.diag(torch.ones(5, dtype=torch.float64), 1)
    good = torch.randn(6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    broken = good.clone()
    broken[2, 3] = float("nan")
    ones, nothing, same = torch.ones_like(good), torch.zeros_like(good), torch.eye(6, dtype=torch.float64)
    batch = torch.stack([good, jordan, ones, nothing, same, broken]).requires_grad_()
    value, skipped = spectral_variance(batch, spectrum)
    gradient = torch.autograd.grad(value.sum(), batch)[0]
    assert torch.isfinite(value).all()
    assert torch.isfinite(gradient).all()
    assert skipped[5].item()
    assert not skipped[[0, 3, 4]].any()
    assert (gradient[skipped] == 0).all()
    one = good.clone().requires_grad_()
    known = torch.autograd.grad(spectral_variance(one[None], spectrum)[0].sum(), one)[0]
    assert torch.allclose(gradient[0], known, atol=1e-14)


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_what_is_zero_up_to_rounding_gets_no_gradient(spectrum):
    """|lambda| and sigma have no derivative at 0, and the direction of a rounding error means nothing."""
    generator = torch.Generator().manual_seed(0)
    koopman = torch.zeros(1, 6, 6, dtype=torch.float64)
    koopman[0, :3, :3] = torch.randn(3, 3, generator=generator, dtype=torch.float64)
    koopman[0, 3:, 3:] = 1e-17 * torch.randn(3, 3, generator=generator, dtype=torch.float64)
    koopman.requires_grad_()
    gradient = torch.autograd.grad(spectral_variance(koopman, spectrum)[0].sum(), koopman)[0][0]
    assert gradient[3:, 3:].abs().max().item() < 1e-12
    assert gradient[:3, :3].abs().max().item() > 0.01


@pytest.mark.parametrize("fault", ["singular", "undefined", "nearly singular"])
def test_eigenvectors_that_are_not_independent_cost_one_gradient(monkeypatch, fault):
    """The value of that trajectory stays; the gradients of the others too."""
    inner = torch.linalg.eig

    def faulty(matrices):
        values, vectors = inner(matrices)
        if fault == "singular":
            vectors[1, :, 0] = vectors[1, :, 1]
        elif fault == "undefined":
            vectors[1, 0, 0] = float("nan")
        else:
            vectors[1, :, 0] = vectors[1, :, 1] + 1e-13 * vectors[1, :, 0]
        return values, vectors

    koopman = torch.randn(3, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    koopman = koopman + koopman.mT  # real eigenvectors, no conjugate pairs to keep consistent
    copy = koopman.clone().requires_grad_()
    known = spectral_variance(copy, "eigenvalues")[0]
    expected = torch.autograd.grad(known.sum(), copy)[0]
    monkeypatch.setattr(torch.linalg, "eig", faulty)
    koopman.requires_grad_()
    value, skipped = spectral_variance(koopman, "eigenvalues")
    gradient = torch.autograd.grad(value.sum(), koopman)[0]
    assert skipped.tolist() == [False, True, False]
    assert torch.equal(value, known)
    assert gradient[1].abs().sum().item() == 0
    assert torch.allclose(gradient[[0, 2]], expected[[0, 2]], atol=1e-14)


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_a_factorisation_that_fails_costs_one_trajectory(monkeypatch, spectrum):
    name = "eig" if spectrum == "eigenvalues" else "svd"
    inner = getattr(torch.linalg, name)

    def failing(matrices):
        if (matrices[:, 0, 0] == 7.0).any():
            raise torch.linalg.LinAlgError("did not converge")
        return inner(matrices)

    koopman = torch.randn(4, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    known = spectral_variance(koopman, spectrum)[0]
    koopman[2, 0, 0] = 7.0
    koopman.requires_grad_()
    monkeypatch.setattr(torch.linalg, name, failing)
    value, skipped = spectral_variance(koopman, spectrum)
    gradient = torch.autograd.grad(value.sum(), koopman)[0]
    assert skipped.tolist() == [False, False, True, False]
    assert value[2].item() == 0
    assert gradient[2].abs().sum().item() == 0
    assert gradient[3].abs().sum().item() > 0
    assert torch.allclose(value[[0, 1, 3]], known[[0, 1, 3]])


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_text_that_repeats_itself_has_a_finite_gradient(spectrum):
    for period, scale in ((1, 1.0), (2, 1.0), (7, 1.0), (3, 40.0)):
        hidden = (scale * states(period, batch=4, seed=period)).repeat(1, 8, 1)[:, :15].requires_grad_()
        for ridge in (0.0, 1e-200, 1e-12, 1e-3):
            found = dsd_values(hidden, weights(m=12), full(hidden), spectrum, ridge)
            gradient = torch.autograd.grad(found.values.sum(), hidden)[0]
            assert torch.isfinite(found.values).all()
            assert torch.isfinite(gradient).all()
