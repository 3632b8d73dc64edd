"""Parts of a cleaned answer: what stands between separators and in brackets. Text in, text out."""

import re
from dataclasses import dataclass

_TOKEN = re.compile(r"\\(?:begin|end)\{[a-z]+\*?\}|\\[A-Za-z]+|\\.|.", re.DOTALL)
_OPENING, _CLOSING = {"(", "[", "{", r"\{"}, {")", "]", "}", r"\}"}
RELATIONS = {"=", "<", ">", r"\leq", r"\geq", r"\neq", r"\in", r"\equiv", r"\approx"}
_SCRIPTS = re.compile(r"[\^_](?:\{[^{}]*\}|\\?[A-Za-z0-9]+)")
_CONSTANT = re.compile(r"(?:\\(?:pi|infty|emptyset|mathbb\{.\}|cdot|sqrt|frac|pm)|[-+()e{}i])*")
_MATRIX = re.compile(r"\\begin\{([pb]?matrix|array)\}(?:\{[lcr|]*\})?((?:(?!\\begin).)*)\\end\{\1\}", re.DOTALL)


@dataclass(frozen=True)
class Bracketed:
    """A bracket that holds a whole text: its ends and its parts."""

    opening: str
    parts: list[str]
    closing: str


def split(text: str, separators: set[str]) -> list[tuple[str, str]]:
    """A text cut at separators outside all brackets: (part, the separator after it)."""
    parts, depth, current = [], 0, ""
    for token in _TOKEN.findall(text):
        if token in _OPENING or token.startswith(r"\begin{"):
            depth += 1
        elif token in _CLOSING or token.startswith(r"\end{"):
            depth -= 1
        if depth == 0 and token in separators:
            parts.append((current.strip(), token))
            current = ""
        else:
            current += token
    return [*parts, (current.strip(), "")]


def elements(text: str) -> list[str]:
    r"""Parts between commas, semicolons, "and" and "or"; ``a\pm b`` is two, and so is ``a\mp b``."""
    found = []
    for part, _ in split(text, {",", ";", r"\lor", r"\land"}):
        found += [part] if part.startswith(r"\{") else both_signs(part)
    return [part.removeprefix("+") for part in found]


def both_signs(text: str) -> list[str]:
    r"""``a\pm b`` as ``a+b`` and ``a-b``, all signs of it at once."""
    if not re.search(r"\\[pm][pm](?![A-Za-z])", text):
        return [text]
    upper, lower = (r"\pm", r"\mp"), (r"\mp", r"\pm")
    return [text.replace(plus, "+").replace(minus, "-") for plus, minus in (upper, lower)]


def operators(text: str) -> list[str]:
    """The relation signs outside all brackets."""
    return [operator for _, operator in split(text, RELATIONS) if operator]


def bracketed(text: str) -> Bracketed | None:
    """The bracket around a whole text, if there is one."""
    tokens, depth = _TOKEN.findall(text), 0
    if not tokens or tokens[0] not in _OPENING or tokens[-1] not in _CLOSING:
        return None
    for i, token in enumerate(tokens):
        depth += (token in _OPENING) - (token in _CLOSING)
        if depth == 0 and i < len(tokens) - 1:
            return None
    return Bracketed(tokens[0], elements("".join(tokens[1:-1])), tokens[-1])


def cells(text: str) -> list[list[str]] | None:
    r"""The rows of a matrix; of a tuple only where it is transposed: ``(1,2)^T`` is a column."""
    body = text.removesuffix("^T")
    matrix, whole = _MATRIX.fullmatch(body), bracketed(body)
    if matrix:
        rows = [row for row in re.split(r"\\\\(?:\[[^\]]*\])?", matrix[2]) if row.strip()]
        found = [[cell.strip() for cell in row.split("&")] for row in rows]
    elif body != text and whole and whole.opening in "([":
        inner = cells(whole.parts[0]) if len(whole.parts) == 1 else None
        found = inner or [whole.parts]
    else:
        return None
    if body == text:
        return found
    return [list(column) for column in zip(*found, strict=True)] if len({*map(len, found)}) == 1 else None


def is_name(text: str, single: bool = False) -> bool:
    """Does a side only name what is asked for: ``x``, ``f(x)``, a word, unless ``single`` also ``m+n``?"""
    bare = _SCRIPTS.sub("", text)
    if not re.search("[A-Za-z]", bare) or r"\not" in bare or re.search(r"\d", bare) or _CONSTANT.fullmatch(bare):
        return False
    return not re.search(r"[-+/]|\\frac|\\cdot", bare) or (not single and r"\prime" not in text and "(" not in bare)
