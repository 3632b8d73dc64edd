"""The ReLaX objective: tensors in, scalars out; every equation of the paper's section 3 once.

Shapes: N trajectories, the R responses of one prompt next to each other, so N = prompts x R, unless
a function says that order does not matter. ``dsd`` (N,), ``advantages`` (N,), both without units.

The paper's term is a log-mean-exp over a group, but a trainer scatters a group over micro-batches,
optimizer steps and devices. With ``factor_i = max(A_i, 0)`` and the softmax weights
``w_i = exp(-factor_i DSD_i) / sum_j exp(-factor_j DSD_j)`` held fixed, ``sum_i w_i (-factor_i) DSD_i``
has the same gradient and is a sum over trajectories: :func:`group_weights` comes from a pass without
gradient over whole groups, :func:`exploration_surrogate` from whatever a micro-batch holds.
"""

import torch
from torch import Tensor


def exploration_factor(advantages: Tensor, dsd: Tensor, shaping: bool, xi: float | None) -> Tensor:
    """What multiplies a trajectory's DSD in the exploration term.

    ``max(A_i, 0)`` with advantage shaping (Eq. 11), 1 without (Eq. 10); 0 above ``xi``, where the
    encouragement of DSD is suspended (the authors' README). No gradient flows through it.

    Args:
        advantages: (N,) group-normalised advantages A.
        dsd: (N,) DSD that decides about the suspension.
        shaping: advantage shaping on or off.
        xi: DSD limit, or None for none.

    Returns:
        (N,) factors, at least 0.
    """
    factor = advantages.clamp(min=0) if shaping else torch.ones_like(advantages)
    if xi is not None:
        factor = factor * (dsd <= xi)
    return factor.detach()


def exploration_loss(dsd: Tensor, factor: Tensor, group_size: int, part: Tensor | None = None) -> Tensor:
    """Eq. 11, averaged over prompts: ``log(1/R sum_i exp(-factor_i DSD_i))``.

    Needs whole groups in order; differentiable. Training uses the surrogate below, whose gradient is
    the same; this is what is logged and what the tests compare with.

    Args:
        dsd, factor: (N,).
        group_size: R.
        part: (N,) 1 for the trajectories that take part, None for all. The sum and its R are those of a group's
            trajectories that do; groups without one do not count. 0 where there is no other.
    """
    part = _grouped(dsd, group_size, part)
    exponent = (-factor * dsd).view(-1, group_size).masked_fill(~part, -torch.inf)
    there = part.any(dim=1)
    if not there.any():
        return exponent.new_zeros(())
    counts = part.sum(dim=1).to(exponent.dtype)
    return (torch.logsumexp(exponent[there], dim=1) - torch.log(counts[there])).mean()


def group_weights(dsd: Tensor, factor: Tensor, group_size: int, part: Tensor | None = None) -> Tensor:
    """R times the softmax weights of Eq. 11 within each group; (N,), mean 1 per group, no gradient.

    Above 1 for trajectories whose weighted DSD is low: those are pushed up most. ``part`` as for
    :func:`exploration_loss`; 0 for a trajectory that takes none.
    """
    part = _grouped(dsd, group_size, part)
    exponent = (-factor * dsd).detach().view(-1, group_size).masked_fill(~part, -torch.inf)
    weights = part.sum(dim=1, keepdim=True) * torch.softmax(exponent, dim=1)
    return torch.where(part, weights, 0.0).reshape(-1)


def trajectory_shares(part: Tensor, group_size: int) -> Tensor:
    """What makes a mean over all N trajectories one over the groups that have a part; (N,), 1 where all have it.

    Args:
        part: (N,) as for :func:`exploration_loss`.
        group_size: R.
    """
    counts = part.view(-1, group_size).sum(dim=1, keepdim=True).expand(-1, group_size).reshape(-1)
    groups = (counts > 0).sum() / group_size
    return part * len(part) / (groups * counts).clamp(min=1)


def _grouped(dsd: Tensor, group_size: int, part: Tensor | None) -> Tensor:
    return (torch.ones_like(dsd) if part is None else part).bool().view(-1, group_size)


def exploration_surrogate(dsd: Tensor, factor: Tensor, weights: Tensor) -> Tensor:
    """Mean over the trajectories at hand of ``R w_i (-factor_i) DSD_i``; any subset, any order.

    Averaged over all micro-batches of a generation batch its gradient is that of
    :func:`exploration_loss`; its value is not. Where some trajectories take no part, ``weights`` holds
    :func:`trajectory_shares` as a factor.
    """
    return -(weights * factor * dsd).mean()


def trajectory_kl(logps: Tensor, reference: Tensor, mask: Tensor) -> Tensor:
    """KL(policy || reference) of each trajectory: the mean over its tokens of the k3 estimator.

    ``k3 = exp(r) - r - 1`` with ``r = reference - logps``, at least 0, unbiased
    (Schulman, "Approximating KL divergence", 2020).

    Args:
        logps: (N, T) log-probabilities of the sampled tokens under the policy.
        reference: (N, T) the same under the initial policy.
        mask: (N, T) 1 where there is a token.

    Returns:
        (N,) nats per token; 0 for a trajectory without tokens.
    """
    ratio = torch.where(mask.bool(), reference - logps, 0.0)
    return (torch.expm1(ratio) - ratio).sum(dim=1) / mask.sum(dim=1).clamp(min=1)


def length_shares(lengths: Tensor, longest: int) -> Tensor:
    """Lengths (N,) as shares of the longest response allowed, float64: what an advantage becomes when it is averaged
    over the padded width (the authors' fragment)."""
    return lengths.double() / longest


def detached_above(dsd: Tensor, xi: float | None) -> Tensor:
    """DSD (N,) that keeps its value above ``xi`` and has no gradient there (the authors' fragment)."""
    return dsd if xi is None else torch.where(dsd > xi, dsd.detach(), dsd)


def kl_gate(dsd: Tensor, mode: str, xi: float | None) -> Tensor:
    """Which trajectories the KL term holds back: those above ``xi`` (adaptive, Eq. 12) or all (uniform)."""
    if mode == "uniform":
        return torch.ones_like(dsd)
    return (dsd > float("inf" if xi is None else xi)).to(dsd.dtype).detach()


def kl_penalty(
    kl: Tensor, gate: Tensor, reduction: str, group_size: int, batch_size: int, lengths: Tensor | None = None
) -> Tensor:
    """The KL term of Eq. 12 for the trajectories at hand, before its weight beta.

    Args:
        kl: (N,) from :func:`trajectory_kl`.
        gate: (N,) from :func:`kl_gate`.
        reduction: ``"group"`` sums over a group's R trajectories and averages over groups, ``"mean"``
            averages over trajectories, ``"sum"`` sums over the batch of an optimizer step, so that
            its strength grows with that batch. ``"tokens"`` sums over tokens and divides by the number of
            all tokens at hand, those of trajectories that are not held back included (the authors' fragment).
        group_size: R.
        batch_size: trajectories of one optimizer step, over all micro-batches and devices.
        lengths: (N,) tokens, which ``"tokens"`` needs.

    Returns:
        A scalar; its mean over micro-batches of equal size is the term of the whole batch.

    Raises:
        ValueError: unknown reduction.
    """
    if reduction == "tokens" and lengths is not None:
        return (gate * kl * lengths).sum() / lengths.sum().clamp(min=1)
    scale = {"group": group_size, "mean": 1, "sum": batch_size}
    if reduction not in scale:
        raise ValueError(f"kl_reduction is {reduction!r}, expected one of {', '.join(scale)}, tokens.")
    return scale[reduction] * (gate * kl).mean()
