"""The numbers printed in the paper (arXiv 2512.07558), read from ``results/paper/`` as exact decimals."""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from relax.config import REPOSITORY
from relax.errors import DataError

FOLDER = REPOSITORY / "results" / "paper"
AVERAGE, RERUN = "average_printed", "rerun_by_authors"
TEXT = ("MATH500", "Minerva", "AMC22", "AMC23", "AIME24", "AIME25")
MULTIMODAL = ("MathVista", "MathVerse", "MathVision", "DynaMath", "MMMU", "MMStar", "EMMA")

_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


@dataclass(frozen=True)
class Layout:
    """How a printed table lies in its file.

    Attributes:
        table: its name in the paper.
        file: in ``results/paper/``.
        words: columns of words, the first ones of the file.
        names: those of them that name a row.
        numbers: columns of numbers, behind the words.
        averaged: are there a printed average and the authors' marks, the last two columns?
    """

    table: str
    file: str
    words: tuple[str, ...]
    names: tuple[str, ...]
    numbers: tuple[str, ...]
    averaged: bool = True

    @property
    def header(self) -> list[str]:
        return [*self.words, *self.numbers, *((AVERAGE, RERUN) if self.averaged else ())]


_METHODS = ("base_model", "size", "method")
COST = Layout(
    "Table 6", "table6_cost.csv", ("base_model", "component"), ("base_model", "component"),
    ("GRPO_seconds", "ReLaX_seconds", "increase_percent_printed"), averaged=False,
)  # fmt: skip
LAYOUTS = (
    Layout("Table 1", "table1_multimodal.csv", ("section", "model", "size"), ("model",), MULTIMODAL),
    Layout("Table 2", "table2_text.csv", _METHODS, _METHODS, TEXT),
    Layout("Table 5", "table5_families.csv", _METHODS, _METHODS, TEXT),
    COST,
)


@dataclass(frozen=True)
class Row:
    """A printed row.

    Attributes:
        where: file and line in words, for messages.
        names: the words that name it, such as ("Qwen2.5-base", "7B", "ReLaX").
        numbers: by column as printed, digits included; None is a dash.
        average: as printed; None if there is none.
        rerun: the columns that the paper's authors made themselves with public models.
    """

    where: str
    names: tuple[str, ...]
    numbers: Mapping[str, Decimal | None]
    average: Decimal | None = None
    rerun: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return ", ".join(self.names)

    @property
    def missing(self) -> list[str]:
        """Columns with a dash."""
        return [column for column, number in self.numbers.items() if number is None]


def read_table(layout: Layout, folder: Path = FOLDER) -> list[Row]:
    """The rows of a printed table, in print order.

    Raises:
        DataError: the file cannot be read, is cut off, or a row does not fit the layout; names file and line.
    """
    path = folder / layout.file
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); expected {layout.table} as CSV.") from error
    lines = list(csv.reader(text.splitlines()))
    if lines[:1] != [layout.header]:
        raise DataError(f"{path}, line 1: expected the columns {','.join(layout.header)}.")
    if not text.endswith("\n"):
        raise DataError(f"{path}, line {len(lines)}: the file is cut off (no line end); restore it.")
    if len(lines) == 1:
        raise DataError(f"{path}, line 2: no rows behind the header; restore the file.")
    return [_row(layout, f"{path}, line {number}", fields) for number, fields in enumerate(lines[1:], 2)]


def _row(layout: Layout, where: str, fields: list[str]) -> Row:
    if len(fields) != len(layout.header):
        raise DataError(f"{where}: {len(fields)} fields, expected {len(layout.header)} as in the header.")
    cells = dict(zip(layout.header, fields, strict=True))
    rerun = tuple(filter(None, cells.get(RERUN, "").split(";")))
    if unknown := [name for name in rerun if name not in layout.numbers]:
        raise DataError(f"{where}: {RERUN} names {unknown[0]!r}, expected some of {', '.join(layout.numbers)}.")
    return Row(
        where=where,
        names=tuple(cells[name] for name in layout.names),
        numbers={column: _number(where, column, cells[column]) for column in layout.numbers},
        average=_number(where, AVERAGE, cells[AVERAGE]) if layout.averaged else None,
        rerun=rerun,
    )


def _number(where: str, column: str, text: str) -> Decimal | None:
    if text and not _NUMBER.fullmatch(text):
        raise DataError(f"{where}: {column} is {text!r}, expected a decimal number or nothing.")
    return Decimal(text) if text else None
