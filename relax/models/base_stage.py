"""The ``base`` stage: the initial policy, made from scratch or taken from a pinned snapshot."""

import json
import tempfile
from pathlib import Path
from typing import Any

from relax.files import atomic_folder, atomic_write
from relax.records.record import Run
from relax.tasks import TASKS, TEXT


def make_policy(settings: dict[str, Any], out: str | Path, run: Run, label: str) -> None:
    """Write the initial policy to ``out/model``.

    Args:
        settings: ``policy``, the configuration's entry of the policy, and what its demonstrations are made from:
            ``digits``, ``source`` and that task's settings, where it is not :data:`relax.tasks.TEXT`; for a policy that
            sees, the task's settings under the task's key.
        out: folder.
        run: the record to finish.
        label: for the progress lines.

    Raises:
        ConfigError: a name that no repository of the hub can have.
        DataError: a snapshot is no policy that can be loaded and trained.
        MachineError: a snapshot is not in the local cache.
    """
    out = Path(out)
    policy, outputs = settings["policy"], [out / "model"]
    if "hub" in policy:
        from relax.models.hub import copy_snapshot

        copy_snapshot(policy["hub"], out / "model")
    else:
        with tempfile.TemporaryDirectory() as work:
            trainer = _warm_up(settings, work, label)
        with atomic_folder(out / "model") as folder:
            trainer.model.save_pretrained(folder)
            trainer.processing_class.save_pretrained(folder)
        steps = [entry for entry in trainer.state.log_history if "loss" in entry]
        atomic_write(out / "metrics.jsonl", "".join(json.dumps(_numbers(entry)) + "\n" for entry in steps))
        outputs.append(out / "metrics.jsonl")
        run.metrics.update(parameters=trainer.model.num_parameters(), loss=float(steps[-1]["loss"]))
        run.seeds["initialisation"] = policy["scratch"]["seed"]
    run.finish(out, outputs)


def _warm_up(settings: dict[str, Any], work: str, label: str) -> Any:
    scratch = settings["policy"]["scratch"]
    if "vision" in scratch:
        from relax.models.scratch_vision import warm_up_vision

        task = next(task for task in TASKS.values() if task.drawn is not None and task.key in settings)
        return warm_up_vision(scratch, task, settings[task.key], work, label)
    from relax.models.scratch import warm_up_text

    return warm_up_text(scratch, TASKS[settings.get("source", TEXT)], settings, work, label)


def _numbers(entry: dict[str, Any]) -> dict[str, float]:
    return {key: float(value) for key, value in entry.items() if key != "step"} | {"step": entry["step"]}
