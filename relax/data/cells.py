"""Cells of a row as the text of a problem: plain text, the turns of a conversation, and one or several gold answers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from relax.data.tables import Row, text_of

#: Stands for a column that a row does not have.
ABSENT = object()


def cell_at(row: Row, column: str) -> Any:
    """The cell of a column, or of a field below one: ``reward_model.ground_truth``.

    Args:
        row: of a table.
        column: its name; where no column has it, names of fields joined by dots.

    Returns:
        The cell; :data:`ABSENT` where there is none.
    """
    if column in row:
        return row[column]
    cell: Any = row
    for name in column.split("."):
        if not isinstance(cell, Mapping) or name not in cell:
            return ABSENT
        cell = cell[name]
    return cell


def prompt_of(cell: Any) -> tuple[str, list[str]]:
    """The problem of a cell, and the turns beside it that are no part of the problem.

    Args:
        cell: text or a number, or a conversation: a list of turns, each with ``role`` and a text as ``content``.

    Returns:
        The text, of a conversation that of the last user turn; and the other turns as ``role: text``.

    Raises:
        ValueError: the cell is something else, or a conversation without a user turn; what follows its column's name.
    """
    if not isinstance(cell, list):
        return text_of(cell), []
    turns = [(turn.get("role"), turn.get("content")) if isinstance(turn, Mapping) else (None, None) for turn in cell]
    if not all(isinstance(role, str) and isinstance(content, str) for role, content in turns):
        raise ValueError("is a list; expected text, or a list of turns with the texts role and content")
    last = max((number for number, (role, _) in enumerate(turns) if role == "user"), default=None)
    if last is None:
        raise ValueError("is a conversation without a user turn; expected one whose last user turn is the problem")
    return text_of(turns[last][1]), [f"{role}: {content}" for n, (role, content) in enumerate(turns) if n != last]


def gold_of(cell: Any, agree: Callable[[str, str], bool]) -> str:
    """The gold answer of a cell.

    Args:
        cell: text or a number, or a list of them that all say the same, of which the first is taken.
        agree: whether two answers say the same.

    Raises:
        ValueError: the cell is something else, or its answers differ; what follows its column's name.
    """
    if not isinstance(cell, list):
        return text_of(cell)
    if any(isinstance(gold, list | Mapping | bytes) for gold in cell):
        raise ValueError("is a list with something else than texts and numbers; expected gold answers")
    golds = [text_of(gold) for gold in cell]
    if not golds:
        raise ValueError("is an empty list; expected a gold answer")
    for other in golds[1:]:
        if not agree(golds[0], other):
            raise ValueError(
                f"has the gold answers {golds[0]!r} and {other!r}, which are not the same; a response is compared with "
                "one, so keep one"
            )
    return golds[0]


def told(turns: Sequence[str]) -> str:
    """The first of some turns, shortened for a message."""
    first = " ".join(turns[0].split())
    return first if len(first) <= 80 else f"{first[:77]}..."
