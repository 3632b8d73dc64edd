"""A tiny Qwen2.5-VL policy from nothing: tokenizer, image processor, weights, warm-up on rendered problems."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers import models as tokenizer_models
from torch.utils.data import Dataset
from transformers import (
    PreTrainedTokenizerFast,
    PrinterCallback,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Trainer,
    TrainingArguments,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from relax.data.processor import ImageTextProcessor
from relax.data.prompt import conversation
from relax.models.scratch import Report, warmup_arguments
from relax.progress import Progress
from relax.tasks.task import Task

#: Longest sequence, image tokens included, that the model has positions for.
CONTEXT = 512
#: Patches along each edge that become one token, as in Qwen2.5-VL.
MERGE = 2
SPECIAL = ("<pad>", "<eos>", "<unk>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
#: A word with the blank before it, the opening of a box, or a single sign.
PIECES = r"\\boxed\{| ?[A-Za-z]+|[\s\S]"
#: Images where they stand, text as it is; no words of a system or of roles, which a model this small has no use for.
TEMPLATE = (
    "{% for message in messages %}{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '\n' }}{% endif %}"
)


def make_processor(settings: dict[str, Any], texts: Iterator[str]) -> ImageTextProcessor:
    """A tokenizer of a task's words and signs, and Qwen's image processor at the size of its pictures.

    Args:
        settings: the configuration's ``policies.<name>.scratch.vision``.
        texts: hold every word and sign, as a task's ``texts``.
    """
    splitter = pre_tokenizers.Split(Regex(PIECES), "isolated")
    words = {piece for text in texts for piece, _ in splitter.pre_tokenize_str(text)}
    vocabulary = {token: i for i, token in enumerate([*SPECIAL, *sorted(words | set("0123456789\n"))])}
    tokenizer = Tokenizer(tokenizer_models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.Fuse()
    vision = {name: f"<|{name}|>" for name in ("vision_start", "vision_end", "image_pad", "video_pad")}
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<eos>",
        unk_token="<unk>",
        padding_side="left",
        model_max_length=CONTEXT,
        extra_special_tokens={f"{name}_token": token for name, token in vision.items()},
    )
    side = settings["patch_size"] * MERGE
    images = Qwen2VLImageProcessorPil(
        patch_size=settings["patch_size"],
        merge_size=MERGE,
        temporal_patch_size=1,
        size={"shortest_edge": side * side, "longest_edge": settings["max_pixels"]},
    )
    return ImageTextProcessor(images, fast, chat_template=TEMPLATE)


def make_vision_model(settings: dict[str, Any], processor: ImageTextProcessor) -> Qwen2_5_VLForConditionalGeneration:
    """A Qwen2.5-VL model with random weights.

    Args:
        settings: the configuration's ``policies.<name>.scratch``, with its ``vision``.
        processor: gives the vocabulary and the special tokens.
    """
    vision, tokenizer = settings["vision"], processor.tokenizer
    torch.manual_seed(settings["seed"])
    ids = dict(zip(SPECIAL, tokenizer.convert_tokens_to_ids(list(SPECIAL)), strict=True))
    # Of the text and of the whole.
    special: dict[str, Any] = {"bos_token_id": None, "eos_token_id": ids["<eos>"], "pad_token_id": ids["<pad>"]}
    half = settings["hidden_size"] // settings["heads"] // 2  # rotary frequencies: of time, height and width
    time = half // 4
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": settings["hidden_size"],
        "num_hidden_layers": settings["layers"],
        "num_attention_heads": settings["heads"],
        "num_key_value_heads": settings["key_value_heads"],
        "intermediate_size": settings["intermediate_size"],
        "initializer_range": settings["initializer_range"],
        "max_position_embeddings": CONTEXT,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": settings["rope_theta"],
            "mrope_section": [time, (half - time) // 2, half - time - (half - time) // 2],
        },
        **special,
    }
    eyes = {
        "depth": vision["layers"],
        "hidden_size": vision["hidden_size"],
        "num_heads": vision["heads"],
        "intermediate_size": vision["intermediate_size"],
        "out_hidden_size": settings["hidden_size"],
        "patch_size": vision["patch_size"],
        "temporal_patch_size": 1,
        "spatial_merge_size": MERGE,
        "window_size": 4 * MERGE * vision["patch_size"],
        "fullatt_block_indexes": list(range(vision["layers"])),
        "initializer_range": settings["initializer_range"],
    }
    return Qwen2_5_VLForConditionalGeneration(
        Qwen2_5_VLConfig(
            text_config=text,
            vision_config=eyes,
            image_token_id=ids["<|image_pad|>"],
            video_token_id=ids["<|video_pad|>"],
            vision_start_token_id=ids["<|vision_start|>"],
            vision_end_token_id=ids["<|vision_end|>"],
            tie_word_embeddings=False,
            **special,
        )
    )


class Demonstrations(Dataset[dict[str, Any]]):
    """Problems with pictures and worked solutions, some with a wrong step; pictures are drawn when they are asked for.

    Args:
        task: whose demonstrations.
        own: its settings.
        stage: the configuration's ``policies.<name>.scratch.warmup``, or its ``second_stage``.
        seed: of the problems and of what is wrong in their solutions.
    """

    def __init__(self, task: Task, own: dict[str, Any], stage: dict[str, Any], seed: str) -> None:
        assert task.drawn is not None
        drawn = task.drawn(own, stage, seed)
        self.rows = [row for _, row in zip(range(stage["demonstrations"]), drawn, strict=False)]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        prompt, solution, picture = self.rows[index]
        return {"prompt": prompt, "image": picture(), "solution": solution}


class Collator:
    """Demonstrations as a batch whose loss counts on the solutions alone."""

    def __init__(self, processor: ImageTextProcessor) -> None:
        self.processor = processor

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        prompts = [
            self.processor.apply_chat_template(conversation(row["prompt"], 1), add_generation_prompt=True)
            for row in rows
        ]
        texts = [prompt + row["solution"] + "<eos>" for prompt, row in zip(prompts, rows, strict=True)]
        batch = self.processor(
            images=[[row["image"]] for row in rows], text=texts, padding=True, padding_side="right", return_tensors="pt"
        )
        labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        solutions = self.processor.tokenizer([row["solution"] for row in rows])["input_ids"]
        for label, solution, mask in zip(labels, solutions, batch["attention_mask"], strict=True):
            label[: int(mask.sum()) - len(solution) - 1] = -100
        return {**batch, "labels": labels}


def warm_up_vision(
    settings: dict[str, Any], task: Task, own: dict[str, Any], workdir: str | Path, label: str
) -> Trainer:
    """Train a fresh model on demonstrations; the trainer returned holds the model and the log of all stages.

    Args:
        settings: the configuration's ``policies.<name>.scratch``.
        task: whose demonstrations.
        own: its settings.
        workdir: for the trainer's own files; nothing of it is kept.
        label: for the progress lines.
    """
    assert task.texts is not None
    processor = make_processor(settings["vision"], task.texts())
    model, seed, warmup = make_vision_model(settings, processor), settings["seed"], settings["warmup"]
    data = Demonstrations(task, own, warmup, f"demonstrations/{seed}")
    trainer = _train(model, processor, warmup, seed, data, workdir, label)
    if (stage := warmup.get("second_stage")) is not None:
        before = trainer.state.log_history
        more = Demonstrations(task, own, stage, f"demonstrations/{seed}/second-stage")
        trainer = _train(model, processor, stage, seed, more, workdir, f"{label}, second stage")
        after = [{**entry, "step": entry["step"] + warmup["steps"]} for entry in trainer.state.log_history]
        trainer.state.log_history = before + after
    return trainer


def _train(
    model: Qwen2_5_VLForConditionalGeneration,
    processor: ImageTextProcessor,
    stage: dict[str, Any],
    seed: int,
    data: Demonstrations,
    workdir: str | Path,
    label: str,
) -> Trainer:
    arguments = TrainingArguments(
        **warmup_arguments(stage, seed, workdir), max_grad_norm=1.0, remove_unused_columns=False
    )
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=data,
        data_collator=Collator(processor),
        processing_class=processor,
        callbacks=[Report(Progress(label, stage["steps"]))],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return trainer
