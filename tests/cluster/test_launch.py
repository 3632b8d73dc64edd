"""A training in several processes: where they are, and the commands as accelerate and trl read them."""

import math
import os
import re
import shlex
from pathlib import Path

import pytest
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from trl import TrlParser
from trl.scripts.vllm_serve import ScriptArguments

from relax import config
from relax.cluster import launch
from relax.cluster.launch import Command, plan
from relax.cluster.preflight import preflight
from relax.cluster.resources import Placement, needs, placement
from relax.cluster.site import Site
from relax.errors import ConfigError, MachineError
from relax.results.collect import devices
from tests.cluster.launch_fixture import TWO, begin, train_words
from tests.cluster.test_cluster import HEALTHY
from tests.conftest import REPOSITORY
from tests.workflow.workflow_fixture import ENVIRONMENT, snakemake

DEMO = REPOSITORY / "config" / "config.yaml"
PAPER = REPOSITORY / "config" / "paper_text.yaml"
WORDS = ["train", "--policy", "tiny"]


def loaded(folder: Path, training: str, gpus: int) -> config.Experiment:
    (folder / "own.yaml").write_text(f"training: {{{training}}}\nresources: {{train: {{gpus: {gpus}}}}}\n")
    return config.load([DEMO, folder / "own.yaml"])


def accelerate_arguments(command: Command):
    """What accelerate itself understands of a command, after its own validation."""
    words = command.words[command.words.index("accelerate") + 2 :]
    return _validate_launch_command(launch_command_parser().parse_args(words))[0]


# Where processes are ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("training", "gpus", "node", "expected"),
    [
        ("parallel: none", 4, None, Placement(1, 0, 1, 4)),
        ("parallel: ddp", 0, None, Placement(1, 0, 1, 0)),
        ("parallel: ddp", 4, None, Placement(4, 0, 1, 4)),
        ("parallel: fsdp2", 16, None, Placement(16, 0, 1, 16)),
        ("parallel: fsdp2", 16, 8, Placement(16, 0, 2, 8)),
        ("parallel: zero3, rollouts: vllm-server, vllm_gpus: 2", 6, 8, Placement(6, 2, 1, 8)),
        ("parallel: zero3, rollouts: vllm-server, vllm_gpus: 8", 16, 8, Placement(16, 8, 3, 8)),
        ("rollouts: vllm-server, vllm_gpus: 1", 1, 4, Placement(1, 1, 1, 2)),
    ],
)
def test_processes_are_laid_out_over_nodes(tmp_path, training, gpus, node, expected) -> None:
    assert placement(loaded(tmp_path, training, gpus), "tiny", Site(gpus_per_node=node)) == expected


@pytest.mark.parametrize(
    ("training", "gpus", "words"),
    [
        ("parallel: none", 8, "8 GPUs are more than a node's 4 .RELAX_GPUS_PER_NODE., and training.parallel is none"),
        ("parallel: ddp", 6, "6 GPUs do not fill nodes of 4"),
        ("parallel: ddp, rollouts: vllm-server, vllm_gpus: 2", 4, "4 GPUs and 2 for vLLM do not fill nodes of 4"),
    ],
)
def test_gpus_that_do_not_fill_nodes_are_refused(tmp_path, training, gpus, words) -> None:
    with pytest.raises(ConfigError, match=words):
        placement(loaded(tmp_path, training, gpus), "tiny", Site(gpus_per_node=4))


@pytest.mark.parametrize("training", ["vllm_gpus: 1", "rollouts: vllm-server, vllm_gpus: 1, vllm_server: 'http://a:1'"])
def test_gpus_for_a_server_that_nobody_starts_are_refused(tmp_path, training) -> None:
    with pytest.raises(ConfigError, match="vllm_gpus wants rollouts: vllm-server, and no address in vllm_server"):
        loaded(tmp_path, training, 1)


def test_a_job_on_several_nodes_asks_for_each_what_a_job_on_one_does(tmp_path) -> None:
    paper = config.load([DEMO, PAPER])
    one = needs(paper, "train", "qwen2.5-7b", 1, Site("lab", "cpu", "gpu", gpu_type="h100"))
    two = needs(paper, "train", "qwen2.5-7b", 1, Site("lab", "cpu", "gpu", gpu_type="h100", gpus_per_node=4))
    assert [one[key] for key in ("nodes", "gpu", "gpu_model", "gres", "mpi")] == [1, 8, "h100", None, None]
    assert [two[key] for key in ("nodes", "tasks", "gpu", "gres", "mpi")] == [2, 2, None, "gpu:h100:4", "srun"]
    assert two["cpus_per_task"] == one["cpus_per_task"] / 2 == 32
    assert two["mem_mb"] == math.ceil(1000 * (32 + 6 * 7.62 * 4) + 500)
    assert (two["runtime"], two["slurm_extra"]) == (one["runtime"], one["slurm_extra"])


