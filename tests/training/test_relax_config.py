"""The arguments of the trainer: what a command line hands over, and what is refused before TRL sees it."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from transformers import HfArgumentParser
from trl import GRPOConfig

from relax import ReLaXConfig
from relax.config.latent import DictionaryFit
from relax.config.methods import Method
from relax.errors import ConfigError
from tests.training.trainer_fixture import arguments

INFINITE = float("inf")
#: Values that a key refuses by itself: wrong ranges and wrong kinds.
REFUSED = [
    *(("alpha", value) for value in (-1.0, INFINITE, float("nan"), True, "x", "0.1", None)),
    *(("xi", value) for value in (-1.0, 0, INFINITE, float("nan"), True, "q0", "q100", "high")),
    *(("koopman_dim", value) for value in (1, 5.0, True, "50", None)),
    *(("ridge", value) for value in (-1e-3, INFINITE, True, "x")),
    *(("dsd_window", value) for value in (2, True, "8", 8.0)),
    *(("clip_cov_ratio", value) for value in (0, 1.5, "x", True)),
    *(("clip_cov_low", value) for value in (INFINITE, "x", True)),
    *(("clip_cov_high", value) for value in (INFINITE, "x", True)),
    *(("kl_cov_ratio", value) for value in (0, 1.5, "x")),
    *(("kl_cov_coef", value) for value in (-1.0, INFINITE, "x")),
    *(("dynamic_sampling_rounds", value) for value in (0, 1.5, True, "10")),
    *(("beta", value) for value in (-0.1, INFINITE, "x", True)),
    *((name, "other") for name in ("spectrum", "kl_reduction", "position", "token_method", "kl_mode", "objective")),
    *((name, "yes") for name in ("advantage_shaping", "dynamic_sampling")),
]


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_it_refuses_what_the_configuration_refuses(tmp_path: Path, name: str, value: Any) -> None:
    model = DictionaryFit if name in DictionaryFit.model_fields else Method
    with pytest.raises(ValidationError):
        model.model_validate({name: value})
    argument = {"objective": "dictionary_objective"}.get(name, name)
    with pytest.raises(ConfigError, match=rf"^{argument} is .*[^\n]\.$"):
        arguments(ReLaXConfig, tmp_path, **{argument: value})


@pytest.mark.parametrize("value", [1, 2.5, True, "8"])
def test_the_matched_length_is_a_window_of_two_states_at_least(tmp_path: Path, value: Any) -> None:
    with pytest.raises(ConfigError, match=r"^matched_length is "):
        arguments(ReLaXConfig, tmp_path, matched_length=value)
    assert arguments(ReLaXConfig, tmp_path, matched_length=2).matched_length == 2


@pytest.mark.parametrize("mode", ["adaptive", "uniform"])
def test_a_kl_term_without_a_weight_is_refused(tmp_path: Path, mode: str) -> None:
    with pytest.raises(ConfigError, match=f"^kl_mode is '{mode}' but beta is 0; give beta a value"):
        arguments(ReLaXConfig, tmp_path, kl_mode=mode, xi=1.0)


@pytest.mark.parametrize(("text", "xi"), [("0.4", 0.4), ("10", 10.0), ("1e-3", 1e-3), ("q90", "q90")])
def test_xi_of_a_command_line_is_a_number_where_it_is_written_as_one(
    tmp_path: Path, text: str, xi: float | str
) -> None:
    typed = ["--output_dir", str(tmp_path), "--use_cpu", "True", "--bf16", "False", "--alpha", "0.1", "--xi", text]
    (args,) = HfArgumentParser(ReLaXConfig).parse_args_into_dataclasses(typed)
    assert (args.xi, type(args.xi)) == (xi, type(xi))
    with pytest.raises(ConfigError, match=r"^xi is -0.4, expected more than 0"):
        HfArgumentParser(ReLaXConfig).parse_args_into_dataclasses([*typed[:-1], "-0.4"])


def test_what_trl_refuses_is_said_in_its_words_and_after_the_own_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transformers.training_args.is_torch_bf16_gpu_available", lambda: False)
    monkeypatch.setattr("torch.accelerator.is_available", lambda: True)
    with pytest.raises(ConfigError, match=r"^TRL refuses the training arguments: Your setup doesn't support bf16/gpu"):
        ReLaXConfig(output_dir=str(tmp_path))
    with pytest.raises(ConfigError, match=r"^alpha is -1"):
        ReLaXConfig(output_dir=str(tmp_path), alpha=-1)
    assert ReLaXConfig(output_dir=str(tmp_path), use_cpu=True, bf16=False).xi is None


def test_without_an_accelerator_it_trains_on_the_cpu_where_trl_refuses_its_own_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.accelerator.is_available", lambda: False)
    monkeypatch.setattr("transformers.training_args.is_torch_bf16_gpu_available", lambda: False)
    with pytest.raises(ValueError, match="You need to assign use_cpu"):
        GRPOConfig(output_dir=str(tmp_path))
    chosen = ReLaXConfig(output_dir=str(tmp_path))
    assert (chosen.use_cpu, chosen.bf16, str(chosen.device)) == (True, False, "cpu")
    assert ReLaXConfig(output_dir=str(tmp_path), bf16=True).bf16
    # What is said keeps TRL's meaning.
    said, trl = (kind(output_dir=str(tmp_path), use_cpu=True) for kind in (ReLaXConfig, GRPOConfig))
    assert (said.use_cpu, said.bf16) == (trl.use_cpu, trl.bf16) == (True, True)
