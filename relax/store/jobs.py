"""A job's record as an MLflow run: name, tags, parameters, curves, final numbers, artefacts."""

import fnmatch
import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from mlflow.entities import Experiment, Metric, Param
from mlflow.tracking import MlflowClient

from relax.config import digest
from relax.errors import DataError
from relax.records.record import RECORD, TABLE_FILES, digest_path, flat_settings, masked, read_record
from relax.store.client import metric
from relax.store.views import colour

#: Part of every version: what is exported otherwise than before is exported again.
FORMAT = 3
#: Other files than those the tables need become artefacts up to this size.
LARGEST = 4 << 20
#: Never exported: states and responses.
HELD_BACK = ("statistics.safetensors", "responses.parquet", "probes.jsonl")
#: MLflow takes at most this many metrics, and this many parameters, in one call.
METRICS, PARAMETERS = 1000, 100
COSTS = ("wall_seconds", "cpu_seconds", "peak_memory_mb")
#: Keys without which a run.json is no run record.
NEEDED = ("verb", "identity", "settings", "settings_hash", "metrics", "outputs", "git", "started", *COSTS)


class Changed(Exception):
    """A record, or a file it vouches for, is not what it was when the export began."""


def export_job(
    client: MlflowClient,
    experiment: Experiment,
    folder: Path,
    record: Mapping[str, Any],
    tags: Mapping[str, str],
    config: Mapping[str, Any],
) -> None:
    """Write a job's run; it is ended last, when everything is there and the record is still the same.

    Args:
        client: of the store.
        experiment: which the run belongs to.
        folder: of the record.
        record: its content.
        tags: of the run, beside those made from the record.
        config: says which model a policy is.

    Raises:
        Changed: the job was redone or removed meanwhile; nothing is left of the run.
    """
    tags = {**tags, **_tags(record, config)}
    run = client.create_run(experiment.experiment_id, start_time=round(1000 * started(record)), tags=tags)
    number = run.info.run_id
    try:
        parameters = [Param(key, value) for key, value in parameters_of(record).items()]
        client.log_batch(number, params=parameters[:PARAMETERS])
        points = _metrics(folder, record)
        for start in range(0, len(points), METRICS):
            client.log_batch(number, metrics=points[start : start + METRICS])
        log_files(client, number, files_of(folder, record["verb"]))
        check_unchanged(folder, record)
    except (Changed, OSError, ValueError, KeyError) as error:
        client.delete_run(number)
        check_unchanged(folder, record)
        if isinstance(error, OSError):  # nothing has changed, so it is the store's
            raise
        raise Changed(f"it cannot be read: {error!r}") from error
    client.set_terminated(number, end_time=round(1000 * ended(record)))


def log_files(client: MlflowClient, run: str, files: Mapping[str, Path]) -> None:
    """Copy files into a run, by the names they have there."""
    for name, path in files.items():
        client.log_artifact(run, str(path), name.rpartition("/")[0] or None)


def version(record: Mapping[str, Any], form: int = FORMAT) -> str:
    """Of a record, as a run's tag holds it."""
    return digest([form, record])


def started(record: Mapping[str, Any]) -> float:
    """When a job began, in seconds since 1970."""
    return datetime.fromisoformat(record["started"]).timestamp()


def ended(record: Mapping[str, Any]) -> float:
    """When it ended."""
    return started(record) + record["wall_seconds"]


def title(verb: str, identity: Mapping[str, Any]) -> str:
    """``train tiny relax seed 2``, ``evaluate tiny initial noisy-sum``."""
    parts = [verb, *(str(identity[key]) for key in ("policy", "method") if key in identity)]
    if "koopman_dim" in identity:  # a dictionary beside the common one
        parts.append(f"m {identity['koopman_dim']}")
    if "seed" in identity and identity.get("method") != "initial":
        parts.append(f"seed {identity['seed']}")
    return " ".join(parts + [str(identity[key]) for key in ("benchmark",) if key in identity])


def identity_tags(verb: str, identity: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, str]:
    """Tags by which runs are found and compared: verb, policy, method, seed, benchmark, model."""
    tags = {"verb": verb, **{key: str(value) for key, value in identity.items()}}
    tags |= {"mlflow.runName": title(verb, identity), "mlflow.source.name": f"relax {verb}"}
    if "policy" in identity:
        hub = config.get("policies", {}).get(identity["policy"], {}).get("hub")
        tags["model"] = f"{hub['repo']} @ {hub['revision']}" if hub else str(identity["policy"])
    if shade := colour(identity, config):
        tags["mlflow.runColor"] = shade
    return tags


