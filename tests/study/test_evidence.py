"""The study's page from runs whose truth is known: numbers against scipy and brute force, the rule either way."""

import itertools
import math
import re

import numpy as np
import pytest
from scipy import stats

from relax.evaluation.paired import sign_flip_test
from relax.results.tables.render import MINUS
from relax.study import dsd_questions as questions
from relax.study import foresight
from relax.study.evidence_page import to_page
from relax.study.hypotheses import (
    ESCAPES,
    PASS,
    STEPS,
    clopper_pearson,
    compare_arms,
    compare_reward,
    conclude,
    confirmatory,
    second_family,
    share_difference,
    stratified_auc,
)
from relax.study.plan import HARD, REWARD, Study
from tests.study.evidence_fixture import CONTROLS, MAIN, POLICIES, records_of, study_of

EARLY_ARMS = ["grpo", "grpo-kl", "relax", "relax-sv"]


# Numbers ----------------------------------------------------------------------------------------


def test_intervals_of_shares_are_those_of_scipy() -> None:
    for n in (1, 6, 24):
        for count in range(n + 1):
            exact = stats.binomtest(count, n).proportion_ci(0.95, method="exact")
            assert clopper_pearson(count, n) == pytest.approx((exact.low, exact.high), abs=1e-9)
    assert clopper_pearson(0, 24)[1] == pytest.approx(stats.beta.ppf(0.975, 1, 24))
    assert clopper_pearson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("gain", "loss"), [(0.0, 0.0), (0.1, 0.0), (0.5, 0.1), (0.3, 0.3), (0.02, 0.9)])
def test_the_interval_of_a_difference_holds_what_it_says(gain: float, loss: float) -> None:
    """All outcomes of 12 pairs, each with its chance."""
    n, covered = 12, 0.0
    for gained in range(n + 1):
        for lost in range(n + 1 - gained):
            low, high = share_difference(gained, lost, n)
            if low <= gain - loss <= high:
                covered += stats.multinomial.pmf([gained, lost, n - gained - lost], n, [gain, loss, 1 - gain - loss])
    assert covered >= 0.95
    assert share_difference(0, 0, 24)[1] == pytest.approx(1 - 0.0125 ** (1 / 24))


def test_escapes_are_compared_by_mcnemar_and_steps_by_all_signs() -> None:
    rng = np.random.default_rng(1)
    for _ in range(5):
        steps = {
            arm: {
                (p, s): int(rng.choice([61, 101, 151])) if rng.random() < 0.5 else None
                for p in POLICIES
                for s in (1, 2, 3, 4)
            }
            for arm in ("grpo", "relax")
        }
        study = study_of(
            {arm: (lambda p, s, own=own: own[p, s]) for arm, own in steps.items()},
            methods=["grpo", "relax"],
            seeds=range(1, 5),
        )
        a, b = steps["relax"], steps["grpo"]
        gained, lost = (sum(x[k] is not None and y[k] is None for k in a) for x, y in ((a, b), (b, a)))
        expected = stats.binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
        found = compare_arms(study, "relax", "grpo", ESCAPES)
        assert (found.p_value, found.n, found.differ) == (pytest.approx(expected), 8, gained + lost)
        assert found.value == pytest.approx((gained - lost) / 8)
        diffs = [(a[k] or 201) - (b[k] or 201) for k in a]
        totals = [
            abs(sum(s * d for s, d in zip(signs, diffs, strict=True))) for signs in itertools.product((1, -1), repeat=8)
        ]
        found = compare_arms(study, "relax", "grpo", STEPS)
        assert found.p_value == pytest.approx(np.mean([total >= abs(sum(diffs)) for total in totals]))
        assert found.value == pytest.approx(np.mean(diffs))


