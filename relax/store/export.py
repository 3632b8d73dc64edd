"""Run records -> MLflow: an experiment per configuration name, a parent per pipeline run, a child per job.

Parallel jobs never write to a store: this is done from the records, at the end of a pipeline or at any other
time, as often as one likes. A record that is there already is left alone, one that was redone replaces its old
run, one whose export was cut off is exported again, one that changes meanwhile waits for the next export. A run
counts once it has ended (status FINISHED), which is the last thing written; files that the store has lost since, or
has otherwise, are put back.
"""

import contextlib
import logging
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from mlflow.entities import Experiment, Run
from mlflow.tracking import MlflowClient

from relax.config import digest
from relax.errors import DataError
from relax.files import lock
from relax.progress import Progress
from relax.records.record import ARTEFACTS, digest_path, pipeline_run, read_record, record_folders, shareable
from relax.store import jobs
from relax.store.artefacts import Artefacts
from relax.store.client import (
    BY_HAND,
    CONFIG_FILE,
    CONFIG_TAG,
    HASH_TAG,
    LIVE_TAG,
    PATH_TAG,
    PIPELINE_TAG,
    artefacts_beside,
    connect,
    faults,
    live_key,
    runs_of,
)
from relax.store.views import view_tags

logger = logging.getLogger("relax")

REPORT = "report.html"


def export(root: str | Path, config: Mapping[str, Any], uri: str) -> dict[str, int]:
    """Bring a store up to date with the records below a results folder.

    Args:
        root: results folder of the experiment.
        config: the resolved configuration; its ``name`` is the MLflow experiment's.
        uri: tracking URI, e.g. ``sqlite:///results/demo/mlflow.db``.

    Returns:
        How many runs were ``added``, ``replaced``, ``mended`` (their files, parents among them) and left
        ``unchanged``, and how many records are ``waiting`` for the next export because they changed during this one.

    Raises:
        DataError: there is no record; the store is left as it is.
        MachineError: the store cannot be reached, or the folder cannot be written.
    """
    root = Path(root)
    if not record_folders(root):
        raise DataError(f"{root}: no run records there, so nothing is exported and the store stays as it is.")
    with _alone(root), faults(uri):
        client = connect(uri)
        experiment = _experiment(client, config["name"], root, uri)
        return _Export(client, experiment, root, config, Artefacts(client, uri)).run()


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[None]:
    """One export per results folder; a second one waits. The kernel lets go of the lock when a process dies."""
    try:
        stream = lock(root / ".track.lock")
    except BlockingIOError:
        logger.info("track: another export of %s is at work; waiting for it", root)
        stream = lock(root / ".track.lock", wait=True)
    with stream:
        yield


def _experiment(client: MlflowClient, name: str, root: Path, uri: str) -> Experiment:
    """The experiment of that name, made where there is none. A local store keeps its files beside the results;
    a server decides for itself."""
    location = (root.absolute() / ARTEFACTS).as_uri() if uri.startswith("sqlite:") else None
    found = client.get_experiment_by_name(name)
    if found is None:
        return client.get_experiment(client.create_experiment(name, artifact_location=location))
    if found.lifecycle_stage != "active":  # someone deleted it in the interface
        client.restore_experiment(found.experiment_id)
    beside = artefacts_beside(uri)
    if location and found.artifact_location != location and beside and beside.absolute() == root.absolute() / ARTEFACTS:
        _follow_a_move(uri.removeprefix("sqlite:///"), found.artifact_location, location)
    return found


def _follow_a_move(database: str, old: str, new: str) -> None:
    """The results were moved or copied together with their store, in which MLflow keeps absolute addresses."""
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE experiments SET artifact_location = ? WHERE artifact_location = ?", (new, old))
        connection.execute(
            "UPDATE runs SET artifact_uri = ? || substr(artifact_uri, ?) WHERE substr(artifact_uri, 1, ?) = ?",
            (f"{new}/", len(old) + 2, len(old) + 1, f"{old}/"),
        )


