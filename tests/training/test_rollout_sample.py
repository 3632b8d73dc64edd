"""The sample of rollouts: what it says is what was generated and trained on, whenever the run was killed."""

import json
from pathlib import Path

import numpy as np
import pytest

from relax.training.sample import CHARACTERS, GENERATIONS, RolloutSample
from tests.training.test_dynamic_sampling import half_silent
from tests.training.trainer_fixture import GROUP, save_dictionary, shape, trainer


def sampled(policy: Path, folder: Path, every: int = 2, updates: int = 1, **options):
    """A trainer that keeps a sample."""
    made = trainer(policy, folder, **options)
    names = made.reward_func_names
    made.sample = RolloutSample(made.args.max_steps, every, updates, GROUP, made.processing_class, names)
    return made


@pytest.mark.parametrize(("steps", "every"), [(1, 10), (4, 2), (80, 10), (800, 10), (5000, 1), (7, 100)])
def test_first_and_last_step_and_few_between(steps: int, every: int) -> None:
    wanted = RolloutSample(steps, every, 1, 8, None, ["correctness"]).wanted
    assert {1, steps} <= wanted <= {1, steps, *range(every, steps, every)}
    assert len(wanted) <= GENERATIONS
    if steps <= every * (GENERATIONS - 2):
        assert wanted == {1, steps, *range(every, steps, every)}


def test_rows_are_the_first_group_of_the_generation(tiny_policy: Path, tmp_path: Path) -> None:
    """One group a generation, so that TRL's own log line is the mean over the rows."""
    made = sampled(
        tiny_policy,
        tmp_path,
        alpha=0.1,
        beta=0.0,
        kl_mode="none",
        dictionary=save_dictionary(tmp_path),
        per_device_train_batch_size=GROUP,
        max_steps=5,
    )
    made.train()
    steps = [1, 2, 4, 5]
    assert [row["step"] for row in made.sample.rows] == [s for s in steps for _ in range(GROUP)]
    logged = {entry["step"]: entry for entry in made.state.log_history if "loss" in entry}
    for step in steps:
        rows = [row for row in made.sample.rows if row["step"] == step]
        assert len({row["prompt"] for row in rows}) == 1
        rewards = np.array(shape([], [row["response"] for row in rows]))
        assert [row["reward"] for row in rows] == pytest.approx(rewards.tolist())
        expected = (rewards - rewards.mean()) / (rewards.std(ddof=1) + 1e-4)
        assert [row["advantage"] for row in rows] == pytest.approx(expected.tolist(), abs=1e-4)
        assert np.mean([row["length"] for row in rows]) == pytest.approx(logged[step]["completions/mean_length"])
        for spectrum in ("eigenvalues", "singular_values"):
            values = [row[f"dsd/{spectrum}"] for row in rows]
            assert np.mean(values) == pytest.approx(logged[step][f"dsd/{spectrum}"])
            assert len(set(values)) > 1


def test_without_a_term_dsd_is_not_known_and_the_numbers_of_training_stay(tiny_policy: Path, tmp_path: Path) -> None:
    options = {"alpha": 0.0, "beta": 0.0, "kl_mode": "none", "dictionary": save_dictionary(tmp_path)}
    made = sampled(tiny_policy, tmp_path, **options)
    made.train()
    plain = trainer(tiny_policy, tmp_path, **options)
    plain.train()
    assert {row["dsd/eigenvalues"] for row in made.sample.rows} == {None}
    losses = [[e["loss"] for e in one.state.log_history if "loss" in e] for one in (made, plain)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    ("name", "options", "resume"),
    [
        ("between generations", {}, 3),
        ("in the middle of a generation", {"steps_per_generation": 2, "updates": 2}, 3),
        ("dynamic sampling", {"dynamic_sampling": True, "reward": half_silent}, 4),
    ],
)
def test_a_resumed_run_leaves_the_same_sample(
    tiny_policy: Path, tmp_path: Path, name: str, options: dict, resume: int
) -> None:
    full = {
        "alpha": 0.1,
        "beta": 0.01,
        "xi": 0.05,
        "dictionary": save_dictionary(tmp_path),
        "max_steps": 6,
        "save_strategy": "steps",
        "save_steps": 1,
        **options,
    }
    straight = sampled(tiny_policy, tmp_path / "run", **full)
    straight.train()
    resumed = sampled(tiny_policy, tmp_path / "run", **full)
    resumed.train(resume_from_checkpoint=str(tmp_path / "run" / f"checkpoint-{resume}"))
    assert resumed.sample.text() == straight.sample.text()
    generations = len({row["step"] for row in straight.sample.rows})
    assert generations == (3 if "updates" in options else 4)  # 1, 2, 4, 6; the two of a generation are one
    assert len(straight.sample.rows) == generations * GROUP


def test_a_long_text_loses_its_middle_and_odd_characters_stay(tmp_path: Path) -> None:
    import torch

    class Letters:
        def decode(self, tokens, skip_special_tokens=False):
            return "\u2028".join(map(str, tokens)) * 3000

    sample = RolloutSample(3, 1, 1, 1, Letters(), ["correctness", "format"])
    batch = {
        "completion_ids": torch.tensor([[1, 2, 0]]),
        "completion_mask": torch.tensor([[1, 1, 0]]),
        "advantages": torch.tensor([0.5]),
    }
    sample.take(0, [{"prompt": "p", "answer": "6"}], torch.tensor([[1.0, torch.nan]]), batch)
    (row,) = sample.rows
    assert row["response"].startswith("1\u20282")
    assert "[... 5000 characters ...]" in row["response"]
    assert len(row["response"]) < CHARACTERS + 40
    assert (row["reward"], row["format"], row["answer"], row["length"]) == (1.0, None, "6", 2)
    sample.save(tmp_path)
    again = RolloutSample(3, 1, 1, 1, Letters(), ["correctness", "format"])
    again.load(tmp_path)
    assert again.rows == sample.rows
    assert [json.loads(line) for line in sample.text().split("\n") if line] == sample.rows
