"""What has colons: ratios, which are equal up to a factor, and times of day, which are not."""

import re
from dataclasses import dataclass
from math import gcd

_TIME = re.compile(r"(\d{1,2}):([0-5]\d)(?::([0-5]\d))? ?(am|pm)?|(\d{1,2}) ?(am|pm)")
_TEXT = re.compile(r"\\text\{([^{}]*)\}")
_NAMED = {"noon": "12:00pm", "12 noon": "12:00pm", "midnight": "12:00am", "12 midnight": "12:00am"}
#: What no other side of a time holds.
_RELATION = re.compile(r"[=<>,;]|\\(?:leq|geq|neq|in|approx|equiv|lor|land)(?![A-Za-z])")


@dataclass(frozen=True)
class Time:
    """A time of day, or what may be one.

    Attributes:
        seconds: since midnight.
        half: ``"am"``, ``"pm"`` or empty.
        marked: it has a half of the day or a leading zero, so that it is no ratio.
        reduced: as a ratio it is in lowest terms.
        whole: hours alone, as in ``10 am``.
    """

    seconds: int
    half: str
    marked: bool
    reduced: bool
    whole: bool


def time(text: str) -> Time | None:
    r"""The time of day that a cleaned text may be: ``3:30``, ``2:30\text{p.m.}``, ``10\text{AM}``, ``\text{noon}``."""
    words = " ".join(_TEXT.sub(r" \1 ", text).casefold().split())
    words = _NAMED.get(words, re.sub(r" ?([ap])\.? ?m\.?$", r"\1m", words))
    found = _TIME.fullmatch(words)
    if not found:
        return None
    hours, half = int(found[1] or found[5]), found[4] or found[6] or ""
    minutes, seconds = int(found[2] or 0), int(found[3] or 0)
    if hours > (12 if half else 24) or (half and not hours):
        return None
    marked = bool(half) or found[2].startswith("0") or found[1].startswith("0")
    of_day = hours % 12 + 12 * (half == "pm") if half else hours % 24
    reduced = gcd(hours, minutes, seconds) == 1
    return Time(3600 * of_day + 60 * minutes + seconds, half, marked, reduced, whole=not found[2])


def same_time(gold: str, answer: str) -> bool | None:
    """Of two cleaned texts of which one is a time: is the other the same time?

    A gold such as ``3:30`` may be a ratio: beside a fraction it is one if it is in lowest terms. A gold such as ``2:3``
    is one, and so is then an answer ``10:15``.

    Returns:
        None where neither is a time, and where a ratio is to be compared.
    """
    one, other = time(gold), time(answer)
    if one and other:
        if bool(one.half) == bool(other.half):
            return one.seconds == other.seconds
        bare = other if one.half else one
        # 2:30 may be in either half of the day, 14:30 is in the second.
        day = 86_400 if bare.seconds >= 13 * 3600 or bare.seconds < 3600 else 43_200
        return (one.seconds - other.seconds) % day == 0
    known, rest = (one, answer) if one else (other, gold)
    if known is None or known.whole or _RELATION.search(rest):
        return None
    if known.marked or (one and ":" in answer) or (":" not in rest and not known.reduced):
        return False
    return None


def split_ratio(text: str) -> list[str]:
    """Parts between colons outside all brackets; one if there are none."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "{[(") - (character in "}])")
        if character == ":" and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]
