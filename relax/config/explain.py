"""One sentence for what pydantic found: which key, what its value is, what was expected."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from relax.config.faults import KINDS, close, named, nearest, shown
from relax.config.schema import choices, rule_of
from relax.settings import sentences

Key = list[str | int]

_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}
_UNKNOWN = ("extra_forbidden", "invalid_key")
#: YAML takes 1e-4 for a text.
_POINT = "; numbers have no quotes, and a point before an exponent, such as 1.0e-4"


def explain(error: ValidationError, written: Mapping[str, Any]) -> tuple[list[Key], str]:
    """The first fault: the keys concerned, most often one, and the sentence.

    Args:
        error: what :class:`~relax.config.experiment.Experiment` was refused with.
        written: the merged configuration that was refused.
    """
    faults: dict[tuple[str | int, ...], list[ErrorDetails]] = {}
    for fault in error.errors(include_url=False):
        faults.setdefault(tuple(_key(fault["loc"], written)), []).append(fault)
    key, found = min(faults.items(), key=lambda item: _rank(*item))
    if found[0]["type"] == "contradiction":
        said = found[0]["ctx"]
        return [[*key, *place] for place in said["places"]], said["message"].replace("{key}", _name(key))
    return [list(key)], _sentence(list(key), found)


def _rank(key: Sequence[str | int], faults: list[ErrorDetails]) -> tuple[int, bool]:
    """What is wrong with the whole comes before what is wrong with a part, and a key too many, which may be one that
    is missing in another spelling, before those that are missing."""
    unknown = faults[0]["type"] in _UNKNOWN
    return len(key) - unknown, not unknown


def _key(place: Sequence[str | int], written: Any) -> Key:
    """The place without what pydantic adds to it, such as the branch of a union."""
    key: Key = []
    for part in place:
        inside = isinstance(written, list) and isinstance(part, int) and part < len(written)
        if inside or (isinstance(written, Mapping) and part in written):
            key.append(part)
            written = written[part]
    return key


def _name(key: Sequence[str | int]) -> str:
    return named(key) or "the configuration"


def _sentence(key: Key, faults: list[ErrorDetails]) -> str:
    """Of the faults of one key, which are several where a value may be of several kinds."""
    fault, name = faults[0], _name(key)
    if fault["type"] in _UNKNOWN:
        known = list(next(one for one in choices(rule_of(key[:-1])) if "properties" in one)["properties"])
        return f"unknown key {key[-1]!r}; {nearest(str(key[-1]), known)}."
    if fault["type"] == "missing":
        return f"{name} lacks the key {fault['loc'][-1]!r}."
    if fault["loc"][-1] == "[key]":
        return _bad_name(key, fault)
    return unfit(name, rule_of(key), faults)


def unfit(name: str, rule: dict[str, Any], faults: Sequence[ErrorDetails]) -> str:
    """The sentence for a value that its declaration refuses.

    Args:
        name: what the value is called.
        rule: its JSON schema.
        faults: of this value, several where it may be of several kinds.
    """
    fault, by_type = faults[0], {one["type"]: one for one in faults}
    if "finite_number" in by_type:
        return f"{name} is {fault['input']}, expected a finite number."
    hint = f" ({said[0].rstrip('.')})" if (said := sentences(rule.get("description"))) else ""
    value = f"{name} is {shown(fault['input'])}"
    if "literal_error" in by_type:
        allowed = [str(one) for one in _allowed(rule)]
        meant = close(str(fault["input"]), allowed)
        return f"{value}, expected one of {', '.join(allowed)}{'' if meant is None else f'; did you mean {meant!r}'}."
    if bound := next((one for one in faults if one["type"] in _BOUNDS), None):
        limit, words = _BOUNDS[bound["type"]]
        return f"{value}, expected {words} {bound['ctx'][limit]:g}{hint}."
    if "too_short" in by_type:
        least = by_type["too_short"]["ctx"]["min_length"]
        return f"{value}, expected {least} {'entry' if least == 1 else 'entries'} or more{hint}."
    if "not_unique" in by_type:
        return f"{value}, expected nothing twice{hint}."
    if all(one["type"].endswith(("_type", "_required")) for one in faults):
        kinds = " or ".join(KINDS.get(kind, kind) for kind in map(_kind, choices(rule)))
        return f"{value}, expected {kinds}{hint}{_POINT if _is_number_as_text(fault['input']) else ''}."
    return f"{value}, which does not fit{hint}."


def _bad_name(key: Key, fault: ErrorDetails) -> str:
    name, of = fault["input"], named(key[:-1] if key[-1] == fault["input"] else key)
    if fault["type"] == "literal_error":
        known = rule_of(key[:-1])["propertyNames"]["enum"]
        return f"unknown name {name!r} in {of}; {nearest(name, known)}."
    if not isinstance(name, str):
        return f"{name!r} is no name for an entry of {of}, expected a text; put quotes around it."
    return (
        f"{name!r} is no name for an entry of {of}, expected letters, digits, point, underscore and hyphen, with a "
        "letter or digit first."
    )


def _kind(rule: Mapping[str, Any]) -> str:
    return str(rule.get("type", "string"))


def _allowed(rule: Mapping[str, Any]) -> list[Any]:
    return [value for one in choices(dict(rule)) for value in one.get("enum", [one["const"]] if "const" in one else [])]


def _is_number_as_text(value: object) -> bool:
    try:
        float(value if isinstance(value, str) else "")
        return True
    except ValueError:
        return False
