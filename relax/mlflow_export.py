"""Run records -> MLflow: one experiment per configuration name, a parent run, a child per job.

Parallel jobs never write to a store: this is done once, at the end, from the records, and as often
as one likes. A record that is there already is left alone, one that was redone replaces its old run,
one whose export was cut off is exported again.
"""

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, Param, Run, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

from relax.config import digest
from relax.errors import MachineError
from relax.progress import Progress
from relax.tracking import RECORD, find_records, flat

#: Tag that says which record a run shows, and in which version.
PATH_TAG, HASH_TAG = "relax.record", "relax.record_hash"
#: Files up to this size become artefacts; larger ones (weights) stay where they are.
LARGEST = 4 << 20
#: Folder of a local store's files below the results; it holds copies of the records.
ARTEFACTS = "mlartifacts"
#: MLflow takes at most this many metrics in one call.
BATCH = 1000


def export(root: str | Path, name: str, uri: str) -> dict[str, int]:
    """Bring a store up to date with the records below a results folder.

    Args:
        root: results folder of the experiment.
        name: of the MLflow experiment.
        uri: tracking URI, e.g. ``sqlite:///results/demo/mlflow.db``.

    Returns:
        How many runs were ``added``, ``replaced`` and left ``unchanged``.

    Raises:
        MachineError: the store cannot be reached.
    """
    # The store's schema changes write their own log lines; they are not the user's concern.
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    root = Path(root)
    try:
        client = MlflowClient(tracking_uri=uri)
        experiment = _experiment(client, name, root, uri)
        return _bring_up_to_date(client, experiment, root, name)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise MachineError(f"{uri}: the MLflow store does not take the runs ({str(error).splitlines()[0]}).") from error


def _experiment(client: MlflowClient, name: str, root: Path, uri: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return found.experiment_id
    # A local store keeps its files beside it; a server decides for itself.
    location = (root.absolute() / ARTEFACTS).as_uri() if uri.startswith("sqlite:") else None
    return client.create_experiment(name, artifact_location=location)


def _bring_up_to_date(client: MlflowClient, experiment: str, root: Path, name: str) -> dict[str, int]:
    present = {run.data.tags[PATH_TAG]: run for run in _runs(client, experiment) if PATH_TAG in run.data.tags}
    count = {"added": 0, "replaced": 0, "unchanged": 0}
    parent = present.pop(".", None) or _create(client, experiment, name, {PATH_TAG: "."})
    records = [found for found in find_records(root) if found[0].relative_to(root).parts[0] != ARTEFACTS]
    progress = Progress("track", len(records), unit="runs")
    for done, (folder, record) in enumerate(records, 1):
        place, version = folder.relative_to(root).as_posix(), digest(record)
        old = present.pop(place, None)
        if old and old.info.status == "FINISHED" and old.data.tags.get(HASH_TAG) == version:
            count["unchanged"] += 1
        else:
            if old:
                client.delete_run(old.info.run_id)
            _export_run(client, experiment, parent.info.run_id, folder, record, {PATH_TAG: place, HASH_TAG: version})
            count["replaced" if old else "added"] += 1
        progress.update(done)
    for run in present.values():  # its record is gone
        client.delete_run(run.info.run_id)
    client.set_terminated(parent.info.run_id)
    return count


def _runs(client: MlflowClient, experiment: str) -> Iterator[Run]:
    token: str | None = None
    while True:
        page = client.search_runs([experiment], run_view_type=ViewType.ACTIVE_ONLY, max_results=1000, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _create(client: MlflowClient, experiment: str, name: str, tags: dict[str, str], started: int | None = None) -> Run:
    return client.create_run(experiment, start_time=started, tags={"mlflow.runName": name, **tags})


def _export_run(
    client: MlflowClient,
    experiment: str,
    parent: str,
    folder: Path,
    record: dict[str, Any],
    tags: dict[str, str],
) -> None:
    identity = {key: str(value) for key, value in record["identity"].items()}
    names = [identity[key] for key in ("policy", "method", "benchmark") if key in identity]
    title = " ".join([record["verb"], *names] + ([f"seed {identity['seed']}"] if "seed" in identity else []))
    commit = record["git"]["commit"] or "none"
    tags = {**tags, **identity, "verb": record["verb"], "commit": commit, "mlflow.parentRunId": parent}
    run = _create(client, experiment, title, tags)
    parameters = [Param(key, str(value)[:6000]) for key, value in flat(record["settings"]).items()]
    costs = {key: record[key] for key in ("wall_seconds", "cpu_seconds", "peak_memory_mb")}
    metrics = [_metric(key, value, 0) for key, value in {**record["metrics"], **costs}.items() if _finite(value)]
    # Curves keep their own names; the record's means over the last steps would draw over them.
    series = _series(folder / "metrics.jsonl")
    curves = {metric.key for metric in series}
    metrics = [m if m.key not in curves else _metric(f"final/{m.key}", m.value, 0) for m in metrics] + series
    client.log_batch(run.info.run_id, params=parameters[:100], tags=[RunTag("settings_hash", record["settings_hash"])])
    for start in range(0, len(metrics), BATCH):
        client.log_batch(run.info.run_id, metrics=metrics[start : start + BATCH])
    for path in sorted(folder.iterdir()):
        if path.name == RECORD or (path.is_file() and path.stat().st_size <= LARGEST and not path.name.startswith(".")):
            client.log_artifact(run.info.run_id, str(path))
    client.set_terminated(run.info.run_id)


def _series(path: Path) -> list[Metric]:
    if not path.is_file():
        return []
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [_metric(k, v, row["step"]) for row in rows for k, v in row.items() if k != "step" and _finite(v)]


def _metric(name: str, value: float, step: int) -> Metric:
    # MLflow allows no @ in names. Time stamps count steps, so that an export can be repeated.
    return Metric(name.replace("@", "_at_"), float(value), step, step)


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