@pytest.mark.parametrize("seed", range(5))
def test_scores_that_were_rounded_for_tracking_are_tested_as_the_counts_that_they_are(seed: int) -> None:
    """Of rounded scores 55/60 - 54/60 is 0.01667 and 53/60 - 52/60 is 0.01666."""
    rng = np.random.default_rng(seed)
    solved = {arm: rng.integers(50, 56, 12) for arm in ("grpo", "relax")}
    rounded = {arm: [float(f"{count / 60:.5g}") for count in counts] for arm, counts in solved.items()}
    records = records_of({}, methods=["grpo", "relax"], seeds=range(1, 7))
    for place, ((_, _, method, _), record) in enumerate(records.items()):
        record["scores"]["answer-prior"] = {HARD: rounded[method][place % 12], REWARD: rounded[method][place % 12]}
    study = Study.of(MAIN | {"matrix": MAIN["matrix"] | {"methods": ["grpo", "relax"]}}, records)
    expected = sign_flip_test(solved["relax"] - solved["grpo"])[0]
    assert compare_arms(study, "relax", "grpo", PASS).p_value == pytest.approx(expected)
    assert compare_reward(study, "relax").p_value == pytest.approx(expected)


def test_the_families_hold_every_comparison_once_and_are_corrected_apart() -> None:
    study = study_of({"grpo-kl": 101, "relax-sv-kl": 61}, seeds=range(1, 13))
    first, second = confirmatory(study), second_family(study)
    assert list(first) == ["H1", "H1'", "H2", "H3"]
    named = [(t.first, t.second, t.measure) for t in (*first.values(), *second)]
    assert len(named) == len(set(named)) == 3 * 25
    assert ("grpo", "grpo-kl", ESCAPES) not in named
    assert first["H3"].p_value == pytest.approx(2.0**-23)
    assert first["H3"].p_corrected == pytest.approx(4 * 2.0**-23)
    by = dict(zip(named[4:], second, strict=True))
    assert by["grpo-kl", "grpo", ESCAPES].p_corrected == pytest.approx(71 * 2.0**-23)
    assert by["grpo-kl", "grpo", PASS].value == pytest.approx(0.98)


def test_the_auc_is_that_of_all_pairs_within_groups_and_its_p_that_of_all_permutations() -> None:
    groups = [
        ([3.0, 1.0, 2.0, 2.0], [True, False, True, False]),
        ([10.0, 11.0, 12.0], [False, False, True]),
        ([5.0, 6.0], [True, True]),
    ]

    def wins(labelled):
        return sum(
            (a > b) + 0.5 * (a == b)
            for v, y in labelled
            for a, p in zip(v, y, strict=True)
            if p
            for b, q in zip(v, y, strict=True)
            if not q
        )

    auc, p, pairs = stratified_auc(groups)
    assert (pairs, auc) == (6, pytest.approx(wins(groups) / 6))
    both = itertools.product(itertools.permutations(groups[0][1]), itertools.permutations(groups[1][1]))
    every = [wins([(groups[0][0], one), (groups[1][0], two)]) for one, two in both]
    expected = np.mean([abs(w - 3) >= abs(wins(groups) - 3) - 1e-9 for w in every])
    assert p == pytest.approx(expected, abs=0.02)
    assert math.isnan(stratified_auc([([1.0, 2.0], [True, True])])[0])


# Which runs count -------------------------------------------------------------------------------


def test_seeds_count_in_their_order_as_far_as_all_arms_have_them() -> None:
    records = records_of({}, seeds=range(1, 6))
    assert Study.of(MAIN, records).seeds == (1, 2, 3, 4, 5)
    del records["study", "trap-b", "dapo", 3]
    study = Study.of(MAIN, records)
    assert (study.seeds, len(study.runs), len(study.counted())) == ((1, 2), 139, 56)
    assert "do not count, since not all arms have their seeds, is 83." in to_page(MAIN, {}, records)
    del records["study", "trap-a", "relax", 1]
    assert conclude(Study.of(MAIN, records)).outcome == "not run"
    assert "There is none yet: 138 of 336 runs" in to_page(MAIN, {}, records)


