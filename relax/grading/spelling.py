r"""What is written in many ways, in one way: the rewrites of :func:`relax.grading.answers.clean`, in their order."""
# ruff: noqa: RUF001 (look-alikes of ASCII characters are what is cleaned away)

import re
import unicodedata

from relax.grading.rewrites import compiled
from relax.grading.units import flat, unit

_CHARACTERS = str.maketrans(
    {
        "−": "-", "–": "-", "×": r"\times ", "÷": "/", "·": r"\cdot ", "⋅": r"\cdot ", "∗": "*", "π": r"\pi ",
        "∞": r"\infty ", "°": r"^\circ ", "º": r"^\circ ", "≤": r"\leq ", "≥": r"\geq ", "≠": r"\neq ", "∪": r"\cup ",
        "∩": r"\cap ", "∈": r"\in ", "∅": r"\emptyset ", "±": r"\pm ", "∓": r"\mp ", "⟨": "(", "⟩": ")", "′": "'",
        "’": "'", "“": "", "”": "", "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ", "λ": r"\lambda ", "\u00a0": " ",
        "⁄": "/", "％": "%", "，": ",", "（": "(", "）": ")", "：": ":", "ℝ": r"\mathbb{R}", "≈": r"\approx ",
        "≡": r"\equiv ", "∀": r"\forall ", "∧": r"\land ", "∨": r"\lor ", "∖": r"\setminus ", "ω": r"\omega ",
        "\u2126": "Ω", "\u00b5": "μ",
    }
)  # fmt: skip
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_VULGAR = re.compile("[\u00bc-\u00be\u2150-\u215e]")
_RAISED = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+")
_OTHERS = "sin|cos|tan|cot|csc|sinh|cosh|tanh|ln|log|exp|gcd|lcm|max|det|cis"
#: With the two that are units as well.
_FUNCTIONS = rf"{_OTHERS}|min|sec"
_ARCS = r"arc(?:sin|cos|tan|cot|sec|csc)"
_LABEL = (
    r"(?:(?:so|thus|hence|therefore),?\s+)?(?:(?:the|my|our)\s+)?(?:final\s+|correct\s+)?"
    r"(?:answer|ans|solution|result)\.?(?:\s+is\s*:?|\s*[:=])"
)


def respelled(text: str) -> str:
    """Characters outside ASCII as LaTeX."""
    text = _RAISED.sub(lambda found: "^{" + found[0].translate(_SUPERSCRIPTS) + "}", text)
    return _VULGAR.sub(_vulgar, text).translate(_CHARACTERS)


def _vulgar(found: re.Match[str]) -> str:
    over, under = unicodedata.normalize("NFKC", found[0]).split("⁄")
    return rf"\frac{{{over}}}{{{under}}}"


def _greek_unit(found: re.Match[str]) -> str:
    """Greek letters outside roman type: a micro sign before letters, and an ohm sign, are units."""
    if found["text"]:
        return found[0]
    letters = rf"\text{{μ{found['unit']}}}" if found["unit"] else ""
    return letters or {"μ": r"\mu ", "Ω": r"\Omega "}[found[0]]


def _unit(found: re.Match[str]) -> str:
    """A unit behind a value in one piece of roman type, without commands."""
    named = flat(found["unit"])
    if unit(named) is None or (named in ("min", "sec") and found["argument"] is not None):
        return found[0]
    return rf"{found['value']}\text{{{named}}}"


def _binomial(found: re.Match[str]) -> str:
    """``C(10,3)`` and the like; of two numbers the larger one is chosen from."""
    over, under = (found[group] for group in ("n", "k"))
    if over.isdigit() and under.isdigit() and int(over) <= int(under):
        return found[0]
    return rf"\binom{{{over}}}{{{under}}}"


def _chosen(found: re.Match[str]) -> str:
    over, under = found["n"] or found["n1"], found["k"] or found["k1"]
    if found["letter"] == "P":
        return rf"\frac{{({over})!}}{{({over}-{under})!}}"
    return rf"\binom{{{over}}}{{{under}}}"


def _french(found: re.Match[str]) -> str:
    """``]a,b[`` is ``(a,b)``; what is no interval in this notation stays."""
    ends, sides = found["open"] + found["close"], (found["a"], found["b"])
    if ends == "[]" or any(side.count("(") != side.count(")") for side in sides):
        return found[0]
    return f"{'[' if ends[0] == '[' else '('}{sides[0]},{sides[1]}{']' if ends[1] == ']' else ')'}"


