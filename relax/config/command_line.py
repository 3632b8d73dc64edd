"""``snakemake --config key=value``: what is typed there becomes an overlay file, which every job reads.

Jobs read files alone, so that a job can be pasted into a shell as it is.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from relax.config.experiment import Experiment
from relax.config.loading import Config, check, merge, read_merged
from relax.config.schema import choices, rule_of
from relax.config.stages import digest
from relax.errors import ConfigError
from relax.files import atomic_write

_HEAD = "# From --config on the command line of snakemake. The jobs read this file behind the others.\n"

#: Words for values that are no text, as YAML and as Python write them; Snakemake hands a job's in Python's form.
_WORDS = {"": None, "null": None, "~": None, "None": None, "true": True, "True": True, "false": False, "False": False}
_TYPES = {
    "integer": (int,), "number": (int, float), "boolean": (bool,), "null": (type(None),), "string": (str,)
}  # fmt: skip


def overlay_of(typed: Mapping[str, Any]) -> Config:
    """What ``--config`` says, with the values that the configuration expects.

    Snakemake reads a value on its own as a number where it looks like one, and the values inside of
    ``training='{"steps": 5}'`` as texts. Here a text becomes the number, the truth value or the null that its
    key takes.

    Args:
        typed: as Snakemake hands it on.

    Raises:
        ConfigError: a list or an object among the values is cut off or otherwise broken; names its key.
    """
    for name, value in typed.items():
        _refuse_broken(name, value)
    return {name: _value(value, [name]) for name, value in typed.items()}


def load_with(paths: Sequence[str | Path], overlay: Config) -> Experiment:
    """The experiment of configuration files with an overlay that is in no file yet.

    Raises:
        ConfigError: as of :func:`relax.config.load`; a fault of the overlay is blamed on ``--config``.
    """
    return check(merge(read_merged(paths), overlay), paths, overlay)


def overlay_file(overlay: Config, folder: Path) -> Path:
    """The file of an overlay in a results folder, written if it is not there; its name says its content."""
    path = folder / f"config-{digest(overlay)}.yaml"
    text = _HEAD + yaml.safe_dump(overlay, sort_keys=False, allow_unicode=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        atomic_write(path, text)
    return path


def _refuse_broken(name: str, value: Any) -> None:
    """What Snakemake cannot read as a list or an object it hands on as a text."""
    if not (isinstance(value, str) and value.lstrip().startswith(("{", "["))):
        return
    try:
        yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(
            f"--config: the value of {name} cannot be read: {value}; look whether every bracket and quote is closed, "
            "as in training='{\"steps\": 5}'."
        ) from error


def _value(value: Any, key: list[str | int]) -> Any:
    if isinstance(value, Mapping):
        return {name: _value(item, [*key, name]) for name, item in value.items()}
    if isinstance(value, list):
        return [_value(item, [*key, number]) for number, item in enumerate(value)]
    known = [kind for one in choices(rule_of(key)) for kind in _TYPES.get(one.get("type", ""), ())]
    read = _read(value) if isinstance(value, str) else value
    if type(read) in known:
        return read
    return str(value) if str in known else read


def _read(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text
