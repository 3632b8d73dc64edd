"""The method ``authors`` against an implementation that is written from the description of the authors' fork alone.

The description is docs/method.md, "What the fork does". The implementation below loops over trajectories, pads
them, and leaves every gradient to autograd.
"""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from relax.config import load
from relax.errors import ConfigError
from relax.koopman import Dictionary
from relax.koopman.spectrum import spectral_variance
from relax.training.trl_arguments import _as_they_are
from tests.training.trainer_fixture import GROUP, Recorder, relative_error, save_dictionary, trainer, weights

CONFIG = Path(__file__).parents[2] / "config" / "config.yaml"
#: The longest response of the fixture's trainer.
WIDTH = 12
ROWS = 4


def authors() -> dict:
    """The arguments of the method ``authors`` of config/config.yaml, at sizes of a test."""
    method = load([CONFIG]).methods["authors"]
    assert method.trl == {"delta": 10.0}
    return {
        **_as_they_are(method), "xi": method.xi, "epsilon": method.epsilon, **method.trl, "alpha": 2.0, "beta": 0.5,
        "refit_states": 9, "per_device_train_batch_size": ROWS, "gradient_accumulation_steps": 4,
    }  # fmt: skip


def made(policy: Path, folder: Path, kind: type = Recorder, **options):
    arguments = {**authors(), "dictionary": save_dictionary(folder), "max_completion_length": WIDTH, **options}
    return trainer(policy, folder, kind, **arguments)


