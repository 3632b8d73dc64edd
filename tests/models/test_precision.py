"""``precision: auto`` is what the machine multiplies by itself, decides what is kept, and stands in the record."""

from pathlib import Path

import pytest
import torch

from relax.config.evaluation import Evaluation
from relax.evaluation.backends import load_backend
from relax.models.precision import format_here


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
def test_an_evaluation_loads_the_policy_in_its_precision(tiny_policy: Path, precision, expected) -> None:
    backend = load_backend(Evaluation(precision=precision, batch_size=2), tiny_policy)
    assert backend.model.dtype is expected


def test_a_record_of_today_does_not_name_the_key() -> None:
    assert "precision" not in Evaluation().recorded()
    assert Evaluation(precision="auto").recorded()["precision"] == "auto"
