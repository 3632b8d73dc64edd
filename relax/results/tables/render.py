"""Markdown, LaTeX and CSV of a table; what a cell holds is decided in :mod:`~relax.results.tables.cells`."""

import csv
import io
import itertools
import math
from collections.abc import Mapping

from relax.results.tables.cells import (
    DELTA,
    MARKS,
    MINUS,
    MISSING,
    Cell,
    Column,
    Compared,
    Estimate,
    Table,
    Value,
    cell,
)

__all__ = [
    "MARKS",
    "MINUS",
    "MISSING",
    "Cell",
    "Column",
    "Compared",
    "Estimate",
    "Table",
    "Value",
    "cell",
    "csv_text",
    "latex",
    "to_csv",
    "to_latex",
    "to_markdown",
]


def _plain(found: Cell) -> str:
    """``0.931 ± 0.044 (s 0.005) (1 of 2)``, as far as there is each, and the lines below it."""
    spread = f" ± {found.half_width}" if found.half_width else ""
    parts = [found.main + spread, f"(s {found.std})" if found.std else "", found.runs]
    # In narrow columns a line below would be broken at its spaces.
    below = [line.replace(" ", "\N{NO-BREAK SPACE}") for line in found.below]
    return "<br>".join([" ".join(filter(None, parts)), *below])


def to_markdown(table: Table) -> str:
    """GitHub's Markdown: title, table, caption."""

    def show(found: Cell) -> str:
        text = _plain(found).replace("|", "\\|")
        return f"**{text}**" if found.bold else text

    names = [f"{c.group}: {c.title}" if c.group else c.title for c in table.shown]
    lines = [names, ["---"] * len(names)] + [[show(found) for found in cells] for cells, _ in table.body()]
    body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"## {table.title}\n\n{body}\n\n{table.caption}\n"


_LATEX = {"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "{": r"\{",
          "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", MINUS: "$-$",
          "ξ": r"$\xi$", "\N{GREEK SMALL LETTER ALPHA}": r"$\alpha$", "β": r"$\beta$", DELTA: r"$\Delta$",
          "∞": r"$\infty$", "†": r"$^\dagger$", MARKS["reproduced"]: r"$\bullet$",
          MARKS["not reproduced"]: r"$\circ$", MISSING: "--", "<": "$<$", ">": "$>$"}  # fmt: skip


def latex(text: str) -> str:
    """Plain text with everything escaped that LaTeX would read."""
    return "".join(_LATEX.get(character, character) for character in text)


def _latex_rows(cells: list[Cell]) -> list[str]:
    """A row of numbers and below it, smaller, what stands below each."""
    rows = [[rf"\textbf{{{latex(found.main)}}}" if found.bold else latex(found.main) for found in cells]]
    for line in itertools.zip_longest(*(found.lines for found in cells), fillvalue=""):
        rows.append([rf"\scriptsize {latex(text)}" if text else "" for text in line])
    # Moved together, the lines of a row are seen to belong to it.
    return [" & ".join(row) + r" \\" + "[-2pt]" * (row is not rows[-1]) for row in rows]


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
    body = table.body()
    kinds = ["r" if found.number else "l" for found in (body[0][0] if body else [cell(c, None) for c in table.shown])]
    lines = [
        "% needs \\usepackage{booktabs,adjustbox}",
        r"\begin{table}",
        r"\centering\small\setlength{\tabcolsep}{3pt}\setlength{\belowcaptionskip}{5pt}",
        rf"\caption{{{latex(table.caption)}}}",
        rf"\label{{tab:{table.name}}}",
        r"\begin{adjustbox}{max width=\textwidth, max totalheight=0.85\textheight}",
        rf"\begin{{tabular}}{{{''.join(kinds)}}}",
        r"\toprule",
        *grouped,
        " & ".join(_latex_title(c.title) for c in table.shown) + r" \\",
        r"\midrule",
        *(line for cells, begins in body for line in [r"\midrule"] * begins + _latex_rows(cells)),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{adjustbox}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


#: What a kind of cell takes in a CSV file behind the name of its column.
_PARTS = {
    Estimate: ("", "_half_width", "_std", "_n"),
    Compared: ("_printed", "_recomputed", "", "_half_width", "_std", "_n", "_difference", "_verdict"),
}
_PAIRED = ("_difference", "_difference_half_width", "_difference_n")


def to_csv(table: Table) -> str:
    """Full precision; an estimate and a comparison with print take several columns each."""
    parts = {column.key: _parts([row.get(column.key) for row in table.rows]) for column in table.columns}
    lines: list[list[Value]] = [[c.key + part for c in table.columns for part in parts[c.key]]]
    for row in table.rows:
        fields = [(_fields(row.get(c.key)), parts[c.key]) for c in table.columns]
        lines.append([_full(found.get(part)) for found, wanted in fields for part in wanted])
    return csv_text(lines)


def _parts(values: list[Value]) -> tuple[str, ...]:
    """The columns that the cells of one column need."""
    kind = next((type(value) for value in values if type(value) in _PARTS), None)
    parts = _PARTS[kind] if kind else ("",)
    if not any(isinstance(value, Compared) and value.recomputed is not None for value in values):
        parts = tuple(part for part in parts if part != "_recomputed")
    paired = any(isinstance(value, Estimate) and value.difference is not None for value in values)
    return parts + _PAIRED * paired


def _fields(value: Value) -> Mapping[str, Value]:
    """The fields of a cell by the name of their part."""
    if isinstance(value, Compared):
        print_ = {"_printed": "" if value.printed is None else str(value.printed), "_verdict": value.verdict}
        recomputed = None if value.recomputed is None else float(value.recomputed)
        ours = _fields(value.ours) if value.ours else {}
        return {**ours, **print_, "_recomputed": recomputed, "_difference": value.difference}
    if isinstance(value, Estimate):
        found, beside = value.summary, value.difference
        own = {"": found.mean, "_half_width": found.half_width, "_std": found.std, "_n": found.n}
        paired = (beside.mean, beside.half_width, beside.n) if beside else ()
        return own | dict(zip(_PAIRED, paired, strict=False))
    return {"": value}


def csv_text(lines: list[list[Value]]) -> str:
    """Rows as CSV with Unix line ends."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(lines)
    return stream.getvalue()


def _full(value: Value) -> Value:
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else value
