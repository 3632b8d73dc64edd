"""The choice of each arm's coefficient, on runs whose truth is known and on those that are tracked."""

import pytest

from relax.study.configurations import tuning_plan
from relax.study.evidence_page import to_page
from relax.study.tracked_runs import read_records
from relax.study.tuning import choices, tuning_table
from tests.conftest import REPOSITORY
from tests.study.evidence_fixture import CONTROLS, MAIN, record

PLAN = tuning_plan()
SEEDS, STEPS = PLAN["matrix"]["seeds"], PLAN["training"]["steps"]


def tried(arm, low=None, middle=None, high=None):
    """Two runs of each value that escape at these steps; the end of those that stay is flat."""
    found = {}
    for method, steps in ((f"{arm}-low", low), (arm, middle), (f"{arm}-high", high)):
        for seed, step in zip(SEEDS, steps or (None, None), strict=True):
            made = record("study_tuning", "trap-t", method, seed, step)
            made["curves"] = {name: values[: STEPS // 2] for name, values in made["curves"].items()}
            made["curves"]["strategy/chain"] = [
                0.25 if step is None else 0.9 * (at >= step) for at in made["curves"]["step"]
            ]
            found["study_tuning", "trap-t", method, seed] = made
    return found


@pytest.mark.parametrize(
    ("steps", "value"),
    [
        ({}, 0.01),  # nothing decides: the middle
        ({"high": (21, None)}, 0.03),
        ({"low": (21, 41), "high": (21, None)}, 0.0033),
        ({"low": (41, 41), "high": (21, 21)}, 0.0033),  # as many escapes and chains, none is the middle: the first
    ],
)
def test_the_most_escapes_are_chosen(steps, value) -> None:
    (choice,) = choices(PLAN, tried("relax-sv", **steps))
    assert (choice.arm, choice.key) == ("relax-sv", "alpha")
    assert [t.value for t in choice.tried] == [0.0033, 0.01, 0.03]
    assert choice.chosen.value == value


def test_chains_decide_between_equal_escapes() -> None:
    records = tried("relax-sv")
    for key, made in records.items():
        if key[2] == "relax-sv-high":
            made["curves"]["strategy/chain"][-1] = 0.4
    (choice,) = choices(PLAN, records)
    assert choice.chosen.value == 0.03
    assert "0.01: 0, 0.2500 | **0.03**: 0, 0.2800 |" in tuning_table([choice])


def test_shares_that_are_equal_but_for_rounding_leave_the_middle() -> None:
    """The same number of chains in the last ten steps, spread in another way over them."""
    records = tried("relax-sv")
    counts = {"relax-sv-low": [2, 3, 5, 1, 5], "relax-sv": [4, 4, 4, 4, 0], "relax-sv-high": [7, 6, 1, 1, 1]}
    for key, made in records.items():
        made["curves"]["strategy/chain"][-5:] = [float(f"{count / 512:.5g}") for count in counts[key[2]]]
    (choice,) = choices(PLAN, records)
    assert len({t.chains for t in choice.tried}) > 1
    assert choice.chosen.value == 0.01
    for key, made in records.items():
        if key[2] == "relax-sv-low":
            made["curves"]["strategy/chain"][-1] = 6 / 512  # one chain more
    assert choices(PLAN, records)[0].chosen.value == 0.0033


def test_a_run_that_broke_down_has_no_chains() -> None:
    records = tried("relax-sv", low=(21, 21), middle=(41, 41))
    for key, made in records.items():
        if key[2] == "relax-sv-low":
            del made["curves"]
        made.setdefault("curves", {})
        if key[2] == "relax-sv-high":
            made["curves"]["strategy/chain"][-1] = None
    (choice,) = choices(PLAN, records)
    assert [t.escapes for t in choice.tried] == [0, 2, 0]
    assert [t.chains for t in choice.tried] == pytest.approx([0, 0.9, 0.2])
    assert choice.chosen.value == 0.01


def test_an_arm_is_chosen_for_when_all_its_runs_are_there() -> None:
    records = tried("relax-sv")
    del records["study_tuning", "trap-t", "relax-sv-low", SEEDS[1]]
    assert choices(PLAN, records) == []


def test_every_arm_but_the_fixed_ones_has_three_values() -> None:
    """With one coefficient each, and its middle in the tuning's own file: that of the study changes with the choice."""
    methods = PLAN["matrix"]["methods"]
    arms = {m for m in methods if f"{m}-low" in methods and f"{m}-high" in methods}
    assert arms == {*MAIN["matrix"]["methods"]} - {"grpo", "relax-alpha-0.03"}


def test_the_study_runs_what_its_tuning_has_chosen() -> None:
    found = choices(PLAN, read_records(REPOSITORY / "results" / "reference" / "study"))
    if len(found) < len(MAIN["matrix"]["methods"]) - 2:
        pytest.skip("the runs of the tuning are not tracked")
    assert {c.arm: MAIN["methods"][c.arm][c.key] for c in found} == {c.arm: c.chosen.value for c in found}


def test_the_arm_on_top_of_kl_takes_the_weight_of_that_kl() -> None:
    """docs/study.md: whatever is chosen for grpo-kl."""
    assert MAIN["methods"]["relax-sv-kl"]["beta"] == MAIN["methods"]["grpo-kl"]["beta"]


def test_with_runs_of_the_tuning_alone_the_page_says_what_they_are() -> None:
    one = record("study_tuning", "trap-t", "relax", 101)
    page = to_page(MAIN, CONTROLS, {("study_tuning", "trap-t", "relax", 101): one}, tuning=PLAN)
    assert "no run of it is tracked, and nothing is known yet. The tracked runs are those of its tuning" in page
    assert (
        "## Tuning\n\n1 of 74 runs are tracked. A value is chosen once all runs of its arm are there. Arms that" in page
    )
    assert page.rstrip().endswith("`relax-sv-kl`.")
