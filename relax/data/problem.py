"""One schema for every problem, whatever it comes from, and its file format (JSON lines)."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from relax.errors import DataError
from relax.files import atomic_write

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
    # Not splitlines: JSON may hold characters such as U+2028 that it would cut at.
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip():
            continue
        problem = _parse(line, f"{path}, line {number}")
        if problem.id in seen:
            raise DataError(f"{path}, line {number}: id {problem.id!r} stands there twice; ids must be unique.")
        seen.add(problem.id)
        rows.append(problem)
    if not rows:
        raise DataError(f"{path}: holds no problems; expected one JSON object a line with {', '.join(FIELDS)}.")
    return rows


def _parse(line: str, where: str) -> Problem:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON ({error.msg} at column {error.colno}).") from error
    if not isinstance(row, dict):
        raise DataError(f"{where}: expected a JSON object, found {type(row).__name__}.")
    for field in FIELDS:
        if not isinstance(row.get(field), str) or not row[field]:
            found = f"found {row[field]!r}" if field in row else "it is missing"
            raise DataError(f"{where}: {field!r} must be a non-empty string, {found}.")
    return Problem(**{field: row[field] for field in FIELDS})
