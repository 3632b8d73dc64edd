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
        surely: it cannot be a ratio: it has a half of the day, a leading zero, or is not in lowest terms.
        whole: hours alone, as in ``10 am``.
    """

    seconds: int
    half: str
    surely: bool
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
    reduced = gcd(hours, minutes) == 1 and not found[3]
    surely = bool(half) or (found[2] or "")[:1] == "0" or found[1].startswith("0") or not reduced
    of_day = hours % 12 + 12 * (half == "pm") if half else hours % 24
    return Time(3600 * of_day + 60 * minutes + seconds, half, surely, whole=not found[2])


def same_ratio(gold: str, answer: str) -> bool | None:
    """Of two cleaned texts of which one is a time: is the other the same time?

    Returns:
        None where neither is, or one that may be a ratio stands beside what is no time.
    """
    one, other = time(gold), time(answer)
    if one and other:
        if bool(one.half) == bool(other.half):
            return one.seconds == other.seconds
        bare = other if one.half else one
        # 2:30 may be in either half of the day, 14:30 is in the second.
        return (one.seconds - other.seconds) % (
            86_400 if bare.seconds >= 13 * 3600 or bare.seconds < 3600 else 43_200
        ) == 0
    known, rest = (one, answer) if one else (other, gold)
    if known is None or not known.surely or _RELATION.search(rest):
        return None
    return None if known.whole else False


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
