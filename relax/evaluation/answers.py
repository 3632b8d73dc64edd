r"""From a response to an answer, and from an answer to one spelling of it. Text in, text out.

What is cleaned here changes how an answer is written, never what it says: ``\dfrac12`` and ``\frac{1}{2}`` become
the same text, ``0.5`` does not. Numbers, units and words are told apart in :mod:`relax.evaluation.scalars`.
"""
# ruff: noqa: RUF001 (look-alikes of ASCII characters are what is cleaned away)

import re
import unicodedata

#: Longest answer that is looked at beyond comparing texts, in characters; golds of MATH and Minerva have up to 210.
MAX_CHARACTERS = 1000
#: Deepest nesting of brackets that is looked at.
MAX_DEPTH = 30

_BOX = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])\s*")
_BARE_BOX = re.compile(r"[+-]?[A-Za-z0-9]+(?:[.,/][0-9]+)*")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
#: What a response may say before its answer when it does not box it; "####" is GSM8K's own mark.
_STATED = re.compile(r"(?:answer\s{0,5}(?:\*\*)?\s{0,5}(?:is|:|=)|####)[\s:*]{0,10}", re.I)
_STATED_END = re.compile(r"\.(?=\s|$)|\s*(?:\*\*|I hope)")


def last_box(text: str) -> str | None:
    r"""Content of the last ``\boxed{...}`` or ``\fbox{...}`` of a text.

    Args:
        text: a response, or a worked solution.

    Returns:
        The content without surrounding blanks; None if there is no box, or the last one is never closed.
    """
    start = max(text.rfind("\\boxed"), text.rfind("\\fbox"))
    command = _BOX.match(text, start) if start >= 0 else None
    if command is None:
        return None
    if text[command.end() : command.end() + 1] != "{":
        bare = _BARE_BOX.match(text, command.end())
        return bare.group() if bare else None
    depth = 0
    for brace in _BRACE.finditer(text, command.end()):
        depth += {"{": 1, "}": -1}.get(brace.group(), 0)
        if depth == 0:
            return text[command.end() + 1 : brace.start()].strip()
    return None


def boxes(text: str) -> int:
    """How many boxes a text opens."""
    return len(_BOX.findall(text))


def stated_answer(text: str) -> str | None:
    """The last answer that a text states in words: after "answer is", "answer:" or "####", to the end of its sentence.

    A number that merely stands in the text is not an answer.
    """
    end = max((mark.end() for mark in _STATED.finditer(text)), default=None)
    if end is None:
        return None
    answer = text[end : end + MAX_CHARACTERS].split("\n")[0].strip()
    for opening, closing in (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]")):
        end = answer.find(closing, len(opening)) if answer.startswith(opening) else -1
        if end > 0:
            return answer[len(opening) : end].strip() or None
    return _STATED_END.split(answer)[0].strip() or None


def gold_text(gold: str) -> str:
    """A gold answer as a data set stores it; of a worked solution, the content of its last box."""
    return (last_box(gold) or "") if _BOX.search(gold) else gold.strip()


def too_large(text: str) -> bool:
    """Is the answer too long or too deeply nested to be read as mathematics?"""
    if len(text) > MAX_CHARACTERS:
        return True
    depth = deepest = 0
    for character in text:
        depth += (character in "{[(") - (character in "}])")
        deepest = max(deepest, depth)
    return deepest > MAX_DEPTH


# One spelling -----------------------------------------------------------------------------------

_CHARACTERS = str.maketrans(
    {
        "−": "-", "–": "-", "×": r"\times ", "÷": "/", "·": r"\cdot ", "⋅": r"\cdot ", "∗": "*", "π": r"\pi ",
        "∞": r"\infty ", "°": r"^\circ ", "º": r"^\circ ", "≤": r"\leq ", "≥": r"\geq ", "≠": r"\neq ", "∪": r"\cup ",
        "∩": r"\cap ", "∈": r"\in ", "∅": r"\emptyset ", "±": r"\pm ", "⟨": "(", "⟩": ")", "′": "'",
        "’": "'", "“": "", "”": "", "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ", "λ": r"\lambda ", "\u00a0": " ",
        "⁄": "/", "％": "%", "，": ",", "（": "(", "）": ")", "ℝ": r"\mathbb{R}", "≈": r"\approx ",
    }
)  # fmt: skip
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_FUNCTIONS = "sin|cos|tan|cot|sec|csc|sinh|cosh|tanh|ln|log|exp|gcd|lcm|max|min|det"
_ARCS = r"arc(?:sin|cos|tan|cot|sec|csc)"

