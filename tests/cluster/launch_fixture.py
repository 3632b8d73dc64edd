"""A training of the smoke run, in several processes of this machine."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.cluster.test_slurm import metrics
from tests.workflow.workflow_fixture import ENVIRONMENT, run

#: Two processes of this machine; an epoch has ten steps.
TWO = (
    "training: {steps: 18, checkpoint_every: 2, prompts_per_step: 40, rollouts_per_prompt: 2, parallel: ddp}\n"
    "resources: {train: {gpus: 2}}\n"
)


def train_words(smoke: Path, folder: Path, text: str) -> list[str]:
    """Words of `relax` for the smoke run's training of relax-sv with a configuration of its own over it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "own.yaml").write_text(text)
    root = "results/smoke"
    return [
        "train", "--configfile", "config/config.yaml", "config/smoke.yaml", str(folder / "own.yaml"),
        "--policy", "tiny", "--method", "relax-sv", "--seed", "1", "--data", f"{root}/data/train.jsonl",
        "--base", f"{root}/base/tiny/model", "--dictionary", f"{root}/dictionary/tiny",
        "--checkpoints", str(folder / "checkpoints"), "--out", str(folder / "out"), "--log", str(folder / "log"),
    ]  # fmt: skip


def accelerated(smoke: Path, folder: Path, text: str) -> Path:
    """Folder of the results of two processes that accelerate itself has started, as a user would."""
    command = [
        "accelerate",
        "launch",
        "--config_file",
        "relax/cluster/accelerate/ddp.yaml",
        "--num_processes",
        "2",
        "--main_process_port",
        "0",
        "-m",
        "relax",
    ]
    ended = run(smoke, *command, *train_words(smoke, folder, text), timeout=900)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return folder / "out"


def begin(smoke: Path, words: list[str], **environment: str) -> subprocess.Popen:
    """`relax` in the clone, under way."""
    return subprocess.Popen(
        [shutil.which("relax", path=ENVIRONMENT["PATH"]), *words], cwd=smoke, env={**ENVIRONMENT, **environment},
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def outcome(folder: Path) -> tuple[bytes, list[dict]]:
    """Weights, and every logged number but what a clock measured."""
    return (folder / "model/model.safetensors").read_bytes(), metrics(folder)


def alive(folder: Path) -> dict[int, str]:
    """Words of the processes that have a folder among them, by process id."""
    found = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{entry}/cmdline").read_text().split("\0")
        except (OSError, UnicodeDecodeError):
            continue
        if any(str(folder) in word for word in words):
            found[int(entry)] = " ".join(words)
    return found
