"""A synthetic results folder whose policies stand for printed rows. Its numbers are invented; only tests use it."""

import json
from decimal import Decimal
from pathlib import Path

from relax.paper.printed import LAYOUTS, METRICS, read_table
from tests.results.results_fixture import config_of, write_record

BENCHMARKS = {
    "MATH500": "math500",
    "Minerva": "minerva",
    "AMC22": "amc22",
    "AMC23": "amc23",
    "AIME24": "aime24",
    "AIME25": "aime25",
}
ROWS = {
    "Table 2": {
        "Qwen2.5-base, 3B, base": {"policy": "small", "methods": ["initial"]},
        "Qwen2.5-base, 3B, Vanilla GRPO": {"policy": "small", "methods": ["grpo"]},
        "Qwen2.5-base, 3B, ReLaX": {"policy": "small", "methods": ["relax", "relax-sv"]},
    },
    "Table 5": {
        "Qwen3-Base, 4B, base": {"policy": "other", "methods": ["initial"]},
        "Qwen3-Base, 4B, Vanilla GRPO": {"policy": "other", "methods": ["grpo"]},
        "Qwen3-Base, 4B, HICRA": {"policy": "other", "methods": ["grpo-kl"]},
        "Qwen3-Base, 4B, ReLaX": {"policy": "other", "methods": ["relax", "relax-sv"]},
    },
    "Table 6": {
        "Qwen2.5-Math-7B, fit Koopman dictionary (once)": {"policy": "small", "methods": ["initial"]},
        "Qwen2.5-Math-7B, update actor (per step)": {"policy": "small", "methods": ["relax", "relax-sv"]},
        "Qwen2.5-Math-7B, total (per step)": {"policy": "small", "methods": ["relax", "relax-sv"]},
    },
}


def paper_config(seeds=(1, 2, 3), updates=2):
    """Policies, benchmarks and mapping as a configuration of the paper has them."""
    config = config_of(policies=("small", "other"), seeds=seeds)
    config["matrix"]["methods"] = ["grpo", "grpo-kl", "relax", "relax-sv"]
    config["matrix"]["benchmarks"] = list(BENCHMARKS.values())
    config["benchmarks"] = {
        name: {"task": name, "greedy": METRICS[column] == "mean@1", "samples": 32 * (METRICS[column] == "mean@32")}
        for column, name in BENCHMARKS.items()
    }
    config["training"]["updates_per_generation"] = updates
    columns = {column: {"benchmark": name, "metric": METRICS[column]} for column, name in BENCHMARKS.items()}
    config["paper"] = {"rows": ROWS, "columns": columns}
    return config


def around_print(method, seed, column):
    """Three seeds whose mean is the printed score."""
    return 0.3 * (seed - 2)


def paper_results(root: Path, config, runs=None, shift=around_print):
    """What ``config`` asks for (or ``runs``): a score is the printed one plus ``shift``, in per cent.

    A dash counts as 50. The initial policy is seed 0. Hidden states and grades are left out.
    """
    matrix = config["matrix"]
    if runs is None:
        runs = [(p, m, s) for p in matrix["policies"] for m in matrix["methods"] for s in matrix["seeds"]]
    for policy in sorted({policy for policy, _, _ in runs}):
        write_record(root / "dictionary" / policy, "dictionary", {"policy": policy})
        for method, seed in [("initial", 0)] + [(m, s) for p, m, s in runs if p == policy]:
            identity, place = {"policy": policy, "method": method, "seed": seed}, f"{policy}/{method}/seed-{seed}"
            if method != "initial":
                _train(root / "train" / place, identity)
            for column, benchmark in BENCHMARKS.items():
                value = (_printed(policy, method, column) + shift(method, seed, column)) / 100
                folder = root / "evaluate" / place / benchmark
                write_record(folder, "evaluate", identity | {"benchmark": benchmark})
                content = {"problems": 100, "metrics": {METRICS[column]: {"value": value, "stderr": 0.01}}}
                (folder / "scores.json").write_text(json.dumps(content))
    return config


def _printed(policy: str, method: str, column: str) -> float:
    """The score in print that a method of a policy stands for."""
    for layout in LAYOUTS:
        for row in read_table(layout):
            ours = ROWS.get(layout.table, {}).get(row.label)
            if layout.averaged and ours and ours["policy"] == policy and method in ours["methods"]:
                return float(row.numbers[column] or Decimal(50))
    return 50.0


def _train(folder: Path, identity) -> None:
    """Every second step generates and logs a reward: 0.6 s more. Updates take 0.2 s, under ReLaX 0.25 s."""
    update = 0.25 if identity["method"].startswith("relax") else 0.2
    rows = [{"step": step, "entropy": 0.3, "seconds/step": update + 0.6 * (step % 2)} for step in range(1, 9)]
    for row in rows[::2]:
        row["reward"] = 0.5
    write_record(folder, "train", identity, metrics={"steps": len(rows), "entropy": 0.3, "reward": 0.5})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
