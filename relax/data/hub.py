"""Problems from data sets of the hub, read from the local cache."""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import datasets
from huggingface_hub import snapshot_download

from relax.data.problem import Problem
from relax.errors import DataError, MachineError

logger = logging.getLogger("relax")


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
    below = f"\n{settings['instruction']}" if settings["instruction"] else ""
    asked = [replace(p, prompt=p.prompt + below) for p in problems]
    return [p for p in asked if p.id not in held_out], [p for p in asked if p.id in held_out]


def load_split(repo: str, revision: str, config: str | None, split: str) -> datasets.Dataset:
    """A split of a data set, from the local cache.

    Args:
        repo: name on the hub.
        revision: commit; ``unpinned``, where nobody knows one to pin, reads the newest in the cache and says so.
        config: configuration (subset), or None.
        split: name of the split.

    Raises:
        MachineError: the data set is not in the local cache.
    """
    commit = None if revision == "unpinned" else revision
    if commit is None:
        logger.warning("%s: no commit is known to pin; the newest one is read", repo)
    try:
        try:
            return datasets.load_dataset(repo, config, split=split, revision=commit)
        except ConnectionError:
            # Offline, `datasets` looks into its own cache alone; what `relax fetch` brings stands in the hub's.
            folder = snapshot_download(repo, repo_type="dataset", revision=commit, local_files_only=True)
            return datasets.load_dataset(folder, config, split=split)
    except (OSError, ValueError) as error:
        raise MachineError(
            f"{repo} at {revision[:12]}, split {split}: not in the local cache ({type(error).__name__}); run `relax "
            "fetch`, or name a file in its place where there is a `path`."
        ) from error


def _read(source: dict[str, Any]) -> Iterator[Problem]:
    name = source["repo"]
    if source["revision"] == "unpinned":
        raise MachineError(
            f"{name}: its revision is not pinned; write the commit `relax fetch` prints into the config."
        )
    yield from _problems(load_split(name, source["revision"], source["config"], source["split"]), source)


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
