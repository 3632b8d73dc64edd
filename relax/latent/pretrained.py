"""Any causal language model of transformers: a folder, or a name in the local hub cache."""

from collections.abc import Sequence
from pathlib import Path

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from relax.data.processor import tokenizer_of
from relax.errors import DataError, MachineError
from relax.latent.rollouts import Rollout, load_policy


def find_model(name: str) -> Path:
    """The folder itself, or that of the hub's model in the local cache; no network is used.

    Raises:
        MachineError: there is neither; the sentence says how to get one.
    """
    if Path(name).is_dir():
        return Path(name)
    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError) as error:
        raise MachineError(
            f"{name}: neither a folder nor a model in the local hub cache; fetch it with "
            f"`huggingface-cli download {name}` (in newer versions `hf download`), or give the path of a folder."
        ) from error


def load_pretrained(name: str, folder: Path, dtype: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model, on the GPU where there is one, and tokenizer; code that comes with a model is never run.

    Args:
        name: for messages.
        folder: as :func:`find_model` gives it.
        dtype: of the weights: ``auto`` (that of the checkpoint), ``float32`` or ``bfloat16``.

    Raises:
        DataError: transformers cannot load it.
        MachineError: it does not fit into the GPU's memory.
    """
    try:
        model, processing = load_policy(folder, "auto" if dtype == "auto" else getattr(torch, dtype))
    except torch.OutOfMemoryError as error:
        raise MachineError(f"{name}: does not fit into the GPU's memory; try --dtype bfloat16.") from error
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"{name}: transformers cannot load it as a causal language model ({reason:.200}).") from error
    tokenizer = tokenizer_of(processing)
    if tokenizer.pad_token is None:
        # Padding is masked everywhere, so any token will do; many models come without one.
        if tokenizer.eos_token is None:
            raise DataError(f"{name}: its tokenizer has neither a padding nor an end-of-text token; add one to it.")
        tokenizer.pad_token = tokenizer.eos_token
    return model, tokenizer


def state_width(model: PreTrainedModel) -> int:
    """d, the width of the states that the language-model head reads."""
    return int(model.get_output_embeddings().weight.shape[1])


def context_of(model: PreTrainedModel) -> int | None:
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
    context = context_of(model)
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
    context = context_of(model)
    for rollout in rollouts:
        if not rollout.prompt_ids:
            raise DataError(f"response {rollout.id!r}: its prompt has no character in the vocabulary of {name}.")
        tokens = len(rollout.prompt_ids) + len(rollout.response_ids)
        if context is not None and tokens > context:
            raise DataError(
                f"response {rollout.id!r}: with its prompt it has {tokens} tokens, but the context of {name} has "
                f"{context}; leave it out or cut it."
            )
