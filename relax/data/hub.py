"""Problems from data sets of the hub, read from the local cache or a local copy, and from files of the user's own."""

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from relax.data.cells import ABSENT, cell_at, gold_of, prompt_of, told
from relax.data.copies import distinct, same_text
from relax.data.hub_cache import cached
from relax.data.images import Archive, keep, locate
from relax.data.splits import load_split
from relax.data.tables import Row, read_rows, text_of
from relax.data.verl import IMAGES, subset_of
from relax.errors import DataError, MachineError
from relax.records.record import Run
from relax.tasks import VERIFIED
from relax.tasks.problem import IMAGE, Problem

logger = logging.getLogger("relax")

Value = TypeVar("Value")


def load_problems(
    settings: dict[str, Any], out: Path, run: Run | None = None, agree: Callable[[str, str], bool] = same_text
) -> tuple[list[Problem], list[Problem]]:
    """Training and held-out problems from every data set or file listed.

    Equal prompts with equal images are one problem, that of the first row. The ``test_problems`` whose prompts have
    the smallest SHA-1 are held out, whatever the order of the rows; or all problems of the files that are held out.

    Args:
        settings: the configuration's ``data``; each entry of ``datasets`` names repo, revision, split,
            the columns of prompt, answer and images, and which rows to keep; an entry of ``files`` the same of a file.
            With the ``format`` ``verl`` a row also says its subset, and has its images in the column of veRL.
        out: folder of the problem files; images are put below it.
        run: the record; told in ``copies_left_out`` how many rows were left out because an earlier one asks the same,
            and in ``turns_left_out`` of how many conversations other turns than the problem's were, if of any.
        agree: whether two answers to one problem say the same.

    Raises:
        DataError: a file cannot be read, a column is missing, a row's value is empty or no text, an image cannot be
            used, two rows answer one problem differently, or nothing is left to train on.
        MachineError: a data set is not in the local cache.
    """
    listed = _as_data_sets(settings["files"]) if settings.get("source") == "file" else settings["datasets"]
    sources = list(_named(listed))
    shortened: list[tuple[str, list[str]]] = []
    reading = _Reading(out, agree, settings.get("format") == "verl", shortened)
    rows = (row for prefix, source in sources for row in _read(source, prefix, reading))
    problems, copies = distinct(rows, agree)
    if copies:
        logger.warning(
            "data: %d of %d rows ask what an earlier row asks and are left out, the first is %s",
            len(copies),
            len(copies) + len(problems),
            copies[0],
        )
    if shortened:
        where, turns = shortened[0]
        logger.warning(
            "data: %d conversations have turns beside the problem's, which are left out; that of %s begins with %r. A "
            "system turn for all problems is written as prompt.system",
            len(shortened),
            where,
            told(turns),
        )
    if run is not None:
        run.metrics["copies_left_out"] = len(copies)
        if shortened:
            run.metrics["turns_left_out"] = len(shortened)
    apart = [prefix for prefix, source in sources if source.get("held_out")]
    if apart:
        held_out = {p.id for p in problems if p.id.rpartition("/")[0] in apart}
    elif len(problems) > settings["test_problems"]:
        ranked = sorted(problems, key=lambda p: hashlib.sha1(p.prompt.encode()).digest())
        held_out = {p.id for p in ranked[: settings["test_problems"]]}
    else:
        raise DataError(
            f"data.test_problems holds out {settings['test_problems']} problems and there are {len(problems)}; none "
            "is left to train on."
        )
    if len(held_out) == len(problems):
        raise DataError("every problem stands in a file that is held out; none is left to train on (data.files).")
    below = f"\n{settings['instruction']}" if settings["instruction"] else ""
    asked = [replace(p, prompt=p.prompt + below) for p in problems]
    return [p for p in asked if p.id not in held_out], [p for p in asked if p.id in held_out]


@dataclass(frozen=True)
class _Reading:
    """What holds for every source.

    Attributes:
        out: images are put below it.
        agree: whether two answers say the same.
        verl: rows are in the format of veRL.
        shortened: gets the place of every conversation whose other turns are left out, and these turns.
    """

    out: Path
    agree: Callable[[str, str], bool] = same_text
    verl: bool = False
    shortened: list[tuple[str, list[str]]] = field(default_factory=list)


