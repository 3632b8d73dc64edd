"""A trainer small enough for a test, the same as stock TRL, and what its gradient is compared with."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback
from trl import GRPOConfig, GRPOTrainer

from relax import ReLaXConfig, ReLaXTrainer
from relax.koopman import Dictionary, dsd
from relax.tasks import noisy_sum
from relax.training import objective

GROUP = 4


def save_dictionary(folder: Path, width: int = 32, m: int = 6, position: str = "response") -> str:
    path = folder / "dictionary.safetensors"
    Dictionary.random(width, m, seed=3, ridge=1e-2, position=position).save(path)
    return str(path)


def shape(prompts: list[str], completions: list[str], **_: Any) -> list[float]:
    """A reward that an untrained policy can earn, so that groups have a variance."""
    return [(sum(map(ord, text)) % 7) / 7 for text in completions]


def arguments(kind: type, folder: Path, **options: Any) -> GRPOConfig:
    standard = {
        "output_dir": str(folder), "use_cpu": True, "bf16": False, "seed": 5, "per_device_train_batch_size": 8,
        "gradient_accumulation_steps": 1, "num_generations": GROUP, "max_completion_length": 12, "learning_rate": 1e-3,
        "max_steps": 3, "logging_steps": 1, "save_strategy": "no", "report_to": "none", "disable_tqdm": True,
        "gradient_checkpointing": False, "top_k": 0,
    }  # fmt: skip
    return kind(**{**standard, **options})


def trainer(
    policy: Path,
    folder: Path,
    kind: type = ReLaXTrainer,
    dtype: torch.dtype | None = None,
    reward: Callable = shape,
    peft_config: Any = None,
    args: GRPOConfig | None = None,
    **options: Any,
):
    config = ReLaXConfig if issubclass(kind, ReLaXTrainer) else GRPOConfig
    tokenizer = AutoTokenizer.from_pretrained(policy, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(policy, dtype=dtype or torch.float32)
    rows = [{"prompt": p.prompt} for p in noisy_sum.problems(64, "train", 4, seed=0)]
    made: GRPOTrainer = kind(
        model=model,
        reward_funcs=reward,
        args=args or arguments(config, folder, **options),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=peft_config,
    )
    made.remove_callback(PrinterCallback)
    return made


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


class Recorder(ReLaXTrainer):
    """Keeps the generation batch and the accumulated gradient of the first optimizer step(s)."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.batches: list[dict] = []

    def _generate_and_score_completions(self, inputs):
        batch = super()._generate_and_score_completions(inputs)
        self.batches.append({k: v.clone() for k, v in batch.items() if isinstance(v, torch.Tensor)})
        return batch

    def gradient(self) -> dict[str, torch.Tensor]:
        """Of the ReLaX terms over one generation batch, accumulated through TRL's own micro-steps."""
        loader = iter(self.get_train_dataloader())
        self.model.train()
        self.model.zero_grad()
        self.current_gradient_accumulation_steps = self.args.gradient_accumulation_steps
        for _ in range(self.args.steps_per_generation):
            inputs = self._prepare_inputs(next(loader))
            self.accelerator.backward(self._compute_loss(self.model_wrapped, inputs))
            self._step += 1
        return {n: p.grad.clone() for n, p in self.model.named_parameters() if p.grad is not None}


class Scripted(Recorder):
    """Responses of given lengths in place of the policy's: random tokens, a negative length without an end.

    Attributes:
        lengths: one list a generation, picked by the number of the step; the last one counts from then on.
        by_call: pick it by the number of the call instead.
    """

    lengths: Sequence[Sequence[int]] = ()
    by_call = False

    def _generate_single_turn(self, prompt_ids: list, *_: Any) -> tuple[list[list[int]], None]:
        done = getattr(self, "calls", 0) if getattr(self, "by_call", False) else self.state.global_step
        self.calls = getattr(self, "calls", 0) + 1
        lengths = self.lengths[min(done, len(self.lengths) - 1)]
        generator = torch.Generator().manual_seed(100 * done + self.accelerator.process_index)
        rows = []
        for _prompt, length in zip(prompt_ids, lengths, strict=True):
            row = torch.randint(2, self.model.config.vocab_size, (abs(length),), generator=generator).tolist()
            rows.append([*row[:-1], self.processing_class.eos_token_id] if length > 0 else row)
        return rows, None


def direct_gradient(made: Recorder, reference: torch.nn.Module | None) -> dict[str, torch.Tensor]:
    """Autograd of Eq. 11 and 12 over the whole batch, straight from the model."""
    (batch,), args = made.batches, made.args
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], 1)
    attention = torch.cat([batch["prompt_mask"], batch["completion_mask"]], 1)
    mask, length = batch["completion_mask"], batch["completion_ids"].shape[1]
    made.model.zero_grad()

    def forward(model):
        output = model(input_ids=ids, attention_mask=attention, output_hidden_states=True)
        logps = output.logits[:, -length - 1 : -1].log_softmax(-1)
        states = output.hidden_states[-1]
        shifted = states[:, -length - 1 : -1] if args.position == "predicting" else states[:, -length:]
        return shifted, logps.gather(2, batch["completion_ids"][..., None])[..., 0]

    hidden, logps = forward(made.model)
    # In a response of the fixtures the end token stands at its end alone.
    end = made.processing_class.eos_token_id
    states = mask * (batch["completion_ids"] != end) if args.position == "text" else mask
    values = dsd(hidden, made.exploration.weight, states, args.spectrum, args.ridge)
    factor = objective.exploration_factor(
        batch["advantages"].double(), values.detach(), args.advantage_shaping, made.exploration.xi
    )
    loss = args.alpha * objective.exploration_loss(values, factor, GROUP)
    if reference is not None:
        with torch.no_grad():
            reference_logps = forward(reference)[1]
        kl = objective.trajectory_kl(logps, reference_logps, mask)
        gate = objective.kl_gate(values, args.kl_mode, made.exploration.xi)
        assert 0 < gate.sum() < len(gate), "the case must have both sides of the gate"
        loss = loss + args.beta * (gate * kl).view(-1, GROUP).sum(1).mean()
    loss.backward()
    return {n: p.grad.clone() for n, p in made.model.named_parameters() if p.grad is not None}


def relative_error(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> float:
    difference = sum(((first[n] - second[n]) ** 2).sum() for n in second)
    return (difference / sum((v**2).sum() for v in second.values())).sqrt().item()
