"""Forward passes of a trainer over rows of different lengths, and the hidden states that can be heard in them.

TRL pads a whole generation batch to its longest response, and on a CPU its head scores the prompt and the padding
too. Here the rows of an optimizer step are ordered by length, a pass is cut to its own longest row, and the head is
given the completion tokens alone. Log-probabilities come back at the width that TRL expects. With ``length_order`` off,
or for what the model takes beside tokens, a pass is TRL's own.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from trl.trainer.utils import use_adapter

from relax.errors import NumericsError
from relax.models.decoding import loop_for
from relax.training import checks, length_order
from relax.training.dynamic_sampling import Batch, Rows, take_rows
from relax.training.exact_resume import ExactResume
from relax.training.pictures import Pictures

#: Takes hidden states (B, T, d) of completions, their mask (B, T), and which rows (B,) of the pass they are.
Listener = Callable[[Tensor, Tensor, Tensor], None]


class Passes(ExactResume):
    """The passes of a trainer. A class below sets ``pictures``."""

    pictures: Pictures
    #: Whether the rows of a generation are ordered by length.
    _orders: bool = False
    #: Whether a pass scores its completions.
    _scores: bool = True
    _listener: Listener | None = None
    _listens_to: nn.Module | None = None
    _buffered_inputs: Any

    # Listening to the backbone ------------------------------------------------------------------

    @contextlib.contextmanager
    def _listening(self, model: nn.Module, listener: Listener) -> Iterator[None]:
        """Within the block, the model's next pass hands the hidden states of its completions over."""
        self._listener, self._listens_to = listener, model
        try:
            yield
        finally:
            self._listener = None

    def _backbone(self, model: nn.Module | None = None) -> nn.Module:
        # Looked up at each call: FSDP and PEFT replace modules after construction. TRL's fused head
        # never calls lm_head in training, so the backbone is the only module that can be heard.
        return checks.without_adapter(self.accelerator.unwrap_model(self.model if model is None else model)).base_model

    @contextlib.contextmanager
    def _at_the_backbone(self, model: nn.Module, hook: Callable[[Any], None]) -> Iterator[None]:
        handle = self._backbone(model).register_forward_hook(lambda _module, _inputs, output: hook(output))
        try:
            yield
        finally:
            handle.remove()

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
        with self._listening(self.model, lambda hidden, mask, _: heard.append((hidden, mask))):
            self._get_per_token_logps_and_entropies(self.model, tokens, attention, length, **seen)
        self.model.train(training)
        return self.exploration.framed(*heard.pop())

    # One pass -----------------------------------------------------------------------------------

    def _get_per_token_logps_and_entropies(
        self,
        model: nn.Module,
        input_ids: Tensor,
        attention_mask: Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        compute_entropy: bool = False,
        compute_aux_loss: bool = False,
        **seen: Any,
    ) -> tuple[Any, ...]:
        listener = self._listener if model is self._listens_to else None
        if listener is not None:
            self._listener = None  # the pass after it may be the reference's, which with PEFT is the same module
        if not self.args.length_order or compute_aux_loss or any(value is not None for value in seen.values()):
            given = (model, input_ids, attention_mask, logits_to_keep, batch_size, compute_entropy, compute_aux_loss)
            return self._whole(listener, *given, **seen)
        order, logps, entropies = [], [], []
        for rows in self._shared_passes(attention_mask, logits_to_keep, batch_size):
            part = length_order.cut(input_ids[rows], attention_mask[rows], logits_to_keep, self._counts_no_padding)
            # The policy's pass for the weights of Eq. 11 is there for its hidden states alone.
            asked = None if self._scores else torch.zeros_like(part.attention[:, -part.keep :]).bool()
            output, mask = self._cut_pass(model, part, rows, listener, asked)
            order.append(rows)
            logps.append(self._at_tokens(output.log_probs, mask, logits_to_keep))
            if compute_entropy:
                entropies.append(self._at_tokens(output.entropy, mask, logits_to_keep))
        back = torch.cat(order).argsort()
        return torch.cat(logps)[back], torch.cat(entropies)[back] if compute_entropy else None, None

    def _shared_passes(self, attention: Tensor, completion: int, size: int | None) -> list[Tensor]:
        """The rows of each pass: all in one where ``size`` is None, else by length, as many as fit."""
        rows, budget = len(attention), self.args.tokens_per_micro_batch
        if size is None or (budget is None and size >= rows):
            return [torch.arange(rows, device=attention.device)]
        counts = attention[:, :-completion].sum(dim=1), attention[:, -completion:].sum(dim=1)
        if budget is not None:
            return length_order.by_tokens(*counts, budget)
        return list(length_order.longest_first(*counts).split(size))

    @property
    def _counts_no_padding(self) -> bool:
        """Whether padding on the left leaves the model's positions relative, so that it can be cut off."""
        backbone: Any = self._backbone()
        return getattr(backbone.config.get_text_config(), "rope_parameters", None) is not None

    def _cut_pass(
        self, model: nn.Module, part: length_order.Cut, rows: Tensor, listener: Listener | None, asked: Tensor | None
    ) -> tuple[Any, Tensor]:
        """TRL's fused head over one pass; what it scores is (1, tokens), and where they are (B, T).

        Args:
            asked: (B, T) tokens to score, or None for all of the completions.
        """
        asked = part.attention[:, -part.keep :].bool() if asked is None else asked
        if not asked.any():  # TRL's head takes at least one token
            asked = torch.zeros_like(asked)
            asked[0, 0] = True

        def hook(output: Any) -> None:
            hidden = output.last_hidden_state
            if listener is not None:
                self._tell(listener, hidden, part.tokens, part.attention, part.keep, rows)
            # The state to the left of a token is the one that its logits are made of.
            output.last_hidden_state = hidden[:, -part.keep - 1 : -1][asked][None]

        with self._at_the_backbone(model, hook), self.accelerator.autocast():
            output = model(
                input_ids=part.tokens,
                attention_mask=part.attention,
                shift_labels=part.tokens[:, -part.keep :][asked][None],
                fused_lm_head=True,
            )
        return output, asked

    @staticmethod
    def _at_tokens(values: Tensor, mask: Tensor, width: int) -> Tensor:
        """(1, tokens) as (B, width), 0 where there is no token."""
        return pad(values.new_zeros(mask.shape).masked_scatter(mask, values), (0, width - mask.shape[1]))

    def _whole(
        self, listener: Listener | None, model: nn.Module, tokens: Tensor, attention: Tensor, keep: int, *given: Any,
        **seen: Any,
    ) -> tuple[Any, ...]:  # fmt: skip
        """TRL's own passes."""
        if listener is None:
            return super()._get_per_token_logps_and_entropies(model, tokens, attention, keep, *given, **seen)
        row = 0

        def hook(output: Any) -> None:
            nonlocal row
            rows = torch.arange(row, row + len(output.last_hidden_state), device=tokens.device)
            row += len(rows)
            self._tell(listener, output.last_hidden_state, tokens[rows], attention[rows], keep, rows)

        with self._at_the_backbone(model, hook):
            result = super()._get_per_token_logps_and_entropies(model, tokens, attention, keep, *given, **seen)
        if row != len(tokens):
            raise NumericsError(f"the backbone was heard for {row} of {len(tokens)} trajectories; TRL has changed.")
        return result

    def _tell(
        self, listener: Listener, hidden: Tensor, tokens: Tensor, attention: Tensor, keep: int, rows: Tensor
    ) -> None:
        listener(*self.exploration.states(hidden, attention, tokens, keep), rows)

    # Passes over a generation batch ---------------------------------------------------------------

    def _hear_policy(self, batch: Batch, listener: Listener) -> None:
        """Hand over the hidden states of a generation batch's completions; nobody asks for log-probabilities."""
        self._scores = False
        try:
            with torch.no_grad():
                self._pass_over(
                    self.model,
                    batch,
                    torch.arange(len(batch["prompt_ids"]), device=batch["prompt_ids"].device),
                    listener,
                )
        finally:
            self._scores = True

    def _pass_over(self, model: nn.Module, batch: Batch, rows: Tensor, listener: Listener | None = None) -> Tensor:
        """Log-probabilities (len(rows), C) of some rows of a generation batch under a model.

        With images in chunks of a micro-batch, for which they are made anew.
        """
        size = self.args.per_device_train_batch_size
        chunks = rows.split(size) if self.pictures.there(batch) or not self.args.length_order else [rows]
        found = []
        for chunk in chunks:
            part = take_rows(batch, chunk) if len(chunk) < len(batch["prompt_ids"]) else batch
            tell = None if listener is None else _renumbered(listener, chunk)
            with contextlib.nullcontext() if tell is None else self._listening(model, tell):
                found.append(
                    self._get_per_token_logps_and_entropies(
                        model,
                        torch.cat([part["prompt_ids"], part["completion_ids"]], dim=1),
                        torch.cat([part["prompt_mask"], part["completion_mask"]], dim=1),
                        part["completion_ids"].size(1),
                        size,
                        **self.pictures.of(part),
                    )[0]
                )
        return torch.cat(found)

    @torch.no_grad()
    def _gated_reference(self, batch: Batch) -> Tensor:
        """(N, C) log-probabilities under the reference of the rows whose gate is open; 0 in the others.

        Where none is open there is no pass. All processes take part in as many rows, as they must where the reference
        is sharded.
        """
        gate = batch["relax_gate"]
        open_rows = self.accelerator.gather((gate > 0).sum()[None]).max()
        rows = gate.argsort(descending=True, stable=True)[: int(open_rows)]
        found = torch.zeros(batch["completion_ids"].shape, device=gate.device)
        if len(rows):
            with self._reference() as model:
                logps = self._pass_over(model, batch, rows)
            found = found.to(logps.dtype).index_copy(0, rows, logps)
        return found

    @contextlib.contextmanager
    def _reference(self) -> Iterator[nn.Module]:
        """The reference, or within the block the policy without its adapter."""
        if self.ref_model is not None:
            yield self.ref_model
            return
        policy: Any = self.accelerator.unwrap_model(self.model)
        with use_adapter(policy, adapter_name="ref" if "ref" in policy.peft_config else None):
            yield self.model

    # A generation, and its order ----------------------------------------------------------------------

    def _generate_single_turn(self, *given: Any, **named: Any) -> tuple[Any, Any]:
        if not self.args.length_order:
            return super()._generate_single_turn(*given, **named)
        policy: Any = self.accelerator.unwrap_model(self.model)
        plain, own = policy.generate, vars(policy).get("generate")

        def generate(*args: Any, **asked: Any) -> Any:
            return plain(*args, **asked, custom_generate=None if args else loop_for(policy, asked))

        policy.generate = generate  # TRL calls it by this name
        try:
            return super()._generate_single_turn(*given, **named)
        finally:
            del policy.generate
            if own is not None:  # somebody else's
                policy.generate = own

    def _prepare_inputs(self, generation_batch: Rows | Batch) -> Batch:
        before = self._buffered_inputs
        inputs = super()._prepare_inputs(generation_batch)
        fresh = self.model.training and self._buffered_inputs is not before
        if not fresh or not self._orders or self.pictures.stay(inputs):
            return inputs
        window = self.args.gradient_accumulation_steps
        self._buffered_inputs = length_order.ordered(self._buffered_inputs, window, self.accelerator)
        return self._buffered_inputs[self._step % self.args.steps_per_generation]


def _renumbered(listener: Listener, rows: Tensor) -> Listener:
    """Told of the rows of a part of a batch, tell of the batch's."""
    return lambda hidden, mask, part: listener(hidden, mask, rows[part])
