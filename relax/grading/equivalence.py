r"""Two cleaned answers: lists, sets, tuples, intervals, matrices, equations and inequalities part by part.

Brackets keep their meaning here, which a parser of expressions loses: ``(1,2)`` is no ``\{1,2\}``. A list without
brackets and a set have no order. What has no parts goes to :mod:`relax.grading.symbolic`, which is imported where
it is needed and only in child processes.
"""

import re
from collections.abc import Sequence
from typing import Any

from relax.grading.conditions import FLIPPED, Congruence, congruence, region
from relax.grading.parts import RELATIONS, bracketed, cells, elements, is_name, operators, split
from relax.grading.ratios import split_ratio
from relax.grading.scalars import compare, number, quantities, split_unit
from relax.grading.units import differ
from relax.grading.words import choice, is_word

_BUILDER = re.compile(r"\\\{([A-Za-z])(?:\\in\\mathbb\{R\})?[:|](?P<condition>[^:|]*)\\\}")
_DENIED = re.compile(r"\\not(?![A-Za-z])")
#: One number with separators, which as a gold is no list.
_THOUSANDS = re.compile(r"-?\d{1,3}(?:,\d{3})+")
_LABEL = re.compile(r"([A-Za-z])_(?:\{(\w+)\}|(\w))")


class Unparseable(Exception):
    """A part that cannot be read as mathematics; ``side`` is ``"gold"`` or ``"answer"``."""

    def __init__(self, side: str) -> None:
        super().__init__(side)
        self.side = side


def same(gold: str, answer: str) -> bool:
    """Are two cleaned answers the same?

    Raises:
        Unparseable: one of them, or a part of it, cannot be read, or is too large to be computed.
    """
    verdict = compare(gold, answer)
    if verdict is not None:
        return verdict
    if _DENIED.search(gold) or _DENIED.search(answer):
        return False
    labelled, other = choice(answer), choice(gold)
    if labelled and labelled[1] and not other:
        return same(gold, labelled[1])
    gold, answer = (_BUILDER.sub(r"\g<condition>", text) for text in (gold, answer))
    congruences = congruence(gold), congruence(answer)
    if congruences[0] or congruences[1]:
        return _same_congruence(gold, congruences[0], answer, congruences[1])
    golds, answers = elements(gold), elements(answer)
    regions = region(gold), region(answer)
    if regions[0] and regions[1]:
        return regions[0][0] == regions[1][0] and same(regions[0][1], regions[1][1])
    if regions[0] and not operators(answer):
        return same(regions[0][1], answer)
    if regions[1] and not operators(gold):
        return same(gold, regions[1][1])
    if _THOUSANDS.fullmatch(gold):
        return answer.replace(" ", "") == gold
    if len(golds) > 1 or len(answers) > 1:
        return _same_list(gold, golds, answer, answers)
    if operators(gold) or operators(answer):
        return _same_equation(gold, answer)
    ratios = split_ratio(gold), split_ratio(answer)
    if len(ratios[0]) > 1 or len(ratios[1]) > 1:
        return _same_ratio(*ratios)
    return _same_value(gold, answer)


# Comparison -------------------------------------------------------------------------------------


def _same_list(gold: str, golds: list[str], answer: str, answers: list[str]) -> bool:
    joined = [{sign for _, sign in split(text, {r"\lor", r"\land"}) if sign} for text in (gold, answer)]
    if all(joined) and joined[0] != joined[1]:
        return False
    if len(golds) > 1 and len(answers) > 1:
        return _same_unordered(golds, answers)
    # One of them is a bare list, the other must be the same list in brackets.
    whole = bracketed(gold if len(golds) == 1 else answer)
    if whole is None or len(whole.parts) != max(len(golds), len(answers)) or whole.opening == "[":
        return False
    pair = (whole.parts, answers) if len(golds) == 1 else (golds, whole.parts)
    return _same_unordered(*pair) if whole.opening == r"\{" else _same_ordered(*pair)


def _same_ordered(golds: Sequence[str], answers: Sequence[str]) -> bool:
    return len(golds) == len(answers) and all(same(g, a) for g, a in zip(golds, answers, strict=True))


