"""Supervised steps of a policy that is not made from scratch, on a task's demonstrations, up to a sampled accuracy."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
    ProcessorMixin,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from trl import SFTConfig, SFTTrainer

from relax.config.stage_settings import BaseSettings
from relax.data.prompt import render
from relax.errors import DataError
from relax.models.policy import load_policy
from relax.models.scratch import Report, warmup_arguments
from relax.progress import Progress
from relax.tasks import TASKS
from relax.tasks.problem import Problem

logger = logging.getLogger("relax")

#: A model, its tokenizer, problems, how to sample, a seed and a label -> the share of right responses.
Accuracy = Callable[[PreTrainedModel, PreTrainedTokenizerBase, list[Problem], dict[str, Any], int, str], float]


def supervise(folder: Path, settings: BaseSettings, accuracy: Accuracy, workdir: Path, label: str) -> SFTTrainer:
    """Train a policy on demonstrations until it is right often enough, or for all steps.

    Args:
        folder: of the policy.
        settings: of the ``base`` stage, with ``data`` and ``sampling``.
        accuracy: measures it on the held-out problems; :func:`relax.latent.accuracy.sampled_accuracy`.
        workdir: for the trainer's own files; nothing of it is kept.
        label: for the progress lines.

    Returns:
        The trainer, which holds the model and the log: ``loss``, and ``accuracy`` where it was measured.

    Raises:
        DataError: the policy takes images, for which no task has such demonstrations, or there is no held-out problem.
    """
    assert settings.data is not None
    assert settings.sampling is not None
    assert settings.policy.warmup is not None
    warmup, sampling, data = settings.policy.warmup.recorded(), settings.sampling.recorded(), settings.data.recorded()
    task = TASKS[settings.task]
    assert task.problems is not None
    problems = list(task.problems(data, data["test_problems"], "test", lambda _: ""))
    if not problems:
        raise DataError("a warm-up is measured on held-out problems, and data.test_problems is 0; ask for some.")
    model, tokenizer = load_policy(folder, torch.float32, label)
    if isinstance(tokenizer, ProcessorMixin):
        raise DataError(f"{label}: warmup is for policies of text, and this one takes images; leave warmup out.")
    shown = tokenised(settings, warmup, sampling["prompt"], tokenizer)

    def measure(step: int) -> float:
        model.eval()
        with torch.random.fork_rng():
            return accuracy(model, tokenizer, problems, sampling, warmup["seed"] + step, f"{label}, step {step}")

    until = _Until(measure, warmup)
    arguments = {**warmup_arguments(warmup, warmup["seed"], workdir), "lr_scheduler_type": "constant_with_warmup"}
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            **arguments,
            bf16=False,
            gradient_checkpointing=False,
            max_length=None,
            dataset_kwargs={"skip_prepare_dataset": True},
        ),
        train_dataset=shown,
        processing_class=tokenizer,
        callbacks=[Report(Progress(label, warmup["steps"])), until],
    )
    trainer.remove_callback(PrinterCallback)
    if not until.reached(0):
        trainer.train()
    trainer.state.log_history = sorted(trainer.state.log_history + until.measured, key=lambda entry: entry["step"])
    return trainer


def tokenised(
    settings: BaseSettings, warmup: dict[str, Any], prompt: dict[str, Any], tokenizer: PreTrainedTokenizerBase
) -> Dataset:
    """The demonstrations as tokens, behind the same prompts as in training; the loss counts on the responses alone.

    Args:
        settings: of the ``base`` stage.
        warmup: the configuration's ``policies.<name>.warmup``.
        prompt: the configuration's ``prompt``.
        tokenizer: of the policy; its end-of-text token ends every response.
    """
    assert settings.data is not None
    task, data = TASKS[settings.task], settings.data.recorded()
    assert task.demonstrations is not None
    own = {"digits": settings.digits, "instruction": data["instruction"], **data.get(task.key, {})}
    pairs = task.demonstrations(own, warmup, f"demonstrations/{warmup['seed']}")
    ids: dict[str, list[list[int]]] = {"input_ids": [], "labels": []}
    for _, (problem, response) in zip(range(warmup["demonstrations"]), pairs, strict=False):
        subset = "" if task.subset_of is None else task.subset_of(problem)
        asked = tokenizer(render(tokenizer, problem, prompt, subset))["input_ids"]
        answered = [*tokenizer(response, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        ids["input_ids"].append([*asked, *answered])
        ids["labels"].append([-100] * len(asked) + answered)
    return Dataset.from_dict(ids)


class _Until(TrainerCallback):
    """Measures the accuracy every so many steps, and ends the training where it is high enough."""

    def __init__(self, measure: Callable[[int], float], warmup: dict[str, Any]) -> None:
        self.measure, self.warmup = measure, warmup
        self.measured: list[dict[str, float]] = []

    def reached(self, step: int) -> bool:
        found, until = self.measure(step), self.warmup["until"]
        self.measured.append({"step": step, "accuracy": found})
        done = until is not None and found >= until
        logger.info("warm-up: sampled accuracy %.2f after %d steps%s", found, step, ", enough" if done else "")
        if until is not None and not done and step == self.warmup["steps"]:
            logger.warning("warm-up: the accuracy asked for, %.2f, is not reached in %d steps", until, step)
        return done

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        step = state.global_step
        if step % self.warmup["check_every"] == 0 or step == self.warmup["steps"]:
            control.should_training_stop |= self.reached(step)
        return control
