"""Real records of two seeds, and what a store holds of them."""

import json
from pathlib import Path

from mlflow.tracking import MlflowClient

from relax import config
from relax.records.record import Run
from relax.store.client import PATH_TAG, PIPELINE_TAG
from tests.store.store_fixture import demo_config

CONFIG = demo_config("t")


def record(folder: Path, verb: str = "train", settings: dict | None = None, **identity) -> dict:
    """A real record with real outputs."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "output.txt").write_text("whole")
    rows = [{"step": s, "reward": 0.1 * s, "probe/eigenvalues": 0.2, "seconds/step": 2.0} for s in range(3)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    run = Run(
        verb, {"name": "t", **identity}, settings or {"method": {"alpha": 0.1, "xi": None}},
        config_hash=config.digest(CONFIG), metrics={"reward": 0.5},
    )  # fmt: skip
    return run.finish(folder, [folder / "output.txt", folder / "metrics.jsonl"])


def seed(root: Path, number: int, **options) -> Path:
    folder = root / "train" / "tiny" / "relax" / f"seed-{number}"
    record(folder, policy="tiny", method="relax", seed=number, **options)
    return folder


def counts(**those: int) -> dict[str, int]:
    """What an export returns."""
    return {key: those.get(key, 0) for key in ("added", "replaced", "mended", "unchanged", "waiting")}


def uri_of(root: Path) -> str:
    return f"sqlite:///{root}/mlflow.db"


def runs_of(root: Path, name: str = "t") -> dict:
    """Job runs by folder, parents by pipeline."""
    client = MlflowClient(uri_of(root))
    found = client.search_runs([client.get_experiment_by_name(name).experiment_id], max_results=5000)
    return {run.data.tags.get(PATH_TAG) or run.data.tags[PIPELINE_TAG]: run for run in found}


def ids(root: Path) -> dict[str, str]:
    return {place: run.info.run_id for place, run in runs_of(root).items()}
