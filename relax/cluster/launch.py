"""The commands of one training in several processes: `accelerate launch` on every node of the job, a vLLM server.

Only words are put together here; :mod:`relax.cluster.processes` starts and watches them.
"""

import os
import shlex
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from relax.cluster.resources import WARNING, Placement, placement
from relax.cluster.site import read_site, variable
from relax.cluster.slurm import ask, node_address, nodes_of_job
from relax.config import Experiment
from relax.errors import ConfigError, MachineError

#: Names the folder through which the processes of a training and their launcher speak.
FOLDER = "RELAX_LAUNCH"
#: Where the vLLM server is, the port at which it takes new weights from the training, and its GPUs.
ADDRESS, WEIGHTS_PORT, SERVER_GPUS = "RELAX_VLLM_SERVER", "RELAX_VLLM_WEIGHTS_PORT", "RELAX_VLLM_GPUS"
#: Slurm's signals are for the processes that train. The launcher of torch would stop those at once, within 30 seconds;
#: it passes the warning on and waits, and ends everything at SIGHUP alone.
LISTENING = {"PET_SIGNALS_TO_HANDLE": "SIGUSR1,SIGHUP", "PET_SHUTDOWN_TIMEOUT": str(WARNING)}
#: `exec` without the signals that are not meant for a program, or not before it listens: what a shell ignores stays
#: ignored.
DEAF = ("sh", "-c", 'trap "" TERM INT USR1; exec "$@"', "sh")
#: vLLM ends by SIGTERM; the warning before a time limit is none of its business.
DEAF_TO_WARNING = ("sh", "-c", 'trap "" USR1; exec "$@"', "sh")


@dataclass(frozen=True)
class Command:
    """A command of the plan: node, words, and what it finds in its environment beside everything else."""

    node: str
    words: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """As it would be typed."""
        return " ".join(
            [*(f"{name}={shlex.quote(value)}" for name, value in self.environment.items()), shlex.join(self.words)]
        )


@dataclass(frozen=True)
class Plan:
    """The commands of a training.

    Attributes:
        trainers: one on every node that trains; the first one's node is the launcher's own.
        server: the vLLM server, to be up before they start.
        address: of the server.
    """

    trainers: tuple[Command, ...]
    server: Command | None = None
    address: str | None = None

    def __str__(self) -> str:
        """Node by node, in the order of their start."""
        commands = [*([self.server] if self.server else []), *self.trainers]
        return "\n".join(f"# {command.node}\n{command}" for command in commands)


def is_launched() -> bool:
    """Whether this process is one of several, started by a launcher: this one, accelerate's or torch's own."""
    return FOLDER in os.environ or "RANK" in os.environ


def plan(config: Experiment, policy: str, base: str | Path, words: Sequence[str], dry: bool = False) -> Plan | None:
    """The commands for this machine, or for the nodes of the Slurm job that this process is in.

    Args:
        config: a loaded configuration.
        policy: name of the initial policy.
        base: its folder, which a vLLM server starts from.
        words: of `relax` in each process, from the verb on.
        dry: to be shown only, on a machine that need not be one of the job's.

    Returns:
        The plan; None where a single process does it all.

    Raises:
        ConfigError: the GPUs do not share out over nodes, or the job has other nodes.
        MachineError: Slurm does not answer, or this machine has too few GPUs.
    """
    place = placement(config, policy, read_site())
    if place.processes == 1 and not place.server:
        return None
    job, parallel = os.environ.get("SLURM_JOB_ID"), config.training.parallel
    if place.nodes == 1 or not (job or dry):
        return _on_one(parallel, place, base, words, dry)
    if job is None:
        names = [f"NODE{number}" for number in range(1, place.nodes + 1)]
        return _over_nodes(parallel, place, "JOB", {name: name for name in names}, base, words)
    if shutil.which("srun") is None:
        raise MachineError("srun not found: a training on several nodes starts by it; run without --sdm apptainer.")
    nodes = nodes_of_job(job, os.environ.get("SLURMD_NODENAME"))
    if len(nodes) != place.nodes:
        raise ConfigError(
            f"job {job} has {len(nodes)} nodes, the training takes {place.nodes}; change resources.train.gpus or "
            f"{variable('gpus_per_node')}."
        )
    return _over_nodes(parallel, place, job, {node: node_address(node) for node in nodes}, base, words)


