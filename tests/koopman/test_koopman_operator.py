"""Koopman matrices, residuals and pseudospectra against systems whose answers are known otherwise."""

import numpy as np
import pytest
import scipy.linalg
import torch

from relax.koopman import eigenpair_residuals, koopman_matrix, pseudospectrum
from relax.koopman.spectrum import eigenvalues, singular_values, spectral_variance


def rotation(angle, factor=1.0):
    c, s = np.cos(angle), np.sin(angle)
    return factor * np.array([[c, s], [-s, c]])


def run(matrix, start, steps):
    """Rows x_{t+1} = x_t K."""
    rows = [np.asarray(start, dtype=float)]
    for _ in range(steps):
        rows.append(rows[-1] @ matrix)
    rows = torch.tensor(np.array(rows))
    return rows[:-1], rows[1:]


def sorted_complex(values):
    return np.array(sorted(np.asarray(values), key=lambda z: (round(z.real, 8), z.imag)))


def distance_to(found, known):
    return np.abs(sorted_complex(found) - sorted_complex(known)).max()


def test_linear_system_with_complex_pairs_is_recovered():
    rng = np.random.default_rng(0)
    block = scipy.linalg.block_diag(rotation(0.7, 0.95), rotation(1.9, 0.8), [[0.5]])
    basis = rng.normal(size=(5, 5))
    known = basis @ block @ np.linalg.inv(basis)
    psi_x, psi_y = run(known, rng.normal(size=5), 40)
    koopman = koopman_matrix(psi_x, psi_y, ridge=0)
    assert np.abs(koopman.numpy() - known).max() < 1e-7
    found, residuals = eigenpair_residuals(psi_x, psi_y, ridge=0)
    pairs = [0.95 * np.exp(0.7j), 0.8 * np.exp(1.9j)]
    assert distance_to(found, [*pairs, *np.conj(pairs), 0.5]) < 1e-8
    assert residuals.max() < 1e-7


def test_rotation_with_decay_has_no_spread():
    factor = 0.9
    psi_x, psi_y = run(rotation(0.4, factor), [1.0, 0.3], 30)
    koopman = koopman_matrix(psi_x, psi_y, ridge=0)
    assert np.allclose(eigenvalues(koopman[None]).abs(), factor, atol=1e-12)
    for spectrum in ("eigenvalues", "singular_values"):
        assert spectral_variance(koopman[None], spectrum)[0].item() < 1e-24


@pytest.mark.parametrize("n", [5, 12, 40])
@pytest.mark.parametrize("ridge", [1e-3, 0.1, 5.0])
def test_ridge_is_the_augmented_least_squares_solution(n, ridge):
    m = 12
    x, y = np.random.default_rng(n).normal(size=(2, n, m))
    stacked = np.vstack([x, np.sqrt(ridge) * np.eye(m)])
    known = np.linalg.lstsq(stacked, np.vstack([y, np.zeros((m, m))]), rcond=None)[0]
    found = koopman_matrix(torch.tensor(x), torch.tensor(y), ridge).numpy()
    assert np.abs(found - known).max() < 1e-9 * np.abs(known).max()


@pytest.mark.parametrize("n", [5, 12, 40])
def test_no_ridge_is_the_minimum_norm_solution(n):
    x, y = np.random.default_rng(n).normal(size=(2, n, 12))
    x[:, 3] = x[:, 4]  # no full rank even where n is larger than m
    known = np.linalg.pinv(x) @ y
    found = koopman_matrix(torch.tensor(x), torch.tensor(y), 0).numpy()
    assert np.abs(found - known).max() < 1e-9 * np.abs(known).max()


