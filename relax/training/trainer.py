"""ReLaXTrainer: the exact ReLaX objective on TRL's GRPOTrainer.

Every private name of TRL 1.16 that the project binds to is in this file and in the two classes below it,
:mod:`relax.training.passes` and :mod:`relax.training.exact_resume`; tests/training/test_trl_contract.py says in a
sentence which one moved when TRL changes. Nothing of TRL is copied: each override wraps ``super()``.

How a step goes: TRL generates and scores a generation batch; the hidden states of the completions give
each trajectory's DSD without gradient and from it, over whole groups, the weights of the log-mean-exp
(:mod:`relax.training.exploration`). Both ride along in TRL's batch dictionary, are shuffled, split and
buffered with it, and meet the DSD with gradient in ``_compute_loss``, whose own forward pass is listened
to by a hook on the backbone.
"""

import contextlib
import time
from collections import defaultdict
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers import PreTrainedModel

from relax.data.processor import tokenizer_of
from relax.models.policy import Processing, end_tokens
from relax.training import checks
from relax.training.dynamic_sampling import Batch, PromptCursor, Resampling, Rows, informative_groups, take_rows
from relax.training.exploration import Exploration
from relax.training.length_order import common_passes, lengths
from relax.training.passes import Listener, Passes
from relax.training.pictures import Pictures, forbid_image_tokens, numbered
from relax.training.relax_config import ReLaXConfig, checked_arguments
from relax.training.token_methods import chosen_tokens, kl_cov_penalty, loss_mask
from relax.training.window import check_window

#: Losses of TRL that are sums over tokens, divided by the number of a whole step; the others are means over rows.
SUMS = ("dapo", "cispo", "vespo")


