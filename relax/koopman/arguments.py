"""Checks of arguments: what is wrong, where, and what was expected, in one sentence.

Wrong shapes, names and ranges raise :class:`ValueError`, wrong kinds of object :class:`TypeError`,
values that are not finite :class:`NonFiniteError`.
"""

import math

import torch
from torch import Tensor

from relax.errors import NumericsError

SPECTRA = ("eigenvalues", "singular_values")


class NonFiniteError(NumericsError, ValueError):
    """A NaN or an infinity where a number was expected; exit code 5 on the command line."""


def check_spectrum(spectrum: str) -> None:
    """Refuse anything but one of :data:`SPECTRA`."""
    if spectrum not in SPECTRA:
        raise ValueError(f"spectrum: {spectrum!r} is unknown; expected one of {', '.join(SPECTRA)}.")


def check_ridge(ridge: float) -> None:
    """Refuse a negative, infinite or undefined ridge."""
    if isinstance(ridge, bool) or not isinstance(ridge, (int, float)):
        raise TypeError(f"ridge: {ridge!r} is a {type(ridge).__name__}; expected a number.")
    if not (math.isfinite(ridge) and ridge >= 0):
        raise ValueError(f"ridge: {ridge!r} is not usable; expected a finite number, zero or larger.")


def check_positive(name: str, value: int, least: int = 1) -> None:
    """Refuse anything but an integer of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}: {value!r} is a {type(value).__name__}; expected an integer.")
    if value < least:
        raise ValueError(f"{name}: {value} is too small; expected at least {least}.")


def check_floating(name: str, value: object) -> None:
    """Refuse anything but a real floating-point tensor."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: got a {type(value).__name__}; expected a torch tensor.")
    if not value.is_floating_point():
        raise TypeError(f"{name}: its kind is {value.dtype}; expected a real floating-point tensor.")


def check_finite(name: str, value: Tensor) -> None:
    """Refuse NaN and infinities, naming the first position."""
    finite = torch.isfinite(value)
    if not bool(finite.all()):
        where = tuple(int(i) for i in (~finite).nonzero()[0])
        raise NonFiniteError(f"{name}: the value at {where} is {value[where].item()}; expected a finite number.")


def check_weight(weight: Tensor, least_columns: int = 1) -> None:
    """Refuse a dictionary that is not a (d, m) matrix with at least ``least_columns`` columns."""
    check_floating("weight", weight)
    if weight.ndim != 2 or weight.shape[0] < 1:
        raise ValueError(f"weight: its shape is {tuple(weight.shape)}; expected (hidden size d, dictionary size m).")
    if weight.shape[1] < least_columns:
        raise ValueError(
            f"weight: it has {weight.shape[1]} columns; expected at least {least_columns}, "
            "because a variance needs two magnitudes."
        )


def check_trajectories(hidden: Tensor, weight: Tensor, mask: Tensor) -> Tensor:
    """Check a padded batch and return the mask as booleans.

    Args:
        hidden: (B, T, d), floating point.
        weight: (d, m), floating point.
        mask: (B, T), boolean or integer; non-zero marks a state.
    """
    check_floating("hidden", hidden)
    if hidden.ndim != 3:
        raise ValueError(f"hidden: its shape is {tuple(hidden.shape)}; expected (batch B, states T, hidden size d).")
    check_weight(weight)
    if hidden.shape[2] != weight.shape[0]:
        raise ValueError(
            f"weight: its shape is {tuple(weight.shape)}; expected ({hidden.shape[2]}, m), "
            f"because hidden has shape {tuple(hidden.shape)}."
        )
    return check_mask(mask, hidden, "hidden")


def check_mask(mask: Tensor, states: Tensor, name: str) -> Tensor:
    """Check that ``mask`` fits the batch ``states`` (B, T, ...) and return it as booleans."""
    if not isinstance(mask, Tensor):
        raise TypeError(f"mask: got a {type(mask).__name__}; expected a torch tensor.")
    if mask.is_floating_point() or mask.is_complex():
        raise TypeError(f"mask: its kind is {mask.dtype}; expected booleans or integers.")
    if mask.shape != states.shape[:2]:
        raise ValueError(
            f"mask: its shape is {tuple(mask.shape)}; expected {tuple(states.shape[:2])}, "
            f"because {name} has shape {tuple(states.shape)}."
        )
    return mask.to(device=states.device, dtype=torch.bool)


def check_snapshots(psi_x: Tensor, psi_y: Tensor) -> None:
    """Refuse snapshots that are not finite, or not of one shape (..., n, m) with n and m at least 1."""
    for name, psi in (("psi_x", psi_x), ("psi_y", psi_y)):
        check_floating(name, psi)
        if psi.ndim < 2 or psi.shape[-1] < 1 or psi.shape[-2] < 1:
            raise ValueError(f"{name}: its shape is {tuple(psi.shape)}; expected (..., transitions n, functions m).")
        check_finite(name, psi)
    if psi_x.shape != psi_y.shape:
        raise ValueError(
            f"psi_y: its shape is {tuple(psi_y.shape)}; expected {tuple(psi_x.shape)}, the shape of psi_x."
        )
