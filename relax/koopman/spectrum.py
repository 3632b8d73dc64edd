"""The spectrum of Koopman matrices and its spread, DSD, with gradients that cannot explode by themselves.

The m x m factorisations run in LAPACK on the CPU, spread over the threads torch may use: batched
``eigvals`` on a GPU handles one small matrix after another. The gradient of the variance comes with the
factorisation in closed form and goes back to the device as one tensor.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import torch
from torch import Tensor

from relax.koopman.arguments import check_positive, check_ridge, check_spectrum, check_weight
from relax.koopman.operator import RIDGE, minimum_norm, ridge_solve
from relax.koopman.projection import project, snapshot_pairs, transitions

#: Fewest matrices worth a thread of their own.
MATRICES_PER_THREAD = 8
#: Largest entry of V V^-1 - I for which eigenvectors count as independent (a condition number near 1e10).
INDEPENDENT = 1e-6


class DSD(NamedTuple):
    """What :func:`dsd_values` returns; every field has shape (B,)."""

    values: Tensor
    """float64, Var over the spectrum's magnitudes; differentiable."""
    skipped: Tensor
    """bool, trajectories whose gradient was set to zero because K has no usable eigenvectors. Known only
    where a gradient was asked for; False otherwise."""
    states: Tensor
    """int64, states that are not padding."""


def dsd(
    hidden: Tensor,
    weight: Tensor,
    mask: Tensor,
    spectrum: str = "eigenvalues",
    ridge: float = RIDGE,
    window: int | None = None,
) -> Tensor:
    """Dynamic spectral dispersion of each trajectory: Var(|lambda_i|) over the m magnitudes.

    Args:
        hidden: (B, T, d) hidden states of any floating-point kind (bfloat16 included). Padding may hold
            anything, NaN and infinities too.
        weight: (d, m) dictionary, psi(x) = sigmoid(W' x), m at least 2.
        mask: (B, T) boolean or integer, non-zero at states. A transition is a pair of neighbouring
            columns that are both states; padding normally lies at the ends, a gap inside breaks the
            chain without joining what lies on its two sides.
        spectrum: ``eigenvalues`` (the printed definition) or ``singular_values`` (the authors' fragment).
            They are different quantities of different scale.
        ridge: added to the un-normalised Gram matrix; zero is the minimum-norm solution.
        window: None uses the whole trajectory. A number w of states (at least 2) averages DSD over
            consecutive windows of w states, neighbours sharing one state so that no transition is lost;
            windows that are not full are left out. A step beyond the paper: DSD falls with length for
            one and the same process, and equal windows remove that.

    Returns:
        (B,) float64, differentiable in ``hidden`` and ``weight``. A trajectory without a transition (or
        without a full window) has DSD 0 and a zero gradient.

    Raises:
        ValueError, TypeError: an argument does not fit.
        NonFiniteError: a state that is not padding holds NaN or an infinity.

    Source: Eq. 7 of the paper; unbiased variance (m - 1 in the denominator).
    """
    return dsd_values(hidden, weight, mask, spectrum, ridge, window).values


def dsd_values(
    hidden: Tensor,
    weight: Tensor,
    mask: Tensor,
    spectrum: str = "eigenvalues",
    ridge: float = RIDGE,
    window: int | None = None,
    smoothing: float = 0.0,
) -> DSD:
    """The same as :func:`dsd`, with the trajectories whose gradient had to be skipped and the lengths.

    ``smoothing`` c takes the variance of sqrt(size^2 + c) in place of that of the magnitudes; the authors' fragment
    has 0.001.
    """
    check_spectrum(spectrum)
    check_ridge(ridge)
    if window is not None:
        check_positive("window", window, least=2)
    check_weight(weight, least_columns=2)
    psi = project(hidden, weight, mask)
    return snapshot_dsd(psi, mask.to(device=psi.device, dtype=torch.bool), spectrum, ridge, window, smoothing)


def snapshot_dsd(
    psi: Tensor, valid: Tensor, spectrum: str, ridge: float, window: int | None, smoothing: float = 0.0
) -> DSD:
    """DSD of snapshots (B, T, m) that are zero where ``valid`` (B, T) is false; arguments are not checked."""
    states = valid.sum(dim=1)
    if psi.shape[1] < 2:
        zeros = psi.sum(dim=(1, 2)) * 0
        return DSD(zeros, torch.zeros_like(zeros, dtype=torch.bool), states)
    if window is not None:
        values, skipped, _ = windowed(psi, valid, spectrum, ridge, window, smoothing)
        return DSD(values, skipped, states)
    values, skipped = spectral_variance(_koopman(psi, transitions(valid), ridge), spectrum, smoothing)
    return DSD(values, skipped, states)


