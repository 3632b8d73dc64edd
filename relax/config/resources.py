"""``resources``: what a Slurm job of a rule asks for; the formula is in :mod:`relax.cluster.resources`."""

from typing import Literal

from relax.settings import AtLeastOne, Count, FromZero, Positive, Settings, key

#: Rules whose jobs are worth a queue; the others take seconds and run beside Snakemake.
Rule = Literal["base", "dictionary", "train", "extract", "koopman", "generate", "grade", "evaluate"]


class Resources(Settings):
    """What a Slurm job of a rule asks for."""

    billions_per_gpu: Positive | None = key(None, unit="billions")
    """Parameters (billions) that one GPU takes; null: the job needs no GPU."""
    gpus: Count | None = key(None, unit="GPUs")
    """GPUs whatever the policy; null: as follows from billions_per_gpu. They are in one node or, for `train`, in
    several whole ones (`gpus_per_node` of the [site](../docs/cluster.md#the-site)). 0 is none."""
    cpus: AtLeastOne = key(2, unit="CPUs")
    """CPUs of a job without a GPU."""
    cpus_per_gpu: AtLeastOne = key(8, unit="CPUs")
    """CPUs for each GPU."""
    memory_gb: FromZero = key(4, unit="GB")
    """Memory of a job. Too little costs an attempt."""
    memory_gb_per_billion: FromZero = key(0, unit="GB")
    """More for each billion parameters, once for each GPU. Each of the processes loads the policy."""
    minutes: Positive = key(60, unit="minutes")
    """Time limit of a job."""
    minutes_per_billion: FromZero = key(0, unit="minutes")
    """More for each billion parameters and each 1000 tokens of training.max_response_length, divided among the GPUs.
    For `train` the number belongs to `training.steps`."""
