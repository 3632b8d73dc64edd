"""Two bonuses on hidden states without a Koopman operator, which ask whether the spectrum matters at all.

``effective_rank``: VERL, Huang et al., "Beyond the Exploration-Exploitation Trade-off", arXiv 2509.23808, with the
numbers of its authors' code (github.com/hf618/VERL at 3de68f1, ``verl/trainer/metrics_utils.py``,
``reward_manager_versions.py``, ``ppo/ray_trainer.py``, ``train.sh``). ``elliptical``: RepExp, Tuyls et al.,
"Representation-Based Exploration for Language Models", arXiv 2510.11686, section 4, with those of its authors' recipe
(veRL, ``recipe/rep_exp``: ``workers/elliptical_reward_model_worker.py``, ``train_elliptical.sh``).

Neither has a gradient in the states: one adds to the reward, the other to the advantage. Shapes: N responses, the R of
a prompt next to each other; T states of width d.
"""

from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from sklearn.random_projection import SparseRandomProjection
from torch import Tensor

from relax.training.relax_config import ReLaXConfig

#: VERL: weight of the newest batch in the running means, sharpness of the balance, and the limit of a deviation.
NEWEST, GAIN, LIMIT = 0.3, 2.0, 5.0
#: TRL's: keeps a group without variance from a division by 0.
TINY_STD = 1e-4


def effective_rank(states: Tensor) -> Tensor:
    """exp of the entropy of the normalised singular values of centred states (T, d); 0 for fewer than two states.

    Source: VERL, its measure of exploration; Roy and Vetterli, The effective rank (2007).
    """
    centred = states.double() - states.double().mean(dim=0)
    short = centred @ centred.T if len(centred) <= centred.shape[1] else centred.T @ centred
    size = torch.linalg.eigvalsh(short).clamp_min(0).sqrt()
    if len(states) < 2 or not size.sum() > 0:
        return size.new_zeros(())
    share = size / size.sum()
    return torch.exp(-torch.xlogy(share, share).sum())


def rank_dynamics(states: Tensor, stride: int) -> Tensor:
    """Effective rank of a response, its velocity and its acceleration; (3,) float64.

    The effective rank r_j is taken of the first j ``stride`` + 1 states, j = 1, 2, and so on. d_j is r_j less the mean
    of those before. The velocity is the mean of d_j, the acceleration that of d_j less d_(j-1). Both are 0 for a
    response of fewer than 2 ``stride`` states, and the acceleration also where there are fewer than three r_j.

    Source: VERL, ERV and ERA.
    """
    found = [effective_rank(states)]
    ends = range(stride + 1, len(states) + 1, stride) if len(states) >= 2 * stride else ()
    ranks = torch.stack([effective_rank(states[:end]) for end in ends]) if len(ends) > 1 else found[0].new_zeros(1)
    before = ranks.cumsum(0)[:-1] / torch.arange(1, len(ranks), device=ranks.device)
    deviation = ranks[1:] - before
    for change in (deviation, deviation.diff()):
        found.append(change.mean() if len(change) else change.new_zeros(()))
    return torch.stack(found)


def shaped_advantages(advantages: Tensor, dynamics: Tensor, means: Tensor, kappa: float) -> Tensor:
    """A plus the positive part of VERL's bonus, which is at most |A| / ``kappa``; (N,).

    Each measure counts by its deviation from its running mean, as a share of this mean. Where the acceleration is above
    its own, effective rank counts more, and where it is below, the velocity.

    Args:
        advantages: (N,).
        dynamics: (N, 3) of :func:`rank_dynamics`.
        means: (3,) running means of the same.
        kappa: above 1, so that no advantage changes its sign.
    """
    deviation = ((dynamics - means) / (means.abs() + 1e-8)).clamp(-LIMIT, LIMIT)
    rank, velocity = torch.tanh(deviation[:, :2]).unbind(dim=1)
    explore = torch.sigmoid(GAIN * deviation[:, 2])
    bonus = explore * rank + (1 - explore) * velocity
    return advantages + torch.minimum(bonus.relu(), advantages.abs() / kappa)


def elliptical_bonus(features: Tensor, group_size: int, ridge: float) -> Tensor:
    """h_i' (ridge I + sum_j h_j h_j')^-1 h_i over the responses j to a prompt, i included; (N,) in [0, 1).

    High for a response that lies where the others of its group do not. The h are centred on their group's mean.

    Args:
        features: (N, k); NaN for a response without states, which has no part and a bonus of 0.
        group_size: R.
        ridge: above 0.
    """
    grouped = features.double().view(-1, group_size, features.shape[1])
    there = ~grouped.isnan().any(dim=2, keepdim=True)
    counts = there.sum(dim=1, keepdim=True).clamp(min=1)
    grouped = torch.where(there, grouped, 0.0)
    centred = torch.where(there, grouped - grouped.sum(dim=1, keepdim=True) / counts, 0.0)
    gram = centred @ centred.mT  # the same leverage by a system of R equations in place of k
    damped = gram + ridge * torch.eye(group_size, dtype=gram.dtype, device=gram.device)
    return torch.linalg.solve(damped, gram).diagonal(dim1=1, dim2=2).reshape(-1)


