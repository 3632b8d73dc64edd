"""What each difference between `relax-sv` and the authors' fork does to DSD, to the gradient and to the KL.

One group of 16 responses of AR(1) states, of which 5 are right; the table is that of docs/method.md. Every row changes
`relax-sv` (m = 50, ridge 0.001, a limit xi that half of the responses exceed) in one respect. Ten seconds on one core.

    python benchmarks/fork_effects.py
"""

import argparse
import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import pad

from relax.koopman import Dictionary, dsd_values, project
from relax.koopman.spectrum import snapshot_dsd
from relax.training import objective

GROUP, RIGHT, WIDTH, LIMIT, DIM = 16, 5, 256, 3072, 50
#: Tokens that share a micro-batch of the fork, and the tokens of a prompt among them.
PACK, PROMPT = 10_240, 100


@dataclass(frozen=True)
class Choices:
    """How the term and the KL are computed; the defaults are those of `relax-sv`."""

    smoothing: float = 0.0
    window: bool = False
    slope: float = 0.0
    micro_batches: bool = False
    length_factor: bool = False
    detached: bool = False
    reduction: str = "group"
    positive: bool = False


FORK = Choices(0.001, True, math.sqrt(7), True, True, True, "tokens", True)
ROWS = {
    "`smoothing`": Choices(smoothing=FORK.smoothing),
    "`trajectory: window`": Choices(window=True),
    "`refit_slope` (before any fit)": Choices(slope=FORK.slope),
    "`log_mean: micro_batch`": Choices(micro_batches=True),
    "`length_factor`": Choices(length_factor=True),
    "`above_xi: detached`": Choices(detached=True),
    "`kl_reduction: tokens`": Choices(reduction="tokens"),
    "`kl_advantages: positive`": Choices(positive=True),
    "all of them": FORK,
    "all but `length_factor`": replace(FORK, length_factor=False),
}


@dataclass(frozen=True)
class Group:
    """Responses: states (16, T + 1, d) from the prompt's last token on, lengths, advantages, KL a token."""

    states: Tensor
    lengths: Tensor
    advantages: Tensor
    kl: Tensor


def group(seed: int) -> Group:
    generator = torch.Generator().manual_seed(seed)
    lengths = (600 * torch.exp(0.7 * torch.randn(GROUP, generator=generator)) / math.exp(0.245)).long()
    lengths = lengths.clamp(60, LIMIT)
    states = torch.randn(GROUP, int(lengths.max()) + 1, WIDTH, generator=generator)
    for step in range(1, states.shape[1]):
        states[:, step] = 0.9 * states[:, step - 1] + math.sqrt(1 - 0.81) * states[:, step]
    rewards = torch.zeros(GROUP, dtype=torch.float64)
    rewards[torch.randperm(GROUP, generator=generator)[:RIGHT]] = 1
    advantages = (rewards - rewards.mean()) / (rewards.std() + 1e-4)
    kl = 0.05 * torch.rand(GROUP, generator=generator, dtype=torch.float64)
    return Group(states, lengths, advantages, kl)


def dsd_of(given: Group, choices: Choices, states: Tensor) -> Tensor:
    weight = Dictionary.random(WIDTH, DIM, seed=0, slope=choices.slope).weight
    columns = torch.arange(states.shape[1])
    if choices.window:
        inside = columns <= given.lengths[:, None]
        psi = project(states * inside[..., None], weight, torch.ones_like(inside))[:, :LIMIT]
        psi = pad(psi, (0, 0, 0, LIMIT - psi.shape[1]), value=0.5)
        valid = torch.ones(psi.shape[:2], dtype=torch.bool)
        return snapshot_dsd(psi, valid, "singular_values", 1e-3, None, choices.smoothing).values
    mask = columns[1:] <= given.lengths[:, None]
    return dsd_values(states[:, 1:], weight, mask, "singular_values", 1e-3, None, choices.smoothing).values


def packs(lengths: Tensor, choices: Choices) -> list[Tensor]:
    """The responses whose log-mean is taken together, in their order."""
    if not choices.micro_batches:
        return [torch.arange(GROUP)]
    found: list[list[int]] = [[]]
    for row in range(GROUP):
        if found[-1] and sum(int(lengths[i]) + PROMPT for i in (*found[-1], row)) > PACK:
            found.append([])
        found[-1].append(row)
    return [torch.tensor(rows) for rows in found]


def measured(given: Group, choices: Choices) -> tuple[float, Tensor, float]:
    """Mean DSD, the gradient of the term in the states, and the KL term, at a limit that half of DSD exceeds."""
    states = given.states.clone().requires_grad_()
    values = dsd_of(given, choices, states)
    xi = values.median().item()
    advantages = given.advantages
    if choices.length_factor:
        advantages = advantages * objective.length_shares(given.lengths, LIMIT)
    used, limit = (objective.detached_above(values, xi), None) if choices.detached else (values, xi)
    factor = objective.exploration_factor(advantages, values.detach(), True, limit)
    term = values.new_zeros(())
    for rows in packs(given.lengths, choices):
        term = term + objective.exploration_loss(used[rows], factor[rows], len(rows)) * len(rows) / GROUP
    term.backward()
    gate = objective.kl_gate(values, "adaptive", xi)
    if choices.positive:
        gate = gate * (given.advantages > 0)
    penalty = objective.kl_penalty(given.kl, gate, choices.reduction, GROUP, GROUP, given.lengths)
    return values.mean().item(), states.grad, penalty.item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="groups that are drawn; their means are shown")
    seeds = range(parser.parse_args().seeds)
    groups = [group(seed) for seed in seeds]
    plain = [measured(one, Choices()) for one in groups]
    length = sum(one.lengths.double().mean().item() for one in groups) / len(groups)
    print(f"{len(groups)} groups of {GROUP}, mean length {length:.0f} of {LIMIT}, d = {WIDTH}, m = {DIM}")
    print(f"DSD of relax-sv: {sum(dsd for dsd, _, _ in plain) / len(plain):.4f}\n")
    print("| Changed | DSD, times | Gradient of the term, times | its cosine | KL term, times |")
    print("| --- | --- | --- | --- | --- |")
    for name, choices in ROWS.items():
        shares = []
        for one, (dsd, gradient, kl) in zip(groups, plain, strict=True):
            found = measured(one, choices)
            norms = found[1].norm().item(), gradient.norm().item()
            cosine = (found[1] * gradient).sum().item() / max(norms[0] * norms[1], 1e-300)
            shares.append((found[0] / dsd, norms[0] / norms[1], cosine, found[2] / kl))
        means = [sum(column) / len(column) for column in zip(*shares, strict=True)]
        print(f"| {name} | {means[0]:.3f} | {means[1]:.3g} | {means[2]:.3f} | {means[3]:.3g} |")


if __name__ == "__main__":
    main()
