"""A training in two processes on a real Slurm, one on each of two nodes or both on one: `make test-slurm`.

The scenarios run side by side, each in a clone of its own. The weights must be those of the same two processes
started by plain `accelerate launch` on this machine.
"""

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from tests.cluster.launch_fixture import accelerated, outcome
from tests.cluster.slurm_fixture import TARGET, Cluster, Experiment, Scenarios, missing, trainings

pytestmark = pytest.mark.slurm_trouble

STEPS = 80
SITE = {
    "RELAX_SLURM_ACCOUNT": "none",
    "RELAX_CPU_PARTITION": "cpu",
    "RELAX_GPU_PARTITION": "cpu",
    "RELAX_GPU_TYPE": "toy",
    "RELAX_GPUS_PER_NODE": "1",
    "RELAX_SCRATCH": "none",
    "RELAX_MAX_HOURS": "1",
    "RELAX_MAX_MEMORY_GB": "6",
}
#: Both processes on g1, which has two GPUs.
ONE_NODE = {"RELAX_GPU_PARTITION": "gpu", "RELAX_GPU_TYPE": "h200", "RELAX_GPUS_PER_NODE": "2"}


def overlay(steps: int = STEPS) -> str:
    return (
        f"matrix: {{methods: [relax-sv]}}\n"
        f"training: {{steps: {steps}, checkpoint_every: 8, parallel: ddp}}\n"
        f"resources: {{train: {{gpus: 2, cpus_per_gpu: 1, memory_gb: 2, minutes: 20}}}}\n"
    )


def undisturbed(s: Scenarios) -> Experiment:
    experiment = s.experiment("undisturbed", overlay())
    experiment.finish(experiment.snakemake(f"{TARGET}/run.json"))
    return experiment


def warned(s: Scenarios) -> Experiment:
    """Slurm's warning before the time limit, while both processes are in the middle of their work."""
    experiment = s.experiment("warned", overlay())
    process = experiment.training()
    experiment.warn([*trainings(experiment.clone, "RANK=0"), *trainings(experiment.clone, "RANK=1")])
    experiment.finish(process)
    return experiment


def process_killed(s: Scenarios) -> Experiment:
    """The process on the second node, as when its memory runs out."""
    experiment = s.experiment("killed", overlay())
    process = experiment.training()
    (pid,) = trainings(experiment.clone, "RANK=1")
    os.kill(pid, signal.SIGKILL)
    experiment.finish(process)
    return experiment


def preempted(s: Scenarios) -> Experiment:
    """Both processes on one node, which a job of more urgency takes away."""
    experiment = s.experiment("preempted", overlay(), **ONE_NODE)
    process = experiment.training()
    s.cluster.run("sbatch", "-p", "urgent", "--gpus=2", "-t", "5", "-o", "/dev/null", "--wrap", "sleep 5")
    experiment.finish(process)
    return experiment


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    reason = missing(accounting=False)
    if reason:
        pytest.skip(reason)
    cluster = Cluster()
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def scenarios(cluster, smoke, tmp_path_factory) -> Scenarios:
    """All of them, begun at once."""
    made = Scenarios(cluster, smoke, tmp_path_factory.mktemp("nodes"), SITE)
    made.begin(undisturbed, warned, process_killed, preempted)
    return made


@pytest.fixture(scope="module")
def expected(smoke, tmp_path_factory) -> Callable[[int], tuple[bytes, list[dict]]]:
    """Weights and metrics of two processes on this machine, by the number of steps."""
    made: dict[int, tuple[bytes, list[dict]]] = {}

    def outcome_of(steps: int) -> tuple[bytes, list[dict]]:
        if steps not in made:
            made[steps] = outcome(accelerated(smoke, tmp_path_factory.mktemp("one"), overlay(steps)))
        return made[steps]

    return outcome_of


def test_two_nodes_train_what_two_processes_of_one_do(scenarios, expected) -> None:
    experiment = scenarios.end("undisturbed")
    assert outcome(experiment.clone / TARGET) == expected(STEPS)
    ((node, job),) = experiment.of("train")  # one Snakemake, on the first node
    assert node == "c1"
    shown = scenarios.cluster.show(job)
    assert (shown["NodeList"], shown["NumNodes"], shown["NumTasks"]) == ("c[1-2]", "2", "2")
    assert shown["TresPerNode"] == "gres:gpu:toy:1"
    log = (experiment.clone / "results/smoke/logs/train/tiny/relax-sv/seed-1.log").read_text()
    assert f"{STEPS} of {STEPS} steps" in log
    assert not list((experiment.clone / "results/smoke/checkpoints").rglob("launch-*"))


def test_before_the_time_limit_both_nodes_save_and_go_on_in_the_next_job(scenarios, expected) -> None:
    experiment = scenarios.end("warned")
    assert outcome(experiment.clone / TARGET) == expected(STEPS)
    jobs = [job for _, job in experiment.of("train")]
    assert len(jobs) > 1
    assert set(jobs) == {jobs[0]}, "an attempt was used up"
    assert int(scenarios.cluster.show(jobs[0])["Restarts"]) == len(jobs) - 1


def test_a_process_that_dies_ends_the_job_and_the_next_attempt_goes_on(scenarios, expected) -> None:
    experiment = scenarios.end("process_killed")
    assert outcome(experiment.clone / TARGET) == expected(STEPS)
    (_, first), (_, second) = experiment.of("train")
    states = [scenarios.cluster.show(job)["JobState"] for job in (first, second)]
    assert states == ["FAILED", "COMPLETED"]
    assert scenarios.cluster.show(first)["NumNodes"] == "2"


def test_two_processes_of_one_node_make_room_and_go_on(scenarios, expected) -> None:
    experiment = scenarios.end("preempted")
    assert outcome(experiment.clone / TARGET) == expected(STEPS)
    (first, second) = experiment.of("train")
    assert first == second == ("g1", first[1])
    shown = scenarios.cluster.show(first[1])
    assert (shown["NumNodes"], shown["TresPerJob"]) == ("1", "gres:gpu:h200:2")
