"""Speed, accuracy and memory of ``relax.koopman`` against its targets: ratios within one run, one thread.

    python benchmarks/koopman.py --out results/bench/koopman.json

Times are CPU time of this process, the smallest of several repeats; what is compared is run in turns, so
that a machine that slows down slows all of it. ``--quick`` runs small sizes: it shows that the benchmark
works, and its numbers mean nothing.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

# Before torch: one thread.
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import torch
from common import Result, in_turns, main, peak_above, result

from relax.koopman import SPECTRA, Dictionary, dsd, trajectory_statistics
from relax.koopman.spectrum import spectral_variance

#: T, d, m, B of the large term, matrices of the small stage, repeats.
FULL = {"T": 3072, "d": 3584, "m": 50, "B": 16, "matrices": 256, "accuracy_T": (512, 3072), "repeats": 5}
QUICK = {"T": 128, "d": 64, "m": 8, "B": 4, "matrices": 16, "accuracy_T": (64, 128), "repeats": 2}
Sizes = dict[str, Any]


def states(kind: str, batch: int, length: int, width: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """(B, T, d) of unit variance: ``noise``, or ``correlated`` with 0.9 from state to state."""
    made = torch.empty(batch, length, width, dtype=dtype)
    generator = torch.Generator().manual_seed(0)
    for row in made:  # row by row: the benchmark's own peak must not hide that of the library
        row.normal_(generator=generator)
        if kind == "correlated":
            for t in range(1, length):
                row[t] = 0.9 * row[t - 1] + (1 - 0.9**2) ** 0.5 * row[t]
    return made


def whole_term(sizes: Sizes) -> list[Result]:
    """Forward and backward of the mean DSD against the bare product, and against a loop with pinv and svd."""
    hidden = states("noise", sizes["B"], sizes["T"], sizes["d"]).requires_grad_()
    mask = torch.ones(sizes["B"], sizes["T"], dtype=torch.bool)
    weight = Dictionary.random(sizes["d"], sizes["m"]).weight
    upstream = torch.ones(sizes["B"], sizes["T"], sizes["m"])

    def product() -> None:
        hidden.grad = None
        (hidden @ weight).backward(upstream)

    def ours(spectrum: str) -> None:
        hidden.grad = None
        dsd(hidden, weight, mask, spectrum).mean().backward()

    def loop(rows: Callable[[], list[torch.Tensor]]) -> None:
        hidden.grad = None
        values = []
        for row in rows():
            psi = torch.sigmoid(row @ weight)
            koopman = torch.linalg.pinv(psi[:-1]) @ psi[1:]
            values.append(torch.linalg.svdvals(koopman).var())
        torch.stack(values).mean().backward()

    seconds = in_turns(
        sizes["repeats"],
        product=product,
        eigenvalues=lambda: ours("eigenvalues"),
        singular_values=lambda: ours("singular_values"),
        loop=lambda: loop(lambda: list(hidden.unbind(0))),
        indexed_loop=lambda: loop(lambda: [hidden[i] for i in range(len(hidden))]),
    )
    lines = []
    for spectrum in SPECTRA:
        share, times = seconds["product"] / seconds[spectrum], seconds["loop"] / seconds[spectrum]
        lines += [
            result(f"forward + backward, {spectrum}: speed of the bare GEMM reached", share, ">= 0.75", share >= 0.75,
                   gemm_s=seconds["product"], dsd_s=seconds[spectrum]),
            result(f"forward + backward, {spectrum}: times faster than a loop of pinv + svd", times, ">= 3", times >= 3,
                   loop_s=seconds["loop"], dsd_s=seconds[spectrum]),
        ]  # fmt: skip
    times = seconds["indexed_loop"] / seconds["singular_values"]
    lines.append(
        result(
            "the same, of a loop over hidden[i] (a zero gradient per slice)",
            times,
            "",
            None,
            loop_s=seconds["indexed_loop"],
        )
    )
    return lines


def accuracy(sizes: Sizes) -> list[Result]:
    """Worst relative error of DSD against float64 states, over two kinds of states, two lengths, two spectra."""
    lines = []
    for dtype, limit in ((torch.float32, 1e-5), (torch.bfloat16, 1e-2)):
        found = {}
        for kind in ("noise", "correlated"):
            for length in sizes["accuracy_T"]:
                exact = states(kind, 4, length, min(sizes["d"], 896), torch.float64)
                mask = torch.ones(exact.shape[:2], dtype=torch.bool)
                weight = Dictionary.random(exact.shape[2], sizes["m"]).weight
                for spectrum in SPECTRA:
                    reference = dsd(exact, weight.double(), mask, spectrum)
                    error = (dsd(exact.to(dtype), weight, mask, spectrum) / reference - 1).abs().max().item()
                    found[f"{kind}, T = {length}, {spectrum}"] = error
        worst = max(found.values())
        name = f"relative error of DSD, {str(dtype).removeprefix('torch.')} states"
        lines.append(result(name, worst, f"<= {limit:g}", worst <= limit, worst_at=max(found, key=found.__getitem__)))
    return lines


def small_matrices(sizes: Sizes) -> list[Result]:
    """From K to DSD and its gradient against LAPACK's factorisation alone, on one thread and on all."""
    psi = torch.sigmoid(states("correlated", sizes["matrices"], 4 * sizes["m"], sizes["m"], torch.float64))
    gram, cross = psi[:, :-1].mT @ psi[:, :-1], psi[:, :-1].mT @ psi[:, 1:]
    koopman = torch.linalg.solve(gram + 1e-3 * torch.eye(sizes["m"], dtype=torch.float64), cross)
    lapack = {"eigenvalues": torch.linalg.eig, "singular_values": torch.linalg.svd}

    def ours(spectrum: str) -> None:
        leaf = koopman.clone().requires_grad_()
        spectral_variance(leaf, spectrum)[0].sum().backward()

    lines = []
    for spectrum in SPECTRA:
        work = {"ours": lambda s=spectrum: ours(s), "lapack": lambda s=spectrum: lapack[s](koopman)}
        seconds = in_turns(4 * sizes["repeats"], **work)
        ratio = seconds["ours"] / seconds["lapack"]
        name = f"{sizes['matrices']} matrices, {spectrum} with gradient: times LAPACK's own"
        lines.append(result(name, ratio, "<= 1.3", ratio <= 1.3, **seconds))
    return [*lines, _cores(lambda: ours("eigenvalues"), sizes)]


