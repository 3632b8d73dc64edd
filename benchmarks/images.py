"""What images cost a training: the buffer of rollouts against TRL's, and reading them again for each micro-batch.

    python benchmarks/images.py --out results/bench/images.json

A generation batch of ReLaXTrainer and of TRL's GRPOTrainer with the same policy, problems and pictures: bytes that stay
until the last micro-batch is trained on. And CPU time of making a micro-batch's pixel values again, against its whole
loss, forward and backward, with the policy of the demo, whose loss is as small as a loss can be. One thread.
``--quick`` runs small sizes: it shows that the benchmark works.
"""

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

# Before torch: one thread.
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import torch
from common import Result, in_turns, main, result
from trl import GRPOConfig, GRPOTrainer

from relax import ReLaXConfig, ReLaXTrainer
from relax.data.images import keep
from relax.koopman import Dictionary
from relax.models.scratch_vision import make_processor, make_vision_model
from relax.tasks.visual import rendered
from relax.training.pictures import training_set

#: Prompts of a generation, responses to each, micro-batch, pixels of a picture's side and of a patch's, repeats.
FULL = {"prompts": 16, "rollouts": 8, "micro": 32, "side": 48, "patch": 8, "repeats": 5}
QUICK = {"prompts": 2, "rollouts": 2, "micro": 4, "side": 32, "patch": 8, "repeats": 1}
#: The demo's, config/demo_multimodal.yaml.
SCRATCH = {
    "seed": 0, "hidden_size": 64, "layers": 2, "heads": 4, "key_value_heads": 2, "intermediate_size": 192,
    "initializer_range": 0.06, "rope_theta": 100,
}  # fmt: skip
VISION = {"hidden_size": 48, "layers": 1, "heads": 4, "intermediate_size": 96, "max_pixels": 1 << 20}
TASK = {"families": ["bars", "cells"], "levels": [1, 2], "text_share": 0.25}


def _alternate(completions: list[Any], **_: Any) -> list[float]:
    return [float(i % 2) for i in range(len(completions))]


def trainer(kind: type, sizes: dict[str, Any], folder: Path) -> GRPOTrainer:
    """A trainer of which one generation is taken."""
    settings = {**SCRATCH, "vision": {**VISION, "patch_size": sizes["patch"]}}
    processor = make_processor(settings["vision"], rendered.texts())
    made = rendered.problems(
        {**TASK, "size": sizes["side"]}, 2 * sizes["prompts"], "train", 0, partial(keep, folder=folder)
    )
    problems = [replace(p, images=tuple(str(folder / name) for name in p.images)) for p in made]
    batches = sizes["prompts"] * sizes["rollouts"] // sizes["micro"]
    options: dict[str, Any] = {}
    if kind is ReLaXTrainer:
        Dictionary.random(SCRATCH["hidden_size"], 8).save(folder / "dictionary.safetensors")
        options = {"alpha": 0.1, "kl_mode": "none", "dictionary": str(folder / "dictionary.safetensors")}
    arguments = (ReLaXConfig if kind is ReLaXTrainer else GRPOConfig)(
        output_dir=str(folder), use_cpu=True, bf16=False, per_device_train_batch_size=sizes["micro"],
        gradient_accumulation_steps=batches, num_generations=sizes["rollouts"], max_completion_length=28,
        report_to="none", disable_tqdm=True, beta=0.0, gradient_checkpointing=False, **options,
    )  # fmt: skip
    one = kind(
        model=make_vision_model(settings, processor),
        reward_funcs=_alternate, args=arguments, processing_class=processor,
        train_dataset=training_set(problems, processor, {"chat_template": True, "system": None, "thinking": False}),
    )  # fmt: skip
    one.model.train()
    one.current_gradient_accumulation_steps = batches
    return one


def generated(one: GRPOTrainer) -> dict[str, Any]:
    """The first micro-batch of a generation; the others stay in the trainer's buffer."""
    return one._prepare_inputs(next(iter(one.get_train_dataloader())))


def held(one: GRPOTrainer) -> int:
    """Bytes of the buffer."""
    tensors = [value for batch in one._buffered_inputs for value in batch.values() if isinstance(value, torch.Tensor)]
    return sum(value.numel() * value.element_size() for value in tensors)


def everything(sizes: dict[str, Any], quick: bool) -> list[Result]:
    """Every row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = (trainer(kind, sizes, Path(folder)) for kind in (ReLaXTrainer, GRPOTrainer))
        batch = generated(ours)
        generated(theirs)
        kept, before = held(ours), held(theirs)

        def loss() -> None:
            ours.model.zero_grad()
            ours.accelerator.backward(ours._compute_loss(ours.model, batch))

        work: dict[str, Callable[[], object]] = {"loss": loss, "images": lambda: ours.pictures.of(batch)}
        seconds = in_turns(sizes["repeats"], **work)
    share = seconds["images"] / seconds["loss"]
    return [
        result("buffer of a generation with images: share of TRL's bytes", kept / before, "<= 0.1",
               kept / before <= 0.1, ours_mb=kept / 1e6, trl_mb=before / 1e6),
        result("making a micro-batch's pixel values again: share of its loss", share, "", None,
               images_s=seconds["images"], loss_s=seconds["loss"]),
    ]  # fmt: skip


if __name__ == "__main__":
    main(__doc__, (FULL, QUICK), everything, lambda sizes: None)
