"""Responses that the loss masks: no part in Eq. 11, in xi, in the matched length, in the fit; all wait for others."""

import json
import statistics
from pathlib import Path
from typing import Any

import pytest
import torch
from trl import GRPOTrainer

from relax.koopman import Dictionary, dsd
from relax.training import objective
from tests.training.trainer_fixture import GROUP, Scripted, relative_error, save_dictionary, trainer, weights

#: Lengths of the responses of a generation of two groups; a negative one is truncated.
MIXED = [9, -12, -12, 6, -12, 7, -12, 11]
MASKED = [-12] * 8


def scripted(policy: Path, folder: Path, *generations: list[int], **options: Any) -> Scripted:
    made = trainer(policy, folder, Scripted, mask_truncated_completions=True, **options)
    made.lengths = generations
    return made


def logs(made: Any) -> list[dict[str, float]]:
    return [entry for entry in made.state.log_history if "loss" in entry]


def states(made: Scripted, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """(N, T, d) of a recorded batch, from the model itself."""
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], 1)
    attention = torch.cat([batch["prompt_mask"], batch["completion_mask"]], 1)
    output = made.model(input_ids=ids, attention_mask=attention, output_hidden_states=True)
    return output.hidden_states[-1][:, -batch["completion_ids"].shape[1] :]


def test_xi_the_matched_length_and_the_dictionary_are_those_of_the_other_responses(
    tiny_policy: Path, tmp_path: Path
) -> None:
    options = {"alpha": 0.1, "beta": 0.1, "xi": "q50", "koopman_dim": 6, "max_steps": 1, "learning_rate": 0.0}
    made = scripted(tiny_policy, tmp_path, MIXED, **options)
    made.train()
    (batch,) = made.batches
    kept = torch.tensor([length > 0 for length in MIXED])
    assert torch.equal(batch["completion_mask"].any(1), kept)
    with torch.no_grad():
        hidden, mask = states(made, batch)[kept], batch["completion_mask"][kept]
    rows = [row[: int(m.sum())] for row, m in zip(hidden, mask, strict=True)]
    expected = Dictionary.fit(rows, koopman_dim=6, objective="residual", ridge=1e-3, seed=5)
    assert torch.allclose(made.exploration.dictionary.weight, expected.weight, atol=1e-5)
    values = dsd(hidden, made.exploration.weight, mask)
    assert made.exploration.xi == pytest.approx(torch.quantile(values, 0.5).item(), abs=1e-4)
    assert made.exploration.matched_length == round(statistics.median(length for length in MIXED if length > 0))
    (entry,) = logs(made)
    assert entry["relax/left_out"] == pytest.approx(0.5)
    assert entry["share_above_xi"] == pytest.approx(0.5)
    assert entry["dsd/eigenvalues"] == pytest.approx(values.mean().item(), abs=1e-4)
    assert entry["dsd/eigenvalues/q10"] > 0


def test_the_gradient_is_that_of_the_responses_that_take_part(tiny_policy: Path, tmp_path: Path) -> None:
    gradients = []
    for alpha in (0.0, 2.0):
        made = scripted(
            tiny_policy, tmp_path, MIXED, dtype=torch.float64, alpha=alpha, ridge=1e-2, xi=None,
            dictionary=save_dictionary(tmp_path), per_device_train_batch_size=2, gradient_accumulation_steps=4,
        )  # fmt: skip
        torch.manual_seed(11)
        gradients.append(made.gradient())
    term = {name: gradients[1][name] - gradients[0][name] for name in gradients[1]}
    (batch,) = made.batches
    made.model.zero_grad()
    values = dsd(states(made, batch), made.exploration.weight, batch["completion_mask"], "eigenvalues", 1e-2)
    losses = []
    for rows in (torch.tensor([0, 3]), torch.tensor([5, 7])):  # of each group
        factor = batch["advantages"][rows].double().clamp(min=0)
        losses.append(torch.log(torch.exp(-factor * values[rows]).mean()))
    (2.0 * torch.stack(losses).mean()).backward()
    expected = {n: p.grad.clone() for n, p in made.model.named_parameters() if p.grad is not None}
    assert max(value.abs().max() for value in expected.values()) > 0
    assert relative_error(term, {n: expected[n] for n in term if n in expected}) < 1e-5
    assert made._metrics["train"]["relax/term"][-1] == pytest.approx(torch.stack(losses).mean().item())


