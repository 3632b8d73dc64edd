"""The ``data`` stage: training and held-out problems from the configuration."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from relax.data import answer_prior, countdown, noisy_sum, visual
from relax.data.copies import same_text
from relax.data.problem import Problem, write_problems
from relax.errors import DataError
from relax.records.record import Run


def build(settings: dict[str, Any], out: str | Path, run: Run, agree: Callable[[str, str], bool] = same_text) -> None:
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
    if settings["source"] == "hub":
        from relax.data.hub import load_problems

        train, test = load_problems(settings, out, run, agree)
    elif settings["source"] == "visual":
        asked = {"train": settings["train_problems"], "test": settings["test_problems"]}
        made = {
            split: visual.problems(settings["visual"], n, split, settings["seed"], out, settings["instruction"])
            for split, n in asked.items()
        }
        train, test = made["train"], made["test"]
    else:
        train, test = (_of_text(settings, settings[f"{split}_problems"], split) for split in ("train", "test"))
    splits = {}
    for name, problems in (("train", train), ("test", test)):
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
    run.seeds["data"] = settings["seed"]
    run.finish(out, outputs)


def _of_text(settings: dict[str, Any], n: int, split: str) -> Iterator[Problem]:
    if settings["source"] == "answer-prior":
        share = settings["answer_prior"]["easy_share"]
        return answer_prior.problems(n, split, settings["digits"], share, settings["seed"])
    if settings["source"] == "countdown":
        return countdown.problems(n, split, settings["countdown"]["numbers"], settings["seed"])
    return noisy_sum.problems(n, split, settings["digits"], settings["seed"])
