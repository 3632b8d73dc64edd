"""What an image and the run records made in it say of themselves. Standard library alone: the host has no more.

check.py packages PACKAGES.json LOCK        the list is the lock, and this package
check.py records RESULTS PACKAGES.json DIGEST   every record names the image
"""

import hashlib
import json
import sys
from pathlib import Path


def packages(listed: str, lock: str) -> None:
    """The image's Python packages are those of the lock, version for version."""
    pins = dict(line.split("==") for line in Path(lock).read_text().splitlines() if line and not line.startswith("#"))
    found = json.loads(Path(listed).read_text())["python"]
    assert found.pop("relax-rl"), "the package itself is missing"
    differing = {name: (pins.get(name), found.get(name)) for name in pins.keys() | found.keys()
                 if pins.get(name) != found.get(name)}  # fmt: skip
    assert not differing, f"lock and image differ: {differing}"
    print(f"= {len(found)} packages, as in {lock}")


def records(results: str, listed: str, digest: str) -> None:
    """Every run record was made by the image's Python, of one commit, and names the image."""
    found = sorted(Path(results).rglob("run.json"))
    assert len(found) >= 20, f"{len(found)} records"
    expected = hashlib.sha256(Path(listed).read_bytes()).hexdigest()
    commits = set()
    for path in found:
        record = json.loads(path.read_text())
        container = record["container"]
        assert container is not None, f"{path}: made outside a container"
        assert container["prefix"] == "/opt/venv", f"{path}: {container}"
        assert container["packages"] == f"sha256:{expected}", f"{path}: {container}"
        assert container["digest"] == digest, f"{path}: {container}, expected {digest}"
        commits.add(record["git"]["commit"])
    assert len(commits) == 1, commits
    assert len(commits.pop()) == 40, commits
    assert (Path(results) / "report.html").is_file()
    print(f"= {len(found)} run records, {digest[:19]}")


if __name__ == "__main__":
    {"packages": packages, "records": records}[sys.argv[1]](*sys.argv[2:])