def _tags(record: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, str]:
    tags = identity_tags(record["verb"], record["identity"], config)
    method = record["settings"].get("method")
    if isinstance(method, Mapping) and (method.get("alpha") or method.get("kl_mode") == "adaptive"):
        tags["spectrum"] = method.get("spectrum", "eigenvalues")
    if commit := record["git"]["commit"]:
        tags |= {"commit": commit, "mlflow.source.git.commit": commit, "mlflow.source.type": "LOCAL"}
    return tags | {"dirty": str(bool(record["git"]["dirty"])).lower(), "settings_hash": record["settings_hash"]}


def parameters_of(record: Mapping[str, Any]) -> dict[str, str]:
    """The settings that say something, as ``training.steps: 120``; of tables, figures, report the matrix alone."""
    settings = record["settings"]
    if record["verb"] in ("tables", "figures", "report"):
        settings = {"matrix": settings.get("matrix", {})}
    found = {}
    for key, value in flat_settings(settings).items():
        if value not in (None, "", [], {}):
            # MLflow allows letters, digits and these marks in names.
            name = re.sub(r"[^\w\-. :/]", "_", key)[:250]
            found[name] = masked(", ".join(map(str, value)) if isinstance(value, list) else str(value))[:6000]
    return found


def _metrics(folder: Path, record: Mapping[str, Any]) -> list[Metric]:
    """Curves of training under the names of docs/metrics.md and its final numbers below ``final/``; those of other
    jobs below their verb, of a benchmark below its name; costs below ``cost/``."""
    verb, start, end = record["verb"], started(record), ended(record)
    benchmark = record["identity"].get("benchmark")
    before = "" if verb == "train" else f"{benchmark or verb}/"
    points, curves = [], set()
    for step, time, row in _rows(folder / "metrics.jsonl", start):
        points += [metric(before + name, value, step, time) for name, value in row.items() if finite(value)]
        curves |= {before + name for name in row}
    final = {
        f"final/{name}" if verb == "train" or before + name in curves else before + name: value
        for name, value in record["metrics"].items()
    }
    final |= {f"cost/{name}": record[name] for name in COSTS}
    return points + [metric(name, value, 0, end) for name, value in final.items() if finite(value)]


def _rows(path: Path, start: float) -> Iterator[tuple[int, float, dict[str, float]]]:
    """(step, time, numbers) of a training log; the time adds up the seconds of the steps."""
    if not path.is_file():
        return
    time = start
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        step = row.pop("step")
        time += row.get("seconds/step", 0.001)
        yield step, time, row


def finite(value: Any) -> bool:
    """Whether a value is a number that MLflow can draw."""
    return isinstance(value, int | float) and math.isfinite(value)


def files_of(folder: Path, verb: str) -> dict[str, Path]:
    """What is exported of a job, by name: the record, what the tables need, and what else lies there that is small; no
    folders (weights, responses)."""
    needed = {path for pattern in (RECORD, *TABLE_FILES.get(verb, ())) for path in folder.glob(pattern)}
    others = [path for path in folder.iterdir() if path.is_file() and path.stat().st_size <= LARGEST]
    found = needed | {p for p in others if not p.name.startswith(".") and p.name not in HELD_BACK}
    return {path.relative_to(folder).as_posix(): path for path in sorted(found)}


def check_unchanged(folder: Path, record: Mapping[str, Any]) -> None:
    """Whether a record is still what it was, and what is exported is what it speaks of.

    Raises:
        Changed: it is not.
    """
    try:
        now = read_record(folder)
    except DataError as error:
        raise Changed("its record is gone") from error
    missing = [key for key in NEEDED if not isinstance(now, dict) or key not in now]
    if missing:
        raise Changed(f"its run.json is no run record: {missing[0]} is missing")
    if now != record:
        raise Changed("it was done again meanwhile")
    try:
        exported = files_of(folder, record["verb"])
    except FileNotFoundError as error:
        raise Changed("its files are being removed") from error
    needed = TABLE_FILES.get(record["verb"], ())
    for output, version in record["outputs"].items():
        name = _below(output, folder)
        if name in exported or any(fnmatch.fnmatch(name, pattern) for pattern in needed):
            path = folder / name
            if not path.is_file() or digest_path(path) != version:
                raise Changed(f"{name} is not what its record says")


def _below(output: str, folder: Path) -> str:
    """Name of an output relative to the folder of its record, on whatever machine it was written."""
    for depth in range(len(folder.parts)):
        place = "/".join(folder.parts[depth:])
        if f"{place}/" in output:
            return output.rpartition(f"{place}/")[2]
    return ""
