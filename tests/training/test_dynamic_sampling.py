"""Dynamic sampling: the pure parts by hand, and in a trainer that the batch is what it says it is."""

from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import IterableDataset

from relax import ReLaXConfig
from relax.errors import ConfigError
from relax.koopman import dsd
from relax.training.checks import check_batch, check_dataset
from relax.training.dynamic_sampling import PromptCursor, informative_groups, join, take_rows
from relax.training.relax_config import _check_sampling
from tests.training.trainer_fixture import GROUP, Recorder, arguments, relative_error, save_dictionary, shape, trainer


def test_a_group_is_informative_when_its_responses_earn_differently() -> None:
    rewards = torch.tensor([1.0, 1, 1, 0, 0, 0, 1, 0, 0, 0.1, 0.1, 0.1, torch.nan, 1, 1, torch.nan, 0, 1])
    assert informative_groups(rewards, 3).tolist() == [
        False,  # 1 1 1
        False,  # 0 0 0
        True,  # 1 0 0
        False,  # 0.1 0.1 0.1
        False,  # not scored, 1 1
        True,  # not scored, 0 1
    ]
    assert not informative_groups(torch.full((3,), torch.nan), 3).any()


def test_further_prompts_pass_through_the_data_set_epoch_by_epoch() -> None:
    cursor = PromptCursor(10, seed=4)
    drawn = cursor.take(7) + cursor.take(7) + cursor.take(6)
    assert sorted(drawn[:10]) == sorted(drawn[10:]) == list(range(10))
    assert drawn[:10] != drawn[10:]
    again = PromptCursor(10, seed=4)
    again.drawn = 7
    assert again.take(13) == drawn[7:]
    assert PromptCursor(10, seed=5).take(10) != drawn[:10]


def test_joined_batches_are_padded_as_prompts_and_responses_are() -> None:
    def batch(prompts: list[list[int]], responses: list[list[int]], names: list[str]) -> dict[str, Any]:
        prompt, response = torch.tensor(prompts), torch.tensor(responses)
        return {
            "prompt_ids": prompt, "prompt_mask": torch.ones_like(prompt), "completion_ids": response,
            "old_per_token_logps": -response.double(), "advantages": torch.ones(len(names)), "names": names,
            "num_items_in_batch": torch.tensor(9),
        }  # fmt: skip

    joined = join([batch([[5]], [[1, 2, 3]], ["a"]), batch([[6, 7], [8, 9]], [[4], [5]], ["b", "c"])], pad=0)
    assert joined["prompt_ids"].tolist() == [[0, 5], [6, 7], [8, 9]]
    assert joined["prompt_mask"].tolist() == [[0, 1], [1, 1], [1, 1]]
    assert joined["completion_ids"].tolist() == [[1, 2, 3], [4, 0, 0], [5, 0, 0]]
    assert joined["old_per_token_logps"].tolist() == [[-1, -2, -3], [-4, 0, 0], [-5, 0, 0]]
    assert joined["names"] == ["a", "b", "c"]
    assert joined["num_items_in_batch"].item() == 9
    part = take_rows(joined, torch.tensor([2, 0]))
    assert part["completion_ids"].tolist() == [[5, 0, 0], [1, 2, 3]]
    assert part["names"] == ["c", "a"]


def half_silent(prompts: list[str], completions: list[str], **_: Any) -> list[float]:
    """About half of the prompts earn the same whatever the response."""
    graded = shape(prompts, completions)
    return [g if sum(map(ord, p)) % 2 else 1.0 for p, g in zip(prompts, graded, strict=True)]


