"""The shipped configurations of accelerate, through accelerate's own reading; sharded states on two processes."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from accelerate.utils.launch import prepare_multi_gpu_env

from tests.conftest import REPOSITORY
from tests.training.test_ranks import free_port, ranks_environment

CONFIGURATIONS = REPOSITORY / "relax" / "cluster" / "accelerate"


def launched(name: str):
    """The arguments of ``accelerate launch`` with a shipped configuration, after its own validation."""
    command = ["--config_file", str(CONFIGURATIONS / f"{name}.yaml"), "-m", "relax", "train"]
    return _validate_launch_command(launch_command_parser().parse_args(command))[0]


@pytest.mark.parametrize(("name", "kind"), [("ddp", "MULTI_GPU"), ("fsdp2", "FSDP"), ("zero3", "DEEPSPEED")])
def test_accelerate_reads_and_accepts_the_configuration(name: str, kind: str) -> None:
    loaded = load_config_from_file(str(CONFIGURATIONS / f"{name}.yaml"))
    assert loaded.distributed_type == DistributedType[kind]
    arguments = launched(name)
    assert arguments.num_processes == 8
    assert (arguments.multi_gpu, arguments.use_fsdp, arguments.use_deepspeed) == (
        kind == "MULTI_GPU",
        kind == "FSDP",
        kind == "DEEPSPEED",
    )


def test_fsdp_is_its_second_version_with_whole_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in prepare_multi_gpu_env(launched("fsdp2")).items():
        if key.startswith(("FSDP_", "ACCELERATE_")):
            monkeypatch.setenv(key, value)
    plugin = FullyShardedDataParallelPlugin()
    assert plugin.fsdp_version == 2
    assert plugin.reshard_after_forward is True
    assert plugin.state_dict_type.name == "FULL_STATE_DICT"
    assert not plugin.cpu_ram_efficient_loading


def test_zero_is_its_third_stage_with_a_whole_final_model() -> None:
    arguments = launched("zero3")
    assert (arguments.zero_stage, str(arguments.zero3_save_16bit_model)) == (3, "True")


@pytest.mark.slow
def test_the_term_has_the_same_gradient_where_weights_are_sharded(tiny_policy: Path, tmp_path: Path) -> None:
    """FSDP2 over two processes on the CPU: the hook on the backbone hears whole states."""
    port = free_port()
    script = str(REPOSITORY / "tests" / "training" / "sharded.py")
    started = [
        subprocess.Popen(
            [sys.executable, script, str(tiny_policy), str(tmp_path)],
            env=ranks_environment(rank, port),
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    for process in started:
        _, text = process.communicate(timeout=300)
        assert process.returncode == 0, text[-3000:]
    whole, sharded = (torch.load(tmp_path / f"{name}.pt", weights_only=True) for name in ("whole", "sharded"))
    assert len(sharded) > 10
    for name, value in sharded.items():
        torch.testing.assert_close(value, whole[name], rtol=1e-9, atol=1e-12)
