"""Koopman spectra and dynamic spectral dispersion (DSD) of trajectories of hidden states.

Pure torch, no global state, usable without the rest of the package. Row snapshots throughout:
Psi_y ~ Psi_x K with rows psi(x_t), psi(x) = sigmoid(W' x).
"""

from relax.koopman.baselines import length_matched_dsd, shuffle_time
from relax.koopman.dictionary import POSITIONS, Dictionary, DictionarySettings
from relax.koopman.estimator import KoopmanDSD
from relax.koopman.fitting import dictionary_loss
from relax.koopman.gram_statistics import TrajectoryStatistics, trajectory_statistics
from relax.koopman.inputs import SPECTRA, NonFiniteError
from relax.koopman.operator import RIDGE, ROBUST_RIDGE, koopman_matrix
from relax.koopman.projection import project
from relax.koopman.residuals import eigenpair_residuals, pseudospectrum
from relax.koopman.spectrum import DSD, dsd, dsd_values

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