def test_a_batch_is_filled_with_informative_groups(tiny_policy: Path, tmp_path: Path) -> None:
    made = trainer(
        tiny_policy, tmp_path, Recorder, dtype=torch.float64, reward=half_silent, alpha=1.0, beta=0.0, kl_mode="none",
        ridge=1e-2, dictionary=save_dictionary(tmp_path), dynamic_sampling=True, steps_per_generation=4,
        per_device_train_batch_size=8,
    )  # fmt: skip
    torch.manual_seed(11)
    gradient = made.gradient()
    (batch,) = made.batches
    rows, groups = 32, 8
    assert all(len(value) == rows for value in batch.values() if value.ndim)
    prompts = made.processing_class.batch_decode(batch["prompt_ids"], skip_special_tokens=True)
    for group in range(groups):
        assert len(set(prompts[group * GROUP : (group + 1) * GROUP])) == 1
    assert all(sum(map(ord, prompt)) % 2 for prompt in prompts)
    assert batch["advantages"].view(groups, GROUP).abs().amax(dim=1).min() > 0
    assert batch["num_items_in_batch"] == batch["completion_mask"].sum()
    torch.testing.assert_close(batch["relax_weight"].view(groups, GROUP).mean(1), torch.ones(groups).double())
    metrics = made._metrics["train"]
    assert metrics["sampling/rounds"][0] >= 2
    assert metrics["sampling/filled"] == [1.0]
    assert len(metrics["reward"]) == 1  # of the plain stream of prompts

    # What travelled through rounds, padding and joining belongs to its row still.
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], 1)
    attention = torch.cat([batch["prompt_mask"], batch["completion_mask"]], 1)
    length = batch["completion_ids"].shape[1]
    made.model.zero_grad()
    output = made.model(input_ids=ids, attention_mask=attention, output_hidden_states=True)
    logps = output.logits[:, -length - 1 : -1].log_softmax(-1).gather(2, batch["completion_ids"][..., None])[..., 0]
    mask = batch["completion_mask"].bool()
    torch.testing.assert_close(batch["old_per_token_logps"][mask].double(), logps[mask], rtol=1e-6, atol=1e-6)
    values = dsd(output.hidden_states[-1][:, -length:], made.exploration.weight, mask, ridge=1e-2)
    torch.testing.assert_close(batch["relax_dsd"], values, rtol=1e-6, atol=1e-9)
    # And the gradient is that of GRPO's token mean and Eq. 11 over this batch; four windows of a quarter each.
    ratio = torch.exp(logps - logps.detach())
    policy_loss = -(batch["advantages"][:, None] * ratio * mask).sum() / mask.sum()
    exponent = (-batch["advantages"].double().clamp(min=0) * values).view(groups, GROUP)
    (policy_loss + (exponent.exp().mean(1).log()).mean()).backward()
    expected = {n: p.grad.clone() for n, p in made.model.named_parameters() if p.grad is not None}
    assert relative_error({n: g / 4 for n, g in gradient.items()}, expected) < 1e-5


def test_at_the_bound_the_rest_has_no_part_in_the_loss(tiny_policy: Path, tmp_path: Path) -> None:
    def silent(prompts: list[str], completions: list[str], **_: Any) -> list[float]:
        return [1.0] * len(prompts)

    made = trainer(
        tiny_policy, tmp_path, Recorder, reward=silent, alpha=1.0, beta=0.0, kl_mode="none", advantage_shaping=False,
        dictionary=save_dictionary(tmp_path), dynamic_sampling=True, dynamic_sampling_rounds=3,
    )  # fmt: skip
    gradient = made.gradient()
    assert made._metrics["train"]["sampling/rounds"] == [3.0]
    assert made._metrics["train"]["sampling/filled"] == [0.0]
    assert all((value == 0).all() for value in gradient.values())


def test_what_it_cannot_work_with_is_refused(tiny_policy: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="dynamic_sampling_rounds is 0"):
        trainer(tiny_policy, tmp_path, dynamic_sampling=True, dynamic_sampling_rounds=0)
    args = arguments(ReLaXConfig, tmp_path, dynamic_sampling=True)
    args.num_generations = 3  # as if two devices shared a group
    with pytest.raises(ConfigError, match="its 8 responses do not divide into groups of 3"):
        _check_sampling(args)
    stream = IterableDataset.from_generator(lambda: iter([{"prompt": "1+1="}]))
    with pytest.raises(ConfigError, match="training set is a stream"):
        check_dataset(stream)
    with pytest.raises(ConfigError, match="holds pixel_values"):
        check_batch({"pixel_values": torch.zeros(1)})
