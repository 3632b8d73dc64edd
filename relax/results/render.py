"""A table as data, and its Markdown, LaTeX and CSV. What a cell holds is decided once, here."""

import csv
import io
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from relax.results.statistics import Summary

MISSING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Estimate:
    """A cell: a summary over runs, and how many runs were asked for."""

    summary: Summary
    asked: int


Value = Estimate | str | int | float | None


@dataclass(frozen=True)
class Column:
    """A column.

    Args:
        key: of the rows, and name in the CSV file.
        title: as shown.
        group: shown once above neighbouring columns that share it.
        spec: format specification of its numbers.
        difference: set a cell in bold when its interval leaves out zero.
        shown: False keeps a column to the CSV file.
    """

    key: str
    title: str
    group: str = ""
    spec: str = ".3f"
    difference: bool = False
    shown: bool = True


@dataclass(frozen=True)
class Table:
    """A table: ``rows`` map column keys to values; a key that is not there is an empty cell."""

    name: str
    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Value], ...]

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


@dataclass(frozen=True)
class Cell:
    """The words of a cell: number, half width of the interval, standard deviation, missing runs."""

    main: str
    half_width: str = ""
    std: str = ""
    runs: str = ""
    bold: bool = False

    @property
    def number(self) -> bool:
        """Is it set as a number?"""
        return self.main == MISSING or self.main.lstrip(f"+{MINUS}").replace(",", "")[:1].isdigit()


def cell(column: Column, value: Value) -> Cell:
    """What a cell shows, whatever the format of the table."""
    if isinstance(value, Estimate):
        found = value.summary
        runs = f"({found.n} of {value.asked})" if 0 < found.n < value.asked else ""
        if found.n == 0 or math.isnan(found.mean):
            return Cell(MISSING)
        main = _number(found.mean, column.spec)
        if found.n == 1:
            return Cell(main, runs=runs)
        bold = column.difference and found.verdict in ("rose", "fell")
        spread = column.spec.lstrip("+")
        return Cell(main, _number(found.half_width, spread), _number(found.std, _finer(spread)), runs, bold)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return Cell(MISSING)
    return Cell(_number(value, column.spec) if isinstance(value, float) else str(value))


def _finer(spec: str) -> str:
    """One digit more: over two runs a standard deviation is a ninth of the interval's half width."""
    return re.sub(r"\d+", lambda digits: str(int(digits[0]) + 1), spec) if spec.endswith("f") else spec


def _number(value: float, spec: str) -> str:
    text = format(value, spec)
    if float(text.replace(",", "")) == 0:
        text = text.replace("-", "")  # no minus zero
    text = re.sub(r"e([+-])0*(\d+)", lambda m: f"e{m[1].strip('+')}{m[2]}", text)
    return text.replace("-", MINUS, 1) if text.startswith("-") else text


def _plain(found: Cell) -> str:
    """``0.931 ± 0.044 (s 0.005) (1 of 2)``, as far as there is each."""
    spread = f" ± {found.half_width} (s {found.std})" if found.half_width else ""
    return f"{found.main}{spread}" + (f" {found.runs}" if found.runs else "")


def to_markdown(table: Table) -> str:
    """GitHub's Markdown: title, table, caption."""

    def show(column: Column, row: Mapping[str, Value]) -> str:
        found = cell(column, row.get(column.key))
        text = _plain(found).replace("|", "\\|")
        return f"**{text}**" if found.bold else text

    names = [f"{c.group}: {c.title}" if c.group else c.title for c in table.shown]
    lines = [names, ["---"] * len(names)] + [[show(c, row) for c in table.shown] for row in table.rows]
    body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"## {table.title}\n\n{body}\n\n{table.caption}\n"


_LATEX = {"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "{": r"\{",
          "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", MINUS: "$-$",
          "ξ": r"$\xi$", MISSING: "--", "<": "$<$", ">": "$>$"}  # fmt: skip


def latex(text: str) -> str:
    """Plain text with everything escaped that LaTeX would read."""
    return "".join(_LATEX.get(character, character) for character in text)


def _latex_rows(table: Table, row: Mapping[str, Value]) -> list[str]:
    """A row of numbers and below it, smaller, as far as there are any, half widths, deviations and runs."""
    cells = [cell(column, row.get(column.key)) for column in table.shown]
    lines = [[rf"\textbf{{{latex(found.main)}}}" if found.bold else latex(found.main) for found in cells]]
    for spread in (
        [rf"$\pm$ {latex(found.half_width)}" if found.half_width else "" for found in cells],
        [f"s {latex(found.std)}" if found.std else "" for found in cells],
        [latex(found.runs) for found in cells],
    ):
        if any(spread):
            lines.append([rf"\scriptsize {text}" if text else "" for text in spread])
    return [" & ".join(line) + r" \\" for line in lines]


def _latex_title(title: str) -> str:
    """A column title with a line to each word, to keep columns narrow."""
    return rf"\shortstack{{{latex(title).replace(' ', chr(92) * 2)}}}"


def to_latex(table: Table) -> str:
    """A floating table with booktabs rules; it shrinks to the text width where it has to (adjustbox)."""
    header, rules, at = [], [], 1
    for group, span in table.groups():
        header.append(rf"\multicolumn{{{span}}}{{c}}{{{latex(group)}}}")
        if group:
            rules.append(rf"\cmidrule(lr){{{at}-{at + span - 1}}}")
        at += span
    grouped = [" & ".join(header) + r" \\", " ".join(rules)] if rules else []
    first = next((row for row in table.rows), {})
    kinds = ["r" if cell(c, first.get(c.key)).number else "l" for c in table.shown]
    lines = [
        "% needs \\usepackage{booktabs,adjustbox}",
        r"\begin{table}",
        r"\centering\small\setlength{\tabcolsep}{3pt}",
        rf"\caption{{{latex(table.caption)}}}",
        rf"\label{{tab:{table.name}}}",
        r"\begin{adjustbox}{max width=\textwidth}",
        rf"\begin{{tabular}}{{{''.join(kinds)}}}",
        r"\toprule",
        *grouped,
        " & ".join(_latex_title(c.title) for c in table.shown) + r" \\",
        r"\midrule",
        *(line for row in table.rows for line in _latex_rows(table, row)),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{adjustbox}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def to_csv(table: Table) -> str:
    """Full precision; an estimate takes four columns: mean, half width, standard deviation, n."""
    parts = ("", "_half_width", "_std", "_n")
    estimates = {c.key for c in table.columns if any(isinstance(r.get(c.key), Estimate) for r in table.rows)}
    header = [c.key + part for c in table.columns for part in (parts if c.key in estimates else ("",))]
    lines: list[list[Value]] = [header]
    for row in table.rows:
        line: list[Value] = []
        for column in table.columns:
            value = row.get(column.key)
            if isinstance(value, Estimate):
                found = value.summary
                line += [_full(found.mean), _full(found.half_width), _full(found.std), found.n]
            else:
                line += [_full(value)] + ([""] * 3 if column.key in estimates else [])
        lines.append(line)
    return csv_text(lines)


def csv_text(lines: list[list[Value]]) -> str:
    """Rows as CSV with Unix line ends."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(lines)
    return stream.getvalue()


def _full(value: Value) -> Value:
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else value
