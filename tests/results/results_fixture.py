"""A synthetic results folder with the shapes of a real one. Its numbers are invented; only tests use it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from relax.config import digest

METHODS = ["grpo", "grpo-kl", "relax", "relax-sv", "relax-sv-no-kl"]
STEPS, DIM = 60, 8
#: Final entropy, final reward and the factors by which DSD grows (eigenvalues, singular values).
ENDS = {
    "initial": (0.35, 0.48, 1.0, 1.0),
    "grpo": (0.11, 0.935, 1.0, 1.1),
    "grpo-kl": (0.14, 0.927, 1.0, 1.1),
    "relax": (0.126, 0.917, 11.0, 2.0),
    "relax-sv": (0.14, 0.93, 1.5, 2.3),
    "relax-sv-no-kl": (0.105, 0.94, 1.5, 2.2),
}


def config_of(policies=("tiny",), seeds=(1, 2)):
    """The configuration that asks for what :func:`make_results` makes."""
    return {
        "name": "synthetic",
        "matrix": {
            "policies": list(policies),
            "methods": METHODS,
            "seeds": list(seeds),
            "benchmarks": ["noisy-sum", "long-sum"],
        },
        "dictionary": {"koopman_dim": DIM, "ridge": 1e-3, "objective": "residual"},
        "training": {"steps": STEPS, "prompts_per_step": 32, "rollouts_per_prompt": 8},
        "methods": {
            "grpo": {"alpha": 0.0},
            "grpo-kl": {"alpha": 0.0, "kl_mode": "uniform", "beta": 0.01},
            "relax": {
                "alpha": 0.1,
                "spectrum": "eigenvalues",
                "kl_mode": "adaptive",
                "beta": 0.01,
                "xi": "q90",
            },
            "relax-sv": {
                "alpha": 0.01,
                "spectrum": "singular_values",
                "kl_mode": "adaptive",
                "beta": 0.01,
                "xi": "q90",
            },
            "relax-sv-no-kl": {"alpha": 0.01, "spectrum": "singular_values", "kl_mode": "none", "xi": "q90"},
        },
        "benchmarks": {
            "noisy-sum": {"task": "noisy_sum", "greedy": True, "samples": 16},
            "long-sum": {"task": "noisy_sum", "greedy": True, "samples": 0},
        },
        "ablations": {
            "figure-6": {
                "title": "exploration methods",
                "arms": {"ReLaX": "relax", "without KL": "relax-sv-no-kl", "KL-Cov": "kl-cov", "Vanilla GRPO": "grpo"},
            },
        },
    }


def make_results(root, config, runs=None):
    """Write every stage for ``runs``, a list of (policy, method, seed); by default all that is asked for."""
    matrix = config["matrix"]
    if runs is None:
        runs = [(p, m, s) for p in matrix["policies"] for m in matrix["methods"] for s in matrix["seeds"]]
    root.mkdir(parents=True, exist_ok=True)
    write_record(root / "data", "data", {"name": config["name"]})
    for policy in sorted({policy for policy, _, _ in runs}):
        write_record(root / "base" / policy, "base", {"name": config["name"], "policy": policy})
        _dictionary(root, config, policy)
        for method, seed in [("initial", 0)] + [(m, s) for p, m, s in runs if p == policy]:
            identity = {"name": config["name"], "policy": policy, "method": method, "seed": seed}
            place = Path(policy) / method / f"seed-{seed}"
            rng = np.random.default_rng([matrix["policies"].index(policy), list(ENDS).index(method), seed])
            if method != "initial":
                _train(root / "train" / place, config, identity, rng)
            write_record(root / "latent" / place, "extract", identity)
            _koopman(root / "koopman" / place, identity, rng)
            write_record(root / "responses" / place, "generate", identity)
            _grades(root / "grades" / place, identity, matrix["benchmarks"])
            for benchmark in matrix["benchmarks"]:
                _evaluate(root / "evaluate" / place / benchmark, identity | {"benchmark": benchmark}, rng)
    return config


def write_record(folder, verb, identity, settings=None, metrics=None, wall=12.0):
    """A run record with the keys of ``relax.records.record.Run.finish``."""
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "verb": verb,
        "arguments": [verb, "--synthetic"],
        "pipeline": None,
        "identity": identity,
        "settings": settings or {},
        "settings_hash": digest(settings or {}),
        "config_hash": "1" * 12,
        "metrics": metrics or {},
        "seeds": {},
        "inputs": {},
        "outputs": {},
        "git": {"commit": "5e4d" * 10, "dirty": False},
        "container": None,
        "versions": {"python": "3.11.0", "torch": "2.13.0", "trl": "1.16.0", "transformers": "5.17.0"},
        "machine": {"system": "Linux-synthetic", "processor": "Synthetic 1", "cpus": 2, "accelerator": None},
        "started": "2026-01-01T00:00:00+00:00",
        "wall_seconds": wall,
        "cpu_seconds": round(0.8 * wall, 2),
        "peak_memory_mb": 900.0,
    }
    (folder / "run.json").write_text(json.dumps(record))


def _dictionary(root, config, policy):
    fitted = {
        "residual_q10": 0.41,
        "residual_q50": 0.61,
        "residual_q90": 0.83,
        "condition": 5.2e4,
        "effective_rank": 5.1,
    }
    random = {
        "residual_q10": 0.55,
        "residual_q50": 0.80,
        "residual_q90": 0.97,
        "condition": 9.7e4,
        "effective_rank": 4.4,
    }
    metrics = fitted | {f"random_{key}": value for key, value in random.items()}
    metrics |= {"dsd_eigenvalues": 0.118, "dsd_singular_values": 4.5}
    settings = {**config["dictionary"], "spectrum": "eigenvalues"}
    identity = {"name": config["name"], "policy": policy}
    write_record(root / "dictionary" / policy, "dictionary", identity, settings, metrics)


def _train(folder, config, identity, rng):
    method = identity["method"]
    end_entropy, _, *growth = ENDS[method]
    rows = [{"step": 0, **_probe(growth, 0.0)}]
    for step in range(1, STEPS + 1):
        share = 1 - np.exp(-4 * (step - 1) / STEPS)
        entropy = 0.35 + (end_entropy - 0.35) * share + rng.normal(0, 0.006)
        row = {"step": step, "entropy": entropy, "length": 19 + 7 * share + rng.normal(0, 0.3)}
        row["reward"] = -1.45 * np.exp(entropy) + 2.56 + rng.normal(0, 0.025)
        row |= {"loss": rng.normal(0, 0.01), "grad_norm": 0.5, "zero_variance_groups": 0.3 * share}
        for (name, start), factor in zip({"eigenvalues": 0.118, "singular_values": 4.5}.items(), growth, strict=True):
            value = start * (1 + (1.25 * factor - 1) * share) * np.exp(rng.normal(0, 0.03))
            row |= {f"dsd/{name}": value, f"dsd/{name}/q10": 0.5 * value, f"dsd/{name}/q90": 1.7 * value}
            row[f"dsd/{name}/ridge_0.1"] = 0.4 * start * (1 + 0.1 * share)
        row |= {"seconds/step": 0.5 + rng.normal(0, 0.02), "seconds/dsd": 0.03}
        if method.startswith("relax"):
            row |= {"share_above_xi": 0.1 + 0.8 * share * rng.uniform(0.9, 1), "relax/term": -0.01}
            row["seconds/dsd"] = 0.06
        if step % 10 == 0:
            row |= _probe(growth, share)
        rows.append(row)
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    last = pd.DataFrame(rows[1:]).tail(STEPS // 10).mean()
    metrics = {name: float(value) for name, value in last.items() if name != "step" and not np.isnan(value)}
    settings = {"method": config["methods"][method]}
    limit = {"xi": 0.21 if method == "relax" else 9.0} if method.startswith("relax") else {}
    write_record(
        folder,
        "train",
        identity,
        settings,
        metrics | {"steps": STEPS} | limit,
        wall=0.55 * STEPS + identity["seed"],
    )


def _probe(growth, share):
    values = {"eigenvalues": 0.14, "singular_values": 6.4}
    result = {}
    for (name, start), factor in zip(values.items(), growth, strict=True):
        result[f"probe/{name}"] = start * (1 + (factor - 1) * share)
        result[f"probe/{name}/ridge_0.1"] = 0.3 * start * (1 + 0.02 * (factor - 1) * share)
    return result


def _koopman(folder, identity, rng):
    _, reward, *growth = ENDS[identity["method"]]
    frames = [_trajectories(kind, n, reward, growth, rng) for kind, n in (("policy", 120), ("probe", 60))]
    frame = pd.concat(frames, ignore_index=True)
    folder.mkdir(parents=True)
    frame.to_parquet(folder / "trajectories.parquet")
    rows = []
    for item in frame.groupby("kind").head(16).itertuples():
        modulus = np.clip(rng.beta(2, 2, DIM // 2) * (1 + 0.08 * growth[0]), 0, None)
        angle = rng.uniform(0, np.pi, DIM // 2)
        for real, imag in zip(modulus * np.cos(angle), modulus * np.sin(angle), strict=True):
            residual = float(rng.uniform(0.02, 1))
            rows += [
                {"id": item.id, "kind": item.kind, "real": real, "imag": s * imag, "residual": residual}
                for s in (1, -1)
            ]
    pd.DataFrame(rows).to_parquet(folder / "eigenvalues.parquet")
    kept = frame[frame.kind == "policy"].head(16).id
    matrices = rng.normal(size=(len(kept), DIM * DIM)).astype(np.float32)
    pd.DataFrame({"id": kept.to_numpy(), "matrix": list(matrices)}).to_parquet(folder / "matrices.parquet")
    means = frame.groupby("kind")[[c for c in frame if c.startswith("dsd_")]].mean()
    metrics = {f"{kind}/{name}": float(value) for kind, row in means.iterrows() for name, value in row.items()}
    write_record(folder, "koopman", identity, metrics=metrics)


def _trajectories(kind, n, reward, growth, rng):
    short = rng.random(n) < (0.3 if kind == "probe" or reward < 0.6 else 0.03)
    length = np.where(short, 3, rng.integers(24, 29, n))
    frame = pd.DataFrame({"id": [f"{kind}-{i}" for i in range(n)], "kind": kind, "length": length})
    frame["correct"] = [None] * n if kind == "probe" else list(rng.random(n) < reward)
    for name, scale, factor in (("eigenvalues", 0.15, growth[0]), ("singular_values", 7.0, growth[1])):
        noise = np.exp(rng.normal(0, 0.35, n))
        frame[f"dsd_{name}"] = np.where(short, 0.3 * scale, scale * factor) * noise
        frame[f"dsd_{name}_ridge_0.1"] = np.where(short, 0.2, 0.6) * scale * noise * (1 + 0.03 * (factor - 1))
        frame[f"shuffled_{name}"] = np.where(short, 0.3 * scale, 0.8 * scale * factor**0.5) * np.exp(
            rng.normal(0, 0.35, n)
        )
    frame["condition"] = np.exp(rng.normal(10, 1, n))
    frame["leverage"] = rng.uniform(0.1, 0.9, n)
    frame["residual"] = rng.uniform(0.2, 0.9, n)
    frame["effective_rank"] = rng.uniform(2, 6, n)
    return frame


def _grades(folder, identity, benchmarks):
    """Four samples of ten problems each; a method is right where its level is above the problem's."""
    level = ENDS[identity["method"]][1] + 0.01 * identity["seed"]
    for benchmark in benchmarks:
        rows = [
            {"id": f"p{problem}", "cluster": f"p{problem}", "decoding": "sampled", "sample": sample,
             "correct": bool((problem * 4 + sample) % 10 < 10 * level)}
            for problem in range(10) for sample in range(4)
        ]  # fmt: skip
        (folder / benchmark).mkdir(parents=True)
        pd.DataFrame(rows).to_parquet(folder / benchmark / "grades.parquet")
    write_record(folder, "grade", identity)


def _evaluate(folder, identity, rng):
    entropy, reward, *_ = ENDS[identity["method"]]
    samples = 16 if identity["benchmark"] == "noisy-sum" else 0
    level = min(0.995, reward + rng.normal(0, 0.004))
    values = {"mean@1": min(1.0, level + 0.05)}
    if samples:
        values["mean@16"] = level
        values |= {f"pass@{k}": round(1 - (1 - level) ** (0.8 * k**0.5 + 0.2), 3) for k in (1, 2, 4, 8, 16)}
        values["distinct@16"] = 0.2 + 2 * entropy + rng.normal(0, 0.01)
    folder.mkdir(parents=True)
    metrics = {name: {"value": float(value), "stderr": 0.01} for name, value in values.items()}
    content = {"benchmark": identity["benchmark"], "problems": 100, "metrics": metrics}
    (folder / "scores.json").write_text(json.dumps(content))
    write_record(folder, "evaluate", identity, metrics={name: m["value"] for name, m in metrics.items()})
