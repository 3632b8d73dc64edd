"""The configuration: YAML files merged in order, checked against one schema, split by stage.

The same functions serve the workflow and the verbs, so a job sees exactly what the scheduler
planned with. Light on purpose: every cluster job parses the workflow again.
"""

import copy
import functools
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema

from relax.config.contradictions import contradictions
from relax.config.faults import explain, nearest, where
from relax.errors import ConfigError, DataError, MachineError
from relax.reading import read_yaml
from relax.tasks import TASKS, TEXT, warm_up_task

REPOSITORY = Path(__file__).resolve().parents[2]
SCHEMA = REPOSITORY / "workflow" / "schemas" / "config.schema.yaml"
#: The configuration that all others are overlays of.
BASE = Path("config/config.yaml")
#: The same file as it comes with the package; in a clone it is a link to that one.
PACKAGED_BASE = Path(str(files("relax") / "config" / "config.yaml"))

Config = dict[str, Any]


def digest(value: Any) -> str:
    """Twelve hexadecimal digits of the SHA-256 of a JSON value; key order does not matter."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


@functools.cache
def schema() -> dict[str, Any]:
    """The JSON schema of the configuration."""
    return read_yaml(SCHEMA, "schema")


def load(paths: Sequence[str | Path]) -> Config:
    """Merge configuration files (later ones win, mappings merge, lists are replaced) and check them.

    Raises:
        ConfigError: a file is missing or not YAML, a key is unknown, a value is wrong; names the
            file, the line and the key.
    """
    if not paths:
        raise ConfigError("no configuration file given; name one with --configfile, e.g. config/config.yaml.")
    merged: Config = {}
    for path in paths:
        merged = merge(merged, _read(Path(path)))
    check(merged, paths)
    return _with_defaults(merged, schema())


def over_base(paths: Iterable[str | Path]) -> list[Path]:
    """The files in the order in which the pipeline merges them: ``config/config.yaml``, then the others. Where the
    folder has none, as it is no clone, the package's own is the first."""
    base = BASE if BASE.is_file() else PACKAGED_BASE
    return [base, *(path for path in map(Path, paths) if path.absolute() != BASE.absolute())]


def require(config: Config, kind: str, name: str) -> None:
    """Refuse a name that the configuration does not define.

    Args:
        config: a loaded configuration.
        kind: ``policies``, ``methods`` or ``benchmarks``.
        name: to be found there.

    Raises:
        ConfigError: with the nearest known name.
    """
    if name not in config[kind]:
        raise ConfigError(f"unknown name {name!r} in {kind}; {nearest(name, list(config[kind]))}.")


