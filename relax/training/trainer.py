"""ReLaXTrainer: the exact ReLaX objective on TRL's GRPOTrainer.

Every private name of TRL 1.16 that the project binds to is in this file; tests/test_trl_contract.py
says in a sentence which one moved when TRL changes. Nothing of TRL is copied: each override wraps
``super()``.

How a step goes: TRL generates and scores a generation batch; the hidden states at the completion
tokens give each trajectory's DSD without gradient and from it, over whole groups, the weights of
the log-mean-exp (:mod:`relax.training.objective`). Both ride along in TRL's batch dictionary, are
shuffled, split and buffered with it, and meet the DSD with gradient in ``_compute_loss``, whose own
forward pass is listened to by a hook on the backbone.
"""

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from accelerate.utils import broadcast
from torch import Tensor, nn
from trl import GRPOTrainer

from relax.errors import ConfigError, NumericsError
from relax.koopman import (
    ROBUST_RIDGE,
    SPECTRA,
    Dictionary,
    TrajectoryStatistics,
    dsd,
    dsd_values,
    trajectory_statistics,
)
from relax.training import objective
from relax.training.config import ReLaXConfig
from relax.training.resume import COMPLETE


class ReLaXTrainer(GRPOTrainer):
    """TRL's GRPOTrainer with the latent exploration term and the adaptive KL.

    Takes what GRPOTrainer takes, with a :class:`~relax.training.config.ReLaXConfig` as ``args``.
    With ``alpha = 0`` and ``beta = 0`` it is GRPOTrainer bit for bit, DSD is logged all the same.

    Raises:
        ConfigError: a dictionary of another width than the model's, or a checkpoint of another dictionary.
    """

    args: ReLaXConfig

    def __init__(self, model: str | nn.Module, reward_funcs: Callable | list, args: ReLaXConfig, **kwargs) -> None:
        super().__init__(model=model, reward_funcs=reward_funcs, args=args, **kwargs)
        self._listener: Callable[[Tensor, Tensor], None] | None = None
        self._listens_to: nn.Module | None = None
        self._logps: Tensor | None = None
        self._dictionary: Dictionary | None = None
        self._xi: float | None = None if isinstance(args.xi, str) else args.xi
        self._dsd_seconds = 0.0
        if args.dictionary is not None:
            self.use_dictionary(Dictionary.load(args.dictionary))

    @property
    def limit(self) -> float | None:
        """xi as a number; None where there is none, or before the first rollouts gave a percentile."""
        return self._xi

    # The dictionary and the limit xi ------------------------------------------------------------

    def use_dictionary(self, dictionary: Dictionary) -> None:
        """Freeze this dictionary for the run; refuses one that does not fit the model."""
        width = self.accelerator.unwrap_model(self.model).config.get_text_config().hidden_size
        if dictionary.weight.shape[0] != width:
            raise ConfigError(
                f"the dictionary is for hidden states of width {dictionary.weight.shape[0]}, "
                f"the model has {width}; fit one on this model."
            )
        self._dictionary = dictionary
        self._weight = dictionary.weight.to(self.accelerator.device)

    def _fit_dictionary(self, hidden: list[Tensor], masks: list[Tensor]) -> None:
        """Fit on the first rollouts of the main process; all processes get its W."""
        pairs = [pair for states, mask in zip(hidden, masks, strict=True) for pair in zip(states, mask, strict=True)]
        fitted = Dictionary.fit(
            [states[mask.bool()] for states, mask in pairs if mask.sum() > 1],
            koopman_dim=self.args.koopman_dim,
            objective=self.args.dictionary_objective,
            ridge=self.args.ridge,
            seed=self.args.seed,
        )
        weight = broadcast(fitted.weight.to(self.accelerator.device))
        self.use_dictionary(Dictionary(weight, fitted.settings))

    def _resolve_xi(self, dsd: Tensor) -> None:
        if isinstance(self.args.xi, str) and self._xi is None:
            share = re.fullmatch(r"q(\d{1,2})", self.args.xi)
            if share is None:
                raise ConfigError(f"xi is {self.args.xi!r}, expected a number or a percentile such as 'q90'.")
            self._xi = torch.quantile(self.accelerator.gather(dsd), int(share[1]) / 100).item()

    # Listening to the backbone ------------------------------------------------------------------

    @contextlib.contextmanager
    def _listening(self, listener: Callable[[Tensor, Tensor], None]) -> Iterator[None]:
        """Within the block, policy forward passes hand (hidden states, mask) of the completions over."""
        self._listener = listener
        try:
            yield
        finally:
            self._listener = None

    def _backbone(self) -> nn.Module:
        # Looked up at each call: FSDP and PEFT replace modules after construction. TRL's fused head
        # never calls lm_head in training, so the backbone is the only module that can be heard.
        model = self.accelerator.unwrap_model(self.model)
        if hasattr(model, "get_base_model"):  # a PEFT model
            model = model.get_base_model()
        return model.base_model

    def _get_per_token_logps_and_entropies(self, model, input_ids, attention_mask, logits_to_keep, *args, **kwargs):
        if self._listener is None or model is not self._listens_to:
            return super()._get_per_token_logps_and_entropies(
                model, input_ids, attention_mask, logits_to_keep, *args, **kwargs
            )
        masks = attention_mask[:, -logits_to_keep:]
        row = 0

        def hear(_module: nn.Module, _inputs: tuple, output) -> None:
            nonlocal row
            hidden = output.last_hidden_state[:, -logits_to_keep:]
            self._listener(hidden, masks[row : row + len(hidden)])
            row += len(hidden)

        handle = self._backbone().register_forward_hook(hear)
        try:
            result = super()._get_per_token_logps_and_entropies(
                model, input_ids, attention_mask, logits_to_keep, *args, **kwargs
            )
        finally:
            handle.remove()
        if row != len(input_ids):
            raise NumericsError(f"the backbone was heard for {row} of {len(input_ids)} trajectories; TRL has changed.")
        self._logps = result[0]
        return result

    # The generation batch: DSD without gradient, weights over whole groups ----------------------

    @property
    def _weighs(self) -> bool:
        """Whether the objective needs every trajectory's DSD before the first forward with gradient."""
        adaptive = self.beta > 0 and self.args.kl_mode == "adaptive"
        unknown = self._dictionary is None or (isinstance(self.args.xi, str) and self._xi is None)
        return self.args.alpha > 0 or adaptive or unknown

    def _generate_and_score_completions(self, inputs):
        if not self._weighs:
            return super()._generate_and_score_completions(inputs)
        heard: list[tuple[Tensor, Tensor]] = []
        statistics: list[tuple[TrajectoryStatistics, Tensor]] = []
        first = self._dictionary is None

        def listen(hidden: Tensor, mask: Tensor) -> None:
            if first:
                heard.append((hidden, mask))
            else:
                statistics.append(self._measure(hidden, mask))

        self._listens_to = self.model
        with self._listening(listen):
            batch = super()._generate_and_score_completions(inputs)
        start = time.perf_counter()
        if "old_per_token_logps" not in batch:
            # TRL needs no old log-probabilities here, so no policy pass was there to listen to (with
            # PEFT the reference pass was heard instead, which is the wrong policy).
            heard.clear()
            statistics.clear()
            with self._listening(listen), torch.no_grad():
                self._policy_pass(batch)
        else:
            rows = len(batch["completion_ids"])
            heard, statistics = _first_rows(heard, rows), _first_rows(statistics, rows)
        if first:
            self._fit_dictionary([h for h, _ in heard], [m for _, m in heard])
            statistics = [self._measure(hidden, mask) for hidden, mask in heard]
        self._weigh(batch, statistics)
        self._dsd_seconds += time.perf_counter() - start
        return batch

    def _measure(self, hidden: Tensor, mask: Tensor) -> tuple[TrajectoryStatistics, Tensor]:
        """What is kept of a chunk's hidden states, and the DSD that the objective uses."""
        args = self.args
        statistics = trajectory_statistics(hidden, self._weight, mask)
        if args.dsd_window is None:
            return statistics, statistics.dsd(args.spectrum, args.ridge)
        return statistics, dsd(hidden.detach(), self._weight, mask, args.spectrum, args.ridge, args.dsd_window)

    def _policy_pass(self, batch: dict) -> None:
        """One forward pass of the policy over a generation batch, in TRL's own chunks."""
        extras = ("pixel_values", "image_grid_thw", "num_images", "pixel_attention_mask", "spatial_shapes", "num_tiles",
                  "image_sizes", "token_type_ids", "mm_token_type_ids", "image_position_ids")  # fmt: skip
        self._get_per_token_logps_and_entropies(
            self.model,
            torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1),
            torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1),
            batch["completion_ids"].size(1),
            batch_size=self.args.per_device_train_batch_size,
            **{name: batch[name] for name in extras if name in batch},
        )

    def _weigh(self, batch: dict, measured: list[tuple[TrajectoryStatistics, Tensor]]) -> None:
        """Add each trajectory's weight, factor and gate to the batch, and log the DSD of all."""
        args, advantages = self.args, batch["advantages"].double()
        mine_dsd = torch.cat([values for _, values in measured]).to(advantages.device)
        self._resolve_xi(mine_dsd)
        # A group may straddle processes: weights are made over the gathered batch, each keeps its rows.
        all_dsd, all_advantages = self.accelerator.gather(mine_dsd), self.accelerator.gather(advantages)
        factor = objective.exploration_factor(all_advantages, all_dsd, args.advantage_shaping, self._xi)
        weights = objective.group_weights(all_dsd, factor, self.num_generations)
        first = self.accelerator.process_index * len(mine_dsd)
        mine = slice(first, first + len(mine_dsd))
        batch["relax_factor"], batch["relax_weight"] = factor[mine], weights[mine]
        batch["relax_gate"] = objective.kl_gate(mine_dsd, args.kl_mode, self._xi)
        batch["relax_dsd"] = mine_dsd
        if self.model.training:
            self.note("relax/term", objective.exploration_loss(all_dsd, factor, self.num_generations).item())
            self.note("relax/weight_min", weights.min().item())
            self.note("relax/weight_max", weights.max().item())
            if self._xi is not None:
                self.note("share_above_xi", (all_dsd > self._xi).double().mean().item())
            self._note_dsd(TrajectoryStatistics.cat(statistics for statistics, _ in measured))

    def _note_dsd(self, statistics: TrajectoryStatistics) -> None:
        gather, device = self.accelerator.gather, self.accelerator.device
        for spectrum in SPECTRA:
            values = gather(statistics.dsd(spectrum, self.args.ridge).to(device))
            robust = gather(statistics.dsd(spectrum, ROBUST_RIDGE).to(device))
            self.note(f"dsd/{spectrum}", values.mean().item())
            self.note(f"dsd/{spectrum}/q10", torch.quantile(values, 0.1).item())
            self.note(f"dsd/{spectrum}/q90", torch.quantile(values, 0.9).item())
            self.note(f"dsd/{spectrum}/ridge_{ROBUST_RIDGE}", robust.mean().item())

    # The loss -----------------------------------------------------------------------------------

    def _compute_loss(self, model, inputs):
        heard: list[tuple[Tensor, Tensor]] = []
        # TRL's own KL term is replaced by the gated one; beta stays set outside, so that TRL keeps
        # computing the reference's log-probabilities.
        beta, self.beta, self._listens_to = self.beta, 0.0, model
        try:
            with self._listening(lambda hidden, mask: heard.append((hidden, mask))):
                loss = super()._compute_loss(model, inputs)
        finally:
            self.beta = beta
        start = time.perf_counter()
        ((hidden, mask),) = heard
        if self.model.training and "relax_weight" not in inputs:
            self._note_dsd(trajectory_statistics(hidden, self._weight, mask))
        if self.args.alpha > 0 or self.beta > 0:
            scale = self.current_gradient_accumulation_steps if self.model.training else 1
            term = self._exploration_term(hidden, mask, inputs) + self._kl_term(mask, inputs)
            loss = loss + term.to(loss.dtype) / scale
        self._dsd_seconds += time.perf_counter() - start
        return loss

    def _exploration_term(self, hidden: Tensor, mask: Tensor, inputs: dict) -> Tensor:
        """alpha times the surrogate of Eq. 11; only rows with a factor need a DSD with gradient."""
        if self.args.alpha == 0:
            return hidden.new_zeros(())
        factor = inputs["relax_factor"]
        rows = factor.nonzero().squeeze(1)
        values = torch.zeros_like(factor)
        skipped = 0
        if len(rows):
            result = dsd_values(
                hidden[rows],
                self._weight,
                mask[rows],
                self.args.spectrum,
                self.args.ridge,
                self.args.dsd_window,
            )
            values = values.index_copy(0, rows, result.values.to(values.dtype))
            skipped = int(result.skipped.sum())
            drift = (factor * (values - inputs["relax_dsd"])).detach()[rows].abs().max().item()
            self.note("relax/staleness", drift)
        self.note("relax/skipped", float(skipped))
        return self.args.alpha * objective.exploration_surrogate(values, factor, inputs["relax_weight"])

    def _kl_term(self, mask: Tensor, inputs: dict) -> Tensor:
        """beta times the KL term of Eq. 12."""
        if self.beta == 0 or self.args.kl_mode == "none":
            return mask.new_zeros((), dtype=torch.float64)
        kl = objective.trajectory_kl(self._logps, inputs["ref_per_token_logps"], mask)
        step_batch = self.args.per_device_train_batch_size * self.args.gradient_accumulation_steps
        gate = inputs["relax_gate"] if "relax_gate" in inputs else torch.ones_like(kl)
        penalty = objective.kl_penalty(
            kl, gate, self.args.kl_reduction, self.num_generations,
            step_batch * self.accelerator.num_processes,
        )  # fmt: skip
        self.note("kl", kl.detach().mean().item())
        self.note("relax/kl", penalty.detach().item())
        return self.beta * penalty

    def note(self, name: str, value: float) -> None:
        """Record a number for the next log line, averaged like TRL's own metrics."""
        self._metrics["train" if self.model.training else "eval"][name].append(value)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if self.model.training:
            logs["seconds/dsd"], self._dsd_seconds = self._dsd_seconds / max(1, self.args.logging_steps), 0.0
        super().log(logs, start_time)

    # Checkpoints and an exact resume ------------------------------------------------------------

    def _save_checkpoint(self, model, trial) -> None:
        super()._save_checkpoint(model, trial)
        folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        if self.accelerator.is_main_process:
            if self._dictionary is not None:
                self._dictionary.save(folder / "dictionary.safetensors")
            (folder / "relax.json").write_text(json.dumps({"xi": self._xi}))
            # Written last: a checkpoint without it was interrupted.
            (folder / COMPLETE).touch()

    def _load_from_checkpoint(self, resume_from_checkpoint, model=None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        folder = Path(resume_from_checkpoint)
        saved = Dictionary.load(folder / "dictionary.safetensors")
        if self._dictionary is not None and self._dictionary.hash != saved.hash:
            raise ConfigError(
                f"{folder}: was trained with dictionary {saved.hash}, not {self._dictionary.hash}; "
                "resume with the same dictionary or start in another folder."
            )
        self.use_dictionary(saved)
        self._xi = json.loads((folder / "relax.json").read_text())["xi"]

    def _get_train_sampler(self, dataset=None):
        # TRL's sampler replays its first permutation after a resume in a later epoch. Seeding it by
        # epoch makes the order a function of the epoch; epoch 0 is TRL's.
        sampler = super()._get_train_sampler(dataset)
        if sampler.shuffle:
            sampler.set_epoch = lambda epoch: sampler.generator.manual_seed(self.args.seed + epoch)
        return sampler

    def _save_rng_state(self, output_dir) -> None:
        # TRL drops the rollouts it has not trained on yet; a resume would generate others.
        super()._save_rng_state(output_dir)
        generate_every = self.args.steps_per_generation * self.num_iterations
        buffer = self._buffered_inputs if self._step % generate_every else None
        state = {"step": self._step, "buffer": buffer}
        torch.save(state, Path(output_dir) / f"rollouts_{self.args.process_index}.pt")

    def _load_rng_state(self, checkpoint) -> None:
        super()._load_rng_state(checkpoint)
        if checkpoint is not None:
            path = Path(checkpoint) / f"rollouts_{self.args.process_index}.pt"
            state = torch.load(path, weights_only=True, map_location=self.accelerator.device)
            self._step, self._buffered_inputs = state["step"], state["buffer"]


def _first_rows(chunks: list[tuple], rows: int) -> list[tuple]:
    """The leading chunks that hold the first ``rows`` trajectories (with PEFT the reference's follow)."""
    seen, kept = 0, []
    for chunk in chunks:
        if seen >= rows:
            break
        kept.append(chunk)
        seen += len(chunk[0])
    return kept
