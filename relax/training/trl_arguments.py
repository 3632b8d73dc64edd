"""From the configuration's keys to TRL's arguments and reward functions."""

import contextlib
import os
import traceback
from collections.abc import Callable, Iterator
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import trl
from pydantic import TypeAdapter, ValidationError
from trl import GRPOConfig
from trl.rewards import get_soft_overlong_punishment

from relax.config.faults import nearest, shown
from relax.config.methods import Method
from relax.config.stage_settings import TrainSettings
from relax.errors import ConfigError, MachineError
from relax.models.precision import format_here
from relax.reading import read_json_object, reading
from relax.settings import Settings
from relax.training.relax_config import ReLaXConfig
from relax.training.rewards import boxed_format, own_reward

#: Where TRL is installed, and the libraries that it hands its arguments on to.
LIBRARIES = Path(trl.__file__).parents[1]
#: Words for the kinds of most arguments of TRL.
_KINDS = {int: "a whole number", float: "a number such as 1.0e-3", bool: "true or false", str: "a text"}
#: The reward where the configuration names none.
CORRECTNESS = "relax.training.rewards:correctness"


def reward_functions(settings: TrainSettings) -> list[Callable[..., Any]]:
    """The reward functions of a run, those of ``training.rewards`` first; their weights are in
    :func:`trainer_arguments`.

    Raises:
        ConfigError: one of them cannot be imported, or is no function.
    """
    named = settings.training.rewards or [CORRECTNESS]
    return [*map(own_reward, named), *(function for function, _ in _further_rewards(settings))]


def _weights(settings: TrainSettings) -> list[float]:
    named = settings.training.rewards or [CORRECTNESS]
    weights = settings.training.reward_weights or [1.0] * len(named)
    return [*weights, *(weight for _, weight in _further_rewards(settings))]


def _further_rewards(settings: TrainSettings) -> list[tuple[Callable[..., list[float]], float]]:
    training, buffer = settings.training, settings.method.overlong_buffer
    further: list[tuple[Callable[..., list[float]], float]] = []
    if training.format_reward:
        further.append((boxed_format, training.format_reward))
    if buffer is not None:
        further.append((get_soft_overlong_punishment(training.max_response_length, buffer), 1.0))
    return further


def _limit(method: Method, dictionary: Path) -> float | str | None:
    """xi as a number: percentiles are those of the initial policy's DSD under the method's spectrum.

    They stay percentiles, of the first rollouts, where DSD of the terms is another number than that of the stage.
    """
    xi = method.xi
    if not isinstance(xi, str) or method.own_dsd:
        return xi
    path, mend = dictionary / "initial_dsd.json", "run `relax dictionary` again"
    percentiles = read_json_object(path, mend)
    with reading(path, mend):
        return float(percentiles[method.spectrum][xi])


def _as_they_are(*parts: Settings) -> dict[str, Any]:
    """TRL's arguments that are keys of the configuration under another name or the same, see ``trl`` of a key."""
    arguments = {}
    for part in parts:
        for name, field in type(part).model_fields.items():
            said = field.json_schema_extra
            if isinstance(said, dict) and "trl" in said:
                arguments[str(said["trl"])] = getattr(part, name)
    return arguments


def passed_on(method: Method) -> dict[str, Any]:
    """The arguments that a method passes on to TRL as they are, ``methods.<name>.trl``.

    Raises:
        ConfigError: TRL has no such argument, or it takes another kind of value.
    """
    known: dict[str, Any] = {field.name: field.type for field in fields(GRPOConfig)}
    for name, value in method.trl.items():
        if name not in known:
            raise ConfigError(f"trl: TRL has no argument {name!r}; {nearest(name, list(known))}.")
        try:
            TypeAdapter(known[name]).validate_python(value, strict=True)
        except ValidationError as error:
            wanted = _KINDS.get(known[name], str(known[name]))
            raise ConfigError(f"trl: {name} is {shown(value)}, TRL expects {wanted}.") from error
    return dict(method.trl)


@contextlib.contextmanager
def refusals_told(method: Method) -> Iterator[None]:
    """Within the block TRL, or a library that it hands arguments on to, may refuse a value that a method passes on;
    some of them are looked at in the first step.

    Raises:
        ConfigError: it did.
    """
    try:
        yield
    except ValueError as error:
        raised_in = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
        if not method.trl or LIBRARIES not in raised_in.parents:
            raise
        names = ", ".join(method.trl)
        raise ConfigError(f"TRL refuses what `trl` of the method passes on ({names}): {error}") from error


def trainer_arguments(settings: TrainSettings, seed: int, folder: Path, dictionary: Path) -> ReLaXConfig:
    """TRL's arguments; whatever TRL would choose by itself and a number depends on is set.

    Keys of ``training`` and ``methods`` that are an argument of TRL name that argument themselves. What is computed
    from several keys, or is no key, stands here.

    Args:
        settings: of the ``train`` stage.
        seed: of everything random in the run.
        folder: of the checkpoints.
        dictionary: folder of the ``dictionary`` stage.

    Raises:
        ConfigError: batches that do not divide, a method that contradicts itself, or one that passes on what TRL does
            not take.
        MachineError: vLLM is to generate and is not installed.
        DataError: the initial policy's DSD, which a percentile needs, cannot be read.
    """
    training, method = settings.training, settings.method
    batch, devices = training.responses_per_step, int(os.environ.get("WORLD_SIZE", "1"))
    micro = training.micro_batch or batch // devices
    if not micro or batch % (micro * devices):
        raise ConfigError(
            f"a step's {batch} responses do not divide into micro-batches of {micro} on {devices} devices; "
            "change training.micro_batch, training.prompts_per_step or the number of devices."
        )
    accumulation = batch // (micro * devices)
    vllm = training.rollouts != "transformers"
    if vllm and find_spec("vllm") is None:
        raise MachineError(
            f"training.rollouts is {training.rollouts}, but vLLM is not installed; set up with `envs/setup.sh cuda`, "
            "or set it to transformers."
        )
    chosen = {
        "top_k": 0,
        "repetition_penalty": 1.0,
        "lr_scheduler_type": "constant_with_warmup",
        "weight_decay": 0.0,
        **passed_on(method),
    }
    return ReLaXConfig(
        **_as_they_are(training, method),
        **chosen,
        output_dir=str(folder),
        seed=seed,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=accumulation,
        steps_per_generation=accumulation * training.updates_per_generation,
        epsilon=method.epsilon or training.epsilon,
        reward_weights=_weights(settings),
        xi=_limit(method, dictionary),
        dictionary=str(dictionary / "dictionary.safetensors"),
        ridge=settings.ridge,
        use_vllm=vllm,
        vllm_mode=training.rollouts.removeprefix("vllm-") if vllm else "colocate",
        # A server that the job has started for itself is known by its address alone (relax.cluster.launch).
        vllm_server_base_url=os.environ.get("RELAX_VLLM_SERVER", training.vllm_server),
        vllm_group_port=int(os.environ.get("RELAX_VLLM_WEIGHTS_PORT", "51216")),
        bf16=format_here(training.precision) == "bfloat16",
        use_cpu=not torch.cuda.is_available(),
        logging_steps=1,
        save_total_limit=2,
        report_to="none",
        disable_tqdm=True,
        log_completions=False,
    )