def test_a_first_generation_without_one_trains_as_trl_does_and_waits(tiny_policy: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"beta": 0.1, "entropy_coef": 0.1, "learning_rate": 1e-2}

    def run(kind: type, **further: Any) -> Any:
        made = trainer(
            tiny_policy,
            tmp_path / kind.__name__,
            kind,
            mask_truncated_completions=True,
            max_steps=4,
            **options,
            **further,
        )
        made.lengths = (MASKED, MASKED, MIXED, MIXED)
        made.train()
        return made

    class ScriptedTRL(GRPOTrainer):
        _generate_single_turn = Scripted._generate_single_turn

    theirs, ours = run(ScriptedTRL), run(Scripted, alpha=0.0, koopman_dim=6, length_order=False)
    assert all(torch.equal(value, weights(theirs.model)[name]) for name, value in weights(ours.model).items())
    with_term = run(Scripted, alpha=0.1, koopman_dim=6)
    first, second, third, _ = logs(with_term)
    for entry in (first, second):
        assert entry["relax/left_out"] == 1
        assert not {name for name in entry if name.startswith("dsd/")} | {"relax/term"} & entry.keys()
    assert third["relax/left_out"] == pytest.approx(0.5)
    assert third["dsd/eigenvalues"] > 0
    assert with_term.exploration.dictionary is not None
    assert with_term.exploration.matched_length == 8


@pytest.mark.parametrize("options", [{}, {"steps_per_generation": 2}, {"dictionary": "given"}])
def test_a_run_that_waits_goes_on_from_its_checkpoint(tiny_policy: Path, tmp_path: Path, options: dict) -> None:
    full = {
        "alpha": 0.1,
        "beta": 0.01,
        "xi": "q50",
        "koopman_dim": 6,
        "max_steps": 4,
        "save_strategy": "steps",
        "save_steps": 1,
        **options,
    }
    if "dictionary" in options:
        full["dictionary"] = save_dictionary(tmp_path)
    if "steps_per_generation" in options:
        full["per_device_train_batch_size"] = 4
    script = [MASKED, MASKED, MIXED, MIXED]
    straight = scripted(tiny_policy, tmp_path / "run", *script, **full)
    straight.train()
    kept = json.loads((tmp_path / "run" / "checkpoint-1" / "relax.json").read_text())
    assert kept["xi"] is None
    assert kept["matched_length"] is None
    assert (kept["dictionary"] is None) == ("dictionary" not in options)
    resumed = scripted(tiny_policy, tmp_path / "run", *script, **full)
    resumed.train(resume_from_checkpoint=str(tmp_path / "run" / "checkpoint-1"))
    assert resumed.exploration.xi == straight.exploration.xi
    assert resumed.exploration.xi is not None
    assert resumed.exploration.dictionary.hash == straight.exploration.dictionary.hash
    expected = weights(straight.model)
    assert all(torch.equal(value, expected[name]) for name, value in weights(resumed.model).items())


def test_dynamic_sampling_joins_rounds_that_waited_with_others(tiny_policy: Path, tmp_path: Path) -> None:
    def silent_first(completions: list[str], **_: Any) -> list[float]:
        first = [0.0] * GROUP if not silent_first.asked else [0.0, 1.0] * (GROUP // 2)
        silent_first.asked = True
        return first + [0.0, 1.0] * ((len(completions) - GROUP) // 2)

    silent_first.asked = False
    made = scripted(
        tiny_policy, tmp_path, MASKED, alpha=0.1, koopman_dim=6, max_steps=1, dynamic_sampling=True, reward=silent_first
    )
    made.lengths = (MASKED, MIXED[:4])
    made.by_call = True
    made.train()
    (entry,) = logs(made)
    assert entry["sampling/rounds"] == 2
    assert entry["relax/left_out"] == pytest.approx(6 / 8)
    assert made.exploration.matched_length == 8


def test_terms_of_all_are_those_without_a_part() -> None:
    generator = torch.Generator().manual_seed(0)
    values, factor = torch.rand(2, 12, generator=generator, dtype=torch.float64)
    part = torch.ones(12, dtype=torch.float64)
    assert torch.equal(objective.group_weights(values, factor, 4, part), objective.group_weights(values, factor, 4))
    assert torch.equal(objective.trajectory_shares(part, 4), part)
    exponent = (-factor * values).view(3, 4)
    old = (torch.logsumexp(exponent, dim=1) - torch.log(exponent.new_tensor(4))).mean()
    assert torch.equal(objective.exploration_loss(values, factor, 4, part), old)
    part[4:8] = 0
    part[1] = 0
    left = torch.log(torch.exp(-factor * values)[torch.tensor([0, 2, 3])].mean())
    right = torch.log(torch.exp(-factor * values)[8:].mean())
    assert objective.exploration_loss(values, factor, 4, part).item() == pytest.approx(((left + right) / 2).item())
    shares = objective.trajectory_shares(part, 4)
    assert shares.sum().item() == pytest.approx(12)
    assert shares[[0, 2, 3]].sum().item() == pytest.approx(6)
    assert objective.exploration_loss(values, factor, 4, torch.zeros(12)).item() == 0
    assert not objective.group_weights(values, factor, 4, torch.zeros(12)).any()
