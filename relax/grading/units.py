r"""Units of measure: names, products and powers, read from what stands behind a number.

A unit is a power of ten times a product of basic units, so that ``N``, ``kg m/s^2`` and ``newtons`` are one and ``cm``
and ``m`` are two. Nothing is converted: minutes and hours, miles and kilometres are basic units each.
"""

import re
from collections.abc import Iterable

from relax.grading.rewrites import compiled, rewritten

#: Symbols that take the prefixes of the SI: what they are made of. A number in front is a power of ten.
_METRIC = {
    "m": "m", "g": "g", "s": "s", "A": "A", "K": "K", "mol": "mol", "cd": "cd", "L": "-3 m3", "l": "-3 m3",
    "N": "3 g m s-2", "J": "3 g m2 s-2", "W": "3 g m2 s-3", "Pa": "3 g m-1 s-2", "Hz": "s-1", "C": "A s",
    "V": "3 g m2 s-3 A-1", "Ω": "3 g m2 s-3 A-2", "F": "-3 g-1 m-2 s4 A2", "T": "3 g s-2 A-1",
    "H": "3 g m2 s-2 A-2", "Wb": "3 g m2 s-2 A-1", "S": "-3 g-1 m-2 s3 A2", "eV": "eV", "cal": "cal",
    "Wh": "3 g m2 s-3 h", "bit": "bit", "bar": "8 g m-1 s-2", "lm": "lm", "lx": "lx", "Bq": "Bq", "M": "3 mol m-3",
    "t": "6 g",
}  # fmt: skip
_PREFIXES = {"p": -12, "n": -9, "μ": -6, "u": -6, "m": -3, "c": -2, "d": -1, "k": 3, "M": 6, "G": 9, "T": 12}
#: Symbols and names that take none.
_FIXED = {
    "min": "min", "h": "h", "hr": "h", "d": "day", "yr": "year", "in": "in", "ft": "ft", "yd": "yd", "mi": "mi",
    "lb": "lb", "lbs": "lb", "oz": "oz", "gal": "gal", "sec": "s", "mph": "mi h-1", "kph": "3 m h-1",
    "kmh": "3 m h-1", "kmph": "3 m h-1", "fps": "ft s-1", "mpg": "mi gal-1", "rpm": "rev min-1", "cc": "-6 m3",
    "ha": "4 m2", "Å": "-10 m", "atm": "atm", "rad": "rad", "deg": "°", "°": "°", "°C": "°C", "°F": "°F", "$": "$",
    "€": "€", "£": "lb", "¢": "¢", "%": "%", "psi": "psi", "am": "am", "pm": "pm", "a.m": "am", "p.m": "pm",
    "AM": "am", "PM": "pm", "mins": "min", "secs": "s", "hrs": "h", "yrs": "year", "usd": "$", "USD": "$",
    "eur": "€", "EUR": "€", "dB": "dB", "px": "px", "kn": "knot", "sr": "sr",
}  # fmt: skip
_NAMED = {
    "meter": "m", "metre": "m", "gram": "g", "second": "s", "ampere": "A", "amp": "A", "kelvin": "K", "mole": "mol",
    "candela": "cd", "liter": "L", "litre": "L", "newton": "N", "joule": "J", "watt": "W", "pascal": "Pa",
    "hertz": "Hz", "coulomb": "C", "volt": "V", "ohm": "Ω", "farad": "F", "tesla": "T", "henry": "H", "weber": "Wb",
    "siemens": "S", "electronvolt": "eV", "calorie": "cal", "bit": "bit", "lumen": "lm", "lux": "lx",
    "becquerel": "Bq", "molar": "M",
}  # fmt: skip
_PREFIX_NAMES = {
    "pico": -12, "nano": -9, "micro": -6, "milli": -3, "centi": -2, "deci": -1, "hecto": 2, "kilo": 3, "mega": 6,
    "giga": 9, "tera": 12,
}  # fmt: skip
_WORDS = {
    "minute": "min", "hour": "h", "day": "day", "week": "week", "month": "month", "year": "year", "inch": "in",
    "foot": "ft", "feet": "ft", "yard": "yd", "mile": "mi", "acre": "acre", "hectare": "4 m2", "ounce": "oz",
    "pound": "lb", "ton": "ton", "tonne": "6 g", "gallon": "gal", "quart": "quart", "pint": "pint", "degree": "°",
    "radian": "rad", "dollar": "$", "buck": "$", "cent": "¢", "euro": "€", "percent": "%", "celsius": "°C",
    "fahrenheit": "°F", "revolution": "rev", "knot": "knot", "byte": "byte", "micron": "-6 m", "angstrom": "-10 m",
    "atmosphere": "atm", "kilohm": "6 g m2 s-3 A-2", "megohm": "9 g m2 s-3 A-2", "steradian": "sr",
    "henries": "3 g m2 s-2 A-2", "hertz": "s-1", "siemens": "-3 g-1 m-2 s3 A2", "lux": "lx", "celcius": "°C",
    "foot-pound": "ft lb",
}  # fmt: skip
#: Words behind a number that say no more than the number.
_IDLE = {
    "unit", "units", "total", "altogether", "in", "all", "of", "the", "each", "long", "wide", "tall", "high",
    "deep", "away", "old", "per", "exactly", "only", "more", "left", "th",
}  # fmt: skip
_TOKEN = re.compile(r"\^-?\d|[/()·]|°[CF]?|[$€£¢%]|[^\W\d_]+(?:\.[^\W\d_]+)*\.?|-|\d|\S")