def _scripted(found: re.Match[str]) -> str:
    """``C_{10}^3``, ``C_n^k``, ``C^{10}_3``; what else has two scripts stays, as the square of ``C_1``."""
    over, under = found["n"] or found["n1"], found["k"] or found["k1"]
    if over.isdigit() and under.isdigit() and "^" in found[0].partition("_")[0] and int(over) < int(under):
        over, under = under, over
    larger = over.isdigit() and under.isdigit() and int(over) > int(under)
    return rf"\binom{{{over}}}{{{under}}}" if larger or over == "n" else found[0]


def _base(found: re.Match[str]) -> str:
    base = next(group for group in found.groups() if group)
    return f"_{{{base}}}" if base.isdigit() else rf"_{{\text{{{base}}}}}"


def _mixed(found: re.Match[str]) -> str:
    """``7 1/2``: a whole number and a proper fraction after a blank."""
    whole, over, under = found[1], found[2] or found[4], found[3] or found[5]
    return rf"{whole}\frac{{{over}}}{{{under}}}" if int(over) < int(under) else found[0]


_BRACKETS = {
    r"\lbrace": r"\{", r"\rbrace": r"\}", r"\lbrack": "[", r"\rbrack": "]",
    r"\lvert": "|", r"\rvert": "|", r"\vert": "|", r"\mid": "|",
}  # fmt: skip
_BASE = r"\d+|two|three|four|five|six|seven|eight|nine|ten"
_N, _K = r"(?:\{(?P<n>\w+)\}|(?P<n1>\w))", r"(?:\{(?P<k>\w+)\}|(?P<k1>\w))"
_TRANSPOSED = r"(?:\\(?:top|intercal)(?![A-Za-z])|\\text\{\s*T\s*\})"
_SUFFIX = r"(?:\\text\{\s*(?:st|nd|rd|th)\s*\}|(?:st|nd|rd|th)(?![A-Za-z]))"
_LETTER = r"(?:\\text\{\s*(?:C)\s*\}|C)"
_AND = r"\\text\{\s*,?\s*and\s*\}|\\(?:land|wedge)(?![A-Za-z])|\\text\{\s*,?\s*but\s*\}"

_ATOM = r"(?:\\mu\s*)?(?:\\text\{[^{}]*\}|\\Omega(?![A-Za-z]))(?:\s?\^\s?(?:\d|\{\s*-?\d\s*\}))?"
_CHAIN = rf"{_ATOM}(?:\s?(?:/|\\cdot(?![A-Za-z]))?\s?{_ATOM}){{0,5}}"
_UNIT = rf"(?:{_ATOM}|\\[dt]?frac\{{\s?(?:1|{_CHAIN})\s?\}}\{{\s?{_CHAIN}\s?\}}|\({_CHAIN}\))"
_ARGUMENT = r"(?=\s*(?:\(|\{|[A-Za-z]|\\(?!text|cdot|times|right|lor|land|end|[,;:! ])))"

