"""Words for a fault in a configuration: what is wrong, the nearest known name, the file and line that set it."""

import difflib
import functools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import jsonschema
import yaml

#: JSON's words for kinds of values in those of a reader of YAML.
KINDS = {"object": "keys and values", "array": "a list"}
#: YAML takes 1e-4 for a text.
POINT = "; numbers have no quotes, and a point before an exponent, such as 1.0e-4"


def explain(error: jsonschema.ValidationError) -> tuple[list[str | int], str]:
    """Key path and sentence for a schema fault."""
    key = list(error.absolute_path)
    name = ".".join(map(str, key)) or "the configuration"
    value = error.instance
    description = error.schema.get("description") if isinstance(error.schema, dict) else None
    hint = f" ({description.rstrip('.')})" if description else ""
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        unknown = next(k for k in value if k not in known)
        return [*key, unknown], f"unknown key {unknown!r}; {nearest(unknown, known)}."
    if error.validator == "required":
        missing = next(k for k in error.validator_value if k not in value)
        return key, f"{name} lacks the key {missing!r}."
    if error.validator == "enum":
        allowed = ", ".join(map(str, error.validator_value))
        return key, f"{name} is {value!r}, expected one of {allowed}."
    if error.validator == "type":
        kind = error.validator_value
        kinds = " or ".join(KINDS.get(one, one) for one in ([kind] if isinstance(kind, str) else kind))
        return key, f"{name} is {value!r}, expected {kinds}{hint}{POINT if _is_number_as_text(value) else ''}."
    if error.validator in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"):
        words = {"minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most"}
        bound = words.get(error.validator, "less than")
        return key, f"{name} is {value!r}, expected {bound} {error.validator_value}{hint}."
    if error.validator in ("minItems", "minProperties"):
        return key, f"{name} is {value!r}, expected {error.validator_value} or more{hint}."
    if error.validator == "uniqueItems":
        return key, f"{name} is {value!r}, expected nothing twice{hint}."
    if error.validator == "maxProperties":
        return key, f"{name} has {' and '.join(value)}, expected one of them; a new name inherits nothing."
    return key, f"{name} is {value!r}, which does not fit{hint}."


def non_finite(value: object, key: tuple[str | int, ...] = ()) -> Iterator[tuple[list[str | int], str]]:
    """(key, sentence) of every number below a key that is none: infinities and not-a-number pass every bound."""
    if isinstance(value, dict | list):
        for part, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from non_finite(item, (*key, part))
    elif isinstance(value, float) and not math.isfinite(value):
        yield list(key), f"{'.'.join(map(str, key))} is {value}, expected a finite number."


def _is_number_as_text(value: object) -> bool:
    try:
        float(value if isinstance(value, str) else "")
        return True
    except ValueError:
        return False


def nearest(name: str, known: Sequence[str]) -> str:
    """What the name may have meant, else all that is known."""
    close = difflib.get_close_matches(str(name), [str(k) for k in known], n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?"[:-1] if close else f"known are {', '.join(map(str, known))}"


def where(key: Sequence[str | int], paths: Sequence[str | Path]) -> str:
    """File and line of the last file that sets the key (or the nearest of its parents)."""
    for depth in range(len(key), 0, -1):
        for path in reversed(paths):
            line = _line_of(Path(path), key[:depth])
            if line:
                return f"{path}, line {line}"
    return " + ".join(map(str, paths)) or "configuration"


# Asked for once a key, and a large file takes a tenth of a second.
_composed = functools.cache(yaml.compose)


def _line_of(path: Path, key: Sequence[str | int]) -> int | None:
    node = _composed(path.read_text(encoding="utf-8"))
    line = None
    for part in key:
        if isinstance(node, yaml.MappingNode):
            found = [(k, v) for k, v in node.value if k.value == str(part)]
            if not found:
                return None
            line, node = found[-1][0].start_mark.line + 1, found[-1][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            return None
    return line
