"""Which rows of Tables 1 and 2 must carry the marks of the best and the runner-up, by the printed numbers.

The marks themselves are colours in print and not transcribed. The captions say where they go.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from relax.paper.printed import FOLDER, LAYOUTS, Row, read_table

TOP, SECOND, NEITHER, NOTHING = "best", "runner-up", "neither", "no number"


@dataclass(frozen=True)
class Mark:
    """One column of one block of rows that are ranked together.

    Attributes:
        table: name in the paper.
        block: the rows that are ranked.
        column: its name, ``average`` for the printed one.
        top: rows with the highest number; several share it.
        runner_up: rows with the next one; empty where all that have a number share the highest.
        values: row -> number, as printed; a dash takes no part.
        ours: the row of ReLaX.
    """

    table: str
    block: str
    column: str
    top: tuple[str, ...]
    runner_up: tuple[str, ...]
    values: dict[str, Decimal]
    ours: str

    @property
    def place(self) -> str:
        """Of ReLaX."""
        if self.ours not in self.values:
            return NOTHING
        return TOP if self.ours in self.top else SECOND if self.ours in self.runner_up else NEITHER

    def shown(self, rows: tuple[str, ...]) -> str:
        """``FR3E, HICRA 14.8``; a dash for nothing."""
        return f"{', '.join(rows)} {self.values[rows[0]]}" if rows else "-"


def marks(folder: Path = FOLDER) -> list[Mark]:
    """Best and runner-up of every column, in print order.

    Table 1 ranks reasoning models of the 7B scale (the 8B one too), Table 2 the methods of reinforcement learning
    on each base model.

    Raises:
        DataError: a file is missing, cut off or malformed.
    """
    found = []
    for layout in LAYOUTS[:2]:
        blocks: dict[str, dict[str, Row]] = {}
        for row in read_table(layout, folder):
            for block in _blocks(row):
                blocks.setdefault(block, {})[row.names[-1]] = row
        for block, rows in blocks.items():
            ours = next(name for name in rows if name.startswith("ReLaX"))
            columns = {name: {key: row.numbers[name] for key, row in rows.items()} for name in layout.numbers}
            columns["average"] = {key: row.average for key, row in rows.items()}
            for column, numbers in columns.items():
                values = {key: number for key, number in numbers.items() if number is not None}
                found.append(Mark(layout.table, block, column, *_ranked(values), values, ours))
    return found


def _blocks(row: Row) -> Iterator[str]:
    """The block that ranks a row, if any does."""
    if "section" in row.words:
        if row.words["section"] != "General" and row.words["size"] != "3B":
            yield "7B-scale reasoning models"
    elif row.words["method"] != "base":
        yield f"{row.words['base_model']}, {row.words['size']}"


def _ranked(values: dict[str, Decimal]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    steps = sorted(set(values.values()), reverse=True)[:2]
    places = [tuple(name for name, value in values.items() if value == step) for step in steps]
    top, runner_up, *_ = [*places, (), ()]
    return top, runner_up
