"""A trainer small enough for a test, and the same as stock TRL."""

from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback
from trl import GRPOConfig, GRPOTrainer

from relax import ReLaXConfig, ReLaXTrainer
from relax.data import noisy_sum
from relax.koopman import Dictionary

GROUP = 4


def save_dictionary(folder: Path, width: int = 32, m: int = 6) -> str:
    path = folder / "dictionary.safetensors"
    Dictionary.random(width, m, seed=3, ridge=1e-2).save(path)
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


def trainer(policy: Path, folder: Path, kind: type = ReLaXTrainer, dtype: torch.dtype | None = None, **options: Any):
    config = ReLaXConfig if issubclass(kind, ReLaXTrainer) else GRPOConfig
    tokenizer = AutoTokenizer.from_pretrained(policy, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(policy, dtype=dtype or torch.float32)
    rows = [{"prompt": p.prompt} for p in noisy_sum.problems(64, "train", 4, seed=0)]
    made: GRPOTrainer = kind(
        model=model,
        reward_funcs=shape,
        args=arguments(config, folder, **options),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
    )
    made.remove_callback(PrinterCallback)
    return made


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}
