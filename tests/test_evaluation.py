"""Evaluation: statistics against brute force, and lm-eval's samples against the policy itself."""

import gzip
import itertools
import json
import math

import numpy as np
import pytest

from relax.errors import ConfigError, MachineError
from relax.evaluation import run as evaluation
from relax.evaluation import statistics
from relax.evaluation.catalogue import check_tasks
from relax.tracking import Run


def test_mean_at_k_and_its_standard_error_over_problems() -> None:
    correct = np.array([[True, True], [True, False], [False, False], [True, True]])
    result = statistics.mean_at_k(correct)
    means = [1.0, 0.5, 0.0, 1.0]
    assert result["value"] == pytest.approx(0.625)
    assert result["stderr"] == pytest.approx(np.std(means, ddof=1) / math.sqrt(4))
    assert math.isnan(statistics.mean_at_k(correct[:1])["stderr"])


@pytest.mark.parametrize("n", [1, 2, 5, 7])
def test_pass_at_k_is_the_mean_over_all_subsets(n: int) -> None:
    for right, k in itertools.product(range(n + 1), range(1, n + 1)):
        correct = np.array([[i < right for i in range(n)]] * 2)
        subsets = list(itertools.combinations(correct[0], k))
        assert statistics.pass_at_k(correct, k)["value"] == pytest.approx(np.mean([any(s) for s in subsets]))
    with pytest.raises(ValueError, match="needs at least"):
        statistics.pass_at_k(np.ones((1, n), dtype=bool), n + 1)


def test_distinct_counts_texts() -> None:
    assert statistics.distinct([["a", "a", "b"], ["a", "a", "a"]])["value"] == pytest.approx((2 / 3 + 1 / 3) / 2)


@pytest.fixture
def problems(tmp_path):
    from relax.data.noisy_sum import problems
    from relax.data.problem import write_problems

    write_problems(tmp_path / "test.jsonl", problems(6, "test", 4, seed=0))
    return tmp_path / "test.jsonl"


SETTINGS = {"benchmark": {"task": "noisy_sum", "greedy": True, "samples": 4}, "batch_size": 8, "seed": 7,
            "backend": "hf", "max_response_length": 12}  # fmt: skip


def run_evaluation(settings, policy, problems, out) -> tuple[dict, list[dict]]:
    evaluation.evaluate(settings, policy, problems, out, Run("evaluate", {"benchmark": "noisy-sum"}, settings), "test")
    lines = gzip.decompress((out / "samples.jsonl.gz").read_bytes()).decode().splitlines()
    return json.loads((out / "scores.json").read_text()), [json.loads(line) for line in lines]


def test_lm_eval_returns_every_sample_and_the_policys_own_greedy_text(tiny_policy, problems, tmp_path) -> None:
    import torch

    from relax.data.problem import read_problems
    from relax.latent.rollouts import load_policy

    scores, samples = run_evaluation(SETTINGS, tiny_policy, problems, tmp_path / "a")
    greedy = {s["id"]: s["responses"] for s in samples if s["decoding"] == "greedy"}
    sampled = [s["responses"] for s in samples if s["decoding"] == "sampled"]
    assert [len(r) for r in greedy.values()] == [1] * 6
    assert [len(r) for r in sampled] == [4] * 6
    assert len({text for texts in sampled for text in texts}) > 12

    model, tokenizer = load_policy(tiny_policy)
    for problem in read_problems(problems):
        inputs = tokenizer(problem.prompt, return_tensors="pt")
        with torch.no_grad():
            output = model.generate(**inputs, max_new_tokens=12, do_sample=False)
        text = tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        assert greedy[problem.id] == [text]

    assert set(scores["metrics"]) == {"mean@1", "mean@4", "pass@1", "pass@2", "pass@4", "distinct@4"}
    correct = np.array([s["correct"] for s in samples if s["decoding"] == "sampled"])
    assert scores["metrics"]["mean@4"]["value"] == pytest.approx(correct.mean())


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tiny_policy, problems, tmp_path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        run_evaluation({**SETTINGS, "seed": seed}, tiny_policy, problems, tmp_path / name)
    files = [(tmp_path / name / "samples.jsonl.gz").read_bytes() for name in "abc"]
    assert files[0] == files[1] != files[2]


def test_an_unknown_task_or_backend_is_refused(tiny_policy, problems, tmp_path) -> None:
    with pytest.raises(ConfigError, match="no task 'gsm9k'; there are noisy_sum"):
        check_tasks({"gsm": {"task": "gsm9k"}})
    with pytest.raises(MachineError, match=r"evaluation\.backend is vllm"):
        run_evaluation({**SETTINGS, "backend": "vllm"}, tiny_policy, problems, tmp_path)