def test_a_run_that_ends_in_non_finite_numbers_has_not_escaped() -> None:
    study = study_of({"relax": 61, "grpo": 61}, seeds=[1], relax={"broken": True})
    (run, *_), (other, *_) = study.arm("relax"), study.arm("grpo")
    assert (run.broken, run.escape, run.step, run.score("mean@16")) == (True, None, 201, 0.0)
    assert (other.broken, other.escape, other.step) == (False, 61, 61)
    assert compare_arms(study, "relax", "grpo", PASS).value == -1.0


# The rule ---------------------------------------------------------------------------------------


def half(policy: str, seed: int) -> int | None:
    return 81 if seed <= 6 else None


def most(policy: str, seed: int) -> int | None:
    return 81 if seed <= 6 or (policy, seed) == ("trap-a", 7) else None


FREE = {"relax": 61, "relax-sv-no-kl": 61, "grpo-kl": 101}


@pytest.mark.parametrize(
    ("escapes", "outcome", "said"),
    [
        ({}, "undecided", "the study cannot tell good exploration from bad"),
        ({"grpo-kl": 101}, "against", "by up to 0.17 and 0.17 of the runs"),
        ({"grpo-kl": 101, "relax-sv": lambda p, s: 61 if s < 3 else None}, "undecided", "None of the four"),
        (
            FREE,
            "for",
            "and H2 (`relax-sv-no-kl` escapes more often than `grpo`) hold. H1' (`relax-sv` escapes more often than "
            "`grpo`) and H3 (`relax-sv-kl` escapes earlier than `grpo-kl`) do not hold.",
        ),
        (
            {"relax-sv": 61, "relax-sv-kl": 51, "grpo-kl": 101},
            "for",
            "H3 (`relax-sv-kl` escapes earlier than `grpo-kl`) hold. H1 (",
        ),
        ({"relax": 61, "grpo-kl": 101}, "undecided", "so the KL alone may have led to the escapes"),
        (
            {"relax-sv-kl": 51, "grpo-kl": 101},
            "undecided",
            "tests, H3 (`relax-sv-kl` escapes earlier than `grpo-kl`) holds. H1 (`relax` escapes",
        ),
        ({"relax-sv-kl": 101, "grpo-kl": 51}, "against", "None of the four"),  # later is not earlier
        ({"grpo": most} | FREE, "no trap", "`grpo` escapes in 13 of 24 runs, so there is no trap."),
        ({"grpo": half, "grpo-kl": 101, "relax": half, "relax-sv": half}, "against", "escapes in 12 of 24"),
        (dict.fromkeys(MAIN["matrix"]["methods"], 61), "no trap", "24 of 24"),
    ],
)
def test_the_rule(escapes, outcome: str, said: str) -> None:
    found = conclude(study_of(escapes))
    assert found.outcome == outcome
    assert said in " ".join(found.sentences)


def test_few_seeds_are_called_preliminary_and_decide_nothing_against() -> None:
    page = to_page(MAIN, {}, records_of({"grpo-kl": 101}, seeds=range(1, 4)))
    assert "**Preliminary, 3 of 12 seeds. Undecided.**" in page
    assert "Each of the 14 arms has 6 runs that count: seeds 1 to 3 of 2 initial policies." in page
    assert "The p-values of a page before the last seed are not corrected for looking several times." in page
    assert "The study has limits. A policy of 0.1 M parameters" in page


@pytest.mark.parametrize("seeds", [1, 2, 3, 4, 5])
def test_what_is_too_few_for_any_p_is_said_with_the_numbers(seeds: int) -> None:
    """All pairs differ, in the direction of H1 and H2: from eight pairs on that is enough."""
    found = conclude(study_of(FREE, seeds=range(1, seeds + 1)))
    said = " ".join(found.sentences)
    words = (
        f"With {2 * seeds} pairs no hypothesis can hold: no p can be below {2.0 ** (1 - 2 * seeds):.3g}, and the "
        "smallest must be at most 0.0125. Such a p takes 8 pairs that differ"
    )
    assert found.outcome == ("undecided" if seeds < 4 else "for")
    assert (words in said) is (seeds < 4)


