"""Clip-Cov and KL-Cov: which tokens they pick, and what they do to them.

Source: Cui et al., "The Entropy Mechanism of Reinforcement Learning for Reasoning Language Models",
arXiv 2505.22617, section 4, in the form of its authors' code as merged into veRL
(``verl/trainer/ppo/core_algos.py``): the covariance of a token is the product of its centred advantage
and its centred log-probability, both centred over the tokens of one micro-batch.

Shapes: N trajectories of T tokens, right padded; ``mask`` (N, T) is non-zero at tokens.
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from relax.training.relax_config import ReLaXConfig


def token_covariance(logps: Tensor, advantages: Tensor, mask: Tensor) -> Tensor:
    """``(A - mean A)(log pi - mean log pi)`` of each token, means over all tokens; (N, T), no gradient.

    Args:
        logps: (N, T) log-probabilities of the sampled tokens.
        advantages: (N,) of the trajectories; each of a trajectory's tokens has its advantage.
        mask: (N, T).

    Returns:
        Covariances, ``-inf`` at padding, so that no choice of large ones meets it.
    """
    valid, logps = mask.bool(), logps.detach()
    spread = advantages[:, None].expand_as(logps)
    centred = (spread - spread[valid].mean()) * (logps - logps[valid].mean())
    return centred.masked_fill(~valid, -torch.inf)


def clip_cov_tokens(
    covariance: Tensor, clipped: Tensor, share: float, low: float, high: float, generator: torch.Generator | None = None
) -> Tensor:
    """Clip-Cov's tokens, whose policy gradient is dropped: a random few of those with a high covariance.

    Args:
        covariance: (N, T) of :func:`token_covariance`.
        clipped: (N, T) tokens that the ratio clip already stops; they are no candidates.
        share: of all tokens that are picked, at least one where there is a candidate. Paper 2e-4.
        low, high: candidates lie strictly between. Paper's code 1 and 5.
        generator: of the choice; None is torch's own on the CPU, which a checkpoint keeps.

    Returns:
        (N, T) boolean.
    """
    candidates = ((covariance > low) & (covariance < high) & ~clipped).flatten().nonzero().squeeze(1)
    wanted = max(int(share * covariance.isfinite().sum().item()), 1)
    order = torch.randperm(len(candidates), generator=generator)[:wanted]
    chosen = torch.zeros(covariance.numel(), dtype=torch.bool, device=covariance.device)
    chosen[candidates[order.to(candidates.device)]] = True
    return chosen.view_as(covariance)


def kl_cov_tokens(covariance: Tensor, share: float) -> Tensor:
    """KL-Cov's tokens, which are held at their old probability: those with the highest covariance.

    Args:
        covariance: (N, T) of :func:`token_covariance`.
        share: of all tokens, at least one. Paper 2e-3 for its 7B model, 2e-4 for 32B.

    Returns:
        (N, T) boolean.
    """
    total = int(covariance.isfinite().sum().item())
    chosen = torch.zeros(covariance.numel(), dtype=torch.bool, device=covariance.device)
    if total:
        chosen[covariance.flatten().topk(max(int(share * total), 1)).indices] = True
    return chosen.view_as(covariance)


def ratio_clipped(logps: Tensor, old_logps: Tensor, advantages: Tensor, low: float, high: float) -> Tensor:
    """Tokens at which PPO's clip leaves no gradient; (N, T) boolean.

    The ratio is below ``1 - low`` where the advantage is negative, or above ``1 + high`` where it is positive.
    """
    ratio, sign = torch.exp(logps.detach() - old_logps), advantages[:, None]
    return ((ratio < 1 - low) & (sign < 0)) | ((ratio > 1 + high) & (sign > 0))


def loss_mask(batch: dict[str, Any]) -> Tensor:
    """(N, T), non-zero at the tokens of a TRL batch that the loss counts: those of the policy, not of its tools."""
    return batch["completion_mask"] * batch.get("tool_mask", 1)


def kl_cov_penalty(
    weight: float, chosen: Tensor, logps: Tensor, batch: dict[str, Any], tokens: Tensor | None
) -> tuple[Tensor, float]:
    """KL-Cov's penalty ``weight * |log pi - log pi_old|`` at the picked tokens.

    Args:
        weight: of the penalty.
        chosen: (N, T) of :func:`kl_cov_tokens`.
        logps: (N, T) of the policy, with gradient.
        batch: TRL's, with ``completion_mask`` and ``old_per_token_logps``.
        tokens: what the sum over all tokens is divided by; None takes the mean over responses of each one's mean.

    Returns:
        A scalar with gradient, and the mean of ``|log pi - log pi_old|`` over the picked tokens.
    """
    held = chosen * (logps - batch["old_per_token_logps"]).abs()
    mean = (held.sum() / chosen.sum().clamp(min=1)).item()
    held = held * batch.get("importance_sampling_ratio", 1.0)
    if tokens is None:
        return weight * (held.sum(1) / loss_mask(batch).sum(1).clamp(min=1)).mean(), mean
    return weight * held.sum() / tokens, mean


def chosen_tokens(args: "ReLaXConfig", logps: Tensor, batch: dict[str, Any], low: float, high: float) -> Tensor:
    """The tokens of a micro-batch that the configured method picks.

    Args:
        args: ``token_method`` and its values.
        logps: (N, T) of the policy.
        batch: TRL's, with ``advantages``, ``completion_mask`` and, where they differ from ``logps``, the old ones.
        low, high: clip range of the ratio, for Clip-Cov.

    Returns:
        (N, T) boolean.
    """
    mask = loss_mask(batch)
    covariance = token_covariance(logps, batch["advantages"], mask)
    if args.token_method == "kl_cov":
        return kl_cov_tokens(covariance, args.kl_cov_ratio)
    old = batch.get("old_per_token_logps", logps.detach())
    clipped = ratio_clipped(logps, old, batch["advantages"], low, high)
    return clip_cov_tokens(covariance, clipped, args.clip_cov_ratio, args.clip_cov_low, args.clip_cov_high)
