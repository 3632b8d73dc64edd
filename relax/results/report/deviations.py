"""Where a configuration departs from the paper's settings, which ``relax/paper/transcribed/settings.csv`` holds."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from relax.errors import DataError
from relax.paper.printed import FOLDER, read_lines
from relax.results.tables.render import Column, Table

FILE = FOLDER / "settings.csv"
COLUMNS = ["setting", "paper", "source", "key", "fixed"]
#: What a configuration need not say.
UNSAID = "not given"


def read_settings(path: Path = FILE) -> list[dict[str, str]]:
    """The paper's settings: name, value, source, and the key that sets it here or, where none does, what is fixed here.

    A key is ``training.temperature``, a product of two (``a.b x a.c``), ``methods.KEY`` for every method of the matrix
    or ``relax.KEY`` for those with a DSD term.

    Raises:
        DataError: the file is missing or malformed; names the line.
    """
    found = []
    for where, fields in read_lines(path, "the paper's settings", COLUMNS):
        if not all(fields[:3]) or bool(fields[3]) == bool(fields[4]):
            raise DataError(f"{where}: expected setting, paper and source, and one of key and fixed.")
        found.append(dict(zip(COLUMNS, fields, strict=True)))
    return found


def deviations(config: Mapping[str, Any], settings: Sequence[Mapping[str, str]]) -> Table:
    """The settings that differ from the paper's, as a table; the caption names those that do not.

    Args:
        config: a configuration; what it leaves out is said to be not given.
        settings: as of :func:`read_settings`.
    """
    rows, same = [], []
    for setting in settings:
        here = _here(config, setting)
        by_value: dict[str, list[str]] = {}
        for method, value in here:
            by_value.setdefault(value, []).append(method)
        if all(_equal(value, setting["paper"]) for value in by_value):
            same.append(f"{setting['setting']} {setting['paper']}")
            continue
        shown = [value if len(by_value) == 1 else f"{value} ({', '.join(names)})" for value, names in by_value.items()]
        rows.append({**setting, "here": "; ".join(shown)})
    columns = (
        Column("setting", "setting"),
        Column("paper", "paper"),
        Column("here", "here"),
        Column("source", "where in the paper"),
    )
    caption = f"These settings are as in the paper: {'; '.join(same)}." if same else "No setting is as in the paper."
    if any("q" in value for _, value in _methods(config, "relax", "xi")):
        caption += " A limit such as q90 is that percentile of the initial policy's DSD, in the method's own spectrum."
    return Table("deviations", "Settings that are not the paper's", caption, columns, tuple(rows))


def _here(config: Mapping[str, Any], setting: Mapping[str, str]) -> list[tuple[str, str]]:
    """(method, or nothing; value as text) of a setting in the configuration."""
    group, _, key = setting["key"].partition(".")
    if not setting["key"]:
        return [("", setting["fixed"])]
    if group not in ("methods", "relax"):
        return [("", _product(config, setting["key"]))]
    return _methods(config, group, key) or [("", "no method with a DSD term")]


def _methods(config: Mapping[str, Any], group: str, key: str) -> list[tuple[str, str]]:
    """(method, value as text) for the methods of the matrix, of the group ``relax`` those with a DSD term alone."""
    given = {name: config.get("methods", {}).get(name, {}) for name in config["matrix"]["methods"]}
    chosen = {name: own for name, own in given.items() if group == "methods" or own.get("alpha", 0.0) > 0}
    return [(name, _text(own[key]) if key in own else UNSAID) for name, own in chosen.items()]


def _product(config: Mapping[str, Any], keys: str) -> str:
    values = []
    for key in keys.split(" x "):
        group, _, name = key.partition(".")
        values.append(config.get(group, {}).get(name))
    if None in values:
        return UNSAID
    return _text(values[0] if len(values) == 1 else math.prod(values))


def _text(value: Any) -> str:
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _equal(here: str, paper: str) -> bool:
    """As numbers where both are; ``vllm-colocate`` is vLLM."""
    try:
        return float(here) == float(paper)
    except ValueError:
        return here.lower() == paper.lower() or here.lower().startswith(f"{paper.lower()}-")
