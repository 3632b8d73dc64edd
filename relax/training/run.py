"""The ``train`` stage: one policy, one method, one seed, resumed where an earlier run stopped."""

import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PrinterCallback

from relax.config import digest
from relax.data.problem import read_problems
from relax.errors import ConfigError, DataError, Interrupted
from relax.files import atomic_folder, atomic_write, writable_folder
from relax.koopman import Dictionary
from relax.latent.rollouts import load_policy, read_rollouts
from relax.progress import Progress
from relax.tracking import Run, digest_path
from relax.training.config import ReLaXConfig
from relax.training.probes import Follow, Probes
from relax.training.resume import StopSafely, newest_checkpoint, sole_user
from relax.training.rewards import correctness
from relax.training.trainer import ReLaXTrainer

logger = logging.getLogger("relax")

#: TRL's names of what the record keeps, and ours.
SERIES = {
    "reward": "reward",
    "entropy": "entropy",
    "completions/mean_length": "length",
    "loss": "loss",
    "grad_norm": "grad_norm",
    "learning_rate": "learning_rate",
    "kl": "kl",
    "clip_ratio/region_mean": "clip_ratio",
    "frac_reward_zero_std": "zero_variance_groups",
    "share_above_xi": "share_above_xi",
    "step_time": "seconds/step",
}
OWN = ("dsd/", "probe/", "relax/", "seconds/")


def train(
    settings: dict[str, Any],
    seed: int,
    data: str | Path,
    base: str | Path,
    dictionary: str | Path,
    out: str | Path,
    checkpoints: str | Path,
    run: Run,
    label: str,
) -> None:
    """Train and write ``model/``, ``metrics.jsonl`` and the record below ``out``.

    Args:
        settings: ``method``, ``training`` and ``ridge`` of the configuration.
        seed: of everything random in the run.
        data: problem file to train on.
        base: folder of the initial policy.
        dictionary: folder of the ``dictionary`` stage (W, probes, initial DSD).
        out: folder of the results.
        checkpoints: folder below which this run keeps its checkpoints, under a hash of all that
            decides it; removed when the results are written.
        run: the record to finish.
        label: for the progress lines.

    Raises:
        Interrupted: a signal asked to stop; a checkpoint was written.
        ConfigError, DataError, MachineError: an input does not fit, or the folder is in use.
    """
    problems = read_problems(data)
    out, frozen = Path(out), Dictionary.load(Path(dictionary) / "dictionary.safetensors")
    writable_folder(out)  # not found out after the training
    key = digest([settings, seed, list(run.digests.values()), _code()])
    folder = Path(checkpoints) / key
    with sole_user(folder):
        # Weights in float32 whatever the checkpoint holds: at a learning rate of 1e-6 updates would round
        # away in bfloat16. Lower precision is autocast's business.
        model, tokenizer = load_policy(base, torch.float32)
        arguments = _arguments(settings, seed, folder, _limit(settings["method"], Path(dictionary)))
        arguments.dictionary = str(Path(dictionary) / "dictionary.safetensors")
        needed = arguments.generation_batch_size // arguments.num_generations
        if len(problems) < needed:
            raise DataError(f"{data}: {len(problems)} problems, one batch of rollouts takes {needed}.")
        probes = Probes(
            read_rollouts(Path(dictionary) / "probes.jsonl"),
            frozen.weight,
            settings["ridge"],
            tokenizer.pad_token_id,
        )
        start = {"step": 0, **probes.measure(model)}
        trainer = ReLaXTrainer(
            model=model,
            reward_funcs=correctness,
            args=arguments,
            train_dataset=Dataset.from_list([_row(p) for p in problems]),
            processing_class=tokenizer,
        )
        _run(trainer, probes, folder, settings, label)
        rows = [start, *_series(trainer.state.log_history)]
        with atomic_folder(out / "model") as target:
            trainer.save_model(str(target))
            (target / "training_args.bin").unlink(missing_ok=True)  # pickled, and nobody reads it
        atomic_write(out / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        run.seeds["training"] = seed
        run.metrics.update(_last_means(rows), steps=trainer.state.global_step)
        if trainer.limit is not None:
            run.metrics["xi"] = trainer.limit
        run.finish(out, [out / "model", out / "metrics.jsonl"], dictionary_hash=frozen.hash)
    shutil.rmtree(folder, ignore_errors=True)


def _row(problem: Any) -> dict[str, str]:
    return {"prompt": problem.prompt, "answer": problem.answer, "source": problem.source}


def _code() -> str:
    """Digest of the code that training runs through: a checkpoint of another version is not resumed."""
    package = Path(__file__).resolve().parents[1]
    files = sorted(p for part in ("training", "koopman", "evaluation") for p in (package / part).rglob("*.py"))
    return digest([digest_path(file) for file in files])


def _limit(method: dict[str, Any], dictionary: Path) -> float | None:
    """xi as a number: percentiles are those of the initial policy's DSD under the method's spectrum."""
    xi = method["xi"]
    if not isinstance(xi, str):
        return xi
    if method["dsd_window"] is not None:
        raise ConfigError("xi is a percentile, which is known for whole responses only; with dsd_window give a number.")
    percentiles = json.loads((dictionary / "initial_dsd.json").read_text(encoding="utf-8"))
    return percentiles[method["spectrum"]][xi]


def _arguments(settings: dict[str, Any], seed: int, folder: Path, limit: float | None) -> ReLaXConfig:
    """TRL's arguments; whatever TRL would choose by itself and a number depends on is set."""
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
        epsilon=t["epsilon"],
        epsilon_high=m["epsilon_high"],
        loss_type=m["loss_type"],
        entropy_coef=m["entropy_coef"],
        top_entropy_quantile=m["top_entropy_quantile"],
        beta=m["beta"],
        alpha=m["alpha"],
        xi=limit,
        spectrum=m["spectrum"],
        ridge=settings["ridge"],
        advantage_shaping=m["advantage_shaping"],
        kl_mode=m["kl_mode"],
        kl_reduction=m["kl_reduction"],
        dsd_window=m["dsd_window"],
        use_vllm=t["use_vllm"],
        bf16=t["precision"] == "bfloat16",
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=torch.cuda.is_available(),
        logging_steps=1,
        save_steps=t["checkpoint_every"],
        save_total_limit=2,
        report_to="none",
        disable_tqdm=True,
        log_completions=False,
    )


