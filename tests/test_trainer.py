"""ReLaXTrainer on a tiny policy: equal to TRL without its terms, equal to the whole-batch objective with them."""

from pathlib import Path

import pytest
import torch
from trl import GRPOTrainer

from relax import ReLaXTrainer
from relax.errors import ConfigError
from relax.koopman import dsd
from relax.training import objective
from trainer_fixture import GROUP, save_dictionary, trainer, weights


def test_without_its_terms_it_is_trl_bit_for_bit(tiny_policy: Path, tmp_path: Path) -> None:
    runs = {}
    for kind, options in (
        (GRPOTrainer, {}),
        (ReLaXTrainer, {"alpha": 0.0, "kl_mode": "none", "dictionary": save_dictionary(tmp_path)}),
    ):
        made = trainer(tiny_policy, tmp_path / kind.__name__, kind, max_steps=5, beta=0.0, **options)
        made.train()
        history = [entry for entry in made.state.log_history if "reward" in entry]
        runs[kind] = (
            weights(made.model),
            [(e["loss"], e["grad_norm"], e["reward"], e["entropy"]) for e in history],
        )
    assert len(runs[GRPOTrainer][1]) == 5
    assert runs[ReLaXTrainer][1] == runs[GRPOTrainer][1]
    for name, value in runs[GRPOTrainer][0].items():
        assert torch.equal(runs[ReLaXTrainer][0][name], value), name


class Recorder(ReLaXTrainer):
    """Keeps the generation batch and the accumulated gradient of the first optimizer step(s)."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.batches: list[dict] = []

    def _generate_and_score_completions(self, inputs):
        batch = super()._generate_and_score_completions(inputs)
        self.batches.append({k: v.clone() for k, v in batch.items() if isinstance(v, torch.Tensor)})
        return batch

    def gradient(self) -> dict[str, torch.Tensor]:
        """Of the ReLaX terms over one generation batch, accumulated through TRL's own micro-steps."""
        loader = iter(self.get_train_dataloader())
        self.model.train()
        self.model.zero_grad()
        self.current_gradient_accumulation_steps = self.args.gradient_accumulation_steps
        for _ in range(self.args.steps_per_generation):
            inputs = self._prepare_inputs(next(loader))
            self.accelerator.backward(self._compute_loss(self.model_wrapped, inputs))
            self._step += 1
        return {n: p.grad.clone() for n, p in self.model.named_parameters() if p.grad is not None}


def direct_gradient(made: Recorder, reference: torch.nn.Module | None) -> dict[str, torch.Tensor]:
    """Autograd of Eq. 11 and 12 over the whole batch, straight from the model."""
    (batch,), args = made.batches, made.args
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], 1)
    attention = torch.cat([batch["prompt_mask"], batch["completion_mask"]], 1)
    mask, length = batch["completion_mask"], batch["completion_ids"].shape[1]
    made.model.zero_grad()

    def forward(model):
        output = model(input_ids=ids, attention_mask=attention, output_hidden_states=True)
        logps = output.logits[:, -length - 1 : -1].log_softmax(-1)
        return output.hidden_states[-1][:, -length:], logps.gather(2, batch["completion_ids"][..., None])[..., 0]

    hidden, logps = forward(made.model)
    values = dsd(hidden, made._weight, mask, args.spectrum, args.ridge)
    factor = objective.exploration_factor(
        batch["advantages"].double(), values.detach(), args.advantage_shaping, made.limit
    )
    loss = args.alpha * objective.exploration_loss(values, factor, GROUP)
    if reference is not None:
        with torch.no_grad():
            reference_logps = forward(reference)[1]
        kl = objective.trajectory_kl(logps, reference_logps, mask)
        gate = objective.kl_gate(values, args.kl_mode, made.limit)
        assert 0 < gate.sum() < len(gate), "the case must have both sides of the gate"
        loss = loss + args.beta * (gate * kl).view(-1, GROUP).sum(1).mean()
    loss.backward()
    return {n: p.grad.clone() for n, p in made.model.named_parameters() if p.grad is not None}


def relative_error(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> float:
    difference = sum(((first[n] - second[n]) ** 2).sum() for n in second)
    return (difference / sum((v**2).sum() for v in second.values())).sqrt().item()


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


def test_the_adaptive_kl_is_that_of_the_whole_batch(tiny_policy: Path, tmp_path: Path) -> None:
    gradients = []
    for beta in (0.0, 0.5):
        made = trainer(
            tiny_policy, tmp_path, Recorder, dtype=torch.float64, alpha=1.0, beta=beta,
            kl_mode="adaptive" if beta else "none", xi="q50", ridge=1e-2, dictionary=save_dictionary(tmp_path),
            per_device_train_batch_size=4, gradient_accumulation_steps=4,
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
    assert made._dictionary.settings.koopman_dim == 5
    assert made.limit is not None
    checkpoint = tmp_path / "run" / "checkpoint-1"
    assert (checkpoint / "complete").exists()
    again = trainer(tiny_policy, tmp_path / "run", max_steps=2, **options)
    again.train(resume_from_checkpoint=str(checkpoint))
    assert again._dictionary.hash == made._dictionary.hash
    assert again.limit == made.limit
    other = trainer(tiny_policy, tmp_path / "run", max_steps=2, dictionary=save_dictionary(tmp_path), **options)
    with pytest.raises(ConfigError, match="was trained with dictionary"):
        other.train(resume_from_checkpoint=str(checkpoint))


@pytest.mark.parametrize(
    ("name", "options", "resume"),
    [
        ("generation boundary", {}, 3),
        ("middle of the rollout buffer", {"steps_per_generation": 2}, 3),
        ("several iterations", {"num_iterations": 2}, 3),
        ("a later epoch", {"max_steps": 36}, 34),
    ],
)
def test_a_resumed_run_ends_with_the_same_weights(
    tiny_policy: Path, tmp_path: Path, name: str, options: dict, resume: int
) -> None:
    full = {"alpha": 0.1, "beta": 0.01, "xi": 0.05, "dictionary": save_dictionary(tmp_path), "max_steps": 6,
            "save_strategy": "steps", "save_steps": 1, **options}  # fmt: skip
    straight = trainer(tiny_policy, tmp_path / "run", **full)
    straight.train()
    resumed = trainer(tiny_policy, tmp_path / "run", **full)
    resumed.train(resume_from_checkpoint=str(tmp_path / "run" / f"checkpoint-{resume}"))
    expected = weights(straight.model)
    for parameter, value in weights(resumed.model).items():
        assert torch.equal(value, expected[parameter]), f"{name}: {parameter}"


def test_bad_arguments_are_refused_before_training(tiny_policy: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="width 16, the model has 32"):
        trainer(tiny_policy, tmp_path, dictionary=save_dictionary(tmp_path, width=16))
    for options, words in (
        ({"spectrum": "eigen"}, "spectrum is 'eigen'"),
        ({"alpha": -1.0}, "must not be negative"),
        ({"beta": 0.1}, "xi is None"),
        ({"beta": 0.1, "kl_mode": "none"}, "kl_mode is 'none' but beta is 0.1"),
    ):
        with pytest.raises(ConfigError, match=words):
            trainer(tiny_policy, tmp_path, **options)
