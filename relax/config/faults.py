"""Where a fault in a configuration is, and what was meant: file and line that set a key, the nearest known name."""

import difflib
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml


def nearest(name: str, known: Sequence[str]) -> str:
    """What the name may have meant, else all that is known."""
    close = difflib.get_close_matches(str(name), [str(k) for k in known], n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?"[:-1] if close else f"known are {', '.join(map(str, known))}"


def where(key: Sequence[str | int], paths: Sequence[str | Path], typed: Mapping[str, Any] | None = None) -> str:
    """File and line of the last file that sets the key, or the nearest of its parents; ``--config`` where that does."""
    for depth in range(len(key), 0, -1):
        if _is_in(typed, key[:depth]):
            return "--config"
        for path in reversed(paths):
            line = _line_of(Path(path), key[:depth])
            if line:
                return f"{path}, line {line}"
    return " + ".join(map(str, paths)) or "configuration"


def _is_in(value: Any, key: Sequence[str | int]) -> bool:
    for part in key:
        try:
            value = value[part]
        except (TypeError, LookupError):
            return False
    return True


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