def _run(trainer: ReLaXTrainer, probes: Probes, folder: Path, settings: dict[str, Any], label: str) -> None:
    steps = settings["training"]["steps"]
    progress, stop = Progress(label, steps), StopSafely()
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Follow(trainer, probes, settings["training"]["probe_every"], progress))
    trainer.add_callback(stop)
    checkpoint = newest_checkpoint(folder)
    if checkpoint:
        logger.info("%s: going on from %s", label, checkpoint.name)
    with stop.installed():
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if trainer.state.global_step < steps:
        raise Interrupted(f"{label}: stopped safely after step {trainer.state.global_step}; run it again to go on.")


def _series(history: list[dict[str, Any]]) -> list[dict[str, float]]:
    """TRL's log as one row a step under the names of the records."""
    rows = []
    for entry in history:
        if "reward" not in entry:
            continue
        row = {SERIES[name]: float(value) for name, value in entry.items() if name in SERIES}
        row |= {name: float(value) for name, value in entry.items() if name.startswith(OWN)}
        rows.append({"step": entry["step"], **row})
    return rows


def _last_means(rows: list[dict[str, float]]) -> dict[str, float]:
    """Means over the last tenth of the steps, name by name."""
    last = [row for row in rows if row["step"] > 0.9 * rows[-1]["step"]]
    names = {name for row in last for name in row if name != "step"}
    means = {}
    for name in sorted(names):
        values = [row[name] for row in last if name in row]
        means[name] = sum(values) / len(values)
    return means
