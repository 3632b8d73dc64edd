"""The same analysis on NumPy arrays, in the manner of scikit-learn."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from relax.koopman.arguments import check_positive, check_ridge, check_spectrum
from relax.koopman.dictionary import Dictionary
from relax.koopman.fitting import pad
from relax.koopman.gram_statistics import trajectory_statistics
from relax.koopman.operator import RIDGE
from relax.koopman.projection import project
from relax.koopman.spectrum import dsd

Array = NDArray[Any]


class KoopmanDSD(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Koopman spectrum and DSD of trajectories given as NumPy arrays.

    The rows of a two-dimensional X are the states of one trajectory, in the order of time. :meth:`fit` takes several
    trajectories too. :meth:`transform` and ``fit_transform`` take one, because their rows are states; the example shows
    how to transform several.

    Args:
        koopman_dim: m, functions of the dictionary made here (at least 2).
        spectrum: ``eigenvalues`` or ``singular_values``, the one that ``dsd_`` speaks of.
        ridge: added to the un-normalised Gram matrix; zero is the minimum-norm solution.
        window: None, or the states of a window; see :func:`relax.koopman.dsd`.
        dictionary: a :class:`relax.koopman.Dictionary` or a (d, m) array to use; None makes one.
        objective: how it is made: ``random``, or fitted on X itself by ``residual``, ``singular`` or
            ``printed``.
        seed: of the dictionary.

    Attributes (after :meth:`fit`; for a list of B trajectories each has a leading axis of B):
        koopman_: (m, m), row convention: psi(x_{t+1}) ~ psi(x_t) K.
        eigenvalues_: (m,) complex.
        singular_values_: (m,) descending.
        residuals_: (m,) normalised residual of each eigenvalue, in the order of ``eigenvalues_``.
        dsd_: variance of the magnitudes of the chosen spectrum.
        leverage_, condition_, effective_rank_: see :class:`relax.koopman.TrajectoryStatistics`.
        dictionary_: (d, m) W.
        statistics_: the :class:`relax.koopman.TrajectoryStatistics`.
        n_features_in_: d.

    Examples:
        >>> import numpy as np
        >>> t = np.arange(200)[:, None]
        >>> turning = np.hstack([np.cos(0.3 * t), np.sin(0.3 * t)])
        >>> estimator = KoopmanDSD(koopman_dim=3).fit(turning)
        >>> estimator.eigenvalues_.shape, estimator.transform(turning).shape
        ((3,), (200, 3))
        >>> pair = [turning, turning[:50]]
        >>> estimator = KoopmanDSD(koopman_dim=3).fit(pair)
        >>> estimator.dsd_.shape, [estimator.transform(one).shape for one in pair]
        ((2,), [(200, 3), (50, 3)])
    """

    def __init__(
        self,
        koopman_dim: int = 50,
        spectrum: str = "eigenvalues",
        ridge: float = RIDGE,
        window: int | None = None,
        dictionary: Dictionary | Array | None = None,
        objective: str = "random",
        seed: int = 0,
    ) -> None:
        self.koopman_dim = koopman_dim
        self.spectrum = spectrum
        self.ridge = ridge
        self.window = window
        self.dictionary = dictionary
        self.objective = objective
        self.seed = seed

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def fit(self, X: ArrayLike | Sequence[Array], y: None = None) -> "KoopmanDSD":
        """Analyse one trajectory (T, d), or several: a list of (T_i, d), or an array (B, T, d).

        Raises:
            ValueError, TypeError: X or an argument does not fit; NonFiniteError: X holds NaN or an infinity.
        """
        check_spectrum(self.spectrum)
        check_ridge(self.ridge)
        check_positive("koopman_dim", self.koopman_dim, least=2)
        single = not _several(X)
        trajectories = [self._one(X, reset=True)] if single else _trajectories(X)
        weight = self._weight(trajectories)
        hidden, mask = pad(trajectories)
        statistics = trajectory_statistics(hidden, weight, mask)
        values, residuals = statistics.residuals(self.ridge)

        def plain(tensor: Tensor) -> Any:
            array = tensor.numpy()
            return array[0] if single else array

        self.statistics_ = statistics
        self.dictionary_ = weight.numpy()
        self.n_features_in_, self._n_features_out = weight.shape
        self.koopman_ = plain(statistics.koopman(self.ridge))
        self.eigenvalues_, self.residuals_ = plain(values), plain(residuals)
        self.singular_values_ = plain(statistics.singular_values(self.ridge))
        self.leverage_ = plain(statistics.leverage(self.ridge))
        self.condition_ = plain(statistics.condition())
        self.effective_rank_ = plain(statistics.effective_rank())
        self.dsd_ = plain(dsd(hidden, weight, mask, self.spectrum, self.ridge, self.window))
        return self

    def transform(self, X: ArrayLike) -> Array:
        """Snapshots psi(x_t) of one trajectory (T, d): an array (T, m).

        Raises:
            NotFittedError: nothing was fitted yet; ValueError: X holds several trajectories, or another d.
        """
        check_is_fitted(self)
        if _several(X):
            raise ValueError(
                "X holds several trajectories, but transform takes one array (T, d); after fit(X), write "
                "[estimator.transform(one) for one in X]."
            )
        hidden, mask = pad([self._one(X, reset=False)])
        return project(hidden, torch.from_numpy(self.dictionary_), mask)[0].numpy()

    def plot_eigenvalues(self, index: int = 0, axes: Any = None) -> Any:
        """Eigenvalues of one trajectory beside the unit circle, coloured by residual; returns the axes."""
        from relax.koopman.plots import plot_eigenvalues

        size = len(self.statistics_)
        return plot_eigenvalues(
            np.reshape(self.eigenvalues_, (size, -1))[index],
            np.reshape(self.residuals_, (size, -1))[index],
            axes,
        )

    def plot_pseudospectrum(self, index: int = 0, axes: Any = None) -> Any:
        """Contours of the pseudospectrum of one trajectory with its eigenvalues; returns the axes."""
        from relax.koopman.plots import plot_pseudospectrum

        return plot_pseudospectrum(self.statistics_, index, self.ridge, axes=axes)

    def plot_dsd_against_length(self, axes: Any = None) -> Any:
        """DSD of every trajectory against its number of states; returns the axes."""
        from relax.koopman.plots import plot_dsd_against_length

        lengths = self.statistics_.length.numpy()
        return plot_dsd_against_length(lengths, np.atleast_1d(self.dsd_), self.spectrum, axes)

    def _one(self, X: ArrayLike, reset: bool) -> Tensor:
        # Not the check of NaN: that of the mathematics names the state.
        kinds = [np.float64, np.float32]
        states = validate_data(self, X, reset=reset, dtype=kinds, ensure_all_finite=False)
        return torch.from_numpy(np.array(states))

    def _weight(self, trajectories: list[Tensor]) -> Tensor:
        if isinstance(self.dictionary, Dictionary):
            return self.dictionary.weight
        if self.dictionary is not None:
            return torch.from_numpy(np.array(self.dictionary, dtype=np.float64))
        return Dictionary.fit(trajectories, self.koopman_dim, self.objective, ridge=self.ridge, seed=self.seed).weight


def _several(X: Any) -> bool:
    """Does X hold trajectories, and not the states of one?"""
    return bool(np.ndim(X) == 3 if isinstance(X, np.ndarray) else isinstance(X, list | tuple) and np.ndim(X[:1]) != 2)


def _trajectories(X: Any) -> list[Tensor]:
    """Tensors (T_i, d) of one kind."""
    arrays = [np.asarray(item) for item in X]
    if not arrays:
        raise ValueError("X: there is no trajectory; expected an array (T, d) or a list of them.")
    for index, array in enumerate(arrays):
        if array.ndim != 2:
            raise ValueError(f"X: item {index} has shape {array.shape}; expected (states T, hidden size d).")
        if array.shape[1] != arrays[0].shape[1]:
            raise ValueError(f"X: item {index} has shape {array.shape}; expected (T, {arrays[0].shape[1]}).")
        if array.dtype.kind not in "fiu":
            raise TypeError(f"X: item {index} holds {array.dtype}; expected real numbers.")
    kind = np.float32 if all(array.dtype == np.float32 for array in arrays) else np.float64
    return [torch.from_numpy(array.astype(kind)) for array in arrays]