_FLAT = compiled(
    [
        (r"\\text\{([^{}]*)\}", r" \1 "),
        (r"\^\s*\\circ", "°"),
        (r"\\(?:cdot|times)(?![A-Za-z])", "·"),
        (r"\\Omega(?![A-Za-z])", "Ω"),
        (r"\\mu(?![A-Za-z])|\u00b5", " μ"),
        (r"μ\s+(?=[^\W\d_])|(?<![A-Za-z])([kMGm])\s+(?=Ω)", lambda found: found[1] or "μ"),
        (r"\\[,;: ]|~|\\\$", lambda found: "$" if found[0] == r"\$" else " "),
        (r"\s*\^\s*(?:\{\s*(-?\d)\s*\}|(-?\d))", r"^\1\2"),
        (r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r"(\1)/(\2)"),
    ]
)
#: Basic units with their exponents; "10" stands for the power of ten.
Unit = dict[str, int]


def _made_of(text: str) -> Unit:
    """A unit from the tables above: ``"3 g m s-2"``."""
    unit: Unit = {}
    for part in text.split():
        if re.fullmatch(r"-?\d+", part):
            unit["10"] = int(part)
        else:
            name, power = re.fullmatch(r"(\D+?)(-?\d+)?", part).groups()  # type: ignore[union-attr]  # of our tables
            unit[name] = int(power or 1)
    return unit


def _times(one: Unit, other: Unit, power: int) -> Unit:
    product = {name: one.get(name, 0) + power * other.get(name, 0) for name in one | other}
    return {name: exponent for name, exponent in product.items() if exponent}


def _tables() -> tuple[dict[str, Unit], dict[str, Unit]]:
    """Units by symbol, whose case counts, and by name in small letters."""
    symbols = {symbol: _made_of(parts) for symbol, parts in _METRIC.items()}
    symbols |= {
        prefix + symbol: _times(unit, {"10": power}, 1)
        for prefix, power in _PREFIXES.items()
        for symbol, unit in symbols.copy().items()
    }
    symbols |= {symbol: _made_of(parts) for symbol, parts in _FIXED.items()}
    names = {name: symbols[symbol] for name, symbol in _NAMED.items()}
    names |= {
        prefix + name: _times(unit, {"10": power}, 1)
        for prefix, power in _PREFIX_NAMES.items()
        for name, unit in names.copy().items()
    }
    return symbols, names | {name: _made_of(parts) for name, parts in _WORDS.items()}


_SYMBOLS, _NAMES = _tables()
_LOWERED = {symbol.lower(): unit for symbol, unit in _SYMBOLS.items() if symbol in _FIXED or symbol.lower() == symbol}
#: Names and symbols that are words of their own: they need no roman type behind a number and a blank.
WORDS = sorted(
    {*_NAMES, *(s for s in _FIXED if s.isalpha() and len(s) > 1), "cm", "mm", "km", "kg", "mg", "ml", "mL", "kPa", "Pa",
     "Hz", "kHz", "MHz", "kW", "kWh", "kJ", "mol", "nm", "cal", "eV"}, key=len, reverse=True,
)  # fmt: skip


def _word(word: str) -> Unit | None:
    bare = word.rstrip(".")
    small = bare.lower()
    found = _SYMBOLS.get(bare) or _NAMES.get(small)
    for plural in ("s", "es"):
        found = found or (_NAMES.get(small.removesuffix(plural)) if small.endswith(plural) else None)
    return found or (_LOWERED.get(small) if len(small) > 1 else None)


