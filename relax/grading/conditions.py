r"""Conditions on one name: inequalities as intervals, congruences as residues. Text in, text out."""

import re
from dataclasses import dataclass, field

from relax.grading.parts import RELATIONS, both_signs, elements, is_name, split
from relax.grading.scalars import number

FLIPPED = {"<": ">", ">": "<", r"\leq": r"\geq", r"\geq": r"\leq"}
_SIDES = {("<", "<"): "()", ("<", r"\leq"): "(]", (r"\leq", "<"): "[)", (r"\leq", r"\leq"): "[]"}
_VARIABLE = re.compile(r"(?!\\infty)(?:[A-Za-z]|\\[a-z]+)(?:_\w|_\{\w+\})?")
_ABSOLUTE = re.compile(r"\|([A-Za-z])\|")
_REALS = r"\mathbb{R}"
_MODULUS = re.compile(
    r"(?P<before>.+?),?\s?\(?\s?(?:\\text\{\s*\(?\s*mod(?:ulo)?\s*(?P<inside>\d*)\s*\)?\s*\}|\\[pb]?mod(?![A-Za-z])|(?<![A-Za-z\\])mod"
    r"(?:ulo)?(?![A-Za-z]))\s*\{?(?P<modulus>[^{}()]*)\}?\)?"
)


@dataclass
class _Conjunction:
    """What holds at once: bounds, sets and excluded values."""

    lower: list[tuple[str, str]] = field(default_factory=list)
    upper: list[tuple[str, str]] = field(default_factory=list)
    sets: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)

    def text(self, commas: bool) -> str:
        """One set; bounds that a comma joins and that no number keeps are two ends: ``x<1, x>4``."""
        lower, upper, sets = self.lower, self.upper, list(self.sets)
        if len(lower) == 1 and len(upper) == 1:
            (low, opening), (high, closing) = lower[0], upper[0]
            ends = number(low), number(high)
            apart = ends[0] is not None and ends[1] is not None and ends[0] > ends[1]
            sets.append(
                _rays((high, closing), (low, opening)) if apart and commas else f"{opening}{low},{high}{closing}"
            )
        else:
            sets += [rf"{opening}{low},\infty)" for low, opening in lower]
            sets += [rf"(-\infty,{high}{closing}" for high, closing in upper]
        sets = [one for one in sets if one != _REALS] or [_REALS]
        whole = r"\cap".join(sets)
        return rf"{whole}\setminus\{{{','.join(self.excluded)}\}}" if self.excluded else whole


def _rays(upper: tuple[str, str], lower: tuple[str, str]) -> str:
    return rf"(-\infty,{upper[0]}{upper[1]}\cup{lower[1]}{lower[0]},\infty)"


def region(text: str) -> tuple[str, str] | None:
    r"""The name and the set of ``1<x\leq2``, ``x>3``, ``x\neq2``, ``|x|<1``, or of several joined by "and" or "or".

    Returns:
        None if that is not what the text says, or it says it of several names.
    """
    names: set[str] = set()
    found = [_conjunction(part, names) for part, _ in split(text, {r"\lor"})]
    sets = [one for one in found if one is not None]
    if len(sets) != len(found) or len(names) != 1:
        return None
    return names.pop(), r"\cup".join(sets)


def _conjunction(text: str, names: set[str]) -> str | None:
    found = _Conjunction()
    parts = split(text, {",", r"\land"})
    for i, (part, _) in enumerate(parts):
        if i and found.excluded and not any(sign for _, sign in split(part, RELATIONS)):
            found.excluded += both_signs(part)  # x \neq 2, 3
        elif (name := _condition(part, found)) is None:
            return None
        else:
            names.add(name)
    return found.text(commas=all(separator != r"\land" for _, separator in parts))


def _condition(text: str, into: _Conjunction) -> str | None:
    """Add one condition, and say of which name; None if it is none."""
    chain = split(text, RELATIONS)
    sides, signs = [part for part, _ in chain], [sign for _, sign in chain[:-1]]
    if signs and all(sign in (">", r"\geq") for sign in signs):
        sides, signs = sides[::-1], [FLIPPED[sign] for sign in signs[::-1]]
    if signs == [r"\in"] and is_name(sides[0]):
        into.sets.append(sides[1])
        return sides[0]
    if signs == [r"\neq"]:
        name, value = sides if _VARIABLE.fullmatch(sides[0]) else sides[::-1]
        if not _VARIABLE.fullmatch(name) or is_name(value):
            return None
        into.excluded += both_signs(value)
        return name
    if not signs or not all(sign in ("<", r"\leq") for sign in signs):
        return None
    if len(sides) == 3 and is_name(sides[1]):
        ends = _SIDES[signs[0], signs[1]]
        into.sets.append(f"{ends[0]}{sides[0]},{sides[2]}{ends[1]}")
        return sides[1]
    if len(sides) != 2:
        return None
    opening, closing = ("(", ")") if signs == ["<"] else ("[", "]")
    if found := _ABSOLUTE.fullmatch(sides[0]):
        into.sets.append(f"{opening}-({sides[1]}),{sides[1]}{closing}")
        return found[1]
    if found := _ABSOLUTE.fullmatch(sides[1]):
        into.sets.append(_rays((f"-({sides[0]})", closing), (sides[0], opening)))
        return found[1]
    if _VARIABLE.fullmatch(sides[0]):
        into.upper.append((sides[1], closing))
        return sides[0]
    if _VARIABLE.fullmatch(sides[1]):
        into.lower.append((sides[0], opening))
        return sides[1]
    return None


@dataclass(frozen=True)
class Congruence:
    r"""``x\equiv3\pmod7``: the name, empty if there is none; the residues; the modulus."""

    name: str
    residues: list[str]
    modulus: str


def congruence(text: str) -> Congruence | None:
    """One congruence in any of its spellings; None if a text is something else, or several of them."""
    found = _MODULUS.fullmatch(text)
    if not found or "mod" in found["before"]:
        return None
    modulus = found["inside"] or found["modulus"].strip()
    name, sign, residues = found["before"].rpartition(r"\equiv")
    if not modulus or (found["inside"] and found["modulus"]) or (not sign and "=" in residues):
        return None
    return Congruence(name.strip(), elements(residues), modulus)
