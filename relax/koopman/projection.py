"""From hidden states to snapshots: psi(x) = sigmoid(W' x), padding kept out of values and gradients.

The product runs in float32 (float64 for float64 states) whatever the states' precision, and the
snapshots leave in float64: a Gram matrix formed in float32 loses up to 1e-2 of DSD.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from relax.koopman.arguments import NonFiniteError, check_finite, check_trajectories

#: Numbers of a lower-precision or non-contiguous batch that are copied to float32 at a time.
BLOCK = 1 << 24


def project(hidden: Tensor, weight: Tensor, mask: Tensor) -> Tensor:
    """Snapshots psi(x_t) = sigmoid(W' x_t) of a padded batch of trajectories.

    Args:
        hidden: (B, T, d) hidden states, any floating-point kind; padding may hold anything.
        weight: (d, m) dictionary.
        mask: (B, T), boolean or integer, non-zero at states.

    Returns:
        (B, T, m) float64, zero at padding; differentiable in ``hidden`` and ``weight``, once.

    Raises:
        ValueError, TypeError: an argument does not fit.
        NonFiniteError: a state that is not padding holds NaN or an infinity.

    Examples:
        >>> import torch
        >>> from relax.koopman import project
        >>> hidden, weight = torch.zeros(1, 3, 8), torch.ones(8, 2)
        >>> project(hidden, weight, torch.tensor([[1, 1, 0]])).tolist()
        [[[0.5, 0.5], [0.5, 0.5], [0.0, 0.0]]]
    """
    valid = check_trajectories(hidden, weight, mask)
    psi: Tensor = _Projection.apply(hidden, weight, valid)
    return psi


def transitions(valid: Tensor) -> Tensor:
    """(B, T - 1) booleans: column t and t + 1 are both states. Gaps in a mask are no transitions."""
    return valid[:, :-1] & valid[:, 1:]


def snapshot_pairs(psi: Tensor, pairs: Tensor) -> tuple[Tensor, Tensor]:
    """Psi_x and Psi_y of shape (B, T - 1, m); rows of Psi_x that begin no transition are zero.

    Rows of Psi_y need no zeroing where only products with Psi_x are formed.
    """
    return psi[:, :-1] * pairs.unsqueeze(-1).to(psi.dtype), psi[:, 1:]


class _Projection(torch.autograd.Function):
    """The product, the activation and the mask, with the backward pass written out.

    Rows of a matrix product do not mix, so padding is cut after the product in the forward pass and
    meets a zero in the gradient of ``hidden``: no masked copy of the states is made. Only the gradient
    of ``weight`` sums over rows, and there the states are masked first (0 * NaN is NaN).
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, valid: Tensor) -> Tensor:
        kind = torch.float64 if hidden.dtype == torch.float64 else torch.float32
        matrix = weight.to(kind)
        product = hidden.new_empty((*hidden.shape[:2], weight.shape[1]), dtype=kind)
        with torch.autocast(hidden.device.type, enabled=False):
            for rows in _blocks(hidden, kind):
                torch.matmul(hidden[rows].to(kind), matrix, out=product[rows])
        bad = valid & ~torch.isfinite(product.sum(dim=-1))  # a sum keeps NaN and infinity
        if bool(bad.any()):
            raise _not_finite(hidden, weight, bad)
        product.masked_fill_(~valid.unsqueeze(-1), -torch.inf)  # sigmoid(-inf) is exactly 0
        psi = product.to(torch.float64).sigmoid_()
        ctx.save_for_backward(hidden, weight, valid, psi)
        return psi

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        hidden, weight, valid, psi = ctx.saved_tensors
        kind = torch.float64 if hidden.dtype == torch.float64 else torch.float32
        # grad * psi * (1 - psi) in one pass; zero at padding, where psi is zero
        grad = torch.ops.aten.sigmoid_backward(grad, psi).to(kind)
        matrix = weight.to(kind)
        to_hidden = torch.empty_like(hidden, memory_format=torch.contiguous_format) if ctx.needs_input_grad[0] else None
        to_weight = torch.zeros_like(weight, dtype=torch.float64) if ctx.needs_input_grad[1] else None
        with torch.autocast(hidden.device.type, enabled=False):
            for rows in _blocks(hidden, kind):
                if to_hidden is not None and to_hidden.dtype == kind:
                    torch.matmul(grad[rows], matrix.T, out=to_hidden[rows])
                elif to_hidden is not None:
                    to_hidden[rows] = grad[rows] @ matrix.T
                if to_weight is not None:
                    states = torch.where(valid[rows].unsqueeze(-1), hidden[rows].to(kind), 0.0)
                    to_weight += torch.einsum("btd,btm->dm", states, grad[rows])
        return to_hidden, None if to_weight is None else to_weight.to(weight.dtype), None


def _blocks(hidden: Tensor, kind: torch.dtype) -> Iterator[slice]:
    """Slices over the batch: all of it where no copy is needed, otherwise about BLOCK numbers each."""
    batch, length, width = hidden.shape
    size = batch if hidden.is_contiguous() and hidden.dtype == kind else BLOCK // max(1, length * width)
    size = max(1, size)
    for start in range(0, batch, size):
        yield slice(start, start + size)


def _not_finite(hidden: Tensor, weight: Tensor, bad: Tensor) -> NonFiniteError:
    check_finite("weight", weight)
    row, column = (int(i) for i in bad.nonzero()[0])
    entry = int((~torch.isfinite(hidden[row, column])).nonzero().flatten()[:1].sum())
    value = hidden[row, column, entry].item()
    return NonFiniteError(
        f"hidden: the state at batch {row}, position {column} (entry {entry}) is "
        f"{'NaN' if math.isnan(value) else value} but the mask marks it as a state; expected a finite number."
    )