def forward(model: torch.nn.Module, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Log-probabilities (B, C) of the completion tokens, and the window (B, WIDTH, d) with zeros after the end."""
    ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], 1)
    attention = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], 1)
    length = inputs["completion_ids"].shape[1]
    output = model(input_ids=ids, attention_mask=attention, output_hidden_states=True)
    logps = output.logits[:, -length - 1 : -1].log_softmax(-1).gather(2, inputs["completion_ids"][..., None])[..., 0]
    # What a padded batch of the full width would hold: everything after the response is 0.
    states = (output.hidden_states[-1] * attention[..., None])[:, -length - 1 :]
    states = torch.cat([states, states.new_zeros(len(states), WIDTH, states.shape[2])], 1)[:, :WIDTH]
    return logps, states


def spread(states: Tensor, weight: Tensor) -> Tensor:
    psi_x, psi_y = torch.sigmoid(states[:-1] @ weight), torch.sigmoid(states[1:] @ weight)
    gram = psi_x.T @ psi_x + 1e-3 * torch.eye(weight.shape[1], dtype=torch.float64)
    size = torch.linalg.svd(torch.linalg.solve(gram, psi_x.T @ psi_y), full_matrices=False)[1]
    return torch.var(torch.sqrt(size**2 + 1e-3))


def fork_loss(made: Recorder, reference: torch.nn.Module, inputs: dict[str, Tensor], xi: float) -> Tensor:
    """The loss of a micro-batch."""
    mask, advantages = inputs["completion_mask"].double(), inputs["advantages"].double()
    logps, states = forward(made.model, inputs)
    token_advantages = torch.zeros(len(mask), WIDTH, dtype=torch.float64)
    token_advantages[:, : mask.shape[1]] = advantages[:, None] * mask
    own = made.exploration.own
    assert own is not None
    weight = own.dictionary.weight.double()
    diversity, spreads = [], []
    for row, value in zip(states, token_advantages.mean(dim=1), strict=True):
        size = spread(row, weight)
        diversity.append(size * value if value > 0 else size * 0)
        spreads.append(size if value > 0 else size * 0)
    above = torch.stack(spreads) > xi
    kept = torch.where(above, torch.stack(diversity).detach(), torch.stack(diversity))
    loss = made.args.alpha * torch.log(torch.mean(torch.exp(-kept)))

    ratio = torch.exp(logps - inputs["old_per_token_logps"])
    gain = advantages[:, None]
    clipped = torch.maximum(-gain * ratio, -gain * ratio.clamp(0.0, 2.0))
    dual = torch.where(gain < 0, torch.minimum(clipped, -gain * 10.0), clipped)
    loss = loss + (dual * mask).sum() / mask.sum()

    with torch.no_grad():
        reference_logps = forward(reference, inputs)[0]
    distance = reference_logps - logps
    k3 = torch.exp(distance) - distance - 1
    return loss + made.args.beta * (k3 * above[:, None] * mask).sum() / mask.sum()


def test_loss_and_gradient_are_those_of_the_description(tiny_policy: Path, tmp_path: Path) -> None:
    """Every micro-batch of a generation, in float64: responses of many lengths, on both sides of xi, of the clip and of
    the dual clip."""
    torch.manual_seed(0)
    one = made(tiny_policy, tmp_path, dtype=torch.float64, xi=1e-4)
    reference = one.ref_model.double()
    with torch.no_grad():  # at the initial policy the KL has no gradient
        for parameter in one.model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    loader, seen = iter(one.get_train_dataloader()), []
    one.model.train()
    one.current_gradient_accumulation_steps = 4
    for _ in range(4):
        inputs = one._prepare_inputs(next(loader))
        one._step += 1
        mask = inputs["completion_mask"].bool()
        noise = 2.5 * torch.randn(mask.shape, dtype=torch.float64)
        with torch.no_grad():
            inputs["old_per_token_logps"] = forward(one.model, inputs)[0] + noise
        # The limit lies in the midst of the trajectories with a positive advantage.
        weight = one.exploration.own.dictionary.weight.double()
        with torch.no_grad():
            sizes = torch.stack([spread(row, weight) for row in forward(one.model, inputs)[1]])
        positive = sizes[inputs["advantages"] > 0]
        one.exploration.xi = (positive.min() + positive.max()).item() / 2
        gradients, losses = [], []
        for ours in (True, False):
            one.model.zero_grad()
            if ours:
                loss = 4 * one._compute_loss(one.model, inputs)
            else:
                loss = fork_loss(one, reference, inputs, one.exploration.xi)
            loss.backward()
            losses.append(loss.item())
            gradients.append({n: p.grad.clone() for n, p in one.model.named_parameters() if p.grad is not None})
        assert losses[0] == pytest.approx(losses[1], rel=1e-6)
        assert relative_error(*gradients) < 1e-6
        ratio, against = torch.exp(-noise)[mask], (inputs["advantages"] < 0)[:, None].expand(mask.shape)[mask]
        seen.append([
            len(set(mask.sum(1).tolist())) > 1, 0 < (positive > one.exploration.xi).sum() < len(positive),
            bool((ratio[~against] > 2).any()), bool((ratio[against] > 10).any()),
        ])  # fmt: skip
    assert all(map(any, zip(*seen, strict=True)))


def test_a_fit_is_that_of_the_description() -> None:
    """Adam on the unsquared norm, the gradient through K and its factorisation, a step for each 64 trajectories."""
    states = torch.randn(100, 9, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64).cumsum(1)
    states[::3, 6:] = 0
    start = Dictionary.random(16, 5, seed=7, slope=math.sqrt(7))
    parameter = start.weight.double().requires_grad_()
    optimizer = torch.optim.Adam([parameter], lr=1e-3)
    order = torch.randperm(100, generator=torch.Generator().manual_seed(7))
    for rows in order.split(64):
        psi = torch.sigmoid(states[rows] @ parameter)
        psi_x, psi_y = psi[:, :-1].reshape(-1, 5), psi[:, 1:].reshape(-1, 5)
        gram = psi_x.T @ psi_x + 1e-3 * torch.eye(5, dtype=torch.float64)
        _, size, right = torch.linalg.svd(torch.linalg.solve(gram, psi_x.T @ psi_y))
        loss = torch.norm(psi_y @ right - psi_x @ right @ torch.diag(size), p="fro") / len(rows)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    fitted = Dictionary.fit(list(states), koopman_dim=5, objective="fragment", seed=7, slope=math.sqrt(7))
    assert (fitted.weight - start.weight).abs().max() > 1.5e-3
    torch.testing.assert_close(fitted.weight.double(), parameter.detach(), rtol=0, atol=1e-6)


def test_the_initial_weight_has_the_range_of_kaimings_draw() -> None:
    layer = torch.nn.Linear(400, 50, bias=False)
    torch.nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(7))
    drawn = Dictionary.random(400, 50, slope=math.sqrt(7)).weight
    assert drawn.abs().max().item() == pytest.approx(layer.weight.abs().max().item(), rel=1e-3)
    assert drawn.std().item() == pytest.approx(layer.weight.std().item(), rel=0.02)


@pytest.mark.parametrize("spectrum", ["eigenvalues", "singular_values"])
def test_the_smoothed_spread_has_its_gradient(spectrum: str) -> None:
    matrix = torch.randn(3, 6, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64).requires_grad_()
    value = spectral_variance(matrix, spectrum, 1e-3)[0]
    sizes = torch.linalg.svdvals(matrix) if spectrum == "singular_values" else torch.linalg.eigvals(matrix).abs()
    expected = torch.sqrt(sizes**2 + 1e-3).var(dim=1)
    torch.testing.assert_close(value, expected)
    found = torch.autograd.grad(value.sum(), matrix)[0]
    torch.testing.assert_close(found, torch.autograd.grad(expected.sum(), matrix)[0], rtol=1e-9, atol=1e-12)
    assert not torch.allclose(value, spectral_variance(matrix, spectrum)[0], rtol=1e-4)


class Fits(Recorder):
    """Keeps the hash of the refitted W after every generation."""

    def _generate_and_score_completions(self, inputs):
        batch = super()._generate_and_score_completions(inputs)
        self.hashes = [*getattr(self, "hashes", []), self.exploration.own.dictionary.hash]
        return batch


def test_w_is_fitted_anew_and_a_resumed_run_goes_on_with_it(tiny_policy: Path, tmp_path: Path) -> None:
    options = {
        "refit_every": 2, "xi": "q50", "max_steps": 5, "gradient_accumulation_steps": 2,
        "lr_scheduler_type": "constant",
    }  # fmt: skip
    whole = made(tiny_policy, tmp_path / "whole", Fits, **options)
    whole.train()
    first, same, second, again, third = whole.hashes
    assert first == same
    assert second == again
    assert len({first, second, third}) == 3
    frozen = whole.exploration.dictionary
    assert frozen.hash == Dictionary.load(whole.args.dictionary).hash  # what is logged stays in its frame
    assert isinstance(whole.exploration.xi, float)

    saved = {"save_strategy": "steps", "save_steps": 3, **options}
    made(tiny_policy, tmp_path / "part", Fits, **saved | {"max_steps": 3}).train()
    resumed = made(tiny_policy, tmp_path / "part", Fits, **saved)
    resumed.train(resume_from_checkpoint=True)
    assert resumed.hashes == [again, third]
    assert resumed.exploration.xi == whole.exploration.xi
    expected = weights(whole.model)
    assert all(torch.equal(value, expected[name]) for name, value in weights(resumed.model).items())


def test_the_log_keeps_the_frame_of_the_dictionary(tiny_policy: Path, tmp_path: Path) -> None:
    """DSD of the first rollouts, which every method samples alike, is logged as under GRPO."""
    plain = {
        "alpha": 0.0, "beta": 0.0, "max_steps": 1, "gradient_accumulation_steps": 4, "loss_type": "bnpo",
        "per_device_train_batch_size": ROWS, "dictionary": save_dictionary(tmp_path),
    }  # fmt: skip
    grpo = trainer(tiny_policy, tmp_path / "grpo", **plain)
    grpo.train()
    one = made(tiny_policy, tmp_path / "authors", max_steps=1, xi=10.0)
    one.train()
    name = "dsd/singular_values"
    assert one.state.log_history[0][name] == pytest.approx(grpo.state.log_history[0][name], rel=1e-6)


def test_value_kept_above_the_limit(tiny_policy: Path, tmp_path: Path) -> None:
    """`detached` with the log-mean of Eq. 11: the weights count what is above xi, the gradient does not."""
    options = {
        "alpha": 3.0, "kl_mode": "none", "beta": 0.0, "above_xi": "detached", "xi": "q50", "dtype": torch.float64,
        "ridge": 1e-2, "dictionary": save_dictionary(tmp_path), "per_device_train_batch_size": 2 * GROUP,
    }  # fmt: skip
    one = trainer(tiny_policy, tmp_path, Recorder, **options)
    (batch,) = (one.gradient(), one.batches)[1]
    xi, values = one.exploration.xi, batch["relax_dsd"]
    assert 0 < (values > xi).sum() < len(values)
    counted = batch["advantages"].double().clamp(min=0)
    share = torch.softmax((-counted * values).view(-1, GROUP), dim=1).view(-1) * GROUP
    torch.testing.assert_close(batch["relax_weight"], share)
    torch.testing.assert_close(batch["relax_factor"], counted * (values <= xi))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"dsd_window": 4}, "trajectory is 'window' and dsd_window is set"),
        ({"tokens_per_micro_batch": 100}, "but the loss under loss_type 'bnpo' depends on which do"),
        ({"max_completion_length": None}, "need max_completion_length"),
    ],
)
def test_what_contradicts_a_window_is_refused(tiny_policy: Path, tmp_path: Path, options: dict, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        made(tiny_policy, tmp_path, **options)


def test_a_dictionary_without_the_last_state_has_no_window(tiny_policy: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the dictionary's position is 'text'"):
        made(tiny_policy, tmp_path, dictionary=save_dictionary(tmp_path / "text", position="text"))
