"""The arms that were added after the first result: what the page says of runs whose truth is known."""

from collections.abc import Callable, Sequence

import pytest
from scipy.stats import binomtest

from relax.errors import DataError
from relax.study.addition import ADDED, addition_section, joined
from relax.study.configurations import addition_plan
from relax.study.evidence_page import to_page
from relax.study.plan import Study
from relax.study.tracked_runs import Key, Record
from tests.study.evidence_fixture import MAIN, POLICIES, record, records_of

PLAN = addition_plan()
TITLE = "## Arms added after the first result"
Escapes = Callable[[str, int], int | None]


def never(policy: str, seed: int) -> int | None:
    return None


def often(policy: str, seed: int) -> int | None:
    return 121 if seed > 2 else None


def runs(relax: Escapes, penalty: Escapes, bonus: Escapes, seeds: Sequence[int] = range(1, 13)) -> dict[Key, Record]:
    """The study's runs, with those of the addition beside."""
    found = records_of({"relax": relax, "grpo-kl": 101})
    for method, escape in (("adaptive-kl", penalty), ("relax-no-kl", bonus)):
        for policy in POLICIES:
            for seed in seeds:
                one = record(PLAN["name"], policy, method, seed, escape(policy, seed))
                found[PLAN["name"], policy, method, seed] = one
    return found


def study(*escapes: Escapes, seeds: Sequence[int] = range(1, 13)) -> Study:
    return joined(MAIN, PLAN, runs(*escapes, seeds=seeds))


def test_the_plan_shares_all_but_its_arms_with_the_study() -> None:
    assert PLAN["matrix"] == MAIN["matrix"] | {"methods": ["adaptive-kl", "relax-no-kl"]}
    assert PLAN["policies"] == MAIN["policies"]
    assert PLAN["training"] == MAIN["training"] | {"length_order": False}
    relax, penalty, bonus = (PLAN["methods"][name] for name in ("relax", "adaptive-kl", "relax-no-kl"))
    assert relax == MAIN["methods"]["relax"]
    assert penalty == relax | {"alpha": 0.0}
    assert bonus == relax | {"kl_mode": "none", "beta": 0.0}


def test_a_bonus_that_escapes_without_its_penalty() -> None:
    text = addition_section(study(often, never, often))
    p = binomtest(20, 20).pvalue
    assert p < 0.001
    assert "| H4 | `relax` | `adaptive-kl` | +0.83 (" in text
    assert "| 20 | 24 | < 0.001 | < 0.001 | yes |" in text
    assert "H4 holds: the bonus of `relax` leads to escapes that its penalty alone does not" in text
    assert "H5 holds: the bonus of `relax` leads to escapes without its penalty" in text
    assert "| `adaptive-kl` | 0 of 24 (0.00 to 0.14) |" in text


def test_a_penalty_that_escapes_by_itself() -> None:
    text = addition_section(study(often, often, never))
    assert "Neither hypothesis holds. It is not shown that the bonus of `relax` leads to the escapes" in text
    assert "preliminary" not in text
    assert "the smallest difference that the corrected tests can see is 0.29 of the runs (7 pairs" in text


def test_the_smallest_difference_is_the_one_that_the_plan_names() -> None:
    """Seven pairs of 24 hold, six do not."""
    for pairs, holds in ((7, "yes"), (6, "no")):
        some = iter(range(24))
        text = addition_section(study(lambda *_, left=some, n=pairs: 121 if next(left) < n else None, never, never))
        (row,) = [line for line in text.splitlines() if line.startswith("| H4 ")]
        assert f"| {pairs} | 24 |" in row
        assert f"| {holds} |" in row


def test_seeds_that_are_there_count_and_none_is_no_section() -> None:
    text = addition_section(study(often, never, never, seeds=range(1, 4)))
    assert "seeds 1 to 3 in common with the arms of the study. 3 of 12 seeds are there, so it is preliminary." in text
    assert "With 6 pairs no difference can be seen." in text
    page = to_page(MAIN, {}, records_of({}), added=PLAN)
    assert TITLE not in page
    whole = to_page(MAIN, {}, runs(often, never, never), added=PLAN)
    assert whole.index("## All comparisons") < whole.index(TITLE)
    assert "study_added: 48 of 48 runs are tracked" in whole
    before = to_page(MAIN, {}, records_of({"relax": often, "grpo-kl": 101}))
    start, end = (whole.index(title) for title in ("## Conclusion", "## Arms\n"))
    assert whole[start:end] == before[before.index("## Conclusion") : before.index("## Arms\n")]
    assert set(ADDED) == {"H4", "H5"}


def test_runs_that_began_with_other_weights_are_no_pairs() -> None:
    found = runs(often, never, never)
    for key, one in found.items():
        weights = "1" * 12 if key[0] == PLAN["name"] and key[1] == "trap-b" else "0" * 12
        one["made"]["inputs"] = {"model": weights, key[1]: "2" * 12}
    with pytest.raises(DataError, match="runs of trap-b in study and study_added began with other weights"):
        joined(MAIN, PLAN, found)
