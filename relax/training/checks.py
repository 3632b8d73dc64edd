"""What a trainer refuses before it starts: each check says what was found and how to mend it."""

import contextlib
import functools
import inspect
import logging
import math
from collections.abc import Sequence, Sized
from typing import Any

import torch
from accelerate import Accelerator, DistributedType
from torch import Tensor, nn

from relax.errors import ConfigError, NumericsError

logger = logging.getLogger("relax")
#: TRL keeps rewards in float32: what is larger becomes infinite there.
LARGEST = torch.finfo(torch.float32).max


def without_adapter(model: Any) -> Any:
    """A model of transformers, or the one below an adapter of PEFT."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def check_backbone(model: nn.Module, backbone: nn.Module) -> int:
    """The width of the hidden states of a model whose backbone can be listened to.

    Args:
        model: the policy, unwrapped.
        backbone: its ``base_model``, below an adapter.

    Raises:
        ConfigError: ``base_model`` is the whole model, which hands out logits and not hidden states, or the
            configuration names no ``hidden_size``.
    """
    whole = without_adapter(model)
    if backbone is whole:
        raise ConfigError(
            f"{type(whole).__name__} has no backbone apart from its head (base_model is the model itself), so its "
            "hidden states cannot be heard; use a causal language model of transformers."
        )
    text = whole.config.get_text_config()
    if not hasattr(text, "hidden_size"):
        raise ConfigError(f"the configuration of {type(whole).__name__} names no hidden_size; ReLaX needs the width.")
    return text.hidden_size


def check_trainable(model: nn.Module, backbone: nn.Module) -> int:
    """The width of :func:`check_backbone`, of a policy that training changes.

    Raises:
        ConfigError: as :func:`check_backbone`, or no parameter requires a gradient.
    """
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ConfigError(
            "no parameter of the policy requires a gradient, so training would change nothing; load an adapter with "
            "is_trainable=True, or set requires_grad where the policy is to be trained."
        )
    return check_backbone(model, backbone)


def warn_of_length(lengths: Tensor, m: int) -> None:
    """Warn where half of the first responses have too few states for a dictionary of m functions.

    A linear map of m functions nearly fits any trajectory of so few states, and DSD then tells its length.

    Args:
        lengths: (N,) states T of responses.
        m: functions of the dictionary.
    """
    median = torch.quantile(lengths.double(), 0.5).item()
    if median <= 2 * m:
        logger.warning(
            "the first responses have T = %g states (median), which is at most 2m = %d: their DSD says more about "
            "length than about dynamics; take a smaller koopman_dim, or let responses be longer.",
            median,
            2 * m,
        )


def check_token_budget(budget: int | None, accelerator: Accelerator) -> None:
    """Refuse micro-batches by tokens where every process must make as many passes as the others.

    Raises:
        ConfigError: the policy is sharded.
    """
    if budget is not None and accelerator.distributed_type in (DistributedType.FSDP, DistributedType.DEEPSPEED):
        raise ConfigError(
            "tokens_per_micro_batch gives each process a number of passes of its own, which a sharded policy does not "
            "admit; leave it out and set per_device_train_batch_size, or keep a whole policy on each device."
        )


def check_dataset(dataset: Any) -> int:
    """The number of prompts of a data set that dynamic sampling can draw from by index.

    Raises:
        ConfigError: the data set is a stream.
    """
    if not isinstance(dataset, Sized):
        raise ConfigError(
            "dynamic_sampling draws further prompts by index, but the training set is a stream; give a data set with "
            "a length, or set dynamic_sampling to False."
        )
    return len(dataset)


def check_batch(batch: dict[str, Any]) -> None:
    """Refuse rollouts that dynamic sampling cannot put together from several rounds."""
    for name in ("pixel_values", "token_type_ids", "mm_token_type_ids"):
        if name in batch:
            raise ConfigError(
                f"dynamic_sampling joins prompts of text only, but a batch holds {name}; set it to False."
            )


def checked_reward(function: Any, name: str) -> Any:
    """The reward function, refusing all but one number in float32 for each completion; a reward model as it is.

    TRL reads NaN as None, "not scored", and gives such a completion no gradient: a reward that divides by
    zero would train on fewer and fewer completions without a word. Of an infinite one the whole group has none.

    Args:
        function: as TRL takes it; one that is awaited stays one.
        name: of the reward, for the sentence.
    """
    if isinstance(function, nn.Module) or not callable(function):
        return function
    whole = function
    while isinstance(whole, functools.partial):
        whole = whole.func
    if inspect.iscoroutinefunction(whole) or inspect.iscoroutinefunction(whole.__call__):

        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> list[float | None]:
            return _checked(await function(*args, **kwargs), name, kwargs.get("completions"))

        return awaited

    @functools.wraps(function)
    def rewards(*args: Any, **kwargs: Any) -> list[float | None]:
        return _checked(function(*args, **kwargs), name, kwargs.get("completions"))

    return rewards


def check_rewards(rewards: Tensor, functions: Sequence[Any], names: Sequence[str], weights: Tensor) -> None:
    """Refuse a reward model's output that is no number, and finite rewards whose weighted sum is none.

    Args:
        rewards: (N, functions) of all processes.
        functions: what gave them; of functions :func:`checked_reward` has looked already.
        names: of the functions.
        weights: (functions,) of the sum.
    """
    for column, function, name in zip(rewards.T, functions, names, strict=True):
        if isinstance(function, nn.Module):
            _checked(column.tolist(), name)
    _checked((rewards * weights.to(rewards.device)).nansum(dim=1).tolist(), "of all functions, weighted,")


def _checked(values: Any, name: str, completions: Sequence[Any] | None = None) -> list[float | None]:
    try:
        rewards: list[float | None] = list(values)
    except TypeError:
        raise ConfigError(
            f"the reward {name} returned {values!r}, expected a list with one number for each completion."
        ) from None
    if completions is not None and len(rewards) != len(completions):
        raise ConfigError(
            f"the reward {name} returned {len(rewards)} values for {len(completions)} completions; return one number "
            "for each completion."
        )
    numbers = [_number(value, f"the reward {name} is", i) for i, value in enumerate(rewards)]
    # Not "larger than": NaN is neither larger nor smaller.
    bad = next((i for i, value in enumerate(numbers) if not abs(value) <= LARGEST), None)
    if bad is not None:
        value = numbers[bad]
        raise NumericsError(
            f"the reward {name} is {'NaN' if math.isnan(value) else value} for completion {bad} of {len(rewards)}; "
            "return a number that float32 holds, or None for a completion that cannot be scored."
        )
    return rewards


def _number(value: Any, what: str, place: int) -> float:
    """A reward as TRL will read it: any scalar; None is not scored."""
    with contextlib.suppress(TypeError, ValueError):
        if not isinstance(value, str):
            return 0.0 if value is None else float(value)
    raise ConfigError(
        f"{what} {value!r} for completion {place}, expected a number, or None for a completion that cannot be scored."
    )
