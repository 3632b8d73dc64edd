"""How far an eigenpair of K is from an eigenpair of the dynamics, and the pseudospectrum.

Residual dynamic mode decomposition (Colbrook and Townsend, arXiv 2111.14889; arXiv 2109.06642).
"""

import torch
from torch import Tensor

from relax.koopman.arguments import check_snapshots
from relax.koopman.operator import RIDGE, koopman_matrix
from relax.koopman.spectrum import eigenpairs

#: Points of a pseudospectrum evaluated at a time.
POINTS = 4096


def eigenpair_residuals(psi_x: Tensor, psi_y: Tensor, ridge: float = RIDGE) -> tuple[Tensor, Tensor]:
    """Normalised residual ||(Psi_y - lambda Psi_x) v|| / ||Psi_x v|| of every eigenpair of K.

    Args:
        psi_x: (..., n, m) snapshots, one row a state.
        psi_y: (..., n, m) the snapshots one step later.
        ridge: of the Koopman matrix.

    Returns:
        eigenvalues (..., m) complex128 and residuals (..., m) float64 in the same order. The residual is a
        property of the eigenfunction: it does not depend on the scale of v or, without a ridge, on the
        basis of the dictionary. It is infinite where the eigenfunction vanishes on the data.

    Raises:
        ValueError, TypeError, NonFiniteError: as :func:`relax.koopman.koopman_matrix`.

    Source: Eq. 12 of arXiv 2109.06642 in row convention, with the denominator that makes it comparable.

    Examples:
        >>> import torch
        >>> from relax.koopman import eigenpair_residuals
        >>> psi = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
        >>> slow_and_fast = torch.diag(torch.tensor([0.9, 0.1]))
        >>> values, residuals = eigenpair_residuals(psi, psi @ slow_and_fast, ridge=0)
        >>> sorted(values.real.round(decimals=3).tolist()), bool(residuals.max() < 1e-6)
        ([0.1, 0.9], True)
    """
    koopman = koopman_matrix(psi_x, psi_y, ridge).detach()
    shape = koopman.shape[:-1]
    m = shape[-1]
    values, vectors = eigenpairs(koopman.reshape(-1, m, m))
    values, vectors = values.reshape(shape), vectors.reshape(koopman.shape)
    now = psi_x.detach().to(torch.complex128) @ vectors
    error = psi_y.detach().to(torch.complex128) @ vectors - now * values.unsqueeze(-2)
    scale = torch.linalg.matrix_norm(psi_x.detach().to(torch.float64))[..., None]
    return values, _ratio(torch.linalg.vector_norm(error, dim=-2), torch.linalg.vector_norm(now, dim=-2), scale)


def gram_residuals(koopman: Tensor, gram: Tensor, cross: Tensor, gram_next: Tensor) -> tuple[Tensor, Tensor]:
    """The same from Gram matrices (B, m, m): res^2 = v* [L - l A* - conj(l) A + |l|^2 G] v / (v* G v).

    The subtraction costs half the digits: residuals below about 1e-7 are not resolved.
    """
    values, vectors = eigenpairs(koopman)

    def form(matrix: Tensor) -> Tensor:  # v_i* M v_i
        return torch.einsum("bji,bjk,bki->bi", vectors.conj(), matrix.to(vectors.dtype), vectors)

    now = form(gram).real.clamp_min(0)
    error = form(gram_next).real - 2 * (values.conj() * form(cross)).real + values.abs() ** 2 * now
    scale = gram.diagonal(dim1=-2, dim2=-1).sum(dim=-1, keepdim=True).sqrt()
    return values, _ratio(error.clamp_min(0).sqrt(), now.sqrt(), scale)


def _ratio(error: Tensor, now: Tensor, scale: Tensor) -> Tensor:
    """error / now, infinite where the eigenfunction is zero on the data up to rounding."""
    gone = now <= 1e-12 * scale
    return torch.where(gone, torch.inf, error / now.masked_fill(gone, 1.0))


def pseudospectrum(psi_x: Tensor, psi_y: Tensor, z: Tensor) -> Tensor:
    """tau(z) = min over observables g in the dictionary's span of ||(K - z) g|| / ||g|| on the data.

    Args:
        psi_x: (n, m) snapshots, one row a state.
        psi_y: (n, m) the snapshots one step later.
        z: points of the complex plane, any shape. For real snapshots tau(conj z) = tau(z), so the upper
            half plane is enough.

    Returns:
        float64 of z's shape. Values below about 1e-8 are not resolved.

    Raises:
        ValueError, TypeError, NonFiniteError: snapshots that do not fit.

    Source: Algorithm 3 of arXiv 2111.14889, in an orthonormal basis of the snapshots' column space.

    Examples:
        >>> import torch
        >>> from relax.koopman import pseudospectrum
        >>> psi = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
        >>> slow_and_fast = torch.diag(torch.tensor([0.9, 0.1]))
        >>> tau = pseudospectrum(psi, psi @ slow_and_fast, torch.tensor([0.9, 0.5 + 0.5j]))
        >>> bool(tau[0] < 1e-6 < tau[1])  # an eigenvalue, and a point that is none
        True
    """
    check_snapshots(psi_x, psi_y)
    if psi_x.ndim != 2:
        raise ValueError(f"psi_x: its shape is {tuple(psi_x.shape)}; expected (transitions n, functions m).")
    psi_x, psi_y = psi_x.detach().to(torch.float64), psi_y.detach().to(torch.float64)
    basis, size, right = torch.linalg.svd(psi_x, full_matrices=False)
    keep = size > max(psi_x.shape) * torch.finfo(torch.float64).eps * size[0]
    image = psi_y @ (right[keep].T / size[keep])
    return _smallest(basis[:, keep].T @ image, image.T @ image, z)


def gram_pseudospectrum(gram: Tensor, cross: Tensor, gram_next: Tensor, z: Tensor) -> Tensor:
    """The same from the Gram matrices (m, m) of one trajectory; directions below 1e-7 are dropped."""
    size, vectors = torch.linalg.eigh(gram)
    keep = size > len(size) * torch.finfo(torch.float64).eps * size[-1].clamp_min(0)
    whiten = vectors[:, keep] / size[keep].sqrt()
    return _smallest(whiten.T @ cross @ whiten, whiten.T @ gram_next @ whiten, z)


def _smallest(cross: Tensor, gram_next: Tensor, z: Tensor) -> Tensor:
    """sqrt of the smallest eigenvalue of L - z A* - conj(z) A + |z|^2 I for every z, in a whitened basis."""
    points = torch.as_tensor(z, device=cross.device).to(torch.complex128)
    rank = cross.shape[0]
    if rank == 0:  # no observable lives on the data
        return torch.full(points.shape, torch.inf, dtype=torch.float64, device=cross.device)
    a, following = cross.to(torch.complex128), gram_next.to(torch.complex128)
    identity = torch.eye(rank, dtype=torch.complex128, device=cross.device)
    parts = []
    for part in points.reshape(-1, 1, 1).split(POINTS):
        matrix = following - part * a.mH - part.conj() * a + part.abs() ** 2 * identity
        parts.append(torch.linalg.eigvalsh(matrix)[:, 0].clamp_min(0).sqrt())
    return torch.cat(parts).reshape(points.shape)
