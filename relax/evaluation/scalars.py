r"""Numbers, units, words and choice letters in cleaned answers: what can be compared without computer algebra.

Numbers are compared as exact fractions. Nothing here imports more than the standard library.
"""

import re
from fractions import Fraction

from relax.evaluation.answers import plain

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

#: Canonical name: other spellings. A plural "s" is dropped first.
_UNITS = {
    "dollar": "$ usd", "cent": "¢", "euro": "€ eur", "pound": "£ lb", "degree": "deg °", "radian": "rad",
    "percent": "%", "millimeter": "mm millimetre", "centimeter": "cm centimetre", "meter": "m metre",
    "kilometer": "km kilometre", "inch": "in inche", "foot": "ft feet", "yard": "yd", "mile": "mi", "acre": "",
    "milligram": "mg", "gram": "g", "kilogram": "kg", "ounce": "oz", "ton": "", "liter": "l litre",
    "milliliter": "ml millilitre", "gallon": "gal", "second": "s sec", "minute": "min", "hour": "h hr", "day": "",
    "week": "", "month": "", "year": "yr", "newton": "n", "joule": "j", "watt": "w", "volt": "v", "kelvin": "k",
    "pascal": "pa", "hertz": "hz", "mole": "mol", "am": "a.m.", "pm": "p.m.", "kph": "kmh kmph", "mph": "",
    "celsius": "c", "fahrenheit": "f",
}  # fmt: skip
_CANONICAL = {name: unit for unit, others in _UNITS.items() for name in (unit, *others.split())}
_SCALES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
#: Words after a number that change it, or are no units.
_NO_UNITS = {
    "factorial", "choose", "over", "times", "plus", "minus", "squared", "cubed", "divided", "root", "modulo", "mod",
    "dozen", "half", "score", "pair", "below", "negative", "or", "not", "if", "except", "least", "most", "than",
    "alpha", "beta", "gamma", "delta", "theta", "lambda", "sigma", "omega", "sqrt", "sinh", "cosh", "tanh", "infinity",
    "infty",
}  # fmt: skip
#: Units that stand without \\text{}: glued to the number only where they are no product of usual variables.
_GLUED = "cm|mm|km|kg|mph|kph|degrees?|dollars?|cents?|percent"
_SPACED = "|".join(sorted((name for name in _CANONICAL if len(name) > 1 and name.isalpha()), key=len, reverse=True))
_SPACED += "|AM|PM|Hz|Pa"
_UNIT = (
    r"(?:\\text\{[^{}]*\}|\^\\circ(?:\s?[CF](?![A-Za-z]))?|[%€£]"
    rf"|(?:(?<![A-Za-z\\])(?:{_GLUED})|(?<=[\s/])(?:{_SPACED})s?)(?![A-Za-z]))(?:\^(?:\d|\{{-?\d\}}))?"
)
_WITH_UNIT = re.compile(
    rf"(?P<value>.*?[\w)}}!])(?P<unit>\s?{_UNIT}(?:(?:\s?(?:/|\\cdot|per)\s?|\s?){_UNIT}){{0,5}})", re.DOTALL
)
_WITH_WORDS = re.compile(
    r"(?P<value>.*\d\}*) (?P<unit>(?!a?(?:sin|cos|tan|log|exp))(?:[a-z]{3,} ){0,3}[A-Za-z][a-z]{3,}(?: [a-z]+){0,5})"
)
_TRIGONOMETRIC = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)")
_CURRENCY = re.compile(r"(?P<sign>-?)(?P<unit>\\\$|€|£|\\pounds(?![A-Za-z])|USD\s?)(?P<value>.*)")
_UNIT_TOKEN = re.compile(r"[a-z.]+|[°$€£¢%]|\^-?\d+|/")

