"""The latent terms as a trainer needs them: the frozen dictionary, the limit xi, weights, surrogate, adaptive KL.

Knows nothing of TRL: it is handed hidden states and batches, and tells numbers to whoever logs them. The
equations are in :mod:`relax.training.objective`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import Tensor

from relax.errors import ConfigError
from relax.koopman import (
    ROBUST_RIDGE,
    SPECTRA,
    Dictionary,
    dsd,
    dsd_values,
    length_matched_dsd,
    project,
    trajectory_statistics,
)
from relax.latent.states import state_mask
from relax.training import objective
from relax.training.checks import warn_of_length
from relax.training.relax_config import ReLaXConfig
from relax.training.representation_bonus import RepresentationBonus

Note = Callable[[str, float], None]


class Exploration:
    """State and terms of latent exploration along one training run.

    Args:
        args: the trainer's arguments.
        width: d, width of the model's hidden states.
        accelerator: its device and its ``gather``.
        note: takes a name and a value for the next log line.
        ends: tokens that end a response.

    Attributes:
        dictionary: the frozen dictionary, None before the first rollouts where none was given.
        xi: the limit as a number; None where there is none, or before the first rollouts gave a percentile.
        matched_length: see :class:`~relax.training.relax_config.ReLaXConfig`; None before the first rollouts.

    The first rollouts are the first with a response that the loss does not mask; the dictionary's fit asks for two
    states of it. Until then nothing is fixed, and no term is added.

    Raises:
        ConfigError: the dictionary is for another width.
    """

    def __init__(
        self, args: ReLaXConfig, width: int, accelerator: Accelerator, note: Note, ends: Sequence[int]
    ) -> None:
        self.args, self.width, self.accelerator, self.note, self.ends = args, width, accelerator, note, ends
        self.dictionary: Dictionary | None = None
        self.xi = None if isinstance(args.xi, str) else args.xi
        self.matched_length = args.matched_length
        self._settled = False
        self.bonus = None if args.representation_bonus == "none" else RepresentationBonus(args, accelerator)
        if args.dictionary is not None:
            self.use(Dictionary.load(args.dictionary))

    # The dictionary and what is fixed with it ----------------------------------------------------

    def use(self, dictionary: Dictionary) -> None:
        """Freeze this dictionary for the run."""
        if dictionary.settings.hidden_size != self.width:
            raise ConfigError(
                f"the dictionary is for hidden states of width {dictionary.settings.hidden_size}, "
                f"the model has {self.width}; fit one on this model."
            )
        self.dictionary = dictionary
        self.weight = dictionary.weight.to(self.accelerator.device)

    def fit(self, states: list[tuple[Tensor, Tensor]]) -> None:
        """Fit on (T, d) states and (T,) masks of the first rollouts of one process; all get its W.

        Nothing where none has any.
        """
        trajectories = [hidden[mask.bool()] for hidden, mask in states if mask.sum() > 1]
        found = self.accelerator.gather(torch.tensor([len(trajectories)], device=self.accelerator.device))
        if not found.any():
            return
        first = int(found.nonzero()[0])
        fitted: list[Dictionary | None] = [None]
        if self.accelerator.process_index == first:
            fitted = [
                Dictionary.fit(
                    trajectories,
                    koopman_dim=self.args.koopman_dim,
                    objective=self.args.dictionary_objective,
                    ridge=self.args.ridge,
                    seed=self.args.seed,
                    position=self.args.position,
                )
            ]
        self.use(broadcast_object_list(fitted, from_process=first)[0])

    @property
    def position(self) -> str:
        """Which states trajectories are; the dictionary's word counts."""
        return self.args.position if self.dictionary is None else self.dictionary.settings.position

    def mask(self, mask: Tensor, tokens: Tensor) -> Tensor:
        """Where a completion's tokens (B, T) have a state in its trajectory."""
        return state_mask(mask, tokens, self.ends, self.position)

    @property
    def weighs(self) -> bool:
        """Whether every trajectory's states are needed before the first forward with gradient."""
        unknown = self.dictionary is None or (isinstance(self.args.xi, str) and self.xi is None)
        return self._acts or unknown or self.bonus is not None

    @property
    def _acts(self) -> bool:
        """Whether DSD decides anything of the loss."""
        return self.args.alpha > 0 or (self.args.own_kl and self.args.kl_term == "adaptive")

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps beside W."""
        found = None if self.dictionary is None else self.dictionary.hash
        kept = {"dictionary": found, "xi": self.xi, "matched_length": self.matched_length, **self._identity()}
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

    # A generation batch: DSD without gradient, weights over whole groups --------------------------

    @torch.no_grad()
    def measure(self, hidden: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Rows that ride along in a batch: ``relax_dsd`` (B,), which the objective uses, and what is logged.

        Args:
            hidden: (B, T, d) states of completions.
            mask: (B, T).

        Returns:
            ``relax_dsd`` (B,) float64 and ``relax_logged`` (B, 6) float64: for either spectrum DSD at the
            training ridge, at :data:`relax.koopman.ROBUST_RIDGE`, and at the matched length (NaN where a
            response is shorter). A response without states, as all are while there is no dictionary, has 0 and NaN.
        """
        args = self.args
        if self.dictionary is None:
            nothing = torch.zeros(len(hidden), dtype=torch.float64, device=hidden.device)
            return {"relax_dsd": nothing, "relax_logged": torch.full_like(nothing, torch.nan)[:, None].repeat(1, 6)}
        statistics = trajectory_statistics(hidden, self.weight, mask)
        columns, matched = [], self._matched(hidden, mask)
        for spectrum, at_one_length in zip(SPECTRA, matched, strict=True):
            columns += [statistics.dsd(spectrum, args.ridge), statistics.dsd(spectrum, ROBUST_RIDGE), at_one_length]
        logged = torch.stack(columns, dim=1)
        values = logged[:, 3 * SPECTRA.index(args.spectrum)].clone()
        if args.dsd_window is not None:
            values = dsd(hidden, self.weight, mask, args.spectrum, args.ridge, args.dsd_window)
        return {"relax_dsd": values, "relax_logged": logged.masked_fill(~mask.bool().any(1, keepdim=True), torch.nan)}

    def _matched(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """(spectra, B) DSD at the matched length; NaN where a response is shorter, or the length is not known yet."""
        shape = (len(SPECTRA), len(hidden))
        values = torch.full(shape, torch.nan, dtype=torch.float64, device=hidden.device)
        if self.matched_length is None:
            return values
        long = mask.sum(dim=1) >= self.matched_length
        if long.any():
            psi = project(hidden[long], self.weight, mask[long])
            for row, spectrum in zip(values, SPECTRA, strict=True):
                row[long] = length_matched_dsd(psi, mask[long], self.matched_length, spectrum, self.args.ridge)
        return values

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
        mine, advantages = batch["relax_dsd"], batch["advantages"].double()
        part = self._part(batch)
        values, all_part = gather(mine), gather(part if self.dictionary is not None else torch.zeros_like(part))
        factor = objective.exploration_factor(gather(advantages), values, args.advantage_shaping, self.xi) * all_part
        weights = objective.group_weights(values, factor, group_size, all_part)
        first = self.accelerator.process_index * len(mine)
        rows = slice(first, first + len(mine))
        batch["relax_factor"] = factor[rows]
        batch["relax_weight"] = (weights * objective.trajectory_shares(all_part, group_size))[rows]
        batch["relax_gate"] = objective.kl_gate(mine, args.kl_term, self.xi) * part
        self.note("relax/left_out", 1 - all_part.mean().item())
        there = all_part > 0
        if not there.any():
            return
        self.note("relax/term", objective.exploration_loss(values, factor, group_size, all_part).item())
        self.note("relax/weight_min", weights[there].min().item())
        self.note("relax/weight_max", weights[there].max().item())
        if self.xi is not None:
            self.note("share_above_xi", (values[there] > self.xi).double().mean().item())

    @staticmethod
    def _part(batch: dict[str, Any]) -> Tensor:
        """(N,) 1 for rows that take part in the terms."""
        part = torch.ones_like(batch["relax_dsd"])
        if "completion_mask" in batch:
            part = part * (batch["completion_mask"] * batch.get("tool_mask", 1)).bool().any(dim=1)
        if "importance_sampling_ratio" in batch:
            part = part * (batch["importance_sampling_ratio"] != 0).any(dim=1)
        if "relax_informative" in batch:
            part = part * batch["relax_informative"]
        return part

    def note_dsd(self, logged: Tensor) -> None:
        """Log the rows of :meth:`measure`, of all processes; those without states have nothing to log."""
        gathered = self.accelerator.gather(logged)
        gathered = gathered[~gathered[:, 0].isnan()].unflatten(1, (len(SPECTRA), 3))
        if not len(gathered):
            return
        for index, spectrum in enumerate(SPECTRA):
            values, robust, matched = gathered[:, index].unbind(dim=1)
            self.note(f"dsd/{spectrum}", values.mean().item())
            self.note(f"dsd/{spectrum}/q10", torch.quantile(values, 0.1).item())
            self.note(f"dsd/{spectrum}/q90", torch.quantile(values, 0.9).item())
            self.note(f"dsd/{spectrum}/ridge_{ROBUST_RIDGE}", robust.mean().item())
            if not matched.isnan().all():
                self.note(f"dsd/{spectrum}/matched", matched.nanmean().item())

    # A micro-batch: the terms with gradient ------------------------------------------------------

    def terms(
        self, hidden: Tensor, mask: Tensor, logps: Tensor, inputs: dict[str, Any], group_size: int, step_batch: int
    ) -> Tensor:
        """alpha times the surrogate of Eq. 11 plus beta times the KL of Eq. 12; a scalar.

        Args:
            hidden: (B, T, d) with gradient.
            mask: (B, T), where there are states.
            logps: (B, T) with gradient.
            inputs: the micro-batch, with what :meth:`weigh` added.
            group_size: R of the phase, training or evaluation.
            step_batch: trajectories of an optimizer step, over all devices; in evaluation those of the batch.
        """
        term = hidden.new_zeros((), dtype=torch.float64)
        if self.args.alpha > 0:
            term = term + self.args.alpha * self._surrogate(hidden, mask, inputs)
        if self.args.own_kl:
            term = term + self.args.beta * self._kl(inputs["completion_mask"], logps, inputs, group_size, step_batch)
        return term

    def _surrogate(self, hidden: Tensor, mask: Tensor, inputs: dict[str, Any]) -> Tensor:
        factor, args = inputs["relax_factor"], self.args
        rows = factor.nonzero().squeeze(1)  # the others need no DSD with gradient
        values, skipped = torch.zeros_like(factor), 0
        if len(rows):
            result = dsd_values(hidden[rows], self.weight, mask[rows], args.spectrum, args.ridge, args.dsd_window)
            values = values.index_copy(0, rows, result.values.to(values.dtype))
            skipped = int(result.skipped.sum())
            drift = (factor * (values - inputs["relax_dsd"])).detach()[rows].abs().max().item()
            self.note("relax/staleness", drift)
        self.note("relax/skipped", float(skipped))
        return objective.exploration_surrogate(values, factor, inputs["relax_weight"])

    def _kl(self, mask: Tensor, logps: Tensor, inputs: dict[str, Any], group_size: int, step_batch: int) -> Tensor:
        gate = inputs["relax_gate"] if "relax_gate" in inputs else logps.new_ones(len(logps))
        rows = gate.nonzero().squeeze(1)  # of the others the reference has not been asked
        kl = objective.trajectory_kl(logps[rows], inputs["ref_per_token_logps"][rows], mask[rows])
        there = mask[rows].bool().any(dim=1)
        if there.any():
            self.note("kl", kl.detach()[there].mean().item())
        kl = kl.new_zeros(len(gate)).index_copy(0, rows, kl)
        penalty = objective.kl_penalty(kl, gate, self.args.kl_reduction, group_size, step_batch)
        self.note("relax/kl", penalty.detach().item())
        return penalty
