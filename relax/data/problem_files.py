"""The file format of problems, JSON lines: :class:`relax.tasks.problem.Problem`, one a line."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from relax.errors import DataError
from relax.files import atomic_write
from relax.reading import read_json_lines
from relax.records.record import check_recorded
from relax.tasks import TASKS, VERIFIED
from relax.tasks.problem import Problem

#: Fields that every row has; the others stand there where they say something.
FIELDS = ("id", "prompt", "answer", "source")
OPTIONAL = ("cluster", "variant", "subset", "dependence")


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


def check_problem(source: str, prompt: str, answer: str) -> None:
    """Refuse a problem that has the source of a task with a verifier of its own and is none of its problems.

    Raises:
        ValueError: says what the task's problems are.
    """
    answer_to = TASKS[source].answer_to if source in VERIFIED else None
    if answer_to is None:
        return
    expected = answer_to(prompt)
    if expected is None:
        raise ValueError(
            f"source {source!r} is a task with a verifier of its own, and the prompt is none of its problems; give the "
            "data another source, and its answers are compared"
        )
    if expected != answer:
        raise ValueError(f"the answer is {answer!r}, the task {source!r} has {expected!r} for this prompt")


def _parse(row: Mapping[str, Any], where: str, folder: Path) -> Problem:
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
        check_problem(row["source"], row["prompt"], row["answer"])
    except ValueError as error:
        raise DataError(f"{where}: {error}.") from error
    further = {field: str(row[field]) for field in OPTIONAL if row.get(field)}
    return Problem(
        **{field: row[field] for field in FIELDS}, images=tuple(str(folder / name) for name in images), **further
    )
