"""The one place where a policy's folder becomes a model and a tokenizer, for every verb.

Weights come from safetensors files alone, code that lies beside them is never run, nothing is fetched.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    ProcessorMixin,
)

from relax.data.processor import load_processor, sees, tokenizer_of
from relax.errors import DataError, MachineError, RelaxError
from relax.files import refusal
from relax.models.folder import cannot_load, check_folder

#: A policy's tokenizer, or the processor of one that takes images.
Processing = PreTrainedTokenizerBase | ProcessorMixin
#: How the architectures of models with a language-model head are named.
HEADS = ("ForCausalLM", "LMHeadModel", "WithLMHead", "ForConditionalGeneration", "GenerationDecoder")


def load_policy(
    path: str | Path, dtype: torch.dtype | str = "auto", name: str | None = None
) -> tuple[PreTrainedModel, Processing]:
    """A policy folder's model, on the GPU where there is one, and its tokenizer, or processor if it takes images.

    Args:
        path: the folder.
        dtype: of the weights; ``"auto"`` is that of the checkpoint.
        name: for messages; the path where it is not given.

    Raises:
        DataError: the folder holds no policy that can be loaded; see :func:`relax.models.folder.check_folder`.
        MachineError: it does not fit into the GPU's memory.
    """
    name = name or str(path)
    model, processing = _open(path, name, dtype=dtype)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        model.to(device)  # type: ignore[arg-type]  # transformers' wrapper of this method hides its first argument
        return model.eval(), processing
    except torch.OutOfMemoryError as error:
        raise _too_large(name) from error


def check_policy(path: str | Path, name: str) -> None:
    """Refuse what :func:`load_policy` would refuse, and what could not be trained; weights are not read.

    Args:
        path: the folder.
        name: for messages.

    Raises:
        DataError: as :func:`load_policy`, or the tokenizer has no end-of-text token, or config.json no architecture.
    """
    model, processing = _open(path, name, device_map="meta")
    if not model.config.architectures:  # TRL makes its reference model by it
        raise cannot_load(name, "config.json names no architectures; add the class, such as Qwen2ForCausalLM")
    if tokenizer_of(processing).eos_token is None:
        raise cannot_load(name, "its tokenizer has no end-of-text token; set eos_token in tokenizer_config.json")


def load_processing(path: str | Path, name: str | None = None) -> Processing:
    """A policy's tokenizer, or processor if it takes images: padding on the left, and with a padding token.

    A tokenizer without one, as Llama's, pads with its end-of-text token, as TRL's trainer has it. That token still
    ends a response: what is padding is known from lengths, never from the token.

    Args:
        path: the folder.
        name: for messages; the path where it is not given.

    Raises:
        DataError: there is none, it cannot be read, or it has neither of the two tokens.
    """
    name = name or str(path)
    check_folder(path, name)
    with refused(name):
        if sees(path):
            processing: Processing = load_processor(path)
        else:
            processing = AutoTokenizer.from_pretrained(
                path, padding_side="left", trust_remote_code=False, local_files_only=True
            )
    tokenizer = tokenizer_of(processing)
    if not _vocabulary(tokenizer):
        raise cannot_load(name, "it has no tokenizer, or one without a vocabulary; fetch or copy its files again")
    if tokenizer.pad_token is None:
        if tokenizer.eos_token is None:
            raise DataError(f"{name}: its tokenizer has neither a padding nor an end-of-text token; add one to it.")
        tokenizer.pad_token = tokenizer.eos_token
    return processing


def end_tokens(model: PreTrainedModel, processing: Processing) -> list[int]:
    """Every token that ends a response, as TRL's trainer has it: the tokenizer's and those that the generation
    configuration names, such as an end of turn."""
    named = model.generation_config.eos_token_id
    ends = list(named) if isinstance(named, list | tuple) else [named]
    own = tokenizer_of(processing).eos_token_id
    return [end for end in ([] if own in ends else [own]) + ends if end is not None]


def check_tokens(model: PreTrainedModel, tokens: Tensor, what: str) -> None:
    """Refuse tokens that the model has no embedding of: special ones may be added to a tokenizer alone.

    Args:
        model: its embeddings count.
        tokens: of any shape.
        what: whose they are, for the message.

    Raises:
        DataError: names the token.
    """
    known = _embeddings(model)
    if tokens.numel() and (largest := int(tokens.max())) >= known:
        raise DataError(f"{what}: token {largest} is not among the {known} that the policy has embeddings of.")


def _open(path: str | Path, name: str, **how: Any) -> tuple[PreTrainedModel, Processing]:
    processing = load_processing(path, name)
    # Any: with output_loading_info it gives a pair, which its annotations do not say.
    kind: Any = AutoModelForImageTextToText if isinstance(processing, ProcessorMixin) else AutoModelForCausalLM
    with refused(name), no_report():
        model, found = kind.from_pretrained(
            path,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **how,
        )
    check_weights(model, found, name)
    _check_head(model, name)
    _check_vocabulary(model, tokenizer_of(processing), name)
    return model, processing


def check_weights(model: PreTrainedModel, found: dict[str, Any], name: str) -> None:
    """transformers would go on with random weights."""
    if found["missing_keys"]:
        missing = sorted(found["missing_keys"])
        raise cannot_load(name, f"{len(missing)} of its weights are in no file, {missing[0]} among them")
    if found["mismatched_keys"]:
        tensor, stored, wanted = sorted(found["mismatched_keys"])[0]
        raise cannot_load(
            name, f"config.json does not fit its weights: {tensor} is {tuple(stored)}, not {tuple(wanted)}"
        )


def _check_head(model: PreTrainedModel, name: str) -> None:
    architectures = model.config.architectures or []
    if getattr(model.config, "is_decoder", True) is False:
        raise cannot_load(name, f"{model.config.model_type} is an encoder here, which reads to both sides")
    if architectures and not any(architecture.endswith(HEADS) for architecture in architectures):
        raise cannot_load(name, f"config.json says that it is {architectures[0]}, which has no language-model head")


def _check_vocabulary(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str) -> None:
    known = _embeddings(model)
    used = _vocabulary(tokenizer)
    for token in (tokenizer.pad_token, tokenizer.eos_token):
        if token and isinstance(number := tokenizer.convert_tokens_to_ids(token), int):
            used[token] = number
    token, number = max(used.items(), key=lambda item: item[1])
    if number >= known:
        raise cannot_load(
            name, f"its tokenizer has token {number}, {token!r}, but its weights know {known} tokens, from 0 on"
        )


def _embeddings(model: PreTrainedModel) -> int:
    """Tokens that the weights know."""
    weight = model.get_input_embeddings().weight
    assert isinstance(weight, Tensor)
    return weight.shape[0]


def _vocabulary(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """Tokens of text; special ones, which a class of transformers adds by itself, are not among them."""
    added = tokenizer.added_tokens_encoder
    return {token: number for token, number in tokenizer.get_vocab().items() if token not in added}


def _too_large(name: str) -> MachineError:
    return MachineError(f"{name}: does not fit into the GPU's memory; load it in bfloat16, or take a larger GPU.")


@contextmanager
def refused(name: str) -> Iterator[None]:
    """What transformers raises for a folder, whatever it is, in one sentence."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise _too_large(name) from error
    except (RelaxError, MemoryError):
        raise
    except Exception as error:
        if refusal(error):  # a disk that says no, which is no fault of the folder's
            raise
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")
        raise cannot_load(name, f"{reason:.200}") from error


@contextmanager
def no_report() -> Iterator[None]:
    """Without transformers' table of weights that do not fit, as :func:`check_weights` says so in a sentence, and
    without its words on weights that are not shared out over devices, which no policy is here."""
    names = ("transformers.modeling_utils", "transformers.distributed.tensor_parallel")
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