#: In this order: (pattern, replacement).
_REWRITES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (r"√\s*(\d+|[A-Za-z])", r"\\sqrt{\1}"),
        (r"√", r"\\sqrt "),
        # Marks of mathematics and layout.
        (r"(?<!\\)\$|\\[()\[\]](?<!\\\\[()\[\]])", ""),
        (r"\\(?:left|right|middle)\s*\.(?!\d)", ""),
        (r"\\(?:left|right|middle|[bB]igg?[lrm]?)(?![A-Za-z])\s*", ""),
        (r"\\(?:displaystyle|textstyle|scriptstyle|limits|nolimits|mathstrut|strut|small|large|Large)(?![A-Za-z])", ""),
        (r"\\(?:hspace|vspace|phantom|hphantom|label|tag)\*?\{[^{}]*\}", ""),
        (r"(?<!\\)\\!\s*", ""),
        # Thousands with a thin space or a braced comma; a braced comma otherwise marks decimals.
        (r"(?<=\d)(?:\\[,;: ]\s?|~|\{,\}\s?|\s)(?=\d{3}(?!\d))", ""),
        (r"(?<=\d)\{,\}(?=\d)", "."),
        (r"(?<!\\)\\(?:[,;:> ]|(?:quad|qquad|enspace|thinspace)(?![A-Za-z])|(?=\s))|~", " "),
        # Brackets and text.
        (r"\\(?:lbrace|lbrack|lvert|rvert|vert|mid|rbrace|rbrack)(?![A-Za-z])\s*", lambda m: _BRACKETS[m[0].strip()]),
        (r"\\(?:langle|lgroup)(?![A-Za-z])\s*", "("),
        (r"\\(?:rangle|rgroup)(?![A-Za-z])\s*", ")"),
        (r"\\(?:mathrm|textrm|textbf|mathbf|textit|mathit|mathsf|textsf|texttt|mathtt|mbox|hbox|boldsymbol|bm|bf|rm"
         r"|textnormal|emph|underline)\s*\{", r"\\text{"),
        (r"\\text\s*\{", r"\\text{"),
        (r"^\s*\\text\{\s*(\d[^{}]*)\}\s*$", r"\1"),
        (rf"\\(?:operatorname\*?|text)\{{\s*({_FUNCTIONS}|{_ARCS})\s*\}}", r"\\\1 "),
        (r"\\operatorname\*?\{", r"\\text{"),
        (r"\\text\{\s*(,?\s*and|,)\s*\}|,?(?<![A-Za-z\\])\s+and\s+(?![A-Za-z]{2})", ", "),
        (r"\\text\{\s*,?\s*or\s*\}|,?(?<![A-Za-z\\])\s+or\s+(?![A-Za-z]{2})", r" \\lor "),
        (r"\\text\{\s*([-+]?[\d.,/]+|\([A-Za-z]\))\s*\}", r"\1"),
        # A letter in roman type is a unit where it follows a value.
        (r"(?<![\d)}/])(?<![\d)}/]\s)\\text\{\s*([A-Za-z])\s*\}|\\text\{\s*([^mgslhJNWVK\W\d_])\s*\}", r"\1\2"),
        # Names.
        (r"\\[dtc]frac(?![A-Za-z])|\\(?:sfrac|nicefrac)(?![A-Za-z])", r"\\frac"),
        (r"\\(?:leqslant|le)(?![A-Za-z])|<=", r"\\leq "),
        (r"\\(?:geqslant|ge)(?![A-Za-z])|>=", r"\\geq "),
        (r"\\(?:ne|not\s*=)(?![A-Za-z])|!=", r"\\neq "),
        (r"\\lt(?![A-Za-z])", "<"),
        (r"\\gt(?![A-Za-z])", ">"),
        (r"\\(?:varnothing|O)(?![A-Za-z])|\\\{\s*\\\}|\{\\\{\}\\\}", r"\\emptyset "),
        (r"\\(?:infin|infity)(?![A-Za-z])|(?<![A-Za-z\\])infinity(?![A-Za-z])", r"\\infty "),
        (r"(?<![A-Za-z0-9)}\]\s])\s*\+\s*\\infty", r"\\infty"),
        (r"\\(?:times|ast)(?![A-Za-z])|\*\*(?=$)|(?<!\*)\*(?!\*)|\\cdot(?![A-Za-z])", r"\\cdot "),
        (r"\*\*", "^"),
        (r"\\div(?![A-Za-z])", "/"),
        (r"\\(?:colon|ratio)(?![A-Za-z])", ":"),
        (r"\\imath(?![A-Za-z])", "i"),
        (r"\\%|\\text\{\s*(?:%|\\%|per\s?cent(?:age)?|pct)\s*\}|(?<![A-Za-z])(?:percent(?:age)?|pct)(?![A-Za-z])", "%"),
        (r"\^\s*\{?\s*\\(?:circ|degree)(?![A-Za-z])\s*\}?|\\degree(?![A-Za-z])", r"^\\circ "),
        (r"\\(?:dots|ldots|cdots)(?![A-Za-z])", "..."),
        (r"''", r"^{\\prime\\prime}"),
        (r"'(?![a-z]\b)", r"^{\\prime}"),
        # Python's spelling of functions.
        (r"(?<![A-Za-z])(?:np|numpy|math|sympy|sp)\.(?=[a-z])", ""),
        (rf"(?<![A-Za-z\\])({_FUNCTIONS}|{_ARCS})(?=\s*[(^_])", r"\\\1"),
        (r"(?<![A-Za-z\\])sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}"),
        (r"\\sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}"),
        (r"(?<![A-Za-z\\])sqrt(?=\s*[\d{])", r"\\sqrt"),
        (r"(?<![A-Za-z\\])pi(?![A-Za-z])", r"\\pi "),
        # Arguments in braces.
        (r"\{([^{}]*)\\over(?![A-Za-z])([^{}]*)\}", r"\\frac{\1}{\2}"),
        (r"\\sqrt\s*(\d|[A-Za-z]|\\[A-Za-z]+)(?![A-Za-z])", r"\\sqrt{\1}"),
        (r"\\sqrt\s*(\d)", r"\\sqrt{\1}"),
        (r"\\frac\s*([0-9A-Za-z])\s*([0-9A-Za-z])", r"\\frac{\1}{\2}"),
        (r"\\frac\s*([0-9A-Za-z])\s*\{", r"\\frac{\1}{"),
        (r"\\frac\s*(\{[^{}]*\})\s*([0-9A-Za-z])", r"\\frac\1{\2}"),
        (r"\^\s*\(([^()]*)\)", r"^{\1}"),
        (r"([\^_])\s*\{\s*([A-Za-z0-9])\s*\}", r"\1\2"),
        # Zeros and blanks.
        (r"(?<![\d.])\.(?=\d)", "0."),
        (r",\s*(?=,)", ""),
        (r"\s+", " "),
        (r" ?([-+=<>(){}\[\]^_|/:;&%!]) ?", r"\1"),
        (r" (?=[\\,])|(?<=\\cdot) (?=[^A-Za-z])|(?<=\d) (?=[A-Za-z](?![A-Za-z]))", ""),
        (r"(\\[A-Za-z]+) (?![A-Za-z])", r"\1"),
    ]
]  # fmt: skip
_BRACKETS = {
    r"\lbrace": r"\{", r"\rbrace": r"\}", r"\lbrack": "[", r"\rbrack": "]",
    r"\lvert": "|", r"\rvert": "|", r"\vert": "|", r"\mid": "|",
}  # fmt: skip
_VULGAR = re.compile("[\u00bc-\u00be\u2150-\u215e]")
_RAISED = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+")
_BOLD = re.compile(r"\*\*([^*]*)\*\*|__([^_]*)__")
#: One full stop at the end is punctuation, three are part of the answer.
_EDGES = re.compile(r"^[=\s]+|(?<!\\)[\s,;:]*(?:(?<!\.)\.)?[\s,;:]*$")
_TEXT = re.compile(r"\\text\{([^{}]*)\}")


def clean(text: str) -> str:
    r"""One spelling for what is written in many ways: layout, fonts, synonyms, braces, blanks.

    Args:
        text: the content of a box, or a gold answer; at most :data:`MAX_CHARACTERS` long.

    Returns:
        LaTeX without ``$``, ``\left`` and spacing; ``\text{...}`` remains around words of two letters or more; a blank
        remains after a comma that had one.
    """
    text = "".join(c if c.isprintable() else " " if c.isspace() else "" for c in text)
    text = _RAISED.sub(lambda m: "^{" + m[0].translate(_SUPERSCRIPTS) + "}", text)
    text = _VULGAR.sub(_vulgar, text)
    text = text.translate(_CHARACTERS)
    bold = _BOLD.fullmatch(text.strip())
    if bold:
        text = bold[1] or bold[2] or ""
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    return _EDGES.sub("", text).strip()


def _vulgar(found: re.Match[str]) -> str:
    over, under = unicodedata.normalize("NFKC", found[0]).split("⁄")
    return rf"\frac{{{over}}}{{{under}}}"


def plain(text: str) -> str:
    r"""A cleaned text without its ``\text{}``, in small letters: how words are compared."""
    return " ".join(_TEXT.sub(r" \1 ", text).casefold().split())
