"""Lists of rewrites: what a pattern finds, and what takes its place, one after the other."""

import re
from collections.abc import Callable, Sequence

Replacement = str | Callable[[re.Match[str]], str]
Rewrite = tuple[re.Pattern[str], Replacement]


def compiled(pairs: Sequence[tuple[str, Replacement]]) -> list[Rewrite]:
    """Patterns and their replacements, ready to be applied."""
    return [(re.compile(pattern), replacement) for pattern, replacement in pairs]


def rewritten(text: str, rewrites: Sequence[Rewrite]) -> str:
    """The text after every rewrite, in their order."""
    for pattern, replacement in rewrites:
        text = pattern.sub(replacement, text)
    return text
