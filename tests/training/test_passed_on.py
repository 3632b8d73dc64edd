"""Arguments of TRL that have no key of ours: a method passes them on, and trains as TRL's trainer does with them."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
from trl import GRPOConfig, GRPOTrainer

from relax import ReLaXConfig, ReLaXTrainer, cli, config
from relax.config import passed_on as names
from relax.config.methods import Method
from relax.errors import ConfigError, MachineError
from relax.training.trl_arguments import passed_on, refusals_told, trainer_arguments
from tests.conftest import REPOSITORY
from tests.training.trainer_fixture import save_dictionary, trainer, weights

DEMO = REPOSITORY / "config" / "config.yaml"
SMALL = """
training:
  {steps: 4, prompts_per_step: 2, rollouts_per_prompt: 4, updates_per_generation: 2, warmup_steps: 0,
   max_response_length: 12, learning_rate: 1.0e-2, length_order: false}
"""


def arguments(folder: Path, method: str) -> ReLaXConfig:
    overlay = folder / "mine.yaml"
    overlay.write_text(f"{SMALL}\nmethods: {{mine: {method}}}\n")
    save_dictionary(folder)
    return trainer_arguments(config.train_settings(config.load([DEMO, overlay]), "mine"), 3, folder / "run", folder)


def trained(policy: Path, folder: Path, kind: type, args: GRPOConfig) -> dict[str, torch.Tensor]:
    made = trainer(policy, folder, kind, args=args)
    made.train()
    return weights(made.model)


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in second)


@pytest.mark.parametrize(
    ("loss", "trl"),
    [
        ("grpo", {"importance_sampling_level": "sequence"}),  # GSPO
        ("cispo", {}),
        ("sapo", {"sapo_temperature_neg": 1.5}),
        ("luspo", {"importance_sampling_level": "sequence"}),
        ("vespo", {"vespo_k_neg": 2.0}),
        ("dr_grpo", {"scale_rewards": "none", "weight_decay": 0.1, "lr_scheduler_type": "linear"}),
        ("grpo", {"num_iterations": 2}),
    ],
)
def test_a_baseline_without_code_is_trls_own(tiny_policy, tmp_path: Path, loss: str, trl: dict[str, Any]) -> None:
    ours = arguments(tmp_path, f"{{loss_type: {loss}, trl: {trl}}}")
    assert {name: getattr(ours, name) for name in trl if name != "lr_scheduler_type"} == {
        name: value for name, value in trl.items() if name != "lr_scheduler_type"
    }
    given = {f.name: getattr(ours, f.name) for f in fields(GRPOConfig) if f.init and f.name != "generation_batch_size"}
    stock = trained(tiny_policy, tmp_path / "stock", GRPOTrainer, GRPOConfig(**given))
    assert same(trained(tiny_policy, tmp_path / "ours", ReLaXTrainer, ours), stock)
    plain = arguments(tmp_path, "{loss_type: grpo}")
    assert not same(trained(tiny_policy, tmp_path / "plain", ReLaXTrainer, plain), stock)


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("num_generations: 3", "cannot set num_generations: the key training.rollouts_per_prompt sets it; use that"),
        ("epsilon_high: 0.3", "cannot set epsilon_high: the key methods.<name>.epsilon_high sets it; use that key."),
        ("epsilon: 0.3", "cannot set epsilon: the key methods.<name>.epsilon sets it; use that key."),
        ("seed: 3", "cannot set seed: the key matrix.seeds sets it; use that key."),
        ("reward_weights: [1]", "cannot set reward_weights: the key training.reward_weights sets it; use that key."),
        ("output_dir: x", "cannot set output_dir: the pipeline sets it itself; leave it out."),
        ("push_to_hub: true", "cannot set push_to_hub: the pipeline sets it itself; leave it out."),
        ("hub_token: x", "cannot set hub_token: the pipeline sets it itself; leave it out."),
        ("trust_remote_code: true", "cannot set trust_remote_code: the pipeline sets it itself; leave it out."),
    ],
)
def test_what_is_set_elsewhere_is_refused_with_its_line(tmp_path: Path, argument: str, said: str) -> None:
    overlay = tmp_path / "mine.yaml"
    overlay.write_text(f"methods:\n  mine:\n    trl:\n      {argument}\n")
    with pytest.raises(ConfigError) as caught:
        config.load([DEMO, overlay])
    assert str(caught.value).startswith(f"{overlay}, line 4: methods.mine.trl {said}")


def test_every_name_that_is_refused_is_an_argument_and_every_key_a_key() -> None:
    known = {field.name for field in fields(ReLaXConfig)}
    assert {*names._FOLLOW, *names._ITS_OWN} - known == set()
    assert all(any(name.startswith(part) for name in known) for part in names._ITS_OWN_PARTS)
    described = {key.path for key in config_reference().described_keys()}
    assert {key for key in names._FOLLOW.values() if "." in key} - described == set()


def config_reference() -> Any:
    from relax.config import reference

    return reference


@pytest.mark.parametrize(
    ("trl", "said"),
    [
        (
            {"importance_sampling_levle": "x"},
            "TRL has no argument 'importance_sampling_levle'; did you mean 'imp",
        ),
        ({"alpha": 0.1}, "TRL has no argument 'alpha'"),
        ({"delta": "1e-3"}, "delta is '1e-3', TRL expects"),
        ({"num_iterations": 2.5}, "num_iterations is 2.5, TRL expects a whole number"),
        ({"mask_truncated_completions": 1}, "mask_truncated_completions is 1, TRL expects true or false"),
    ],
)
def test_what_trl_does_not_take_is_one_sentence(trl: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        passed_on(Method.model_construct(trl=trl))
    assert str(caught.value).startswith(f"trl: {said}")


def test_the_first_job_of_a_pipeline_says_so_with_file_and_line(tmp_path: Path, capsys) -> None:
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("matrix: {methods: [mine]}\nmethods:\n  mine: {trl: {important: 1}}\n")
    assert cli.main(["data", "--configfile", str(DEMO), str(overlay), "--out", str(tmp_path / "data")]) == 2
    said = capsys.readouterr().err
    assert f"{overlay}, line 3: trl: TRL has no argument 'important'" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "data").exists()


def test_a_value_that_trl_looks_at_during_training_is_one_sentence_too(tiny_policy, tmp_path: Path) -> None:
    method = Method(trl={"importance_sampling_level": "sentence"})
    made = trainer(tiny_policy, tmp_path, args=arguments(tmp_path, "{trl: {importance_sampling_level: sentence}}"))
    with (
        pytest.raises(ConfigError, match=r"^TRL refuses what `trl` .* \(importance_sampling_level\): Unknown "),
        refusals_told(method),
    ):
        made.train()
    # A value that TRL hands on to transformers, which refuses it when it generates.
    further = Method(trl={"top_k": -5})
    made = trainer(tiny_policy, tmp_path, args=arguments(tmp_path, "{trl: {top_k: -5}}"))
    with pytest.raises(ConfigError, match=r"^TRL refuses what `trl` .* \(top_k\): "), refusals_told(further):
        made.train()
    with pytest.raises(ValueError, match=r"^somebody else's$"), refusals_told(method):
        raise ValueError("somebody else's")


def test_vllm_that_is_not_installed_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relax.training.trl_arguments.find_spec", {"vllm": None}.get)
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("training: {rollouts: vllm-colocate}\n")
    settings = config.train_settings(config.load([DEMO, overlay]), "grpo")
    with pytest.raises(MachineError, match=r"^training.rollouts is vllm-colocate, but vLLM is not installed; set up"):
        trainer_arguments(settings, 3, tmp_path / "run", tmp_path)
