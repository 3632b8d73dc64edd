"""The image that a run happens in, as far as it can be told from inside."""

import functools
import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: Where this package's files lie: in an image that this repository builds, with `commit.json` and `packages.json`.
CODE = Path(__file__).resolve().parents[2]

#: There is one where the driver is loaded.
NVIDIA = Path("/dev/nvidiactl")


def built_from() -> dict[str, Any] | None:
    """Commit and dirty flag that the image's code was built from; None where the code is in no image."""
    path = CODE / "commit.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def container() -> dict[str, str | None] | None:
    """What identifies the image; None outside one.

    Returns:
        ``image``: path of the Apptainer image; None for Docker's.
        ``digest``: SHA-256 of that file. A Docker image cannot know its own, nor an Apptainer image in a folder that
        is not mounted: it is what the variable ``RELAX_IMAGE_DIGEST`` says, and None where nobody handed one in.
        ``packages``: SHA-256 of the image's list of packages; None in an image that this repository did not build.
        ``prefix``: the Python environment in use.
    """
    packages = CODE / "packages.json"
    file = os.environ.get("APPTAINER_CONTAINER") or os.environ.get("SINGULARITY_CONTAINER")
    if not file and not packages.is_file():
        return None
    given = re.search(r"sha256:[0-9a-f]{64}", os.environ.get("RELAX_IMAGE_DIGEST", ""))
    readable = file is not None and os.path.isfile(file)
    return {
        "image": file,
        "digest": image_digest(file) if readable else given and given.group(),
        "packages": _sha256(packages) if packages.is_file() else None,
        "prefix": sys.prefix,
    }


def in_words(record: Mapping[str, Any]) -> str:
    """The image of a run record: name of its file and digest, or that of its packages; ``none`` outside of one."""
    found = record.get("container")
    if not found:
        return "none"
    name = Path(found["image"]).name if found["image"] else "an image"
    if found["digest"]:
        return f"{name} {found['digest']}"
    return f"{name} of unknown digest, packages {found['packages'] or 'unknown'}"


def hand_on(image: str) -> None:
    """Say to every Apptainer below this process what its inside cannot see: this machine's GPUs, where there are any
    (NVIDIA's, as `--nv` does), and the image's digest, where it lies beside the image.
    """
    if NVIDIA.exists():
        os.environ["APPTAINER_NV"] = os.environ["SINGULARITY_NV"] = "1"
    if known := _beside(Path(image)):
        os.environ["RELAX_IMAGE_DIGEST"] = known


@functools.cache
def image_digest(file: str) -> str:
    """SHA-256 of an image file, as ``sha256:...``; an image for GPUs has several GB, so what lies beside it counts."""
    return _beside(Path(file)) or _sha256(Path(file))


def _beside(image: Path) -> str | None:
    """The digest in ``image.sha256``, in the format of `sha256sum`, as long as the image is not newer."""
    beside = Path(f"{image}.sha256")
    if not (image.is_file() and beside.is_file() and beside.stat().st_mtime_ns >= image.stat().st_mtime_ns):
        return None
    known = re.match(r"[0-9a-f]{64}\b", beside.read_text(encoding="utf-8"))
    return f"sha256:{known.group()}" if known else None


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
