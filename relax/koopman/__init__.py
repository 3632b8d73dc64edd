"""Koopman spectra and dynamic spectral dispersion (DSD) of trajectories of hidden states.

Pure torch, no global state, usable without the rest of the package. Row snapshots throughout:
Psi_y ~ Psi_x K with rows psi(x_t), psi(x) = sigmoid(W' x).

Examples:
    >>> import torch
    >>> from relax.koopman import Dictionary, dsd, dsd_values
    >>> hidden = torch.randn(3, 40, 8, generator=torch.Generator().manual_seed(0))
    >>> mask = torch.ones(3, 40, dtype=torch.bool)
    >>> weight = Dictionary.random(hidden_size=8, koopman_dim=4).weight
    >>> dsd(hidden, weight, mask).shape  # one number for each trajectory
    torch.Size([3])
    >>> dsd_values(hidden, weight, mask, spectrum="singular_values").skipped.tolist()
    [False, False, False]
"""

from typing import TYPE_CHECKING, Any

from relax.koopman.arguments import SPECTRA, NonFiniteError
from relax.koopman.baselines import length_matched_dsd, shuffle_time
from relax.koopman.dictionary import POSITIONS, Dictionary, DictionarySettings
from relax.koopman.fitting import dictionary_loss
from relax.koopman.gram_statistics import TrajectoryStatistics, trajectory_statistics
from relax.koopman.operator import RIDGE, ROBUST_RIDGE, koopman_matrix
from relax.koopman.projection import project
from relax.koopman.residuals import eigenpair_residuals, pseudospectrum
from relax.koopman.spectrum import DSD, dsd, dsd_values

if TYPE_CHECKING:
    from relax.koopman.estimator import KoopmanDSD

__all__ = [
    "DSD",
    "POSITIONS",
    "RIDGE",
    "ROBUST_RIDGE",
    "SPECTRA",
    "Dictionary",
    "DictionarySettings",
    "KoopmanDSD",
    "NonFiniteError",
    "TrajectoryStatistics",
    "dictionary_loss",
    "dsd",
    "dsd_values",
    "eigenpair_residuals",
    "koopman_matrix",
    "length_matched_dsd",
    "project",
    "pseudospectrum",
    "shuffle_time",
    "trajectory_statistics",
]


def __getattr__(name: str) -> Any:
    # Imported on first use: training must not wait for scikit-learn, nor load it.
    if name == "KoopmanDSD":
        from relax.koopman.estimator import KoopmanDSD

        return KoopmanDSD
    raise AttributeError(f"module 'relax.koopman' has no attribute {name!r}")
