"""A table as data. What a cell holds and shows is decided once, here, whatever the format."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from relax.paper.printed import rounded
from relax.results.intervals import Summary

MISSING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
DELTA = "\N{GREEK CAPITAL LETTER DELTA}"
#: Verdicts that a cell shows as a mark; the CSV file has the words.
MARKS = {"reproduced": "\N{BLACK CIRCLE}", "not reproduced": "\N{WHITE CIRCLE}"}


@dataclass(frozen=True)
class Estimate:
    """A cell: a summary over runs, and how many runs were asked for.

    Attributes:
        difference: to the row it is compared with, paired by seed; shown below, and in bold with an interval that
            leaves out zero.
    """

    summary: Summary
    asked: int
    difference: Summary | None = None


@dataclass(frozen=True)
class Compared:
    """A cell: a printed value, and ours beside it in the same unit.

    Attributes:
        printed: as in print, digits included; None is a dash.
        ours: None where nothing of ours stands for it.
        recomputed: what follows from other printed values; ours is then held against this.
        slack: how far the rounding of print reaches: half a digit, for ``recomputed`` the mean of such halves.
        marks: shown behind the printed value.
    """

    printed: Decimal | None
    ours: Estimate | None = None
    recomputed: Fraction | None = None
    slack: Fraction = Fraction(0)
    marks: str = ""

    @property
    def target(self) -> float | None:
        """What ours is held against."""
        value = self.printed if self.recomputed is None else self.recomputed
        return None if value is None else float(value)

    @property
    def difference(self) -> float:
        """Ours less the target; NaN where either is missing."""
        return math.nan if self.ours is None or self.target is None else self.ours.summary.mean - self.target

    @property
    def verdict(self) -> str:
        """``reproduced`` if the target, within its rounding, lies in our interval, else ``not reproduced``.

        ``not run`` without a run, ``no interval`` without one or with runs that agree to the last digit; nothing
        where there is nothing to compare.
        """
        if self.ours is None or self.target is None:
            return ""
        found = self.ours.summary
        if found.n == 0:
            return "not run"
        if math.isnan(found.half_width) or found.half_width <= 1e-9 * max(1.0, abs(found.mean)):
            return "no interval"
        inside = abs(self.difference) <= found.half_width + float(self.slack)
        return "reproduced" if inside else "not reproduced"


Value = Estimate | Compared | str | int | float | None


@dataclass(frozen=True)
class Column:
    """A column.

    Args:
        key: of the rows, and name in the CSV file.
        title: as shown.
        group: shown once above neighbouring columns that share it.
        spec: format specification of its numbers.
        difference: set a cell in bold when its interval leaves out zero.
        std: False keeps the standard deviation of its estimates to the CSV file.
        shown: False keeps a column to the CSV file.
    """

    key: str
    title: str
    group: str = ""
    spec: str = ".3f"
    difference: bool = False
    std: bool = True
    shown: bool = True


@dataclass(frozen=True)
class Table:
    """A table: ``rows`` map column keys to values; a key that is not there is an empty cell.

    Attributes:
        labels: so many columns at the left name a row; a name that the row above has too is not repeated, and a
            block of rows ends where one of them but the last changes.
    """

    name: str
    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Value], ...]
    labels: int = 0

    def bearing(self, fault: str) -> "Table":
        """The table with a sentence on what it rests on in its caption, and in a column of the CSV file; the same table
        where there is nothing to say."""
        if not fault:
            return self
        columns = (*self.columns, Column("fault", "fault", shown=False))
        rows = tuple({**row, "fault": fault} for row in self.rows)
        return replace(self, caption=f"{self.caption} {fault}", columns=columns, rows=rows)

    @property
    def shown(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.shown)

    def groups(self) -> list[tuple[str, int]]:
        """(group, number of columns) from left to right."""
        result: list[tuple[str, int]] = []
        for column in self.shown:
            if result and result[-1][0] == column.group:
                result[-1] = (column.group, result[-1][1] + 1)
            else:
                result.append((column.group, 1))
        return result

    def body(self) -> list[tuple[list["Cell"], bool]]:
        """(cells as shown, does a block of rows begin?) of every row."""
        result: list[tuple[list[Cell], bool]] = []
        above: list[Cell] = []
        for row in self.rows:
            cells = [cell(column, row.get(column.key)) for column in self.shown]
            names = cells[: self.labels]
            same = next((n for n, name in enumerate(names) if not above or name != above[n]), self.labels)
            result.append(([Cell("")] * same + cells[same:], bool(above) and same < self.labels - 1))
            above = names
        return result


@dataclass(frozen=True)
class Cell:
    """The words of a cell: number, half width of the interval, standard deviation, missing runs, lines below."""

    main: str
    half_width: str = ""
    std: str = ""
    runs: str = ""
    bold: bool = False
    below: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """What stands below the number, smaller."""
        spread = (f"± {self.half_width}" if self.half_width else "", f"s {self.std}" if self.std else "", self.runs)
        return tuple(filter(None, (*spread, *self.below)))

    @property
    def number(self) -> bool:
        """Is it set as a number?"""
        return self.main == MISSING or self.main.lstrip(f"+{MINUS}").replace(",", "")[:1].isdigit()


def cell(column: Column, value: Value) -> Cell:
    """What a cell shows, whatever the format of the table."""
    if isinstance(value, Compared):
        return _compared(column, value)
    if isinstance(value, Estimate):
        found, beside = value.summary, value.difference
        if found.n == 0 or math.isnan(found.mean):
            return Cell(MISSING)
        main, spread, runs = _number(found.mean, column.spec), column.spec.lstrip("+"), _runs(value)
        below: tuple[str, ...] = ()
        if beside is not None and beside.n:
            below = (f"{DELTA} {_number(beside.mean, '+' + spread)}",)
        if beside is not None and beside.n > 1:
            below += (f"± {_number(beside.half_width, spread)}",)
        if found.n == 1:
            return Cell(main, runs=runs, below=below)
        bold = (beside or found).verdict in ("rose", "fell") and (column.difference or beside is not None)
        std = _number(found.std, _finer(spread)) if column.std else ""
        return Cell(main, _number(found.half_width, spread), std, runs, bold, below)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return Cell(MISSING)
    return Cell(_number(value, column.spec) if isinstance(value, float) else str(value))


def _compared(column: Column, value: Compared) -> Cell:
    """The printed value; below it ours with its interval, then the difference and the mark of the verdict."""
    main = MISSING if value.printed is None else f"{value.printed}{value.marks}".replace("-", MINUS)
    if value.recomputed is not None and value.printed is not None:
        main += f" ({rounded(value.recomputed, -int(value.printed.as_tuple().exponent))})"
    if value.ours is None or value.ours.asked == 0:  # nothing of ours in the whole row
        return Cell(main)
    found, spec = value.ours.summary, column.spec
    if found.n == 0:
        return Cell(main, below=(MISSING,))
    below = [" ".join(filter(None, (_with_interval(found, spec), _runs(value.ours))))]
    if not math.isnan(value.difference):
        below.append(f"{_number(value.difference, '+' + spec.lstrip('+'))} {MARKS.get(value.verdict, '')}".rstrip())
    return Cell(main, below=tuple(below))


def _runs(value: Estimate) -> str:
    n = value.summary.n
    return f"({n} of {value.asked})" if 0 < n < value.asked else ""


def _with_interval(found: Summary, spec: str) -> str:
    """``70.2 ± 3.1``; without an interval, the number alone."""
    spread = "" if math.isnan(found.half_width) else f" ± {_number(found.half_width, spec.lstrip('+'))}"
    return _number(found.mean, spec) + spread


def _finer(spec: str) -> str:
    """One digit more: over two runs a standard deviation is a ninth of the interval's half width."""
    return re.sub(r"\d+", lambda digits: str(int(digits[0]) + 1), spec) if spec.endswith("f") else spec


def _number(value: float, spec: str) -> str:
    text = format(value, spec)
    if float(text.replace(",", "")) == 0:
        text = text.replace("-", "")  # no minus zero
    text = re.sub(r"e([+-])0*(\d+)", lambda m: f"e{m[1].strip('+')}{m[2]}", text)
    return text.replace("-", MINUS, 1) if text.startswith("-") else text
