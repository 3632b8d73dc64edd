"""The step of escape on curves whose answer can be read off."""

import random

import pytest

from relax.study.escape import step_of_escape


@pytest.mark.parametrize(
    ("shares", "step"),
    [
        ([], None),
        ([0.3] * 200, None),
        ([0.5] * 200, None),  # exactly one half is not more than it
        ([0.9] * 10, 1),
        ([0.9] * 9, None),
        ([0.3] * 100 + [0.6] * 100, 101),
        ([0.3] * 190 + [0.6] * 10, 191),
        ([0.3] * 191 + [0.6] * 9, None),
        ([0.3] * 50 + [0.6] * 9 + [0.4] + [0.6] * 50, 61),  # one step back starts the count anew
        ([0.3] * 50 + [0.6] * 10 + [0.1] * 50, 51),  # ten steps are an escape, whatever follows
    ],
)
def test_the_step_of_escape(shares: list[float], step: int | None) -> None:
    assert step_of_escape(shares) == step


def test_the_step_of_escape_against_brute_force() -> None:
    rng = random.Random(0)
    for _ in range(300):
        level = rng.random()
        shares = [rng.random() < level for _ in range(60)]
        starts = [s for s in range(51) if all(shares[s : s + 10])]
        assert step_of_escape([float(x) for x in shares]) == (starts[0] + 1 if starts else None)


def test_with_several_updates_a_generation_ten_steps_are_fewer_generations() -> None:
    assert step_of_escape([0.3] * 30 + [0.6] * 5, updates=2) == 61
    assert step_of_escape([0.3] * 30 + [0.6] * 4, updates=2) is None
    assert step_of_escape([0.3] * 30 + [0.6] * 4, updates=3) == 91
    assert step_of_escape([0.3] * 30 + [0.6] * 3, updates=3) is None
