"""ReLaXTrainer: the exact ReLaX objective on TRL's GRPOTrainer.

Every private name of TRL 1.16 that the project binds to is in this file; tests/training/test_trl_contract.py
says in a sentence which one moved when TRL changes. Nothing of TRL is copied: each override wraps
``super()``.

How a step goes: TRL generates and scores a generation batch; the hidden states of the completions give
each trajectory's DSD without gradient and from it, over whole groups, the weights of the log-mean-exp
(:mod:`relax.training.exploration`). Both ride along in TRL's batch dictionary, are shuffled, split and
buffered with it, and meet the DSD with gradient in ``_compute_loss``, whose own forward pass is listened
to by a hook on the backbone.
"""

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn
from torch.utils.data import Sampler
from transformers import PreTrainedModel
from transformers.trainer_utils import TrainOutput
from trl import GRPOTrainer

from relax.data.processor import tokenizer_of
from relax.errors import NumericsError
from relax.latent.states import completion_states
from relax.models.policy import Processing, end_tokens
from relax.training import checks
from relax.training.checkpoints import load_renamed, load_state, resumable, save_state, sealed
from relax.training.dynamic_sampling import Batch, PromptCursor, Resampling, Rows, informative_groups, take_rows
from relax.training.exploration import Exploration, first_rows
from relax.training.pictures import Pictures, forbid_image_tokens, numbered
from relax.training.relax_config import ReLaXConfig, checked_arguments
from relax.training.sample import RolloutSample
from relax.training.token_methods import chosen_tokens, kl_cov_penalty, loss_mask
from relax.training.window import check_window


