"""ReLaXTrainer on a tiny policy: equal to TRL without its terms, equal to the whole-batch objective with them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig
from trl import GRPOTrainer

from relax import ReLaXTrainer
from relax.errors import ConfigError, NumericsError
from relax.koopman import dsd
from relax.training.checks import check_backbone
from tests.training.trainer_fixture import (
    GROUP,
    Recorder,
    direct_gradient,
    relative_error,
    save_dictionary,
    trainer,
    weights,
)


@pytest.mark.parametrize(
    "common",
    [
        {},
        {"steps_per_generation": 2, "loss_type": "grpo"},
        {"num_iterations": 2, "epsilon_high": 0.28, "mask_truncated_completions": True},
        {"entropy_coef": 0.01, "top_entropy_quantile": 0.2, "gradient_accumulation_steps": 2},
    ],
    ids=["one update", "two updates", "two iterations", "entropy"],
)
def test_without_its_terms_it_is_trl_bit_for_bit(tiny_policy: Path, tmp_path: Path, common: dict) -> None:
    runs = {}
    for kind, options in (
        (GRPOTrainer, {}),
        (
            ReLaXTrainer,
            {"alpha": 0.0, "kl_mode": "none", "dictionary": save_dictionary(tmp_path), "length_order": False},
        ),
    ):
        made = trainer(tiny_policy, tmp_path / kind.__name__, kind, max_steps=5, beta=0.0, **common, **options)
        made.train()
        history = [entry for entry in made.state.log_history if "loss" in entry]
        runs[kind] = (
            weights(made.model),
            [(e["loss"], e["grad_norm"], e.get("reward"), e["entropy"]) for e in history],
        )
    assert len(runs[GRPOTrainer][1]) == 5
    assert runs[ReLaXTrainer][1] == runs[GRPOTrainer][1]
    for name, value in runs[GRPOTrainer][0].items():
        assert torch.equal(runs[ReLaXTrainer][0][name], value), name


@pytest.mark.parametrize("spectrum", ["eigenvalues", "singular_values"])
@pytest.mark.parametrize(("micro", "accumulation"), [(2, 8), (4, 4), (8, 2), (16, 1)])
def test_the_accumulated_gradient_is_that_of_the_whole_batch(
    tiny_policy: Path, tmp_path: Path, spectrum: str, micro: int, accumulation: int
) -> None:
    gradients = []
    for alpha in (0.0, 2.0):
        made = trainer(
            tiny_policy, tmp_path, Recorder, dtype=torch.float64, alpha=alpha, kl_mode="none", beta=0.0,
            spectrum=spectrum, ridge=1e-2, dictionary=save_dictionary(tmp_path), per_device_train_batch_size=micro,
            gradient_accumulation_steps=accumulation,
        )  # fmt: skip
        torch.manual_seed(11)
        gradients.append(made.gradient())
    term = {name: gradients[1][name] - gradients[0][name] for name in gradients[1]}
    expected = direct_gradient(made, None)
    assert relative_error(term, {n: expected[n] for n in term if n in expected}) < 1e-5


@pytest.mark.parametrize(
    "options",
    [
        {"peft_config": LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)},
        {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": True}},
        {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": False}},
        {"steps_per_generation": 4},
        {"num_iterations": 2},
        {"position": "predicting", "dictionary": None, "koopman_dim": 6, "dictionary_objective": "random"},
        {"position": "text", "dictionary": None, "koopman_dim": 6, "dictionary_objective": "random"},
    ],
    ids=["LoRA", "reentrant", "not reentrant", "several updates", "several iterations", "predicting states", "text"],
)
def test_the_gradient_is_exact_whatever_trl_does_beside(tiny_policy: Path, tmp_path: Path, options: dict) -> None:
    gradients = []
    for alpha in (0.0, 2.0):
        full = {"dictionary": save_dictionary(tmp_path), **options}
        made = trainer(
            tiny_policy, tmp_path, Recorder, dtype=torch.float64, alpha=alpha, kl_mode="none", beta=0.0, ridge=1e-2,
            per_device_train_batch_size=4, gradient_accumulation_steps=2, **full,
        )  # fmt: skip
        torch.manual_seed(11)
        gradients.append(made.gradient())
    windows = made.args.steps_per_generation // made.args.gradient_accumulation_steps
    term = {name: (gradients[1][name] - gradients[0][name]) / windows for name in gradients[1]}
    expected = direct_gradient(made, None)
    assert relative_error(term, {n: expected[n] for n in term if n in expected}) < 1e-5
    assert all((value == 0).all() for name, value in term.items() if name not in expected)  # the head has no part


def test_in_bfloat16_the_gradient_is_that_of_the_same_autocast(tiny_policy: Path, tmp_path: Path) -> None:
    """Autocast rounds differently in a micro-batch and in the whole batch: the bound is its precision."""
    gradients = []
    for alpha in (0.0, 20.0):
        made = trainer(
            tiny_policy, tmp_path, Recorder, alpha=alpha, kl_mode="none", beta=0.0, ridge=1e-2, bf16=True,
            dictionary=save_dictionary(tmp_path), per_device_train_batch_size=4, gradient_accumulation_steps=2,
        )  # fmt: skip
        torch.manual_seed(11)
        gradients.append(made.gradient())
    term = {name: gradients[1][name] - gradients[0][name] for name in gradients[1]}
    with torch.autocast("cpu", torch.bfloat16):
        expected = direct_gradient(made, None)
    assert relative_error(term, {n: expected[n] for n in term if n in expected}) < 2**-6


@pytest.mark.parametrize("position", ["response", "text"])
def test_the_adaptive_kl_is_that_of_the_whole_batch(tiny_policy: Path, tmp_path: Path, position: str) -> None:
    gradients = []
    for beta in (0.0, 0.5):
        made = trainer(
            tiny_policy, tmp_path, Recorder, dtype=torch.float64, alpha=1.0, beta=beta,
            kl_mode="adaptive" if beta else "none", xi="q50", ridge=1e-2, position=position,
            dictionary=save_dictionary(tmp_path, position=position), per_device_train_batch_size=4,
            gradient_accumulation_steps=4,
        )  # fmt: skip
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():  # away from the reference, where the KL has a gradient
            for parameter in made.model.parameters():
                parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype))
        torch.manual_seed(11)
        gradients.append(made.gradient())
    without = direct_gradient(made, None)
    both = direct_gradient(made, made.ref_model)
    expected = {n: v - without[n] if n in without else v for n, v in both.items()}
    term = {name: gradients[1][name] - gradients[0][name] for name in expected}
    assert relative_error(term, expected) < 1e-5


def test_the_backbone_is_heard_once_a_loss_and_the_head_never(tiny_policy: Path, tmp_path: Path) -> None:
    made = trainer(tiny_policy, tmp_path, Recorder, alpha=1.0, beta=0.0, dictionary=save_dictionary(tmp_path))
    inputs = made._prepare_inputs(next(iter(made.get_train_dataloader())))
    calls = {"backbone": 0, "head": 0}
    made.model.base_model.register_forward_hook(lambda *_: calls.__setitem__("backbone", calls["backbone"] + 1))
    made.model.lm_head.register_forward_hook(lambda *_: calls.__setitem__("head", calls["head"] + 1))
    made.current_gradient_accumulation_steps = 1
    loss = made._compute_loss(made.model_wrapped, inputs)
    assert calls == {"backbone": 1, "head": 0}
    assert loss.requires_grad


def test_bad_arguments_are_refused_before_training(tiny_policy: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="width 16, the model has 32"):
        trainer(tiny_policy, tmp_path, dictionary=save_dictionary(tmp_path, width=16))
    for options, words in (
        ({"spectrum": "eigen"}, "spectrum is 'eigen'"),
        ({"alpha": -1.0}, "alpha is -1.0, expected at least 0"),
        ({"beta": 0.1, "kl_mode": "adaptive"}, "xi is None"),
        ({"beta": -0.1, "xi": 1.0}, "beta is -0.1, expected at least 0"),
        ({"beta": 0.1, "token_method": "clip_cov"}, "beta is the weight of TRL's own KL"),
        ({"alpha": float("nan")}, "alpha is nan, expected a finite number"),
        ({"alpha": float("inf")}, "alpha is inf, expected a finite number"),
        ({"xi": float("nan")}, "xi is nan, expected a finite number"),
        ({"kl_mode": "gated"}, "kl_mode is 'gated', expected one of none, adaptive, uniform"),
        ({"beta": 0.1, "kl_mode": "none"}, "kl_mode is 'none' but beta is 0.1"),
        ({"xi": "q100"}, "xi is 'q100', which does not fit .*: a number, or a percentile"),
        ({"position": "prompt"}, "position is 'prompt', expected one of response, predicting, text"),
        ({"num_generations": 3}, r"generation_batch_size \(8\) must be divisible by num_generations \(3\)"),
    ):
        with pytest.raises(ConfigError, match=words):
            trainer(tiny_policy, tmp_path, **options)


def test_a_model_without_a_backbone_is_refused() -> None:
    class Whole(torch.nn.Module):
        base_model = property(lambda self: self)

    class Headed(torch.nn.Module):
        class config:
            get_text_config = staticmethod(lambda: object())

    whole = Whole()
    with pytest.raises(ConfigError, match="Whole has no backbone apart from its head"):
        check_backbone(whole, whole.base_model)
    with pytest.raises(ConfigError, match="configuration of Headed names no hidden_size"):
        check_backbone(Headed(), torch.nn.Identity())


def test_a_reward_that_is_nan_is_refused_in_the_first_generation(tiny_policy: Path, tmp_path: Path) -> None:
    def broken(completions: list[str], **_: Any) -> list[float | None]:
        return [0.5, None, float("nan"), *[0.0] * (len(completions) - 3)]

    made = trainer(tiny_policy, tmp_path, reward=broken, dictionary=save_dictionary(tmp_path))
    before = weights(made.model)
    with pytest.raises(NumericsError, match="the reward broken is NaN for completion 2 of 8"):
        made.train()
    assert all(torch.equal(value, before[name]) for name, value in weights(made.model).items())


def test_what_is_logged_each_step(tiny_policy: Path, tmp_path: Path) -> None:
    made = trainer(
        tiny_policy, tmp_path, alpha=0.1, beta=0.01, xi="q50", dictionary=save_dictionary(tmp_path), matched_length=4,
        max_steps=2,
    )  # fmt: skip
    made.train()
    last = [entry for entry in made.state.log_history if "loss" in entry][-1]
    for spectrum in ("eigenvalues", "singular_values"):
        assert {f"dsd/{spectrum}{end}" for end in ("", "/q10", "/q90", "/matched", "/ridge_0.1")} <= last.keys()
    names = {"reward", "entropy", "kl", "share_above_xi", "relax/weight_min", "relax/weight_max", "relax/staleness"}
    names |= {"relax/skipped", "clip_ratio/region_mean", "frac_reward_zero_std", "seconds/dsd"}
    assert names <= last.keys()
    assert 0 < last["seconds/dsd_share"] < 1
    assert last["relax/weight_min"] <= 1 <= last["relax/weight_max"]


def test_the_matched_dsd_is_that_of_windows_of_one_length(tiny_policy: Path, tmp_path: Path) -> None:
    made = trainer(tiny_policy, tmp_path, alpha=0.1, dictionary=save_dictionary(tmp_path), matched_length=5)
    hidden = torch.randn(3, 12, 32, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(3, 12, dtype=torch.long)
    mask[1, 5:], mask[2, 4:] = 0, 0
    matched = made.exploration.measure(hidden, mask)["relax_logged"][:, 2]
    assert matched[1].item() == pytest.approx(dsd(hidden[1:2, :5], made.exploration.weight, mask[1:2, :5]).item())
    assert matched[2].isnan()
    windows = [dsd(hidden[:1, i : i + 5], made.exploration.weight, mask[:1, i : i + 5]).item() for i in (0, 4)]
    assert matched[0].item() == pytest.approx(sum(windows) / 2, rel=1e-6)


def test_rows_that_vllm_throws_out_have_no_part_in_the_term(tiny_policy: Path, tmp_path: Path) -> None:
    made = trainer(tiny_policy, tmp_path, alpha=0.1, beta=0.1, xi=1e-9, dictionary=save_dictionary(tmp_path))
    values = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    made.model.train()
    batch = {"relax_dsd": values, "advantages": torch.tensor([1.0, -1, 1, -1] * 2)}
    ratio = torch.ones(8, 1)
    ratio[0] = 0
    made.exploration.weigh(batch := {**batch, "importance_sampling_ratio": ratio}, GROUP)
    assert batch["relax_factor"][0] == batch["relax_gate"][0] == 0
    assert batch["relax_gate"][1:].tolist() == [1] * 7
    assert made._metrics["train"]["relax/left_out"] == [pytest.approx(1 / 8)]
