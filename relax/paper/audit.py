"""``relax audit``: what does not follow from the paper's own printed numbers, with the arithmetic.

A printed value is right if it is within half of its last digit of what it is computed from, in exact
fractions. The numbers it is computed from are rounded too; where that alone could explain a difference, the
finding says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from relax.paper.marks import Mark, marks
from relax.paper.printed import COST, FOLDER, LAYOUTS, Row, beside, fits, half_digit, read_table, rounded


@dataclass(frozen=True)
class Check:
    """A printed value beside what follows.

    Attributes:
        table: name in the paper.
        row: its label.
        quantity: what is printed: ``average``, ``MATH500 gain``, ...
        printed: the value in print.
        exact: what follows from the other printed numbers.
        lowest, highest: what could follow if those were not rounded.
        arithmetic: one line.
        cause: what the arithmetic shows of the cause, or nothing.
    """

    table: str
    row: str
    quantity: str
    printed: Decimal
    exact: Fraction
    lowest: Fraction
    highest: Fraction
    arithmetic: str
    cause: str = ""

    @property
    def follows(self) -> bool:
        return fits(self.printed, self.exact)

    @property
    def expected(self) -> str:
        """What follows, with as many digits as are printed; a half is rounded up."""
        return rounded(self.exact, -_exponent(self.printed))

    @property
    def rounding(self) -> bool:
        """Could numbers that are not rounded give the printed value?"""
        half = half_digit(self.printed)
        return self.lowest - half <= Fraction(self.printed) <= self.highest + half


@dataclass
class Audit:
    """What was checked.

    Attributes:
        checks: in print order.
        skipped: (table, row, why) of the rows in which nothing could be checked.
        notes: gains that follow from the printed averages, but not from the columns.
        marks: which rows must be marked as the best and the runner-up.
    """

    checks: list[Check] = field(default_factory=list)
    skipped: list[tuple[str, str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)

    @property
    def findings(self) -> list[Check]:
        return [check for check in self.checks if not check.follows]

    def rows(self, table: str | None = None) -> tuple[int, int]:
        """(rows in which everything follows, rows checked) of one table, or of all."""
        rows: dict[tuple[str, str], bool] = {}
        for check in self.checks:
            if table in (None, check.table):
                key = (check.table, check.row)
                rows[key] = rows.get(key, True) and check.follows
        return sum(rows.values()), len(rows)


def audit(folder: Path = FOLDER) -> Audit:
    """Check every printed average, gain and increase against the numbers it is made of, and rank the columns.

    Args:
        folder: with the CSV files of the printed tables.

    Raises:
        DataError: a file is missing, cut off or malformed.
    """
    found = Audit(marks=marks(folder))
    for layout in LAYOUTS:
        rows = read_table(layout, folder)
        for row in rows:
            if row.missing:
                found.skipped.append((layout.table, row.label, f"no number for {', '.join(row.missing)}"))
            elif layout is COST:
                found.checks.append(_increase(layout.table, row))
            elif row.difference_of is not None:
                _gains(found, layout.table, row, [beside(row, method, rows) for method in row.difference_of])
            elif row.average is None:
                found.skipped.append((layout.table, row.label, "no average is printed"))
            else:
                found.checks.append(_average(layout.table, row, row.average))
    return found


def _average(table: str, row: Row, printed: Decimal) -> Check:
    numbers = _numbers(row)
    total, n = sum(numbers), len(numbers)
    mean, slack = Fraction(total) / n, row.slack()
    arithmetic = f"{' + '.join(map(str, numbers))} = {total}; {total} / {n} = {finer(mean, printed)}"
    others = [d for d in range(2, 2 * n + 1) if d != n and fits(printed, Fraction(total) / d)]
    cause = ""
    if not fits(printed, mean) and len(others) == 1:
        divisor = others[0]
        shown = finer(Fraction(total) / divisor, printed)
        cause = f"{total} / {divisor} = {shown}: the sum of {n} columns divided by {divisor}."
    return Check(table, row.label, "average", printed, mean, mean - slack, mean + slack, arithmetic, cause)


def _gains(found: Audit, table: str, gains: Row, rows: Sequence[Row]) -> None:
    better, base = rows
    if missing := sorted({*better.missing, *base.missing}):
        found.skipped.append((table, gains.label, f"no number for {', '.join(missing)} in the two rows"))
        return
    columns = [*gains.numbers, "average"]
    cells = zip(columns, *map(_with_average, (gains, better, base)), strict=True)
    for column, printed, higher, lower in cells:
        if printed is not None and higher is not None and lower is not None:
            found.checks.append(_gain(table, gains.label, f"{column} gain", printed, higher, lower))
    higher_mean, lower_mean = better.mean(), base.mean()
    if gains.average is None or better.average is None or base.average is None:
        return
    if higher_mean is not None and lower_mean is not None:
        exact = higher_mean - lower_mean
        if fits(gains.average, Fraction(better.average - base.average)) and not fits(gains.average, exact):
            found.notes.append(
                f"{table}, {gains.label}: the average gain {gains.average} is {better.average} - {base.average}, "
                f"two printed averages; the means of the columns differ by {finer(exact, gains.average)}."
            )


def _gain(table: str, row: str, quantity: str, printed: Decimal, better: Decimal, base: Decimal) -> Check:
    exact, slack = Fraction(better - base), half_digit(better) + half_digit(base)
    arithmetic = f"{better} - {base} = {better - base}"
    return Check(table, row, quantity, printed, exact, exact - slack, exact + slack, arithmetic)


def _increase(table: str, row: Row) -> Check:
    """The printed increase in per cent, from the seconds."""
    before, after, printed = _numbers(row)
    exact = 100 * (Fraction(after) / Fraction(before) - 1)
    lowest, highest = (
        100 * ((Fraction(after) + sign * half_digit(after)) / (Fraction(before) - sign * half_digit(before)) - 1)
        for sign in (-1, 1)
    )
    arithmetic = f"100 x ({after} / {before} - 1) = {finer(exact, printed)}"
    return Check(table, row.label, "increase in %", printed, exact, lowest, highest, arithmetic)


def _numbers(row: Row) -> list[Decimal]:
    return [number for number in row.numbers.values() if number is not None]


def _with_average(row: Row) -> list[Decimal | None]:
    return [*row.numbers.values(), row.average]


def _exponent(number: Decimal) -> int:
    """-1 for 7.0, 0 for 7."""
    return int(number.as_tuple().exponent)


def finer(value: Fraction, printed: Decimal) -> str:
    """One digit more than is printed."""
    return rounded(value, 1 - _exponent(printed))
