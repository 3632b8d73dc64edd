"""The estimator on NumPy arrays, and its pictures."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from relax.koopman import Dictionary, KoopmanDSD, NonFiniteError, dsd


@pytest.fixture
def walks():
    rng = np.random.default_rng(0)
    return [rng.normal(size=(length, 5)).cumsum(axis=0) / 4 for length in (40, 25, 60)]


@pytest.mark.parametrize("spectrum", ["eigenvalues", "singular_values"])
def test_one_trajectory_gives_plain_arrays(walks, spectrum):
    estimator = KoopmanDSD(koopman_dim=6, spectrum=spectrum, ridge=0.01, seed=2).fit(walks[0])
    weight = Dictionary.random(5, 6, seed=2).weight
    psi = 1 / (1 + np.exp(-walks[0] @ weight.double().numpy()))
    known = np.linalg.solve(psi[:-1].T @ psi[:-1] + 0.01 * np.eye(6), psi[:-1].T @ psi[1:])
    assert np.abs(estimator.koopman_ - known).max() < 1e-9
    assert np.abs(estimator.transform(walks[0]) - psi).max() < 1e-12
    assert np.abs(np.sort(np.abs(estimator.eigenvalues_)) - np.sort(np.abs(np.linalg.eigvals(known)))).max() < 1e-9
    assert np.abs(estimator.singular_values_ - np.linalg.svd(known)[1]).max() < 1e-9
    size = np.abs(estimator.eigenvalues_) if spectrum == "eigenvalues" else estimator.singular_values_
    assert estimator.dsd_ == pytest.approx(size.var(ddof=1), rel=1e-9)
    for value, vector_residual in zip(estimator.eigenvalues_, estimator.residuals_, strict=True):
        vector = np.linalg.svd(known - value * np.eye(6))[2][-1].conj()
        error = np.linalg.norm((psi[1:] - value * psi[:-1]) @ vector) / np.linalg.norm(psi[:-1] @ vector)
        assert vector_residual == pytest.approx(error, rel=1e-5, abs=1e-6)
    assert estimator.n_features_in_ == 5
    assert np.ndim(estimator.leverage_) == np.ndim(estimator.condition_) == np.ndim(estimator.effective_rank_) == 0


def test_several_trajectories_add_an_axis(walks):
    estimator = KoopmanDSD(koopman_dim=4, window=10).fit(walks)
    assert estimator.koopman_.shape == (3, 4, 4)
    assert estimator.eigenvalues_.shape == estimator.residuals_.shape == (3, 4)
    for index, walk in enumerate(walks):
        hidden = torch.tensor(walk)[None]
        mask = torch.ones(hidden.shape[:2], dtype=torch.bool)
        known = dsd(hidden, torch.tensor(estimator.dictionary_), mask, window=10).item()
        assert estimator.dsd_[index] == pytest.approx(known, rel=1e-9)
    stacked = KoopmanDSD(koopman_dim=4).fit(np.stack([walks[0][:20], walks[1][:20]]))
    assert stacked.dsd_.shape == (2,)


def test_a_dictionary_can_be_given_or_fitted(walks):
    given = Dictionary.random(5, 7, seed=9)
    by_object = KoopmanDSD(dictionary=given).fit(walks[0])
    by_array = KoopmanDSD(dictionary=given.weight.numpy()).fit(walks[0])
    assert by_object.eigenvalues_.shape == (7,)
    assert by_object.dsd_ == pytest.approx(by_array.dsd_, rel=1e-9)
    fitted = KoopmanDSD(koopman_dim=7, objective="residual", seed=9).fit(walks)
    assert np.abs(fitted.dictionary_ - given.weight.numpy()).max() == pytest.approx(1e-3, rel=0.05)


def cannot_hold(estimator: KoopmanDSD) -> dict[str, str]:
    """Checks of scikit-learn that trajectories do not allow, with the reason."""
    if estimator.objective == "random":
        return {}
    return {"check_fit2d_1sample": "a dictionary is fitted to transitions, one state has none; the sentence says that"}


@parametrize_with_checks(
    [KoopmanDSD(koopman_dim=3), KoopmanDSD(koopman_dim=3, objective="residual", window=4)],
    expected_failed_checks=cannot_hold,
)
def test_it_is_an_estimator_of_scikit_learn(estimator, check):
    check(estimator)


def test_it_is_cloned_with_its_arguments(walks):
    given = Dictionary.random(5, 7, seed=9)
    estimator = KoopmanDSD(koopman_dim=6, ridge=0.5, dictionary=given)
    twin = clone(estimator).set_params(seed=4)
    assert (twin.koopman_dim, twin.ridge, twin.seed, twin.dictionary.hash) == (6, 0.5, 4, given.hash)
    assert twin.fit(walks[0]) is twin
    assert twin.get_feature_names_out()[0] == "koopmandsd0"
    assert not hasattr(estimator, "dsd_")
    with pytest.raises(ValueError, match="Invalid parameter 'rigde'"):
        twin.set_params(rigde=1)


def test_rows_are_the_states_of_one_trajectory(walks):
    rows = KoopmanDSD(koopman_dim=4).fit(walks[0].tolist())
    assert rows.dsd_ == KoopmanDSD(koopman_dim=4).fit(walks[0]).dsd_
    assert rows.dsd_ == pytest.approx(KoopmanDSD(koopman_dim=4).fit([walks[0].tolist()]).dsd_[0])


def test_snapshots_ask_for_a_fit_and_for_its_trajectories(walks):
    with pytest.raises(NotFittedError):
        KoopmanDSD().transform(walks[0])
    estimator = KoopmanDSD(koopman_dim=4).fit(walks)
    with pytest.raises(
        ValueError, match=r"X holds several trajectories, .* \[estimator.transform\(one\) for one in X\]"
    ):
        estimator.transform(walks)
    with pytest.raises(ValueError, match="X holds several trajectories"):
        KoopmanDSD(koopman_dim=4).fit_transform(walks)
    assert [estimator.transform(one).shape for one in walks] == [(len(one), 4) for one in walks]
    with pytest.raises(ValueError, match="X has 4 features, but KoopmanDSD is expecting 5"):
        estimator.transform(walks[0][:, :4])


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        ([], ValueError, "X: there is no trajectory"),
        (
            [np.zeros((5, 3)), np.zeros((5, 2))],
            ValueError,
            r"X: item 1 has shape \(5, 2\); expected \(T, 3\)",
        ),
        ([np.zeros((5, 3)), np.zeros(3)], ValueError, r"X: item 1 has shape \(3,\); expected \(states T, hidden size"),
        ([np.array([["a", "b"]])], TypeError, "X: item 0 holds <U1; expected real numbers"),
        (np.zeros(5), ValueError, "Expected 2D array, got 1D array"),
        (np.array([["a", "b"]]), ValueError, "could not convert string to float"),
        (np.full((9, 3), np.nan), NonFiniteError, "hidden: the state at batch 0, position 0"),
    ],
)
def test_bad_data_are_named(data, kind, message):
    with pytest.raises(kind, match=message):
        KoopmanDSD(koopman_dim=3).fit(data)


def test_bad_arguments_are_named_at_fit(walks):
    for arguments, message in (
        ({"spectrum": "both"}, "spectrum"),
        ({"ridge": -1}, "ridge"),
        ({"window": 1}, "window"),
    ):
        with pytest.raises(ValueError, match=message):
            KoopmanDSD(koopman_dim=3, **arguments).fit(walks[0])


def test_pictures_show_what_was_found(walks):
    estimator = KoopmanDSD(koopman_dim=6).fit(walks)
    axes = estimator.plot_eigenvalues(1)
    points = axes.collections[0]
    assert np.abs(points.get_offsets()[:, 0] - estimator.eigenvalues_[1].real).max() < 1e-12
    assert np.abs(points.get_array() - np.minimum(estimator.residuals_[1], 1)).max() < 1e-12
    axes = estimator.plot_pseudospectrum(2)
    assert np.abs(axes.lines[-1].get_xdata() - estimator.eigenvalues_[2].real).max() < 1e-9
    axes = estimator.plot_dsd_against_length()
    assert sorted(axes.collections[0].get_offsets()[:, 0]) == [25, 40, 60]
    assert axes.get_ylabel() == "DSD (eigenvalues)"
    single = KoopmanDSD(koopman_dim=6).fit(walks[0])
    assert len(single.plot_eigenvalues().collections[0].get_offsets()) == 6


def test_importing_the_mathematics_loads_no_plotting():
    heavy = ("matplotlib", "pandas", "transformers")
    code = f"import sys, relax.koopman; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
