"""What each Slurm job asks for: the configuration's ``resources``, the policy, the attempt and the site's limits."""

import math
from dataclasses import dataclass
from typing import Any

from relax.cluster.site import Site, variable
from relax.config import Experiment
from relax.config.resources import Resources
from relax.data.policy_files import billions
from relax.errors import ConfigError

#: Rules that are Slurm jobs, in the order of the pipeline.
RULES = ("base", "dictionary", "train", "extract", "koopman", "generate", "grade", "evaluate")
#: Megabytes of the two Snakemakes that run around every job: 330 resident, with their plugins and shells.
SNAKEMAKE_MB = 500
#: Seconds before the time limit at which a training is told to save and stop: more than a generation of rollouts takes.
WARNING = 900


def _row(config: Experiment, rule: str) -> Resources:
    return next((row for name, row in config.resources.items() if name == rule), Resources())


def gpus(config: Experiment, rule: str, policy: str) -> int:
    """GPUs of a job: the row's ``gpus``, or else the smallest power of two that holds the policy.

    A job whose row has no ``billions_per_gpu``, and a policy made from scratch, need none.

    Args:
        config: a loaded configuration.
        rule: of the workflow, a key of ``resources``.
        policy: name of the initial policy.
    """
    row, size = _row(config, rule), billions(config, policy)
    if row.gpus is not None:
        return row.gpus
    if row.billions_per_gpu is None or not size:
        return 0
    return 2 ** math.ceil(math.log2(max(1.0, size / row.billions_per_gpu)))


def grows(config: Experiment, rule: str) -> bool:
    """Whether a job of the rule asks for more where the policy is larger.

    Args:
        config: a loaded configuration.
        rule: of the workflow, a key of ``resources``.
    """
    row = _row(config, rule)
    return bool(row.billions_per_gpu or row.memory_gb_per_billion or row.minutes_per_billion)


@dataclass(frozen=True)
class Placement:
    """Where the processes of a training are.

    Attributes:
        processes: of the training, one a GPU; 1 is a plain `relax train`.
        server: GPUs of the vLLM server that the training starts, beside its own.
        nodes: as many GPUs in each; a server on a node of its own has the last one.
        gpus: of each node, 0 on a CPU.
    """

    processes: int
    server: int
    nodes: int
    gpus: int


def placement(config: Experiment, policy: str, site: Site) -> Placement:
    """How a training is shared out: over one node, or over whole nodes where it has more GPUs than one.

    Args:
        config: a loaded configuration.
        policy: name of the initial policy.
        site: the cluster, which says how many GPUs a node has.

    Raises:
        ConfigError: its GPUs do not fill the nodes.
    """
    training, count = config.training, gpus(config, "train", policy)
    server, node = training.vllm_gpus, site.gpus_per_node
    processes = 1 if training.parallel == "none" else max(1, count)
    if node is None or count + server <= node:
        return Placement(processes, server, 1, count + server)
    if processes == 1:
        raise ConfigError(
            f"train {policy}: {count + server} GPUs are more than a node's {node} ({variable('gpus_per_node')}), and "
            "training.parallel is none; set it to ddp, fsdp2 or zero3."
        )
    if count % node or server not in (0, node):
        raise ConfigError(
            f"train {policy}: {count} GPUs{f' and {server} for vLLM' if server else ''} do not fill nodes of {node} "
            f"({variable('gpus_per_node')}); change resources.train.gpus or training.vllm_gpus."
        )
    return Placement(processes, server, (count + server) // node, node)


def needs(config: Experiment, rule: str, policy: str, attempt: int, site: Site) -> dict[str, Any]:
    """Snakemake's resources of a job, by the names that the Slurm plugin reads; None leaves one out.

    With P parameters in billions, G GPUs that work on it, N GPUs of a node (a vLLM server's included) and
    L = ``training.max_response_length`` in thousands of tokens; memory and CPUs are those of a node::

        memory  = memory_gb + memory_gb_per_billion x P x max(1, N), and Snakemake's own
        minutes = minutes + minutes_per_billion x P x L / max(1, G)
        CPUs    = cpus, or cpus_per_gpu x N

    Memory and minutes grow in proportion to the attempt, up to the site's limits. A training gets SIGUSR1 before its
    time limit, 15 minutes or a quarter of the limit.

    Args:
        config: a loaded configuration.
        rule: of the workflow, a key of ``resources``.
        policy: name of the initial policy.
        attempt: 1, 2, ...
        site: the cluster.
    """
    row, size, count = _row(config, rule), billions(config, policy), gpus(config, rule, policy)
    place = placement(config, policy, site) if rule == "train" else Placement(1, 0, 1, count)
    memory = 1000 * (row.memory_gb + row.memory_gb_per_billion * size * max(1, place.gpus)) + SNAKEMAKE_MB
    tokens = config.training.max_response_length / 1000
    minutes = row.minutes + row.minutes_per_billion * size * tokens / max(1, count)
    limit = math.ceil(min(minutes * attempt, 60 * (site.max_hours or math.inf)))
    return {
        "mem_mb": math.ceil(min(memory * attempt, 1000 * (site.max_memory_gb or math.inf))),
        "runtime": limit,
        "cpus_per_task": row.cpus_per_gpu * place.gpus or row.cpus,
        "slurm_account": site.slurm_account,
        "slurm_partition": site.gpu_partition if place.gpus else site.cpu_partition,
        **_devices(place, site),
        "slurm_extra": f"--signal=USR1@{min(WARNING, 60 * limit // 4)}" if rule == "train" else None,
    }


def _devices(place: Placement, site: Site) -> dict[str, Any]:
    """Of one node: so many GPUs and one task; without these the plugin asks for a task a GPU, wherever there is one.

    Of several: a task and so many GPUs on each. `mpi` is the plugin's word for a job that starts its steps itself:
    its Snakemake then runs once, on the first node, and not within a step of its own.
    """
    several = place.nodes > 1
    return {
        "gpu": place.gpus if place.gpus and not several else None,
        "gpu_model": site.gpu_type if place.gpus and not several else None,
        "gres": f"gpu:{site.gpu_type + ':' if site.gpu_type else ''}{place.gpus}" if several else None,
        "nodes": place.nodes if place.gpus else None,
        "tasks_per_gpu": 0 if place.gpus else None,
        "tasks": place.nodes if several else None,
        "mpi": "srun" if several else None,
    }


def disk_gb(config: Experiment) -> tuple[float, float]:
    """Gigabytes of all trained policies (float32), and of the two checkpoints that the largest training keeps.

    A checkpoint holds weights and Adam's two moments in float32, 12 bytes a parameter.
    """
    matrix = config.matrix
    sizes = [billions(config, policy) for policy in matrix.policies]
    return 4 * sum(sizes) * len(matrix.methods) * len(matrix.seeds), 2 * 12 * max(sizes)
