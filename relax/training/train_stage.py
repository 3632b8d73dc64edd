"""The ``train`` stage writes ``train/``: one policy, one method, one seed, resumed where an earlier run stopped."""

import contextlib
import json
import logging
import os
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from transformers import PrinterCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from relax.config import digest
from relax.config.stage_settings import TrainSettings
from relax.config.training import Training
from relax.data.copies import distinct
from relax.data.problem_files import read_problems
from relax.data.processor import tokenizer_of
from relax.errors import DataError, Interrupted
from relax.files import atomic_folder, atomic_write, writable_folder
from relax.grading.golds import agree
from relax.koopman import Dictionary
from relax.latent.rollouts import read_rollouts
from relax.models.policy import load_policy
from relax.models.precision import format_here
from relax.progress import Progress
from relax.records.record import Run, digest_path
from relax.tasks import TASKS
from relax.tasks.problem import Problem
from relax.training.checkpoints import remove_all, remove_unfinished
from relax.training.pictures import training_set
from relax.training.probes import Follow, Probes
from relax.training.resume import StopSafely, sole_user
from relax.training.rewards import check_golds
from relax.training.sample import FILE, RolloutSample
from relax.training.trainer import ReLaXTrainer
from relax.training.trl_arguments import CORRECTNESS, refusals_told, reward_functions, trainer_arguments
from relax.training.window import engine_window

logger = logging.getLogger("relax")

