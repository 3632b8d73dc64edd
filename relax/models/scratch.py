"""A tiny Qwen2 policy from nothing: tokenizer, weights, supervised warm-up on noisy demonstrations."""

import random
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers import models as tokenizer_models
from transformers import PreTrainedTokenizerFast, PrinterCallback, Qwen2Config, Qwen2ForCausalLM, TrainerCallback
from trl import SFTConfig, SFTTrainer

from relax.data import noisy_sum
from relax.progress import Progress

#: Longest text, prompt and response together, that the model has positions for.
CONTEXT = 64


def make_tokenizer(alphabet: str) -> PreTrainedTokenizerFast:
    """One token a character, besides padding and end of text."""
    vocabulary = {token: i for i, token in enumerate(["<pad>", "<eos>", *alphabet])}
    tokenizer = Tokenizer(tokenizer_models.WordLevel(vocabulary))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", model_max_length=CONTEXT
    )


def make_model(settings: dict[str, Any], tokenizer: PreTrainedTokenizerFast) -> Qwen2ForCausalLM:
    """A Qwen2 model with random weights.

    Args:
        settings: the configuration's ``policies.<name>.scratch``.
        tokenizer: gives the vocabulary and the special tokens.
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
            max_position_embeddings=CONTEXT,
            tie_word_embeddings=False,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
        )
    )


def demonstrations(settings: dict[str, Any], digits: int, tokenizer: PreTrainedTokenizerFast) -> Dataset:
    """Tokenised demonstrations whose loss counts on the response alone."""
    warmup, seed = settings["warmup"], settings["seed"]
    rng = random.Random(f"demonstrations/{seed}")
    prompts = noisy_sum.random_digits("train", digits, f"demonstrations/{seed}")
    ids: dict[str, list[list[int]]] = {"input_ids": [], "labels": []}
    for _, text in zip(range(warmup["demonstrations"]), prompts, strict=False):
        prompt = tokenizer.convert_tokens_to_ids(list(text + ":"))
        response = noisy_sum.demonstrate(text, rng, warmup["error_rate"])
        response_ids = [*tokenizer.convert_tokens_to_ids(list(response)), tokenizer.eos_token_id]
        ids["input_ids"].append(prompt + response_ids)
        ids["labels"].append([-100] * len(prompt) + response_ids)
    return Dataset.from_dict(ids)


class Report(TrainerCallback):
    """Progress lines of a warm-up."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def on_log(self, args, state, control, logs=None, **kwargs):
        if logs and "loss" in logs:
            self.progress.update(state.global_step, loss=float(logs["loss"]))


def warm_up(settings: dict[str, Any], digits: int, workdir: str | Path, label: str) -> SFTTrainer:
    """Train a fresh model on demonstrations; the trainer returned holds the model and the log.

    Args:
        settings: the configuration's ``policies.<name>.scratch``.
        digits: of the noisy-sum problems.
        workdir: for the trainer's own files; nothing of it is kept.
        label: for the progress lines.
    """
    tokenizer = make_tokenizer(noisy_sum.ALPHABET)
    model, warmup = make_model(settings, tokenizer), settings["warmup"]
    arguments = SFTConfig(
        output_dir=str(workdir),
        max_steps=warmup["steps"],
        per_device_train_batch_size=warmup["batch_size"],
        learning_rate=warmup["learning_rate"],
        lr_scheduler_type="cosine",
        warmup_steps=min(50, warmup["steps"] // 10),
        adam_beta2=0.98,
        weight_decay=0.01,
        seed=settings["seed"],
        logging_steps=max(1, warmup["steps"] // 50),
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
    trainer = SFTTrainer(
        model=model,
        args=arguments,
        train_dataset=demonstrations(settings, digits, tokenizer),
        processing_class=tokenizer,
        callbacks=[Report(Progress(label, warmup["steps"]))],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return trainer