def test_no_trap_of_some_seeds_is_not_said_of_all() -> None:
    (said,) = conclude(study_of({"grpo": 61}, seeds=[1])).sentences
    assert said == (
        "`grpo` escapes in 2 of 2 runs, and if this stays so there is no trap. The question cannot be asked here."
    )


def test_a_plan_without_some_arms_speaks_of_the_hypotheses_that_it_has() -> None:
    found = conclude(study_of({}, methods=["grpo", "grpo-kl", "relax", "relax-sv-kl"]))
    assert "None of the 2 hypotheses holds" in found.sentences[1]
    assert found.outcome == "undecided"


def test_runs_that_are_not_graded_are_counted_on_the_page() -> None:
    records = records_of({"grpo-kl": 101}, seeds=[1, 2])
    for key in [("study", "trap-a", "relax", 1), ("study", "trap-b", "relax", 2)]:
        del records[key]["scores"]
    study = Study.of(MAIN, records)
    assert [compare_arms(study, "relax", "grpo", m).n for m in (ESCAPES, STEPS, PASS)] == [4, 4, 2]
    page = to_page(MAIN, CONTROLS, records)
    assert "runs that are not graded yet, whose reward and pass@16 are left out, is 2." in page
    assert "not graded" not in to_page(MAIN, CONTROLS, records_of({}, seeds=[1]))


def test_one_run_of_each_arm_and_policy_is_no_reason_to_say_more() -> None:
    """One policy escapes and the other stays: an arm has both kinds, but not from one initial policy."""
    page = to_page(MAIN, CONTROLS, records_of({"grpo-kl": lambda p, s: 101 if p == "trap-a" else None}, seeds=[1]))
    assert "no arm has both kinds from one initial policy" in page
    assert "have different steps of escape after step 41" in page
    assert "The noisy sum has not been run by all arms yet: 0 of 84 runs are there. Countdown has not been run" in page
    assert "seed 1 of 2 initial policies" in page
    assert "- study_countdown: 0 of 84 runs are tracked, and all arms have no seed in common." in page
    assert not re.search(r"\bnan\b|\(\)| ± ?\|", page)


def test_values_that_are_all_the_same_have_no_interval() -> None:
    """Student's is of no width there, which would say that the difference is known to the last digit."""
    page = to_page(MAIN, CONTROLS, records_of({}, seeds=[1]))
    assert "| H3 | `relax-sv-kl` | `grpo-kl` | step of escape | 0.0 | 0 | 2 | 1.00 | 1.00 | no |" in page
    assert "| `grpo` | escapes | 0.00 (" + f"{MINUS}0.89 to +0.89) | 0 | 2 |" in page


def test_a_dsd_that_rises_without_escapes_is_said() -> None:
    records = records_of(
        {"grpo-kl": 101, "relax-sv": lambda p, s: 61 if s < 2 else None},
        seeds=[1, 2, 3], relax={"dsd": 4.0}, relax_sv={"dsd": 4.0}, relax_no_shaping={"dsd": 2.0},
    )  # fmt: skip
    page = to_page(MAIN, {}, records)
    assert "A higher DSD at the end of training does not always come with more escapes." in page
    first, second = re.findall(r"On policy, the DSD (.*?\), while .*?)\.", page)
    assert re.fullmatch(
        r"\(eigenvalues\) of `relax` is (3.9|4.0)\d \(.*\) times that of `grpo` \(n = 6\), "
        r"while 0 of 6 runs escape against 0 of 6",
        first,
    )
    assert second.startswith("(eigenvalues) of `relax-no-shaping` ")  # relax-sv escapes more often: not one of them


# What DSD has to do with it ---------------------------------------------------------------------


def early(records, factor=1.5):
    """Some arms, whose early DSD says who will escape."""
    for (_, _, method, _), record in records.items():
        later = record["scores"]["answer-prior"]["mean@16"] > 0.5
        if method in EARLY_ARMS:
            values = record["curves"]["dsd/eigenvalues"]
            record["curves"]["dsd/eigenvalues"] = [v * (factor if later else 1) for v in values]
    return Study.of(MAIN, records)


