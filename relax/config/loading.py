"""From YAML files to a checked configuration: files are merged in order, and a fault names its file and line."""

from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from relax.config.experiment import Experiment
from relax.config.faults import nearest, where
from relax.errors import ConfigError
from relax.reading import kind, read_yaml

#: The configuration that all others are overlays of.
BASE = Path("config/config.yaml")
#: The same file as it comes with the package; in a clone it is a link to that one.
PACKAGED_BASE = Path(str(files("relax") / "config" / "config.yaml"))

#: A configuration as plain JSON: what files say, and what records and MLflow keep.
Config = dict[str, Any]


def load(paths: Sequence[str | Path]) -> Experiment:
    """Merge configuration files (later ones win, mappings merge, lists are replaced) and check them.

    Raises:
        ConfigError: a file is missing or not YAML, a key is unknown, a value is wrong; names the
            file, the line and the key.
    """
    return check(read_merged(paths), paths)


def read_merged(paths: Sequence[str | Path]) -> Config:
    """What configuration files say, merged and not yet checked.

    Raises:
        ConfigError: there is none, or one is missing or not YAML.
    """
    if not paths:
        raise ConfigError("no configuration file given; name one with --configfile, e.g. config/config.yaml.")
    merged: Config = {}
    for path in paths:
        merged = merge(merged, _read(Path(path)))
    return merged


def check(
    merged: Mapping[str, Any], paths: Sequence[str | Path] = (), typed: Mapping[str, Any] | None = None
) -> Experiment:
    """The experiment that a merged configuration describes.

    Args:
        merged: what the files say, merged.
        paths: the files, in which a fault is looked for.
        typed: what ``--config`` put over the files, in which a fault is looked for first.

    Raises:
        ConfigError: with the first fault; the message names the file and line that set it.
    """
    try:
        return Experiment.model_validate(merged)
    except ValidationError as error:
        from relax.config.explain import explain  # it makes the schema, which is of use to nobody else

        keys, message = explain(error, merged)
        # Most files are overlays, which lack most keys.
        alone = keys == [[]] and " lacks the key " in message and list(paths) != over_base(paths)
        hint = f" An overlay stands behind {_base()}: name that first." if alone else ""
        raise ConfigError(f"{where(keys, paths, typed)}: {message}{hint}") from None


def over_base(paths: Iterable[str | Path]) -> list[Path]:
    """The files in the order in which the pipeline merges them: ``config/config.yaml``, then the others.

    Where the folder has no such file, as it is no clone, the package's own is the first.
    """
    return [_base(), *(path for path in map(Path, paths) if path.absolute() != BASE.absolute())]


def merge(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> Config:
    """``overlay`` over ``base``: mappings merge key by key, everything else is replaced."""
    result = dict(base)
    for key, value in overlay.items():
        old = result.get(key)
        result[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def require(experiment: Experiment, kind: str, name: str) -> None:
    """Refuse a name that the configuration does not define.

    Args:
        experiment: a loaded configuration.
        kind: ``policies``, ``methods`` or ``benchmarks``.
        name: to be found there.

    Raises:
        ConfigError: with the nearest known name.
    """
    known = list(getattr(experiment, kind))
    if name not in known:
        raise ConfigError(f"unknown name {name!r} in {kind}; {nearest(name, known)}.")


def _base() -> Path:
    return BASE if BASE.is_file() else PACKAGED_BASE


def _read(path: Path) -> Config:
    content = read_yaml(path, "configuration file")
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected keys and values, found {kind(content)}.")
    return content
