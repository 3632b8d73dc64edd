r"""Numbers, units, words and choice letters in cleaned answers: what can be compared without computer algebra.

Numbers are compared as exact fractions. Nothing here imports more than the standard library.
"""

import re
from fractions import Fraction

from relax.grading.ratios import same_time, split_ratio
from relax.grading.units import WORDS, Unit, differ, unit
from relax.grading.words import choice, is_word, plain, small_choice

#: A power of ten beyond this is not written out.
_MAX_EXPONENT = 1000

_INTEGER = r"(?:\d{1,3}(?:,\d{3})+|\d+)"
_DECIMAL = rf"(?:{_INTEGER}(?:\.\d*)?)"
_NUMBERS = [
    re.compile(rf"(?P<sign>[-+]?){form}")
    for form in (
        rf"(?P<decimal>{_DECIMAL})(?:[eE](?P<exponent>[-+]?\d+))?",
        rf"(?:(?P<decimal>{_DECIMAL})\\cdot)?10\^(?:\{{(?P<exponent>[-+]?\d+)\}}|(?P<digit>\d))",
        rf"(?P<whole>\d+)?\\frac\{{(?P<over>-?{_DECIMAL})\}}\{{(?P<under>-?{_DECIMAL})\}}",
        rf"(?P<over>{_INTEGER})/(?P<under>{_INTEGER})",
        r"(?P<whole>\d*)\.(?P<fixed>\d*)\\(?:overline|bar|dot)\{(?P<period>\d+)\}",
    )
]
_NUMBER_WORDS = {
    word: Fraction(value)
    for value, word in enumerate(
        re.findall(r"\w+", "zero one two three four five six seven eight nine ten eleven twelve")
    )
}

_SCALES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
#: Words after a number that change it, or are no units.
_NO_UNITS = {
    "factorial", "choose", "over", "times", "plus", "minus", "squared", "cubed", "divided", "root", "modulo", "mod",
    "dozen", "half", "halves", "score", "pair", "thirds", "fourths", "quarters", "fifths", "sixths", "eighths",
    "tenth", "tenths", "hundredth", "hundredths", "thousandth", "thousandths", "tens", "hundreds", "dozens", "pairs",
    "below", "negative", "or", "not", "if", "except", "least", "most", "than",
    "alpha", "beta", "gamma", "delta", "theta", "lambda", "sigma", "omega", "sqrt", "sinh", "cosh", "tanh", "infinity",
    "infty", "power", "st", "nd", "rd",
}  # fmt: skip
#: Units that stand without \\text{}: glued to the number only where they are no product of usual variables.
_GLUED = "cm|mm|km|kg|mph|kph|min|sec|mins|secs|hours?|minutes?|seconds?|miles?|degrees?|dollars?|cents?|percent"
_SPACED = "|".join(WORDS) + "|AM|PM"
_ATOM = (
    r"(?:\\text\{[^{}]*\}|\^\\circ(?:\s?[CF](?![A-Za-z]))?|[%€£]"
    rf"|(?:(?<![A-Za-z\\])(?:{_GLUED})|(?<=[\s/])(?:{_SPACED})s?)(?![A-Za-z]))(?:\^(?:\d|\{{-?\d\}}))?"
)
_JOIN = r"(?:\s?(?:/|\\cdot|per)\s?|\s?)"
_CHAIN = rf"{_ATOM}(?:{_JOIN}{_ATOM}){{0,5}}"
_FRACTION = rf"\\frac\{{(?:1|{_CHAIN})\}}\{{{_CHAIN}\}}"
_UNIT = rf"(?:{_ATOM}|{_FRACTION}|\({_CHAIN}\))"
_WITH_UNIT = re.compile(rf"(?P<value>.*?[\w)}}!])(?P<unit>\s?/?\s?{_UNIT}(?:{_JOIN}{_UNIT}){{0,5}})", re.DOTALL)
_WITH_WORDS = re.compile(
    r"(?P<value>.*\d\}*) (?P<unit>(?!a?(?:sin|cos|tan|log|exp))(?:[a-z]{3,} ){0,3}[A-Za-z][a-z]{3,}(?: [a-z]+){0,5})"
)
_LETTER = re.compile(r"[A-Za-z]")
_WORDS_WITHIN = re.compile(r"\d [A-Za-z]{3,}")
#: Letters behind a number, which are a unit only beside the same unit in roman type.
_BARE = re.compile(r"(?P<value>.*?[\d)}])\s?(?P<unit>(?:\\(?:mu|Omega|frac|cdot|,)|[A-Za-z])[\w\s/^{}\\().-]*)")
#: Words that begin a condition on what stands before them.
_CONDITIONS = {"for", "where", "when", "whenever", "unless", "provided", "as", "with", "but", "such", "remainder"}
#: No quantity is longer, in characters.
_LONGEST = 300
_QUANTITY = re.compile(rf"({_DECIMAL}) ?\\text\{{([^{{}}]*)\}}")
_QUANTITIES = re.compile(rf"{_QUANTITY.pattern}(?: ?{_QUANTITY.pattern})+")
_TRIGONOMETRIC = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc|cis)")
_CURRENCY = re.compile(r"(?P<sign>-?)(?P<unit>\\\$|€|£|\\pounds(?![A-Za-z])|USD\s?)(?P<value>.*)")