def _same_unordered(golds: Sequence[str], answers: Sequence[str]) -> bool:
    names = [{name for name, _ in map(_named, parts) if name} for parts in (golds, answers)]
    numbered = [_numbered(parts) for parts in (golds, answers)]
    if all(numbered) and names[0] & names[1]:  # x_1 = -2, x_2 = 3 says which is which
        return names[0] == names[1] and all(same(g, a) for g in golds for a in answers if _named(g)[0] == _named(a)[0])
    if any(numbered):
        bases = [{_LABEL.sub(r"\1", name) for name in group} for group in names]
        twice = any(map(_LABEL.fullmatch, names[1 if numbered[0] else 0])) and not all(numbered)
        if twice or max(map(len, bases)) > 1 or not (bases[0] == bases[1] or not all(bases)):
            return False
        golds, answers = ([_named(part)[1] for part in parts] for parts in (golds, answers))
    elif names[0] != names[1] and max(map(len, names)) > 1:  # x = 1, y = 2 is a tuple, no set
        return False
    left = list(answers)
    for gold in golds:
        match = next((a for a in left if same(gold, a)), None)
        if match is None:
            return False
        left.remove(match)
    return not left


def _named(part: str) -> tuple[str, str]:
    """The name and the value of ``x_1=3``; an empty name where there is none."""
    sides = split(part, {"="})
    return (sides[0][0], sides[1][0]) if len(sides) == 2 and is_name(sides[0][0]) else ("", part)


def _numbered(parts: Sequence[str]) -> bool:
    """Is every part named by one letter with numbers below it, each another?"""
    labels = [_LABEL.fullmatch(_named(part)[0]) for part in parts]
    return all(labels) and len({label[0] for label in labels if label}) == len(parts) > 1


def _same_ratio(gold: list[str], answer: list[str]) -> bool:
    """Up to a factor; a ratio of two and a value are the same where it is their quotient."""
    if sorted((len(gold), len(answer))) == [1, 2]:
        pair, (value,) = (gold, answer) if len(gold) == 2 else (answer, gold)
        quotient = rf"\frac{{{pair[0]}}}{{{pair[1]}}}"
        return _same_value(quotient, value) if len(gold) == 2 else _same_value(value, quotient)
    if len(gold) != len(answer):
        return False
    if any(split_unit(part)[1] for part in gold + answer):
        return _same_ordered(gold, answer)
    return all(
        _same_expression(rf"({gold[0]})\cdot({a})", rf"({answer[0]})\cdot({g})")
        for g, a in zip(gold[1:], answer[1:], strict=True)
    )


def _same_congruence(gold: str, one: Congruence | None, answer: str, other: Congruence | None) -> bool:
    """Residues are equal up to multiples of the modulus; a bare gold is the residue of an answer without a name."""
    if one is None or other is None:
        bare = one is None and other is not None and not other.name and not operators(gold)
        if not bare or other is None or len(other.residues) > 1:
            return False
        residue, modulus = number(other.residues[0]), number(other.modulus)
        reduced = residue is None or modulus is None or 0 <= residue < modulus  # 5 mod 3 is no 5
        return reduced and same(gold, other.residues[0])
    if (one.name and other.name and one.name != other.name) or not same(one.modulus, other.modulus):
        return False
    modulus, values = number(one.modulus), [[number(r) for r in c.residues] for c in (one, other)]
    if modulus and all(value is not None for value in values[0] + values[1]):
        first, second = ({value % modulus for value in group if value is not None} for group in values)
        return first == second
    return _same_unordered(one.residues, other.residues)


def _same_value(gold: str, answer: str) -> bool:
    """Neither lists nor equations."""
    (gold, gold_unit), (answer, answer_unit) = quantities(gold, answer)
    if differ(gold_unit, answer_unit) or ("%" in (gold_unit, answer_unit) and gold_unit != answer_unit):
        return False
    if (gold_unit == "°") != (answer_unit == "°") and r"\pi" in gold + answer:
        gold, answer = (
            f"({t})" + (r"\cdot\frac{\pi}{180}" if u == "°" else "")
            for t, u in ((gold, gold_unit), (answer, answer_unit))
        )
    unions = [[part for part, _ in split(text, {r"\cup"})] for text in (gold, answer)]
    if len(unions[0]) > 1 and len(unions[0]) == len(unions[1]) and _same_unordered(*unions):
        return True
    one, other = bracketed(gold), bracketed(answer)
    if any(side and side.opening != "{" and side.parts == [r"\emptyset"] for side in (one, other)):
        return False  # what holds the empty set is not empty
    gold_rows, answer_rows = cells(gold), cells(answer)
    if gold_rows and answer_rows:
        return len(gold_rows) == len(answer_rows) and all(map(_same_ordered, gold_rows, answer_rows))
    for matrix, whole in ((gold_rows, other), (answer_rows, one)):
        if matrix and whole and whole.opening == "(" and len(whole.parts) > 1 and 1 in (len(matrix), len(matrix[0])):
            vector = [cell for row in matrix for cell in row]  # a row or a column is the tuple of its parts
            return _same_ordered(whole.parts, vector) if whole is one else _same_ordered(vector, whole.parts)
    if one and len(one.parts) == 1 and (one.opening in "({" or not other):
        return same(one.parts[0], answer)
    if other and len(other.parts) == 1 and (other.opening in "({" or not one):
        return same(gold, other.parts[0])
    if one and other:
        if (one.opening, one.closing) != (other.opening, other.closing):
            return False
        return (_same_unordered if one.opening == r"\{" else _same_ordered)(one.parts, other.parts)
    return _same_expression(gold, answer)


