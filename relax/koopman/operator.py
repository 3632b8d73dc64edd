"""The Koopman matrix of a trajectory: ridge regression of the next snapshot on the present one.

Row convention: Psi_y ~ Psi_x K with rows psi(x_t) and psi(x_{t+1}), so that an eigenfunction is
psi(x) v with K v = lambda v. The paper writes columns (Eq. 5), where K is the transpose; eigenvalues
and singular values agree, residuals need the right eigenvectors of the row convention.
"""

import torch
from torch import Tensor

from relax.koopman.arguments import check_ridge, check_snapshots

#: The default ridge, on the un-normalised Gram matrix (the authors' fragment).
RIDGE = 1e-3
#: The second ridge every DSD is also reported at: a gain that only the trained-on ridge sees is none.
ROBUST_RIDGE = 0.1


def koopman_matrix(psi_x: Tensor, psi_y: Tensor, ridge: float = RIDGE) -> Tensor:
    """K = (Psi_x' Psi_x + ridge I)^-1 Psi_x' Psi_y, the finite Koopman matrix.

    Args:
        psi_x: (..., n, m) snapshots, one row a state.
        psi_y: (..., n, m) the snapshots one step later.
        ridge: added to the un-normalised Gram matrix, so its weight falls with n. Zero gives the
            minimum-norm least-squares solution, for n below m as well.

    Returns:
        (..., m, m) float64, differentiable.

    Raises:
        ValueError, TypeError: shapes differ, or ridge is negative or not a number.
        NonFiniteError: a snapshot holds NaN or an infinity.

    Source: Eq. 5 of the paper with its fragment's ridge; EDMD (Williams, Kevrekidis, Rowley 2015).

    Examples:
        >>> import torch
        >>> from relax.koopman import koopman_matrix
        >>> step = torch.tensor([[0.9, 0.2], [-0.3, 0.8]])
        >>> psi = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
        >>> koopman_matrix(psi, psi @ step).round(decimals=3).tolist()
        [[0.9, 0.2], [-0.3, 0.8]]
    """
    check_ridge(ridge)
    check_snapshots(psi_x, psi_y)
    psi_x, psi_y = psi_x.to(torch.float64), psi_y.to(torch.float64)
    if ridge == 0:
        return minimum_norm(psi_x, psi_y)
    return ridge_solve(psi_x.mT @ psi_x, psi_x.mT @ psi_y, ridge)


def minimum_norm(psi_x: Tensor, psi_y: Tensor, rows: Tensor | None = None) -> Tensor:
    """pinv(Psi_x) Psi_y; ``rows`` (...) counts the rows that are not padding, for the rank's tolerance."""
    *_, n, m = psi_x.shape
    eps = torch.finfo(torch.float64).eps
    largest = torch.tensor(float(max(n, m))) if rows is None else rows.clamp_min(m)
    return torch.linalg.pinv(psi_x, rtol=largest.to(psi_x) * eps) @ psi_y


def ridge_solve(gram: Tensor, cross: Tensor, ridge: float) -> Tensor:
    """(G + ridge I)^-1 A from Gram matrices (..., m, m) in float64, with the minimum-norm limit at zero.

    From Gram matrices the limit drops directions whose singular value in Psi_x is below about 1e-7 of
    the largest: forming a Gram matrix squares the condition number. A positive ridge below the rounding
    of G (m eps tr G, near 1e-10 for long trajectories) acts as that: with less, the system is singular.
    """
    m = gram.shape[-1]
    if ridge == 0:
        return torch.linalg.pinv(gram, hermitian=True, rtol=m * torch.finfo(gram.dtype).eps) @ cross
    rounding = m * torch.finfo(gram.dtype).eps * gram.detach().diagonal(dim1=-2, dim2=-1).sum(dim=-1)
    shifted = gram + torch.diag_embed(rounding.clamp_min(ridge).unsqueeze(-1).expand(*gram.shape[:-1]))
    solution: Tensor = torch.linalg.solve_ex(shifted, cross).result
    return solution
