"""A vision-language policy with random weights, problems with pictures of several sizes, and a trainer on both."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForImageTextToText, PrinterCallback
from trl import GRPOConfig, GRPOTrainer

from relax import ReLaXConfig, ReLaXTrainer
from relax.data.images import keep
from relax.data.problem_files import read_problems, write_problems
from relax.data.processor import load_processor
from relax.models import scratch_vision
from relax.tasks.problem import Problem
from relax.tasks.visual import rendered
from relax.training.pictures import training_set
from tests.training.trainer_fixture import arguments, save_dictionary, shape

PROMPT = {"chat_template": True, "system": None, "thinking": False}
SCRATCH = {
    "seed": 0, "hidden_size": 32, "layers": 2, "heads": 2, "key_value_heads": 1, "intermediate_size": 48,
    "initializer_range": 0.2, "rope_theta": 100,
    "vision": {"hidden_size": 16, "layers": 1, "heads": 2, "intermediate_size": 24, "patch_size": 8,
               "max_pixels": 4096},
}  # fmt: skip
TASK = {"families": ["bars", "cells", "line"], "levels": [1, 2], "text_share": 0.5}


def spoken(completions: list, **_: Any) -> list[float]:
    """The fixture's reward, of conversations."""
    return shape([], [turns[-1]["content"] for turns in completions])


def save_policy(folder: Path) -> Path:
    processor = scratch_vision.make_processor(SCRATCH["vision"], rendered.texts())
    scratch_vision.make_vision_model(SCRATCH, processor).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def pictured_problems(folder: Path, n: int = 24) -> list[Problem]:
    """Problems whose prompts and pictures differ in length and size, so that crossed rows do not fit by chance."""
    problems: list[Problem] = []
    for size in (32, 48, 64):
        made = rendered.problems({**TASK, "size": size}, n // 3, "train", size, partial(keep, folder=folder))
        problems += [Problem(**{**vars(p), "id": f"{size}/{p.id}"}) for p in made]
    write_problems(folder / "train.jsonl", problems)
    return read_problems(folder / "train.jsonl")


def vision_trainer(
    policy: Path,
    problems: list[Problem],
    folder: Path,
    kind: type = ReLaXTrainer,
    dtype: torch.dtype = torch.float32,
    reward: Any = spoken,
    prompt: dict[str, Any] = PROMPT,
    **options: Any,
) -> Any:
    config = ReLaXConfig if issubclass(kind, ReLaXTrainer) else GRPOConfig
    if config is ReLaXConfig:
        options = {"dictionary": save_dictionary(folder), **options}
    processor = load_processor(policy)
    made: GRPOTrainer = kind(
        model=AutoModelForImageTextToText.from_pretrained(policy, dtype=dtype),
        reward_funcs=reward,
        args=arguments(config, folder, **options),
        train_dataset=training_set(problems, processor, prompt),
        processing_class=processor,
    )
    made.remove_callback(PrinterCallback)
    return made
