"""Baselines without which a DSD says little: the same states in random order, and equal lengths.

DSD changes with a trajectory's length; for AR(1) states it peaks where the transitions are as many as the functions,
and falls in the end. A number means something about dynamics only beside that of the same states shuffled in time.
"""

import torch
from torch import Tensor

from relax.koopman.arguments import check_floating, check_mask, check_positive, check_ridge, check_spectrum
from relax.koopman.operator import RIDGE
from relax.koopman.spectrum import windowed


def shuffle_time(states: Tensor, mask: Tensor, seed: int) -> Tensor:
    """The same states of each trajectory in random order; padding stays where it is.

    Args:
        states: (B, T, k), snapshots or hidden states. Shuffling snapshots is the cheaper way:
            ``shuffle_time(project(hidden, weight, mask), mask, seed)``.
        mask: (B, T) boolean or integer, non-zero at states.
        seed: of the order; it also depends on the row in the batch and on T.

    Returns:
        (B, T, k), for instance for :meth:`relax.koopman.TrajectoryStatistics.from_snapshots`.

    Raises:
        ValueError, TypeError: shapes or kinds do not fit.

    Examples:
        >>> import torch
        >>> from relax.koopman import shuffle_time
        >>> states = torch.tensor([[[1.0], [2.0], [3.0], [0.0]]])
        >>> shuffled = shuffle_time(states, torch.tensor([[1, 1, 1, 0]]), seed=0)
        >>> sorted(shuffled[0, :3, 0].tolist()), shuffled[0, 3, 0].item()
        ([1.0, 2.0, 3.0], 0.0)
    """
    return reorder_time(states, mask, torch.rand(mask.shape, generator=torch.Generator().manual_seed(seed)))


def reorder_time(states: Tensor, mask: Tensor, keys: Tensor) -> Tensor:
    """The states (B, T, k) of each trajectory in the order of their keys (B, T); padding stays where it is."""
    valid = _check(states, mask)
    source = torch.argsort(keys.to(valid.device).masked_fill(~valid, torch.inf), dim=1, stable=True)
    target = torch.argsort((~valid).to(torch.uint8), dim=1, stable=True)
    order = torch.empty_like(source).scatter_(1, target, source)
    return states.gather(1, order.unsqueeze(-1).expand_as(states))


def length_matched_dsd(
    psi: Tensor, mask: Tensor, length: int, spectrum: str = "eigenvalues", ridge: float = RIDGE
) -> Tensor:
    """DSD at one common length: the mean over windows of ``length`` states, comparable across trajectories.

    Args:
        psi: (B, T, m) snapshots, as :func:`relax.koopman.project` makes them.
        mask: (B, T) boolean or integer.
        length: states a window, at least 2; neighbouring windows share one state.
        spectrum: ``eigenvalues`` or ``singular_values``.
        ridge: of every window's Koopman matrix.

    Returns:
        (B,) float64, NaN where a trajectory has no full window.

    Raises:
        ValueError, TypeError: an argument does not fit.

    Examples:
        >>> import torch
        >>> from relax.koopman import length_matched_dsd
        >>> psi = torch.rand(2, 40, 4, generator=torch.Generator().manual_seed(0))
        >>> mask = torch.ones(2, 40, dtype=torch.bool)
        >>> mask[1, 20:] = False
        >>> length_matched_dsd(psi, mask, length=30).isnan().tolist()
        [False, True]
    """
    check_positive("length", length, least=2)
    check_spectrum(spectrum)
    check_ridge(ridge)
    valid = _check(psi, mask)
    clean = torch.where(valid.unsqueeze(-1), psi.detach().to(torch.float64), 0.0)
    values, _, windows = windowed(clean, valid, spectrum, ridge, length)
    return torch.where(windows > 0, values, torch.nan)


def _check(states: Tensor, mask: Tensor) -> Tensor:
    check_floating("states", states)
    if states.ndim != 3:
        raise ValueError(f"states: its shape is {tuple(states.shape)}; expected (batch B, states T, entries).")
    return check_mask(mask, states, "states")
