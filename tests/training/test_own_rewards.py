"""Reward functions of the user's own: which are called, with which weights, and what they must return."""

import asyncio
import inspect
from pathlib import Path
from typing import Any

import pytest

from relax import config
from relax.config.stage_settings import TrainSettings
from relax.errors import ConfigError
from relax.training.checks import checked_reward
from relax.training.rewards import own_reward
from relax.training.train_stage import _series, names_of
from relax.training.trl_arguments import reward_functions, trainer_arguments
from tests.conftest import REPOSITORY
from tests.training.trainer_fixture import trainer

REWARDS = """
async def slow(completions, **columns):
    return [float(len(text)) for text in completions]

def short(completions, answer, **columns):
    return [1.0 if text == gold else None for text, gold in zip(completions, answer)]

def nothing(completions):
    return [0.0]

other = short
"""


def settings(folder: Path, training: str = "") -> TrainSettings:
    overlay = folder / "mine.yaml"
    overlay.write_text(f"training: {{{training}}}\nmethods: {{grpo: {{overlong_buffer: 4}}}}\n")
    return config.train_settings(config.load([REPOSITORY / "config" / "config.yaml", overlay]), "grpo")


@pytest.mark.parametrize(
    ("training", "names", "weights"),
    [
        ("", ["correctness"], [1.0]),
        ("format_reward: 0.5", ["correctness", "boxed_format"], [1.0, 0.5]),
        ("rewards: [mine:short]", ["short"], [1.0]),
        ("rewards: [mine:other, mine:slow], reward_weights: [2, -0.1]", ["other", "slow"], [2, -0.1]),
        (
            "rewards: ['relax.training.rewards:correctness', mine:short], format_reward: 0.5, reward_weights: [1, 3]",
            ["correctness", "short", "boxed_format"],
            [1, 3, 0.5],
        ),
    ],
)
def test_they_stand_in_place_of_the_graders_with_their_weights_and_names(
    own_folder: Path, training: str, names: list[str], weights: list[float]
) -> None:
    (own_folder / "mine.py").write_text(REWARDS)
    asked = settings(own_folder, training)
    *made, overlong = reward_functions(asked)
    assert [function.__name__ for function in made] == names
    assert overlong.__name__ == "soft_overlong_punishment_reward"
    arguments = trainer_arguments(asked, 1, own_folder, own_folder)
    assert arguments.reward_weights == [*weights, 1.0]


def test_the_record_keeps_the_first_as_the_reward_and_the_users_others_by_their_names(own_folder: Path) -> None:
    (own_folder / "mine.py").write_text(REWARDS)
    logged = {f"rewards/{name}/mean": value for value, name in enumerate(("short", "slow", "correctness"))}
    row = [{"step": 1, "grad_norm": 0.0, **logged}]

    def kept(training: str) -> dict[str, float]:
        (found,) = _series(row, names_of(settings(own_folder, training).training))
        return {name: value for name, value in found.items() if name.startswith("reward")}

    assert kept("") == {"reward": 2}
    assert kept("rewards: [mine:short, mine:slow]") == {"reward": 0, "reward/slow": 1}
    assert kept("rewards: [mine:slow, 'relax.training.rewards:correctness']") == {"reward": 1, "reward/correctness": 2}


def test_a_step_without_a_scored_response_has_no_reward_in_the_records() -> None:
    """TRL logs NaN where a function scores no completion of a step, and the log of transformers says None."""
    history = [{"step": 1, "grad_norm": 1.0, "rewards/correctness/mean": None, "relax/term": 0.5}]
    assert _series(history, {"rewards/correctness/mean": "reward"}) == [{"step": 1, "relax/term": 0.5}]


def test_one_that_is_awaited_stays_one(own_folder: Path) -> None:
    (own_folder / "mine.py").write_text(REWARDS)
    function = checked_reward(own_reward("mine:slow"), "slow")
    assert inspect.iscoroutinefunction(function)
    assert asyncio.run(function(completions=["a", "abc"])) == [1.0, 3.0]
    with pytest.raises(ConfigError, match=r"^the reward mine:slow failed with TypeError \(slow\(\) missing 1 required"):
        asyncio.run(function(prompts=["a"]))


def test_a_function_that_does_not_take_what_trl_gives_is_said_in_one_sentence(own_folder: Path, tiny_policy) -> None:
    (own_folder / "mine.py").write_text(REWARDS)
    made = trainer(tiny_policy, own_folder / "run", reward=own_reward("mine:nothing"))
    with pytest.raises(ConfigError, match=r"^the reward mine:nothing failed with TypeError .*unexpected keyword"):
        made.train()


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (0.5, r"^the reward own returned 0\.5, expected a list with one number for each completion\.$"),
        (None, r"^the reward own returned None, expected a list"),
        ([1.0], r"^the reward own returned 1 values for 2 completions; return one number for each completion\.$"),
        ([1.0, "0.5"], r"^the reward own is '0\.5' for completion 1, expected a number, or None for a completion that"),
        ([[1.0], 0.0], r"^the reward own is \[1\.0\] for completion 0, expected a number"),
        ({"a": 1, "b": 0}, r"^the reward own is 'a' for completion 0"),
    ],
)
def test_what_it_must_not_return_is_one_sentence(returned: Any, said: str) -> None:
    function = checked_reward(lambda **_: returned, "own")
    with pytest.raises(ConfigError, match=said):
        function(prompts=["p", "p"], completions=["a", "b"])


def test_what_trl_takes_is_handed_on(tiny_policy) -> None:
    import numpy as np
    import torch

    rewards = [True, np.float32(0.5), torch.tensor(2.0), None]
    assert checked_reward(lambda **_: rewards, "own")(completions=list("abcd")) == rewards