class _Export:
    """One pass over the records.

    Args:
        client: of the store.
        experiment: its experiment.
        root: the results folder.
        config: the resolved configuration.
        artefacts: what the store has of files.
    """

    def __init__(
        self, client: MlflowClient, experiment: Experiment, root: Path, config: Mapping[str, Any], artefacts: Artefacts
    ) -> None:
        self.client, self.experiment, self.root, self.config = client, experiment, root, config
        self.artefacts = artefacts
        self.present: dict[str, list[Run]] = {}
        self.parents: dict[str, Run] = {}
        self.live: dict[str, list[Run]] = {}
        for run in runs_of(client, experiment):
            tags = run.data.tags
            if PATH_TAG in tags:
                self.present.setdefault(tags[PATH_TAG], []).append(run)
            elif PIPELINE_TAG in tags and tags[PIPELINE_TAG] not in self.parents:
                self.parents[tags[PIPELINE_TAG]] = run
            elif LIVE_TAG in tags:
                self.live.setdefault(tags[LIVE_TAG], []).append(run)
        self.children: dict[str, list[dict[str, Any]]] = {}
        self.kept: set[str] = set()
        self.mended: list[str] = []
        self.count = {"added": 0, "replaced": 0, "mended": 0, "unchanged": 0, "waiting": 0}

    def run(self) -> dict[str, int]:
        """Everything; the counts."""
        folders = record_folders(self.root)
        progress = Progress("track", len(folders), unit="runs")
        for done, folder in enumerate(folders, 1):
            try:
                self._job(folder, read_record(folder))
            except (jobs.Changed, DataError) as error:
                logger.info("track: %s is left for the next export (%s)", folder, error)
                self._keep(folder)
            progress.update(done)
        for runs in self.present.values():  # their records are gone
            self._delete(runs)
        self._finish_parents()
        if self.mended:
            n, first = len(self.mended), self.mended[0]
            logger.warning("track: the store lacked %d of its files, or had others (first: %s); put back", n, first)
        views = view_tags(self.config, self.experiment.creation_time or 0)
        for key, value in {**views, CONFIG_TAG: digest(self.config)}.items():
            if self.experiment.tags.get(key) != value:
                self.client.set_experiment_tag(self.experiment.experiment_id, key, value)
        return self.count

    def _job(self, folder: Path, record: dict[str, Any]) -> None:
        jobs.check_unchanged(folder, record)
        place, version = folder.relative_to(self.root).as_posix(), jobs.version(record)
        pipeline = (record.get("pipeline") or {"run": BY_HAND})["run"]
        parent = self._parent(pipeline, record).info.run_id
        old = self.present.get(place, [])
        whole = [r for r in old if r.info.status == "FINISHED" and r.data.tags.get(HASH_TAG) == version]
        if whole:
            # Colours follow the matrix, in which a method may have been added since.
            now = {"mlflow.parentRunId": parent, **jobs.identity_tags(record["verb"], record["identity"], self.config)}
            for key, value in now.items():
                if whole[0].data.tags.get(key) != value:
                    self.client.set_tag(whole[0].info.run_id, key, value)
            self._delete([run for run in old if run is not whole[0]])
            done = "mended" if self._mend(place, whole[0], folder, record) else "unchanged"
        else:
            done = "replaced" if old else "added"
            tags = {PATH_TAG: place, HASH_TAG: version, "mlflow.parentRunId": parent, "pipeline": pipeline}
            jobs.export_job(self.client, self.experiment, folder, record, tags, self.config)
            self._delete(old)
        self.count[done] += 1
        self.present.pop(place, None)
        if record["verb"] == "train":  # what a training told a server as it went is now told in full
            told = self.live.get(live_key(record["identity"]), [])
            self._delete([run for run in told if run.info.start_time < 1000 * jobs.ended(record)])
        self.children.setdefault(pipeline, []).append(record)

    def _mend(self, place: str, run: Run, folder: Path, record: Mapping[str, Any]) -> bool:
        """Put back the files that the store lacks or has otherwise; whether there were any."""
        try:
            files = jobs.files_of(folder, record["verb"])
            differing = self.artefacts.differing(run, files)
            jobs.log_files(self.client, run.info.run_id, {name: files[name] for name in differing})
        except FileNotFoundError as error:
            raise jobs.Changed("its files are being removed") from error
        jobs.check_unchanged(folder, record)
        self.mended += [f"{name} of {place}" for name in differing]
        return bool(differing)

    def _keep(self, folder: Path) -> None:
        """What the store has of a record that cannot be exported now stays."""
        self.count["waiting"] += 1
        for run in self.present.pop(folder.relative_to(self.root).as_posix(), []):
            self.kept.add(run.data.tags.get("mlflow.parentRunId", ""))

    def _delete(self, runs: list[Run]) -> None:
        for run in runs:
            self.client.delete_run(run.info.run_id)

    # Parents --------------------------------------------------------------------------------------

    def _parent(self, pipeline: str, record: Mapping[str, Any]) -> Run:
        if pipeline not in self.parents:
            start = jobs.started(record)
            with contextlib.suppress(ValueError):  # the pipeline's name begins with its own start
                start = datetime.strptime(pipeline[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
            named = f"pipeline {datetime.fromtimestamp(start, UTC):%Y-%m-%d %H:%M} UTC"
            title = BY_HAND if pipeline == BY_HAND else named
            tags = {"mlflow.runName": title, PIPELINE_TAG: pipeline, "verb": "pipeline", "name": self.config["name"]}
            self.parents[pipeline] = self.client.create_run(
                self.experiment.experiment_id, start_time=round(1000 * start), tags=tags
            )
        return self.parents[pipeline]

    def _finish_parents(self) -> None:
        home = self._home()
        for pipeline, run in self.parents.items():
            records = self.children.get(pipeline, [])
            if records or run is home:
                self._finish_parent(run, records, run is home)
            elif run.info.run_id not in self.kept:
                self._delete([run])

    def _home(self) -> Run:
        """The parent that gets the configuration and the report: the newest one with this configuration, else that
        of the pipeline this process belongs to."""
        asked = digest(self.config)

        def made_with_it(pipeline: str) -> bool:
            return any(record.get("config_hash") == asked for record in self.children.get(pipeline, []))

        for fits in (made_with_it, lambda pipeline: self.parents[pipeline].data.tags.get(CONFIG_TAG) == asked):
            fitting = [run for pipeline, run in self.parents.items() if fits(pipeline)]
            if fitting:
                return max(fitting, key=lambda run: run.info.start_time)
        now = {"started": datetime.now(UTC).isoformat()}
        return self._parent((pipeline_run() or {"run": BY_HAND})["run"], now)

    def _finish_parent(self, run: Run, records: list[dict[str, Any]], home: bool) -> None:
        """Tags, description, configuration and report; nothing where nothing changed."""
        tags = _parent_tags(records)
        if home:
            tags[CONFIG_TAG] = digest(self.config)
        report = self.root / REPORT
        shows = {"report": digest_path(report)} if home and report.is_file() else {}
        version = digest([jobs.FORMAT, tags, shows])
        whole = run.info.status == "FINISHED" and run.data.tags.get(HASH_TAG) == version
        number = run.info.run_id
        with tempfile.TemporaryDirectory() as folder:
            files = {REPORT: report} if shows else {}
            if home:
                files[CONFIG_FILE] = Path(folder) / CONFIG_FILE
                text = yaml.safe_dump(shareable(self.config), sort_keys=False, allow_unicode=True)
                files[CONFIG_FILE].write_text(text, encoding="utf-8")
            wanted = self.artefacts.differing(run, files) if whole else list(files)
            jobs.log_files(self.client, number, {name: files[name] for name in wanted})
        if whole:
            self.count["mended"] += bool(wanted)
            self.mended += [f"{name} of {run.info.run_name}" for name in wanted]
            return
        for key, value in {**tags, "mlflow.note.content": _description(tags, home), HASH_TAG: version}.items():
            self.client.set_tag(number, key, value)
        end = max((jobs.ended(record) for record in records), default=run.info.start_time / 1000)
        self.client.set_terminated(number, end_time=round(1000 * end))


def _parent_tags(records: list[dict[str, Any]]) -> dict[str, str]:
    """What the jobs of a pipeline run have in common, distinct values side by side."""
    git = [record["git"] for record in records]
    commits = sorted({state["commit"] or "none" for state in git})
    commands = {(record.get("pipeline") or {}).get("command", "") for record in records} - {""}
    tags = {
        "commit": ", ".join(commits),
        "dirty": str(any(state["dirty"] for state in git)).lower(),
        "config_hash": ", ".join(sorted({record.get("config_hash") or "none" for record in records})),
        "command": ", ".join(sorted(commands))[:5000],  # MLflow takes tags of 8000 characters
        "jobs": str(len(records)),
    }
    if len(commits) == 1:
        tags["mlflow.source.git.commit"] = commits[0]
    return {key: value for key, value in tags.items() if value}


def _description(tags: Mapping[str, str], home: bool) -> str:
    """What MLflow shows on a parent's page."""
    command = f"`{tags['command']}`" if "command" in tags else "verbs run by hand"
    text = f"{tags['jobs']} jobs of {command}. Each is a run below this one."
    if home:
        text += (
            f" Its configuration ({CONFIG_FILE}) and report ({REPORT}) are artifacts of this run; tables and figures "
            "are those of the runs *tables* and *figures*. Curves by method and seed: the menu *Views* above the list "
            "of runs."
        )
    return text