def test_gpu_hours_count_every_node_and_the_server() -> None:
    machine = {"accelerator": "8 x NVIDIA H100"}
    assert devices({"machine": machine}) == 8
    assert devices({"machine": machine, "processes": {"count": 16, "nodes": 2, "vllm_gpus": 8}}) == 24
    assert devices({"machine": {"accelerator": None}, "processes": {"count": 2, "nodes": 1, "vllm_gpus": 0}}) == 0


def test_how_a_training_is_shared_out_runs_nothing_again(tmp_path) -> None:
    ways = [loaded(tmp_path, way, 2) for way in ("parallel: none", "parallel: ddp")]
    first, second = (config.train_settings(way, "relax") for way in ways)
    assert config.digest(first) == config.digest(second)


def test_gpus_that_nothing_uses_are_pointed_out(tmp_path, commands) -> None:
    commands(**HEALTHY)
    line = "warning  train tiny: 2 GPUs, but one process; set training.parallel to ddp, fsdp2 or zero3"
    for way, expected in (("none", [line]), ("ddp", [])):
        found = preflight(loaded(tmp_path, f"parallel: {way}", 2), Site("lab", "cpu", "gpu", max_hours=48))
        assert [str(one) for one in found if "one process" in str(one)] == expected


# The commands -------------------------------------------------------------------------------------


