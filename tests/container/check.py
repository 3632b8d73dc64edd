"""check.py RESULTS PACKAGES.json DIGEST [OTHER]: every run record below RESULTS was made in the image, and what was
trained is bit for bit what it is below OTHER. Standard library alone."""

import hashlib
import json
import sys
from pathlib import Path


def check(results: Path, packages: Path, digest: str, other: Path | None = None) -> None:
    """All records are of the image's Python and of one commit, and name the image."""
    found = sorted(results.rglob("run.json"))
    assert len(found) >= 20, f"{len(found)} records"
    expected = f"sha256:{hashlib.sha256(packages.read_bytes()).hexdigest()}"
    commits = set()
    for path in found:
        record = json.loads(path.read_text())
        container = record["container"]
        assert container is not None, f"{path}: made outside a container"
        assert container["prefix"] == "/opt/venv", f"{path}: {container}"
        assert container["packages"] == expected, f"{path}: {container}, expected packages {expected}"
        assert container["digest"] == digest, f"{path}: {container}, expected {digest}"
        commits.add(record["git"]["commit"])
    assert [len(commit) for commit in commits] == [40], commits
    assert (results / "report.html").is_file()
    if other:
        trained = [path for path in found if path.relative_to(results).parts[0] in ("base", "train")]
        assert len(trained) == 3, trained
        for path in trained:
            assert weights(path) == weights(other / path.relative_to(results)), f"{path}: other weights than in {other}"
    print(f"= {len(found)} run records, {digest[:19]}")


def weights(record: Path) -> str:
    """Digest of the model that a record says came out."""
    (model,) = [digest for path, digest in json.loads(record.read_text())["outputs"].items() if path.endswith("/model")]
    return model


if __name__ == "__main__":
    check(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], *map(Path, sys.argv[4:]))