class ReLaXTrainer(GRPOTrainer):
    """TRL's GRPOTrainer with the latent exploration term and the adaptive KL.

    Takes what GRPOTrainer takes, in its order, with a :class:`~relax.training.relax_config.ReLaXConfig` as ``args``.
    With ``alpha = 0`` and no KL but TRL's own it is GRPOTrainer bit for bit, DSD is logged all the same.

    Raises:
        ConfigError: another kind of ``args``, a model without a backbone to listen to or without a parameter to
            train, a dictionary of another width than the model's, a prompt that with its response does not fit into
            the model's window, a data set that dynamic sampling cannot draw from, or a checkpoint of another
            dictionary.
        NumericsError: a reward is NaN or infinite.
    """

    args: ReLaXConfig
    model: nn.Module
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
        self._order: Any = None
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
        if args.token_method == "kl_cov":  # its tokens are held by the penalty instead
            self.epsilon_low = self.epsilon_high = float("inf")
        ends = end_tokens(policy, self.processing_class)
        self.exploration = Exploration(args, width, self.accelerator, self.note, ends)
        self.pictures = Pictures(self.train_dataset, self.processing_class)
        self.sample: RolloutSample | None = None
        self._listener: Callable[[Tensor, Tensor], None] | None = None
        self._listens_to: nn.Module | None = None
        self._micro_batch: Batch | None = None
        self._dsd_seconds = 0.0

    # Listening to the backbone ------------------------------------------------------------------

    @contextlib.contextmanager
    def _listening(self, model: nn.Module, listener: Callable[[Tensor, Tensor], None]) -> Iterator[None]:
        """Within the block, the model's forward passes hand (hidden states, mask) of the completions over."""
        self._listener, self._listens_to = listener, model
        try:
            yield
        finally:
            self._listener = None

    def _backbone(self) -> nn.Module:
        # Looked up at each call: FSDP and PEFT replace modules after construction. TRL's fused head
        # never calls lm_head in training, so the backbone is the only module that can be heard.
        return checks.without_adapter(self.accelerator.unwrap_model(self.model)).base_model

    def _get_per_token_logps_and_entropies(
        self, model: nn.Module, input_ids: Tensor, attention_mask: Tensor, logits_to_keep: int, *args: Any, **named: Any
    ) -> tuple[Any, ...]:
        listener, given = self._listener, (model, input_ids, attention_mask, logits_to_keep, *args)
        if listener is None or model is not self._listens_to:
            return super()._get_per_token_logps_and_entropies(*given, **named)
        masks = self.exploration.mask(attention_mask[:, -logits_to_keep:], input_ids[:, -logits_to_keep:])
        row = 0

        def hear(_module: nn.Module, _inputs: tuple[Any, ...], output: Any) -> None:
            nonlocal row
            hidden = completion_states(output.last_hidden_state, logits_to_keep, self.exploration.position)
            listener(hidden, masks[row : row + len(hidden)])
            row += len(hidden)

        handle = self._backbone().register_forward_hook(hear)
        try:
            result = super()._get_per_token_logps_and_entropies(*given, **named)
        finally:
            handle.remove()
        if row != len(input_ids):
            raise NumericsError(f"the backbone was heard for {row} of {len(input_ids)} trajectories; TRL has changed.")
        self._logps = result[0]
        if self._micro_batch is not None and self.args.token_method != "none":
            self._choose_tokens(self._micro_batch)
            if self.args.token_method == "clip_cov":
                # Without a gradient of its log-probability a token has no policy gradient.
                return torch.where(self._chosen, self._logps.detach(), self._logps), *result[1:]
        return result

    @torch.no_grad()
    def states_of(self, tokens: Tensor, attention: Tensor, length: int, **seen: Any) -> tuple[Tensor, Tensor]:
        """Hidden states of fixed responses under the policy as it is, through the forward that training uses.

        Args:
            tokens, attention: (B, P + T); all responses begin in the same column.
            length: T.
            seen: what the model takes beside tokens, by TRL's names.

        Returns:
            (B, T, d) and (B, T), the mask.
        """
        training = self.model.training
        heard: list[tuple[Tensor, Tensor]] = []
        self.model.eval()
        with self._listening(self.model, lambda hidden, mask: heard.append((hidden, mask))):
            self._get_per_token_logps_and_entropies(self.model, tokens, attention, length, **seen)
        self.model.train(training)
        return heard.pop()

    # The generation batch -------------------------------------------------------------------------

    def _generate_and_score_completions(self, inputs: Rows) -> Batch:
        training, weighs = self.model.training, self.exploration.weighs
        resamples = training and self.args.dynamic_sampling
        batch = self._resampled(inputs, weighs) if resamples else self._scored(inputs, weighs)
        start = time.perf_counter()
        if "relax_dsd" in batch:
            self.exploration.weigh(batch, self._group_size)
            self.exploration.note_dsd(batch["relax_logged"])
        self._dsd_seconds += time.perf_counter() - start
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
        heard: list[tuple[Tensor, Tensor]] = []
        measured: list[dict[str, Tensor]] = []
        first = exploration.dictionary is None

        def listen(hidden: Tensor, mask: Tensor) -> None:
            start = time.perf_counter()
            if first:
                heard.append((hidden, mask))
            else:
                measured.append(exploration.measure(hidden, mask))
            self._dsd_seconds += time.perf_counter() - start

        with self._listening(self.model, listen) if weighs else contextlib.nullcontext():
            batch = super()._generate_and_score_completions(inputs)
        if self.model.training:
            self.pictures.drop(batch, inputs)
        lengths = batch["completion_mask"].sum(dim=1)
        if not weighs:
            exploration.settle(None, lengths)
            return batch
        if "old_per_token_logps" not in batch:
            # TRL needs no old log-probabilities here, so no policy pass was there to listen to (with
            # PEFT the reference pass was heard instead, which is the wrong policy).
            heard.clear()
            measured.clear()
            start, before = time.perf_counter(), self._dsd_seconds
            devices = [self.accelerator.device] if self.accelerator.device.type == "cuda" else []
            # A dropout in the pass must not change what TRL draws after it.
            with self._listening(self.model, listen), torch.no_grad(), torch.random.fork_rng(devices):
                self._policy_pass(batch)
            self._dsd_seconds = before + time.perf_counter() - start
        if first:
            exploration.fit(first_rows(heard, len(lengths)))
            measured = [exploration.measure(hidden, mask) for hidden, mask in heard]
        for name in ("relax_dsd", "relax_logged"):  # with PEFT the reference's rows follow the policy's
            batch[name] = torch.cat([rows[name] for rows in measured])[: len(lengths)]
        exploration.settle(batch["relax_dsd"], lengths)
        return batch

    def _policy_pass(self, batch: Batch) -> None:
        """One forward pass of the policy over a generation batch, in TRL's own chunks."""
        size = self.args.per_device_train_batch_size
        for rows in torch.arange(len(batch["prompt_ids"]), device=self.accelerator.device).split(size):
            chunk = take_rows(batch, rows) if len(rows) < len(batch["prompt_ids"]) else batch
            self._get_per_token_logps_and_entropies(
                self.model,
                torch.cat([chunk["prompt_ids"], chunk["completion_ids"]], dim=1),
                torch.cat([chunk["prompt_mask"], chunk["completion_mask"]], dim=1),
                chunk["completion_ids"].size(1),
                **self.pictures.of(chunk),
            )

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
        heard: list[tuple[Tensor, Tensor]] = []
        inputs = {**inputs, **self.pictures.of(inputs)}
        beta, self._micro_batch = self.beta, inputs
        if self.args.own_kl:
            # It is in place of TRL's; beta stays set outside, so that TRL keeps computing the reference's
            # log-probabilities.
            self.beta = 0.0
        try:
            with self._listening(model, lambda hidden, mask: heard.append((hidden, mask))):
                loss = super()._compute_loss(model, inputs)
        finally:
            self.beta, self._micro_batch = beta, None
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
            loss = loss + term.to(loss.dtype) / self._micro_batches
        self._dsd_seconds += time.perf_counter() - start
        return loss

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

    # Checkpoints and an exact resume ------------------------------------------------------------

    def train(self, resume_from_checkpoint: str | bool | None = None, *args: Any, **kwargs: Any) -> TrainOutput:
        if resume_from_checkpoint:
            folder = Path(self.args.output_dir)
            resume_from_checkpoint = resumable(resume_from_checkpoint, folder, self.accelerator)
        return super().train(resume_from_checkpoint, *args, **kwargs)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        with sealed(folder, self.args, self.state, self.accelerator):
            super()._save_checkpoint(model, trial)
            if self.accelerator.is_main_process:
                save_state(folder, self.exploration, self.sample)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        load_renamed(self.accelerator.unwrap_model(self.model), Path(resume_from_checkpoint))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        # Not beside the weights, which DeepSpeed loads by another way.
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is not None:
            load_state(Path(checkpoint), self.args.process_index, self.exploration, self.sample)

    def _load_best_model(self) -> None:
        best = self.state.best_model_checkpoint
        assert best is not None  # transformers asks for it only where there is one
        resumable(best, Path(self.args.output_dir), self.accelerator)
        super()._load_best_model()

    def _get_train_sampler(self, dataset: Any = None) -> Sampler[int]:
        # TRL's sampler replays its first permutation after a resume in a later epoch. Seeding it by
        # epoch makes the order a function of the epoch; epoch 0 is TRL's.
        sampler: Any = super()._get_train_sampler(dataset)
        if sampler.shuffle:
            sampler.set_epoch = lambda epoch: sampler.generator.manual_seed(self.args.seed + epoch)
            self._order = sampler
        return sampler

    def _run_epoch(self, *args: Any, **kwargs: Any) -> Any:
        # After a resume in several processes accelerate's layers hide the sampler from its own set_epoch.
        if self._order is not None:
            self._order.set_epoch(kwargs["epoch"])
        return super()._run_epoch(*args, **kwargs)

    def _save_rng_state(self, output_dir: str) -> None:
        # TRL drops the rollouts it has not trained on yet; a resume would generate others.
        super()._save_rng_state(output_dir)
        generate_every = self.args.steps_per_generation * self.num_iterations
        buffer = self._buffered_inputs if self._step % generate_every else None
        drawn = self._cursor.drawn if self.args.dynamic_sampling else 0
        state = {"step": self._step, "buffer": buffer, "drawn": drawn}
        torch.save(state, Path(output_dir) / f"rollouts_{self.args.process_index}.pt")

    def _load_rng_state(self, checkpoint: str | None) -> None:
        super()._load_rng_state(checkpoint)
        if checkpoint is not None:
            path = Path(checkpoint) / f"rollouts_{self.args.process_index}.pt"
            state = torch.load(path, weights_only=True, map_location=self.accelerator.device)
            self._step, self._buffered_inputs = state["step"], state["buffer"]
            if self.args.dynamic_sampling:
                self._cursor.drawn = state["drawn"]
