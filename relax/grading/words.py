r"""Words in answers: phrases that say the same, quantifiers that say nothing more, choice letters."""

import re

_THERE = r"(?:there (?:is|are|exists?)|(?:it|the equation|the system) has)? ?"
#: What is said in words: (pattern of a text in small letters, its one spelling).
_PHRASES = [
    (re.compile(pattern), spelling)
    for pattern, spelling in [
        (rf"{_THERE}no (?:such )?(?:solutions?|roots?)(?: exists?)?|none|(?:the )?(?:empty ?|null )set", r"\emptyset"),
        (rf"{_THERE}no real (?:solutions?|roots?)(?: exists?)?", r"\text{no real solution}"),
        (
            r"(?:(?:it|the limit) )?(?:does not|doesn(?:'|\^\{\\prime\})t) exist|dne|d\.n\.e\.?|(?:there is )?no limit",
            r"\text{does not exist}",
        ),
        (
            rf"{_THERE}(?:infinitely many|an infinite number(?: of)?|infinite)(?: solutions?)|infinitely many",
            r"\text{infinitely many}",
        ),
        (
            r"(?:all|any|every|the)(?: of the)? (?:real numbers?|reals)(?: [a-z])?|all real"
            r"|all real values(?: of [a-z])?",
            r"\mathbb{R}",
        ),
    ]
]
_ORDINALS = [
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
    "twelfth",
]  # fmt: skip
_ARTICLE = re.compile(r"(?:an?|the) (?=[a-z]{3})")

_KINDS = r"(?:real|positive|negative|non-?negative|natural|complex|integers?|reals|numbers?|values?|of|valid|[a-z])"
_QUANTIFIER = re.compile(
    rf"[\s,]*(?:\\text\{{[\s,(]*(?:(?:valid|true|holds) )?for (?:all|every|each|any)(?:\s+{_KINDS})*[\s,)]*\}}"
    r"|\\forall|,(?=\s?[a-z]\\in\s?\\mathbb\{R\}))"
    r"\s*(?:[A-Za-z](?:,\s?[A-Za-z])*)?(?:\\in\s?\\mathbb\{[RZNQC]\}(?:\^[+*])?)?\)?$"
)

_TEXT = re.compile(r"\\text\{([^{}]*)\}")
_WORD = re.compile(r"[a-z][a-z' -]*")
#: Short words that are no products of variables.
_SHORT_WORDS = {"yes", "no", "odd", "even", "all", "any", "none", "red", "on", "up", "tie", "sun", "mon", "tue"}
_CHOICE = re.compile(
    r"(?:(?:[Oo]ption|[Cc]hoice|[Aa]nswer)[ :]*)?"
    r"(?:\((?P<bracketed>[A-J])\)|(?P<bare>[A-J])(?=[).]|:?$))(?:[):]|\.(?=\s|$))?\s*(?P<rest>.*)"
)
_CHOICE_TEXT = re.compile(r"[-\d\\\"]|[A-Za-z]{2}")
#: In small letters where a capital is asked for; a bare i is the imaginary unit.
_SMALL_CHOICE = re.compile(r"(?:(?:[Oo]ption|[Cc]hoice|[Aa]nswer)[ :]*)?(?:\(([a-j])\)|([a-j])[).:]|([a-hj]))\.?")


def plain(text: str) -> str:
    r"""A cleaned text without its ``\text{}``, in small letters: how words are compared."""
    return " ".join(_TEXT.sub(r" \1 ", text).casefold().split())


def phrase(text: str) -> str | None:
    r"""The one spelling of a text that is all words.

    ``no solutions``, ``none`` and ``\emptyset`` are one answer, ``fifth`` and ``5th`` another. ``no real solution`` is
    an answer of its own: there may be others.

    Returns:
        None for what is said in no other words.
    """
    words = plain(text).rstrip(" .!")
    if not words[:1].isalpha():
        return None
    for pattern, spelling in _PHRASES:
        if pattern.fullmatch(words):
            return spelling
    if words.removeprefix("the ") in _ORDINALS:
        return rf"{_ORDINALS.index(words.removeprefix('the ')) + 1}\text{{th}}"
    bare = _ARTICLE.sub("", words, count=1) if _ARTICLE.match(words) else ""
    return rf"\text{{{bare}}}" if _WORD.fullmatch(bare) and bare not in _ORDINALS else None


def unquantified(text: str) -> str:
    r"""A cleaned text without ``\text{ for all }x`` at its end; a condition that limits ``x`` stays."""
    shorter = _QUANTIFIER.sub("", text)
    return shorter if re.search(r"\w", shorter) else text


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


def small_choice(text: str) -> str | None:
    """The letter of an answer that names a choice in lower case, as a capital: ``c``, ``(c)``, ``option c``."""
    found = _SMALL_CHOICE.fullmatch(_TEXT.sub(r"\1", text).strip())
    return next(letter for letter in found.groups() if letter).upper() if found else None
