"""The tables of keys in ``config/README.md``, made from the models.

``python -m relax.config.reference`` in the repository writes the tables again; a test says when that is due.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relax.config.schema import Rule, choices, of_entries, resolved, schema
from relax.files import atomic_write

#: The page, seen from the repository.
PAGE = Path("config/README.md")
_BLOCK = re.compile(r"(<!-- keys: (\S+) -->\n).*?(<!-- end of keys -->)", re.S)
_HEAD = "| Key | Default | Values | Paper | What it does |\n| --- | --- | --- | --- | --- |\n"
_BOUNDS = (
    ("minimum", "at least"), ("exclusiveMinimum", "more than"),
    ("maximum", "at most"), ("exclusiveMaximum", "less than"),
)  # fmt: skip
_KINDS = {
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "string": "text",
    "null": "null",
}


@dataclass(frozen=True)
class Key:
    """A key of the configuration, as the documentation shows it.

    Attributes:
        path: full name; ``<name>`` is a name that the user chooses, ``[]`` an entry of a list.
        default: as YAML; ``required`` without one, ``one of them`` where exactly one of several keys is given.
        values: what may be written, with the unit.
        paper: the paper's value and its place, ``not stated``, or a hyphen for a key of this repository alone.
        help: what the key does.
    """

    path: str
    default: str
    values: str
    paper: str
    help: str

    @property
    def section(self) -> str:
        """The heading that the key stands below."""
        return self.path.partition(".")[0] if "." in self.path else "top"


def described_keys() -> list[Key]:
    """Every key of the configuration, those of entries and lists included."""
    return list(_keys(schema(), ""))


def table(section: str) -> str:
    """The Markdown table of a part of the configuration; ``top`` has the keys that have no keys below them."""
    found = [key for key in described_keys() if key.section == section]
    if section == "top":
        parents = {key.section for key in described_keys()}
        found = [key for key in found if key.path not in parents]
    # The heading says what the table is of.
    prefix = "" if section == "top" else rf"{section}\.(<name>\.)?"
    cells = [(f"`{re.sub(f'^{prefix}', '', key.path)}`", key.default, key.values, key.paper, key.help) for key in found]
    return _HEAD + "".join(f"| {' | '.join(row)} |\n" for row in cells)


def with_tables(page: str) -> str:
    """The page with its tables of keys as the models have them; they stand between marks."""
    return _BLOCK.sub(lambda block: block[1] + "\n" + table(block[2]) + "\n" + block[3], page)


def _keys(rule: Rule, path: str) -> Iterator[Key]:
    required = rule.get("required", [])
    either = [name for one in rule.get("oneOf", []) for name in one["required"]]
    for name, inner in rule.get("properties", {}).items():
        here, inner = f"{path}{name}", resolved(inner)
        alone = "required" if name in required else "one of them" if name in either else None
        default = _as_yaml(inner["default"], inner) if alone is None else alone
        yield Key(
            here, default, _values(inner), inner.get("paper", "-"), " ".join(inner.get("description", "").split())
        )
        for kind in choices(inner):
            yield from _below(kind, here)


def _below(rule: Rule, path: str) -> Iterator[Key]:
    if isinstance(rule.get("items"), dict):
        yield from _below(resolved(rule["items"]), f"{path}[]")
    elif entry := of_entries(rule):
        yield from _below(resolved(entry), f"{path}.<name>")
    else:
        yield from _keys(rule, f"{path}.")


def _as_yaml(value: Any, rule: Rule) -> str:
    if isinstance(value, dict):
        # Keys that have rows of their own are not said twice.
        items = {} if "properties" in rule else value
        return f"{{{', '.join(f'{name}: {_as_yaml(item, {})}' for name, item in items.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(_as_yaml(item, {}) if isinstance(item, dict) else str(item) for item in value)}]"
    return json.dumps(value) if isinstance(value, bool | None) else str(value)


def _values(rule: Rule) -> str:
    words = " or ".join(_kind(one) for one in choices(rule) if one.get("type") != "null")
    nullable = any(one.get("type") == "null" for one in choices(rule))
    return words + (f" ({rule['unit']})" if "unit" in rule else "") + (" or null" if nullable else "")


def _kind(rule: Rule) -> str:
    if "enum" in rule:
        return ", ".join(f"`{value}`" for value in rule["enum"])
    if rule.get("type") == "array":
        return f"list of {_plural(' or '.join(_kind(one) for one in choices(resolved(rule['items']))))}"
    if rule.get("type") == "object":
        entry = resolved(of_entries(rule) or {})
        if entry.get("type") in _KINDS:
            return f"names, each with a {_kind(entry)}"
        return "names and their entries" if entry else "the keys below"
    if "minimum" in rule and "maximum" in rule:
        return f"{_KINDS[rule['type']]}, {rule['minimum']} to {rule['maximum']}"
    return ", ".join([_KINDS[rule["type"]], *(f"{words} {rule[name]}" for name, words in _BOUNDS if name in rule)])


def _plural(words: str) -> str:
    return (
        words.replace("number", "numbers")
        .replace("text", "texts")
        .replace("the keys below", "entries of the keys below")
    )


if __name__ == "__main__":
    atomic_write(PAGE, with_tables(PAGE.read_text(encoding="utf-8")))
