"""How long a dry run of the paper's whole matrix takes: 7 policies x 11 methods x 3 seeds x 15 benchmarks.

    python benchmarks/dry_run.py

Wall time of whole commands, the smallest of three, in turns with the demo's, so that the machine's own speed shows.
Nothing is submitted or downloaded; results/matrix/ is left as it was.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from common import Result, result, show

from relax.config.benchmarks import names, read_task

REPOSITORY = Path(__file__).resolve().parents[1]
PAPER = REPOSITORY / "config" / "paper_text.yaml"
#: The policies of Table 1 as far as a plan goes: names, billions of parameters (hub, model cards).
VISION = {"Qwen2.5-VL-3B-Instruct": 3.75, "Qwen2.5-VL-7B-Instruct": 8.29}
REPEATS = 3
#: Seconds; a plan that takes longer is not looked at.
TARGET = 20


def matrix() -> dict:
    """An overlay of the paper's text configuration."""
    policies = {
        name.lower(): {"hub": {"repo": f"Qwen/{name}", "revision": "unpinned", "parameters": size}}
        for name, size in VISION.items()
    }
    paper = yaml.safe_load(PAPER.read_text(encoding="utf-8"))["matrix"]
    benchmarks = [name for name in names() if "repo" in read_task(name)["metadata"]]  # not those of the generated tasks
    return {
        "name": "matrix",
        "policies": policies,
        "benchmarks": {name.replace("_", "-"): {"task": name, "greedy": True} for name in benchmarks},
        "matrix": {
            "policies": [*paper["policies"], *policies],
            "methods": paper["methods"][:11],
            "seeds": [1, 2, 3],
            "benchmarks": [name.replace("_", "-") for name in benchmarks],
        },
        "paper": {"columns": {}, "rows": {}},
        "ablations": {},
    }


def seconds(*command: str) -> float:
    start = time.perf_counter()
    ended = subprocess.run(
        [Path(sys.executable).parent / command[0], *command[1:]], cwd=REPOSITORY, capture_output=True, text=True
    )
    if ended.returncode:
        sys.exit(ended.stderr[-2000:])
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        overlay = Path(folder) / "matrix.yaml"
        overlay.write_text(yaml.safe_dump(matrix()), encoding="utf-8")
        files = ["--configfile", str(PAPER), str(overlay)]
        work = {
            "dry run of the matrix": ("snakemake", "-n", "--quiet", "all", *files),
            "relax cost of the matrix": ("relax", "cost", *files),
            "dry run of the demo": ("snakemake", "-n", "--quiet", "all"),
        }
        best = dict.fromkeys(work, float("inf"))
        for _ in range(REPEATS):
            for name, command in work.items():
                best[name] = min(best[name], seconds(*command))
    targets = {"dry run of the matrix": TARGET}
    print(show([_line(name, value, targets.get(name)) for name, value in best.items()]))


def _line(name: str, value: float, target: float | None) -> Result:
    if target is None:
        return result(f"{name}, seconds", value, "", None)
    return result(f"{name}, seconds", value, f"below {target}", value < target)


if __name__ == "__main__":
    main()
