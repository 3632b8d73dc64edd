"""The pipeline at its smallest on a real Slurm of the test's own: `snakemake --profile slurm`."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.slurm_fixture import Cluster, Experiment, missing
from tests.workflow.workflow_fixture import copy_repository, run

pytestmark = pytest.mark.slow
#: A policy from scratch needs no GPU; here its training is sent to one, and memory is what the machine has.
OVERLAY = """
matrix: {methods: [relax-sv]}
resources:
  base: {memory_gb: 1.5}
  dictionary: {memory_gb: 1.5}
  train: {gpus: 1, memory_gb: 1.5}
  extract: {memory_gb: 1.5}
  koopman: {memory_gb: 1.5}
  generate: {memory_gb: 1.5, minutes: 20}
  grade: {memory_gb: 1.5}
  evaluate: {memory_gb: 1.5}
"""
SITE = {
    "RELAX_SLURM_ACCOUNT": "none",
    "RELAX_CPU_PARTITION": "cpu",
    "RELAX_GPU_PARTITION": "gpu",
    "RELAX_GPU_TYPE": "h200",
    "RELAX_MAX_HOURS": "1",
    "RELAX_SCRATCH": "none",
}
LOCAL = ("data", "overlap", "tables", "figures", "report", "track")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    reason = missing(accounting=False)
    if reason:
        pytest.skip(reason)
    cluster = Cluster()
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def experiment(cluster, tmp_path_factory) -> Experiment:
    """The smoke run on the cluster, to its end; the first responses of the initial policy fail once."""
    clone = copy_repository(tmp_path_factory.mktemp("a path with spaces") / "relax")
    (clone / "lane.yaml").write_text(OVERLAY)
    experiment = Experiment(cluster, clone, ("config/smoke.yaml", "lane.yaml"), SITE)
    experiment.finish(experiment.snakemake(fail="generate *--method initial*"))
    return experiment


def test_every_job_runs_once_and_the_one_that_failed_twice(experiment) -> None:
    policies = ("initial 0", "relax-sv 1")
    once = Counter([*LOCAL, "base", "dictionary", "train relax-sv 1"])
    once += Counter(
        f"{verb} {who}" for verb in ("extract", "koopman", "generate", "grade", "evaluate") for who in policies
    )
    assert experiment.counts() == once + Counter(["generate initial 0"])
    assert len({job for _, job in experiment.of("generate")}) == 3  # the retry is a Slurm job of its own


def test_training_has_the_gpu_and_nothing_else_does(experiment) -> None:
    ((node, job),) = experiment.of("train")
    assert node == "g1"
    shown = experiment.cluster.show(job)
    assert (shown["JobState"], shown["Partition"], shown["NumTasks"]) == ("COMPLETED", "gpu", "1")
    assert shown["TresPerJob"] == "gres:gpu:h200:1"
    on_nodes = {node for node, _, words in experiment.executions() if words.split()[0] not in (*LOCAL, "train")}
    assert on_nodes <= {"c1", "c2"}
    assert all(node == "-" for verb in LOCAL for node, _ in experiment.of(verb))


def test_a_retry_asks_for_more(experiment) -> None:
    jobs = [experiment.cluster.show(job) for _, job in experiment.of("generate")]
    first, second = (shown for shown in jobs if "initial" in shown["Comment"])
    assert (first["JobState"], second["JobState"]) == ("FAILED", "COMPLETED")
    assert (first["MinMemoryNode"], second["MinMemoryNode"]) == ("2000M", "4000M")
    assert (first["TimeLimit"], second["TimeLimit"]) == ("00:20:00", "00:40:00")


def test_grades_and_scores_of_a_policy_share_a_job(experiment) -> None:
    assert sorted(experiment.of("grade")) == sorted(experiment.of("evaluate"))


def test_the_outputs_are_those_of_a_local_run_byte_for_byte(experiment, smoke, tmp_path) -> None:
    there, here = experiment.clone / "results/smoke", smoke / "results/smoke"
    place = "tiny/relax-sv/seed-1"
    same = [
        "base/tiny/model/model.safetensors",
        "dictionary/tiny/dictionary.safetensors",
        f"train/{place}/model/model.safetensors",
        f"koopman/{place}/trajectories.parquet",
        f"evaluate/{place}/noisy-sum/scores.json",
    ]
    for path in same:
        assert (there / path).read_bytes() == (here / path).read_bytes(), path
    assert metrics(there / "train" / place) == metrics(here / "train" / place)
    # The local run has another method more: its tables again, for the methods that ran on the cluster.
    (smoke / "lane.yaml").write_text(OVERLAY)
    files = ["config/config.yaml", "config/smoke.yaml", "lane.yaml"]
    made = run(smoke, "relax", "tables", "--configfile", *files, "--root", "results/smoke", "--out", str(tmp_path))
    assert made.returncode == 0, made.stderr
    tables = {path.name for path in (there / "tables").glob("*.*")} - {"run.json"}
    timed = {name for name in tables if name.split(".")[0] in ("claims", "cost", "runs", "stages")}
    assert {"final.csv", "final.md", "differences.csv", "benchmarks.csv", "findings.md"} <= tables - timed
    for name in tables - timed:
        assert (there / "tables" / name).read_bytes() == (tmp_path / name).read_bytes(), name


def metrics(folder: Path) -> list[dict]:
    """Every logged number but what a clock measured."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if not name.startswith("seconds/")} for row in rows]


def test_nothing_is_left_behind(experiment) -> None:
    assert experiment.cluster.run("squeue", "-h") == ""
    assert not (experiment.clone / "results/smoke/.slurm").exists()
    assert not list((experiment.clone / ".snakemake").glob("stopped-*"))


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        (
            {"RELAX_GPU_PARTITION": ""},
            2,
            "not set for this cluster: gpu_partition; copy profiles/slurm/site.example.yaml",
        ),
        (
            {"RELAX_MAX_HOURS": "none"},
            4,
            "partition cpu: 01:00:00 at most, base tiny, attempt 3 asks for 1.5 h; set max_",
        ),
    ],
)
def test_what_the_cluster_would_not_run_is_refused_before_anything_is_submitted(
    experiment, changed, code, words
) -> None:
    everything = ("squeue", "-h", "--states=all", "-o", "%i")
    before = experiment.cluster.run(*everything)
    (experiment.clone / "fresh.yaml").write_text("name: fresh\n")
    files = ("config/smoke.yaml", "lane.yaml", "fresh.yaml")
    process = Experiment(experiment.cluster, experiment.clone, files, SITE | changed).snakemake()
    text, _ = process.communicate(timeout=600)
    assert process.returncode == code, text
    assert words in text
    assert "Traceback" not in text
    assert experiment.cluster.run(*everything) == before