def random_projection(width: int, dim: int, seed: int) -> Tensor:
    """(width, dim) float32: a sparse random projection that keeps distances."""
    drawn = SparseRandomProjection(dim, random_state=seed).fit(np.zeros((1, width), dtype=np.float32))
    return torch.from_numpy(drawn.components_.toarray().T).float()


class RepresentationBonus:
    """What a trainer needs of either bonus, as ``args.representation_bonus`` says.

    Args:
        args: the trainer's arguments.
        accelerator: its processes.

    Attributes:
        means: VERL's running means, None before the first batch. The first batch's mean starts them and its
            advantages stay; the authors' code starts them at 0.
    """

    def __init__(self, args: ReLaXConfig, accelerator: Accelerator) -> None:
        self.args, self.accelerator = args, accelerator
        self.means: list[float] | None = None

    @torch.no_grad()
    def rows(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """What is kept of each response until the whole batch is there; NaN of one without states.

        Args:
            hidden: (B, T, d).
            mask: (B, T).

        Returns:
            (B, d) mean states, which RepExp calls the representation, or (B, 3) of :func:`rank_dynamics`.
        """
        if self.args.representation_bonus == "elliptical":
            there = mask.bool().unsqueeze(-1)
            return torch.where(there, hidden.float(), 0.0).sum(dim=1) / there.sum(dim=1)  # 0 over 0 is NaN
        found = []
        for states, row in zip(hidden, mask.bool(), strict=True):
            own = states[row]
            found.append(rank_dynamics(own, self.args.rank_stride) if len(own) else own.new_full((3,), torch.nan))
        return torch.stack([row.double() for row in found])

    @torch.no_grad()
    def advantages(
        self, kept: Tensor, batch: dict[str, Any], rewards: Tensor, weights: Tensor, group_size: int, step: int
    ) -> tuple[Tensor, float]:
        """Advantages of this process, with the bonus, and the mean bonus of all processes.

        Args:
            kept: (B, ...) of :meth:`rows`, in the order of the batch.
            batch: the generation batch, with TRL's advantages.
            rewards: (N, functions) of all processes.
            weights: (functions,).
            group_size: R.
            step: of the training.
        """
        first = self.accelerator.process_index * len(kept)
        rows = slice(first, first + len(kept))
        given = batch["advantages"]
        if self.args.representation_bonus == "elliptical":
            projection = random_projection(kept.shape[1], self.args.elliptical_dim, self.args.seed + step)
            features = self.accelerator.gather(kept @ projection.to(kept.device))
            bonus = elliptical_bonus(features, group_size, self.args.elliptical_ridge)
            # A group without a right response would be taught to differ alone.
            solved = (rewards[:, 0].view(-1, group_size).nan_to_num(nan=0.0) > 0).any(dim=1)
            bonus = bonus * solved.repeat_interleave(group_size)
            total = (rewards * weights.to(rewards.device)).nansum(dim=1).double()
            total[rewards.isnan().all(dim=1)] = torch.nan
            anew = normalised(total + self.args.elliptical_coef * bonus, group_size)
            return anew[rows].to(given.dtype), bonus.mean().item()
        everywhere = self.accelerator.gather(kept)
        there = ~everywhere.isnan().any(dim=1)
        if not there.any():
            return given, 0.0
        newest, shaped = everywhere[there].mean(dim=0), given
        if self.means is not None:
            means = torch.tensor(self.means, dtype=torch.float64, device=kept.device)
            own = ~kept.isnan().any(dim=1)
            shaped = torch.where(own, shaped_advantages(given, kept, means, self.args.rank_kappa), given)
            newest = (1 - NEWEST) * means + NEWEST * newest
        self.means = newest.tolist()
        return shaped.to(given.dtype), self.accelerator.gather(shaped - given).mean().item()


def normalised(rewards: Tensor, group_size: int) -> Tensor:
    """Rewards less their group's mean, over its deviation, as TRL's ``scale_rewards="group"`` has it; NaN becomes 0."""
    grouped = rewards.view(-1, group_size)
    mean = grouped.nanmean(dim=1, keepdim=True)
    counts = (~grouped.isnan()).sum(dim=1, keepdim=True)
    variance = (grouped - mean).square().nansum(dim=1, keepdim=True) / (counts - 1).clamp(min=1)
    return ((grouped - mean) / (variance.sqrt() + TINY_STD)).nan_to_num(nan=0.0).view(-1)