def flat(text: str) -> str:
    r"""The LaTeX of a unit as plain text: ``\frac{m}{s^{2}}`` is ``(m)/(s^2)``."""
    return " ".join(rewritten(text, _FLAT).split())


def unit(text: str) -> Unit | None:
    r"""The unit that a text names.

    Args:
        text: without LaTeX but ``\frac``, ``\cdot``, braces, ``\Omega`` and ``\mu``: ``m/s^2``, ``kg·m^2``,
            ``miles per hour``, ``sq. ft``, ``\frac{m}{s}``.

    Returns:
        None if a part of it is no unit that is known.
    """
    text = re.sub(
        r"(?:°|degrees?)\s*(C(?:elsius|elcius)?|F(?:ahrenheit)?)(?![a-z])",
        lambda found: f"°{found[1][0].upper()} ",
        flat(text),
        flags=re.I,
    )
    tokens = _TOKEN.findall(text)
    if not tokens or len(tokens) > 40:
        return None
    found, rest = _product(tokens)
    return found if not rest else None


def _product(tokens: list[str]) -> tuple[Unit | None, list[str]]:
    """The product at the beginning of the tokens, and what follows it; None if there is none."""
    found: Unit | None = None
    sign = 1
    while tokens and tokens[0] != ")":
        token = tokens[0]
        if token in ("/", "per", "Per"):
            if found is None and token != "/":
                found = {}
            found, sign, tokens = found or {}, -1, tokens[1:]
            continue
        if token in ("·", "-"):
            tokens = tokens[1:]
            continue
        factor, tokens = _factor(tokens)
        if factor is None:
            return None, ["?"]
        found, sign = _times(found or {}, factor, sign), 1
    return (found, tokens) if sign == 1 else (None, ["?"])


def _factor(tokens: list[str]) -> tuple[Unit | None, list[str]]:
    """One unit with its power."""
    first, rest, power = tokens[0], tokens[1:], 1
    if first == "1" and rest[:1] == ["/"]:
        return {}, rest
    if first.lower().rstrip(".") in ("square", "sq", "cubic", "cu") and rest:
        power = 2 if first.lower().startswith("sq") else 3
        first, rest = rest[0], rest[1:]
    if first == "(":
        found, rest = _product(rest)
        if rest[:1] != [")"]:
            return None, []
        rest = rest[1:]
    else:
        found = _word(first)
    if found is None:
        return None, []
    if rest and rest[0][0] == "^":
        power, rest = power * int(rest[0][1:]), rest[1:]
    elif rest and rest[0].isdigit() and power == 1:
        power, rest = int(rest[0]), rest[1:]
    elif rest and rest[0].lower() in ("squared", "cubed"):
        power, rest = 2 if rest[0].lower() == "squared" else 3, rest[1:]
    return _times({}, found, power), rest


def differ(one: str, other: str) -> bool:
    """Do two texts behind equal numbers name different things?

    A missing unit is none that differs. Of words that are no units one must be shared: apples are no oranges.
    """
    first, second = _gist(one), _gist(other)
    if not first or not second:
        return False
    units = [unit(" ".join(words)) or _part(words) for words in (first, second)]
    if units[0] is not None or units[1] is not None:
        return units[0] != units[1]
    return (first[0] == "per") != (second[0] == "per") or not any(_alike(a, b) for a in first for b in second)


def _gist(text: str) -> list[str]:
    """The words of a text that say something."""
    words = text.split()
    if len(words) > 1 and words[0].lower() in ("each", "every", "a", "an"):
        words[0] = "per"  # 5 a day
    return [
        w
        for i, w in enumerate(words)
        if w.lower().strip(".,") not in _IDLE
        or (w == "in" and i == len(words) - 1)
        or (w == "per" and i < len(words) - 1)
    ]


def _part(words: list[str]) -> Unit | None:
    """The unit that the words begin or end with: "miles of road", "US dollars"."""
    ends: Iterable[list[str]] = (words[:i] for i in range(len(words) - 1, 0, -1))
    starts: Iterable[list[str]] = (words[i:] for i in range(1, len(words)))
    return next((found for part in (*ends, *starts) if (found := unit(" ".join(part)))), None)


def _alike(one: str, other: str) -> bool:
    a, b = (re.sub(r"(?:es|s)$", "", word.lower().strip(".,")) for word in (one, other))
    return a == b or (min(len(a), len(b)) > 3 and (a.endswith(b) or b.endswith(a)))
