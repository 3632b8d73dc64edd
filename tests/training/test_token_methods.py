"""Clip-Cov and KL-Cov against their formulas by hand and against autograd of the loss they stand for."""

from pathlib import Path

import numpy as np
import pytest
import torch

from relax.errors import ConfigError
from relax.training.token_methods import clip_cov_tokens, kl_cov_tokens, ratio_clipped, token_covariance
from tests.training.trainer_fixture import Recorder, relative_error, save_dictionary, trainer

LOGPS = torch.tensor([[-1.0, -4.0, -9.0], [-2.0, -1.0, -3.0]])
MASK = torch.tensor([[1, 1, 0], [1, 1, 1]])
ADVANTAGES = torch.tensor([2.0, -1.0])


def test_the_covariance_is_that_of_numpy() -> None:
    valid = MASK.numpy().astype(bool)
    advantages = np.broadcast_to(ADVANTAGES.numpy()[:, None], (2, 3))[valid]
    logps = LOGPS.numpy()[valid]
    found = token_covariance(LOGPS, ADVANTAGES, MASK)
    assert found[~MASK.bool()].tolist() == [-torch.inf]
    assert found[MASK.bool()].mean().item() == pytest.approx(np.cov(advantages, logps, bias=True)[0, 1], rel=1e-6)
    # mean advantage 0.2, mean log-probability -2.2
    assert found[0, 0].item() == pytest.approx((2 - 0.2) * (-1 + 2.2), rel=1e-6)


def test_clip_cov_picks_at_random_between_its_bounds() -> None:
    covariance = torch.linspace(-10, 10, 1001).view(7, 143)
    clipped = covariance > 4
    picked = [
        clip_cov_tokens(covariance, clipped, 0.02, 1.0, 5.0, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    ]
    assert torch.equal(picked[0], picked[1])
    assert not torch.equal(picked[0], picked[2])
    for chosen in picked:
        assert chosen.sum() == 20
        assert ((covariance[chosen] > 1) & (covariance[chosen] <= 4)).all()
    assert clip_cov_tokens(covariance, clipped, 1e-9, 1.0, 5.0).sum() == 1
    assert clip_cov_tokens(covariance, clipped, 0.5, 20.0, 30.0).sum() == 0


def test_kl_cov_picks_the_largest() -> None:
    covariance = torch.randn(8, 125, generator=torch.Generator().manual_seed(0))
    covariance[:, 100:] = -torch.inf
    chosen = kl_cov_tokens(covariance, 0.01)
    assert chosen.sum() == 8  # one in a hundred of the 800 tokens
    assert covariance[chosen].min() > covariance[~chosen].max()
    assert kl_cov_tokens(covariance, 1e-9).sum() == 1
    assert kl_cov_tokens(torch.full((2, 3), -torch.inf), 0.5).sum() == 0


def test_the_clip_stops_a_ratio_only_on_the_side_of_its_advantage() -> None:
    ratio = torch.tensor([[0.5, 1.0, 1.5], [0.5, 1.0, 1.5]])
    found = ratio_clipped(ratio.log(), torch.zeros(2, 3), ADVANTAGES, low=0.2, high=0.2)
    assert found.tolist() == [[False, False, True], [True, False, False]]


def made_with(policy: Path, folder: Path, **options):
    return trainer(
        policy, folder, Recorder, dtype=torch.float64, alpha=0.0, beta=0.0, kl_mode="none",
        dictionary=save_dictionary(folder), **options,
    )  # fmt: skip


def logps_of(made: Recorder, batch: dict) -> torch.Tensor:
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], 1)
    attention = torch.cat([batch["prompt_mask"], batch["completion_mask"]], 1)
    length = batch["completion_ids"].shape[1]
    logits = made.model(input_ids=ids, attention_mask=attention).logits[:, -length - 1 : -1]
    return logits.log_softmax(-1).gather(2, batch["completion_ids"][..., None])[..., 0]


def test_clip_cov_drops_the_gradient_of_its_tokens_and_no_other(tiny_policy: Path, tmp_path: Path) -> None:
    made = made_with(
        tiny_policy, tmp_path, token_method="clip_cov", clip_cov_ratio=0.2, clip_cov_low=0.0, clip_cov_high=50.0
    )
    torch.manual_seed(3)
    gradient = made.gradient()
    inputs = made._buffered_inputs[0]
    mask, chosen = inputs["completion_mask"].bool(), made._chosen
    assert chosen.sum() == int(0.2 * mask.sum())
    made.model.zero_grad()
    logps = logps_of(made, inputs)
    ratio = torch.exp(logps - logps.detach())
    kept = (mask & ~chosen).double()
    (-(inputs["advantages"][:, None] * ratio * kept).sum() / mask.sum()).backward()
    expected = {n: p.grad.clone() for n, p in made.model.named_parameters() if p.grad is not None}
    assert relative_error(gradient, expected) < 1e-5


@pytest.mark.parametrize("loss_type", ["dapo", "grpo"])
def test_kl_cov_holds_its_tokens_and_does_not_clip(tiny_policy: Path, tmp_path: Path, loss_type: str) -> None:
    made = made_with(
        tiny_policy, tmp_path, token_method="kl_cov", kl_cov_ratio=0.1, kl_cov_coef=0.7, steps_per_generation=2,
        loss_type=loss_type, per_device_train_batch_size=8,
    )  # fmt: skip
    torch.manual_seed(3)
    made.model.train()
    inputs = made._prepare_inputs(next(iter(made.get_train_dataloader())))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():  # as after a first update, a large one: ratios far outside any clip
        for parameter in made.model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype))
    made.model.zero_grad()
    made.current_gradient_accumulation_steps = 1
    made._compute_loss(made.model_wrapped, inputs).backward()
    gradient = {n: p.grad.clone() for n, p in made.model.named_parameters() if p.grad is not None}

    made.model.zero_grad()
    mask, advantages = inputs["completion_mask"], inputs["advantages"].double()
    logps = logps_of(made, inputs)
    ratio = torch.exp(logps - inputs["old_per_token_logps"])
    assert ((ratio - 1).abs() > 0.2)[mask.bool()].double().mean() > 0.5
    valid = mask.bool()
    spread = advantages[:, None].expand_as(logps)
    covariance = (spread - spread[valid].mean()) * (logps - logps[valid].mean()).detach()
    count = int(0.1 * valid.sum())
    chosen = valid & (covariance >= covariance[valid].sort(descending=True).values[count - 1])
    assert chosen.sum() == count
    losses = -spread * ratio + 0.7 * chosen * (logps - inputs["old_per_token_logps"]).abs()
    if loss_type == "grpo":
        loss = ((losses * mask).sum(1) / mask.sum(1)).mean()
    else:  # the tokens of the generation batch, of which this is one of two parts
        loss = (losses * mask).sum() / (inputs["num_items_in_batch"] / 2)
    loss.backward()
    expected = {n: p.grad.clone() for n, p in made.model.named_parameters() if p.grad is not None}
    assert relative_error(gradient, expected) < 1e-5


def test_kl_cov_with_one_update_per_generation_is_refused(tiny_policy: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"with one update per generation: .* has gradient 0"):
        made_with(tiny_policy, tmp_path, token_method="kl_cov")
    with pytest.raises(ConfigError, match="loss_type 'bnpo'; expected 'dapo' or 'grpo'"):
        made_with(tiny_policy, tmp_path, token_method="kl_cov", steps_per_generation=2, loss_type="bnpo")
