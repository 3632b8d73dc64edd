"""One schema for every problem, whatever it comes from, and its file format (JSON lines)."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from relax.errors import DataError
from relax.files import atomic_write, read_json_lines

#: One problem in eight is held out for evaluation.
TEST_SHARE = 8


@dataclass(frozen=True)
class Problem:
    """A prompt with a verifiable answer.

    Attributes:
        id: unique within a file.
        prompt: what the policy sees.
        answer: the gold answer, as text.
        source: the task or data set it comes from; it decides the verifier.
    """

    id: str
    prompt: str
    answer: str
    source: str


FIELDS = tuple(Problem.__dataclass_fields__)


def split_of(text: str) -> str:
    """``"test"`` for one problem in eight, decided by the SHA-1 of its text, else ``"train"``."""
    return "test" if hashlib.sha1(text.encode()).digest()[0] % TEST_SHARE == 0 else "train"


def write_problems(path: str | Path, problems: Iterable[Problem]) -> int:
    """Write one JSON object a line, atomically; returns how many."""
    lines = [json.dumps(asdict(p), ensure_ascii=False) for p in problems]
    atomic_write(path, "\n".join(lines) + "\n" if lines else "")
    return len(lines)


def read_problems(path: str | Path) -> list[Problem]:
    """Read a problem file.

    Raises:
        DataError: the file is missing, empty, or a row is not a problem; names file and line.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such problem file.")
    rows, seen = [], set()
    for where, _, row in read_json_lines(path, "problems"):
        problem = _parse(row, where)
        if problem.id in seen:
            raise DataError(f"{where}: id {problem.id!r} stands there twice; ids must be unique.")
        seen.add(problem.id)
        rows.append(problem)
    return rows


def _parse(row: Mapping[str, Any], where: str) -> Problem:
    for field in FIELDS:
        if not isinstance(row.get(field), str) or not row[field]:
            found = f"found {row[field]!r}" if field in row else "it is missing"
            raise DataError(f"{where}: {field!r} must be a non-empty string, {found}.")
    return Problem(**{field: row[field] for field in FIELDS})
