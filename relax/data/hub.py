"""Problems from data sets of the hub, read from the local cache."""

import hashlib
from collections.abc import Iterator
from typing import Any

import datasets

from relax.data.problem import Problem
from relax.errors import DataError, MachineError


def load_problems(settings: dict[str, Any]) -> tuple[list[Problem], list[Problem]]:
    """Training and held-out problems from every data set listed.

    The ``test_problems`` whose prompts have the smallest SHA-1 are held out, whatever the order of the rows.

    Args:
        settings: the configuration's ``data``; each entry of ``datasets`` names repo, revision, split,
            the columns of prompt and answer, and which rows to keep.

    Raises:
        DataError: a column is missing or a row's value is empty.
        MachineError: a data set is not in the local cache.
    """
    problems = [problem for source in settings["datasets"] for problem in _read(source)]
    ranked = sorted(problems, key=lambda p: hashlib.sha1(p.prompt.encode()).digest())
    held_out = {p.id for p in ranked[: settings["test_problems"]]}
    return [p for p in problems if p.id not in held_out], [p for p in problems if p.id in held_out]


def _read(source: dict[str, Any]) -> Iterator[Problem]:
    name = source["repo"]
    if source["revision"] == "unpinned":
        raise MachineError(
            f"{name}: its revision is not pinned; write the commit `relax fetch` prints into the config."
        )
    try:
        rows = datasets.load_dataset(name, source["config"], split=source["split"], revision=source["revision"])
    except (OSError, ValueError) as error:
        reason = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        raise MachineError(f"{name}: not in the local cache ({reason}); run `relax fetch`.") from error
    yield from _problems(rows, source)


def _problems(rows: datasets.Dataset, source: dict[str, Any]) -> Iterator[Problem]:
    name = source["repo"]
    for column in (source["prompt"], source["answer"], *source["where"]):
        if column not in rows.column_names:
            known = ", ".join(rows.column_names)
            raise DataError(f"{name}, split {source['split']}: no column {column!r}; there are {known}.")
    for number, row in enumerate(rows):
        if any(row[column] not in values for column, values in source["where"].items()):
            continue
        prompt, answer = str(row[source["prompt"]] or ""), str(row[source["answer"]] or "")
        if not prompt or not answer:
            raise DataError(f"{name}, split {source['split']}, row {number}: empty prompt or answer.")
        yield Problem(id=f"{name}/{number}", prompt=prompt, answer=answer, source=name)
