"""Every method of the configuration really trains, through the command line, on one process and on two."""

import json
import subprocess
from pathlib import Path

import pytest

from relax import config
from tests.training.test_ranks import free_port
from tests.training.test_resume import in_this_process, outcome, train_command, wait_for_checkpoint
from tests.workflow.workflow_fixture import ENVIRONMENT, run

pytestmark = pytest.mark.slow
EXTRA = "training: {steps: 3, updates_per_generation: 2, checkpoint_every: 1}\n"


def command(smoke: Path, out: Path, method: str, extra: str = EXTRA) -> list[str]:
    made = train_command(smoke, out)
    (smoke / "extra.yaml").write_text(extra)
    made[made.index("longer.yaml")] = "extra.yaml"
    made[made.index("--method") + 1] = method
    return made


@pytest.mark.parametrize(
    ("method", "columns"),
    [
        ("dapo", {"sampling/rounds", "sampling/filled"}),
        ("clip-cov", {"token_method/tokens"}),
        ("kl-cov", {"token_method/tokens", "token_method/kl"}),
        ("relax-no-shaping", {"relax/term", "kl", "share_above_xi"}),
        ("relax-uniform-kl", {"relax/term", "kl"}),
        ("authors", {"relax/term", "relax/kl", "share_above_xi"}),
        ("elliptical", {"relax/bonus"}),
    ],
)
def test_a_method_trains_by_its_name(smoke, tmp_path, method: str, columns: set[str]) -> None:
    in_this_process(smoke, command(smoke, tmp_path, method))
    rows = [json.loads(line) for line in (tmp_path / "result" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [0, 1, 2, 3]
    assert columns <= set().union(*rows)
    for row in rows[1:]:
        assert "entropy" in row
        assert ("reward" in row) == (row["step"] != 2)  # of steps that generate
    record = json.loads((tmp_path / "result" / "run.json").read_text())
    assert record["settings"]["method"] == config.load([smoke / "config" / "config.yaml"]).methods[method].recorded()
    assert ("refitted_hash" in record) == (method == "authors")


def test_kl_cov_with_one_update_per_generation_is_a_fault_of_the_configuration(smoke, tmp_path) -> None:
    ended = run(smoke, *command(smoke, tmp_path, "kl-cov", "matrix: {methods: [grpo, kl-cov]}\n"))
    assert ended.returncode == 2
    assert "kl_cov has no gradient at one update per generation" in ended.stderr


@pytest.mark.long
@pytest.mark.parametrize("method", ["dapo", "kl-cov", "authors"])
def test_killed_in_the_middle_of_its_rollouts_it_ends_the_same(smoke, tmp_path, method: str) -> None:
    extra = "training: {steps: 14, updates_per_generation: 2, checkpoint_every: 1}\n"
    straight = run(smoke, *command(smoke, tmp_path / "straight", method, extra))
    assert straight.returncode == 0, straight.stderr
    killed = command(smoke, tmp_path / "killed", method, extra)
    process = subprocess.Popen(killed, cwd=smoke, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    wait_for_checkpoint(tmp_path / "killed", 3, process)
    process.kill()
    process.wait()
    again = run(smoke, *killed)
    assert again.returncode == 0, again.stderr
    assert "going on from checkpoint-" in again.stderr
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "straight")


def two(smoke: Path, out: Path) -> list[subprocess.Popen]:
    """``relax train`` in two processes, with the environment that accelerate and torchrun give."""
    port, started = free_port(), []
    for rank in range(2):
        environment = ENVIRONMENT | {
            "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
        }  # fmt: skip
        whole = command(smoke, out, "dapo", "training: {steps: 12, checkpoint_every: 2}\n")
        started.append(subprocess.Popen(whole, cwd=smoke, env=environment, stderr=subprocess.PIPE, text=True))
    return started


@pytest.mark.long
def test_two_processes_train_one_policy_and_stop_and_go_on_together(smoke, tmp_path) -> None:
    for process in two(smoke, tmp_path / "straight"):
        _, text = process.communicate(timeout=300)
        assert process.returncode == 0, text
    written = {p.name for p in (tmp_path / "straight" / "result").iterdir()}
    assert written == {"model", "metrics.jsonl", "rollouts.jsonl", "run.json"}

    halted = two(smoke, tmp_path / "halted")
    wait_for_checkpoint(tmp_path / "halted", 2, halted[0])
    halted[1].terminate()  # one of them alone
    texts = [process.communicate(timeout=120)[1] for process in halted]
    assert [process.returncode for process in halted] == [75, 75], texts
    for process in two(smoke, tmp_path / "halted"):
        _, text = process.communicate(timeout=300)
        assert process.returncode == 0, text
    assert outcome(tmp_path / "halted") == outcome(tmp_path / "straight")
