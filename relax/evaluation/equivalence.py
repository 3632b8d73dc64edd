r"""Two cleaned answers: lists, sets, tuples, intervals, matrices, equations and inequalities part by part.

Brackets keep their meaning here, which a parser of expressions loses: ``(1,2)`` is no ``\{1,2\}``. A list without
brackets and a set have no order. What has no parts goes to :mod:`relax.evaluation.symbolic`, which is imported where
it is needed and only in child processes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from relax.evaluation.scalars import choice, compare, is_word, split_unit, units_differ

_TOKEN = re.compile(r"\\(?:begin|end)\{[a-z]+\*?\}|\\[A-Za-z]+|\\.|.", re.DOTALL)
_OPENING, _CLOSING = {"(", "[", "{", r"\{"}, {")", "]", "}", r"\}"}
_RELATIONS = {"=", "<", ">", r"\leq", r"\geq", r"\neq", r"\in", r"\equiv", r"\approx"}
_FLIPPED = {"<": ">", ">": "<", r"\leq": r"\geq", r"\geq": r"\leq"}
_MATRIX = re.compile(r"\\begin\{([pb]?matrix|array)\}(?:\{[lcr|]*\})?((?:(?!\\begin).)*)\\end\{\1\}", re.DOTALL)
_BUILDER = re.compile(r"\\\{([A-Za-z])(?:\\in\\mathbb\{R\})?[:|](?P<condition>[^:|]*)\\\}")
_SCRIPTS = re.compile(r"[\^_](?:\{[^{}]*\}|\\?[A-Za-z0-9]+)")
_CONSTANT = re.compile(r"(?:\\(?:pi|infty|emptyset|mathbb\{.\}|cdot|sqrt|frac|pm)|[-+()e{}i])*")
_SIDES = {("<", "<"): "()", ("<", r"\leq"): "(]", (r"\leq", "<"): "[)", (r"\leq", r"\leq"): "[]"}


class Unparseable(Exception):
    """A part that cannot be read as mathematics; ``side`` is ``"gold"`` or ``"answer"``."""

    def __init__(self, side: str) -> None:
        super().__init__(side)
        self.side = side


@dataclass(frozen=True)
class Bracketed:
    """A bracket that holds a whole text: its ends and its parts."""

    opening: str
    parts: list[str]
    closing: str


def same(gold: str, answer: str) -> bool:
    """Are two cleaned answers the same?

    Raises:
        Unparseable: one of them, or a part of it, cannot be read, or is too large to be computed.
    """
    verdict = compare(gold, answer)
    if verdict is not None:
        return verdict
    labelled, other = choice(answer), choice(gold)
    if labelled and labelled[1] and not other:
        return same(gold, labelled[1])
    gold, answer = (_BUILDER.sub(r"\g<condition>", text) for text in (gold, answer))
    golds, answers = _elements(gold), _elements(answer)
    regions = _region(gold), _region(answer)
    if regions[0] and regions[1]:
        return regions[0][0] == regions[1][0] and same(regions[0][1], regions[1][1])
    if regions[0] and not _operators(answer):
        return same(regions[0][1], answer)
    if regions[1] and not _operators(gold):
        return same(gold, regions[1][1])
    if len(golds) > 1 or len(answers) > 1:
        return _same_list(gold, golds, answer, answers)
    if _operators(gold) or _operators(answer):
        return _same_equation(gold, answer)
    return _same_value(gold, answer)


# Parts ------------------------------------------------------------------------------------------


def _split(text: str, separators: set[str]) -> list[tuple[str, str]]:
    """A text cut at separators outside all brackets: (part, the separator after it)."""
    parts, depth, current = [], 0, ""
    for token in _TOKEN.findall(text):
        if token in _OPENING or token.startswith(r"\begin{"):
            depth += 1
        elif token in _CLOSING or token.startswith(r"\end{"):
            depth -= 1
        if depth == 0 and token in separators:
            parts.append((current.strip(), token))
            current = ""
        else:
            current += token
    return [*parts, (current.strip(), "")]


def _elements(text: str) -> list[str]:
    r"""Parts between commas, semicolons and "or"; ``a\pm b`` is two."""
    found = []
    for part, _ in _split(text, {",", ";", r"\lor"}):
        if r"\pm" in part and not part.startswith(r"\{"):
            found += [part.replace(r"\pm", "+").replace(r"\mp", "-"), part.replace(r"\pm", "-").replace(r"\mp", "+")]
        else:
            found.append(part)
    return [part.removeprefix("+") for part in found]


def _operators(text: str) -> list[str]:
    return [operator for _, operator in _split(text, _RELATIONS) if operator]


def _bracketed(text: str) -> Bracketed | None:
    """The bracket around a whole text, if there is one."""
    tokens, depth = _TOKEN.findall(text), 0
    if not tokens or tokens[0] not in _OPENING or tokens[-1] not in _CLOSING:
        return None
    for i, token in enumerate(tokens):
        depth += (token in _OPENING) - (token in _CLOSING)
        if depth == 0 and i < len(tokens) - 1:
            return None
    return Bracketed(tokens[0], _elements("".join(tokens[1:-1])), tokens[-1])


def _is_name(text: str, single: bool = False) -> bool:
    """Does a side only name what is asked for: ``x``, ``f(x)``, a word, unless ``single`` also ``m+n``?"""
    bare = _SCRIPTS.sub("", text)
    if not re.search("[A-Za-z]", bare) or re.search(r"\d", bare) or _CONSTANT.fullmatch(bare):
        return False
    return not re.search(r"[-+/]|\\frac|\\cdot", bare) or (not single and r"\prime" not in text and "(" not in bare)


# Comparison -------------------------------------------------------------------------------------


def _same_list(gold: str, golds: list[str], answer: str, answers: list[str]) -> bool:
    if len(golds) > 1 and len(answers) > 1:
        return _same_unordered(golds, answers)
    # One of them is a bare list, the other must be the same list in brackets.
    whole = _bracketed(gold if len(golds) == 1 else answer)
    if whole is None or len(whole.parts) != max(len(golds), len(answers)) or whole.opening == "[":
        return False
    pair = (whole.parts, answers) if len(golds) == 1 else (golds, whole.parts)
    return _same_unordered(*pair) if whole.opening == r"\{" else _same_ordered(*pair)


def _same_ordered(golds: Sequence[str], answers: Sequence[str]) -> bool:
    return len(golds) == len(answers) and all(same(g, a) for g, a in zip(golds, answers, strict=True))


def _same_unordered(golds: Sequence[str], answers: Sequence[str]) -> bool:
    names = [{_split(part, {"="})[0][0] for part in parts if "=" in part} for parts in (golds, answers)]
    if not all(names) and max(map(len, names)) > 1:  # x = 1, y = 2 is a tuple, no set
        return False
    left = list(answers)
    for gold in golds:
        match = next((a for a in left if same(gold, a)), None)
        if match is None:
            return False
        left.remove(match)
    return not left


def _same_value(gold: str, answer: str) -> bool:
    """Neither lists nor equations."""
    (gold, gold_unit), (answer, answer_unit) = split_unit(gold), split_unit(answer)
    if units_differ(gold_unit, answer_unit) or ("%" in (gold_unit, answer_unit) and gold_unit != answer_unit):
        return False
    if (gold_unit == "°") != (answer_unit == "°") and r"\pi" in gold + answer:
        gold, answer = (f"({t})" + (r"\cdot\frac{\pi}{180}" if u == "°" else "") for t, u in
                        ((gold, gold_unit), (answer, answer_unit)))  # fmt: skip
    matrices = _MATRIX.fullmatch(gold), _MATRIX.fullmatch(answer)
    if matrices[0] and matrices[1]:
        return _same_matrix(matrices[0][2], matrices[1][2])
    unions = [[part for part, _ in _split(text, {r"\cup"})] for text in (gold, answer)]
    if len(unions[0]) > 1 and len(unions[0]) == len(unions[1]) and _same_unordered(*unions):
        return True
    one, other = _bracketed(gold), _bracketed(answer)
    if one and len(one.parts) == 1 and (one.opening in "({" or not other):
        return same(one.parts[0], answer)
    if other and len(other.parts) == 1 and (other.opening in "({" or not one):
        return same(gold, other.parts[0])
    if one and other:
        if (one.opening, one.closing) != (other.opening, other.closing):
            return False
        return (_same_unordered if one.opening == r"\{" else _same_ordered)(one.parts, other.parts)
    return _same_expression(gold, answer)


def _same_matrix(gold: str, answer: str) -> bool:
    rows = [[row for row in re.split(r"\\\\(?:\[[^\]]*\])?", text) if row.strip()] for text in (gold, answer)]
    cells = [[[cell.strip() for cell in row.split("&")] for row in matrix] for matrix in rows]
    return len(cells[0]) == len(cells[1]) and all(_same_ordered(g, a) for g, a in zip(*cells, strict=True))


def _same_equation(gold: str, answer: str) -> bool:
    golds, answers = _chain(gold), _chain(answer)
    sides = [[part for part, _ in chain] for chain in (golds, answers)]
    signs = [{sign for _, sign in chain if sign} for chain in (golds, answers)]
    if len(golds) == 1 and len(answers) == 1:
        return same(golds[0][0], answers[0][0])
    if any(sign - {"=", r"\in", r"\approx", r"\equiv"} for sign in signs):
        return _same_relation(golds, answers)
    if len(golds) == 1:
        values = [part for part in sides[1] if not _is_name(part)] or sides[1][-1:]
        return all(same(gold, value) for value in values)
    if len(answers) == 1:
        return _is_name(sides[0][0], single=True) and same(sides[0][-1], answer)
    if sides[0][0] == sides[1][0] and same(sides[0][-1], sides[1][-1]):
        return True
    return _same_relation(golds, answers)


def _chain(text: str) -> list[tuple[str, str]]:
    """Sides and signs of an equation, without what comes after a value and "about"."""
    chain = _split(text, _RELATIONS)
    for i, (side, sign) in enumerate(chain):
        if sign == r"\approx" and not _is_name(side):
            return [*chain[:i], (side, "")]
    return chain


def _same_relation(golds: list[tuple[str, str]], answers: list[tuple[str, str]]) -> bool:
    """Two sides each: equal up to a constant factor."""
    if len(golds) != 2 or len(answers) != 2:
        return False
    from relax.evaluation.symbolic import same_relation

    found = []
    for side, ((left, sign), (right, _)) in (("gold", golds), ("answer", answers)):
        if sign in (">", r"\geq"):
            left, sign, right = right, _FLIPPED[sign], left
        found.append((sign, _read(left, side) - _read(right, side)))
    return same_relation(*found)


def _region(text: str) -> tuple[str, str] | None:
    r"""The name and the interval of ``1<x\leq2``, ``x>3``, or of several joined by "or"."""
    parts = _split(text, {r"\lor"})
    found = [_interval(part) for part, _ in parts]
    names = {region[0] for region in found if region}
    if None in found or len(names) != 1:
        return None
    return names.pop(), r"\cup".join(region[1] for region in found if region)


def _interval(text: str) -> tuple[str, str] | None:
    chain = _split(text, _RELATIONS)
    sides, signs = [part for part, _ in chain], [sign for _, sign in chain[:-1]]
    if signs and all(sign in (">", r"\geq") for sign in signs):
        sides, signs = sides[::-1], [_FLIPPED[sign] for sign in signs[::-1]]
    if signs == [r"\in"] and _is_name(sides[0]):
        return sides[0], sides[1]
    if not signs or not all(sign in ("<", r"\leq") for sign in signs) or "," in text:
        return None
    if len(sides) == 3 and _is_name(sides[1]):
        ends = _SIDES[signs[0], signs[1]]
        return sides[1], f"{ends[0]}{sides[0]},{sides[2]}{ends[1]}"
    if len(sides) == 2 and re.fullmatch(r"[A-Za-z]|\\[a-z]+", sides[0]) and sides[0] != r"\infty":
        return sides[0], rf"(-\infty,{sides[1]}{')' if signs == ['<'] else ']'}"
    if len(sides) == 2 and re.fullmatch(r"[A-Za-z]|\\[a-z]+", sides[1]) and sides[1] != r"\infty":
        return sides[1], rf"{'(' if signs == ['<'] else '['}{sides[0]},\infty)"
    return None


def _read(text: str, side: str) -> Any:
    from relax.evaluation.symbolic import Unreadable, read

    try:
        return read(text)
    except Unreadable as error:
        raise Unparseable(side) from error


def _same_expression(gold: str, answer: str) -> bool:
    if is_word(gold) or is_word(answer):
        return False
    from relax.evaluation.symbolic import same_expression

    return same_expression(_read(gold, "gold"), _read(answer, "answer"))


def readable(gold: str) -> bool:
    """Can every part of a cleaned gold answer be read, so that an answer spelt differently can be found equal?"""
    if not gold:
        return False
    if compare(gold, "0") is not None or is_word(gold) or choice(gold):
        return True
    parts = _elements(gold)
    if len(parts) == 1:
        parts = [part for part, _ in _split(gold, _RELATIONS | {r"\cup"})]
    if len(parts) > 1:
        return all(readable(part) for part in parts)
    matrix, whole = _MATRIX.fullmatch(gold), _bracketed(gold)
    if matrix:
        parts = [cell.strip() for cell in re.split(r"\\\\(?:\[[^\]]*\])?|&", matrix[2]) if cell.strip()]
        return all(readable(part) for part in parts)
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