def test_dsd_that_tells_is_seen_and_arms_do_not_do_the_predicting() -> None:
    own = dict.fromkeys(EARLY_ARMS, lambda policy, seed: 121 if seed % 2 else None)
    found = {(f.name, f.step): f for f in foresight.foresight(early(records_of(own, seeds=range(1, 7))))}
    told = found["DSD, on policy, eigenvalues", 21]
    assert (told.auc, told.runs, told.later, told.pairs) == (1.0, 48, 24, 4 * 2 * 9)
    assert told.p_value == pytest.approx(1e-4)
    assert found["DSD, probes, eigenvalues", 21].auc == 0.5
    # An arm with another level, all of whose runs escape, tells nothing.
    constant = study_of({"relax": 121}, seeds=range(1, 4), relax={"dsd": 9.0})
    assert all(f.pairs == 0 for f in foresight.foresight(constant))


@pytest.mark.parametrize(("factor", "side"), [(1.5, "higher"), (0.5, "lower")])
def test_what_tells_escape_apart_is_named_with_its_direction(factor: float, side: str) -> None:
    own = dict.fromkeys(EARLY_ARMS, lambda policy, seed: 121 if seed % 2 else None)
    said = questions.tells_beforehand(early(records_of(own, seeds=range(1, 7)), factor))
    assert said.startswith(
        "DSD was read in 8 ways before the runs escape. After Holm's correction over these readings, 2 tell runs that "
        "escape from runs that stay:\n\n"
        f"- DSD, on policy, eigenvalues, at step 21, where the run with the {side} value escapes.\n"
        f"- DSD, on policy, eigenvalues, at step 41, where the run with the {side} value escapes.\n\n"
    )


def test_runs_that_have_escaped_already_are_not_predicted() -> None:
    own = {"grpo": lambda policy, seed: {1: 31, 2: 121}.get(seed)}
    found = {f.step: f for f in foresight.foresight(study_of(own, seeds=range(1, 5)))}
    assert [(found[s].runs, found[s].later) for s in foresight.ASKED] == [(8, 4), (6, 2)]


@pytest.mark.parametrize("shift", [-2, 0, 2])
def test_what_moves_first_is_found(shift: int) -> None:
    """Entropy is a wave and DSD the same wave, so many generations earlier."""
    records = records_of({}, seeds=range(1, 9), methods=["grpo"])
    for number, record in enumerate(records.values()):
        waves = np.cumsum(np.random.default_rng(number).normal(size=110))
        record["curves"]["entropy"] = np.exp(0.1 * waves[5:105]).tolist()
        record["curves"]["dsd/eigenvalues"] = np.exp(0.1 * waves[5 + shift : 105 + shift]).tolist()
    study = Study.of(MAIN, records)
    found = foresight.early_lag(list(study.runs.values()), "eigenvalues")
    assert found.at == 2 * shift
    assert found.value > found.band
    assert found.dsd.n == 16


def test_a_fall_of_both_is_measured() -> None:
    found = foresight.early_lag(
        list(study_of({}, seeds=range(1, 4), methods=["grpo"]).runs.values()), "singular_values"
    )
    assert found.entropy.verdict == "fell"
    assert math.exp(found.entropy.mean) == pytest.approx(0.19, abs=0.02)
    assert abs(found.dsd.mean) < 0.05


def test_gains_are_ratios_of_pairs_and_ties_are_within_arms() -> None:
    study = study_of({"grpo": lambda p, s: 41 + 20 * s}, seeds=range(1, 5), relax={"dsd": 3.0})
    assert math.exp(foresight.gain(study, "relax", "grpo", "probe/eigenvalues").mean) == pytest.approx(3.0)
    only = records_of({"grpo": lambda p, s: 41 + 20 * s}, seeds=range(1, 5))
    for (*_, seed), record in only.items():
        record["curves"]["dsd/eigenvalues"] = [5.0 - seed] * 100
    value, runs, pairs = foresight.tied(Study.of(MAIN, only), "dsd/eigenvalues", 41)
    assert (runs, pairs) == (8 * 14, 8)
    assert value.value < -0.2
