"""The trainers of step.py: ReLaXTrainer and TRL's GRPOTrainer with clocks, around one policy."""

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from random_policy import Ended, model
from torch import Tensor
from transformers import PrinterCallback
from trl import GRPOConfig, GRPOTrainer

from relax import ReLaXConfig, ReLaXTrainer
from relax.koopman import Dictionary
from relax.models.scratch import make_tokenizer

PROMPTS, GROUP, MICRO, PROMPT = 8, 8, 4, 40
#: What ReLaXTrainer is given beside W.
TERMS = {"alpha": 0.1, "xi": "q90", "beta": 0.01, "kl_mode": "adaptive"}
Sizes = dict[str, Any]
Seconds = Counter[str]


class Timed(GRPOTrainer):
    """Adds up the seconds of a step by what they were spent on; generation is handed over unless it ``generates``."""

    lengths: list[int]
    ended: Ended
    generates = False

    @contextlib.contextmanager
    def clock(self, name: str) -> Iterator[None]:
        """Count the block's time under a name, CPU and wall."""
        start = _now()
        yield
        for kind, before, after in zip(("cpu", "wall"), start, _now(), strict=True):
            self.spent[f"{name} {kind}"] += after - before

    def _generate_single_turn(self, prompt_ids: list, *given: Any, **further: Any) -> tuple[list[list[int]], Any]:
        with self.clock("generation"):
            if self.generates:
                self.model.generate = partial(type(self.model).generate, self.model, stopping_criteria=[self.ended])
                found = super()._generate_single_turn(prompt_ids, *given, **further)
                self.model.__dict__.pop("generate", None)
                return found
            generator = torch.Generator().manual_seed(1)
            end, size = self.processing_class.eos_token_id, self.model.config.vocab_size
            drawn = [torch.randint(2, size, (n - 1,), generator=generator).tolist() for n in self.lengths]
            return [[*row, end] for row in drawn], None

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        with self.clock("scoring"):
            return super()._generate_and_score_completions(inputs)

    def training_step(self, *given: Any, **further: Any) -> Tensor:
        with self.clock("micro-steps"):
            return super().training_step(*given, **further)

    def step(self) -> Seconds:
        """One optimizer step on a fresh generation batch."""
        self.spent = Counter()
        with self.clock("step"):
            self.train()
        self.model.zero_grad()
        return self.spent

    def passes(self) -> Seconds:
        """The passes without gradient over a fresh generation batch."""
        self.spent = Counter()
        self.model.train()
        self._step = 0
        self._prepare_inputs(next(iter(self.get_train_dataloader())))
        return self.spent

    def gradient(self) -> dict[str, Tensor]:
        """Of the loss over a generation batch, accumulated as the trainer does."""
        self.spent = Counter()
        self.model.train()
        self.model.zero_grad()
        rows = next(iter(self.get_train_dataloader()))
        for _ in range(self.args.gradient_accumulation_steps):
            inputs = self._prepare_inputs(rows)
            self.accelerator.backward(self._compute_loss(self.model, inputs))
            self._step += 1
        return {name: p.grad.clone() for name, p in self.model.named_parameters()}


class TRL(Timed):
    """TRL's own trainer."""


class ReLaX(Timed, ReLaXTrainer):
    """The trainer of the method."""


def _now() -> tuple[float, float]:
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.process_time(), time.perf_counter()


def prompts() -> list[dict[str, str]]:
    """Prompts of 37 to 44 tokens."""
    return [{"prompt": f"{number:0{PROMPT - 3 + number}}"} for number in range(PROMPTS)]


class Bench:
    """A policy, its reference and an optimizer that the trainers of a comparison share; they write into ``folder``."""

    def __init__(
        self, sizes: Sizes, lengths: list[int], folder: Path, rate: float = 0.0, dtype: torch.dtype = torch.float32
    ) -> None:
        self.sizes, self.lengths, self.folder = sizes, lengths, folder
        self.policy, self.reference = model(sizes).to("cuda" if sizes["cuda"] else "cpu", dtype), None
        self.policy.config._name_or_path = str(folder / "policy")  # where TRL takes a reference from
        self.policy.save_pretrained(folder / "policy")
        self.optimizer = torch.optim.AdamW(self.policy.parameters(), lr=rate)
        self.dictionary = str(folder / "dictionary.safetensors")
        Dictionary.random(sizes["d"], sizes["m"]).save(self.dictionary)
        self.prompts = prompts()[: len(lengths) // GROUP]
        width = max(len(row["prompt"]) for row in self.prompts)
        #: Tokens of a micro-batch of the longest responses.
        self.tokens = MICRO * (width + max(lengths))
        # What a response that has ended is filled up with is the end token, which counts once.
        self.ended = Ended([length - 1 for length in lengths], width)

    def trainer(self, kind: type[Timed], micro: int = MICRO, **options: Any) -> Timed:
        """A trainer, whose ``train`` is one step."""
        tokenizer = make_tokenizer("0123456789")
        tokenizer.pad_token = tokenizer.eos_token
        ours = issubclass(kind, ReLaXTrainer)
        own = {**TERMS, "dictionary": self.dictionary} if ours else {"beta": 0.0}
        standard = {
            "output_dir": str(self.folder), "use_cpu": not self.sizes["cuda"], "bf16": self.sizes["cuda"], "seed": 1,
            "per_device_train_batch_size": micro, "gradient_accumulation_steps": len(self.lengths) // micro,
            "num_generations": GROUP, "max_completion_length": max(self.lengths), "max_steps": 1, "logging_steps": 1,
            "save_strategy": "no", "report_to": "none", "disable_tqdm": True, "gradient_checkpointing": False,
            "generation_kwargs": {"suppress_tokens": [tokenizer.eos_token_id]},
        }  # fmt: skip
        made = kind(
            model=self.policy,
            reward_funcs=lambda completions, **_: [float(i % 2) for i in range(len(completions))],
            args=(ReLaXConfig if ours else GRPOConfig)(**{**standard, **own, **options}),
            train_dataset=Dataset.from_list(self.prompts),
            processing_class=tokenizer,
            optimizers=(self.optimizer, None),
        )
        made.remove_callback(PrinterCallback)
        made.lengths, made.ended = self.lengths, self.ended
        made.current_gradient_accumulation_steps = made.args.gradient_accumulation_steps
        if made.ref_model is not None:
            made.ref_model = self.reference = self.reference or made.ref_model
        return made

    def by_tokens(self) -> Timed:
        """ReLaXTrainer with micro-batches of as many tokens as the longest responses fill."""
        return self.trainer(ReLaX, len(self.lengths), tokens_per_micro_batch=self.tokens)
