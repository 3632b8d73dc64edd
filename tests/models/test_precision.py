"""``precision: auto`` is what the machine multiplies by itself, decides what is kept, and stands in the record."""

from pathlib import Path
from typing import Literal

import pytest
import torch

from relax.config.evaluation import Evaluation
from relax.evaluation.backends import HuggingFace, load_backend
from relax.models.precision import format_here
from tests.training.trainer_fixture import trainer, weights


def test_auto_is_what_the_processor_says_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    flags = Path("/proc/cpuinfo").read_text().split()
    expected = "bfloat16" if {"avx512_bf16", "amx_bf16"} & set(flags) else "float32"
    assert format_here("auto") == expected


@pytest.mark.parametrize(("known", "expected"), [
    ({"avx512_bf16": False, "amx_bf16": True}, "bfloat16"),
    ({"avx512_bf16": True}, "bfloat16"),
    ({"avx512_bf16": False, "amx_bf16": False}, "float32"),
    ({}, "float32"),  # another architecture
])  # fmt: skip
def test_auto_follows_the_instructions(known: dict, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known)
    assert format_here("auto") == expected
    assert [format_here(name) for name in ("float32", "bfloat16")] == ["float32", "bfloat16"]


@pytest.mark.parametrize(("precision", "expected"), [
    (None, torch.float32), ("float32", torch.float32), ("bfloat16", torch.bfloat16),
])  # fmt: skip
def test_an_evaluation_loads_the_policy_in_its_precision(
    tiny_policy: Path, precision: Literal["float32", "bfloat16"] | None, expected: torch.dtype
) -> None:
    backend = load_backend(Evaluation(precision=precision, batch_size=2), tiny_policy)
    assert isinstance(backend, HuggingFace)
    assert backend.model.dtype is expected


def test_a_record_of_today_does_not_name_the_key() -> None:
    assert "precision" not in Evaluation().recorded()
    assert Evaluation(precision="auto").recorded()["precision"] == "auto"


def test_training_in_bfloat16_updates_float32_weights_and_comes_out_the_same_twice(
    tiny_policy: Path, tmp_path: Path
) -> None:
    """An update of 1e-5 is below a unit in the last place of most bfloat16 weights: kept in it, they would not move."""
    ended = []
    for name in ("once", "again"):
        made = trainer(tiny_policy, tmp_path / name, bf16=True, alpha=0.1, learning_rate=1e-5, max_steps=2)
        before = weights(made.model)
        made.train()
        ended.append(weights(made.model))
    assert all(weight.dtype is torch.float32 for weight in ended[0].values())
    assert all(torch.equal(weight, ended[1][name]) for name, weight in ended[0].items())
    moved = [(ended[0][name] != weight).float().mean() for name, weight in before.items() if "proj" in name]
    assert min(moved) > 0.9
    assert any(torch.equal(weight.bfloat16(), ended[0][name].bfloat16()) for name, weight in before.items())
