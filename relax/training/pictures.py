"""Images beside the rollouts: a batch holds the number of each row, and the pixels are made anew where they are used.

TRL puts the pixel values of all rollouts of a generation into its batch, R times those of a prompt, and keeps them
until the last micro-batch has been trained on. Here they are dropped as soon as TRL hands the batch over. What a
micro-batch needs is made from its rows: the image from the data set by the row's number, the kinds of its tokens from
the tokens themselves. So whatever shuffles, splits, drops or joins rows cannot part a response from its image, and a
checkpoint holds no image.
"""

from collections.abc import Sequence
from typing import Any

import torch
from datasets import Dataset
from transformers import ProcessorMixin

from relax.data.processor import forbidden_tokens, image_inputs, pictures
from relax.data.prompt import check_shots, conversation, render
from relax.tasks.problem import Problem
from relax.training.dynamic_sampling import Batch
from relax.training.relax_config import ReLaXConfig

#: Number of a row in the data set; a column of the data set and of the batches.
ROW = "relax_row"
#: What is made anew for each micro-batch.
FOLLOWS = ("pixel_values", "image_grid_thw", "num_images", "mm_token_type_ids")
#: What processors of other families add, which stays in TRL's batch with all the above.
OTHERS = ("pixel_attention_mask", "spatial_shapes", "num_tiles", "image_sizes", "token_type_ids", "image_position_ids")


def training_set(problems: Sequence[Problem], processing: Any, settings: dict[str, Any]) -> Dataset:
    """Problems as a trainer takes them; images are decoded when a row is asked for.

    Args:
        problems: of text, or with images.
        processing: the policy's tokenizer, or the processor of one that sees.
        settings: the configuration's ``prompt``.

    Raises:
        ConfigError: problems with images and no chat template.
    """
    rows = [{"problem": p.prompt, "answer": p.answer, "source": p.source} for p in problems]
    check_shots(settings, (p.subset for p in problems))
    if not any(p.images for p in problems):
        return Dataset.from_list(
            [
                {"prompt": render(processing, p.prompt, settings, p.subset), **row}
                for p, row in zip(problems, rows, strict=True)
            ]
        )
    conversation(problems[0].prompt, len(problems[0].images), settings)  # what is wrong with the settings is said now
    shown = [
        {"prompt": p.prompt, **row, "images": list(p.images), "subset": p.subset, ROW: number}
        for number, (p, row) in enumerate(zip(problems, rows, strict=True))
    ]

    def opened(columns: dict[str, list]) -> dict[str, list]:
        columns = dict(columns)
        if "prompt" in columns and "images" in columns:
            columns["prompt"] = [
                conversation(text, len(paths), settings, subset)
                for text, paths, subset in zip(columns["prompt"], columns["images"], columns["subset"], strict=True)
            ]
        if "images" in columns:
            columns["images"] = [pictures(paths) for paths in columns["images"]]
        return columns

    return Dataset.from_list(shown).with_transform(opened)


def forbid_image_tokens(args: ReLaXConfig, processing: Any) -> None:
    """Keep a policy that sees from writing tokens of images, in place; TRL forbids one of them, and to vLLM none."""
    forbidden = forbidden_tokens(processing)
    if not forbidden:
        return
    vllm = {"logit_bias": {str(token): -100.0 for token in forbidden}}
    rule = vllm if args.use_vllm else {"suppress_tokens": forbidden}
    args.generation_kwargs = {**rule, **(args.generation_kwargs or {})}


def numbered(dataset: Any, processing: Any) -> Any:
    """The data set with its rows numbered, if it has images and the policy sees; a stream stays as it is."""
    if not isinstance(processing, ProcessorMixin) or not isinstance(dataset, Dataset):
        return dataset
    if ROW in dataset.column_names or not {"image", "images"} & set(dataset.column_names):
        return dataset
    return dataset.add_column(ROW, list(range(len(dataset))))


class Pictures:
    """Takes the images out of generation batches and gives them back to micro-batches.

    Args:
        dataset: of the training, numbered.
        processing: a policy's tokenizer, for which nothing happens here, or its processor.
    """

    def __init__(self, dataset: Any, processing: Any) -> None:
        self.dataset, self.processing = dataset, processing

    def drop(self, batch: Batch, inputs: Sequence[dict[str, Any]]) -> None:
        """Take the images out of TRL's generation batch, in place, where they can be made again.

        Args:
            batch: rows as in ``inputs``.
            inputs: rows of the data set, one a response.
        """
        if "pixel_values" not in batch or ROW not in inputs[0] or any(name in batch for name in OTHERS):
            return
        for name in FOLLOWS:
            batch.pop(name, None)
        batch[ROW] = torch.tensor([row[ROW] for row in inputs], device=batch["prompt_ids"].device)

    @staticmethod
    def there(batch: Batch) -> bool:
        """Whether a batch has images, made anew or TRL's own."""
        return ROW in batch or Pictures.stay(batch)

    @staticmethod
    def stay(batch: Batch) -> bool:
        """Whether images are in a batch, whose rows are then not to be parted."""
        return any(name in batch for name in (*FOLLOWS, *OTHERS))

    def of(self, batch: Batch) -> dict[str, Any]:
        """What the model takes beside the tokens of a micro-batch.

        Args:
            batch: rows of a generation batch, ``prompt_ids`` (B, P) and ``completion_ids`` (B, C).
        """
        if ROW not in batch:
            return {name: batch[name] for name in (*FOLLOWS, *OTHERS) if name in batch}
        images = [self._images(row) for row in batch[ROW].tolist()]
        tokens = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
        inputs = image_inputs(self.processing, images, tokens)
        return {**inputs, "num_images": [len(row) for row in images]} if inputs else {}

    def _images(self, row: int) -> list[Any]:
        found = self.dataset[row]
        images = found["images"] if "images" in found else [found["image"]]
        return [image for image in images or [] if image is not None]
