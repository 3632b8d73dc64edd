"""What the paper (arXiv 2512.07558) prints, read from ``relax/paper/transcribed/``.

Tables are exact decimals, and words say what its figures of ablations show. Light: the configuration checks names
against it.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

from relax.errors import DataError

FOLDER = Path(str(files("relax") / "paper" / "transcribed"))
AVERAGE, RERUN = "average_printed", "rerun_by_authors"
#: Joins the names of two methods in a row of printed gains.
LESS = " - "
TEXT = ("MATH500", "Minerva", "AMC22", "AMC23", "AIME24", "AIME25")
MULTIMODAL = ("MathVista", "MathVerse", "MathVision", "DynaMath", "MMMU", "MMStar", "EMMA")

#: What the printed scores are, in per cent; the multimodal ones are greedy.
METRICS = {
    "MATH500": "mean@1",
    "Minerva": "mean@1",
    "AMC22": "mean@32",
    "AMC23": "mean@32",
    "AIME24": "mean@32",
    "AIME25": "mean@32",
    **dict.fromkeys(MULTIMODAL, "mean@1"),
}

_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


@dataclass(frozen=True)
class Layout:
    """How a printed table lies in its file.

    Attributes:
        table: its name in the paper.
        file: in ``relax/paper/transcribed/``.
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

    @property
    def labels(self) -> int:
        """How many columns of words at the left it takes to name a row."""
        return self.words.index(self.names[-1]) + 1


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
        words: every word of the row, by column.
        numbers: by column as printed, digits included; None is a dash.
        average: as printed; None if there is none.
        rerun: the columns that the paper's authors made themselves with public models.
    """

    where: str
    names: tuple[str, ...]
    words: Mapping[str, str]
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

    @property
    def difference_of(self) -> tuple[str, str] | None:
        """(better method, base method) where the row holds printed gains."""
        better, less, base = self.names[-1].partition(LESS)
        return (better, base) if less else None

    def mean(self) -> Fraction | None:
        """Mean of the columns, recomputed; None with a dash among them."""
        numbers = [number for number in self.numbers.values() if number is not None]
        return Fraction(sum(numbers)) / len(numbers) if len(numbers) == len(self.numbers) else None

    def slack(self) -> Fraction:
        """How far rounding of the columns can shift their mean."""
        halves = [half_digit(number) for number in self.numbers.values() if number is not None]
        return sum(halves, Fraction(0)) / max(1, len(halves))


def half_digit(printed: Decimal) -> Fraction:
    """Half of the last printed digit: 1/20 for 7.0, 1/2 for 7."""
    return Fraction(10) ** int(printed.as_tuple().exponent) / 2


def fits(printed: Decimal, exact: Fraction) -> bool:
    """Is a printed value within half of its last digit?"""
    return abs(Fraction(printed) - exact) <= half_digit(printed)


def rounded(value: Fraction, digits: int) -> str:
    """As print would show it: with so many digits behind the point, a half rounded up."""
    quotient = Decimal(value.numerator) / Decimal(value.denominator)
    return str(quotient.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


def beside(gains: Row, method: str, rows: Sequence[Row]) -> Row:
    """The row of a method that printed gains are taken of.

    Raises:
        DataError: there is none of the same model.
    """
    for row in rows:
        if row.names == (*gains.names[:-1], method):
            return row
    raise DataError(f"{gains.where}: gains of {gains.names[-1]!r}, but no row {method!r} of the same model.")


def read_table(layout: Layout, folder: Path = FOLDER) -> list[Row]:
    """The rows of a printed table, in print order.

    Raises:
        DataError: the file cannot be read, is cut off, or a row does not fit the layout; names file and line.
    """
    path = folder / layout.file
    return [_row(layout, where, fields) for where, fields in read_lines(path, layout.table, layout.header)]


@dataclass(frozen=True)
class Statement:
    """What the paper says of one arm of an ablation, where it prints no number.

    Attributes:
        figure: name of the ablation, such as ``figure-4``.
        arm: its label.
        words: the statement, in our words.
        quantity: what can be held against it: one of ``QUANTITIES``, or nothing.
        direction: ``higher``, ``lower`` or ``not higher``; nothing without a quantity.
        than: label of the arm compared with; nothing for the first one.
        source: in the paper.
    """

    figure: str
    arm: str
    words: str
    quantity: str
    direction: str
    than: str
    source: str


STATEMENTS = "ablations.csv"
QUANTITIES = ("reward", "entropy", "dsd", "score")
DIRECTIONS = ("higher", "lower", "not higher")


def read_statements(folder: Path = FOLDER) -> list[Statement]:
    """What is known of the paper's figures of ablations, in file order.

    Raises:
        DataError: as :func:`read_table`.
    """
    header = ["figure", "arm", "statement", "quantity", "direction", "than", "source"]
    found = []
    for where, fields in read_lines(folder / STATEMENTS, "what the paper's figures show", header):
        one = Statement(*fields)
        if (one.quantity and one.quantity not in QUANTITIES) or (one.direction and one.direction not in DIRECTIONS):
            raise DataError(f"{where}: expected one of {', '.join(QUANTITIES)} and of {', '.join(DIRECTIONS)}.")
        if bool(one.quantity) != bool(one.direction):
            raise DataError(f"{where}: give quantity and direction, or none of them.")
        found.append(one)
    return found


def read_lines(path: Path, what: str, header: list[str]) -> Iterator[tuple[str, list[str]]]:
    """(file and line in words, fields) of the rows behind the header of a CSV file of this package.

    Args:
        path: of the file.
        what: it holds, for the messages.
        header: names of the columns.

    Raises:
        DataError: it is missing, cut off or empty, or a row has another number of fields; names file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); expected {what} as CSV.") from error
    lines = list(csv.reader(text.splitlines()))
    if lines[:1] != [header]:
        raise DataError(f"{path}, line 1: expected the columns {','.join(header)}.")
    if not text.endswith("\n"):
        raise DataError(f"{path}, line {len(lines)}: the file is cut off (no line end); restore it.")
    if len(lines) == 1:
        raise DataError(f"{path}, line 2: no rows behind the header; restore the file.")
    for number, fields in enumerate(lines[1:], 2):
        where = f"{path}, line {number}"
        if len(fields) != len(header):
            raise DataError(f"{where}: {len(fields)} fields, expected {len(header)} as in the header.")
        yield where, fields


def _row(layout: Layout, where: str, fields: list[str]) -> Row:
    cells = dict(zip(layout.header, fields, strict=True))
    rerun = tuple(filter(None, cells.get(RERUN, "").split(";")))
    if unknown := [name for name in rerun if name not in layout.numbers]:
        raise DataError(f"{where}: {RERUN} names {unknown[0]!r}, expected some of {', '.join(layout.numbers)}.")
    return Row(
        where=where,
        names=tuple(cells[name] for name in layout.names),
        words={name: cells[name] for name in layout.words},
        numbers={column: _number(where, column, cells[column]) for column in layout.numbers},
        average=_number(where, AVERAGE, cells[AVERAGE]) if layout.averaged else None,
        rerun=rerun,
    )


def _number(where: str, column: str, text: str) -> Decimal | None:
    if text and not _NUMBER.fullmatch(text):
        raise DataError(f"{where}: {column} is {text!r}, expected a decimal number or nothing.")
    return Decimal(text) if text else None