def _same_equation(gold: str, answer: str) -> bool:
    golds, answers = _chain(gold), _chain(answer)
    sides = [[part for part, _ in chain] for chain in (golds, answers)]
    signs = [{sign for _, sign in chain if sign} for chain in (golds, answers)]
    if len(golds) == 1 and len(answers) == 1:
        return same(golds[0][0], answers[0][0])
    if any(sign - {"=", r"\in", r"\approx", r"\equiv"} for sign in signs):
        return _same_relation(golds, answers)
    if len(golds) == 1:
        values = [part for part in sides[1] if not is_name(part)] or sides[1][-1:]
        return all(same(gold, value) for value in values)
    if len(answers) == 1:
        return is_name(sides[0][0], single=True) and same(sides[0][-1], answer)
    if sides[0][0] == sides[1][0] and same(sides[0][-1], sides[1][-1]):
        return True
    return _same_relation(golds, answers)


def _chain(text: str) -> list[tuple[str, str]]:
    """Sides and signs of an equation, without what comes after a value and "about"."""
    chain = split(text, RELATIONS)
    for i, (side, sign) in enumerate(chain):
        if sign == r"\approx" and not is_name(side):
            return [*chain[:i], (side, "")]
    return chain


def _same_relation(golds: list[tuple[str, str]], answers: list[tuple[str, str]]) -> bool:
    """Two sides each: equal up to a constant factor."""
    if len(golds) != 2 or len(answers) != 2:
        return False
    from relax.grading.symbolic import same_relation

    found = []
    for side, ((left, sign), (right, _)) in (("gold", golds), ("answer", answers)):
        if sign in (">", r"\geq"):
            left, sign, right = right, FLIPPED[sign], left
        found.append((sign, _read(left, side) - _read(right, side)))
    return same_relation(*found)


def _read(text: str, side: str) -> Any:
    from relax.grading.symbolic import Unreadable, read

    try:
        return read(text)
    except Unreadable as error:
        raise Unparseable(side) from error


def _same_expression(gold: str, answer: str) -> bool:
    if is_word(gold) or is_word(answer):
        return False
    from relax.grading.symbolic import same_expression

    return same_expression(_read(gold, "gold"), _read(answer, "answer"))


def readable(gold: str) -> bool:
    """Can every part of a cleaned gold answer be read, so that an answer spelt differently can be found equal?"""
    if not gold:
        return False
    if compare(gold, "0") is not None or is_word(gold) or choice(gold):
        return True
    if found := congruence(gold):
        return all(readable(part) for part in (*found.residues, found.modulus))
    parts = elements(gold)
    if len(parts) == 1:
        parts = [part for part, _ in split(gold, RELATIONS | {r"\cup"})]
    if len(parts) == 1:
        parts = split_ratio(gold)
    if len(parts) > 1:
        return all(readable(part) for part in parts)
    matrix, whole = cells(gold), bracketed(gold)
    if matrix:
        return all(readable(cell) for row in matrix for cell in row if cell)
    if whole and (len(whole.parts) > 1 or whole.parts[0] != gold):
        return all(readable(part) for part in whole.parts)
    value, unit = split_unit(gold)
    if unit:
        return readable(value)
    try:
        _read(gold, "gold")
    except Unparseable:
        return False
    return True


def judge(golds: list[str], answer: str | None) -> str:
    """What a child process is asked.

    Args:
        golds: cleaned golds.
        answer: cleaned answer; None asks whether the golds can be read.

    Returns:
        The status: ``correct``, ``wrong``, ``unparseable_gold`` or ``unparseable_answer``. With several golds, the
        first that is equal decides; ``unparseable_gold`` means that none can be read.
    """
    if answer is None:
        return "correct" if all(readable(gold) for gold in golds) else "unparseable_gold"
    found = set()
    for gold in golds:
        try:
            found.add("correct" if same(gold, answer) else "wrong")
        except Unparseable as error:
            found.add(f"unparseable_{error.side}")
        except MemoryError:
            raise
        except Exception:  # computer algebra fails on odd input with errors of every class
            found.add("unparseable_answer")
        if "correct" in found:
            return "correct"
    return next(status for status in ("unparseable_answer", "wrong", "unparseable_gold") if status in found)
