"""A loop for transformers' ``generate`` that reads a prompt once for all its responses, and ended responses no more."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessorList, PreTrainedModel, StoppingCriteriaList
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer
from transformers.generation import GenerationMode
from transformers.integrations import is_deepspeed_zero3_enabled

#: What a call of ``generate`` may name beside settings of generation; pictures, streamers and helpers are more.
KNOWN = {"input_ids", "attention_mask", "generation_config", "logits_processor", "stopping_criteria"}
#: Settings of generation that need a loop of their own, or one more output than the tokens.
OTHERS = (
    "cache_implementation", "prefill_chunk_size", "return_dict_in_generate", "watermarking_config", "guidance_scale",
)  # fmt: skip
#: Rows leave the batch once no more than this share of its rows is still being written: leaving copies the cache.
LEAVE_AT = 0.9


def loop_for(model: PreTrainedModel, asked: Mapping[str, Any]) -> Callable[..., Tensor] | None:
    """:func:`decode` where it does what transformers' own loop would do, else None, which means that loop.

    ``model.generate(**asked, custom_generate=loop_for(model, asked))`` returns the tokens of
    ``model.generate(**asked)``. The loop is for models of text that only decode, which answer greedily or by sampling
    and return the tokens alone. Beams, helpers, pictures, static caches and weights that several processes share out
    (whose forward passes have to be as many in each) are left to transformers.

    Args:
        model: the policy.
        asked: the arguments of ``generate``.
    """
    config = copy.deepcopy(model.generation_config)
    given = asked.get("generation_config")
    for settings in (vars(given) if given is not None else {}, asked):
        for name, value in settings.items():
            if hasattr(config, name) and value is not None:
                setattr(config, name, value)
    fits = (
        all(name in KNOWN or hasattr(config, name) for name in asked)
        and config.get_generation_mode() in (GenerationMode.GREEDY_SEARCH, GenerationMode.SAMPLE)
        and config.use_cache is not False
        and not any(getattr(config, name, None) for name in OTHERS)
        and not model.config.is_encoder_decoder
        and model.config.get_text_config() is model.config
        and not _shared_out(model)
    )
    return decode if fits else None


def _shared_out(model: PreTrainedModel) -> bool:
    """Whether several processes hold parts of the weights."""
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return False
    from torch.distributed.fsdp import FSDPModule, FullyShardedDataParallel

    return is_deepspeed_zero3_enabled() or any(
        isinstance(module, FSDPModule | FullyShardedDataParallel) for module in model.modules()
    )


@torch.no_grad()
def decode(
    model: Any,
    input_ids: Tensor,
    logits_processor: LogitsProcessorList,
    stopping_criteria: StoppingCriteriaList,
    generation_config: GenerationConfig,
    **model_kwargs: Any,
) -> Tensor:
    """The tokens that transformers' ``_sample`` would return, prompts included: (rows, longest), padded on the right.

    A prompt that several rows share is read once. A row that has ended leaves the batch. Random numbers are drawn for
    all rows at every step, so a seed gives the tokens that it gives to transformers' loop, but where the other size of
    the batch rounds a logit differently. Logits processors see the rows that are still in the batch, stopping criteria
    see all, those that have ended padded. Where the cache is of a kind whose rows cannot be chosen, all rows stay.

    Args:
        model: the policy.
        input_ids: (rows, width), padded on the left.
        logits_processor: as ``generate`` prepares it.
        stopping_criteria: as ``generate`` prepares it.
        generation_config: as ``generate`` prepares it; ``max_length`` and ``do_sample`` are read.
        model_kwargs: the rest of what ``generate`` prepares: the mask, positions and the cache.
    """
    batch, width = input_ids.shape
    pad = generation_config._pad_token_tensor
    # Without a token that ends a response, transformers writes on in rows that other criteria have ended.
    padded = any(hasattr(criterion, "eos_token_id") for criterion in stopping_criteria)
    leave = padded and _selectable(model_kwargs)
    tokens = input_ids.new_full((batch, generation_config.max_length), 0 if pad is None else int(pad))
    tokens[:, :width] = input_ids
    rows = torch.arange(batch, device=input_ids.device)  # the row of `tokens` of each row that is computed
    writing = torch.ones(batch, dtype=torch.bool, device=input_ids.device)
    logits, model_kwargs = _read_prompts(model, input_ids, model_kwargs)
    length = width
    with model._optimize_model_for_decode():  # experts have a way of their own for single tokens on a GPU
        while True:
            # transformers names types of tensors that torch's functions do not return
            scores = logits_processor(tokens[rows, :length], logits)  # type: ignore[arg-type]
            chosen = _choose(scores, rows, batch, bool(generation_config.do_sample))
            tokens[rows, length] = torch.where(writing[rows], chosen, tokens[rows, length]) if padded else chosen
            length += 1
            writing &= ~stopping_criteria(tokens[:, :length], None)
            left = int(writing.sum())
            if not left:
                return tokens[:, :length].contiguous()
            if leave and left <= LEAVE_AT * len(rows):
                kept = writing[rows].nonzero().squeeze(1)
                rows = rows[kept]
                model_kwargs = _select(model_kwargs, kept)
            inputs = model.prepare_inputs_for_generation(tokens[rows, :length], next_sequence_length=1, **model_kwargs)
            logits, model_kwargs = _forward(model, inputs, model_kwargs)


def _read_prompts(model: Any, input_ids: Tensor, model_kwargs: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
    """Logits after the prompts, each different one read once."""
    mask = model_kwargs.get("attention_mask")
    texts = input_ids if mask is None else torch.cat([input_ids, mask], dim=1)
    _, group = texts.unique(dim=0, return_inverse=True)
    groups = int(group.max()) + 1
    shared = groups < len(input_ids) and _selectable(model_kwargs)
    if shared:
        numbers = torch.arange(len(group), device=group.device)
        first = numbers.new_full((groups,), len(group)).scatter_reduce_(0, group, numbers, "amin")
        input_ids, model_kwargs = input_ids[first], _select(model_kwargs, first)
    inputs = model.prepare_inputs_for_generation(input_ids, is_first_iteration=True, **model_kwargs)
    logits, model_kwargs = _forward(model, inputs, model_kwargs)
    return (logits[group], _select(model_kwargs, group)) if shared else (logits, model_kwargs)


def _forward(model: Any, inputs: dict[str, Any], model_kwargs: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
    """Float32 logits of the last token, as transformers has them, and what the next step needs."""
    outputs = model(**inputs, return_dict=True)
    logits = outputs.logits[:, -1].to(copy=True, dtype=torch.float32)
    return logits, model._update_model_kwargs_for_generation(outputs, model_kwargs)


def _choose(scores: Tensor, rows: Tensor, batch: int, sampled: bool) -> Tensor:
    """The next token of each row, with the random numbers that ``torch.multinomial`` would take for the whole batch."""
    if not sampled:
        return scores.argmax(dim=-1)
    probabilities = scores.softmax(dim=-1)
    if scores.device.type != "cpu":
        every = probabilities.new_zeros(batch, probabilities.shape[1])
        every[:, 0] = 1
        every[rows] = probabilities
        return every.multinomial(1).squeeze(1)[rows]
    # On a CPU torch takes the largest of probability over exponential number, and makes each of these, slowly, from a
    # uniform one. Here only the uniform numbers are drawn for the whole batch.
    uniform = torch.empty(batch, probabilities.shape[1], dtype=torch.float64).uniform_()
    exponential = uniform[rows].neg_().log1p_().neg_().float()
    best, chosen = (probabilities / exponential).max(dim=-1)
    if best.isnan().any():
        probabilities.multinomial(1)  # which raises: they are no probabilities
    return chosen


def _selectable(model_kwargs: dict[str, Any]) -> bool:
    """Whether rows of the cache can be chosen: layers of other kinds hold states that choosing leaves as they are."""
    layers = getattr(model_kwargs.get("past_key_values"), "layers", [])
    return bool(layers) and all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)


def _select(model_kwargs: dict[str, Any], rows: Tensor) -> dict[str, Any]:
    """The cache, in place, and what else has a row for each response: the mask and the positions."""
    model_kwargs["past_key_values"].batch_select_indices(rows)
    return {
        name: value[..., rows, :] if isinstance(value, Tensor) and value.dim() >= 2 else value
        for name, value in model_kwargs.items()
    }
