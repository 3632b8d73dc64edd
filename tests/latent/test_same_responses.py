"""Training and analysis measure the same thing: on the same responses they have the same DSD."""

from pathlib import Path

import pytest
import torch
from datasets import Dataset

from relax.koopman import POSITIONS, ROBUST_RIDGE, SPECTRA, Dictionary
from relax.latent.rollouts import Rollout
from relax.latent.states import statistics_with_baseline
from relax.models.policy import load_policy
from tests.training.trainer_fixture import Recorder, trainer

RIDGE = 1e-3


class Listening(Recorder):
    """Keeps what DSD is logged, and the responses of the micro-batches."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.logged: list[torch.Tensor] = []
        self.trained_on: list[Rollout] = []
        measure = self.exploration.measure

        def noted(hidden: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
            rows = measure(hidden, mask)
            self.logged.append(rows["relax_logged"])
            return rows

        self.exploration.measure = noted

    def _compute_loss(self, model, inputs):
        self.trained_on += rollouts(inputs)
        return super()._compute_loss(model, inputs)


def rollouts(batch: dict[str, torch.Tensor]) -> list[Rollout]:
    """The responses of a batch of TRL's, without its padding."""
    names = ("prompt_ids", "prompt_mask", "completion_ids", "completion_mask")
    rows = zip(*(batch[name] for name in names), strict=True)
    return [
        Rollout(str(i), "", asked[there.bool()].tolist(), said[mask.bool()].tolist(), "")
        for i, (asked, there, said, mask) in enumerate(rows)
    ]


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("alpha", [0.0, 1.0], ids=["GRPO", "ReLaX"])
def test_the_logged_dsd_of_a_response_is_that_of_the_analysis(
    alpha: float, position: str, tiny_policy: Path, tmp_path: Path
) -> None:
    dictionary = Dictionary.random(32, 6, seed=3, position=position)
    dictionary.save(tmp_path / "dictionary.safetensors")
    made = trainer(
        tiny_policy, tmp_path, Listening, dtype=torch.float64, alpha=alpha, kl_mode="none", beta=0.0, ridge=RIDGE,
        dictionary=str(tmp_path / "dictionary.safetensors"), max_completion_length=24, per_device_train_batch_size=4,
        gradient_accumulation_steps=4,
    )  # fmt: skip
    # Of several lengths, so that there is padding on both sides of the place where responses begin.
    made.train_dataset = Dataset.from_list([{"prompt": "1234"[: 1 + i % 4] + ":"} for i in range(64)])
    torch.manual_seed(7)
    made.gradient()
    (batch,) = made.batches
    rows = rollouts(batch) if alpha else made.trained_on  # GRPO measures in the loss, whose order TRL shuffles
    ended = [row.response_ids[-1] == made.processing_class.eos_token_id for row in rows]
    assert any(ended)
    assert not all(ended)
    assert len({len(row.prompt_ids) for row in rows}) > 1
    model, processing = load_policy(tiny_policy, torch.float64)
    analysed, _ = statistics_with_baseline(model, rows, dictionary, processing, seed=0, batch=5)
    found = batch["relax_logged"] if alpha else torch.cat(made.logged)
    assert len(found) == len(rows) == 16
    for place, spectrum in enumerate(SPECTRA):
        for column, ridge in ((3 * place, RIDGE), (3 * place + 1, ROBUST_RIDGE)):
            expected = analysed.dsd(spectrum, ridge)
            there = analysed.length > 0
            assert found[there, column].tolist() == pytest.approx(expected[there].tolist(), rel=1e-5)
            assert found[~there, column].isnan().all()
    states = [len(row.response_ids) - (position == "text" and end) for row, end in zip(rows, ended, strict=True)]
    assert analysed.length.tolist() == states