_TEXT = re.compile(r"\\text\{([^{}]*)\}")
_WORD = re.compile(r"[a-z][a-z' -]*")
#: Short words that are no products of variables.
_SHORT_WORDS = {"yes", "no", "odd", "even", "all", "any", "none", "red", "on", "up", "tie", "sun", "mon", "tue"}
_CHOICE = re.compile(
    r"(?:(?:[Oo]ption|[Cc]hoice|[Aa]nswer)[ :]*)?"
    r"(?:\((?P<bracketed>[A-J])\)|(?P<bare>[A-J])(?=[).]|:?$))(?:[):]|\.(?=\s|$))?\s*(?P<rest>.*)"
)
_CHOICE_TEXT = re.compile(r"[-\d\\\"]|[A-Za-z]{2}")
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
        value = split_unit(found["value"])[0]  # without "million", or the currency once more in words
        return found["sign"] + value, {r"\$": "$", "USD": "$", r"\pounds": "£"}.get(
            found["unit"].strip(), found["unit"]
        )
    found = _WITH_UNIT.fullmatch(text) or _WITH_WORDS.fullmatch(text)
    if not found or not re.search(r"\d|\\pi", found["value"]):
        return text, ""
    value, unit = found["value"], plain(found["unit"].replace(r"^\circ", "°"))
    words = unit.split()
    if words and words[0] in _SCALES:
        return rf"{value}\cdot10^{_SCALES[words[0]]}", " ".join(words[1:])
    if _NO_UNITS & set(words) or (unit == "°" and _TRIGONOMETRIC.search(value)):
        return text, ""
    return value.strip(), unit


def units_differ(one: str, other: str) -> bool:
    """Are both units known, and not the same?"""
    first, second = _unit_key(one), _unit_key(other)
    return first is not None and second is not None and first != second


def _unit_key(unit: str) -> str | None:
    """One spelling of a unit; None without one, or if any word of it is unknown."""
    unit = re.sub(r"\b(?:square|sq\.?)\s+([a-z]+)", r"\1^2", unit.replace("{", "").replace("}", ""))
    unit = re.sub(r"\bcubic\s+([a-z]+)", r"\1^3", unit).replace(" per ", "/")
    key = ""
    for token in _UNIT_TOKEN.findall(unit):
        if token[0] in "^/":
            key += token
            continue
        name = _CANONICAL.get(token) or _CANONICAL.get(token.removesuffix("s"))
        if name is None:
            return None
        key += f" {name}"
    return key.strip() or None


def is_word(text: str) -> bool:
    r"""Is a cleaned answer a word or a phrase, not a product of variables?

    In ``\text{}``, of four letters or more, or one of a few short words.
    """
    bare = plain(text)
    if not _WORD.fullmatch(bare):
        return False
    return r"\text{" in text or any(len(word) > 3 for word in bare.split()) or bare in _SHORT_WORDS


def choice(text: str) -> tuple[str, str] | None:
    """The letter A to J of a cleaned answer such as ``C``, ``(C)``, ``C.`` or ``(C)5``, and the text after it."""
    found = _CHOICE.fullmatch(_TEXT.sub(r"\1", text).strip())
    if not found or (found["rest"] and not _CHOICE_TEXT.match(found["rest"])):
        return None
    return found["bracketed"] or found["bare"], found["rest"]


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
    values = [number(split_unit(text)[0]) for text in (gold, answer)]
    if values[0] is not None and values[1] is not None:
        return _same_quantity(values[0], split_unit(gold)[1], values[1], split_unit(answer)[1])
    if is_word(gold) or is_word(answer):
        return plain(gold) == plain(answer)
    return _same_based(gold, answer)


def _same_quantity(gold: Fraction, gold_unit: str, answer: Fraction, answer_unit: str) -> bool:
    if "%" in (gold_unit, answer_unit) and gold_unit != answer_unit:
        if gold_unit == "%" and not answer_unit:
            return answer in (gold, gold / 100)
        # A gold without a sign is the percentage itself only where it cannot be a share.
        return not gold_unit and (answer / 100 == gold or (answer == gold and abs(gold) > 1))
    return gold == answer and not units_differ(gold_unit, answer_unit)


def _same_based(gold: str, answer: str) -> bool | None:
    """Numbers with a base, ``52_8``; the base may be missing in the answer, not in the gold."""
    one, other = _BASED.fullmatch(gold), _BASED.fullmatch(answer)
    if one and other:
        bases = [found["base"] or str(_NUMBER_WORDS.get(found["word"])) for found in (one, other)]
        return one["digits"].lower() == other["digits"].lower() and bases[0] == bases[1]
    if one and number(answer) is not None:
        return one["digits"] == answer
    return False if other and number(gold) is not None else None
