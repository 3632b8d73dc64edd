"""What jobs take of a GPU's memory, against numbers that were worked out by hand for the paper's policies."""

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoConfig

from relax import config
from relax.cluster import memory
from relax.cluster.memory import STAGES, Shape, cache, engine, findings, logits, needs, weights
from relax.config.loading import check, merge, read_merged
from relax.latent import rollouts
from relax.models import cache_size
from tests.conftest import REPOSITORY, overlays

#: From the `config.json` of the models' pages.
LLAMA_3B = {"num_hidden_layers": 28, "num_attention_heads": 24, "num_key_value_heads": 8, "head_dim": 128} | {
    "hidden_size": 3072, "vocab_size": 128256, "torch_dtype": "bfloat16",
}  # fmt: skip
QWEN3_4B = {"num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128} | {
    "hidden_size": 2560, "vocab_size": 151936, "torch_dtype": "bfloat16",
}  # fmt: skip
QWEN_7B = {"num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4} | {
    "hidden_size": 3584, "vocab_size": 152064, "torch_dtype": "bfloat16",
}  # fmt: skip
SEVEN = Shape.of(7.62, QWEN_7B)


def plan(name: str, **changes: Any) -> config.Experiment:
    """A shipped configuration with other values."""
    files = [REPOSITORY / "config" / "config.yaml", *overlays(REPOSITORY / "config" / f"{name}.yaml")]
    return check(merge(read_merged(files), changes))


@pytest.mark.parametrize(
    ("parameters", "described", "gigabytes"),
    [(3.21, LLAMA_3B, 94.6), (4.02, QWEN3_4B, 121.6), (7.62, QWEN_7B, 47.3)],
    ids=["llama-3.2-3b", "qwen3-4b", "qwen2.5-7b"],
)
def test_the_cache_of_256_responses(parameters: float, described: dict[str, Any], gigabytes: float) -> None:
    shape = Shape.of(parameters, described)
    assert cache(shape, 256, 3222, 2) == pytest.approx(gigabytes, abs=0.05)
    assert cache(shape, 256, 3222, 4) == 2 * cache(shape, 256, 3222, 2)


def test_weights_logits_and_a_whole_window() -> None:
    assert weights(SEVEN, 4) == pytest.approx(30.5, abs=0.05)
    assert weights(SEVEN, 2) / 1.024**3 == pytest.approx(14.2, abs=0.05)  # in units of 2^30 bytes
    assert cache(SEVEN, 1, 131072, 2) / 1.024**3 == pytest.approx(7.0, abs=0.05)
    assert logits(SEVEN, 4 * 3072, 4) == pytest.approx(2 * 4 * 3072 * 152064 * 4 / 1e9)


def test_a_token_of_the_cache_is_that_of_the_code_that_generates() -> None:
    for described, kind in ((LLAMA_3B, "llama"), (QWEN3_4B, "qwen3"), (QWEN_7B, "qwen2")):
        theirs = AutoConfig.for_model(kind, **described)
        assert 2 * Shape.of(1.0, described).cached == cache_size.bytes_of_token(theirs, 2)
    nested = {"text_config": QWEN_7B, "vision_config": {"num_hidden_layers": 99}, "torch_dtype": "float32"}
    assert Shape.of(1.0, nested).cached == SEVEN.cached
    assert (memory.ROWS, memory.CACHE) == (rollouts.BATCH, cache_size.CACHE_BYTES)


def test_a_training_in_one_process_holds_all_and_a_shared_one_its_part() -> None:
    shape = Shape.of(8.29, QWEN_7B)
    alone = plan("paper_multimodal", training={"parallel": "none", "rollouts": "transformers"})
    parts = needs(alone, "qwen2.5-vl-7b", "train", shape, 80)
    assert parts["weights, gradients, optimizer and reference"] == pytest.approx(165.8)
    assert sum(parts.values()) > 80
    shared = plan("paper_multimodal")
    parts = needs(shared, "qwen2.5-vl-7b", "train", shape, 80)
    # Of eight GPUs each holds an eighth, 20.7 GB, but before that a whole policy in float32.
    assert parts == {
        "the whole policy in float32, before it is shared out": pytest.approx(33.2, abs=0.05),
        "vLLM": pytest.approx(24.0),
    }
    without = {"methods": ["grpo"]}
    parts = needs(
        plan("paper_multimodal", matrix=without, training={"parallel": "ddp"}), "qwen2.5-vl-7b", "train", shape, 80
    )
    assert parts["weights, gradients, optimizer"] == pytest.approx(16 * 8.29)
    kinds = [plan("paper_text", training={"precision": kind, "parallel": "ddp"}) for kind in ("float32", "bfloat16")]
    halves = [needs(kind, "qwen2.5-7b", "train", SEVEN, 80) for kind in kinds]
    assert halves[0]["logits"] == 2 * halves[1]["logits"]


