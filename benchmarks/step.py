"""What an optimizer step costs: ReLaXTrainer with its terms against TRL's GRPOTrainer, ratios within one run.

    python benchmarks/step.py --out results/bench/step.json

A generation batch has 64 responses, eight to each of eight prompts, and micro-batches of four. Its lengths are those of
``lengths.json``: they were drawn from a lognormal, and the longest is four times the mean. The policy has random
weights and the sizes of SmolLM2-135M. Both trainers share it, the reference and the optimizer, whose learning rate is
0, so that every turn does the same. On a CPU: one thread, CPU time, the smallest of several turns. Where there is a
CUDA device all but the comparison of gradients runs there instead: four times the lengths, in bfloat16, wall time
between synchronisations.
``--quick`` runs small sizes: it shows that the benchmark works.
"""

import gc
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import NormalDist
from typing import Any

# Before torch: one thread.
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import torch
from common import Result, main, peak_above, result
from random_policy import LENGTHS
from step_trainers import GROUP, MICRO, PROMPTS, TERMS, TRL, Bench, ReLaX, Seconds, Sizes

#: layers, d, heads, heads of keys and values, width of the MLP, vocabulary, m, times the lengths, turns.
FULL = {
    "layers": 30, "d": 576, "heads": 9, "kv_heads": 3, "mlp": 1536, "vocabulary": 49152, "m": 50, "longer": 1,
    "repeats": 3, "cuda": False,
}  # fmt: skip
GPU = FULL | {"longer": 4, "repeats": 2, "cuda": True}
QUICK = {
    "layers": 2, "d": 32, "heads": 4, "kv_heads": 2, "mlp": 64, "vocabulary": 98, "m": 6, "longer": 0.125,
    "repeats": 1, "cuda": False,
}  # fmt: skip
#: A third of everything, for the time of a step against longest/mean.
THIRD = {"layers": 10, "d": 192, "heads": 3, "kv_heads": 1, "mlp": 512, "vocabulary": 16384, "m": 50}
RATIOS = (1, 2, 4, 6)
#: For gradients and weights, which are compared number by number.
SMALL = {
    "layers": 4, "d": 64, "heads": 4, "kv_heads": 2, "mlp": 192, "vocabulary": 1024, "m": 12, "longer": 0.25,
    "cuda": False,
}  # fmt: skip
#: What makes ReLaXTrainer TRL's.
PLAIN = {"alpha": 0.0, "xi": None, "beta": 0.0, "kl_mode": "none"}
#: Two updates of a generation, for which TRL needs old log-probabilities.
BATCHES = PROMPTS * GROUP // MICRO
TWICE = {"gradient_accumulation_steps": BATCHES // 2, "steps_per_generation": BATCHES}


def lengths(sizes: Sizes) -> list[int]:
    """Tokens of each response."""
    return [max(2, round(length * sizes["longer"])) for length in json.loads(LENGTHS.read_text())]


def heavy_tailed(ratio: float, mean: float, count: int = PROMPTS * GROUP) -> list[int]:
    """Quantiles of the lognormal whose longest is ``ratio`` times the mean, in an order of chance."""
    normal = torch.tensor([NormalDist().inv_cdf((i + 0.5) / count) for i in range(count)])
    low, high = 0.0, 2.0
    while high - low > 1e-6:
        spread = (low + high) / 2
        values = (spread * normal).exp()
        low, high = (spread, high) if values.max() < ratio * values.mean() else (low, spread)
    found = (values * mean / values.mean()).round().long()
    return found[torch.randperm(count, generator=torch.Generator().manual_seed(0))].tolist()


def in_turns(repeats: int, work: dict[str, Callable[[], Seconds]]) -> dict[str, Seconds]:
    """Smallest seconds of everything that a piece of work counts."""
    best: dict[str, Seconds] = {}
    for _ in range(repeats):
        for name, do in work.items():
            gc.collect()
            spent = do()
            best[name] = Counter({key: min(seconds, best.get(name, spent)[key]) for key, seconds in spent.items()})
    return best


# The rows of the table --------------------------------------------------------------------------


def judged(name: str, value: float, target: float | None, **detail: Any) -> Result:
    """A row; without a target it only informs."""
    if target is None:
        return result(name, value, "", None, **detail)
    return result(name, value, f"<= {target}", value <= target, **detail)


def times(name: str, target: float | None, ours: Seconds, trls: Seconds, plus: str, minus: str = "") -> Result:
    """What is counted under ``plus`` and not under ``minus``, times TRL's."""
    spent = {
        f"{who}_{clock}_s": counted[f"{plus} {clock}"] - counted[f"{minus} {clock}"]
        for clock in ("cpu", "wall")
        for who, counted in (("relax", ours), ("trl", trls))
    }
    clock = "wall" if torch.cuda.is_initialized() else "cpu"
    return judged(f"{name}: times TRL's", spent[f"relax_{clock}_s"] / spent[f"trl_{clock}_s"], target, **spent)


def steps(sizes: Sizes, folder: Path) -> list[Result]:
    """Loss, passes and whole steps."""
    bench = Bench(sizes, lengths(sizes), folder)
    asked = {**TWICE, "beta": TERMS["beta"]}
    trl, relax = bench.trainer(TRL), bench.trainer(ReLaX)
    trl.generates = relax.generates = True
    work = {
        "trl": trl.step,
        "relax": relax.step,
        "tokens": bench.by_tokens().step,
        "trl passes": bench.trainer(TRL, **asked).passes,
        "relax passes": bench.trainer(ReLaX, **asked).passes,
    }
    best = in_turns(sizes["repeats"], work)
    ours, trls, tokens = best["relax"], best["trl"], best["tokens"]
    handed, by_tokens = "step, generation handed over", "micro-batches by tokens"
    return [
        times("loss and backward", 0.45, ours, trls, "micro-steps", "scoring"),
        times(f"loss and backward, {by_tokens}", 0.4, tokens, trls, "micro-steps", "scoring"),
        times("passes without gradient", 0.45, best["relax passes"], best["trl passes"], "scoring", "generation"),
        times(handed, 0.5, ours, trls, "step", "generation"),
        times(f"{handed}, {by_tokens}", None, tokens, trls, "step", "generation"),
        times("step with generation", 0.5, ours, trls, "step"),
        times("generation alone", None, ours, trls, "generation"),
    ]


def curve(sizes: Sizes, folder: Path) -> list[Result]:
    """A step of a smaller policy against longest/mean."""
    own = lengths(sizes)
    mean, rows = sum(own) / len(own), []
    for ratio in RATIOS:
        bench = Bench(sizes, heavy_tailed(ratio, mean), folder)
        best = in_turns(2, {"trl": bench.trainer(TRL).step, "relax": bench.trainer(ReLaX).step})
        name = f"step of a third of the sizes, generation handed over, longest/mean {ratio}"
        rows.append(times(name, None, best["relax"], best["trl"], "step", "generation"))
        rows[-1]["detail"] |= {"ratio": ratio}
    return rows


def gradients(folder: Path, sizes: Sizes = SMALL) -> list[Result]:
    """Equality with TRL: of gradients in float64, of weights to the bit."""
    rows, own = [], lengths(sizes)
    for dtype, target in ((torch.float64, 1e-6), (torch.float32, None)):
        bench = Bench(sizes, own, folder, dtype=dtype)
        found = bench.trainer(ReLaX, **PLAIN).gradient()
        if dtype == torch.float64:
            expected = bench.trainer(TRL, PROMPTS * GROUP).gradient()
        error = sum((found[name] - exact).square().sum() for name, exact in expected.items())
        error = (error / sum(exact.square().sum() for exact in expected.values())).sqrt().item()
        precision = str(dtype).removeprefix("torch.")
        rows.append(judged(f"gradient, {precision}: relative error to TRL's of the batch", error, target, sizes=sizes))
    weights = []
    for kind, options in ((TRL, {}), (ReLaX, PLAIN | {"length_order": False})):
        bench = Bench(sizes, own, folder, rate=1e-3)
        bench.trainer(kind, max_steps=2, **TWICE, **options).step()
        weights.append(bench.policy.state_dict())
    differ = sum(not torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    rows.append(judged("length order off, no terms: tensors of weights that differ from TRL's", differ, 0))
    return rows


# Memory -----------------------------------------------------------------------------------------


def memory(sizes: Sizes) -> list[Result]:
    """Peak of a step above what is held before, in a process for each trainer.

    The step has the eight longest responses alone: its widest micro-batch decides, which is the same.
    """
    peaks = {}
    # What is freed goes back to the system at once, or the next peak would hide in what is kept.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}
    for arm in ("trl", "relax", "by tokens"):
        command = [sys.executable, __file__, "--memory-probe", json.dumps(sizes | {"arm": arm})]
        ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
        peaks[arm] = json.loads(ended.stdout.splitlines()[-1])
    names = {"relax": "peak memory of a step", "by tokens": "peak memory of a step, micro-batches by tokens"}
    return [
        judged(
            f"{name}: times TRL's", peaks[arm] / peaks["trl"], 1.0, relax_mb=peaks[arm] / 1e6, trl_mb=peaks["trl"] / 1e6
        )
        for arm, name in names.items()
    ]


def memory_probe(sizes: Sizes) -> int:
    """Bytes at the peak of a step."""

    def step(sizes: Sizes) -> Callable[[], Seconds]:
        bench = Bench(sizes, sorted(lengths(sizes))[-GROUP:], Path(folder))
        if sizes["arm"] == "by tokens":
            return bench.by_tokens().step
        return bench.trainer(TRL if sizes["arm"] == "trl" else ReLaX).step

    with tempfile.TemporaryDirectory() as folder:
        step(QUICK | {name: sizes[name] for name in ("arm", "cuda")})()  # libraries load their own memory
        work = step(sizes)
        if not sizes["cuda"]:
            return peak_above(work)
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return torch.cuda.max_memory_allocated() - before


def everything(sizes: Sizes, quick: bool) -> list[Result]:
    """Every row of the table."""
    small = QUICK if quick else THIRD | {name: sizes[name] for name in ("longer", "cuda")}
    with tempfile.TemporaryDirectory() as folder:
        found = [*steps(sizes, Path(folder)), *curve(small, Path(folder))]
        if not sizes["cuda"]:  # numbers are compared in float64
            found += gradients(Path(folder))
    return [*found, *memory(sizes)]


if __name__ == "__main__":
    main(__doc__, (GPU if torch.cuda.is_available() else FULL, QUICK), everything, memory_probe)
