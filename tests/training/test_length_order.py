"""Passes over rows of different lengths: as TRL's, with less padding, and the reference asked where it is needed."""

from pathlib import Path
from typing import Any

import pytest
import torch
from trl import GRPOTrainer

from relax.errors import ConfigError
from relax.training import length_order
from tests.training.trainer_fixture import Scripted, relative_error, save_dictionary, trainer

#: Of two groups of four, and of four; the longest is four times the mean.
HEAVY = (12, 2, 3, -1, 2, 5, 2, 1)


def rows_of(lengths: list[tuple[int, int]]) -> tuple[torch.Tensor, torch.Tensor]:
    prompts, completions = (max(column) for column in zip(*lengths, strict=True))
    attention = torch.zeros(len(lengths), prompts + completions, dtype=torch.long)
    for row, (prompt, completion) in zip(attention, lengths, strict=True):
        row[prompts - prompt : prompts + completion] = 1
    return torch.arange(attention.numel()).view_as(attention), attention


def test_a_cut_leaves_the_columns_that_a_row_uses() -> None:
    tokens, attention = rows_of([(3, 1), (2, 4), (5, 6)])
    part = length_order.cut(tokens[:2], attention[:2], 6)
    assert part.keep == 4
    assert torch.equal(part.tokens, tokens[:2, 2:9])
    assert torch.equal(part.attention, attention[:2, 2:9])
    assert length_order.cut(tokens[:2], attention[:2], 6, left=False).tokens.shape == (2, 9)
    silent = attention.clone()
    silent[:, 5:] = 0  # all completions are masked
    part = length_order.cut(tokens, silent, 6)
    assert (part.keep, part.tokens.shape) == (1, (3, 6))


def test_rows_go_by_length_and_share_passes_of_so_many_tokens() -> None:
    prompts, completions = torch.tensor([2, 3, 2, 9, 1]), torch.tensor([5, 5, 20, 1, 1])
    assert length_order.longest_first(prompts, completions).tolist() == [2, 1, 0, 3, 4]
    assert [rows.tolist() for rows in length_order.by_tokens(prompts, completions, 16)] == [[2], [1, 0], [3], [4]]
    assert [rows.tolist() for rows in length_order.by_tokens(prompts, completions, 20)] == [[2], [1, 0], [3, 4]]


def test_processes_are_dealt_as_many_rows_and_nearly_as_many_tokens() -> None:
    lengths = torch.distributions.LogNormal(4.0, 0.7).sample((64,)).sort(descending=True).values
    shares = [length_order.dealt(torch.arange(64), process, 4) for process in range(4)]
    assert sorted(torch.cat(shares).tolist()) == list(range(64))
    tokens = [lengths[share].sum().item() for share in shares]
    assert max(tokens) - min(tokens) <= lengths[0].item()


class Plain(GRPOTrainer):
    """TRL's trainer on the responses of :class:`Scripted`."""

    lengths = (HEAVY,)
    _generate_single_turn = Scripted._generate_single_turn
    gradient = Scripted.gradient


class Heavy(Scripted):
    lengths = (HEAVY,)
    asked: int = 0

    def _get_per_token_logps_and_entropies(self, model: Any, input_ids: torch.Tensor, *given: Any, **seen: Any) -> Any:
        if model is self.ref_model:
            self.asked += len(input_ids)
        return super()._get_per_token_logps_and_entropies(model, input_ids, *given, **seen)


@pytest.mark.parametrize("loss_type", ["grpo", "dapo", "dr_grpo", "bnpo"])
@pytest.mark.parametrize(
    "options", [{}, {"steps_per_generation": 4}, {"tokens_per_micro_batch": 40}], ids=["one", "old", "tokens"]
)
def test_the_gradient_is_trls(tiny_policy: Path, tmp_path: Path, loss_type: str, options: dict) -> None:
    micro = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4}
    ours = {**micro, **options, "alpha": 0.0, "kl_mode": "none", "dictionary": save_dictionary(tmp_path)}
    if "tokens_per_micro_batch" in options:
        if loss_type == "bnpo":
            with pytest.raises(ConfigError, match="depends on which"):
                trainer(tiny_policy, tmp_path, Heavy, beta=0.0, loss_type=loss_type, **ours)
            return
        ours |= {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 1}
    if "steps_per_generation" in options:
        micro |= {"steps_per_generation": 4, "gradient_accumulation_steps": 2}
        ours |= {"gradient_accumulation_steps": 2}
    gradients = []
    for kind, given in ((Plain, micro), (Heavy, ours)):
        made = trainer(tiny_policy, tmp_path, kind, dtype=torch.float64, beta=0.0, loss_type=loss_type, **given)
        torch.manual_seed(11)
        gradients.append(made.gradient())
    assert relative_error(gradients[1], gradients[0]) < 1e-6


def test_the_reference_is_asked_where_the_gate_is_open(tiny_policy: Path, tmp_path: Path) -> None:
    common = {
        "alpha": 1.0, "kl_mode": "adaptive", "beta": 0.5, "ridge": 1e-2, "dictionary": save_dictionary(tmp_path),
        "per_device_train_batch_size": 4, "gradient_accumulation_steps": 2,
    }  # fmt: skip
    for xi in ("q50", 1e9):
        made = trainer(tiny_policy, tmp_path, Heavy, xi=xi, **common)
        made.gradient()
        (batch,) = made.batches
        gate = batch["relax_gate"] > 0
        assert made.asked == gate.sum() == (0 if xi == 1e9 else 4)
        assert (batch["ref_per_token_logps"][~gate] == 0).all()
        kl = made._metrics["train"].get("kl", [])
        assert all(abs(value) < 1e-5 for value in kl)  # the policy is its reference yet
        assert bool(kl) == bool(gate.any())


def test_the_rows_of_a_step_are_in_the_order_of_their_length(tiny_policy: Path, tmp_path: Path) -> None:
    given = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2, "steps_per_generation": 4}
    made = trainer(tiny_policy, tmp_path, Heavy, alpha=1.0, beta=0.0, dictionary=save_dictionary(tmp_path), **given)
    made.gradient()
    counts = [batch["completion_mask"].sum(1).tolist() for batch in made._buffered_inputs]
    steps = [[*counts[0], *counts[1]], [*counts[2], *counts[3]]]
    assert all(step == sorted(step, reverse=True) for step in steps)
    assert sorted([*steps[0], *steps[1]]) == sorted(abs(length) for length in HEAVY)
    made = trainer(tiny_policy, tmp_path, Heavy, alpha=1.0, beta=0.0, loss_type="bnpo", **given)
    assert not made._orders
