"""Problems that stand in a data set more than once: equal prompts with equal images are one problem."""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from relax.errors import DataError
from relax.tasks.problem import Problem


def asked(prompt: str, images: Sequence[Any] = ()) -> tuple[Any, ...]:
    """What two spellings of one problem share: white space and the composition of characters do not count.

    Args:
        prompt: text of the problem.
        images: in its order; equal ones compare as equal.
    """
    return " ".join(unicodedata.normalize("NFC", prompt).split()), *images


def same_text(first: str, second: str) -> bool:
    """Whether two answers are the same text, but for blanks around it."""
    return first.strip() == second.strip()


def distinct(
    problems: Iterable[tuple[str, Problem]], agree: Callable[[str, str], bool] = same_text
) -> tuple[list[Problem], list[str]]:
    """Every problem once, as it stands first.

    Args:
        problems: each with its place in words.
        agree: whether two answers are the same; asked where the same problem comes again.

    Returns:
        The problems, and the places of the copies that are left out.

    Raises:
        DataError: two rows give different answers to one problem; names both.
    """
    kept: dict[tuple[Any, ...], tuple[str, Problem]] = {}
    left_out = []
    for where, problem in problems:
        before, first = kept.setdefault(asked(problem.prompt, problem.images), (where, problem))
        if first is problem:
            continue
        if not agree(first.answer, problem.answer):
            raise DataError(
                f"{where}: the answer is {_end(problem.answer)}, but {before} asks the same and answers "
                f"{_end(first.answer)}; correct one, or take a row out."
            )
        left_out.append(where)
    return [problem for _, problem in kept.values()], left_out


def _end(answer: str) -> str:
    """An answer, or the end of a worked solution."""
    return repr(answer.strip()[-60:])