class ReLaXTrainer(Passes):
    """TRL's GRPOTrainer with the latent exploration term and the adaptive KL.

    Takes what GRPOTrainer takes, in its order, with a :class:`~relax.training.relax_config.ReLaXConfig` as ``args``.
    With ``alpha = 0`` and no KL but TRL's own it is GRPOTrainer, DSD is logged all the same: bit for bit with
    ``length_order`` off, and to rounding with it on.

    Raises:
        ConfigError: another kind of ``args``, a model without a backbone to listen to or without a parameter to
            train, a dictionary of another width than the model's, a prompt that with its response does not fit into
            the model's window, a data set that dynamic sampling cannot draw from, or a checkpoint of another
            dictionary.
        NumericsError: a reward is NaN or infinite.
    """

    processing_class: Processing
    num_generations: int
    num_generations_eval: int
    _logps: Tensor
    _chosen: Tensor

    def __init__(
        self,
        model: str | PreTrainedModel | PeftModel,
        reward_funcs: Any = None,
        args: ReLaXConfig | None = None,
        train_dataset: Any = None,
        eval_dataset: Any = None,
        processing_class: Any = None,
        *further: Any,
        **options: Any,
    ) -> None:
        args = checked_arguments(args, model)
        forbid_image_tokens(args, processing_class)
        train_dataset = numbered(train_dataset, processing_class)
        super().__init__(model, reward_funcs, args, train_dataset, eval_dataset, processing_class, *further, **options)
        self.reward_funcs = list(map(checks.checked_reward, self.reward_funcs, self.reward_func_names))
        policy = self.accelerator.unwrap_model(self.model)
        width = checks.check_trainable(policy, self._backbone())
        if self.rollout_func is None and self.environment_factories is None:  # the data set holds what is asked
            sets, limit = {"training": self.train_dataset, "evaluation": self.eval_dataset}, args.max_completion_length
            check_window(sets, policy.config, limit, self._tokenize_prompts, self.processing_class)
        if args.dynamic_sampling:
            self._cursor = PromptCursor(checks.check_dataset(self.train_dataset), args.seed)
            pad = tokenizer_of(self.processing_class).pad_token_id
            self._resampling = Resampling(self.train_dataset, args, self._cursor, pad, self.accelerator)
        checks.check_token_budget(args.tokens_per_micro_batch, self.accelerator)
        if args.token_method == "kl_cov":  # its tokens are held by the penalty instead
            self.epsilon_low = self.epsilon_high = float("inf")
        ends = end_tokens(policy, self.processing_class)
        self.exploration = Exploration(args, width, self.accelerator, self.note, ends)
        self.pictures = Pictures(self.train_dataset, self.processing_class)
        self._orders = args.length_order and args.shares_rows is None and not self.aux_loss_enabled
        self._micro_batch: Batch | None = None
        self._dsd_seconds = 0.0

    # The generation batch -------------------------------------------------------------------------

    def _generate_and_score_completions(self, inputs: Rows) -> Batch:
        training, weighs = self.model.training, self.exploration.weighs
        resamples = training and self.args.dynamic_sampling
        batch = self._resampled(inputs, weighs) if resamples else self._scored(inputs, weighs)
        start = time.perf_counter()
        if training and self.exploration.own is not None:
            self.exploration.own.generations += 1
        if "relax_dsd" in batch:
            self.exploration.weigh(batch, self._group_size)
            self.exploration.note_dsd(batch["relax_logged"])
        self._dsd_seconds += time.perf_counter() - start
        if self.args.gates_reference:
            batch["ref_per_token_logps"] = self._gated_reference(batch)
        return batch

    def _scored(self, inputs: Rows, weighs: bool) -> Batch:
        """A generation batch, of which the sample takes its rows before anything is dropped or shuffled."""
        batch = self._measured(inputs, weighs)
        if self.sample is not None and self.model.training:
            self.sample.take(self.state.global_step, inputs, self._rewards, batch)
        return batch

    def _measured(self, inputs: Rows, weighs: bool) -> Batch:
        """TRL's generation batch; if it ``weighs``, with each trajectory's DSD from TRL's policy pass or another."""
        exploration = self.exploration
        heard: list[tuple[Tensor, Tensor]] = []  # of the first rollouts, which W is fitted on
        measured: list[dict[str, Tensor]] = []
        places: list[Tensor] = []
        first = exploration.dictionary is None
        refits = self.model.training and exploration.own is not None and exploration.own.due

        def listen(hidden: Tensor, mask: Tensor, rows: Tensor) -> None:
            start = time.perf_counter()
            places.append(rows)
            if first:
                heard.append((hidden, mask))
            else:
                measured.append(self._rows(hidden, mask))
            self._dsd_seconds += time.perf_counter() - start

        beta = self.beta
        if self.args.gates_reference:
            self.beta = 0.0  # TRL would ask the reference for every row, before it is known which ones need it
        try:
            with self._listening(self.model, listen) if weighs and not refits else contextlib.nullcontext():
                batch = super()._generate_and_score_completions(inputs)
        finally:
            self.beta = beta
        if self.model.training:
            self.pictures.drop(batch, inputs)
        counts = batch["completion_mask"].sum(dim=1)
        if refits:
            self._refit(batch)
        if not weighs:
            exploration.settle(None, counts)
            return batch
        if "old_per_token_logps" not in batch or refits:
            # TRL needs no old log-probabilities here, so no policy pass was there to listen to (with
            # PEFT the reference pass was heard instead, which is the wrong policy).
            for kept in (heard, measured, places):
                kept.clear()
            self._hear_apart(batch, listen)
        order = torch.cat(places).argsort()
        if first:
            trajectories = [pair for hidden, mask in heard for pair in zip(hidden, mask, strict=True)]
            exploration.fit([trajectories[row] for row in order.tolist()])
            measured = [self._rows(hidden, mask) for hidden, mask in heard]
        for name in measured[0]:
            batch[name] = torch.cat([rows[name] for rows in measured])[order]
        exploration.settle(batch["relax_dsd"], counts)
        if "relax_bonus" in batch:
            self._add_bonus(batch)
        return batch

    def _hear_apart(self, batch: Batch, listen: Listener) -> None:
        """A pass of the policy for its hidden states alone."""
        start, before = time.perf_counter(), self._dsd_seconds
        devices = [self.accelerator.device] if self.accelerator.device.type == "cuda" else []
        # A dropout in the pass must not change what TRL draws after it.
        with torch.random.fork_rng(devices):
            self._hear_policy(batch, listen)
        self._dsd_seconds = before + time.perf_counter() - start

    def _refit(self, batch: Batch) -> None:
        """Fit the dictionary of the terms on a generation, in a pass before the one that needs it."""
        own, frozen = self.exploration.own, self.exploration.dictionary
        assert own is not None  # one is due
        kept: dict[int, Tensor] = {}

        def listen(hidden: Tensor, mask: Tensor, rows: Tensor) -> None:
            for row, states in zip(rows.tolist(), own.kept(hidden, mask), strict=True):
                kept[row] = states

        self._hear_apart(batch, listen)
        dim = self.args.koopman_dim if frozen is None else frozen.settings.koopman_dim
        own.fit([kept[row] for row in sorted(kept) if len(kept[row]) > 1], dim, self.exploration.position)

    def _rows(self, hidden: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """What is kept of the states of some completions."""
        rows = self.exploration.measure(hidden, mask)
        bonus = self.exploration.bonus if self.model.training else None
        return rows if bonus is None else {**rows, "relax_bonus": bonus.rows(hidden, mask)}

    def _add_bonus(self, batch: Batch) -> None:
        bonus, kept = self.exploration.bonus, batch.pop("relax_bonus")
        assert bonus is not None  # its rows are in the batch
        given = (batch, self._rewards, self.reward_weights, self._group_size, self.state.global_step)
        batch["advantages"], mean = bonus.advantages(kept, *given)
        self.note("relax/bonus", mean)

    # Dynamic sampling -------------------------------------------------------------------------------

    def _calculate_rewards(self, *args: Any, **kwargs: Any) -> Tensor:
        self._rewards = rewards = super()._calculate_rewards(*args, **kwargs)  # of all processes
        checks.check_rewards(rewards, self.reward_funcs, self.reward_func_names, self.reward_weights)
        self._informative = informative_groups(rewards[:, 0], self._group_size)
        return rewards

    def _resampled(self, inputs: Rows, weighs: bool) -> Batch:
        """A generation batch of informative groups."""
        metrics = self._metrics["train"]

        def score(rows: Rows, rounds: int) -> tuple[Batch, Tensor]:
            if rounds:  # the logged reward stays that of the plain stream of prompts
                self._metrics["train"] = defaultdict(list)
            batch = self._scored(rows, weighs)
            checks.check_batch(batch)
            return batch, self._informative

        try:
            batch, rounds = self._resampling.fill(inputs, score)
        finally:
            self._metrics["train"] = metrics
        self.note("sampling/rounds", float(rounds))
        self.note("sampling/filled", self.accelerator.gather(batch["relax_informative"].double()).mean().item())
        return batch

    # The loss -----------------------------------------------------------------------------------

    def _compute_loss(self, model: nn.Module, inputs: Batch) -> Tensor:
        budget = self.args.tokens_per_micro_batch
        if budget is None or not self.model.training or self.pictures.stay(inputs):
            return self._loss_of(model, inputs)
        # Transformers calls backward once, on what is returned; the other parts have had theirs by then.
        *others, last = common_passes(*lengths(inputs), budget, self.accelerator)
        total = torch.zeros((), device=self.accelerator.device)
        for rows in others:
            with self.accelerator.no_sync(model):
                loss = self._loss_of(model, take_rows(inputs, rows), len(rows) / len(inputs["advantages"]))
                self.accelerator.backward(loss)
            total += loss.detach()
        return total + self._loss_of(model, take_rows(inputs, last), len(last) / len(inputs["advantages"]))

    def _loss_of(self, model: nn.Module, inputs: Batch, share: float = 1.0) -> Tensor:
        """The loss of a micro-batch, or of its ``share`` of a larger one."""
        heard: list[tuple[Tensor, Tensor]] = []
        inputs = {**inputs, **self.pictures.of(inputs)}
        beta, self._micro_batch = self.beta, inputs
        if self.args.own_kl:
            # It is in place of TRL's; beta stays set outside, so that TRL keeps computing the reference's
            # log-probabilities.
            self.beta = 0.0
        try:
            with self._listening(model, lambda hidden, mask, _: heard.append((hidden, mask))):
                loss = super()._compute_loss(model, inputs)
        finally:
            self.beta, self._micro_batch = beta, None
        if self.loss_type not in SUMS:
            loss = loss * share
        if self.args.token_method == "kl_cov":
            loss = loss + self._kl_cov(inputs)
        start = time.perf_counter()
        ((hidden, mask),) = heard
        if "relax_logged" not in inputs:
            self.exploration.note_dsd(self.exploration.measure(hidden, mask)["relax_logged"])
        if self.args.alpha > 0 or self.args.own_kl:
            size = len(mask)  # an evaluation's batch is not accumulated
            if self.model.training:
                size = self.args.per_device_train_batch_size * self.args.gradient_accumulation_steps
            size *= self.accelerator.num_processes
            term = self.exploration.terms(hidden, mask, self._logps, inputs, self._group_size, size)
            loss = loss + term.to(loss.dtype) * share / self._micro_batches
        self._dsd_seconds += time.perf_counter() - start
        return loss

    def _get_per_token_logps_and_entropies(self, model: nn.Module, *given: Any, **seen: Any) -> tuple[Any, ...]:
        result = super()._get_per_token_logps_and_entropies(model, *given, **seen)
        if self._micro_batch is None:
            return result
        self._logps = result[0]
        if self.args.token_method != "none":
            self._choose_tokens(self._micro_batch)
            if self.args.token_method == "clip_cov":
                # Without a gradient of its log-probability a token has no policy gradient.
                return torch.where(self._chosen, self._logps.detach(), self._logps), *result[1:]
        return result

    @property
    def _group_size(self) -> int:
        return self.num_generations if self.model.training else self.num_generations_eval

    @property
    def _micro_batches(self) -> int:
        return self.current_gradient_accumulation_steps if self.model.training else 1

    def _choose_tokens(self, inputs: Batch) -> None:
        """Clip-Cov's or KL-Cov's tokens of a micro-batch."""
        self._chosen = chosen_tokens(self.args, self._logps, inputs, self.epsilon_low, self.epsilon_high)
        self.note("token_method/tokens", self._chosen.sum().item() / loss_mask(inputs).sum().clamp(min=1).item())

    def _kl_cov(self, inputs: Batch) -> Tensor:
        """KL-Cov's penalty, reduced as TRL reduces the policy loss it belongs to."""
        tokens = None
        if self.loss_type != "grpo":
            tokens = inputs["num_items_in_batch"].clamp(min=1) / self.accelerator.num_processes
            if self.model.training:
                tokens = tokens * self._micro_batches / self.args.steps_per_generation
        penalty, mean = kl_cov_penalty(self.args.kl_cov_coef, self._chosen, self._logps, inputs, tokens)
        self.note("token_method/kl", mean)
        return penalty / self._micro_batches if tokens is None else penalty

    def note(self, name: str, value: float) -> None:
        """Record a number for the next log line, averaged like TRL's own metrics."""
        self._metrics["train" if self.model.training else "eval"][name].append(value)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        steps = self._metrics["train"]["step_time"]
        if self.model.training and steps:
            logs["seconds/dsd"] = self._dsd_seconds / len(steps)
            logs["seconds/dsd_share"] = self._dsd_seconds / sum(steps)
            self._dsd_seconds = 0.0
        super().log(logs, start_time)