@pytest.fixture
def _alone(monkeypatch) -> None:
    for name in ("SLURM_JOB_ID", "SLURMD_NODENAME", "CUDA_VISIBLE_DEVICES", "RELAX_GPUS_PER_NODE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("_alone")
def test_a_single_process_has_no_launcher(tmp_path) -> None:
    assert plan(loaded(tmp_path, "parallel: none", 4), "tiny", "base", WORDS) is None
    assert plan(loaded(tmp_path, "parallel: ddp", 0), "tiny", "base", WORDS) is None


@pytest.mark.usefixtures("_alone")
@pytest.mark.parametrize("way", ["ddp", "fsdp2", "zero3"])
def test_on_one_machine_accelerate_understands_the_command(tmp_path, way) -> None:
    made = plan(loaded(tmp_path, f"parallel: {way}", 2), "tiny", "base", WORDS)
    (command,) = made.trainers
    understood = accelerate_arguments(command)
    assert (understood.num_processes, understood.num_machines, understood.module) == (2, 1, True)
    assert (understood.multi_gpu, understood.use_fsdp, understood.use_deepspeed) == (
        way == "ddp",
        way == "fsdp2",
        way == "zero3",
    )
    assert [understood.training_script, *understood.training_script_args] == ["relax", *WORDS]
    assert made.server is None
    assert "CUDA_VISIBLE_DEVICES" not in command.environment


@pytest.mark.usefixtures("_alone")
def test_a_server_of_the_same_machine_has_the_last_gpus(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7")
    text = "parallel: ddp, rollouts: vllm-server, vllm_gpus: 2"
    made = plan(loaded(tmp_path, text, 2), "tiny", "a base", WORDS)
    (trainer,) = made.trainers
    assert trainer.environment["CUDA_VISIBLE_DEVICES"] == "4,5"
    assert made.server.environment["CUDA_VISIBLE_DEVICES"] == "6,7"
    assert trainer.environment[launch.ADDRESS] == made.address
    words = made.server.words[made.server.words.index("trl") + 2 :]
    (served,) = TrlParser(ScriptArguments).parse_args_and_config(list(words))
    assert (served.model, served.tensor_parallel_size) == ("a base", 2)
    assert made.address == f"http://127.0.0.1:{served.port}"
    with pytest.raises(MachineError, match="4 processes and 2 GPUs for vLLM want more GPUs than the 4 here"):
        plan(loaded(tmp_path, text, 4), "tiny", "base", WORDS)


@pytest.fixture
def _job(_alone, monkeypatch, commands) -> None:
    """A job on three nodes, as Snakemake's plugin leaves its environment, and what Slurm says of it."""
    commands(
        srun="true",
        squeue='case $* in *--jobs=7*) echo "n[1-3]";; *) exit 1;; esac',
        scontrol="""case "$*" in
  "show hostnames n[1-3]") printf 'n1\\nn2\\nn3\\n';;
  *) echo "NodeAddr=10.0.0.${4#n}";;
esac""",
    )
    for name, value in (("SLURM_JOB_ID", "7"), ("SLURMD_NODENAME", "n2"), ("RELAX_GPUS_PER_NODE", "8")):
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("_job")
def test_on_several_nodes_each_gets_its_rank_and_the_first_ones_address(tmp_path) -> None:
    made = plan(loaded(tmp_path, "parallel: fsdp2", 24), "tiny", "base", WORDS)
    assert [command.node for command in made.trainers] == ["n2", "n1", "n3"]  # the launcher's own first
    read = [accelerate_arguments(command) for command in made.trainers]
    assert [(a.machine_rank, a.num_machines, a.num_processes) for a in read] == [(0, 3, 24), (1, 3, 24), (2, 3, 24)]
    assert {(a.main_process_ip, a.main_process_port) for a in read} == {("10.0.0.2", read[0].main_process_port)}
    step = ["srun", "--jobid=7", "--nodelist=n1", "--nodes=1", "--ntasks=1", "--overlap"]
    assert list(made.trainers[1].words[:6]) == step


@pytest.mark.usefixtures("_job")
def test_a_server_on_a_node_of_its_own_has_the_last(tmp_path) -> None:
    text = "parallel: fsdp2, rollouts: vllm-server, vllm_gpus: 8"
    made = plan(loaded(tmp_path, text, 16), "tiny", "base", WORDS)
    assert ([command.node for command in made.trainers], made.server.node) == (["n2", "n1"], "n3")
    assert made.address.startswith("http://10.0.0.3:")
    assert {command.environment[launch.ADDRESS] for command in made.trainers} == {made.address}
    assert str(made).count("\n# ") == 2
    assert "srun --jobid=7 --nodelist=n3" in str(made)


@pytest.mark.usefixtures("_job")
def test_a_job_of_another_shape_is_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"job 7 has 3 nodes, the training takes 2; change resources\.train\.gpus or"):
        plan(loaded(tmp_path, "parallel: ddp", 16), "tiny", "base", WORDS)
    (Path(os.environ["PATH"]) / "srun").unlink()
    with pytest.raises(MachineError, match=r"srun not found: .* run without --sdm apptainer"):
        plan(loaded(tmp_path, "parallel: ddp", 24), "tiny", "base", WORDS)


@pytest.mark.usefixtures("_alone")
def test_a_dry_run_outside_of_a_job_names_nodes_that_are_still_to_come(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("RELAX_GPUS_PER_NODE", "8")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    made = plan(loaded(tmp_path, "parallel: fsdp2", 16), "tiny", "base", WORDS, dry=True)
    assert [(c.node, accelerate_arguments(c).main_process_ip) for c in made.trainers] == [
        ("NODE1", "NODE1"),
        ("NODE2", "NODE1"),
    ]
    assert "srun --jobid=JOB --nodelist=NODE2" in str(made)
    one = plan(loaded(tmp_path, "parallel: fsdp2", 8), "tiny", "base", WORDS, dry=True)
    assert accelerate_arguments(one.trainers[0]).num_processes == 8


# As a user sees it --------------------------------------------------------------------------------


def test_the_rule_is_the_same_command_however_many_processes(clone) -> None:
    (clone / "two.yaml").write_text(TWO)
    plain, two = (
        snakemake(clone, "-n", "-p", "--configfile", "config/smoke.yaml", *more, "--until", "train").stdout
        for more in ((), ("two.yaml",))
    )
    assert plain.count("relax train ") == 2
    found = [re.findall(r"relax train .*", text) for text in (plain, two)]
    assert [line.replace(" two.yaml", "") for line in found[1]] == found[0]


def test_gpus_that_do_not_fill_nodes_are_one_sentence_before_anything_is_planned(clone) -> None:
    (clone / "three.yaml").write_text(TWO.replace("gpus: 2", "gpus: 3"))
    refused = snakemake(
        clone, "-n", "--configfile", "config/smoke.yaml", "three.yaml", env={**ENVIRONMENT, "RELAX_GPUS_PER_NODE": "2"}
    )
    assert refused.returncode == 2
    assert "train tiny: 3 GPUs do not fill nodes of 2 (RELAX_GPUS_PER_NODE); change" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_dry_run_shows_the_commands_and_starts_nothing(clone, tmp_path) -> None:
    words = [*train_words(clone, tmp_path, TWO), "--dry-run"]
    shown = begin(clone, words)
    printed, said = shown.communicate(timeout=120)
    assert shown.returncode == 0, said
    head, line = printed.splitlines()
    assert head == "# this machine"
    typed = shlex.split(line)
    assert typed[typed.index("accelerate") : typed.index("--config_file")] == ["accelerate", "launch"]
    assert typed[typed.index("-m") + 1 :] == ["relax", *words[:-1]]
    assert not (tmp_path / "log").exists()
    assert os.listdir(tmp_path) == ["own.yaml"]
