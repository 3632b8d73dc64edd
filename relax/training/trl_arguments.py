"""From the configuration's keys to TRL's arguments and reward functions."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from trl.rewards import get_soft_overlong_punishment

from relax.config.methods import Method
from relax.config.stage_settings import TrainSettings
from relax.errors import ConfigError
from relax.models.precision import format_here
from relax.reading import read_json_object, reading
from relax.settings import Settings
from relax.training.relax_config import ReLaXConfig
from relax.training.rewards import boxed_format, correctness


def reward_functions(settings: TrainSettings) -> list[Callable[..., list[float]]]:
    """The reward functions of a run, ``correctness`` first; their weights are in :func:`trainer_arguments`."""
    return [correctness, *(function for function, _ in _further_rewards(settings))]


def _further_rewards(settings: TrainSettings) -> list[tuple[Callable[..., list[float]], float]]:
    training, buffer = settings.training, settings.method.overlong_buffer
    further: list[tuple[Callable[..., list[float]], float]] = []
    if training.format_reward:
        further.append((boxed_format, training.format_reward))
    if buffer is not None:
        further.append((get_soft_overlong_punishment(training.max_response_length, buffer), 1.0))
    return further


def _limit(method: Method, dictionary: Path) -> float | None:
    """xi as a number: percentiles are those of the initial policy's DSD under the method's spectrum."""
    xi = method.xi
    if not isinstance(xi, str):
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
        ConfigError: batches that do not divide, or a method that contradicts itself.
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
    return ReLaXConfig(
        **_as_they_are(training, method),
        output_dir=str(folder),
        seed=seed,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=accumulation,
        steps_per_generation=accumulation * training.updates_per_generation,
        top_k=0,
        repetition_penalty=1.0,
        lr_scheduler_type="constant_with_warmup",
        weight_decay=0.0,
        epsilon=method.epsilon or training.epsilon,
        reward_weights=[1.0, *(weight for _, weight in _further_rewards(settings))],
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