REWRITES = compiled(
    [
        (r"(?P<text>\\text\{[^{}]*\})|μ(?P<unit>[A-Za-z]{1,2})(?![A-Za-z])|μ|Ω", _greek_unit),
        (r"[√]\s*(\d+|[A-Za-z])", r"\\sqrt{\1}"),
        (r"√", r"\\sqrt "),
        (r"∛\s*(\d+|[A-Za-z])|∛", lambda m: rf"\sqrt[3]{{{m[1]}}}" if m[1] else r"\sqrt[3]"),
        # Marks of mathematics and layout.
        (r"(?<!\\)\$|\\[()\[\]](?<!\\\\[()\[\]])", ""),
        (r"\\(?:left|right|middle)\s*\.(?!\d)", ""),
        (r"\\(?:left|right|middle|[bB]igg?[lrm]?|mathopen|mathclose)(?![A-Za-z])\s*", ""),
        (r"\\(?:displaystyle|textstyle|scriptstyle|limits|nolimits|mathstrut|strut)(?![A-Za-z])", ""),
        (r"\\(?:hspace|vspace|phantom|hphantom|label|tag)\*?\{[^{}]*\}", ""),
        (r"(?<!\\)\\!\s*", ""),
        # Thousands with a thin space or a braced comma; a braced comma otherwise marks decimals.
        (r"(?<=\d)(?:\\[,;: ]\s?|~|\{,\}\s?|\s)(?=\d{3}(?![\d/]))", ""),
        (r"(?<=\d)\{,\}(?=\d)", "."),
        (r"(?<!\\text)\{:\}", ":"),
        (r"(?<!\\)\\(?:[,;:> ]|(?:quad|qquad|enspace|thinspace)(?![A-Za-z])|(?=\s))|~", " "),
        # Brackets and text.
        (r"\\(?:lbrace|lbrack|lvert|rvert|vert|mid|rbrace|rbrack)(?![A-Za-z])\s*", lambda m: _BRACKETS[m[0].strip()]),
        (r"\\(?:langle|lgroup)(?![A-Za-z])\s*", "("),
        (r"\\(?:rangle|rgroup)(?![A-Za-z])\s*", ")"),
        (rf"^\s*(?i:\\text\{{\s*{_LABEL}\s*\}}\s*[:=]?|{_LABEL})\s*(?=\S)(?!\}})", ""),
        (rf"^\s*\\text\{{\s*(?i:{_LABEL})\s*(?=[-+(\d]|[A-Z]\s*\}})", r"\\text{"),
        (
            r"^\s*(?:\\(?:approx|sim|simeq|thickapprox)(?![A-Za-z])"
            r"|(?i:\\text\{\s*(?:approximately|approx\.?|about|roughly|around)\s*\}|(?:approximately|about)(?=\s)))",
            "",
        ),
        (r"^\s*\\text\{\s*(\d[^{}]*)\}\s*$", r"\1"),
        (
            rf"(?P<value>[\w)}}!^%]\s?|\\pi\s?)(?P<unit>/?\s?{_UNIT}(?:\s?(?:/|\\cdot(?![A-Za-z])|\\,)?\s?{_UNIT}){{0,5}})"
            rf"(?P<argument>{_ARGUMENT})?",
            _unit,
        ),
        (
            rf"\\text\{{\s*(min|sec)\s*\}}{_ARGUMENT}|(?<![\d)}}])(?<![\d)}}]\s)\\text\{{\s*(min|sec)\s*\}}"
            rf"|\\operatorname\*?\{{\s*(min|sec)\s*\}}|\\(?:operatorname\*?|text)\{{\s*({_OTHERS}|{_ARCS})\s*\}}",
            lambda m: rf"\{m[m.lastindex or 0]} ",
        ),
        (r"(?<=[\d)}])\s?\\(min|sec)(?=\s*$)", r"\\text{\1}"),
        (r"\\operatorname\*?\{", r"\\text{"),
        (
            rf"(?:{_AND}|,?(?<![A-Za-z\\])\s+and\s+(?![A-Za-z]{{2}}))(?=[^,]*(?:[<>]|\\(?:leq?|geq?|lt|gt|neq?)(?![a-z])))",
            r" \\land ",
        ),
        (r"\\text\{\s*([:;])\s*\}", r"\1"),
        (r"\\text\{\s*(,?\s*and|,)\s*\}|,?(?<![A-Za-z\\])\s+and\s+(?![A-Za-z]{2})", ", "),
        (r"\\text\{\s*,?\s*or\s*\}|,?(?<![A-Za-z\\])\s+or\s+(?![A-Za-z]{2})|\\vee(?![A-Za-z])", r" \\lor "),
        (r"(?<=[\w)}])\s*\\text\{\s*to\s*\}\s*|(?<=\d)\s+to\s+(?=\d)", ":"),
        (r"(?<=\d)\s*(?:\\text\{\s*[xX]\s*\}|[xX])\s*(?=10\s*\^)", r"\\times "),
        (r"(?<=\d)\s+(?:\\text\{\s*x\s*\}|x)\s+(?=\d)", r"\\times "),
        (r"\\text\{\s*([-+]?[\d.,/]+|\([A-Za-z]\))\s*\}", r"\1"),
        # A base in words, a number in brackets before its base.
        (
            rf"(?<=[\dA-F)])(?:_\{{?)?\s*\(?\\text\{{\s*\(?base\s*(?:({_BASE})\s*\)?\}}|\}}\s*(\d+))[}})]?"
            r"|(?<=\d)\s+base\s+(\d+)$",
            _base,
        ),
        (r"(?<![A-Za-z}\d])\(\s*([0-9A-Fa-f]*\d[0-9A-Fa-f]*)\s*\)(?=_)", r"\1"),
        (rf"(?<=[0-9A-Fa-f])_\{{\s*(?:\((\d+)\)|({_BASE}))\s*\}}", _base),
        # A letter in roman type is a unit where it follows a value.
        (r"(?<![\d)}/])(?<![\d)}/]\s)\\text\{\s*([A-Za-z])\s*\}", r"\1"),
        (r"\\text\{\s*([^mgslhJNWVKACFHLMSTdΩ\W\d_])\s*\}", r"\1"),
        (r"(?<=[A-Za-z])_\{\s*1\s*,\s*2\s*\}(?=\s*=)", ""),
        (
            r"^\s*\\text\{\s*(?:all|any) (?:real numbers|reals|real)(?: [a-z])? except(?: for)?\s*\}\s*(.*)$",
            r"\\mathbb{R}\\setminus\\{\1\\}",
        ),
        # Ordinals.
        (rf"(?<=\d)\s?\^?\s?(?:{_SUFFIX}|\{{\s*{_SUFFIX}\s*\}})", r"\\text{th}"),
        # Names.
        (r"\\[dtc]frac(?![A-Za-z])|\\(?:sfrac|nicefrac)(?![A-Za-z])", r"\\frac"),
        (r"\\[dt]binom(?![A-Za-z])", r"\\binom"),
        (r"\\(?:leqslant|le)(?![A-Za-z])|<=", r"\\leq "),
        (r"\\(?:geqslant|ge)(?![A-Za-z])|>=", r"\\geq "),
        (r"\\(?:ne|not\s*=)(?![A-Za-z])|!=", r"\\neq "),
        (r"\\lt(?![A-Za-z])", "<"),
        (r"\\gt(?![A-Za-z])", ">"),
        (r"\\simeq(?![A-Za-z])", r"\\approx "),
        (r"\\(?:varnothing|O)(?![A-Za-z])|\\\{\s*\\\}|\{\\\{\}\\\}", r"\\emptyset "),
        (r"\\(?:infin|infity)(?![A-Za-z])|(?<![A-Za-z\\])infinity(?![A-Za-z])", r"\\infty "),
        (r"(?<![A-Za-z0-9)}\]\s])\s*\+\s*\\infty", r"\\infty"),
        (r"\\(?:times|ast)(?![A-Za-z])|\*\*(?=$)|(?<!\*)\*(?!\*)|\\cdot(?![A-Za-z])", r"\\cdot "),
        (r"\*\*", "^"),
        (r"\\div(?![A-Za-z])", "/"),
        (r"\\(?:colon|ratio)(?![A-Za-z])", ":"),
        (r"\\imath(?![A-Za-z])", "i"),
        (r"\+\s?/\s?-", r"\\pm "),
        (r"\\(?:backslash|smallsetminus)(?![A-Za-z])", r"\\setminus "),
        (r"(?<![A-Za-z\\])R(?=\s*\\setminus)|(?<=\\in)\s*R(?![A-Za-z])|\\(?:mathbb\s*)?R(?![A-Za-z])", r"\\mathbb{R}"),
        (r"(\\mathbb\{[RZNQC]\})\s*[-/]\s*(?=\\\{)", r"\1\\setminus "),
        (r"\\%|\\text\{\s*(?:%|\\%|per\s?cent(?:age)?|pct)\s*\}|(?<![A-Za-z])(?:percent(?:age)?|pct)(?![A-Za-z])", "%"),
        (r"\^\s*\{?\s*\\(?:circ|degree)(?![A-Za-z])\s*\}?|\\degree(?![A-Za-z])", r"^\\circ "),
        (r"\\(?:dots|ldots|cdots)(?![A-Za-z])", "..."),
        (r"''", r"^{\\prime\\prime}"),
        (r"'(?![a-z]\b)", r"^{\\prime}"),
        # Python's spelling of functions.
        (r"(?<![A-Za-z])(?:np|numpy|math|sympy|sp)\.(?=[a-z])", ""),
        (rf"(?<![A-Za-z\\])({_FUNCTIONS}|{_ARCS})(?=\s*[(^_])", r"\\\1"),
        (r"(?<![A-Za-z\\])sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}"),
        (r"(?<![A-Za-z\\])cbrt\s*\(([^()]*)\)", r"\\sqrt[3]{\1}"),
        (r"\\sqrt(\[[^\[\]]*\])?\s*\(([^()]*)\)", r"\\sqrt\1{\2}"),
        (r"(?<![A-Za-z\\])sqrt(?=\s*[\d{])", r"\\sqrt"),
        (r"(?<![A-Za-z\\])pi(?![A-Za-z])", r"\\pi "),
        # Arguments in braces.
        (r"\{([^{}]*)\\over(?![A-Za-z])([^{}]*)\}", r"\\frac{\1}{\2}"),
        (r"\\(?:left|up)root\s*\{-?\d+\}", ""),
        (r"\\root\s*\{?\s*(\w+)\s*\}?\s*\\of(?![A-Za-z])\s*", r"\\sqrt[\1]"),
        (r"\\sqrt\s*\[\s*\{?\s*([^\[\]{}]*?)\s*\}?\s*\]", r"\\sqrt[\1]"),
        (r"\\sqrt(\[[^\[\]]*\])?\s*(\d|[A-Za-z]|\\[A-Za-z]+)(?![A-Za-z])", r"\\sqrt\1{\2}"),
        (r"\\sqrt(\[[^\[\]]*\])?\s*(\d)", r"\\sqrt\1{\2}"),
        (r"\\(frac|binom)\s*([0-9A-Za-z])\s*([0-9A-Za-z])", r"\\\1{\2}{\3}"),
        (r"\\(frac|binom)\s*([0-9A-Za-z])\s*\{", r"\\\1{\2}{"),
        (r"\\(frac|binom)\s*(\{(?:[^{}]|\{[^{}]*\})*\})\s*([0-9A-Za-z])", r"\\\1\2{\3}"),
        (r"\\(vec|bar|hat|dot|ddot|tilde)\s*(?:(?<=\s)([A-Za-z])|(\\[A-Za-z]+))(?![A-Za-z])", r"\\\1{\2\3}"),
        (r"\^\s*\(([^()]*)\)", r"^{\1}"),
        (r"(\\text\{[^{}]*\})|\^\s*(-\s?(?:\d+|[a-z]))(?![\w.(\\^{])", lambda m: m[1] or f"^{{{m[2]}}}"),
        (r"([\^_])\s*\{\s*([A-Za-z0-9])\s*\}", r"\1\2"),
        (rf"(?<=[)\]}}])\s*\^\s*(?:{_TRANSPOSED}|\{{\s*{_TRANSPOSED}\s*\}})", "^T"),
        # Binomials.
        (r"\{([^{}]*)\\choose(?![A-Za-z])([^{}]*)\}", r"\\binom{\1}{\2}"),
        (r"^(\(?)([^{}()]*)\\choose(?![A-Za-z])([^{}()]*)(\)?)$", r"\\binom{\2}{\3}"),
        (
            r"(?<![\w.\\])(\d+|[a-z])\s*(?:\\text\{\s*choose\s*\}|(?<=\s)choose(?=\s))\s*(\d+|[a-z])(?![\w.])",
            r"\\binom{\1}{\2}",
        ),
        (rf"(?<![\w)}}\]])(?:\{{\}})?[_^]\s*{_N}\s*(?:\\text\{{\s*)?(?P<letter>[CP])(?:\s*\}})?\s*_\s*{_K}", _chosen),
        (rf"(?<![A-Za-z\\])(?:{_LETTER}|nCr|\\text\{{nCr\}})\s*\(\s*(?P<n>\d+)\s*,\s*(?P<k>\d+)\s*\)", _binomial),
        (r"(?<![\w\\.{])(?P<n>\d+)\s?C\s?(?P<k>\d+)(?![\w.])", _binomial),
        (rf"(?<![A-Za-z\\\d_]){_LETTER}_\s*{_N}\s*\^\s*{_K}(?!\w)", _scripted),
        (rf"(?<![A-Za-z\\\d_]){_LETTER}\^\s*{_N}\s*_\s*{_K}(?!\w)", _scripted),
        # Zeros and blanks.
        (r"(?<![\d.])\.(?=\d)", "0."),
        (r",\s*(?=,)", ""),
        (r"\s+", " "),
        (r"(?<![\w.,^_}/)\\])(\d+) (?:\\frac\{(\d+)\}\{(\d+)\}|(\d+)/(\d+))(?![\d/^!._])", _mixed),
        (r" ?([-+=<>(){}\[\]^_|/:;&%!]) ?", r"\1"),
        (r" (?=[\\,])|(?<=\\cdot) (?=[^A-Za-z])|(?<=\d) (?=[A-Za-z](?![A-Za-z]))", ""),
        (r"(\\[A-Za-z]+) (?![A-Za-z])", r"\1"),
        (r"(?P<open>[\[\]])(?P<a>[^\[\],;]+)[,;] ?(?P<b>[^\[\],;]+)(?P<close>[\[\]])", _french),
    ]
)
