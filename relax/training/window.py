"""Whether prompts, with the longest response, fit into a policy's window; asked before training.

Beyond its window a policy has no positions, or none that it has learned, and neither TRL nor a model says so.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow.compute as pc
from datasets import Dataset
from trl.data_utils import prepare_multimodal_messages

from relax.errors import ConfigError
from relax.training.pictures import ROW

#: Prompts that are tokenized at once.
CHUNK = 1000

Tokenize = Callable[[list[Any]], tuple[list[list[int]], Any, Any]]


def window_of(config: Any) -> int | None:
    """Positions of a policy; None where its configuration names no limit, such as those of recurrent models.

    Rotary positions that are stretched by a factor reach that much further; some configurations have it in
    ``max_position_embeddings`` already, others have not, and the longer reading counts.
    """
    text = config.get_text_config()
    window = getattr(text, "max_position_embeddings", None)
    if not isinstance(window, int) or window < 1:
        return None
    ropes = getattr(text, "rope_parameters", None) or {}
    for rope in (ropes, *ropes.values()):  # one for all layers, or one for each kind of layer
        if isinstance(rope, dict) and rope.get("factor"):
            window = max(window, int(rope["factor"] * (rope.get("original_max_position_embeddings") or window)))
    return window


def check_window(sets: dict[str, Any], config: Any, response: int | None, tokenize: Tokenize, processing: Any) -> None:
    """Refuse a data set with a prompt that leaves too little of the window for a response.

    A prompt has no more tokens than bytes, so that only those are tokenized that could be too long. Streams are not
    looked at, nor is a data set that names no prompts.

    Args:
        sets: name -> data set, or several by their names; prompts are texts or messages, with images or without.
        config: of the policy.
        response: tokens of the longest response.
        tokenize: prompts to (tokens, ..., ...) as the trainer does it before a generation.
        processing: the policy's tokenizer or processor.

    Raises:
        ConfigError: names the row with the longest prompt.
    """
    window = window_of(config)
    if window is None or response is None:
        return
    for name, dataset in sets.items():
        if isinstance(dataset, dict):
            check_window(
                {f"{name} {key}": value for key, value in dataset.items()}, config, response, tokenize, processing
            )
        elif isinstance(dataset, Dataset) and "prompt" in dataset.column_names and len(dataset):
            suspects = _suspects(dataset, window - response, _tokens(dataset, [0], tokenize)[0], processing)
            counts = _tokens(dataset, suspects, tokenize)
            if suspects and max(counts) + response > window:
                tokens, row = max(zip(counts, suspects, strict=True), key=lambda pair: pair[0])  # the first of them
                raise ConfigError(
                    f"row {row} of the {name} set: {tokens} prompt tokens and {response} of a response do not fit "
                    f"into the policy's window of {window}; lower max_completion_length "
                    "(training.max_response_length), take the row out, or take a policy with a longer window."
                )


def engine_window(dataset: Dataset, response: int | None, tokenize: Callable[[list[str]], Any]) -> int | None:
    """Tokens of the longest prompt with its response. vLLM keeps room for that many, and without a number for the
    policy's whole window, which may be 131,072 tokens. None for prompts with images, whose tokens are not counted here.

    Args:
        dataset: of ``prompt``, as texts.
        response: tokens of the longest response.
        tokenize: the tokenizer.
    """
    if response is None or "images" in dataset.column_names:
        return None
    texts = dataset["prompt"]
    parts = (texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK))
    return response + max(len(tokens) for part in parts for tokens in tokenize(part)["input_ids"])


def _suspects(dataset: Dataset, room: int, first: int, processing: Any) -> list[int]:
    """Rows whose prompts could have more tokens than there is room; the first row's many stand for the template."""
    if dataset.format["type"] == "custom" and ROW not in dataset.column_names:
        return list(range(len(dataset)))  # what its transform makes of a row cannot be told from the row
    pictures = [name for name in ("image", "images") if name in dataset.column_names]
    largest = _largest_image(processing) if pictures else 0
    found, row = [], 0
    for table in dataset.select_columns(["prompt", *pictures]).with_format("arrow").iter(CHUNK):
        images = [0] * len(table)
        for name in pictures:
            column = table.column(name)
            images = (pc.list_value_length(column) if name == "images" else pc.is_valid(column)).to_pylist()
        for prompt, count in zip(table.column("prompt").to_pylist(), images, strict=True):
            turns = 1 if isinstance(prompt, str) else len(prompt)
            if _bytes(prompt) + first * turns + (count * largest if count else 0) > room:
                found.append(row)
            row += 1
    return found


def _bytes(prompt: Any) -> int:
    """Of all texts in a prompt."""
    if isinstance(prompt, str):
        return len(prompt.encode("utf-8", "replace"))
    parts = prompt.values() if isinstance(prompt, dict) else prompt if isinstance(prompt, list) else ()
    return sum(map(_bytes, parts))


def _largest_image(processing: Any) -> float:
    """Tokens of an image that is larger than any; infinite where the processor does not tell."""
    if not hasattr(processing, "_get_num_multimodal_tokens"):
        return float("inf")
    counted = processing._get_num_multimodal_tokens(image_sizes=[(20_000, 20_000)])
    return 1.1 * counted.num_image_tokens[0]  # the limit is one of pixels, rounded otherwise for other shapes


def _tokens(dataset: Dataset, rows: Sequence[int], tokenize: Tokenize) -> list[int]:
    """Tokens of the prompts of these rows, as many as the policy reads."""
    return [len(tokens) for prompts in _prompts(dataset, rows) for tokens in tokenize(prompts)[0]]


def _prompts(dataset: Dataset, rows: Sequence[int]) -> Iterator[list[Any]]:
    """In order; those with images one by one, since all images of a call are held at once."""
    waiting: list[Any] = []
    for number in rows:
        row = dataset[number]
        images = row.get("images") or ([row["image"]] if row.get("image") is not None else [])
        if images:
            yield from [waiting] if waiting else []
            yield [prepare_multimodal_messages(row["prompt"], images=images)]
            waiting = []
            continue
        waiting.append(row["prompt"])
        if len(waiting) == CHUNK:
            yield waiting
            waiting = []
    yield from [waiting] if waiting else []
