r"""From a response to an answer, and from an answer to one spelling of it. Text in, text out.

What is cleaned here changes how an answer is written, never what it says: ``\dfrac12`` and ``\frac{1}{2}`` become
the same text, ``0.5`` does not. Numbers, units and words are told apart in :mod:`relax.grading.scalars`.
"""

import re

from relax.grading.rewrites import rewritten
from relax.grading.spelling import REWRITES, respelled
from relax.grading.styles import unstyled
from relax.grading.words import phrase, unquantified

#: Longest answer that is looked at beyond comparing texts, in characters; golds of MATH and Minerva have up to 210.
MAX_CHARACTERS = 1000
#: Deepest nesting of brackets that is looked at.
MAX_DEPTH = 30

_BOX = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])\s*")
_BARE_BOX = re.compile(r"[+-]?[A-Za-z0-9]+(?:[.,/][0-9]+)*")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
#: What a response may say before its answer when it does not box it; "####" is GSM8K's own mark.
_STATED = re.compile(
    r"(?:answers?(?:\s+to\s+[^.\n]{1,80}?)?\s{0,5}(?:\*\*)?\s{0,5}(?:is|are|:|=)(?:\s+(?:therefore|thus|then))?|####)[\s:*]{0,10}"
    r"|<answer>\s{0,10}",
    re.I,
)
_STATED_END = re.compile(r"\.(?=\s|$)|\s*(?:\*\*|I hope|</answer>)|,\s+(?!(?:and|or)\s)(?=[a-z]{2,})")
_DISPLAYED = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"))


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
    """The last answer that a text states in words: after "answer is", "answer:", "####" or in ``<answer>``.

    It ends with its sentence, and where further words follow a comma: of "72 clips, altogether" it is "72 clips". A
    formula on the next line is taken whole. A number that merely stands in the text is not an answer.
    """
    end = max((mark.end() for mark in _STATED.finditer(text)), default=None)
    if end is None:
        return None
    answer = text[end : end + MAX_CHARACTERS].strip()
    for opening, closing in _DISPLAYED:
        end = answer.find(closing, len(opening)) if answer.startswith(opening) else -1
        if end > 0:
            return answer[len(opening) : end].strip() or None
    return _STATED_END.split(answer.split("\n")[0].strip())[0].strip() or None


def gold_text(gold: str) -> str:
    """A gold answer as a data set stores it; of a worked solution, the content of its last box or what follows ####."""
    if _BOX.search(gold):
        return last_box(gold) or ""
    return gold.rpartition("####")[2].strip()


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

_SIMPLE = re.compile(r"-?\d+(?:\.\d+)?|\\frac\{\d+\}\{\d+\}|[A-Z]")
_BOLD_START = re.compile(r"^\s*\*\*([A-Za-z][^*]*)\*\*")
_BOLD = re.compile(r"\*\*([^*]*)\*\*|__([^_]*)__")
#: One full stop at the end is punctuation, three are part of the answer.
_EDGES = re.compile(r"^[=\s]+|(?<!\\)[\s,;:]*(?:(?<!\.)\.)?[\s,;:]*$")


def clean(text: str) -> str:
    r"""One spelling for what is written in many ways: layout, fonts, synonyms, braces, blanks.

    Args:
        text: the content of a box, or a gold answer; at most :data:`MAX_CHARACTERS` long.

    Returns:
        LaTeX without ``$``, ``\left`` and spacing; ``\text{...}`` remains around words of two letters or more; a blank
        remains after a comma that had one.
    """
    if _SIMPLE.fullmatch(text):
        return text
    text = "".join(c if c.isprintable() else " " if c.isspace() else "" for c in text)
    text = respelled(text)
    bold = _BOLD.fullmatch(text.strip())
    if bold:
        text = bold[1] or bold[2] or ""
    text = unstyled(_BOLD_START.sub(r"\1 ", text))
    text = _EDGES.sub("", unquantified(rewritten(text, REWRITES))).strip()
    return phrase(text) or text
