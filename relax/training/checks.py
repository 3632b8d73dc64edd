"""What a trainer refuses before it starts: each check says what was found and how to mend it."""

import functools
import inspect
import math
from collections.abc import Callable, Sized
from typing import Any

from torch import nn

from relax.errors import ConfigError, NumericsError


def check_backbone(model: nn.Module, backbone: nn.Module) -> int:
    """The width of the hidden states of a model whose backbone can be listened to.

    Args:
        model: the policy, unwrapped.
        backbone: its ``base_model``, below an adapter.

    Raises:
        ConfigError: ``base_model`` is the whole model, which hands out logits and not hidden states, or the
            configuration names no ``hidden_size``.
    """
    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    if backbone is whole:
        raise ConfigError(
            f"{type(whole).__name__} has no backbone apart from its head (base_model is the model itself), so its "
            "hidden states cannot be heard; use a causal language model of transformers."
        )
    text = whole.config.get_text_config()
    if not hasattr(text, "hidden_size"):
        raise ConfigError(f"the configuration of {type(whole).__name__} names no hidden_size; ReLaX needs the width.")
    return text.hidden_size


def check_dataset(dataset: Any) -> None:
    """Refuse a data set that dynamic sampling cannot draw further prompts from."""
    if not isinstance(dataset, Sized):
        raise ConfigError(
            "dynamic_sampling draws further prompts by index, but the training set is a stream; give a data set with "
            "a length, or set dynamic_sampling to False."
        )


def check_batch(batch: dict[str, Any]) -> None:
    """Refuse rollouts that dynamic sampling cannot put together from several rounds."""
    for name in ("pixel_values", "token_type_ids", "mm_token_type_ids"):
        if name in batch:
            raise ConfigError(
                f"dynamic_sampling joins prompts of text only, but a batch holds {name}; set it to False."
            )


def checked_reward(function: Any) -> Any:
    """The reward function, refusing NaN; models and coroutines as they are.

    TRL reads NaN as None, "not scored", and gives such a completion no gradient: a reward that divides by
    zero would train on fewer and fewer completions without a word.
    """
    if isinstance(function, nn.Module) or inspect.iscoroutinefunction(function) or not callable(function):
        return function
    return _refusing_nan(function)


def _refusing_nan(function: Callable[..., list[float | None]]) -> Callable[..., list[float | None]]:
    @functools.wraps(function)
    def rewards(*args: Any, **kwargs: Any) -> list[float | None]:
        values = function(*args, **kwargs)
        bad = next((i for i, value in enumerate(values) if value is not None and math.isnan(value)), None)
        if bad is not None:
            name = getattr(function, "__name__", type(function).__name__)
            raise NumericsError(
                f"the reward {name} is NaN for completion {bad} of {len(values)}; return a number, "
                "or None for a completion that cannot be scored."
            )
        return values

    return rewards
