"""What a cache takes, and that sampling keeps to it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen3Config

from relax.latent.rollouts import sample
from relax.models import cache_size
from relax.models.policy import load_policy
from relax.tasks import noisy_sum

#: Three policies of the paper, by the sizes that their configurations on the hub state, and the gigabytes that 256
#: responses of 3,222 tokens with their prompts take in 16 bits.
PAPER = {
    "Llama-3.2-3B": (LlamaConfig(hidden_size=3072, num_hidden_layers=28, num_attention_heads=24,
                                 num_key_value_heads=8, head_dim=128), 94.6),
    "Qwen3-4B": (Qwen3Config(hidden_size=2560, num_hidden_layers=36, num_attention_heads=32,
                             num_key_value_heads=8, head_dim=128), 121.6),
    "Qwen2.5-7B": (Qwen2Config(hidden_size=3584, num_hidden_layers=28, num_attention_heads=28,
                               num_key_value_heads=4), 47.3),
}  # fmt: skip


@pytest.mark.parametrize("name", PAPER)
def test_the_cache_of_the_papers_policies(name: str) -> None:
    config, gigabytes = PAPER[name]
    assert 256 * 3222 * cache_size.bytes_of_token(config, 2) / 1e9 == pytest.approx(gigabytes, abs=0.1)


def test_transformers_keeps_as_many_bytes() -> None:
    config = LlamaConfig(
        vocab_size=32, hidden_size=48, intermediate_size=64, num_hidden_layers=3, num_attention_heads=6,
        num_key_value_heads=2,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    cache = DynamicCache()
    with torch.no_grad():
        model(torch.ones(5, 7, dtype=torch.long), past_key_values=cache)
    kept = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
    assert kept == 5 * 7 * cache_size.bytes_of_token(config, 4)


def test_rows_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    config = LlamaConfig(vocab_size=32, hidden_size=48, num_hidden_layers=3, num_attention_heads=6)
    model = LlamaForCausalLM(config)
    token = 2 * 3 * 48 * 4
    monkeypatch.setattr(cache_size, "CACHE_BYTES", 100 * token)
    assert [cache_size.rows_that_fit(model, width) for width in (10, 33, 101)] == [10, 3, 1]


def test_sampling_keeps_to_it(tiny_policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, processing = load_policy(tiny_policy)
    problems = [problem for digits in (3, 5) for problem in noisy_sum.problems(2, "train", digits, seed=0)]
    widths, generate = [], model.generate

    def asked(**given: Any) -> Any:
        widths.append(tuple(given["input_ids"].shape))
        return generate(**given)

    monkeypatch.setattr(model, "generate", asked)
    token = cache_size.bytes_of_token(model.config, 4)
    monkeypatch.setattr(cache_size, "CACHE_BYTES", 60 * token)
    rollouts = sample(model, processing, problems, 3, 8, 1.0, 0, "test")
    assert [rollout.id for rollout in rollouts] == [f"{p.id}/{k}" for p in problems for k in range(3)]
    assert sum(rows for rows, _ in widths) == len(rollouts)
    assert all(rows * (width + 8) <= 60 for rows, width in widths)
    assert max(rows for rows, _ in widths) > 1
