"""What the benchmarks share: work taken in turns, peak memory, the machine, the table."""

import argparse
import gc
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from relax.files import atomic_write

Result = dict[str, Any]


def result(name: str, value: float | None, target: str, met: bool | None, **detail: Any) -> Result:
    """One line of the table; ``met`` is None where there is no target or nothing was measured."""
    return {"name": name, "value": value, "target": target, "met": met, "detail": detail}


def in_turns(repeats: int, **work: Callable[[], object]) -> dict[str, float]:
    """Smallest CPU seconds of each piece of work, taken in turns; the first turn warms up and does not count."""
    best = dict.fromkeys(work, float("inf"))
    for turn in range(repeats + 1):
        for name, do in work.items():
            gc.collect()
            start = time.process_time()
            do()
            seconds = time.process_time() - start
            if turn:
                best[name] = min(best[name], seconds)
    return best


def peak_above(work: Callable[[], object]) -> int:
    """Bytes that this process needs at its peak during the work, above what it holds before."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins again at what is held now
    before = _status("VmRSS")
    work()
    return _status("VmHWM") - before


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(name)).split()[1])


def machine() -> dict[str, Any]:
    """What the numbers belong to."""
    info = Path("/proc/cpuinfo")
    models = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    return {
        "cpu": models[0].split(":", 1)[1].strip() if models else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0],
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        "system": platform.platform(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "libraries": [line.strip(" -") for line in torch.__config__.show().splitlines() if "Library" in line],
    }


def show(results: list[Result]) -> str:
    """The table."""
    verdicts = {True: "met", False: "MISSED", None: "-"}
    rows = [f"{'':76}{'value':>10}  {'target':10}"]
    for r in results:
        skipped = r["detail"].get("skipped")
        value, verdict = ("", f"skipped: {skipped}") if skipped else (f"{r['value']:.3g}", verdicts[r["met"]])
        rows.append(f"{r['name']:76}{value:>10}  {r['target']:10}{verdict}")
    return "\n".join(rows)


def main(
    about: str,
    sizes: tuple[dict[str, Any], dict[str, Any]],
    everything: Callable[[dict[str, Any], bool], list[Result]],
    memory_probe: Callable[[dict[str, Any]], Any],
) -> None:
    """The command line of a benchmark: run everything on one thread, print the table, write the JSON.

    The exit code is 1 where a target is missed.

    Args:
        about: the benchmark's docstring.
        sizes: the full ones and the quick ones; a quick run judges nothing, targets are for the full sizes.
        everything: sizes and whether they are quick -> results.
        memory_probe: what a process of its own measures and prints.
    """
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the numbers to this JSON file")
    parser.add_argument("--quick", action="store_true", help="small sizes: only to see that it runs")
    parser.add_argument("--memory-probe", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.memory_probe:
        print(json.dumps(memory_probe(arguments.memory_probe)))
        return
    chosen, described = sizes[arguments.quick], machine()
    results = everything(chosen, arguments.quick)
    if arguments.quick:
        results = [r | {"met": None} for r in results]
    print(show(results))
    if arguments.out:
        content = {"machine": described, "quick": arguments.quick, "sizes": chosen, "results": results}
        atomic_write(arguments.out, json.dumps(content, indent=1) + "\n")
    sys.exit(any(r["met"] is False for r in results))
