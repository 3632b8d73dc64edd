"""The words of ``relax audit``: what it prints, and the page it is kept in."""

from collections.abc import Sequence

from relax.paper.audit import Audit, Check, finer
from relax.paper.marks import NOTHING, SECOND, TOP, Mark
from relax.paper.printed import LAYOUTS

INTRODUCTION = """\
# What does not follow from the paper's own numbers

`relax audit --out docs/audit.md` writes this page from the printed numbers in
[relax/paper/transcribed/](../relax/paper/transcribed/README.md). The audit recomputes three kinds of printed values. An
average is compared with the mean of its row, a gain with the difference of its two rows, and an increase in cost with
the printed seconds. The audit uses nothing else and corrects no number in the files. A printed value *follows* if it
lies within half of its last digit. The numbers behind a value are rounded as well. Where this rounding alone could
explain a difference, the finding says so.

A finding says that two printed numbers do not fit each other. It does not say which of them is wrong, and a slip in our
transcription would look the same. The benchmark scores themselves cannot be checked in this way.

## In plain words

- **Table 2 averages six columns and divides by seven.** All twelve printed averages are the sum of the six scores of
  their row over 7, so each is a seventh too low. For example, ReLaX on Qwen2.5-Math-base has an average of 49.1 in
  print and of 57.3 by its columns. Table 1 has seven columns and divides by seven. The order of the methods in Table 2
  does not change, since all sums are divided by the same number. The distances between methods are printed too small:
  ReLaX is ahead of FR3E on Qwen2.5-Math-base by 6.3 in print and by 7.4 by the columns. No average of Table 2 can be
  compared with an average of another table or paper.
- **Two values of Table 5 do not follow.** The average of ReLaX on Qwen3-Base is 52.3 in print and 52.4 by its columns
  (52.38), and scores rounded to one digit could account for the difference. The gain of ReLaX over GRPO on MATH500 is
  6.2 in print, but 90.2 - 83.0 = 7.2, and no rounding accounts for that. The other averages and gains of Table 5
  follow.
- **Tables 1 and 6 follow.** They hold eleven averages and four increases in cost.
- **Bold and runner-up marks** are colours in print and are not in the files. The last table says where the marks must
  stand by the captions and the numbers. ReLaX is not the best everywhere: others lead on AIME24 and AIME25 with both 7B
  models, and on MathVerse and MathVision.

Whoever compares with these tables should recompute the averages and show both, as our tables do
([tables.md](tables.md)).

## What was checked
"""


def to_markdown(found: Audit) -> str:
    """The findings, every value checked, and the rows that were not; readable as plain text."""
    parts = [_summary(found), "## Findings"]
    parts += [_finding(check) for check in found.findings] or ["None."]
    head = ["Table", "Row", "Value", "Printed", "Follows", ""]
    body = [
        [c.table, c.row, c.quantity, str(c.printed), c.expected, "" if c.follows else "differs"] for c in found.checks
    ]
    parts += ["## Every value checked", _grid([head, *body])]
    if found.notes:
        parts += ["## Differences of printed averages", "\n".join(f"- {note}" for note in found.notes)]
    parts += ["## Bold and runner-up marks", *_marks(found.marks)]
    if found.skipped:
        skipped = [f"- {table}, {row}: {why}." for table, row, why in found.skipped]
        parts += ["## Rows not checked", "\n".join(skipped)]
    return "\n\n".join(parts) + "\n"


def to_page(found: Audit) -> str:
    """The same with an introduction, as kept in ``docs/audit.md``."""
    return f"{INTRODUCTION}\n{to_markdown(found)}"


def _summary(found: Audit) -> str:
    right, checked = found.rows()
    lines = [
        f"The audit checked {len(found.checks)} printed values in {checked} rows, and {len(found.findings)} do not "
        "follow. "
        f"Everything follows in {right} of {checked} rows:",
        "",
    ]
    for table in dict.fromkeys(layout.table for layout in LAYOUTS):
        right, checked = found.rows(table)
        skipped = sum(name == table for name, *_ in found.skipped)
        lines.append(f"- {table}: {right} of {checked}" + (f" ({skipped} more not checked)." if skipped else "."))
    return "\n".join(lines)


def _finding(check: Check) -> str:
    lines = [
        f"- {check.table}, {check.row}: {check.quantity} {check.printed} is printed, {check.expected} follows.",
        f"  {check.arithmetic}.",
    ]
    if check.cause:
        lines.append(f"  {check.cause}")
    if check.rounding:
        ends = " and ".join(finer(end, check.printed) for end in (check.lowest, check.highest))
        lines.append(f"  Rounding may explain it: before rounding, the value lies between {ends}.")
    return "\n".join(lines)


MARKS = """\
The files do not hold the marks, but the captions say where the marks go. Table 1 marks the best and the runner-up of
each column among the reasoning models of the 7B scale. Table 2 marks them for each base model among the methods of
reinforcement learning. Table 5 marks the gains over GRPO, which are checked above. By the printed numbers the marks
must stand as follows, so that a reader of the print can compare. A dash takes no part, and equal numbers share a
place."""


def _marks(found: Sequence[Mark]) -> list[str]:
    """Where the marks must stand, and where ReLaX does not lead."""
    head = ["Table", "Rows ranked", "Column", "Best", "Runner-up", "ReLaX"]
    body = [[m.table, m.block, m.column, m.shown(m.top), m.shown(m.runner_up), m.place] for m in found]
    counts = ", ".join(
        f"{sum(mark.place == TOP for mark in found if mark.table == table)} of "
        f"{sum(mark.table == table for mark in found)} columns of {table}"
        for table in dict.fromkeys(mark.table for mark in found)
    )
    behind = [
        f"- {m.table}, {m.block}, {m.column}: {m.place}, {m.values[m.ours]}, behind {m.shown(m.top)}"
        + ("." if m.place == SECOND else f" and {m.shown(m.runner_up)}.")
        for m in found
        if m.place not in (TOP, NOTHING)
    ]
    return [
        MARKS,
        _grid([head, *body]),
        f"ReLaX is the best in {counts} (averages counted in). It is not in:",
        "\n".join(behind) or "- none.",
    ]


def _grid(lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table with padded cells; the first line is the header."""
    widths = [max(3, *map(len, column)) for column in zip(*lines, strict=True)]
    padded = [[text.ljust(width) for text, width in zip(line, widths, strict=True)] for line in lines]
    rule = ["-" * width for width in widths]
    return "\n".join("| " + " | ".join(line) + " |" for line in (padded[0], rule, *padded[1:]))
