"""What decides each stage's outputs, beside its input files.

The workflow reruns a job when these settings change. The verb works from the same settings and records them.
"""

import functools
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from relax.config.faults import where
from relax.config.loading import Config
from relax.config.stage_settings import TrainSettings
from relax.errors import DataError
from relax.settings import Settings
from relax.tasks import TASKS, TEXT, warm_up_task


def digest(value: Any) -> str:
    """Twelve hexadecimal digits of the SHA-256 of a JSON value, or of the recorded form of settings; key order does not
    matter."""
    value = value.recorded() if isinstance(value, Settings) else value
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


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


def train_settings(config: Config, method: str) -> TrainSettings:
    """Of the ``train`` stage; the seed comes beside it. On which devices it runs is in the record, not here."""
    own, ridge = config["methods"][method], config["dictionary"]["ridge"]
    return TrainSettings(method=own, training=config["training"], ridge=ridge, prompt=config["prompt"])


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
    named: list[tuple[list[str | int], str]] = [
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
