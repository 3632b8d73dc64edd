"""The ``data`` stage: training and held-out problems from the configuration."""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from relax.config.stage_settings import DataSettings
from relax.data.copies import same_text
from relax.data.problem_files import write_problems
from relax.errors import DataError
from relax.records.record import Run
from relax.tasks import TASKS
from relax.tasks.problem import Problem

logger = logging.getLogger("relax")


def make_problems(
    settings: DataSettings, out: str | Path, run: Run, agree: Callable[[str, str], bool] = same_text
) -> None:
    """Write ``train.jsonl`` and ``test.jsonl`` below ``out``, and ``images/`` where problems have some.

    Args:
        settings: the configuration's ``data``.
        out: folder.
        run: the record to finish.
        agree: whether two answers of a data set to one problem say the same.

    Raises:
        DataError: a split would be empty or cannot be made.
    """
    out = Path(out)
    splits = {}
    for name, problems in _splits(settings, out, run, agree).items():
        splits[name] = list(problems)
        if not splits[name]:
            raise DataError(f"the {name} split is empty; ask for at least one problem (data.{name}_problems).")
    outputs = []
    for name, problems in splits.items():
        path = out / f"{name}.jsonl"
        run.metrics[f"{name}_problems"] = write_problems(path, problems)
        outputs.append(path)
    if (out / "images").is_dir():
        outputs.append(out / "images")
    run.seeds["data"] = settings.seed
    run.finish(out, outputs)


def _splits(
    settings: DataSettings, out: Path, run: Run, agree: Callable[[str, str], bool]
) -> dict[str, Iterable[Problem]]:
    asked, make = settings.recorded(), TASKS[settings.source].problems
    for source, key in (("file", "files"), ("hub", "datasets")):
        if getattr(settings, key) and settings.source != source:
            logger.warning("data.%s is not read, as data.source is %s and not %s", key, settings.source, source)
    if make is None:
        from relax.data.hub import load_problems

        train, test = load_problems(asked, out, run, agree)
        return {"train": train, "test": test}
    from relax.data.images import keep

    beside = partial(keep, folder=out)
    return {split: make(asked, asked[f"{split}_problems"], split, beside) for split in ("train", "test")}
