r"""Pairs of gold and answer with what is right: ``gold == answer`` or ``gold != answer``, made by hand.

Only strict cases, which mathematics or the usual way of writing decides: no pair whose answer depends on a convention
(is a column vector the tuple, is 0.333 good enough for 1/3). The reverse of a pair is not implied.
"""

from grading_numbers import NUMBERS
from grading_structures import STRUCTURES


def pairs() -> list[tuple[str, str, str, bool]]:
    """(kind, gold, answer, are they equivalent?) of every line."""
    found = []
    for kind, text in (NUMBERS | STRUCTURES).items():
        for line in text.strip().splitlines():
            equal = " == " in line
            gold, answer = line.split(" == " if equal else " != ")
            found.append((kind, gold, answer, equal))
    return found
