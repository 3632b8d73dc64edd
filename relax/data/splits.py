"""A split of a data set of the hub, row by row, from the local cache."""

import contextlib
import logging
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import datasets

from relax.data.hub_cache import cached
from relax.data.tables import Row, read_file
from relax.errors import DataError, MachineError

logger = logging.getLogger("relax")

#: What `datasets` calls the files that are read here; it finds them, but guesses the types of their columns.
READ_HERE = ("json", "csv", "parquet")


def load_split(repo: str, revision: str, config: str | None, split: str, what: str) -> Iterator[tuple[str, Row]]:
    """(data set, file and place in words, row) of every row, images as they are stored.

    Args:
        repo: name on the hub.
        revision: commit; ``unpinned``, where nobody knows one to pin, reads the newest in the cache and says so.
        config: configuration (subset), or None.
        split: name of the split, or a part of one such as ``train[:100]``.
        what: what the rows are, in the plural, for the messages.

    Raises:
        DataError: there is no such configuration or split, or a file of it cannot be read.
        MachineError: the data set is not in the local cache.
    """
    commit = None if revision == "unpinned" else revision
    if commit is None:
        logger.warning("%s: no commit is known to pin; the newest one is read", repo)
    try:
        builder = _builder(repo, commit, config)
    except OSError as error:
        raise MachineError(
            f"{repo} at {revision[:12]}, split {split}: not in the local cache ({type(error).__name__}); run `relax "
            "fetch`, or name a file in its place where there is a `path`."
        ) from error
    except ValueError as error:
        there = re.findall(r"\[.*\]", str(error))
        raise DataError(f"{repo}: no configuration {config!r}; there are {there[0] if there else 'others'}.") from error
    if builder.name not in READ_HERE:
        yield from _decoded(builder, repo, split)
        return
    files = builder.config.data_files
    if split in files:
        yield from _rows(builder, repo, split, what)
        return
    try:
        wanted = datasets.ReadInstruction.from_spec(split)
        parts = wanted.to_absolute({str(name): sum(1 for _ in _rows(builder, repo, name, what)) for name in files})
    except (ValueError, AssertionError) as error:
        raise DataError(f"{repo}: no split {split!r}; there are {', '.join(map(str, files))}.") from error
    for part in parts:
        yield from islice(_rows(builder, repo, part.splitname, what), part.from_, part.to)


def _builder(repo: str, commit: str | None, config: str | None) -> datasets.DatasetBuilder:
    with contextlib.suppress(ConnectionError, ValueError):
        found = datasets.load_dataset_builder(repo, config, revision=commit)
        # Offline the library takes the newest of its own cache, whatever the commit; in the hub's all have their place.
        if found.name != "cache":
            return found
    folder = cached(repo, "dataset", commit)
    if folder is None:
        raise FileNotFoundError(repo)
    return datasets.load_dataset_builder(str(folder), config)


def _rows(builder: datasets.DatasetBuilder, repo: str, split: Any, what: str) -> Iterator[tuple[str, Row]]:
    settings, base = builder.config, f"{builder.base_path}/"
    field = getattr(settings, "field", None)
    separator = (settings.delimiter or settings.sep) if builder.name == "csv" else ","
    for file in settings.data_files[split]:
        # Fetches what lies elsewhere and unpacks what is packed.
        local = Path(datasets.DownloadManager().download_and_extract(str(file)))
        yield from read_file(local, builder.name, f"{repo}, {str(file).removeprefix(base)}", what, field, separator)


def _decoded(builder: datasets.DatasetBuilder, repo: str, split: str) -> Iterator[tuple[str, Row]]:
    """Rows of what is no table in one of the files that are read here, by the library."""
    try:
        builder.download_and_prepare()
        rows = builder.as_dataset(split)
    except (OSError, ValueError, datasets.exceptions.DatasetGenerationError) as error:
        reason = str(error.__cause__ or error).strip().split("\n")[0]
        raise DataError(f"{repo}, split {split}: cannot be read ({reason:.200}).") from error
    for column, feature in rows.features.items():
        if isinstance(feature, datasets.Image):
            rows = rows.cast_column(column, datasets.Image(decode=False))
        elif isinstance(feature, datasets.List) and isinstance(feature.feature, datasets.Image):
            rows = rows.cast_column(column, datasets.List(datasets.Image(decode=False)))
    for number, row in enumerate(rows, 1):
        yield f"{repo}, split {split}, row {number}", row
