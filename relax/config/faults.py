"""Where a fault in a configuration is, what was meant and in which words: file and line, nearest name, values."""

import difflib
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from relax.reading import KINDS

#: A place in a configuration: names of keys, and positions in lists from 0.
Key = Sequence[str | int]


def shown(value: object) -> str:
    """A value as a user knows it: ``true``, ``nothing (null)``, ``['a', 1]``."""
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}: {shown(item)}' for name, item in value.items())}}}"
    if isinstance(value, bool):
        return str(value).lower()
    return KINDS["null"] if value is None else repr(value)


def named(key: Key) -> str:
    """The full name of a key: ``training.steps``, ``entry 2 of matrix.seeds``; entries count from 1."""
    name, behind = "", ""
    for part in key:
        if isinstance(part, int):
            name, behind = f"entry {part + 1}", f" of {name}{behind}"
        elif name.startswith("entry "):
            name, behind = part, f" of {name}{behind}"
        else:
            name = f"{name}.{part}" if name else str(part)
    return name + behind


def close(name: str, known: Sequence[str]) -> str | None:
    """The known name that is so near to this one that it may have been meant; None where there is none."""
    return next(iter(difflib.get_close_matches(str(name), [str(k) for k in known], n=1)), None)


def nearest(name: str, known: Sequence[str]) -> str:
    """What the name may have meant, else all that is known."""
    meant = close(name, known)
    return f"known are {', '.join(map(str, known))}" if meant is None else f"did you mean {meant!r}"


def where(keys: Sequence[Key], paths: Sequence[str | Path], typed: Mapping[str, Any] | None = None) -> str:
    """File and line of the last file that sets one of the keys; ``--config`` where that does.

    Where nothing sets any of them, the nearest of their parents count.
    """
    for cut in range(max(map(len, keys), default=0)):
        places = [key[: len(key) - cut] for key in keys if len(key) > cut]
        if any(_is_in(typed, place) for place in places):
            return "--config"
        for path in reversed(paths):
            lines = [line for place in places if (line := _line_of(Path(path), place))]
            if lines:
                return f"{path}, line {lines[0]}"
    return " + ".join(map(str, paths)) or "configuration"


def _is_in(value: Any, key: Key) -> bool:
    for part in key:
        try:
            value = value[part]
        except (TypeError, LookupError):
            return False
    return True


# Asked for once a key, and a large file takes a tenth of a second.
_composed = functools.cache(yaml.compose)


def _line_of(path: Path, key: Key) -> int | None:
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
