"""From the configuration's keys to TRL's arguments and reward functions."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from trl.rewards import get_soft_overlong_punishment

from relax.errors import ConfigError
from relax.reading import read_json_object, reading
from relax.training.relax_config import ReLaXConfig
from relax.training.rewards import boxed_format, correctness


def reward_functions(settings: dict[str, Any]) -> list[Callable[..., list[float]]]:
    """The reward functions of a run, ``correctness`` first; their weights are in :func:`trainer_arguments`."""
    return [correctness, *(function for function, _ in _further_rewards(settings))]


def _further_rewards(settings: dict[str, Any]) -> list[tuple[Callable[..., list[float]], float]]:
    training, buffer = settings["training"], settings["method"]["overlong_buffer"]
    further: list[tuple[Callable[..., list[float]], float]] = []
    if training["format_reward"]:
        further.append((boxed_format, training["format_reward"]))
    if buffer is not None:
        further.append((get_soft_overlong_punishment(training["max_response_length"], buffer), 1.0))
    return further


def _limit(method: dict[str, Any], dictionary: Path) -> float | None:
    """xi as a number: percentiles are those of the initial policy's DSD under the method's spectrum."""
    xi = method["xi"]
    if not isinstance(xi, str):
        return xi
    if method["dsd_window"] is not None:
        raise ConfigError("xi is a percentile, which is known for whole responses only; with dsd_window give a number.")
    path, mend = dictionary / "initial_dsd.json", "run `relax dictionary` again"
    percentiles = read_json_object(path, mend)
    with reading(path, mend):
        return float(percentiles[method["spectrum"]][xi])


def trainer_arguments(settings: dict[str, Any], seed: int, folder: Path, dictionary: Path) -> ReLaXConfig:
    """TRL's arguments; whatever TRL would choose by itself and a number depends on is set.

    Args:
        settings: ``method``, ``training`` and ``ridge`` of the configuration.
        seed: of everything random in the run.
        folder: of the checkpoints.
        dictionary: folder of the ``dictionary`` stage.

    Raises:
        ConfigError: batches that do not divide, or a method that contradicts itself.
        DataError: the initial policy's DSD, which a percentile needs, cannot be read.
    """
    t, m = settings["training"], settings["method"]
    batch, devices = t["prompts_per_step"] * t["rollouts_per_prompt"], int(os.environ.get("WORLD_SIZE", "1"))
    micro = t["micro_batch"] or batch // devices
    if not micro or batch % (micro * devices):
        raise ConfigError(
            f"a step's {batch} responses do not divide into micro-batches of {micro} on {devices} devices; "
            "change training.micro_batch, training.prompts_per_step or the number of devices."
        )
    accumulation = batch // (micro * devices)
    return ReLaXConfig(
        output_dir=str(folder),
        seed=seed,
        max_steps=t["steps"],
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=accumulation,
        steps_per_generation=accumulation * t["updates_per_generation"],
        num_generations=t["rollouts_per_prompt"],
        max_completion_length=t["max_response_length"],
        temperature=t["temperature"],
        top_p=t["top_p"],
        top_k=0,
        repetition_penalty=1.0,
        learning_rate=t["learning_rate"],
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=t["warmup_steps"],
        adam_beta2=t["adam_beta2"],
        weight_decay=0.0,
        max_grad_norm=t["max_grad_norm"],
        epsilon=m["epsilon"] or t["epsilon"],
        epsilon_high=m["epsilon_high"],
        loss_type=m["loss_type"],
        reward_weights=[1.0, *(weight for _, weight in _further_rewards(settings))],
        entropy_coef=m["entropy_coef"],
        top_entropy_quantile=m["top_entropy_quantile"],
        beta=m["beta"],
        alpha=m["alpha"],
        xi=_limit(m, dictionary),
        dictionary=str(dictionary / "dictionary.safetensors"),
        spectrum=m["spectrum"],
        ridge=settings["ridge"],
        advantage_shaping=m["advantage_shaping"],
        kl_mode=m["kl_mode"],
        kl_reduction=m["kl_reduction"],
        dsd_window=m["dsd_window"],
        token_method=m["token_method"],
        clip_cov_ratio=m["clip_cov_ratio"],
        clip_cov_low=m["clip_cov_low"],
        clip_cov_high=m["clip_cov_high"],
        kl_cov_ratio=m["kl_cov_ratio"],
        kl_cov_coef=m["kl_cov_coef"],
        dynamic_sampling=m["dynamic_sampling"],
        dynamic_sampling_rounds=m["dynamic_sampling_rounds"],
        use_vllm=t["rollouts"] != "transformers",
        vllm_mode=t["rollouts"].removeprefix("vllm-") if t["rollouts"] != "transformers" else "colocate",
        vllm_gpu_memory_utilization=t["vllm_memory"],
        # A server that the job has started for itself is known by its address alone (relax.cluster.launch).
        vllm_server_base_url=os.environ.get("RELAX_VLLM_SERVER", t["vllm_server"]),
        vllm_group_port=int(os.environ.get("RELAX_VLLM_WEIGHTS_PORT", "51216")),
        bf16=t["precision"] == "bfloat16",
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=t["gradient_checkpointing"],
        logging_steps=1,
        save_steps=t["checkpoint_every"],
        save_total_limit=2,
        report_to="none",
        disable_tqdm=True,
        log_completions=False,
    )
