"""A server is told of a training while it runs; the export replaces what it was told by the whole record."""

import logging
import os
import time
from collections.abc import Mapping
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from relax.records.record import masked, pipeline_run
from relax.store.client import BY_HAND, LIVE_TAG, connect, live_key, metric
from relax.store.jobs import finite, identity_tags

logger = logging.getLogger("relax")


class Live:
    """Takes the rows of ``metrics.jsonl`` as they come. One run per policy, method and seed, marked "(live)": a
    training that goes on from a checkpoint goes on in it, one that starts anew starts another. It stays open: only a
    record says that a training is done.

    A server that does not answer costs some seconds, once: then there is one line of warning, and no more is sent.

    Args:
        uri: tracking URI of a server.
        config: the resolved configuration.
        identity: name, policy, method and seed of the training.
    """

    def __init__(self, uri: str, config: Mapping[str, Any], identity: Mapping[str, Any]) -> None:
        self.uri, self.config, self.identity = uri, config, identity
        self.silent = False
        self._client: MlflowClient | None = None
        self._waiting: list[Mapping[str, float]] = []
        self._run, self._last = "", -1

    def __call__(self, row: Mapping[str, float]) -> None:
        """Send a row; steps that were sent before a kill are not sent again."""
        if self.silent:
            return
        try:
            self._take(row)
        except Exception as error:  # whatever a server or its network does must not stop a training
            self.silent = True
            reason = (masked(str(error)).strip().splitlines() or [type(error).__name__])[0][:200]
            logger.warning(
                "%s: not told of this training (%s); it goes on, `relax track` tells all of it at the end.",
                masked(self.uri),
                reason,
            )

    def _take(self, row: Mapping[str, float]) -> None:
        self._waiting.append(row)
        if row["step"] == 0:  # whether the training starts or goes on, the next row says
            return
        if self._client is None:
            # A training waits for its server: neither long nor often.
            os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
            os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
            self._client = connect(self.uri)
            self._begin(self._client, anew=row["step"] == 1)
        now = time.time()
        points = [
            metric(name, value, int(waiting["step"]), now)
            for waiting in self._waiting
            for name, value in waiting.items()
            if name != "step" and finite(value) and waiting["step"] > self._last
        ]
        self._client.log_batch(self._run, metrics=points)
        self._waiting.clear()
        self._last = max(self._last, int(row["step"]))

    def _begin(self, client: MlflowClient, anew: bool) -> None:
        """Find or make the run."""
        experiment, key = self._experiment(client), live_key(self.identity)
        found = client.search_runs([experiment], f"tags.`{LIVE_TAG}` = '{key}' and attributes.status = 'RUNNING'")
        for run in found[0 if anew else 1 :]:
            client.delete_run(run.info.run_id)
        if found and not anew:
            self._run = found[0].info.run_id
            self._last = max((point.step for point in client.get_metric_history(self._run, "loss")), default=-1)
            return
        tags = identity_tags("train", self.identity, self.config) | {LIVE_TAG: key}
        tags["mlflow.runName"] += " (live)"
        tags["pipeline"] = (pipeline_run() or {"run": BY_HAND})["run"]
        self._run = client.create_run(experiment, tags=tags).info.run_id

    def _experiment(self, client: MlflowClient) -> str:
        name = self.identity["name"]
        found = client.get_experiment_by_name(name)
        if found is None:
            try:
                return client.create_experiment(name)
            except MlflowException:  # another training was quicker
                found = client.get_experiment_by_name(name)
                if found is None:
                    raise
        return found.experiment_id
