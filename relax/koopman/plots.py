"""The pictures people look at: eigenvalues, pseudospectrum, and DSD against length."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from relax.koopman.gram_statistics import TrajectoryStatistics
from relax.koopman.operator import RIDGE


def plot_eigenvalues(eigenvalues: NDArray[Any], residuals: NDArray[Any], axes: Any = None) -> Any:
    """Eigenvalues (m,) in the complex plane with the unit circle, coloured by normalised residual (m,).

    Residuals above 1, infinite ones included, share one colour: such an eigenvalue says nothing about
    the dynamics. Returns the axes (new ones if None was given).
    """
    axes = _axes(axes)
    circle = np.exp(1j * np.linspace(0, 2 * np.pi, 361))
    axes.plot(circle.real, circle.imag, color="0.7", linewidth=0.8, zorder=0)
    points = axes.scatter(eigenvalues.real, eigenvalues.imag, c=np.minimum(residuals, 1.0), s=14, vmin=0, vmax=1)
    axes.figure.colorbar(points, ax=axes, label="normalised residual")
    axes.set(xlabel="real part", ylabel="imaginary part", aspect="equal")
    return axes


def plot_pseudospectrum(
    statistics: TrajectoryStatistics,
    index: int = 0,
    ridge: float = RIDGE,
    points: int = 81,
    radius: float = 1.4,
    axes: Any = None,
) -> Any:
    """Contours of log10 tau(z) of one trajectory over the square |re|, |im| <= radius, with its eigenvalues.

    The lower half plane is the mirror image of the upper one (real data). Returns the axes.
    """
    axes = _axes(axes)
    real = np.linspace(-radius, radius, points)
    imag = np.linspace(0, radius, points // 2 + 1)
    grid = torch.from_numpy(real[None, :] + 1j * imag[:, None])
    tau = statistics.pseudospectrum(grid, index).cpu().numpy()
    tau = np.log10(np.maximum(np.concatenate([tau[:0:-1], tau]), 1e-8))
    filled = axes.contourf(real, np.concatenate([-imag[:0:-1], imag]), tau, levels=12)
    axes.figure.colorbar(filled, ax=axes, label="log10 tau")
    values = statistics[index : index + 1].eigenvalues(ridge)[0].cpu().numpy()
    axes.plot(values.real, values.imag, "x", color="white", markersize=4)
    axes.set(xlabel="real part", ylabel="imaginary part", aspect="equal")
    return axes


def plot_dsd_against_length(lengths: NDArray[Any], values: NDArray[Any], spectrum: str, axes: Any = None) -> Any:
    """DSD (B,) against the number of states (B,); ``spectrum`` names the one used.

    An axis is logarithmic where its values span more than a factor of three. Returns the axes.
    """
    axes = _axes(axes)
    shown = (lengths > 0) & (values > 0)
    axes.scatter(lengths[shown], values[shown], s=10)
    axes.set(xlabel="states T", ylabel=f"DSD ({spectrum.replace('_', ' ')})")
    for name, drawn in (("x", lengths[shown]), ("y", values[shown])):
        if drawn.size and drawn.max() > 3 * drawn.min():
            axes.set(**{f"{name}scale": "log"})
            _plain_ticks(getattr(axes, f"{name}axis"))
    return axes


def _plain_ticks(axis: Any) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def _axes(axes: Any) -> Any:
    if axes is not None:
        return axes
    from matplotlib.figure import Figure

    # A figure of its own, outside pyplot: no window, no state to close.
    return Figure(figsize=(5, 4), layout="constrained").subplots()
