r"""Pairs of gold and answer with what is right: ``gold == answer`` or ``gold != answer``, made by hand.

The kinds of :func:`pairs` are strict: mathematics or the usual way of writing decides. Those of :func:`conventions`
include what docs/grading.md decides, such as a column vector for a tuple. The reverse of a pair is not implied.
"""

from tests.grading.grading_conditions import CONDITIONS
from tests.grading.grading_notation import NOTATION
from tests.grading.grading_numbers import NUMBERS
from tests.grading.grading_ratios import RATIOS
from tests.grading.grading_structures import STRUCTURES
from tests.grading.grading_typography import TYPOGRAPHY
from tests.grading.grading_units import UNITS
from tests.grading.grading_words import WORDS

#: (kind, gold, answer, are they equivalent?)
Case = tuple[str, str, str, bool]


def pairs() -> list[Case]:
    """Pairs about mathematics and its usual spelling."""
    return _cases(NUMBERS | STRUCTURES)


def conventions() -> list[Case]:
    """Pairs about how answers are written: right ones in many spellings, and near misses."""
    return _cases(UNITS | RATIOS | TYPOGRAPHY | NOTATION | WORDS | CONDITIONS)


def _cases(kinds: dict[str, str]) -> list[Case]:
    found = []
    for kind, text in kinds.items():
        for line in text.strip().splitlines():
            equal = " == " in line
            gold, answer = line.split(" == " if equal else " != ")
            found.append((kind, gold, answer, equal))
    return found
