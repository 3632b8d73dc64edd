"""One schema for every problem, whatever it comes from, and its file format (JSON lines)."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from relax.errors import DataError
from relax.files import atomic_write
from relax.reading import read_json_lines
from relax.records.record import check_recorded

#: One problem in eight is held out for evaluation.
TEST_SHARE = 8
#: Where an image stands in a prompt; without any, the images stand before the text.
IMAGE = "<image>"


@dataclass(frozen=True)
class Problem:
    """A prompt with a verifiable answer.

    Attributes:
        id: unique within a file.
        prompt: what the policy sees.
        answer: the gold answer, as text.
        source: the task or data set it comes from; it decides the verifier.
        images: files, in the order in which the prompt shows them (all before its text unless it has places for
            them, ``<image>``); in a problem file relative to its folder.
        cluster: problems of one cluster are variants of one problem; empty where there are no variants.
        variant: what was changed in this one.
        subset: part of the task for a break-down, such as a family of problems.
        dependence: ``"visual"`` where the images are needed, ``"text"`` where the prompt says all; empty if unknown.
    """

    id: str
    prompt: str
    answer: str
    source: str
    images: tuple[str, ...] = ()
    cluster: str = ""
    variant: str = ""
    subset: str = ""
    dependence: str = ""


#: Fields that every row has; the others stand there where they say something.
FIELDS = ("id", "prompt", "answer", "source")
OPTIONAL = ("cluster", "variant", "subset", "dependence")


def split_of(text: str) -> str:
    """``"test"`` for one problem in eight, decided by the SHA-1 of its text, else ``"train"``."""
    return "test" if hashlib.sha1(text.encode()).digest()[0] % TEST_SHARE == 0 else "train"


def write_problems(path: str | Path, problems: Iterable[Problem]) -> int:
    """Write one JSON object a line, atomically; returns how many."""
    lines = [json.dumps(_row(p), ensure_ascii=False) for p in problems]
    atomic_write(path, "\n".join(lines) + "\n" if lines else "")
    return len(lines)


def _row(problem: Problem) -> dict[str, Any]:
    return {name: value for name, value in asdict(problem).items() if value or name in FIELDS}


def read_problems(path: str | Path) -> list[Problem]:
    """Read a problem file; images are given as paths that can be opened.

    Raises:
        DataError: the file is missing, empty or not what its record says, a row is not a problem, an image is not
            there, or a row has the source of a task of ours and is none of its problems; names file and line.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such problem file.")
    check_recorded(path)
    rows, seen = [], set()
    for where, _, row in read_json_lines(path, "problems"):
        problem = _parse(row, where, path.parent)
        if problem.id in seen:
            raise DataError(f"{where}: id {problem.id!r} stands there twice; ids must be unique.")
        seen.add(problem.id)
        rows.append(problem)
    return rows


def _parse(row: Mapping[str, Any], where: str, folder: Path) -> Problem:
    from relax.data.tasks import check  # the tasks make problems, so they import this module

    for field in FIELDS:
        if not isinstance(row.get(field), str) or not row[field].strip():
            found = f"found {row[field]!r}" if field in row else "it is missing"
            raise DataError(f"{where}: {field!r} must be a non-empty string, {found}.")
    images = row.get("images", [])
    if not isinstance(images, list) or not all(isinstance(name, str) for name in images):
        raise DataError(f"{where}: 'images' must be a list of paths, found {images!r}.")
    for name in images:
        if not (folder / name).is_file():
            raise DataError(f"{where}: no image {folder / name}; the images belong beside the problem file.")
    try:
        check(row["source"], row["prompt"], row["answer"])
    except ValueError as error:
        raise DataError(f"{where}: {error}.") from error
    further = {field: str(row[field]) for field in OPTIONAL if row.get(field)}
    return Problem(
        **{field: row[field] for field in FIELDS}, images=tuple(str(folder / name) for name in images), **further
    )