_TEXT = re.compile(r"\\text\{([^{}]*)\}")
_BASED = re.compile(r"(?P<digits>[0-9A-Fa-f]+)_(?:\{?(?P<base>\d+)\}?|\{?\\text\{(?P<word>[a-z]+)\}\}?)")


def number(text: str) -> Fraction | None:
    r"""The exact value of a number written out: integer, decimal, fraction, mixed number, power of ten, e-notation.

    Args:
        text: cleaned, without unit.

    Returns:
        None if it is no such number; expressions such as ``\sqrt{2}`` or ``2+3`` are not.
    """
    if text[:1] + text[-1:] in ("()", "{}"):
        text = text[1:-1]
    for form in _NUMBERS:
        found = form.fullmatch(text)
        if found:
            return _value(found.groupdict(default=""))
    return _NUMBER_WORDS.get(plain(text))


def _value(part: dict[str, str]) -> Fraction | None:
    exponent = int(part.get("exponent") or part.get("digit") or 0)
    if abs(exponent) > _MAX_EXPONENT:
        return None
    if "under" in part:
        under = _fraction(part["under"])
        if under == 0:
            return None
        value = Fraction(part.get("whole") or 0) + _fraction(part["over"]) / under
    elif "period" in part:
        fixed, period = part["fixed"], part["period"]
        repeated = Fraction(int(period), 10 ** len(period) - 1) + int(fixed or 0)
        value = int(part["whole"] or 0) + repeated / 10 ** len(fixed)
    else:
        value = _fraction(part.get("decimal") or "1") * Fraction(10) ** exponent
    return -value if part["sign"] == "-" else value


def _fraction(text: str) -> Fraction:
    return Fraction(text.replace(",", "").rstrip("."))


def split_unit(text: str) -> tuple[str, str]:
    r"""A cleaned answer as its value and its unit.

    Args:
        text: e.g. ``18 dollars``, ``5\text{cm}^2``, ``\$18``, ``45^\circ``, ``50%``, ``5\text{million}``.

    Returns:
        The value, times a power of ten for "million" and the like, and the unit as written, empty if there is none.
    """
    found = _CURRENCY.fullmatch(text)
    if found:
        value, behind = split_unit(found["value"])  # "million", "per hour", or the currency once more in words
        currency = {"USD": "$", r"\pounds": "£"}.get(found["unit"].strip(), found["unit"].removeprefix("\\"))
        named = unit(behind) if behind else None
        return found["sign"] + value, f"{currency} {behind}" if named and -1 in named.values() else currency
    if len(text) > _LONGEST:
        return text, ""
    found = _WITH_UNIT.fullmatch(text)
    if not found or _WORDS_WITHIN.search(found["value"]):  # "72 clips per day" is no 72 clips of a day
        found = _WITH_WORDS.fullmatch(text) or found
    if not found or not re.search(r"\d|\\pi", found["value"]):
        return text, ""
    value, behind = found["value"], " ".join(_TEXT.sub(r" \1 ", found["unit"].replace(r"^\circ", "°")).split())
    words = behind.casefold().split()
    if words and words[0] in _SCALES:
        return rf"{value}\cdot10^{_SCALES[words[0]]}", " ".join(behind.split()[1:])
    if words and words[0] in _CONDITIONS:
        return text, ""
    if (_NO_UNITS & set(words) and not unit(behind)) or (behind == "°" and _TRIGONOMETRIC.search(value)):
        return text, ""
    return value.strip(), behind


