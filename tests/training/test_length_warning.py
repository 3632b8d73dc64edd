"""The trainer warns where responses have too few states for the dictionary."""

import logging
from pathlib import Path

import pytest

from tests.training.trainer_fixture import Scripted, save_dictionary, trainer


class Lengths(Scripted):
    """Eight responses of 12 tokens each."""

    lengths = ((12,) * 8,)


@pytest.mark.parametrize(
    ("m", "options", "warned"),
    [
        (6, {"alpha": 0.1}, 1),
        (6, {"alpha": 0.0, "beta": 0.01, "xi": "q50"}, 1),
        (5, {"alpha": 0.1}, 0),
        (6, {"alpha": 0.0}, 0),  # DSD decides nothing
        (6, {"alpha": 0.1, "dsd_window": 6}, 0),  # windows have one length
    ],
)
def test_once_where_dsd_acts_and_the_median_is_at_most_twice_m(
    tiny_policy: Path, tmp_path: Path, caplog, m: int, options: dict, warned: int
) -> None:
    made = trainer(tiny_policy, tmp_path, Lengths, dictionary=save_dictionary(tmp_path, m=m), max_steps=2, **options)
    with caplog.at_level(logging.WARNING, logger="relax"):
        made.train()
    said = [record.getMessage() for record in caplog.records if record.name == "relax"]
    assert len(said) == warned
    for text in said:
        assert text.startswith("the first responses have T = 12 states (median), which is at most 2m = 12: ")
        assert "take a smaller koopman_dim" in text
