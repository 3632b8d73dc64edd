"""Problems from data sets of the hub, read from the local cache, or from a local copy of the same columns."""

import hashlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import pyarrow
from huggingface_hub import snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError

from relax.data.images import Archive, keep, locate
from relax.data.problem import IMAGE, Problem
from relax.errors import DataError, MachineError

logger = logging.getLogger("relax")


def load_problems(settings: dict[str, Any], out: Path) -> tuple[list[Problem], list[Problem]]:
    """Training and held-out problems from every data set listed.

    The ``test_problems`` whose prompts have the smallest SHA-1 are held out, whatever the order of the rows.

    Args:
        settings: the configuration's ``data``; each entry of ``datasets`` names repo, revision, split,
            the columns of prompt, answer and images, and which rows to keep.
        out: folder of the problem files; images are put below it.

    Raises:
        DataError: a column is missing, a row's value is empty, or an image cannot be used.
        MachineError: a data set is not in the local cache.
    """
    problems = [problem for source in settings["datasets"] for problem in _read(source, out)]
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


def _read(source: dict[str, Any], out: Path) -> Iterator[Problem]:
    name = source["repo"]
    if source["path"] is not None:
        path = Path(source["path"])
        yield from _problems(_file_rows(path), source, out, _archive(path.parent, source))
        return
    if source["revision"] == "unpinned":
        raise MachineError(
            f"{name}: its revision is not pinned; write the commit `relax fetch` prints into the config."
        )
    if source["file"] is not None:
        # Where images lie beside the table, `datasets` would make a data set of the images alone.
        try:
            folder = Path(
                snapshot_download(name, repo_type="dataset", revision=source["revision"], local_files_only=True)
            )
        except LocalEntryNotFoundError as error:
            raise MachineError(
                f"{name}: not in the local cache; run `relax fetch` with the same configuration."
            ) from error
        yield from _problems(_file_rows(folder / source["file"]), source, out, _archive(folder, source))
        return
    yield from _problems(load_split(name, source["revision"], source["config"], source["split"]), source, out)


def _file_rows(path: Path) -> datasets.Dataset:
    """The rows of a Parquet or JSON lines file, nothing decoded.

    Raises:
        DataError: there is no such file, or it is not one of the two.
    """
    readers = {".parquet": datasets.Dataset.from_parquet, ".jsonl": datasets.Dataset.from_json}
    if path.suffix not in readers:
        raise DataError(f"{path}: expected a file in JSON lines (.jsonl) or Parquet (.parquet).")
    if not path.is_file():
        raise DataError(f"{path}: no such file of problems.")
    try:
        return readers[path.suffix](str(path))
    except (OSError, ValueError, pyarrow.ArrowException, datasets.exceptions.DatasetGenerationError) as error:
        raise DataError(f"{path}: cannot be read as a table of problems ({type(error).__name__}).") from error


def _archive(folder: Path, source: dict[str, Any]) -> Path | Archive:
    """Where the paths of images lead: into a folder or an archive in it."""
    return folder if source["archive"] is None else Archive(folder / source["archive"])


def _problems(
    rows: datasets.Dataset, source: dict[str, Any], out: Path, place: Path | Archive | None = None
) -> Iterator[Problem]:
    name = source["repo"]
    shown = [] if source["images"] is None else [source["images"]]
    for column in (source["prompt"], source["answer"], *shown, *source["where"]):
        if column not in rows.column_names:
            known = ", ".join(rows.column_names)
            raise DataError(f"{name}, split {source['split']}: no column {column!r}; there are {known}.")
    for column in shown:
        rows = _undecoded(rows, column)
    for number, row in enumerate(rows):
        if any(row[column] not in values for column, values in source["where"].items()):
            continue
        where = f"{name}, split {source['split']}, row {number}"
        prompt, answer = str(row[source["prompt"]] or ""), str(row[source["answer"]] or "")
        if not prompt or not answer:
            raise DataError(f"{where}: empty prompt or answer.")
        images = tuple(_images(row, column, where, place, out) for column in shown)
        flat = tuple(image for kept in images for image in kept)
        if IMAGE in prompt and prompt.count(IMAGE) != len(flat):
            raise DataError(f"{where}: the prompt has {prompt.count(IMAGE)} places for {len(flat)} images.")
        yield Problem(id=f"{name}/{number}", prompt=prompt, answer=answer, source=name, images=flat)


def _undecoded(rows: datasets.Dataset, column: str) -> datasets.Dataset:
    """The column's images as they are stored, not as pictures."""
    feature = rows.features[column]
    if isinstance(feature, datasets.Image):
        return rows.cast_column(column, datasets.Image(decode=False))
    if isinstance(feature, datasets.List) and isinstance(feature.feature, datasets.Image):
        return rows.cast_column(column, datasets.List(datasets.Image(decode=False)))
    return rows


def _images(row: Mapping[str, Any], column: str, where: str, place: Path | Archive | None, out: Path) -> list[str]:
    cells = row[column]
    cells = [] if cells is None else cells if isinstance(cells, list) else [cells]
    try:
        return [keep(locate(cell, place), out) for cell in cells]
    except ValueError as error:
        raise DataError(f"{where}: {error}.") from error
