#!/usr/bin/env bash
# transformers 5.17.0, torch 2.13.0, accelerate 1.15.0, on a CPU (2026-11-30).
#
# A guess: a Trainer that resumes from a checkpoint without scheduler.pt starts the schedule anew, keeps the optimizer's
# state, and says what was missing. Seen: it loads optimizer.pt only where scheduler.pt lies beside it. With a constant
# schedule, where scheduler.pt holds nothing of value, Adam's moments are lost with it: no error, no warning, other
# weights. A missing rng_state.pth is passed over in the same way (it changes nothing here: nothing is random). A missing
# trainer_state.json or model.safetensors is an error.
#
# Output seen:
#   intact: the weights of the run that was never stopped
#   without scheduler.pt: off by 0.0671, warnings: 0
#   without optimizer.pt: off by 0.0671, warnings: 0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.17.0 accelerate==1.15.0
cd "$work"
OMP_NUM_THREADS=1 "$work/venv/bin/python" - <<'PYTHON'
import logging
import shutil
import warnings
from pathlib import Path

import torch
from transformers import Trainer, TrainingArguments


class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 32

    def __getitem__(self, i):
        x = torch.randn(4, generator=torch.Generator().manual_seed(i))
        return {"x": x, "labels": x.sum()}


class Line(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.line = torch.nn.Linear(4, 1)

    def forward(self, x, labels):
        out = self.line(x).squeeze(-1)
        return {"loss": ((out - labels) ** 2).mean(), "logits": out}


said = []


class Listener(logging.Handler):
    def emit(self, record):
        said.append(record.getMessage())


logging.getLogger("transformers").addHandler(Listener(logging.WARNING))


def weights(folder, checkpoint=None):
    arguments = TrainingArguments(
        folder, max_steps=8, save_steps=4, per_device_train_batch_size=4, learning_rate=0.1,
        lr_scheduler_type="constant", report_to="none", use_cpu=True, seed=0, logging_strategy="no", disable_tqdm=True,
    )
    trainer = Trainer(model=Line(), args=arguments, train_dataset=Rows())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer.train(resume_from_checkpoint=checkpoint)
    said.extend(str(w.message) for w in caught if checkpoint)
    return trainer.model.line.weight.detach().clone()


straight = weights("run")
assert torch.equal(straight, weights("again", "run/checkpoint-4"))
print("intact: the weights of the run that was never stopped")
for name in ("scheduler.pt", "optimizer.pt"):
    shutil.copytree("run/checkpoint-4", "cut")
    Path("cut", name).unlink()
    said.clear()
    off = (straight - weights("resumed", "cut")).abs().max().item()
    print(f"without {name}: off by {off:.4f}, warnings: {len(said)}")
    assert off > 0.01 and not said, (off, said)
    shutil.rmtree("cut")
PYTHON
