"""Rows of a file of JSON lines, CSV or Parquet, with their values as they are written there.

Libraries that guess the types of columns change answers: "007" becomes 7, "3.10" becomes 3.1, a date a time stamp.
Nothing is guessed here: the text of a JSON file is text, its numbers keep their digits, every cell of a CSV file is
text, and a Parquet file says its types itself.
"""

import csv
import io
import math
from collections.abc import Iterator, Mapping
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet

from relax.errors import DataError
from relax.reading import Written, json_lines, kind, parse_json, read_text

Row = Mapping[str, Any]
#: Formats of files by their endings.
FORMATS = {".jsonl": "json", ".json": "json", ".csv": "csv", ".parquet": "parquet"}

csv.field_size_limit(2**31 - 1)  # images in base64 are longer than the module's own limit


def read_rows(path: str | Path, what: str) -> Iterator[tuple[str, Row]]:
    """(file and place in words, row) of every row of a file; its ending says what it is.

    Args:
        path: of JSON lines (or one list of JSON objects), CSV in UTF-8 with a line of names, or Parquet.
        what: what the rows are, in the plural, for the messages.

    Raises:
        DataError: the file cannot be read, has another ending, holds no row, or a row is broken; names file and place.
    """
    form = FORMATS.get(Path(path).suffix)
    if form is None:
        raise DataError(f"{path}: expected a file in JSON lines (.jsonl), CSV (.csv) or Parquet (.parquet).")
    return read_file(Path(path), form, str(path), what)


def read_file(
    path: Path, form: str, name: str, what: str, field: str | None = None, separator: str = ","
) -> Iterator[tuple[str, Row]]:
    """As :func:`read_rows`, of a file whose format is known.

    Args:
        path: of the file.
        form: ``json``, ``csv`` or ``parquet``.
        name: of the file, for the messages.
        what: as for :func:`read_rows`.
        field: of JSON, the key of one object that holds the list of rows.
        separator: of CSV, between cells.
    """
    if form == "parquet":
        return _parquet(path, name, what)
    text = read_text(path, what)
    if form == "csv":
        return _csv(text, name, what, separator)
    if field is None and not text.lstrip().startswith("["):
        return ((where, row) for where, _, row in json_lines(text, name, what, as_written=True))
    return _listed(text, name, what, field)


def text_of(cell: Any) -> str:
    """A cell as the text it is: numbers with the digits they are written with, yes and no as in JSON.

    Args:
        cell: text, a whole number, a number, a decimal, true or false, a day or a time.

    Returns:
        The text; of a float without a text of its own, the shortest that reads back as the same number.

    Raises:
        ValueError: the cell is empty, blank, no finite number, or a list or the like.
    """
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, Decimal):
        return format(cell, "f")
    if isinstance(cell, float) and not isinstance(cell, Written) and not math.isfinite(cell):
        raise ValueError(f"is {cell}; expected text or a finite number")
    if cell is not None and not isinstance(cell, str | int | float | date | time):
        raise ValueError(f"is of type {type(cell).__name__}; expected text or a number")
    text = "" if cell is None else str(cell)
    if not any(character.isprintable() and not character.isspace() for character in text):
        raise ValueError("is empty")
    return text


def _listed(text: str, name: str, what: str, field: str | None) -> Iterator[tuple[str, Row]]:
    rows = parse_json(text, name, as_written=True)
    if field is not None:
        rows = rows.get(field) if isinstance(rows, dict) else None
    if not isinstance(rows, list) or not rows:
        raise DataError(f"{name}: holds no {what}; expected a list of JSON objects.")
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise DataError(f"{name}, row {number}: expected a JSON object, found {kind(row)}.")
        yield f"{name}, row {number}", row


def _csv(text: str, name: str, what: str, separator: str) -> Iterator[tuple[str, Row]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    columns: list[str] | None = None
    empty = True
    while True:
        where = f"{name}, line {reader.line_num + 1}"
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise DataError(f"{where}: no CSV ({error}).") from error
        if cells is None:
            break
        if not cells:
            continue
        if columns is None:
            columns = cells
            if twice := {column for column in columns if columns.count(column) > 1}:
                raise DataError(f"{where}: the column {min(twice)!r} stands there twice.")
            continue
        if len(cells) != len(columns):
            raise DataError(
                f"{where}: {len(cells)} cells for {len(columns)} columns; put quotes around a cell that holds "
                f"{separator!r}, a quote or the end of a line."
            )
        empty = False
        yield where, dict(zip(columns, cells, strict=True))
    if empty:
        raise DataError(f"{name}: holds no {what}; expected a line of names and one line each.")


def _parquet(path: Path, name: str, what: str) -> Iterator[tuple[str, Row]]:
    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            short = [f.name for f in file.schema_arrow if f.type in (pyarrow.float16(), pyarrow.float32())]
            for batch in file.iter_batches(batch_size=256):
                for row in batch.to_pylist():
                    number += 1
                    # As Python's floats they would have digits that nobody wrote: 0.10000000149011612.
                    yield f"{name}, row {number}", row | {c: _short(row[c]) for c in short}
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]
        raise DataError(f"{name}: cannot be read ({reason}); expected a file of {what}.") from error
    except (pyarrow.ArrowException, ValueError, OverflowError) as error:
        raise DataError(f"{name}: no whole Parquet file ({str(error).splitlines()[0]}); fetch it again.") from error
    if not number:
        raise DataError(f"{name}: holds no {what}.")


def _short(number: float | None) -> float | None:
    return number if number is None or not math.isfinite(number) else Written(str(np.float32(number)))