def _cores(work: Callable[[], None], sizes: Sizes) -> Result:
    """Wall time on one thread over that on all cores: the only number here that neighbours disturb."""

    def wall(threads: int) -> float:
        torch.set_num_threads(threads)
        best = float("inf")
        for _ in range(4 * sizes["repeats"]):
            start = time.perf_counter()
            work()
            best = min(best, time.perf_counter() - start)
        torch.set_num_threads(1)
        return best

    cores = len(os.sched_getaffinity(0))
    return result(f"the same, eigenvalues: times faster in wall time on {cores} cores", wall(1) / wall(cores), "", None)


def memory(sizes: Sizes) -> list[Result]:
    """Peak above the hidden states, as a share of them, in processes of their own."""
    lines = []
    for dtype in ("float32", "bfloat16"):
        command = [sys.executable, __file__, "--memory-probe", json.dumps(sizes | {"dtype": dtype})]
        probe = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        share = probe["above"] / probe["hidden"]
        name = f"streaming statistics: peak above {dtype} hidden states, as a share of them"
        megabytes = {f"{key}_mb": number / 1e6 for key, number in probe.items()}
        lines.append(result(name, share, "< 0.05", share < 0.05, **megabytes))
    return lines


def memory_probe(sizes: Sizes) -> dict[str, int]:
    """Bytes of the hidden states and of what the process needed beyond them at its peak."""
    weight = Dictionary.random(sizes["d"], sizes["m"]).weight
    dtype = getattr(torch, sizes["dtype"])
    small = states("noise", 1, 2, sizes["d"], dtype)
    trajectory_statistics(small, weight, torch.ones(1, 2, dtype=torch.bool)).dsd()  # libraries load their own memory
    hidden = states("noise", sizes["B"], sizes["T"], sizes["d"], dtype)
    mask = torch.ones(hidden.shape[:2], dtype=torch.bool)
    return {"hidden": hidden.nbytes, "above": peak_above(lambda: trajectory_statistics(hidden, weight, mask).dsd())}


def gpu(sizes: Sizes, quick: bool) -> list[Result]:
    """The whole term as a share of a training step of a 0.5B model at B = 16, T = 1024, in bfloat16."""
    names = [f"GPU, {spectrum}: share of a training step of a 0.5B model" for spectrum in SPECTRA]
    if not torch.cuda.is_available():
        return [result(name, None, "< 0.02", None, skipped="no CUDA device") for name in names]
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.set_num_threads(len(os.sched_getaffinity(0)))  # the small matrices are factorised on the CPU
    batch, length = (2, 64) if quick else (16, 1024)
    config = Qwen2Config(  # the sizes of Qwen2.5-0.5B
        vocab_size=151936, hidden_size=896, num_hidden_layers=2 if quick else 24, num_attention_heads=14,
        num_key_value_heads=2, intermediate_size=4864, tie_word_embeddings=True,
    )  # fmt: skip
    model = Qwen2ForCausalLM(config).to("cuda", torch.bfloat16)
    optimizer = torch.optim.AdamW(model.parameters())
    tokens = torch.randint(config.vocab_size, (batch, length), device="cuda")
    hidden = states("noise", batch, length, config.hidden_size).to("cuda", torch.bfloat16).requires_grad_()
    weight = Dictionary.random(config.hidden_size, sizes["m"]).weight.to("cuda")
    mask = torch.ones(batch, length, dtype=torch.bool, device="cuda")

    def step() -> None:
        model(input_ids=tokens, labels=tokens).loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def term(spectrum: str) -> None:
        hidden.grad = None
        dsd(hidden, weight, mask, spectrum).mean().backward()

    whole = _gpu_seconds(step, sizes["repeats"])
    lines = []
    for name, spectrum in zip(names, SPECTRA, strict=True):
        own = _gpu_seconds(lambda s=spectrum: term(s), sizes["repeats"])
        lines.append(
            result(
                name,
                own / whole,
                "< 0.02",
                own / whole < 0.02,
                term_s=own,
                step_s=whole,
                device=torch.cuda.get_device_name(0),
            )
        )
    return lines


def _gpu_seconds(work: Callable[[], None], repeats: int) -> float:
    best = float("inf")
    for _ in range(repeats + 2):
        torch.cuda.synchronize()
        start = time.perf_counter()
        work()
        torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return best


def everything(sizes: Sizes, quick: bool) -> list[Result]:
    """Every row of the table."""
    return [*whole_term(sizes), *accuracy(sizes), *small_matrices(sizes), *memory(sizes), *gpu(sizes, quick)]


if __name__ == "__main__":
    main(__doc__, (FULL, QUICK), everything, memory_probe)
