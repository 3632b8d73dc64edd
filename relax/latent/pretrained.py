"""Any causal language model of transformers: a folder, a GGUF file, or a name in the local hub cache."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from relax.data.hub_cache import cached
from relax.data.processor import tokenizer_of
from relax.errors import DataError, MachineError
from relax.latent.rollouts import Rollout
from relax.models.folder import is_gguf, not_a_folder
from relax.models.policy import load_policy


def find_model(name: str) -> Path:
    """The folder or GGUF file itself, or the folder of the hub's model in the local cache; no network is used.

    Raises:
        DataError: it is a file of another kind.
        MachineError: there is neither; the sentence says how to get one.
    """
    path = Path(name)
    if path.is_dir() or (path.is_file() and is_gguf(path)):
        return path
    if path.is_file():
        raise not_a_folder(path)
    if (folder := cached(name)) is not None:
        return folder
    if is_gguf(path):
        raise DataError(f"{path}: no such file; give the path of a GGUF file, or of a folder.")
    if name.startswith((".", "/", "~")) or name.count("/") != 1:  # no name that the hub could have
        raise MachineError(
            f"{name}: no such folder, and no model in the local hub cache; give the path of a folder, or a name "
            "such as owner/model."
        )
    raise MachineError(
        f"{name}: neither a folder nor a model in the local hub cache; fetch it with "
        f"`huggingface-cli download {name}` (in newer versions `hf download`), or give the path of a folder."
    )


def load_pretrained(name: str, folder: Path, dtype: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model, on the GPU where there is one, and tokenizer; code that comes with a model is never run.

    Args:
        name: for messages.
        folder: as :func:`find_model` gives it. A GGUF file is dequantised for the time of loading.
        dtype: of the weights: ``auto`` (that of the checkpoint), ``float32`` or ``bfloat16``.

    Raises:
        DataError: transformers cannot load it.
        MachineError: it does not fit into the GPU's memory.
    """
    if folder.is_file():
        from relax.models.gguf import convert

        with tempfile.TemporaryDirectory() as place:
            convert(folder, Path(place) / "model")
            return load_pretrained(name, Path(place) / "model", dtype)
    model, processing = load_policy(folder, "auto" if dtype == "auto" else getattr(torch, dtype), name)
    return model, tokenizer_of(processing)


def state_width(model: PreTrainedModel) -> int:
    """d, the width of the states that the language-model head reads."""
    return int(model.get_output_embeddings().weight.shape[1])


def longest_sequence(model: PreTrainedModel) -> int | None:
    """Most tokens a sequence may have; None where the model sets no limit."""
    # Models without learned or rotary positions (state space, ALiBi) have no such entry.
    return getattr(model.config.get_text_config(), "max_position_embeddings", None)


def room_for_response(name: str, model: PreTrainedModel, prompts: Sequence[tuple[str, int]], wanted: int) -> int:
    """How many tokens a response may have: ``wanted``, or what the longest prompt leaves of the context.

    Args:
        name: of the model, for messages.
        model: it knows its context.
        prompts: id and number of tokens of each.
        wanted: tokens asked for.

    Raises:
        DataError: a prompt has no token this model knows, or leaves no room for two tokens.
    """
    for prompt, tokens in prompts:
        if tokens == 0:
            raise DataError(f"prompt {prompt!r}: none of its characters is in the vocabulary of {name}.")
    context = longest_sequence(model)
    if context is None:
        return wanted
    prompt, longest = max(prompts, key=lambda pair: pair[1])
    if context - longest < 2:
        raise DataError(f"prompt {prompt!r}: its {longest} tokens leave no room in the context of {context} of {name}.")
    return min(wanted, context - longest)


def check_context(name: str, model: PreTrainedModel, rollouts: Sequence[Rollout]) -> None:
    """Refuse given responses that this model cannot read.

    Raises:
        DataError: one does not fit into the context, or its prompt has no token this model knows.
    """
    context = longest_sequence(model)
    for rollout in rollouts:
        if not rollout.prompt_ids:
            raise DataError(f"response {rollout.id!r}: its prompt has no character in the vocabulary of {name}.")
        tokens = len(rollout.prompt_ids) + len(rollout.response_ids)
        if context is not None and tokens > context:
            raise DataError(
                f"response {rollout.id!r}: with its prompt it has {tokens} tokens, but the context of {name} has "
                f"{context}; leave it out or cut it."
            )
