"""The way of the paper's configuration at its smallest: policy and problems of the hub, mathematics graded."""

import json
from pathlib import Path

import pandas as pd
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from tests.workflow.workflow_fixture import ENVIRONMENT, overlay, snakemake

pytestmark = pytest.mark.long  # a whole pipeline more; its stages run by themselves in the tests beside it
REVISION = "c" * 40
OVERLAY = f"""
name: hub
matrix: {{policies: [tiny-hub], methods: [grpo, relax], seeds: [1], benchmarks: [math]}}
data:
  source: hub
  test_problems: 4
  instruction: Box the answer.
  datasets:
    - {{repo: lab/sums, revision: {REVISION}, split: train, prompt: problem, answer: solution,
       where: {{level: [easy]}}}}
prompt: {{chat_template: true, system: Add.}}
policies:
  tiny-hub: {{hub: {{repo: lab/tiny, revision: {REVISION}, parameters: 0.0001, released: "2024-01-01"}}}}
dictionary: {{rollouts: 32, probes: 8, koopman_dim: 6, position: predicting}}
training:
  {{steps: 2, prompts_per_step: 4, rollouts_per_prompt: 4, updates_per_generation: 2, micro_batch: 4, probe_every: 1,
    checkpoint_every: 1, max_response_length: 16, format_reward: 0.5, precision: bfloat16}}
methods: {{relax: {{dynamic_sampling: true, dynamic_sampling_rounds: 2}}}}
analysis: {{prompts: 4, responses_per_prompt: 2}}
evaluation: {{block_size: 7, max_response_length: 12}}
benchmarks: {{math: {{task: math500, path: questions.jsonl, rows: 3, greedy: true, samples: 4}}}}
"""


def snapshot(cache: Path, kind: str, name: str) -> Path:
    """The folder of a snapshot in a cache of the hub."""
    place = cache / f"{kind}--lab--{name}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(REVISION)
    folder = place / "snapshots" / REVISION
    folder.mkdir(parents=True)
    return folder


def make_policy(folder: Path) -> None:
    """A random Qwen2 with a tokenizer of bytes and a chat template."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<pad>", "<eos>"], initial_alphabet=alphabet)
    tokenizer.train_from_iterator(["The answer is \\boxed{12}."] * 4, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>")
    fast.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:"
    fast.save_pretrained(folder)
    config = Qwen2Config(
        vocab_size=len(fast), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2,
        intermediate_size=64, max_position_embeddings=256, pad_token_id=0, eos_token_id=1, bos_token_id=None,
    )  # fmt: skip
    Qwen2ForCausalLM(config).save_pretrained(folder)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    make_policy(snapshot(tmp_path, "models", "tiny"))
    rows = [
        {"problem": f"What is {n} + {n}?", "solution": rf"We add: \boxed{{{2 * n}}}.", "level": "easy"}
        for n in range(40)
    ]
    folder = snapshot(tmp_path, "datasets", "sums")
    pd.DataFrame([*rows, {"problem": "Hard.", "solution": "", "level": "hard"}]).to_parquet(folder / "train.parquet")
    return tmp_path


def test_the_whole_pipeline_runs_from_the_hubs_cache(clone: Path, cache: Path, tmp_path: Path) -> None:
    questions = [
        {
            "problem": f"What is {n}?",
            "answer": str(n),
            "solution": "",
            "subject": "Sums",
            "level": 1,
            "unique_id": f"q{n}",
        }
        for n in range(3)
    ]
    (clone / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in questions))
    environment = ENVIRONMENT | {"HF_HUB_CACHE": str(cache), "HF_DATASETS_CACHE": str(tmp_path / "arrow")}
    ended = snakemake(clone, *overlay(clone, "hub.yaml", OVERLAY), "--cores", "2", env=environment)
    assert ended.returncode == 0, ended.stderr[-4000:]
    root = clone / "results" / "hub"
    problem = json.loads((root / "data" / "train.jsonl").read_text().splitlines()[0])
    assert problem["prompt"].endswith("?\nBox the answer.")
    rows = [json.loads(line) for line in (root / "train/tiny-hub/relax/seed-1/metrics.jsonl").read_text().splitlines()]
    assert {"reward", "grade/no_box", "sampling/rounds", "dsd/eigenvalues"} <= rows[1].keys()
    scores = json.loads((root / "evaluate/tiny-hub/relax/seed-1/math/scores.json").read_text())["metrics"]
    assert {"mean@1", "mean@4", "pass@4", "no_box@4", "truncated@4"} <= scores.keys()
    assert scores["no_box@4"]["value"] > 0.5
    overlap = json.loads((root / "overlap" / "overlap.json").read_text())
    assert overlap["older"] == {"math": {"tiny-hub": True}}
    report = (root / "report.html").read_text()
    assert "dsd" in report.lower()