def merge(base: Config, overlay: Config) -> Config:
    """``overlay`` over ``base``: mappings merge key by key, everything else is replaced."""
    result = dict(base)
    for key, value in overlay.items():
        old = result.get(key)
        result[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def check(config: Config, paths: Sequence[str | Path] = ()) -> None:
    """Refuse a configuration that does not fit the schema or contradicts itself.

    Raises:
        ConfigError: with the first fault; the message names the file and line that set it.
    """
    errors = sorted(jsonschema.Draft202012Validator(schema()).iter_errors(config), key=lambda e: len(e.path))
    if errors:
        key, message = explain(errors[0])
        # Most files are overlays, which lack most keys.
        alone = errors[0].validator == "required" and not key and list(paths) != over_base(paths)
        hint = f" An overlay stands behind {BASE}: name that first." if alone else ""
        raise ConfigError(f"{where(key, paths)}: {message}{hint}")
    for key, message in contradictions(_with_defaults(config, schema())):
        raise ConfigError(f"{where(key, paths)}: {message}")


def check_results_folder(config: Config, root: Path) -> None:
    """Refuse a results folder that cannot be written, or whose foundation is another configuration's.

    Problems and initial policies are what all runs of an experiment share. Changing a method, a seed or
    a benchmark reruns the jobs it concerns; changing the foundation asks for another name.

    Args:
        config: a loaded configuration.
        root: the experiment's folder, which need not exist.

    Raises:
        MachineError: the folder, or the nearest one above it that exists, is not a writable folder.
        ConfigError: it was made from other problems or initial policies.
        DataError: a record there is broken.
    """
    nearest = next(path for path in (root, *root.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise MachineError(f"{nearest}: is a file, expected the results folder; move it away.")
    if not os.access(nearest, os.W_OK) or os.statvfs(nearest).f_flag & os.ST_RDONLY:
        raise MachineError(f"{nearest}: results cannot be written there (read-only); change its permissions.")
    foundation = {"data": data_settings(config)}
    foundation |= {f"base/{name}": base_settings(config, name) for name in config["policies"]}
    for part, settings in foundation.items():
        record = root / part / "run.json"
        if record.is_file() and _settings_hash(record) != digest(settings):
            raise ConfigError(
                f"{root}: its {part} was made with another configuration; "
                f"give this one another name (name: {config['name']} now), or remove {root} to start over."
            )


def _settings_hash(record: Path) -> Any:
    try:
        return json.loads(record.read_text(encoding="utf-8"))["settings_hash"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"{record}: not a run record ({type(error).__name__}: {error}); remove its folder, and its step runs again."
        ) from error


# What decides each stage's outputs, beside its input files. The workflow reruns a job when this
# changes, the verb works from the same mapping and records it.


def data_settings(config: Config) -> Config:
    """Of the ``data`` stage; what is set for another source decides nothing."""
    others = {task.key for task in TASKS.values() if task.settings} - {TASKS[config["data"]["source"]].key}
    return {key: value for key, value in config["data"].items() if key not in others}


def base_settings(config: Config, policy: str) -> Config:
    """Of the ``base`` stage; the size of a policy of the hub decides no output."""
    entry = dict(config["policies"][policy])
    if "hub" in entry:
        entry["hub"] = {key: value for key, value in entry["hub"].items() if key != "parameters"}
    settings = {"policy": entry, "digits": config["data"]["digits"]}
    if "scratch" in entry:
        scratch = {key: value for key, value in entry["scratch"].items() if key != "vision" or value is not None}
        warmup, source = scratch["warmup"], config["data"]["source"]
        scratch["warmup"] = {k: v for k, v in warmup.items() if k != "second_stage" or v is not None}
        settings["policy"] = {**entry, "scratch": scratch}
        task = warm_up_task(source, sees="vision" in scratch)
        own = config["data"][task.key] if task.settings else {}
        if "vision" in scratch:
            settings[task.key] = own
        elif task.name != TEXT:
            settings |= {"source": source, **own}
    return settings


def dictionary_settings(config: Config, koopman_dim: int | None = None) -> Config:
    """Of the ``dictionary`` stage; with ``koopman_dim``, of a method that has a dictionary of its own."""
    own = {} if koopman_dim is None else {"koopman_dim": koopman_dim}
    return {**config["dictionary"], **own, **_sampling(config)}


def own_dimension(config: Config, method: str) -> int | None:
    """m of a method with a dictionary of its own; None where it uses the common one."""
    own = config["methods"][method]["koopman_dim"]
    return None if own == config["dictionary"]["koopman_dim"] else own


def train_settings(config: Config, method: str) -> Config:
    """Of the ``train`` stage; the seed comes beside it. On which devices it runs is in the record, not here."""
    placed = ("parallel", "vllm_gpus")
    return {
        "method": config["methods"][method],
        "training": {key: value for key, value in config["training"].items() if key not in placed},
        "ridge": config["dictionary"]["ridge"],
        "prompt": config["prompt"],
    }


def extract_settings(config: Config) -> Config:
    """Of the ``extract`` stage."""
    return {**config["analysis"], **_sampling(config)}


def koopman_settings(config: Config) -> Config:
    """Of the ``koopman`` stage."""
    return {"ridge": config["dictionary"]["ridge"]}


def generate_settings(config: Config) -> Config:
    """Of the ``generate`` stage: every benchmark of the matrix."""
    length = config["evaluation"]["max_response_length"] or config["training"]["max_response_length"]
    return {
        **config["evaluation"],
        "max_response_length": length,
        "prompt": config["prompt"],
        **evaluate_settings(config),
    }


def evaluate_settings(config: Config) -> Config:
    """Of the ``evaluate`` stage."""
    return {"benchmarks": {name: config["benchmarks"][name] for name in config["matrix"]["benchmarks"]}}


def overlap_settings(config: Config) -> Config:
    """Of the ``overlap`` stage."""
    policies = {name: config["policies"][name].get("hub", {}) for name in config["matrix"]["policies"]}
    released = {name: source.get("released") for name, source in policies.items()}
    benchmarks = evaluate_settings(config)["benchmarks"]
    own = {name: {key: entry[key] for key in ("task", "path", "rows")} for name, entry in benchmarks.items()}
    return {"benchmarks": own, "instruction": config["data"]["instruction"], "released": released}


def local_files(settings: Config) -> list[str]:
    """The files on this machine that the settings of a stage name: of ``data``, of ``overlap`` and ``generate``."""
    named = []
    for entry in settings.get("datasets", []) if settings.get("source") == "hub" else []:
        path, archive = entry.get("path"), entry.get("archive")
        if path is not None:
            named += [path, *([] if archive is None else [str(Path(path).parent / archive)])]
    named += [path for entry in settings.get("benchmarks", {}).values() if (path := entry.get("path")) is not None]
    return list(dict.fromkeys(named))


def local_content(settings: Config) -> str:
    """Digest of the content of :func:`local_files`. Snakemake compares times, and an older file may take the place of a
    newer one."""
    files = [Path(path) for path in local_files(settings) if Path(path).is_file()]
    return digest([_sha256(path, path.stat().st_mtime_ns, path.stat().st_size) for path in files])


@functools.cache
def _sha256(path: Path, _changed: int, _size: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_local_files(config: Config, paths: Sequence[str | Path] = ()) -> None:
    """Refuse a configuration that names files which are not there.

    Raises:
        DataError: names the file, and the file and line that name it.
    """
    named = [
        (["data", "datasets", number], path)
        for number, entry in enumerate(config["data"]["datasets"])
        for path in local_files({**config["data"], "datasets": [entry]})
    ]
    for name, entry in evaluate_settings(config)["benchmarks"].items():
        named += [(["benchmarks", name, "path"], path) for path in local_files({"benchmarks": {name: entry}})]
    for key, path in named:
        if not Path(path).exists():
            raise DataError(f"{where(key, paths)}: {path}: no such file; put it there, or name another.")


def results_settings(config: Config) -> Config:
    """Of the tables, the figures and the report."""
    return {key: config[key] for key in ("matrix", "methods", "ablations", "paper", "limits")}


def _sampling(config: Config) -> Config:
    sampling = {key: config["training"][key] for key in ("max_response_length", "temperature")}
    return {**sampling, "prompt": config["prompt"]}


def _read(path: Path) -> Config:
    content = read_yaml(path, "configuration file")
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected keys and values, found {type(content).__name__}.")
    return content


def _with_defaults(value: Any, rule: dict[str, Any]) -> Any:
    """The value with the schema's defaults filled in below it; rules with a $ref hold no defaults."""
    if not isinstance(value, dict):
        if isinstance(value, list) and isinstance(rule.get("items"), dict):
            return [_with_defaults(item, rule["items"]) for item in value]
        return value
    rules = rule.get("properties", {})
    free = rule.get("additionalProperties")
    result = {}
    for key, item in value.items():
        inner = rules.get(key, free if isinstance(free, dict) else {})
        result[key] = _with_defaults(item, inner)
    for key, inner in rules.items():
        if key not in result and "default" in inner:
            result[key] = _with_defaults(copy.deepcopy(inner["default"]), inner)
    return result