def spectral_variance(koopman: Tensor, spectrum: str, smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
    """Var of the magnitudes of the spectrum of (B, m, m) matrices, and the rows whose gradient is skipped."""
    values, skipped = _SpectralVariance.apply(koopman, spectrum, smoothing)
    return values, skipped


def eigenvalues(koopman: Tensor) -> Tensor:
    """(B, m) complex128 eigenvalues of (B, m, m) matrices, on the matrices' device; no gradient."""
    matrices = koopman.detach().to("cpu", torch.float64)
    (result,) = _in_threads(lambda part: (torch.linalg.eigvals(part),), matrices)
    return result.to(koopman.device)


def eigenpairs(koopman: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues (B, m) and unit right eigenvectors (B, m, m, in columns), complex128; no gradient."""
    values, vectors = _in_threads(torch.linalg.eig, koopman.detach().to("cpu", torch.float64))
    return values.to(koopman.device), vectors.to(koopman.device)


def singular_values(koopman: Tensor) -> Tensor:
    """(B, m) float64 singular values in descending order; no gradient."""
    matrices = koopman.detach().to("cpu", torch.float64)
    (result,) = _in_threads(lambda part: (torch.linalg.svdvals(part),), matrices)
    return result.to(koopman.device)


def _koopman(psi: Tensor, pairs: Tensor, ridge: float) -> Tensor:
    psi_x, psi_y = snapshot_pairs(psi, pairs)
    if ridge == 0:
        return minimum_norm(psi_x, psi_y, pairs.sum(dim=1))
    return ridge_solve(psi_x.mT @ psi_x, psi_x.mT @ psi_y, ridge)


def windowed(
    psi: Tensor, valid: Tensor, spectrum: str, ridge: float, window: int, smoothing: float = 0.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean over full windows, skipped rows, and how many windows were full, each (B,).

    Windows count from a trajectory's first state, wherever its padding lies.
    """
    batch, columns, m = psi.shape
    if columns < window:
        values = psi.sum(dim=(1, 2)) * 0
        return values, torch.zeros_like(values, dtype=torch.bool), torch.zeros_like(values, dtype=torch.int64)
    order = torch.argsort((~valid).to(torch.uint8), dim=1, stable=True)
    psi = psi.gather(1, order.unsqueeze(-1).expand(-1, -1, m))
    valid = valid.gather(1, order)
    pairs = transitions(valid) & (order.diff(dim=1) == 1)
    windows = psi.unfold(1, window, window - 1).mT.reshape(-1, window, m)
    inside = pairs.unfold(1, window - 1, window - 1)  # (B, windows, w - 1)
    full = inside.all(dim=2)
    values, skipped = spectral_variance(_koopman(windows, inside.flatten(0, 1), ridge), spectrum, smoothing)
    count = full.sum(dim=1)
    values = torch.where(full, values.reshape(batch, -1), 0.0).sum(dim=1) / count.clamp_min(1)
    return values, (skipped.reshape(batch, -1) & full).any(dim=1), count


class _SpectralVariance(torch.autograd.Function):
    """Var of magnitudes; the derivative with respect to K is formed together with the factorisation.

    Eigenvalues, K = V diag(lambda) V^-1: with mu = mean |lambda| and
    g_i = 2 (|lambda_i| - mu) / (m - 1) * lambda_i / |lambda_i|, dVar/dK = Re[V^-* diag(g) V*]. No
    difference of eigenvalues appears, so repeated ones are harmless.
    Singular values, K = U diag(s) V': dVar/dK = 2 / (m - 1) * (K - mu U V'), over non-zero s.
    Of smoothed magnitudes r = sqrt(size^2 + c), r and its mean stand in the difference, times dr/dsize = size / r.
    """

    @staticmethod
    def forward(ctx: Any, koopman: Tensor, spectrum: str, smoothing: float) -> tuple[Tensor, Tensor]:
        matrices = koopman.detach().to("cpu", torch.float64)
        wanted = ctx.needs_input_grad[0]
        part = _eigenvalue_part if spectrum == "eigenvalues" else _singular_value_part
        finite = torch.isfinite(matrices).flatten(1).all(dim=1)
        matrices = torch.where(finite[:, None, None], matrices, 0.0)
        values, gradient, skipped = _in_threads(lambda rows: _guarded(part, rows, wanted, smoothing), matrices)
        skipped = skipped | ~finite
        if wanted:
            ctx.save_for_backward(gradient.to(koopman.device))
        skipped = skipped.to(koopman.device)
        ctx.mark_non_differentiable(skipped)
        return values.to(koopman.device), skipped

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return grad[:, None, None] * gradient, None, None


def _in_threads(work: Callable[[Tensor], tuple[Tensor, ...]], matrices: Tensor) -> tuple[Tensor, ...]:
    """Apply ``work`` to slices of the batch (no gradient), one per thread, and join the results.

    LAPACK releases the interpreter's lock; the pool lives for the call only.
    """
    count = min(torch.get_num_threads(), len(matrices) // MATRICES_PER_THREAD)
    if count < 2:
        return work(matrices)
    with ThreadPoolExecutor(count) as pool:
        parts = list(pool.map(work, matrices.tensor_split(count)))
    return tuple(torch.cat(column) for column in zip(*parts, strict=True))


Part = Callable[[Tensor, bool, float], tuple[Tensor, Tensor, Tensor]]


def _guarded(part: Part, matrices: Tensor, wanted: bool, smoothing: float) -> tuple[Tensor, Tensor, Tensor]:
    """Values (b,), gradients (b, m, m; empty if not wanted) and skipped rows (b,) of a slice of the batch.

    Where LAPACK gives up on a matrix, that one gets DSD 0 and no gradient, the others theirs.
    """
    try:
        return part(matrices, wanted, smoothing)
    except torch.linalg.LinAlgError:
        if len(matrices) > 1:
            parts = (_guarded(part, matrix, wanted, smoothing) for matrix in matrices.split(1))
            values, gradients, skipped = zip(*parts, strict=True)
            return torch.cat(values), torch.cat(gradients), torch.cat(skipped)
        gradient = torch.zeros_like(matrices) if wanted else matrices[:, :0]
        return matrices.new_zeros(1), gradient, torch.ones(1, dtype=torch.bool)


def _smoothed(size: Tensor, smoothing: float) -> Tensor:
    return (size.square() + smoothing).sqrt() if smoothing else size


def _eigenvalue_part(matrices: Tensor, wanted: bool, smoothing: float) -> tuple[Tensor, Tensor, Tensor]:
    if not wanted:
        values = _smoothed(torch.linalg.eigvals(matrices).abs(), smoothing).var(dim=1, correction=1)
        return values, matrices[:, :0], torch.zeros_like(values, dtype=torch.bool)
    lambdas, vectors = torch.linalg.eig(matrices)
    size, m = lambdas.abs(), matrices.shape[1]
    # |lambda| has no derivative at 0; what is 0 up to rounding gets none.
    zero = m * torch.finfo(torch.float64).eps * torch.linalg.matrix_norm(matrices)
    phase = torch.where(size > zero[:, None], lambdas / size.clamp_min(torch.finfo(torch.float64).tiny), 0)
    if smoothing:
        smooth = _smoothed(size, smoothing)
        phase, size = phase * size / smooth, smooth
    g = 2 * (size - size.mean(dim=1, keepdim=True)) / (m - 1) * phase

    # A conjugate pair v, conj(v) spans the plane of Re v, Im v: real arithmetic at a quarter of the cost.
    def real(columns: Tensor) -> Tensor:
        return torch.where(lambdas.imag.unsqueeze(1) < 0, -columns.imag, columns.real)

    basis = real(vectors)
    inverse = torch.linalg.inv_ex(basis).inverse
    gradient = (real(vectors * g.conj().unsqueeze(1)) @ inverse).mT  # (V diag(conj g) V^-1)'
    error = basis @ inverse - torch.eye(m, dtype=basis.dtype)
    independent = error.abs().amax(dim=(1, 2)) < INDEPENDENT  # False for NaN
    good = independent & torch.isfinite(gradient).all(dim=2).all(dim=1)
    gradient = torch.where(good[:, None, None], gradient, 0.0)
    return size.var(dim=1, correction=1), gradient, ~good


def _singular_value_part(matrices: Tensor, wanted: bool, smoothing: float) -> tuple[Tensor, Tensor, Tensor]:
    skipped = torch.zeros(len(matrices), dtype=torch.bool)
    if not wanted:
        size = _smoothed(torch.linalg.svdvals(matrices), smoothing)
        return size.var(dim=1, correction=1), matrices[:, :0], skipped
    left, size, right = torch.linalg.svd(matrices)
    m = matrices.shape[1]
    if smoothing:
        smooth = _smoothed(size, smoothing)
        slope = 2 / (m - 1) * (smooth - smooth.mean(dim=1, keepdim=True)) * size / smooth
        return smooth.var(dim=1, correction=1), (left * slope.unsqueeze(1)) @ right, skipped
    zero = m * torch.finfo(torch.float64).eps * size[:, :1]
    mean = size.mean(dim=1, keepdim=True)
    centre = torch.where(size > zero, mean, 0.0)
    gradient = 2 / (m - 1) * (matrices - (left * centre.unsqueeze(1)) @ right)
    return size.var(dim=1, correction=1), gradient, skipped
