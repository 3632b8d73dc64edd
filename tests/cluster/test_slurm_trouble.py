"""What goes wrong on a cluster, on a real Slurm with accounting: `make test-slurm`.

Every scenario is a clone of its own; all run side by side on one cluster. Assertions are on files, on counts of
executions and on weights, which must be those of a run that nobody disturbed.
"""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.slurm_fixture import PATIENCE, TARGET, Cluster, Experiment, Scenarios, missing, trainings, wait_until
from tests.cluster.test_slurm import metrics
from tests.workflow.workflow_fixture import planned, run

pytestmark = pytest.mark.slurm_trouble

#: Long enough to be hit in the middle.
STEPS = 240
SITE = {
    "RELAX_SLURM_ACCOUNT": "lab",
    "RELAX_CPU_PARTITION": "cpu",
    "RELAX_GPU_PARTITION": "gpu",
    "RELAX_SCRATCH": "none",
    "RELAX_MAX_HOURS": "1",
    "RELAX_MAX_MEMORY_GB": "6",
}


def overlay(steps: int = STEPS, **train: float) -> str:
    row = ", ".join(f"{key}: {value}" for key, value in {"memory_gb": 1.5, **train}.items())
    return (
        f"matrix: {{methods: [relax-sv]}}\ntraining: {{steps: {steps}, checkpoint_every: 8}}\n"
        f"resources: {{train: {{{row}}}}}\n"
    )


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    reason = missing(accounting=True)
    if reason:
        pytest.skip(reason)
    cluster = Cluster(accounting=True)
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def scenarios(cluster, smoke, tmp_path_factory) -> Scenarios:
    """All of them, begun at once."""
    made = Scenarios(cluster, smoke, tmp_path_factory.mktemp("trouble"), SITE)
    made.begin(requeued, node_killed, warned, preempted, out_of_memory, main_killed, cancelled)
    return made


