r"""Fonts, colours and sizes of LaTeX are how an answer looks: they are taken away, whatever they stand around.

Roman type says something where it follows a value: ``5\mathrm{m}`` are metres. So roman words stay in ``\text{}``,
and a unit in it is written without commands: ``\mathrm{m\,s^{-2}}`` becomes ``\text{m s^-2}``.
"""

import re

from relax.grading.units import flat

_MATH = "mathbf|boldsymbol|bm|pmb|mathit|mathsf|mathtt|mathnormal|underline|mathop|mathord"
_ROMAN = "mathrm|text|textrm|textbf|textit|textsf|texttt|textnormal|textup|mbox|hbox|emph|uline"
_SIZES = "tiny|small|normalsize|large|Large|LARGE|huge|Huge"
_SWITCHES = rf"bf|rm|it|tt|sf|bfseries|mdseries|itshape|rmfamily|boldmath|upshape|{_SIZES}"

_COMMAND = re.compile(
    rf"\\(?:(?P<switch>color)|(?P<colored>textcolor|colorbox|fcolorbox)|(?P<math>{_MATH}|{_SIZES}|bf|it|sf|tt)"
    rf"|(?P<roman>{_ROMAN}|rm))(?![A-Za-z])\s*(?=[{{\[])|\\(?:{_MATH}|mathrm|{_SWITCHES})(?![A-Za-z])\s*"
)
#: ``{\bf x}`` is ``\mathbf{x}``; braces stay in balance.
_GROUP = re.compile(rf"\{{\s*\\({_SWITCHES})(?![A-Za-z])\s*(?!\{{)")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_NEEDS_ARGUMENT = re.compile(r"(?:\\(?:[dtc]?frac|sqrt|[dt]?binom)(?:\{[^{}]*\}|\[[^\]]*\])?|[_^])\s*$")
_OPTION = re.compile(r"\[[^\]]*\]\s*")
_WORD = re.compile(r"[A-Za-z]{2,}(?:[ .'-]+[A-Za-z]*)*|\s+[A-Za-z][A-Za-z .'-]*")
_NUMBER = re.compile(r"\s*([-+]?\d[\d.,/]*(?: \d+/\d+)?)?")
_UNIT = re.compile(r"\s*\(?[^\W\d_](?:[^\W\d_]\d?|[\s./·°()-]|\^-?\d)*|\s*[°%€£¢]\s*[CF]?\s*")


def unstyled(text: str) -> str:
    r"""A text without fonts, colours and sizes; roman words remain in ``\text{}``."""
    if "\\" not in text:
        return text
    text = _GROUP.sub(lambda found: rf"\{'mathrm' if found[1] in ('rm', 'rmfamily') else 'mathbf'}{{", text)
    done = ""
    while found := _COMMAND.search(text):
        done, text = done + text[: found.start()], text[found.end() :]
        if found["switch"] or found["colored"]:
            for _ in range(2 if "fcolorbox" in found[0] else 1):
                text = _argument(_OPTION.sub("", text, count=1) if text.startswith("[") else text)[1]
        if not text.startswith("{") or not found.lastgroup:
            continue
        content, text = _argument(text)
        shown = _roman(unstyled(content)) if found["roman"] else _plain_math(unstyled(content))
        if _NEEDS_ARGUMENT.search(done) or (re.match(r"\s*[_^]", text) and re.search(r"\W", shown)):
            shown = shown if shown.startswith(r"\text{") else f"{{{shown}}}"
        done += f" {shown}" if done[-1:].isalpha() and shown[:1].isalpha() else shown
    return done + text


def _argument(text: str) -> tuple[str, str]:
    """The content of the braces that a text begins with, and what follows; all of it where they are not closed."""
    if not text.startswith("{"):
        return "", text
    depth = 0
    for brace in _BRACE.finditer(text):
        depth += {"{": 1, "}": -1}.get(brace.group(), 0)
        if depth == 0:
            return text[1 : brace.start()], text[brace.end() :].lstrip(" ")
    return text[1:], ""


def _plain_math(content: str) -> str:
    return rf"\text{{{content}}}" if _WORD.fullmatch(content) else content


def _roman(content: str) -> str:
    r"""What stands in roman type: words and units in ``\text{}``, numbers and formulas without."""
    if re.search(r"(?<!\\)\$", content):
        pieces = re.split(r"(?<!\\)\$", content)
        return "".join(piece if i % 2 else _roman(piece) if piece else "" for i, piece in enumerate(pieces))
    plain = flat(content).replace(r"\%", "%")
    number = _NUMBER.match(plain)
    value, rest = (number[1] or "", plain[number.end() :]) if number and number[1] else ("", plain)
    if _UNIT.fullmatch(rest):
        return rf"{value}\text{{{rest}}}"
    return content if value or re.search(r"[\\={}_+<>^]", plain) else rf"\text{{{content}}}"