#: TRL's names of what the record keeps, and ours; see :func:`names_of`.
SERIES = {
    "rewards/correctness/mean": "reward",
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
#: What our names begin with; those of a task's metrics with ``strategy/`` or its key.
OWN = (
    "dsd/", "probe/", "relax/", "seconds/", "sampling/", "token_method/", "grade/", "strategy/",
    *(f"{task.key}/" for task in TASKS.values()),
)  # fmt: skip


def train_stage(
    settings: TrainSettings,
    seed: int,
    data: str | Path,
    base: str | Path,
    dictionary: str | Path,
    out: str | Path,
    checkpoints: str | Path,
    run: Run,
    label: str,
    tell: Callable[[dict[str, float]], None] | None = None,
    stop: Path | None = None,
) -> None:
    """Train and write ``model/``, ``metrics.jsonl``, ``rollouts.jsonl`` and the record below ``out``.

    Args:
        settings: the method, what all methods share, the ridge and the prompt.
        seed: of everything random in the run.
        data: problem file to train on.
        base: folder of the initial policy.
        dictionary: folder of the ``dictionary`` stage (W, probes, initial DSD).
        out: folder of the results.
        checkpoints: folder below which this run keeps its checkpoints, under a hash of all that
            decides it; removed when the results are written.
        run: the record to finish.
        label: for the progress lines.
        tell: given every row of ``metrics.jsonl`` as soon as it is known.
        stop: a file that asks for a safe stop, like a signal, when it appears.

    Raises:
        Interrupted: a signal asked to stop; a checkpoint was written.
        ConfigError, DataError, MachineError: an input does not fit, the folder is in use, or no checkpoint of
            those that are there is whole.

    Started by ``accelerate launch`` or ``torchrun`` on several devices, each process calls this; all train,
    the first one writes.
    """
    ranks = PartialState(cpu=not torch.cuda.is_available())
    decides = [settings.recorded(), seed, list(run.digests.values()), _code()]
    here = {} if settings.training.precision != "auto" else {"precision": format_here("auto")}
    decides += here.values()
    if ranks.num_processes > 1:  # each keeps its own random state and rollouts
        decides.append(ranks.num_processes)
    out, folder = Path(out), Path(checkpoints) / digest(decides)
    found = [False]
    # Of several processes the first alone locks, cleans up and writes.
    with sole_user(folder) if ranks.is_main_process else contextlib.nullcontext():
        if ranks.is_main_process:
            writable_folder(out)  # not found out after the training
            found = [remove_unfinished(folder)]
        broadcast_object_list(found)
        trainer, probes, start = _trainer(settings, seed, read_problems(data), base, Path(dictionary), folder)
        if tell is not None and ranks.is_main_process:
            tell(start)
            trainer.add_callback(_Tell(tell, names_of(settings.training)))
        with refusals_told(settings.method):
            _run(trainer, probes, found[0], settings.training, label, stop)
        rows = [start, *_series(trainer.state.log_history, names_of(settings.training))]
        _save_model(trainer, out / "model")
        if ranks.is_main_process:
            sample, frozen = trainer.sample, trainer.exploration.dictionary
            assert sample is not None  # the first process has one
            assert frozen is not None  # the arguments name it
            atomic_write(out / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
            atomic_write(out / FILE, sample.text())
            run.seeds["training"] = seed
            run.metrics.update(_last_means(rows), steps=trainer.state.global_step)
            if trainer.exploration.xi is not None:
                run.metrics["xi"] = trainer.exploration.xi
            several, own = _processes(trainer), trainer.exploration.own
            refitted = {} if own is None or own.dictionary is None else {"refitted_hash": own.dictionary.hash}
            run.finish(
                out,
                [out / name for name in ("model", "metrics.jsonl", FILE)],
                dictionary_hash=frozen.hash,
                **refitted,
                **here,
                **({"processes": several} if several else {}),
            )
            remove_all(folder)


def _trainer(
    settings: TrainSettings, seed: int, problems: list[Problem], base: str | Path, dictionary: Path, folder: Path
) -> tuple[ReLaXTrainer, Probes, dict[str, float]]:
    """The trainer, the probes and the row of step 0."""
    # Weights in float32 whatever the checkpoint holds: at a learning rate of 1e-6 updates would round
    # away in bfloat16. Lower precision is autocast's business.
    model, processing = load_policy(base, torch.float32)
    found = Dictionary.load(dictionary / "dictionary.safetensors")  # first, as its fault says which stage to run
    asked = settings.method.koopman_dim
    if asked not in (None, found.settings.koopman_dim):
        raise DataError(
            f"{dictionary}: its dictionary has m = {found.settings.koopman_dim}, the method asks for {asked}; "
            f"make one with `relax dictionary --koopman-dim {asked}`."
        )
    arguments = trainer_arguments(settings, seed, folder, dictionary)
    if CORRECTNESS in (settings.training.rewards or [CORRECTNESS]):
        check_golds((p.answer for p in problems), (p.source for p in problems))
    distinct(((f"problem {p.id!r}", p) for p in problems), agree)  # a contradiction stops here; copies may be meant
    needed = arguments.generation_batch_size // arguments.num_generations
    if len(problems) < needed:
        raise DataError(f"{len(problems)} problems to train on, one batch of rollouts takes {needed}.")
    rollouts = read_rollouts(dictionary / "probes.jsonl")
    dataset = training_set(problems, processing, settings.prompt.recorded())
    if arguments.use_vllm and arguments.vllm_max_model_length is None:
        tokenizer = tokenizer_of(processing)
        arguments.vllm_max_model_length = engine_window(dataset, arguments.max_completion_length, tokenizer)
    arguments.matched_length = max(2, int(statistics.median(len(r.response_ids) for r in rollouts)))
    with refusals_told(settings.method):
        trainer = ReLaXTrainer(
            model=model,
            reward_funcs=reward_functions(settings),
            args=arguments,
            train_dataset=dataset,
            processing_class=processing,
        )
    if trainer.accelerator.is_main_process:
        training = settings.training
        trainer.sample = RolloutSample(
            training.steps,
            training.probe_every,
            training.updates_per_generation * arguments.num_iterations,
            training.rollouts_per_prompt,
            tokenizer_of(processing),
            trainer.reward_func_names,
        )
    probes = Probes(rollouts, trainer)
    return trainer, probes, {"step": 0, **probes.measure()}


def _save_model(trainer: ReLaXTrainer, path: Path) -> None:
    """Every process takes part where weights are sharded; the first one writes."""
    with atomic_folder(path) if trainer.accelerator.is_main_process else contextlib.nullcontext(path) as target:
        trainer.save_model(str(target))
        (target / "training_args.bin").unlink(missing_ok=True)  # pickled, and nobody reads it


def _code() -> str:
    """Digest of the code that training runs through: a checkpoint of another version is not resumed."""
    package = Path(__file__).resolve().parents[1]
    files = sorted(
        p
        for part in ("training", "koopman", "latent", "models", "grading", "evaluation", "tasks")
        for p in (package / part).rglob("*.py")
    )
    return digest([digest_path(file) for file in files])


def _processes(trainer: ReLaXTrainer) -> dict[str, Any]:
    """How many trained, on how many nodes, how they shared the policy, and the GPUs of the vLLM server that the job
    started; for the record, empty where one process did it all."""
    accelerator, server = trainer.accelerator, int(os.environ.get("RELAX_VLLM_GPUS", "0"))
    count = accelerator.num_processes
    if count == 1 and not server:
        return {}
    nodes = count // int(os.environ.get("LOCAL_WORLD_SIZE", count))
    return {"count": count, "nodes": nodes, "way": accelerator.distributed_type.value.lower(), "vllm_gpus": server}


def _run(
    trainer: ReLaXTrainer, probes: Probes, goes_on: bool, training: Training, label: str, asks: Path | None
) -> None:
    steps = training.steps
    progress, stop = Progress(label, steps), StopSafely(asks)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Follow(probes, training.probe_every, progress))
    trainer.add_callback(stop)
    with stop.installed():
        trainer.train(resume_from_checkpoint=goes_on)
    if trainer.state.global_step < steps:
        trainer.accelerator.wait_for_everyone()  # the first process to leave ends the others
        raise Interrupted(f"{label}: stopped safely after step {trainer.state.global_step}; run it again to go on.")


class _Tell(TrainerCallback):
    def __init__(self, tell: Callable[[dict[str, float]], None], names: Mapping[str, str]) -> None:
        self.tell, self.names = tell, names

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        for row in _series([{"step": state.global_step, **(logs or {})}], self.names):
            self.tell(row)


def names_of(training: Training) -> dict[str, str]:
    """TRL's names of what the record keeps, and ours: the first reward is ``reward``, the user's others stand below it
    by their names."""
    first, *others = (name.partition(":")[2] for name in training.rewards or [CORRECTNESS])
    names = {trl: ours for trl, ours in SERIES.items() if ours != "reward"}
    return {**names, f"rewards/{first}/mean": "reward"} | {f"rewards/{x}/mean": f"reward/{x}" for x in others}


def _series(history: list[dict[str, Any]], names: Mapping[str, str] = SERIES) -> list[dict[str, float]]:
    """TRL's log as one row a step under the names of the records."""
    rows = []
    for entry in history:
        if "grad_norm" not in entry:  # TRL's closing summary; the reward stands on steps that generated
            continue
        known = {name: value for name, value in entry.items() if value is not None}  # None: no completion was scored
        row = {names[name]: float(value) for name, value in known.items() if name in names}
        row |= {name: float(value) for name, value in known.items() if name.startswith(OWN)}
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
