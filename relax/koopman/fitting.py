"""Fitting W: the objectives, and Adam over batches of trajectories."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

import torch
from torch import Tensor

from relax.koopman.arguments import NonFiniteError, check_floating, check_ridge, check_snapshots
from relax.koopman.operator import RIDGE, ridge_solve
from relax.koopman.projection import BLOCK, project, transitions
from relax.koopman.spectrum import eigenpairs

OBJECTIVES = ("residual", "singular", "fragment", "printed")
#: Hinge on the condition number of Psi_x: weight and the logarithm's threshold (arXiv 2606.29083).
HINGE, WELL_CONDITIONED = 1e-2, 1e3

Batch: TypeAlias = tuple[Tensor, Tensor]
"""hidden (B, T, d) and mask (B, T)."""
Trajectories: TypeAlias = Sequence[Tensor] | Iterable[Batch]
"""Tensors (T_i, d), or batches."""


def check_objective(objective: str, also: tuple[str, ...] = ()) -> None:
    """Refuse anything but the named objectives."""
    if objective not in OBJECTIVES + also:
        raise ValueError(f"objective: {objective!r} is unknown; expected one of {', '.join(OBJECTIVES + also)}.")


def dictionary_loss(psi_x: Tensor, psi_y: Tensor, objective: str = "residual", ridge: float = RIDGE) -> Tensor:
    """What a dictionary is fitted to lower, on snapshots pooled over trajectories.

    K, its eigenvectors V and eigenvalues are formed in float64 and held fixed; the snapshots carry the
    gradient. (At the least-squares K the loss does not change with K to first order, and the eigenvectors'
    own derivative has differences of eigenvalues in the denominator.)

    Args:
        psi_x: (n, m) snapshots, transitions of all trajectories one below the other.
        psi_y: (n, m) the snapshots one step later.
        objective: ``residual``: mean over eigenpairs of the squared normalised residual
            ||(Psi_y - lambda Psi_x) v||^2 / ||Psi_x v||^2, plus 0.01 max(0, log cond(Psi_x) - log 1000);
            neither term rewards a shrinking W (an eigenfunction below rounding counts as 1).
            ``singular``: ||Psi_y V - Psi_x V S||_F^2 / n with K = U S V', as the authors' fragment has
            it. It is no residual of anything (it needs Psi_x U), and it penalises oscillation.
            ``fragment``: what the authors' fragment computes, ||Psi_y Q - Psi_x Q S||_F with Q = V', not squared.
            Here alone the gradient goes through K and its factorisation.
            ``printed``: ||(Psi_y - Psi_x K) V||_F^2 / n (Eq. 8 in row convention, unit eigenvectors).
            W = 0 lowers it to nothing: for the record only.
        ridge: of K.

    Returns:
        A scalar, float64, differentiable in the snapshots.

    Raises:
        ValueError, TypeError, NonFiniteError: an argument does not fit.

    Examples:
        >>> import torch
        >>> from relax.koopman import dictionary_loss
        >>> psi = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
        >>> turn = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
        >>> shuffled = psi[torch.randperm(50, generator=torch.Generator().manual_seed(1))]
        >>> bool(dictionary_loss(psi, psi @ turn) < dictionary_loss(psi, shuffled))
        True
    """
    check_objective(objective)
    check_ridge(ridge)
    check_snapshots(psi_x, psi_y)
    if psi_x.ndim != 2:
        raise ValueError(f"psi_x: its shape is {tuple(psi_x.shape)}; expected (transitions n, functions m).")
    psi_x, psi_y = psi_x.to(torch.float64), psi_y.to(torch.float64)
    gram, cross, gram_next = psi_x.mT @ psi_x, psi_x.mT @ psi_y, psi_y.mT @ psi_y
    if objective == "fragment":
        _, size, right = torch.linalg.svd(ridge_solve(gram, cross, ridge))
        return torch.linalg.matrix_norm(psi_y @ right - (psi_x @ right) * size)
    koopman = ridge_solve(gram.detach(), cross.detach(), ridge)
    if objective == "residual":
        return _residual(koopman, gram, cross, gram_next)
    if objective == "singular":
        _, size, right = torch.linalg.svd(koopman)
        return (psi_y @ right.mT - (psi_x @ right.mT) * size).square().sum() / len(psi_x)
    vectors = eigenpairs(koopman.unsqueeze(0))[1][0]
    error = psi_y - psi_x @ koopman
    return ((error @ vectors.real).square().sum() + (error @ vectors.imag).square().sum()) / len(psi_x)


def _residual(koopman: Tensor, gram: Tensor, cross: Tensor, gram_next: Tensor) -> Tensor:
    """Through the Gram matrices, so that no complex (n, m) matrix is formed."""
    (values,), (vectors,) = eigenpairs(koopman.unsqueeze(0))

    def form(matrix: Tensor) -> Tensor:  # v_i* M v_i
        return torch.einsum("ji,jk,ki->i", vectors.conj(), matrix.to(vectors.dtype), vectors)

    now = form(gram).real
    error = form(gram_next).real - 2 * (values.conj() * form(cross)).real + values.abs() ** 2 * now
    # Below the rounding of G an eigenfunction has vanished from the data: it counts as pure residual, so
    # that making functions vanish (W -> 0) is no way to lower the loss.
    floor = float(len(gram) * torch.finfo(torch.float64).eps * gram.detach().trace())
    seen = now > floor
    ratio = torch.where(seen, error.clamp_min(0) / now.masked_fill(~seen, 1.0), 1.0)
    spread = torch.linalg.eigvalsh(gram)
    condition = 0.5 * (spread[-1].clamp_min(floor).log() - spread[0].clamp_min(floor).log())
    hinge = torch.relu(condition - torch.log(torch.tensor(WELL_CONDITIONED, dtype=torch.float64)))
    return ratio.mean() + HINGE * hinge


@dataclass(frozen=True)
class MiniBatch:
    """Trajectories of one step, read part by part each time they are walked: long ones need not be held together.

    A part has as many as :func:`relax.koopman.project` takes at a time, so that a sum over parts is its own sum.
    """

    trajectories: Sequence[Tensor]
    rows: Sequence[int]
    """Places of those of this step."""
    length: int
    """States of the longest, to which all are padded."""
    most: int
    """Trajectories of a part."""

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, len(self.rows), self.most):
            yield pad([self.trajectories[i] for i in self.rows[start : start + self.most]], self.length)


@dataclass(frozen=True)
class BatchSource:
    """Mini-batches that can be walked epoch by epoch."""

    hidden_size: int
    trajectories: Sequence[Tensor] | None
    lengths: Sequence[int]
    ready: Iterable[Batch]
    size: int
    generator: torch.Generator | None

    def epoch(self) -> Iterator[Iterable[Batch]]:
        """One pass over mini-batches, each of which can be walked again: ready-made ones as they come, loose
        trajectories shuffled (if seeded) and padded."""
        if self.trajectories is None:
            for batch in self.ready:
                yield [batch]
            return
        count, kind = len(self.trajectories), self.trajectories[0].dtype
        order = range(count) if self.generator is None else torch.randperm(count, generator=self.generator).tolist()
        for start in range(0, count, self.size):
            rows = order[start : start + self.size]
            longest = max(self.lengths[i] for i in rows)
            # As in `project`, which copies blocks of lower precision to float32 and takes the rest as a whole.
            whole = kind in (torch.float32, torch.float64)
            most = len(rows) if whole else max(1, BLOCK // max(1, longest * self.hidden_size))
            yield MiniBatch(self.trajectories, rows, longest, most)


def batches(trajectories: Trajectories, size: int, seed: int | None) -> BatchSource:
    """Recognise loose trajectories or ready-made batches; the first item decides, all are checked."""
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    if isinstance(trajectories, Sequence) and len(trajectories) and isinstance(trajectories[0], Tensor):
        width, lengths = trajectories[0].shape[-1], []
        for index, item in enumerate(trajectories):  # one by one: they may come from a disk
            if not isinstance(item, Tensor) or item.ndim != 2 or item.shape[1] != width:
                shape = tuple(item.shape) if isinstance(item, Tensor) else type(item).__name__
                raise ValueError(f"trajectories: item {index} is {shape}; expected a tensor (T, {width}).")
            lengths.append(len(item))
        return BatchSource(width, cast(Sequence[Tensor], trajectories), lengths, (), size, generator)
    given = cast(Iterable[Batch], trajectories)
    stream = iter(given)
    first = next(stream, None)
    if first is None:
        raise ValueError("trajectories: there are none; expected tensors (T, d) or batches (hidden, mask).")
    if not (isinstance(first, tuple) and len(first) == 2):
        raise TypeError(
            f"trajectories: the first item is a {type(first).__name__}; expected tensors (T, d) "
            "in a sequence, or batches (hidden, mask)."
        )
    check_floating("hidden", first[0])
    # An iterator is used up by looking at it: put the first batch back.
    ready = given if stream is not given else _again(first, stream)
    return BatchSource(first[0].shape[-1], None, (), ready, size, generator)


def _again(first: Batch, rest: Iterator[Batch]) -> Iterator[Batch]:
    yield first
    yield from rest


def pad(trajectories: Sequence[Tensor], length: int | None = None) -> Batch:
    """Right-pad tensors (T_i, d) with zeros to hidden (B, T, d), T the longest or ``length``, and their mask (B, T)."""
    lengths = [len(item) for item in trajectories]
    first = trajectories[0]
    hidden = first.new_zeros(len(lengths), max(lengths) if length is None else length, first.shape[1])
    for row, item in zip(hidden, trajectories, strict=True):
        row[: len(item)] = item.detach()
    mask = torch.arange(hidden.shape[1], device=hidden.device) < torch.tensor(lengths, device=hidden.device)[:, None]
    return hidden, mask


def fit_weight(
    weight: Tensor,
    source: BatchSource,
    objective: str,
    ridge: float,
    lr: float,
    epochs: int,
    progress: Callable[[int, float], None] | None,
) -> Tensor:
    """Adam on ``weight`` (d, m), one step a batch; batches without a transition are passed over."""
    parameter: Tensor | None = None
    steps = 0
    for _ in range(epochs):
        for parts in source.epoch():
            if parameter is None:
                device = next(iter(parts))[0].device
                parameter = weight.to(device).clone().requires_grad_()
                optimizer = torch.optim.Adam([parameter], lr=lr)
            found = _loss_and_gradient(parts, parameter.detach(), objective, ridge)
            if found is None:
                continue
            loss, parameter.grad = found
            if not math.isfinite(loss):
                raise NonFiniteError(f"dictionary: the loss is {loss} at step {steps + 1}; lower lr.")
            optimizer.step()
            steps += 1
            if progress is not None:
                progress(steps, loss)
    if parameter is None or steps == 0:
        raise ValueError("trajectories: none has two states; expected at least one transition.")
    return parameter.detach()


def _loss_and_gradient(
    parts: Iterable[Batch], weight: Tensor, objective: str, ridge: float
) -> tuple[float, Tensor] | None:
    """The loss of a mini-batch and its gradient in ``weight``; None without a transition.

    The loss is one of all snapshots, m numbers a state. The states themselves, d numbers each, are read part by part,
    once for the snapshots and once for the gradient.
    """
    wide = weight.to(torch.float64).requires_grad_()  # as within `project`, parts of the gradient add up in float64
    with torch.no_grad():
        seen = [(project(hidden, wide, mask), mask) for hidden, mask in parts]
    psi = torch.cat([snapshots for snapshots, _ in seen]).requires_grad_()
    pairs = transitions(torch.cat([mask for _, mask in seen]).to(device=psi.device, dtype=torch.bool))
    if not bool(pairs.any()):
        return None
    loss = dictionary_loss(psi[:, :-1][pairs], psi[:, 1:][pairs], objective, ridge)
    if objective == "fragment":  # which counts trajectories, where the others count transitions
        loss = loss / len(psi)
    (upstream,) = torch.autograd.grad(loss, psi)
    gradient, rows = torch.zeros_like(wide), 0
    for hidden, mask in parts:
        there = upstream[rows : rows + len(hidden)]
        gradient += torch.autograd.grad(project(hidden.detach(), wide, mask), wide, there)[0]
        rows += len(hidden)
    return loss.item(), gradient.to(weight.dtype)
