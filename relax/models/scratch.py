"""A tiny Qwen2 policy from nothing: tokenizer, weights, supervised warm-up on noisy demonstrations."""

from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers import models as tokenizer_models
from transformers import (
    PreTrainedTokenizerFast,
    PrinterCallback,
    Qwen2Config,
    Qwen2ForCausalLM,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from trl import SFTConfig, SFTTrainer

from relax.progress import Progress
from relax.tasks.task import CONTEXT, Task


def make_tokenizer(alphabet: str, context: int = CONTEXT) -> PreTrainedTokenizerFast:
    """One token a character, besides padding and end of text; ``context`` is the longest text."""
    vocabulary = {token: i for i, token in enumerate(["<pad>", "<eos>", *alphabet])}
    tokenizer = Tokenizer(tokenizer_models.WordLevel(vocabulary))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", model_max_length=context
    )


def make_text_model(
    settings: dict[str, Any], tokenizer: PreTrainedTokenizerFast, context: int = CONTEXT
) -> Qwen2ForCausalLM:
    """A Qwen2 model with random weights.

    Args:
        settings: the configuration's ``policies.<name>.scratch``.
        tokenizer: gives the vocabulary and the special tokens.
        context: positions.
    """
    torch.manual_seed(settings["seed"])
    return Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=settings["hidden_size"],
            num_hidden_layers=settings["layers"],
            num_attention_heads=settings["heads"],
            num_key_value_heads=settings["key_value_heads"],
            intermediate_size=settings["intermediate_size"],
            initializer_range=settings["initializer_range"],
            rope_parameters={"rope_type": "default", "rope_theta": settings["rope_theta"]},
            max_position_embeddings=context,
            tie_word_embeddings=False,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
        )
    )


def tokenised(
    task: Task, own: dict[str, Any], stage: dict[str, Any], seed: str, tokenizer: PreTrainedTokenizerFast
) -> Dataset:
    """A task's demonstrations as tokens; the loss counts on the response alone.

    Args:
        task: whose demonstrations.
        own: its settings, and ``digits``.
        stage: ``warmup`` or its ``second_stage``.
        seed: of the demonstrations.
        tokenizer: of the policy.
    """
    assert task.demonstrations is not None
    shown, vocabulary = task.demonstrations(own, stage, seed), tokenizer.get_vocab()
    ids: dict[str, list[list[int]]] = {"input_ids": [], "labels": []}
    for _, (text, response) in zip(range(stage["demonstrations"]), shown, strict=False):
        prompt = [vocabulary[character] for character in text]
        response_ids = [*(vocabulary[character] for character in response), vocabulary["<eos>"]]
        ids["input_ids"].append(prompt + response_ids)
        ids["labels"].append([-100] * len(prompt) + response_ids)
    return Dataset.from_dict(ids)


class Report(TrainerCallback):
    """Progress lines of a warm-up."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        if logs and "loss" in logs:
            self.progress.update(state.global_step, loss=float(logs["loss"]))


def warmup_arguments(warmup: dict[str, Any], seed: int, workdir: str | Path) -> dict[str, Any]:
    """What every warm-up sets of transformers' ``TrainingArguments``.

    Args:
        warmup: the configuration's ``policies.<name>.scratch.warmup``, or its ``second_stage``.
        seed: of the order of the demonstrations.
        workdir: for the trainer's own files.
    """
    return {
        "output_dir": str(workdir),
        "max_steps": warmup["steps"],
        "per_device_train_batch_size": warmup["batch_size"],
        "learning_rate": warmup["learning_rate"],
        "lr_scheduler_type": "cosine",
        "warmup_steps": min(50, warmup["steps"] // 10),
        "adam_beta2": 0.98,
        "weight_decay": 0.01,
        "seed": seed,
        "logging_steps": max(1, warmup["steps"] // 50),
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": not torch.cuda.is_available(),
    }


def warm_up_text(
    settings: dict[str, Any], task: Task, own: dict[str, Any], workdir: str | Path, label: str
) -> SFTTrainer:
    """Train a fresh model on demonstrations; the trainer returned holds the model and the log of all stages.

    Args:
        settings: the configuration's ``policies.<name>.scratch``.
        task: whose demonstrations.
        own: its settings, and ``digits``.
        workdir: for the trainer's own files; nothing of it is kept.
        label: for the progress lines.
    """
    context, seed, warmup = task.context(own), settings["seed"], settings["warmup"]
    tokenizer = make_tokenizer(task.alphabet, context)
    model = make_text_model(settings, tokenizer, context)
    first = tokenised(task, own, warmup, f"demonstrations/{seed}", tokenizer)
    trainer = _train(model, tokenizer, warmup, seed, first, workdir, label)
    if (stage := warmup.get("second_stage")) is not None:
        before = trainer.state.log_history
        more = tokenised(task, own, stage, f"demonstrations/{seed}/second-stage", tokenizer)
        trainer = _train(model, tokenizer, stage, seed, more, workdir, f"{label}, second stage")
        after = [{**entry, "step": entry["step"] + warmup["steps"]} for entry in trainer.state.log_history]
        trainer.state.log_history = before + after
    return trainer


def _train(
    model: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    warmup: dict[str, Any],
    seed: int,
    data: Dataset,
    workdir: str | Path,
    label: str,
) -> SFTTrainer:
    arguments = SFTConfig(
        **warmup_arguments(warmup, seed, workdir),
        bf16=False,
        gradient_checkpointing=False,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
    trainer = SFTTrainer(
        model=model,
        args=arguments,
        train_dataset=data,
        processing_class=tokenizer,
        callbacks=[Report(Progress(label, warmup["steps"]))],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return trainer