def _on_one(parallel: str, place: Placement, base: str | Path, words: Sequence[str], dry: bool) -> Plan:
    """All processes on this machine; a server has the last of its GPUs."""
    devices = _visible()
    if devices and not dry and len(devices) < place.processes + place.server:
        raise MachineError(
            f"{place.processes} processes{f' and {place.server} GPUs for vLLM' if place.server else ''} want more GPUs "
            f"than the {len(devices)} here; change resources.train.gpus (training.parallel none is one process)."
        )
    first, last = devices[: place.processes], devices[place.processes :][: place.server]
    port = free_port()
    shared = {**LISTENING, **({"CUDA_VISIBLE_DEVICES": ",".join(first)} if first and place.server else {})}
    server, address = None, None
    if place.server:
        listens = free_port()
        address = f"http://127.0.0.1:{listens}"
        own = {"CUDA_VISIBLE_DEVICES": ",".join(last)} if last else {}
        server = Command("this machine", (*DEAF_TO_WARNING, *_vllm(base, place.server, listens)), own)
        shared |= {ADDRESS: address, WEIGHTS_PORT: str(free_port()), SERVER_GPUS: str(place.server)}
    if place.processes == 1:
        trainer = (*DEAF, "relax", *words)
    else:
        trainer = (*DEAF, *_accelerate(parallel, place.processes, 1, 0, "127.0.0.1", port), *words)
    return Plan((Command("this machine", trainer, shared),), server, address)


def _over_nodes(
    parallel: str, place: Placement, job: str, addresses: Mapping[str, str], base: str | Path, words: Sequence[str]
) -> Plan:
    """As many processes on every node, started as steps of the job; a server has the last node."""
    nodes = list(addresses)
    training = nodes[:-1] if place.server else nodes
    shared, server, address = dict(LISTENING), None, None
    if place.server:
        listens = free_port()
        address = f"http://{addresses[nodes[-1]]}:{listens}"
        server = Command(nodes[-1], (*_step(job, nodes[-1]), *DEAF_TO_WARNING, *_vllm(base, place.server, listens)))
        shared |= {ADDRESS: address, WEIGHTS_PORT: str(free_port()), SERVER_GPUS: str(place.server)}
    host, port = addresses[training[0]], free_port()
    trainers = tuple(
        Command(
            node,
            (
                *_step(job, node),
                *DEAF,
                *_accelerate(parallel, place.processes, len(training), rank, host, port),
                *words,
            ),
            shared,
        )
        for rank, node in enumerate(training)
    )
    return Plan(trainers, server, address)


def _accelerate(parallel: str, processes: int, nodes: int, rank: int, host: str, port: int) -> tuple[str, ...]:
    file = files("relax") / "cluster" / "accelerate" / f"{parallel}.yaml"
    return (
        "accelerate",
        "launch",
        "--config_file",
        str(file),
        "--num_processes",
        str(processes),
        "--num_machines",
        str(nodes),
        "--machine_rank",
        str(rank),
        "--main_process_ip",
        host,
        "--main_process_port",
        str(port),
        "-m",
        "relax",
    )


def _vllm(base: str | Path, gpus: int, port: int) -> tuple[str, ...]:
    return ("trl", "vllm-serve", "--model", str(base), "--tensor_parallel_size", str(gpus), "--port", str(port))


def _step(job: str, node: str) -> tuple[str, ...]:
    """One task on a node, with all that the job has there, beside the steps that are there already."""
    return (
        "srun",
        f"--jobid={job}",
        f"--nodelist={node}",
        "--nodes=1",
        "--ntasks=1",
        "--overlap",
        "--mem=0",
        "--cpu-bind=none",
        "--input=none",
    )


def _visible() -> list[str]:
    """GPUs of this machine that this process may use, as CUDA_VISIBLE_DEVICES names them; none on a CPU."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name for name in given.split(",") if name]
    try:
        listed = ask("nvidia-smi", "--list-gpus")
    except MachineError:
        return []
    return [str(number) for number, _ in enumerate(line for line in listed.splitlines() if line.startswith("GPU "))]


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]