@pytest.fixture(scope="module")
def undisturbed(smoke, tmp_path_factory) -> dict[int, tuple[bytes, list[dict]]]:
    """Weights and metrics of the same training on this machine alone, by its number of steps."""
    made = {}
    for steps in (STEPS, 4):
        folder = tmp_path_factory.mktemp("undisturbed")
        (smoke / "scenario.yaml").write_text(overlay(steps))
        root = smoke / "results/smoke"
        ended = run(
            smoke, "relax", "train", "--configfile", "config/config.yaml", "config/smoke.yaml", "scenario.yaml",
            "--policy", "tiny", "--method", "relax-sv", "--seed", "1", "--data", f"{root}/data/train.jsonl",
            "--base", f"{root}/base/tiny/model", "--dictionary", f"{root}/dictionary/tiny",
            "--checkpoints", f"{folder}/checkpoints", "--out", f"{folder}/out", timeout=PATIENCE,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        made[steps] = outcome(folder / "out")
    return made


def outcome(folder: Path) -> tuple[bytes, list[dict]]:
    return (folder / "model/model.safetensors").read_bytes(), metrics(folder)


def training(experiment: Experiment) -> tuple:
    """Snakemake started, its training in the middle: (process, node, Slurm job)."""
    process = experiment.training()
    return process, *experiment.of("train")[-1]


# Scenarios --------------------------------------------------------------------------------------


def requeued(s: Scenarios) -> Experiment:
    experiment = s.experiment("requeued", overlay())
    process, _, job = training(experiment)
    s.cluster.run("scontrol", "requeue", job)
    experiment.finish(process)
    return experiment


def node_killed(s: Scenarios) -> Experiment:
    experiment = s.experiment("node", overlay(), RELAX_CPU_PARTITION="spare")
    process, node, _ = training(experiment)
    s.cluster.kill_node(node)
    experiment.finish(process)
    return experiment


def warned(s: Scenarios) -> Experiment:
    """Slurm's warning before the time limit, in the middle of the training."""
    experiment = s.experiment("warned", overlay())
    process, _, _ = training(experiment)
    experiment.warn(trainings(experiment.clone))
    experiment.finish(process)
    return experiment


def preempted(s: Scenarios) -> Experiment:
    experiment = s.experiment("preempted", overlay(gpus=2, cpus_per_gpu=1))
    process, _, _ = training(experiment)
    s.cluster.run("sbatch", "-A", "lab", "-p", "urgent", "--gpus=2", "-t", "5", "-o", "/dev/null", "--wrap", "sleep 5")
    experiment.finish(process)
    return experiment


def out_of_memory(s: Scenarios) -> Experiment:
    """0.2 GB and Snakemake's own are too little; twice as much is enough."""
    experiment = s.experiment("memory", overlay(4, memory_gb=0.2))
    experiment.finish(experiment.snakemake(f"{TARGET}/run.json"))
    return experiment


def main_killed(s: Scenarios) -> Experiment:
    experiment = s.experiment("main", overlay())
    process, _, job = training(experiment)
    os.kill(experiment.main_process(process), signal.SIGKILL)
    process.wait(60)
    second = experiment.snakemake(f"{TARGET}/run.json")
    refusal, _ = second.communicate(timeout=PATIENCE)
    (experiment.clone / "refusal").write_text(f"{second.returncode}\n{refusal}")
    wait_until(lambda: s.cluster.show(job)["JobState"] == "COMPLETED", f"the end of job {job}")
    experiment.finish(experiment.snakemake("results/smoke/koopman/tiny/relax-sv/seed-1/run.json"))
    return experiment


def cancelled(s: Scenarios) -> Experiment:
    experiment = s.experiment("cancelled", overlay())
    process, _, job = training(experiment)
    os.kill(experiment.main_process(process), signal.SIGINT)
    process.communicate(timeout=PATIENCE)
    wait_until(lambda: s.cluster.show(job)["JobState"] == "CANCELLED", f"the end of job {job}")
    time.sleep(15)  # longer than Slurm takes to start a requeued job
    (experiment.clone / "state").write_text(s.cluster.show(job)["JobState"])
    experiment.finish(experiment.snakemake(f"{TARGET}/run.json"))
    return experiment


# What each must have left -----------------------------------------------------------------------


def test_a_requeued_training_goes_on_and_ends_with_the_same_weights(scenarios, undisturbed) -> None:
    experiment = scenarios.end("requeued")
    assert outcome(experiment.clone / TARGET) == undisturbed[STEPS]
    assert len(experiment.of("train")) == 2
    (job,) = {job for _, job in experiment.of("train")}
    assert scenarios.cluster.show(job)["Restarts"] == "1"


def test_a_job_whose_node_dies_goes_on_elsewhere(scenarios, undisturbed) -> None:
    experiment = scenarios.end("node_killed")
    assert outcome(experiment.clone / TARGET) == undisturbed[STEPS]
    (first, job), (second, again) = experiment.of("train")
    assert {first, second} == {"s1", "s2"}
    assert job == again


def test_before_its_time_limit_a_training_saves_and_goes_on_in_the_next_job(scenarios, undisturbed) -> None:
    experiment = scenarios.end("warned")
    assert outcome(experiment.clone / TARGET) == undisturbed[STEPS]
    jobs = [job for _, job in experiment.of("train")]
    assert len(jobs) > 1
    shown = scenarios.cluster.show(jobs[0])
    assert int(shown["Restarts"]) == len(jobs) - 1, "an attempt was used up"
    assert set(jobs) == {jobs[0]}


def test_a_preempted_training_makes_room_and_goes_on(scenarios, undisturbed) -> None:
    experiment = scenarios.end("preempted")
    assert outcome(experiment.clone / TARGET) == undisturbed[STEPS]
    (first, second) = experiment.of("train")
    assert first == second == ("g1", first[1])


def test_too_little_memory_is_followed_by_more(scenarios, undisturbed) -> None:
    experiment = scenarios.end("out_of_memory")
    assert outcome(experiment.clone / TARGET) == undisturbed[4]
    jobs = [scenarios.cluster.show(job) for _, job in experiment.of("train")]
    assert [shown["JobState"] for shown in jobs[:-1]] == ["FAILED"] * (len(jobs) - 1)  # OUT_OF_MEMORY with cgroups
    assert [shown["MinMemoryNode"] for shown in jobs[:2]] == ["700M", "1400M"]
    assert jobs[-1]["JobState"] == "COMPLETED"


def test_a_second_start_after_the_main_process_died_runs_nothing_twice(scenarios, undisturbed) -> None:
    experiment = scenarios.end("main_killed")
    code, refusal = (experiment.clone / "refusal").read_text().split("\n", 1)
    ((_, job),) = experiment.of("train")  # once, although two were started
    assert code == "4"
    assert "1 jobs of an earlier run are still in Slurm: train_wildcards_tiny_relax-sv_1 (running); wait" in refusal
    assert f"scancel {job}" in refusal
    assert outcome(experiment.clone / TARGET) == undisturbed[STEPS]
    assert len(experiment.of("koopman")) == 1


def test_what_ended_after_the_main_process_died_is_made_again_when_a_setting_changes(scenarios) -> None:
    experiment = scenarios.end("main_killed")
    (experiment.clone / "alpha.yaml").write_text("methods: {relax-sv: {alpha: 0.02}}\n")
    for more, plan in (((), {}), (("alpha.yaml",), {"train": 1})):
        files = ("--configfile", *experiment.configfiles, *more)
        assert planned(experiment.clone, *files, "--", f"{TARGET}/run.json") == plan


def test_a_cancelled_training_stays_cancelled_and_loses_nothing(scenarios, undisturbed) -> None:
    experiment = scenarios.end("cancelled")
    assert (experiment.clone / "state").read_text() == "CANCELLED"
    assert outcome(experiment.clone / TARGET) == undisturbed[STEPS]
    first, second = experiment.of("train")
    assert first[1] != second[1]


@pytest.mark.parametrize(
    ("site", "text", "finding"),
    [
        ({}, overlay(), None),
        (
            {"RELAX_SLURM_ACCOUNT": "nobody"},
            overlay(),
            "account nobody: not one of root's (lab, root); set slurm_account",
        ),
        ({"RELAX_CPU_PARTITION": "none-such"}, overlay(), "partition none-such: there is none (closed, cpu, gpu"),
        ({"RELAX_CPU_PARTITION": "closed"}, overlay(), "partition closed: is DOWN; wait, or set cpu_partition"),
        ({"RELAX_GPU_TYPE": "a100"}, overlay(gpus=1), "GPUs: no a100 (h200); set gpu_type to one of them"),
        (
            {},
            overlay(gpus=3),
            "jobs train tiny, attempt 1 and 1 more: allocation failure: Requested node configuration",
        ),
        (
            {"RELAX_MAX_HOURS": "24"},
            overlay(minutes=100),
            "partition cpu: 01:00:00 at most, train tiny, attempt 3 asks for 5.0 h; set max_hours: 1",
        ),
    ],
)
def test_the_preflight_finds_it_in_seconds(scenarios, tmp_path, site, text, finding) -> None:
    clone = scenarios.smoke
    (clone / "doctor.yaml").write_text(text)
    environment = {**SITE, "PYTHONPATH": str(clone), **site}
    begin = time.monotonic()
    process = scenarios.cluster.start(
        clone, "relax", "doctor", "--slurm", "--configfile", "config/smoke.yaml", "doctor.yaml", **environment
    )
    said, _ = process.communicate(timeout=600)
    faults = [line for line in said.splitlines() if line.startswith("fault")]
    assert process.returncode == (4 if finding else 0), said
    assert "Slurm 22." in said
    if finding is None:
        assert faults == []
        assert "account lab" in said
        assert "kinds would be accepted" in said
    else:
        assert any(finding in line for line in faults), said
    assert time.monotonic() - begin < 120  # seconds on a machine with nothing else to do
