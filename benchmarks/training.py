"""What the DSD term costs a training step: ReLaXTrainer against TRL's GRPOTrainer, ratios within one run.

    python benchmarks/training.py --out results/bench/training.json

The whole ``_compute_loss`` of a micro-batch, forward and backward, with the weights at hand, as they are
when TRL runs its old-log-probability pass anyway; and what that pass costs more when it is listened to. On
a CPU: one thread, CPU time, the smallest of several repeats taken in turns. On a GPU: wall time between
synchronisations. ``--quick`` runs small sizes: it shows that the benchmark works.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# Before torch: one thread.
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import torch
from common import Result, in_turns, main, peak_above, result
from datasets import Dataset
from transformers import Qwen2Config, Qwen2ForCausalLM
from trl import GRPOConfig, GRPOTrainer

from relax import ReLaXConfig, ReLaXTrainer
from relax.koopman import SPECTRA, Dictionary
from relax.models.scratch import make_tokenizer

#: layers, d, heads, B responses of T tokens, vocabulary, m.
FULL = {"layers": 4, "d": 512, "heads": 8, "B": 4, "T": 1024, "vocabulary": 98, "m": 50, "repeats": 5}
QUICK = {"layers": 2, "d": 32, "heads": 2, "B": 4, "T": 64, "vocabulary": 98, "m": 8, "repeats": 1}
#: The sizes of Qwen2.5-0.5B.
GPU = {"layers": 24, "d": 896, "heads": 14, "B": 8, "T": 1024, "vocabulary": 151936, "m": 50, "repeats": 10}
Sizes = dict[str, Any]
PROMPT = 32
ARMS = ("grpo", *SPECTRA, "logging")


def model(sizes: Sizes) -> Qwen2ForCausalLM:
    """A random policy; the same one for every trainer."""
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=sizes["vocabulary"], hidden_size=sizes["d"], num_hidden_layers=sizes["layers"],
        num_attention_heads=sizes["heads"], num_key_value_heads=sizes["heads"], intermediate_size=4 * sizes["d"],
        max_position_embeddings=sizes["T"] + PROMPT, pad_token_id=0, eos_token_id=1, bos_token_id=None,
    )  # fmt: skip
    return Qwen2ForCausalLM(config)


def trainer(kind: type, sizes: Sizes, folder: Path, **options: Any) -> GRPOTrainer:
    """A trainer that is never trained, only asked for losses; groups of two responses."""
    tokenizer = make_tokenizer("0123456789+:=;")
    config = ReLaXConfig if kind is ReLaXTrainer else GRPOConfig
    cuda = sizes.get("cuda", False)
    arguments = config(
        output_dir=str(folder), use_cpu=not cuda, bf16=cuda, per_device_train_batch_size=sizes["B"], num_generations=2,
        max_completion_length=sizes["T"], report_to="none", disable_tqdm=True, beta=0.0, gradient_checkpointing=False,
        **options,
    )  # fmt: skip
    rows = Dataset.from_list([{"prompt": "1+1:"}] * sizes["B"])
    policy = model(sizes).to("cuda" if cuda else "cpu")
    made = kind(
        model=policy, reward_funcs=lambda **_: [0.0], args=arguments, train_dataset=rows, processing_class=tokenizer
    )
    made.model.train()
    made.current_gradient_accumulation_steps = 1
    return made


def batch(sizes: Sizes, device: torch.device) -> dict[str, torch.Tensor]:
    """A micro-batch of full-length responses, half of them with a positive advantage."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(2, sizes["vocabulary"], (sizes["B"], PROMPT + sizes["T"]), generator=generator)
    made = {
        "prompt_ids": ids[:, :PROMPT],
        "prompt_mask": torch.ones(sizes["B"], PROMPT, dtype=torch.long),
        "completion_ids": ids[:, PROMPT:],
        "completion_mask": torch.ones(sizes["B"], sizes["T"], dtype=torch.long),
        "advantages": torch.tensor([1.0, -1.0]).repeat(sizes["B"] // 2),
        "num_items_in_batch": torch.tensor(sizes["B"] * sizes["T"]),
    }
    return {name: value.to(device) for name, value in made.items()}


def losses(sizes: Sizes, folder: Path, arms: Sequence[str] = ARMS) -> dict[str, Callable[[], None]]:
    """Forward and backward of one micro-batch, by arm."""
    options = {"kl_mode": "none", "koopman_dim": sizes["m"], "dictionary": str(folder / "dictionary.safetensors")}
    Dictionary.random(sizes["d"], sizes["m"]).save(options["dictionary"])
    work: dict[str, Callable[[], None]] = {}
    for name in arms:
        if name == "grpo":
            one = trainer(GRPOTrainer, sizes, folder)
        elif name == "logging":
            one = trainer(ReLaXTrainer, sizes, folder, alpha=0.0, **options)
        else:
            one = trainer(ReLaXTrainer, sizes, folder, alpha=0.1, spectrum=name, **options)
        inputs = batch(sizes, one.accelerator.device)
        if name in SPECTRA:
            inputs |= measured(one, inputs)
            one.exploration.weigh(inputs, 2)
        work[name] = lambda one=one, inputs=inputs: loss(one, inputs)
        if name == "logging":
            work |= passes(one, sizes)
    return work


@torch.no_grad()
def measured(one: ReLaXTrainer, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """DSD of the micro-batch, as a generation batch brings it along."""
    found: dict[str, torch.Tensor] = {}
    with one._listening(one.model, lambda hidden, mask, _: found.update(one.exploration.measure(hidden, mask))):
        policy_pass(one, inputs)
    return found


def policy_pass(one: ReLaXTrainer, inputs: dict[str, torch.Tensor]) -> None:
    """The log-probabilities of a micro-batch."""
    tokens, attention = (
        torch.cat([inputs[f"prompt_{of}"], inputs[f"completion_{of}"]], dim=1) for of in ("ids", "mask")
    )
    one._get_per_token_logps_and_entropies(one.model, tokens, attention, inputs["completion_ids"].size(1))


def loss(one: GRPOTrainer, inputs: dict[str, torch.Tensor]) -> None:
    """One micro-step."""
    one.model.zero_grad()
    one.accelerator.backward(one._compute_loss(one.model, inputs))


def passes(one: ReLaXTrainer, sizes: Sizes) -> dict[str, Callable[[], None]]:
    """TRL's pass without gradient, alone and listened to."""
    inputs = batch(sizes, one.accelerator.device)

    def alone() -> None:
        with torch.no_grad():
            policy_pass(one, inputs)

    def heard() -> None:
        with one._listening(one.model, lambda hidden, mask, _: one.exploration.measure(hidden, mask)):
            alone()

    return {"pass": alone, "pass_heard": heard}


def time_of(work: dict[str, Callable[[], None]], sizes: Sizes) -> list[Result]:
    """Ratios of the arms."""
    seconds = _gpu_turns(work, sizes["repeats"]) if sizes.get("cuda") else in_turns(sizes["repeats"], **work)
    where = f"{torch.cuda.get_device_name(0)}: " if sizes.get("cuda") else ""
    lines = []
    for spectrum in SPECTRA:
        ratio = seconds[spectrum] / seconds["grpo"]
        lines.append(
            result(
                f"{where}loss with the term, {spectrum}: times GRPO's",
                ratio,
                "<= 1.03",
                ratio <= 1.03,
                relax_s=seconds[spectrum],
                grpo_s=seconds["grpo"],
            )
        )
    ratio = seconds["logging"] / seconds["grpo"]
    lines.append(result(f"{where}loss without the term, DSD logged: times GRPO's", ratio, "", None))
    ratio = seconds["pass_heard"] / seconds["pass"]
    lines.append(result(f"{where}TRL's pass when it is listened to: times the pass", ratio, "", None))
    ratio = seconds["pass"] / seconds["grpo"]
    lines.append(result(f"{where}a pass of its own, where TRL has none: share of GRPO's loss", ratio, "", None))
    return lines


def _gpu_turns(work: dict[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    best = dict.fromkeys(work, float("inf"))
    for turn in range(repeats + 2):
        for name, do in work.items():
            torch.cuda.synchronize()
            start = time.perf_counter()
            do()
            torch.cuda.synchronize()
            if turn > 1:
                best[name] = min(best[name], time.perf_counter() - start)
    return best


def memory(sizes: Sizes) -> list[Result]:
    """Peak of a micro-step above what is held before, in a process for each arm."""
    peaks = {}
    for name in ("grpo", *SPECTRA):
        command = [sys.executable, __file__, "--memory-probe", json.dumps(sizes | {"arm": name})]
        # What is freed goes back to the system at once, or the next peak would hide in what is kept.
        environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}
        ended = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        peaks[name] = json.loads(ended.stdout.splitlines()[-1])
    lines = []
    for spectrum in SPECTRA:
        ratio = peaks[spectrum] / peaks["grpo"]
        lines.append(
            result(
                f"peak memory of the loss, {spectrum}: times GRPO's",
                ratio,
                "<= 1.02",
                ratio <= 1.02,
                relax_mb=peaks[spectrum] / 1e6,
                grpo_mb=peaks["grpo"] / 1e6,
            )
        )
    return lines


def memory_probe(sizes: Sizes) -> int:
    """Bytes at the peak of the second micro-step of one arm."""
    with tempfile.TemporaryDirectory() as folder:
        work = losses(sizes, Path(folder), [sizes["arm"]])
        work[sizes["arm"]]()  # libraries load their own memory, gradients are there
        return peak_above(work[sizes["arm"]])


def gpu(quick: bool) -> list[Result]:
    """The same in bfloat16 at the sizes of Qwen2.5-0.5B."""
    name = "GPU: loss with the term, times GRPO's"
    if not torch.cuda.is_available():
        return [result(name, None, "<= 1.03", None, skipped="no CUDA device")]
    torch.set_num_threads(len(os.sched_getaffinity(0)))  # the small matrices are factorised on the CPU
    sizes = (QUICK if quick else GPU) | {"cuda": True}
    with tempfile.TemporaryDirectory() as folder:
        return time_of(losses(sizes, Path(folder)), sizes)


def everything(sizes: Sizes, quick: bool) -> list[Result]:
    """Every row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        return [*time_of(losses(sizes, Path(folder)), sizes), *memory(sizes), *gpu(quick)]


if __name__ == "__main__":
    main(__doc__, (FULL, QUICK), everything, memory_probe)
