"""The packages of an image with their versions, as JSON: the list that lies beside an image and in it.

Refuses an image whose Python packages are not those of its lock, version for version, and this one.
"""

import json
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path


def main(lock: Path) -> None:
    """Print the list."""
    lines = [line for line in lock.read_text().splitlines() if line and not line.startswith("#")]
    pins = {name: version for name, _, version in (line.partition("==") for line in lines)}
    # Names as a lock spells them.
    python = {re.sub(r"[-_.]+", "-", found.name).lower(): found.version for found in metadata.distributions()}
    differing = sorted(
        name for name in pins.keys() | python.keys() - {"relax-rl"} if pins.get(name) != python.get(name)
    )
    if differing:
        names = ", ".join(f"{name} {python.get(name)} instead of {pins.get(name)}" for name in differing)
        sys.exit(f"packages: the environment is not {lock}: {names}.")
    query = ["dpkg-query", "--show", "--showformat=${Package} ${Version}\n"]
    debian = dict(
        line.split() for line in subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()
    )
    interpreter = {"version": platform.python_version(), "compiler": platform.python_compiler()}
    print(json.dumps({"interpreter": interpreter, "python": python, "debian": debian}, indent=1, sort_keys=True))


main(Path(sys.argv[1]))