def _as_data_sets(files: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Entries of ``files`` as those of ``datasets``, the held-out ones first: what stands in both is held out."""
    entries = [{**file, "repo": Path(file["path"]).name, "split": None} for file in files]
    return sorted(entries, key=lambda entry: not entry["held_out"])


def _named(sources: Iterable[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each entry with what the ids of its problems begin with: its name, and its number from the second one on."""
    seen: Counter[str] = Counter()
    for source in sources:
        seen[source["repo"]] += 1
        number = seen[source["repo"]]
        yield source["repo"] if number == 1 else f"{source['repo']}#{number}", source


def _read(source: dict[str, Any], prefix: str, reading: _Reading) -> Iterator[tuple[str, Problem]]:
    name = source["repo"]
    if source["path"] is not None:
        path = Path(source["path"])
        yield from _problems(read_rows(path, "problems"), source, prefix, reading, _archive(path.parent, source))
        return
    if source["revision"] == "unpinned":
        raise MachineError(
            f"{name}: its revision is not pinned; write the commit `relax fetch` prints into the config."
        )
    if source["file"] is not None:
        # Where images lie beside the table, `datasets` would make a data set of the images alone.
        folder = cached(name, "dataset", source["revision"])
        if folder is None:
            raise MachineError(f"{name}: not in the local cache; run `relax fetch` with the same configuration.")
        rows = read_rows(folder / source["file"], "problems")
        yield from _problems(rows, source, prefix, reading, _archive(folder, source))
        return
    rows = load_split(name, source["revision"], source["config"], source["split"], "problems")
    yield from _problems(rows, source, prefix, reading)


def source_of(name: str) -> str:
    """The source of the problems of a data set: its name, unless that is a task's, whose verifier reads no gold."""
    return f"data set {name}" if name in VERIFIED else name


def _archive(folder: Path, source: dict[str, Any]) -> Path | Archive:
    """Where the paths of images lead: into a folder or an archive in it."""
    return folder if source["archive"] is None else Archive(folder / source["archive"])


def _problems(
    rows: Iterable[tuple[str, Row]],
    source: dict[str, Any],
    prefix: str,
    reading: _Reading,
    place: Path | Archive | None = None,
) -> Iterator[tuple[str, Problem]]:
    """(place of the row in words, problem) of every row that is kept."""
    name, kept, columns, kind = source["repo"], 0, "", source.get("subset")
    images = source["images"]
    key = "datasets" if source["split"] else "files"
    called = f"{name}, split {source['split']}" if source["split"] else source["path"]
    unseen = {*source["where"], *([] if images is None else [images])}
    pictures = IMAGES if images is None and reading.verl else images
    for number, (where, row) in enumerate(rows):
        # A row of JSON lines may lack what others have.
        columns = columns or ", ".join(row)
        unseen = {column for column in unseen if cell_at(row, column) is ABSENT}
        if any(cell_at(row, column) not in values for column, values in source["where"].items()):
            continue
        prompt, turns = _cell(row, source["prompt"], where, prompt_of)
        answer = _cell(row, source["answer"], where, partial(gold_of, agree=reading.agree))
        if turns:
            reading.shortened.append((where, turns))
        seen = ABSENT if pictures is None else cell_at(row, pictures)
        shown = _images(None if seen is ABSENT else seen, where, place, reading.out)
        if IMAGE in prompt and prompt.count(IMAGE) != len(shown):
            raise DataError(f"{where}: the prompt has {prompt.count(IMAGE)} places for {len(shown)} images.")
        kept += 1
        identity = f"{prefix}/{number}"
        subset = _cell(row, kind, where, text_of) if kind is not None else subset_of(row) if reading.verl else ""
        yield where, Problem(identity, prompt, answer, source_of(name), images=tuple(shown), subset=subset)
    if unseen:
        raise DataError(f"{called}: no column {min(unseen)!r}; there are {columns}.")
    if not kept:
        raise DataError(
            f"{called}: no row has the values that data.{key}[].where asks for; numbers and texts differ, and in a CSV "
            "file all is text."
        )


def _cell(row: Row, column: str, where: str, read: Callable[[Any], Value]) -> Value:
    cell = cell_at(row, column)
    if cell is ABSENT:
        raise DataError(f"{where}: no column {column!r}; there are {', '.join(row)}.")
    try:
        return read(cell)
    except ValueError as error:
        raise DataError(f"{where}: {column!r} {error}.") from error


def _images(cells: Any, where: str, place: Path | Archive | None, out: Path) -> list[str]:
    cells = [] if cells is None else cells if isinstance(cells, list) else [cells]
    try:
        return [keep(locate(cell, place), out) for cell in cells]
    except ValueError as error:
        raise DataError(f"{where}: {error}.") from error