def quantities(gold: str, answer: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """Two cleaned answers as values and units, as :func:`split_unit` does.

    Where one has a unit, letters behind the other's number are read as that unit, if they can be: ``5m`` is ``5 m``
    only beside metres.
    """
    found = [split_unit(text) for text in (gold, answer)]
    for i, text in enumerate((gold, answer)):
        known = unit(found[1 - i][1]) if found[1 - i][1] and not found[i][1] else None
        bare = _BARE.fullmatch(text) if known else None
        if bare and unit(bare["unit"]) == known:
            found[i] = bare["value"], found[1 - i][1]
    return found[0], found[1]


def compare(gold: str, answer: str) -> bool | None:
    """Are two cleaned answers the same, as texts, words, choice letters or numbers?

    Returns:
        None where only computer algebra can tell.
    """
    if gold.replace(", ", ",") == answer.replace(", ", ","):
        return bool(gold)
    if _TEXT.sub(r"\1", gold) == _TEXT.sub(r"\1", answer):
        return True
    letter, other = choice(gold), choice(answer)
    if letter and other:
        return letter[0] == other[0]
    if other and other[1]:
        return compare(gold, other[1])
    if letter and letter[1]:
        return compare(letter[1], answer)
    if letter and not other and (small := small_choice(answer)):
        return letter[0] == small
    verdict = same_time(gold, answer)
    if verdict is not None:
        return verdict
    if ":" in gold + answer:
        parts = [[number(part) for part in split_ratio(text)] for text in (gold, answer)]
        if all(part is not None for part in parts[0] + parts[1]):
            return proportional(*parts)  # type: ignore[arg-type]  # none is None, said above
    series = _series(gold), _series(answer)
    if series[0] and series[1]:
        return series[0] == series[1]
    (one, one_unit), (two, two_unit) = quantities(gold, answer)
    values = [number(one), number(two)]
    if values[0] is not None and values[1] is not None:
        return _same_quantity(values[0], one_unit, values[1], two_unit)
    if any(value is not None and _LETTER.fullmatch(text) for value, text in zip(values, (answer, gold), strict=True)):
        return False  # a choice or a variable, and e and i are no fractions
    if is_word(gold) or is_word(answer):
        return plain(gold) == plain(answer)
    return _same_based(gold, answer)


def proportional(gold: list[Fraction], answer: list[Fraction]) -> bool:
    """Are two ratios equal up to a factor?

    A ratio of two numbers and a fraction are the same where that is its value; an integer is the ratio to 1 alone.
    """
    if sorted((len(gold), len(answer))) == [1, 2]:
        (over, under), value = (gold, answer[0]) if len(gold) == 2 else (answer, gold[0])
        return under != 0 and over / under == value and (value.denominator > 1 or under == 1)
    first = next((i for i, part in enumerate(gold) if part), None)
    if len(gold) != len(answer) or first is None or not answer[first]:
        return False
    return all(a * answer[first] == b * gold[first] for a, b in zip(gold, answer, strict=True))


def _series(text: str) -> list[tuple[Fraction, Unit]]:
    """``1\\text{hour}30\\text{minutes}``: the values and units of a quantity in several units; else nothing."""
    found = _QUANTITY.findall(text) if _QUANTITIES.fullmatch(text) else []
    units = [unit(name) for _, name in found]
    return [(_fraction(value), one) for (value, _), one in zip(found, units, strict=True) if one] if all(units) else []


def _same_quantity(gold: Fraction, gold_unit: str, answer: Fraction, answer_unit: str) -> bool:
    if "%" in (gold_unit, answer_unit) and gold_unit != answer_unit:
        if gold_unit == "%" and not answer_unit:
            return answer in (gold, gold / 100)
        # A gold without a sign is the percentage itself only where it cannot be a share.
        return not gold_unit and (answer / 100 == gold or (answer == gold and abs(gold) > 1))
    return gold == answer and not differ(gold_unit, answer_unit)


def _same_based(gold: str, answer: str) -> bool | None:
    """Numbers with a base, ``52_8``; the base may be missing in the answer, not in the gold."""
    one, other = _BASED.fullmatch(gold), _BASED.fullmatch(answer)
    if one and other:
        bases = [found["base"] or str(_NUMBER_WORDS.get(found["word"])) for found in (one, other)]
        return one["digits"].lower() == other["digits"].lower() and bases[0] == bases[1]
    if one and number(answer) is not None:
        return one["digits"] == answer
    return False if other and number(gold) is not None else None
