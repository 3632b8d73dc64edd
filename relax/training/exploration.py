"""The latent terms as a trainer needs them: the limit xi, weights, surrogate, adaptive KL.

Knows nothing of TRL: it is handed hidden states and batches, and tells numbers to whoever logs them. The
equations are in :mod:`relax.training.objective`, and what is measured in :mod:`relax.training.frame`.
"""

from collections.abc import Sequence
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from relax.errors import ConfigError
from relax.koopman import Dictionary, dsd_values
from relax.koopman.spectrum import DSD
from relax.training import objective
from relax.training.checks import warn_of_length
from relax.training.frame import Frame, Note
from relax.training.relax_config import ReLaXConfig
from relax.training.representation_bonus import RepresentationBonus


class Exploration(Frame):
    """State and terms of latent exploration along one training run.

    Attributes:
        xi: the limit as a number; None where there is none, or before the first rollouts gave a percentile.

    The first rollouts are the first with a response that the loss does not mask; the dictionary's fit asks for two
    states of it. Until then nothing is fixed, and no term is added.
    """

    def __init__(
        self, args: ReLaXConfig, width: int, accelerator: Accelerator, note: Note, ends: Sequence[int]
    ) -> None:
        super().__init__(args, width, accelerator, note, ends)
        self.xi = None if isinstance(args.xi, str) else args.xi
        self._settled = False
        self.bonus = None if args.representation_bonus == "none" else RepresentationBonus(args, accelerator)

    # What is fixed with the dictionary ------------------------------------------------------------

    @property
    def weighs(self) -> bool:
        """Whether every trajectory's states are needed before the first forward with gradient."""
        unknown = self.dictionary is None or (isinstance(self.args.xi, str) and self.xi is None)
        return self._acts or unknown or self.bonus is not None

    @property
    def _acts(self) -> bool:
        """Whether DSD before the first forward with gradient decides anything of the loss."""
        latent = self.args.alpha > 0 or (self.args.own_kl and self.args.kl_term == "adaptive")
        return latent and self.args.log_mean == "group"

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps beside W."""
        found = None if self.dictionary is None else self.dictionary.hash
        kept = {"dictionary": found, "xi": self.xi, "matched_length": self.matched_length, **self._identity()}
        if self.own is not None:
            kept["generations"] = self.own.generations
        return kept if self.bonus is None else {**kept, "bonus": self.bonus.means}

    def restore(self, state: dict[str, Any], saved: Dictionary | None, where: str) -> None:
        """Go on with a checkpoint's dictionary and numbers; it has none where the first rollouts were waited for.

        Raises:
            ConfigError: the checkpoint was trained with another dictionary or measured otherwise.
        """
        if self.dictionary is not None and (saved is None or self.dictionary.hash != saved.hash):
            raise ConfigError(
                f"{where}: was trained with dictionary {saved and saved.hash}, not {self.dictionary.hash}; "
                "resume with the same dictionary or start in another folder."
            )
        fitted_here = self.dictionary is None
        for name, value in self._identity().items():
            if state[name] != value and (fitted_here or name in ("spectrum", "ridge")):
                raise ConfigError(
                    f"{where}: was trained with {name} {state[name]!r}, not {value!r}; "
                    "resume with the same value or start in another folder."
                )
        if saved is not None:
            self.use(saved)
        self.xi, self.matched_length = state["xi"], state["matched_length"]
        if self.bonus is not None:
            self.bonus.means = state["bonus"]
        self._settled = True

    def _identity(self) -> dict[str, Any]:
        given = None if self.dictionary is None else self.dictionary.settings
        return {
            "spectrum": self.args.spectrum,
            "ridge": self.args.ridge,
            "koopman_dim": given.koopman_dim if given else self.args.koopman_dim,
            "position": self.position,
        }

    # A generation batch: weights over whole groups --------------------------------------------------

    def settle(self, dsd_values: Tensor | None, lengths: Tensor) -> None:
        """Fix what is read off the first rollouts: a percentile as xi (if DSD is at hand), the matched length.

        Args:
            dsd_values: (B,), or None.
            lengths: (B,) tokens; 0 for a response that the loss masks, of which nothing is read.
        """
        everywhere = self.accelerator.gather(lengths)
        there = everywhere > 0
        if not there.any():
            return
        if not self._settled and self.dictionary is not None:
            self._settled = True
            if self.accelerator.is_main_process and self._acts and self.args.dsd_window is None:
                warn_of_length(everywhere[there], self.dictionary.settings.koopman_dim)
        if dsd_values is not None and self.dictionary is not None and isinstance(self.args.xi, str) and self.xi is None:
            share = int(self.args.xi.removeprefix("q")) / 100
            self.xi = torch.quantile(self.accelerator.gather(dsd_values)[there], share).item()
        if self.matched_length is None:
            median = torch.quantile(everywhere[there].double(), 0.5).item()
            self.matched_length = max(2, round(median))

    def weigh(self, batch: dict[str, Any], group_size: int) -> None:
        """Add each trajectory's factor, weight and gate to the batch.

        A group may straddle processes: weights are made over the gathered batch, each process keeps its
        rows. Rows that the loss masks, that vLLM's importance correction throws out, and groups that dynamic
        sampling could not replace, take no part; the mean is over the others.
        """
        args, gather = self.args, self.accelerator.gather
        mine, part = batch["relax_dsd"], self._part(batch)
        values, all_part = gather(mine), gather(part if self.dictionary is not None else torch.zeros_like(part))
        given = gather(self._advantages(batch)), values, args.advantage_shaping
        factor = objective.exploration_factor(*given, self.xi) * all_part
        counted = factor  # in the log-mean
        if args.above_xi == "detached":
            counted = objective.exploration_factor(*given, None) * all_part
        weights = objective.group_weights(values, counted, group_size, all_part)
        first = self.accelerator.process_index * len(mine)
        rows = slice(first, first + len(mine))
        batch["relax_factor"] = factor[rows]
        batch["relax_weight"] = (weights * objective.trajectory_shares(all_part, group_size))[rows]
        batch["relax_gate"] = self._gate(mine, batch["advantages"]) * part
        self.note("relax/left_out", 1 - all_part.mean().item())
        there = all_part > 0
        if not there.any():
            return
        self.note("relax/term", objective.exploration_loss(values, counted, group_size, all_part).item())
        self.note("relax/weight_min", weights[there].min().item())
        self.note("relax/weight_max", weights[there].max().item())
        if self.xi is not None:
            self.note("share_above_xi", (values[there] > self.xi).double().mean().item())

    def _advantages(self, batch: dict[str, Any]) -> Tensor:
        """(N,) as they stand in Eq. 11."""
        advantages = batch["advantages"].double()
        if not self.args.length_factor:
            return advantages
        return advantages * objective.length_shares(
            batch["completion_mask"].sum(dim=1), self.args.max_completion_length
        )

    def _gate(self, values: Tensor, advantages: Tensor) -> Tensor:
        """(N,) 1 for the trajectories that the KL holds back."""
        gate = objective.kl_gate(values, self.args.kl_term, self.xi)
        return gate * (advantages > 0) if self.args.kl_advantages == "positive" else gate

    @staticmethod
    def _part(batch: dict[str, Any]) -> Tensor:
        """(N,) 1 for rows that take part in the terms."""
        part = torch.ones_like(batch["advantages"], dtype=torch.float64)
        if "completion_mask" in batch:
            part = part * (batch["completion_mask"] * batch.get("tool_mask", 1)).bool().any(dim=1)
        if "importance_sampling_ratio" in batch:
            part = part * (batch["importance_sampling_ratio"] != 0).any(dim=1)
        if "relax_informative" in batch:
            part = part * batch["relax_informative"]
        return part

    # A micro-batch: the terms with gradient ------------------------------------------------------

    def terms(
        self, hidden: Tensor, mask: Tensor, logps: Tensor, inputs: dict[str, Any], group_size: int, step_batch: int
    ) -> Tensor:
        """alpha times the surrogate of Eq. 11 plus beta times the KL of Eq. 12; a scalar.

        Args:
            hidden: (B, T, d) of :meth:`states`, with gradient.
            mask: (B, T), where there are states.
            logps: (B, T) with gradient.
            inputs: the micro-batch, with what :meth:`weigh` added.
            group_size: R of the phase, training or evaluation.
            step_batch: trajectories of an optimizer step, over all devices; in evaluation those of the batch.
        """
        term = hidden.new_zeros((), dtype=torch.float64)
        if self.args.log_mean == "micro_batch":
            value, gate = self._micro_batch(hidden, mask, inputs)
            term, inputs = term + self.args.alpha * value, {**inputs, "relax_gate": gate}
        elif self.args.alpha > 0:
            term = term + self.args.alpha * self._surrogate(hidden, mask, inputs)
        if self.args.own_kl:
            term = term + self.args.beta * self._kl(inputs["completion_mask"], logps, inputs, group_size, step_batch)
        return term

    def _surrogate(self, hidden: Tensor, mask: Tensor, inputs: dict[str, Any]) -> Tensor:
        factor = inputs["relax_factor"]
        rows = factor.nonzero().squeeze(1)  # the others need no DSD with gradient
        values, skipped = torch.zeros_like(factor), 0
        if len(rows):
            result = self._values(hidden[rows], mask[rows])
            values = values.index_copy(0, rows, result.values.to(values.dtype))
            skipped = int(result.skipped.sum())
            drift = (factor * (values - inputs["relax_dsd"])).detach()[rows].abs().max().item()
            self.note("relax/staleness", drift)
        self.note("relax/skipped", float(skipped))
        return objective.exploration_surrogate(values, factor, inputs["relax_weight"])

    def _values(self, hidden: Tensor, mask: Tensor) -> DSD:
        args = self.args
        if self.own is not None:
            return self.own.values(hidden, mask, self.weight)
        return dsd_values(hidden, self.weight, mask, args.spectrum, args.ridge, args.dsd_window)

    def _micro_batch(self, hidden: Tensor, mask: Tensor, inputs: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Eq. 11 with the log-mean over a micro-batch, and the gate of the KL (B,), both of DSD as it is now."""
        args, part, advantages = self.args, self._part(inputs), self._advantages(inputs)
        if self.dictionary is None:  # no response yet that the loss does not mask
            return hidden.new_zeros((), dtype=torch.float64), torch.zeros_like(part)
        result = self._values(hidden, mask)
        values = objective.detached_above(result.values, self.xi)
        limit = self.xi if args.above_xi == "suspended" else None
        factor = objective.exploration_factor(advantages, values, args.advantage_shaping, limit) * part
        self.note("relax/skipped", float(result.skipped.sum()))
        gate = self._gate(values, advantages) * part
        there = part > 0
        if self.xi is not None and there.any():
            self.note("share_above_xi", (values[there] > self.xi).double().mean().item())
        loss = objective.exploration_loss(values, factor, len(values), part)
        self.note("relax/term", loss.item())
        return loss, gate

    def _kl(self, mask: Tensor, logps: Tensor, inputs: dict[str, Any], group_size: int, step_batch: int) -> Tensor:
        gate = inputs["relax_gate"] if "relax_gate" in inputs else logps.new_ones(len(logps))
        rows = gate.nonzero().squeeze(1)  # of the others the reference has not been asked
        kl = objective.trajectory_kl(logps[rows], inputs["ref_per_token_logps"][rows], mask[rows])
        there = mask[rows].bool().any(dim=1)
        if there.any():
            self.note("kl", kl.detach()[there].mean().item())
        kl = kl.new_zeros(len(gate)).index_copy(0, rows, kl)
        lengths = mask.sum(dim=1)
        penalty = objective.kl_penalty(kl, gate, self.args.kl_reduction, group_size, step_batch, lengths)
        self.note("relax/kl", penalty.detach().item())
        return penalty
