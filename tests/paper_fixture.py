"""A synthetic results folder whose policies stand for printed rows. Its numbers are invented; only tests use it."""

import json
from decimal import Decimal
from pathlib import Path

from relax.paper import LAYOUTS, METRICS, read_table
from results_fixture import config_of, make_results

BENCHMARKS = {"MATH500": "math500", "Minerva": "minerva", "AMC22": "amc22", "AMC23": "amc23", "AIME24": "aime24",
              "AIME25": "aime25"}  # fmt: skip
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
    config["matrix"]["benchmarks"] = list(BENCHMARKS.values())
    config["benchmarks"] = {
        name: {"task": name, "greedy": METRICS[column] == "mean@1", "samples": 32 * (METRICS[column] == "mean@32")}
        for column, name in BENCHMARKS.items()
    }
    config["training"]["updates_per_generation"] = updates
    columns = {column: {"benchmark": name, "metric": METRICS[column]} for column, name in BENCHMARKS.items()}
    config["paper"] = {"rows": ROWS, "columns": columns}
    return config


def paper_results(root: Path, config, runs=None, shift=lambda method, seed, column: 0.3 * (seed - 2)):
    """What ``config`` asks for (or ``runs``); a score is the printed one plus ``shift``, in per cent.

    A dash counts as 50.
    """
    make_results(root, config, runs)
    printed = {row.label: row.numbers for layout in LAYOUTS for row in read_table(layout)}
    for label, ours in ((label, ours) for table in ("Table 2", "Table 5") for label, ours in ROWS[table].items()):
        for method in ours["methods"]:
            for column, name in BENCHMARKS.items():
                for path in (root / "evaluate" / ours["policy"] / method).glob(f"seed-*/{name}/scores.json"):
                    seed = int(path.parts[-3].removeprefix("seed-"))
                    number = printed[label][column] or Decimal(50)
                    value = (float(number) + shift(method, seed, column)) / 100
                    content = {"problems": 100, "metrics": {METRICS[column]: {"value": value, "stderr": 0.01}}}
                    path.write_text(json.dumps(content))
    for path in (root / "train").glob("*/*/seed-*/metrics.jsonl"):
        _generate_every_second_step(path)
    return config


def _generate_every_second_step(path: Path) -> None:
    """Steps that only update log no reward and take 0.2 s, under ReLaX 0.25 s; those that generate 0.6 s more."""
    update = 0.25 if "relax" in path.parts[-3] else 0.2
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows[1:]:
        row["seconds/step"] = update + 0.6 * (row["step"] % 2)
        if row["step"] % 2 == 0:
            del row["reward"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