def test_a_trained_policy_is_analysed_and_evaluated_in_float32() -> None:
    text = plan("paper_text", evaluation={"backend": "hf"})
    assert needs(text, "qwen2.5-7b", "dictionary", SEVEN, 80) == {
        "weights": 2 * 7.62,
        "cache": pytest.approx(17.2, abs=0.05),
    }
    assert needs(text, "qwen2.5-7b", "extract", SEVEN, 80)["weights"] == 4 * 7.62
    answered = needs(text, "qwen2.5-7b", "generate", SEVEN, 80)
    assert answered == {"weights": 4 * 7.62, "cache of 256 responses": pytest.approx(2 * 47.3, abs=0.05)}
    half = plan("paper_text", evaluation={"backend": "hf", "precision": "bfloat16"})
    assert sum(needs(half, "qwen2.5-7b", "generate", SEVEN, 80).values()) == pytest.approx(62.5, abs=0.05)


def test_the_engine_must_hold_the_weights_and_a_response() -> None:
    reserved, needed = engine(plan("paper_text"), "train", SEVEN, 80) or (0, 0)
    assert (reserved, needed) == (pytest.approx(24.0), pytest.approx(15.24 + 0.185, abs=0.01))
    assert engine(plan("paper_text", training={"rollouts": "transformers"}), "train", SEVEN, 80) is None
    assert engine(plan("paper_text"), "generate", SEVEN, 80) == (
        pytest.approx(72.0),
        pytest.approx(30.48 + 0.37, abs=0.01),
    )


def test_what_does_not_fit_is_a_fault_with_its_parts_and_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(QWEN_7B))
    changed = plan(
        "paper_text",
        matrix={"policies": ["qwen2.5-7b", "small"]},
        policies={"small": {"path": str(tmp_path)}},
        training={"parallel": "none"},
        evaluation={"backend": "hf"},
    )
    said = [str(finding) for finding in findings(changed, 80)]
    assert said[0].startswith(
        "fault    memory: train qwen2.5-7b: takes at least 176.4 GB of a GPU of 80 GB (weights, gradients, optimizer "
        "and reference 152.4, vLLM 24.0); set training.parallel to fsdp2 or zero3"
    )
    assert "memory: of a GPU of 80 GB qwen2.5-7b takes at least 15.2 GB in dictionary, 30.5 GB in extract" in said[1]
    assert said[1].endswith("caches and logits are counted after `relax fetch`")
    assert len(said) == 2  # a folder without weights has no size
    assert [f for f in findings(plan("paper_text"), 80) if f.level == "fault"] == []
    small = [str(f) for f in findings(plan("paper_text", matrix={"policies": ["qwen2.5-7b"]}), 40)]
    assert "memory: train qwen2.5-7b: vLLM has 12.0 GB, and weights and one response take 15.2 GB" in "\n".join(small)
    assert list(findings(plan("smoke"), 1)) == []
    assert [f for name in ("paper_multimodal", "core", "core_small", "abstract") for f in findings(plan(name), 80)
            if f.level != "ok"] == []  # fmt: skip


def test_what_was_fetched_is_described_by_its_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text(json.dumps(QWEN_7B))
    monkeypatch.setattr("relax.data.hub_cache.cached", lambda *_: tmp_path)
    core = plan("core")
    (said,) = map(str, findings(core, 80))
    # A whole policy before it is shared out: 30.5 GB and vLLM's 24; what is sampled has a cache of 16 GiB.
    assert said == (
        "ok       memory: of a GPU of 80 GB qwen2.5-math-7b takes at least 32.4 GB in dictionary, 54.5 GB in train, "
        "47.7 GB in extract, 72.0 GB in generate"
    )


def test_stages_that_do_not_run_take_nothing() -> None:
    """Released checkpoints: no training, and hidden states of the two policies that share a dictionary alone."""
    released = plan("released")
    ran = {
        policy: [stage for stage in STAGES if needs(released, policy, stage, SEVEN, 80)]
        for policy in released.matrix.policies
    }
    assert ran.pop("qwen2.5-7b") == ["dictionary", "extract", "generate"]
    assert ran.pop("simplerl-7b") == ["extract", "generate"]
    assert set(map(tuple, ran.values())) == {("generate",)}
