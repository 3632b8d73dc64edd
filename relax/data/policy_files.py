"""The files that a policy comes from on this machine, and how many parameters they hold. Light: every job asks."""

import json
import os
from math import prod
from pathlib import Path

from relax.config import Experiment, policy_files
from relax.config.policies import Policy, Wheel
from relax.data.gguf_header import read_header
from relax.errors import DataError

#: Where the files of wheels are kept; the variable names another folder.
CACHE, CACHE_VARIABLE = "~/.cache/relax", "RELAX_CACHE"


def wheel_file(wheel: Wheel) -> Path:
    """Where ``relax fetch`` puts the file of a wheel: below ``$RELAX_CACHE``, or else ``~/.cache/relax``."""
    root = Path(os.environ.get(CACHE_VARIABLE) or CACHE).expanduser()
    return root / "wheels" / f"{wheel.package}-{wheel.version}" / wheel.sha256[:12] / Path(wheel.file).name


def billions(config: Experiment, policy: str) -> float:
    """Parameters of a policy in billions; of one made from scratch next to none.

    They are counted in the headers of its files. The answer is 0 where :func:`size_is_known` says that it is not.

    Raises:
        DataError: a file of the policy cannot be read.
    """
    entry = config.policies[policy]
    if entry.hub is not None:
        return entry.hub.parameters
    if entry.path is not None:
        return sum(_in_safetensors(Path(file)) for file in policy_files(entry) if file.endswith(".safetensors")) / 1e9
    file = gguf_file(entry)
    return 0.0 if file is None or (entry.wheel and not file.is_file()) else read_header(file).parameters / 1e9


def size_is_known(config: Experiment, policy: str) -> bool:
    """Whether the parameters of a policy can be counted: those of a wheel can once `relax fetch` has brought it."""
    wheel = config.policies[policy].wheel
    return wheel is None or wheel_file(wheel).is_file()


def gguf_file(policy: Policy) -> Path | None:
    """The GGUF file of a policy, whether it is there or not; None for a policy of another kind."""
    if policy.wheel is not None:
        return wheel_file(policy.wheel)
    return None if policy.gguf is None else Path(policy.gguf)


def _in_safetensors(file: Path) -> int:
    # The library that reads such files is not there where Snakemake runs the pipeline in a container.
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if length > file.stat().st_size:
                raise ValueError("its header ends behind the file")
            header = json.loads(stream.read(length))
        tensors = [entry for name, entry in header.items() if name != "__metadata__"]
        if 8 + length + max((entry["data_offsets"][1] for entry in tensors), default=0) > file.stat().st_size:
            raise ValueError("its tensors end behind the file")
        return sum(prod(entry["shape"]) for entry in tensors)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise DataError(
            f"{file}: cut off or no safetensors file ({str(error).rstrip('.')}); fetch or copy it again."
        ) from error
