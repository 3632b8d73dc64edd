"""A checkpoint of the trainer: whatever the method and the moment, going on ends with the same weights."""

import json
from pathlib import Path

import pytest
import torch

from relax import config
from relax.errors import ConfigError
from relax.koopman import SPECTRA
from relax.training.trl_arguments import trainer_arguments
from tests.conftest import REPOSITORY
from tests.training.test_dynamic_sampling import half_silent
from tests.training.trainer_fixture import save_dictionary, trainer, weights

DEMO = REPOSITORY / "config" / "config.yaml"
METHODS = sorted(config.load([DEMO]).methods)


@pytest.mark.parametrize(
    ("name", "options", "resume"),
    [
        ("generation boundary", {}, 3),
        ("middle of the rollout buffer", {"steps_per_generation": 2}, 3),
        ("several iterations", {"num_iterations": 2}, 3),
        ("a later epoch", {"max_steps": 36}, 34),
        ("nothing is left to train", {}, 6),
    ],
)
def test_a_resumed_run_ends_with_the_same_weights(
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
    straight = trainer(tiny_policy, tmp_path / "run", **full)
    straight.train()
    resumed = trainer(tiny_policy, tmp_path / "run", **full)
    resumed.train(resume_from_checkpoint=str(tmp_path / "run" / f"checkpoint-{resume}"))
    assert resumed.state.global_step == full["max_steps"]
    steps = [row["step"] for row in resumed.state.log_history if "grad_norm" in row]
    assert steps == list(range(1, full["max_steps"] + 1))
    expected = weights(straight.model)
    for parameter, value in weights(resumed.model).items():
        assert torch.equal(value, expected[parameter]), f"{name}: {parameter}"


def method_arguments(method: str, folder: Path, dictionary: Path, **training):
    """The trainer's arguments for a method of the configuration, at the size of a test."""
    size = {
        "steps": 5, "prompts_per_step": 2, "rollouts_per_prompt": 4, "updates_per_generation": 2, "micro_batch": 4,
        "max_response_length": 12, "checkpoint_every": 1, "learning_rate": 1e-3, "warmup_steps": 0, **training,
    }  # fmt: skip
    changes = {"training": size, "methods": {method: {"overlong_buffer": None}}}
    loaded = config.check(config.merge(config.load([DEMO]).recorded(), changes))
    settings = config.train_settings(loaded, method)
    save_dictionary(dictionary)
    percentiles = {spectrum: {"q90": 0.05} for spectrum in SPECTRA}
    (dictionary / "initial_dsd.json").write_text(json.dumps(percentiles))
    arguments = trainer_arguments(settings, 5, folder, dictionary)
    arguments.save_total_limit = None
    return arguments


@pytest.mark.parametrize("method", METHODS)
def test_every_method_goes_on_from_the_middle_of_its_rollouts(tiny_policy: Path, tmp_path: Path, method: str) -> None:
    made = []
    for name in ("straight", "resumed"):
        args = method_arguments(method, tmp_path / name, tmp_path)
        made.append(trainer(tiny_policy, tmp_path, args=args, reward=half_silent))
    straight, resumed = made
    straight.train()
    resumed.train(resume_from_checkpoint=str(tmp_path / "straight" / "checkpoint-3"))
    start = weights(trainer(tiny_policy, tmp_path).model)
    expected = weights(straight.model)
    assert any(not torch.equal(expected[name], start[name]) for name in expected)
    for parameter, value in weights(resumed.model).items():
        assert torch.equal(value, expected[parameter]), parameter
    columns = ("loss", "grad_norm", "entropy", "reward", "sampling/rounds")
    rows = [[[e.get(c) for c in columns] for e in one.state.log_history if "loss" in e] for one in made]
    assert rows[0] == rows[1]


def test_a_dictionary_is_fitted_on_the_first_rollouts_and_travels_with_checkpoints(
    tiny_policy: Path, tmp_path: Path
) -> None:
    options = {
        "alpha": 0.1,
        "beta": 0.01,
        "xi": "q50",
        "koopman_dim": 5,
        "save_strategy": "steps",
        "save_steps": 1,
    }
    made = trainer(tiny_policy, tmp_path / "run", max_steps=2, **options)
    made.train()
    assert made.exploration.dictionary.settings.koopman_dim == 5
    assert made.exploration.xi is not None
    checkpoint = tmp_path / "run" / "checkpoint-1"
    assert (checkpoint / "complete").exists()
    again = trainer(tiny_policy, tmp_path / "run", max_steps=2, **options)
    again.train(resume_from_checkpoint=str(checkpoint))
    assert again.exploration.dictionary.hash == made.exploration.dictionary.hash
    assert again.exploration.xi == made.exploration.xi
    for changed, words in (
        ({"ridge": 0.1}, "was trained with ridge 0.001, not 0.1"),
        ({"spectrum": "singular_values"}, "with spectrum 'eigenvalues', not 'singular_values'"),
        ({"koopman_dim": 6}, "with koopman_dim 5, not 6"),
        ({"position": "predicting"}, "with position 'response', not 'predicting'"),
    ):
        with pytest.raises(ConfigError, match=words):
            trainer(tiny_policy, tmp_path / "run", max_steps=2, **{**options, **changed}).train(
                resume_from_checkpoint=str(checkpoint)
            )
    other = trainer(tiny_policy, tmp_path / "run", max_steps=2, dictionary=save_dictionary(tmp_path), **options)
    with pytest.raises(ConfigError, match="was trained with dictionary"):
        other.train(resume_from_checkpoint=str(checkpoint))