def test_leading_dimensions_are_a_batch():
    x, y = torch.randn(2, 2, 3, 20, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for ridge in (0.0, 0.1):
        whole = koopman_matrix(x, y, ridge)
        values, residuals = eigenpair_residuals(x, y, ridge)
        assert whole.shape == (2, 3, 4, 4)
        assert residuals.shape == values.shape == (2, 3, 4)
        one = eigenpair_residuals(x[1, 2], y[1, 2], ridge)
        assert torch.allclose(whole[1, 2], koopman_matrix(x[1, 2], y[1, 2], ridge), atol=1e-12)
        assert torch.allclose(residuals[1, 2], one[1], atol=1e-10)


def test_a_change_of_basis_keeps_eigenvalues_and_residuals_but_not_singular_values():
    rng = np.random.default_rng(1)
    psi = torch.tensor(rng.normal(size=(60, 5)).cumsum(axis=0))
    change = torch.tensor(rng.normal(size=(5, 5)))
    before, after = (psi[:-1], psi[1:]), (psi[:-1] @ change, psi[1:] @ change)
    values, residuals = eigenpair_residuals(*before, ridge=0)
    changed, changed_residuals = eigenpair_residuals(*after, ridge=0)
    assert distance_to(values, changed) < 1e-9
    assert np.abs(np.sort(residuals) - np.sort(changed_residuals)).max() < 1e-8
    sizes = [singular_values(koopman_matrix(*pair, ridge=0)[None]) for pair in (before, after)]
    assert (sizes[0] - sizes[1]).abs().max() > 0.1


def test_residual_follows_pythagoras_without_a_ridge():
    """res^2 = |Psi_y v|^2 / |Psi_x v|^2 - |lambda|^2 at the least-squares solution."""
    x, y = np.random.default_rng(2).normal(size=(2, 50, 6))
    values, vectors = np.linalg.eig(np.linalg.lstsq(x, y, rcond=None)[0])
    known = np.sqrt((np.abs(y @ vectors) ** 2).sum(0) / (np.abs(x @ vectors) ** 2).sum(0) - np.abs(values) ** 2)
    found = eigenpair_residuals(torch.tensor(x), torch.tensor(y), ridge=0)[1]
    assert np.abs(np.sort(found) - np.sort(known)).max() < 1e-10


def test_an_eigenfunction_that_vanishes_on_the_data_has_an_infinite_residual():
    psi_x = torch.tensor([[1.0, 0.0], [2.0, 0.0]], dtype=torch.float64)
    psi_y = torch.tensor([[0.5, 0.0], [1.0, 0.0]], dtype=torch.float64)
    values, residuals = eigenpair_residuals(psi_x, psi_y, ridge=0)
    assert residuals[values.abs() > 0.1].item() == pytest.approx(0, abs=1e-12)
    assert residuals[values.abs() < 0.1].item() == np.inf


def circle(frequencies, period=48, turns=5):
    """Fourier functions on a full period of a rotation, where they are orthogonal: K is unitary there."""
    angle = 2 * np.pi * turns / period * np.arange(period + 1)
    columns = [np.ones_like(angle)]
    for k in range(1, frequencies + 1):
        columns += [np.cos(k * angle), np.sin(k * angle)]
    psi = torch.tensor(np.stack(columns, axis=1))
    known = np.exp(2j * np.pi * turns / period * np.arange(-frequencies, frequencies + 1))
    return psi[:-1], psi[1:], known


def test_circle_rotation_with_fourier_functions_is_exact():
    psi_x, psi_y, known = circle(4)
    values, residuals = eigenpair_residuals(psi_x, psi_y, ridge=0)
    assert distance_to(values, known) < 1e-12
    assert residuals.max() < 1e-12


def test_pseudospectrum_of_the_circle_rotation_is_the_distance_to_the_spectrum():
    psi_x, psi_y, known = circle(4)
    axis = torch.linspace(-1.5, 1.5, 21, dtype=torch.float64)
    z = torch.complex(*torch.meshgrid(axis, axis, indexing="ij"))
    tau = pseudospectrum(psi_x, psi_y, z)
    distance = np.abs(z.numpy()[..., None] - known).min(axis=-1)
    assert tau.shape == z.shape
    assert np.abs(tau.numpy() - distance).max() < 1e-7


def test_pseudospectrum_touches_zero_only_where_residuals_do():
    """At an eigenvalue tau is at most the eigenpair's residual; far away it is near the distance."""
    rng = np.random.default_rng(3)
    psi = torch.tensor(rng.normal(size=(80, 5)).cumsum(axis=0))
    values, residuals = eigenpair_residuals(psi[:-1], psi[1:], ridge=0)
    tau = pseudospectrum(psi[:-1], psi[1:], values)
    assert (tau <= residuals + 1e-8).all()
    assert pseudospectrum(psi[:-1], psi[1:], torch.tensor(1e4 + 0j)).item() == pytest.approx(1e4, rel=1e-3)


def test_duffing_near_its_fixed_point_has_the_eigenvalues_of_the_linearisation():
    """x'' = -x'/2 + x - x^3 near x = 1: the Jacobian is [[0, 1], [-2, -1/2]]."""
    step, state, rows = 0.1, np.array([1.0 + 1e-5, 0.0]), []

    def field(s):
        return np.array([s[1], -0.5 * s[1] + s[0] - s[0] ** 3])

    for _ in range(60):
        rows.append(state - [1.0, 0.0])
        for _ in range(10):  # Runge-Kutta, ten steps a snapshot
            h = step / 10
            a = field(state)
            b = field(state + h / 2 * a)
            c = field(state + h / 2 * b)
            d = field(state + h * c)
            state = state + h / 6 * (a + 2 * b + 2 * c + d)
    psi = torch.tensor(np.array(rows))
    known = np.linalg.eigvals(scipy.linalg.expm(step * np.array([[0, 1], [-2, -0.5]])))
    values, residuals = eigenpair_residuals(psi[:-1], psi[1:], ridge=0)
    assert distance_to(values, known) < 1e-4
    assert residuals.max() < 1e-4


@pytest.fixture(scope="module")
def smooth_psi():
    rng = np.random.default_rng(4)
    return 1 / (1 + np.exp(-0.1 * rng.normal(size=(300, 8)).cumsum(axis=0)))


@pytest.mark.parametrize("ridge", [1e-3, 0.1])
def test_kooplearn_ridge_agrees(smooth_psi, ridge):
    """kooplearn divides its covariances by n, so its alpha is ridge / n."""
    linear_model = pytest.importorskip("kooplearn.linear_model")
    x, y = torch.tensor(smooth_psi[:-1]), torch.tensor(smooth_psi[1:])
    model = linear_model.Ridge(n_components=8, reduced_rank=False, alpha=ridge / len(x), eigen_solver="dense")
    known = model.fit(smooth_psi).eig()
    koopman = koopman_matrix(x, y, ridge)[None]
    assert distance_to(eigenvalues(koopman)[0], known) < 1e-6
    assert spectral_variance(koopman, "eigenvalues")[0].item() == pytest.approx(np.abs(known).var(ddof=1), rel=1e-6)


def test_deeptime_edmd_agrees(smooth_psi):
    decomposition = pytest.importorskip("deeptime.decomposition")
    basis = pytest.importorskip("deeptime.basis")
    x, y = smooth_psi[:-1], smooth_psi[1:]
    known = decomposition.EDMD(basis.Identity()).fit((x, y)).fetch_model().eigenvalues
    koopman = koopman_matrix(torch.tensor(x), torch.tensor(y), 0)[None]
    assert distance_to(eigenvalues(koopman)[0], known) < 1e-6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"psi_y": torch.zeros(9, 3)}, r"psi_y: its shape is \(9, 3\); expected \(10, 3\)"),
        ({"psi_x": torch.zeros(3)}, r"psi_x: its shape is \(3,\)"),
        ({"psi_x": torch.zeros(0, 3), "psi_y": torch.zeros(0, 3)}, "psi_x: its shape is"),
        ({"ridge": -1e-3}, "ridge: -0.001"),
        ({"ridge": float("nan")}, "ridge: nan"),
        ({"psi_x": torch.full((10, 3), float("inf"))}, r"psi_x: the value at \(0, 0\) is inf"),
    ],
)
def test_bad_snapshots_are_named(arguments, message):
    given = {"psi_x": torch.zeros(10, 3), "psi_y": torch.zeros(10, 3), "ridge": 1e-3} | arguments
    with pytest.raises(ValueError, match=message):
        koopman_matrix(**given)
    with pytest.raises(ValueError, match=message):
        eigenpair_residuals(**given)


def test_wrong_kinds_are_named():
    psi = torch.ones(4, 2)
    with pytest.raises(TypeError, match=r"psi_x: its kind is torch\.int64"):
        koopman_matrix(psi.long(), psi)
    with pytest.raises(TypeError, match="psi_y: got a ndarray"):
        koopman_matrix(psi, psi.numpy())
    with pytest.raises(TypeError, match="ridge: '1' is a str"):
        koopman_matrix(psi, psi, "1")
    with pytest.raises(ValueError, match=r"psi_x: its shape is \(2, 4, 2\)"):
        pseudospectrum(psi.expand(2, 4, 2), psi.expand(2, 4, 2), torch.tensor(0j))
