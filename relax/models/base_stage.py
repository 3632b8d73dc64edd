"""The ``base`` stage: the initial policy, made from scratch or taken from a pinned snapshot."""

import json
import tempfile
from pathlib import Path
from typing import Any

from relax.files import atomic_folder, atomic_write
from relax.records.record import Run


def build(settings: dict[str, Any], out: str | Path, run: Run, label: str) -> None:
    """Write the initial policy to ``out/model``.

    Args:
        settings: ``policy``, the configuration's entry of the policy, ``digits`` of the task, ``source`` and what
            belongs to it for other tasks of text, and ``visual``, the visual task, for a policy that sees.
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
    if "visual" in settings:
        from relax.models import scratch_vision

        return scratch_vision.warm_up(scratch, settings["visual"], work, label)
    from relax.models.scratch import warm_up

    return warm_up(scratch, settings, work, label)


def _numbers(entry: dict[str, Any]) -> dict[str, float]:
    return {key: float(value) for key, value in entry.items() if key != "step"} | {"step": entry["step"]}
