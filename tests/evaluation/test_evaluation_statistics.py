"""Numbers of one policy on one benchmark against scipy, lm-eval, brute force and cases worked out by hand."""

import itertools
import math
import statistics as standard_library

import numpy as np
import pytest
from lm_eval.api.metrics import mean_stderr
from scipy import stats

from relax.errors import DataError
from relax.evaluation import metrics


def graded(rng: np.random.Generator, problems: int, k: int, a: float = 0.4, b: float = 0.8) -> np.ndarray:
    """Samples of problems of U-shaped difficulty."""
    return rng.random((problems, k)) < rng.beta(a, b, problems)[:, None]


def wilson_level(units: int) -> float:
    """The confidence at which the normal quantile is Student's at 95 %."""
    return float(2 * stats.norm.cdf(stats.t.ppf(0.975, units - 1)) - 1)


# Which samples are there -------------------------------------------------------------------------


def test_missing_samples_are_refused_and_named() -> None:
    assert metrics.complete_samples([[True, False], [1.0, 0.0]], 2).tolist() == [[True, False]] * 2
    short = [[True] * 16, [True] * 8, [False] * 16]
    with pytest.raises(DataError, match=r"1 of 3 problems do not have the 16 samples asked for \(problem q2 has 8\)"):
        metrics.complete_samples(short, 16, ["q1", "q2", "q3"])
    with pytest.raises(DataError, match=r"row 0 has 2"):
        metrics.complete_samples(np.array([[1, 0, np.nan], [1, 0, 1]]), 3)
    with pytest.raises(DataError, match="has 1"):
        metrics.complete_samples([[None, True]], 2)
    with pytest.raises(DataError, match="2 of 2 problems"):
        metrics.complete_samples([[True] * 4] * 2, 2)
    with pytest.raises(DataError, match="no graded samples"):
        metrics.complete_samples([], 2)


def test_grades_that_are_no_grades_are_refused() -> None:
    for bad in (np.array([[1.0, np.nan]]), np.ones((2, 3), dtype=int), np.ones(3, dtype=bool), np.ones((0, 4), bool)):
        with pytest.raises(DataError, match="expected bool of shape"):
            metrics.mean_at_k(bad)
    with pytest.raises(DataError, match="3 cluster labels for 2 problems"):
        metrics.mean_at_k(np.ones((2, 4), dtype=bool), ["a", "a", "b"])


# Within one policy -------------------------------------------------------------------------------


def test_standard_error_over_problems_is_lm_evals() -> None:
    correct = graded(np.random.default_rng(0), 50, 8)
    found = metrics.mean_at_k(correct)
    means = correct.mean(axis=1).tolist()
    assert found["value"] == pytest.approx(np.mean(means))
    assert found["stderr"] == pytest.approx(mean_stderr(means))


def test_pass_curve_by_hand() -> None:
    # One problem with 1 of 3 right, one with none: pass@1 = 1/6, pass@2 = (1 - 1/3)/2, pass@3 = 1/2.
    found = metrics.pass_curve(np.array([[True, False, False], [False] * 3]))
    assert {k: e["value"] for k, e in found.items()} == pytest.approx({1: 1 / 6, 2: 1 / 3, 3: 1 / 2})
    assert list(metrics.pass_curve(np.ones((2, 16), dtype=bool))) == [1, 2, 4, 8, 16]
    assert list(metrics.pass_curve(np.ones((2, 1), dtype=bool))) == [1]


def test_pass_at_k_is_the_mean_over_all_subsets_and_rises() -> None:
    correct = graded(np.random.default_rng(1), 12, 6)
    curve = [metrics.pass_at_k(correct, k) for k in range(1, 7)]
    for k, found in enumerate(curve, 1):
        subsets = [correct[:, list(chosen)].any(axis=1) for chosen in itertools.combinations(range(6), k)]
        values = np.mean(subsets, axis=0)
        assert found["value"] == pytest.approx(values.mean())
        assert found["stderr"] == pytest.approx(stats.sem(values))
    assert [e["value"] for e in curve] == sorted(e["value"] for e in curve)
    assert curve[0] == pytest.approx(metrics.mean_at_k(correct))


def test_clusters_of_one_size_have_the_standard_error_of_their_means() -> None:
    correct = graded(np.random.default_rng(2), 60, 4)
    labels = [f"seed-{i % 12}" for i in range(60)]
    means = [correct[i::12].mean() for i in range(12)]
    assert metrics.mean_at_k(correct, labels)["stderr"] == pytest.approx(stats.sem(means))
    assert metrics.pass_at_k(correct, 4, list(range(60))) == pytest.approx(metrics.pass_at_k(correct, 4))


def test_clustered_standard_error_is_millers_triple_sum() -> None:
    rng = np.random.default_rng(3)
    correct, labels = graded(rng, 40, 1), rng.integers(0, 9, 40)
    s = correct.mean(axis=1) - correct.mean()
    total = sum(s[i] * s[j] for i in range(40) for j in range(40) if labels[i] == labels[j]) / 40**2
    groups = len(set(labels.tolist()))
    assert metrics.mean_at_k(correct, labels)["stderr"] == pytest.approx(math.sqrt(total * groups / (groups - 1)))


def test_repeating_every_problem_adds_no_certainty_with_clusters() -> None:
    correct = graded(np.random.default_rng(4), 30, 4)
    tenfold, labels = np.repeat(correct, 10, axis=0), np.repeat(np.arange(30), 10)
    assert metrics.mean_at_k(tenfold, labels) == pytest.approx(metrics.mean_at_k(correct), rel=1e-9)
    assert metrics.mean_at_k(tenfold)["stderr"] < metrics.mean_at_k(correct)["stderr"] / 3


def test_one_problem_says_nothing_about_others() -> None:
    for found in (
        metrics.mean_at_k(np.array([[True, False]])),
        metrics.mean_at_k(np.ones((5, 2), dtype=bool), ["same"] * 5),
    ):
        assert all(math.isnan(found[name]) for name in ("stderr", "low", "high"))


def test_interval_of_single_answers_is_scipys_wilson() -> None:
    for right, n in ((0, 30), (1, 30), (11, 30), (30, 30), (400, 500)):
        found = metrics.mean_at_k(np.arange(n)[:, None] < right)
        expected = stats.binomtest(right, n).proportion_ci(wilson_level(n), method="wilson")
        assert (found["low"], found["high"]) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_all_wrong_and_all_right_are_not_certain() -> None:
    wrong = metrics.mean_at_k(np.zeros((30, 32), dtype=bool))
    assert (wrong["value"], wrong["stderr"], wrong["low"]) == (0, 0, 0)
    # The rule of three, one-sided 95 %, for 30 problems; 960 samples of them are no more problems.
    assert 3 / 30 < wrong["high"] < 5 / 30
    right = metrics.mean_at_k(np.ones((30, 32), dtype=bool))
    assert (right["value"], right["stderr"], right["high"]) == (1, 0, 1)
    assert right["low"] == pytest.approx(1 - wrong["high"])
    clustered = metrics.mean_at_k(np.zeros((100, 1), dtype=bool), np.repeat(np.arange(10), 10))
    assert clustered["high"] == pytest.approx(metrics.mean_at_k(np.zeros((10, 1), dtype=bool))["high"])


def test_interval_is_never_narrower_than_that_of_independent_samples() -> None:
    alike = np.tile([True, False], (20, 2))
    nearly = alike.copy()
    nearly[0] = [True, True, True, False]
    for correct in (alike, nearly):
        found = metrics.mean_at_k(correct)
        expected = stats.binomtest(int(correct.sum()), 80).proportion_ci(wilson_level(20), method="wilson")
        assert (found["low"], found["high"]) == pytest.approx((expected.low, expected.high))


def test_interval_covers_the_true_mean_of_the_kind_of_problem() -> None:
    rng = np.random.default_rng(5)
    true, draws = 0.4 / 1.2, 1000
    found = [metrics.mean_at_k(graded(rng, 30, 16)) for _ in range(draws)]
    covered = np.mean([e["low"] <= true <= e["high"] for e in found])
    assert 0.93 < covered < 0.98
    # The standard error is the spread of the score over draws of problems.
    assert np.std([e["value"] for e in found]) == pytest.approx(np.mean([e["stderr"] for e in found]), rel=0.06)


@pytest.mark.parametrize("k", [2, 3, 8])
def test_rerun_variance_is_unbiased(k: int) -> None:
    for p in (0.1, 0.5, 0.9):
        counts = np.arange(k + 1)
        squares = [metrics.rerun_error(np.arange(k)[None] < c) ** 2 for c in counts]
        assert stats.binom.pmf(counts, k, p) @ squares == pytest.approx(p * (1 - p) / k)


def test_rerun_error_of_many_problems() -> None:
    correct = graded(np.random.default_rng(6), 25, 4)
    single = [metrics.rerun_error(row[None]) for row in correct]
    assert metrics.rerun_error(correct) == pytest.approx(math.sqrt(np.sum(np.square(single))) / 25)
    assert metrics.rerun_error(correct) < metrics.mean_at_k(correct)["stderr"]
    assert metrics.rerun_error(np.ones((3, 4), dtype=bool)) == 0
    assert math.isnan(metrics.rerun_error(correct[:, :1]))


def test_majority_by_hand() -> None:
    answers = [
        ["5", "5", "7", None],  # 5 wins and is right
        ["5", "5", "7", "7"],  # a tie of a right and a wrong answer: one half
        [None, None, None, "7"],  # None does not vote
        [None, None, None, None],  # nothing to vote for
        ["1", "2", "3", "4"],  # a tie of four, one of them right
        ["5", "5", "5", "7"],  # one of the winner's samples timed out
    ]
    correct = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 1], [0] * 4, [0, 1, 0, 0], [1, 0, 1, 0]], dtype=bool)
    expected = [1, 0.5, 1, 0, 0.25, 2 / 3]
    found = metrics.majority_at_k(answers, correct)
    assert found["value"] == pytest.approx(np.mean(expected))
    assert found["stderr"] == pytest.approx(stats.sem(expected))
    with pytest.raises(DataError, match="do not match the 6 x 4 grades"):
        metrics.majority_at_k([row[:3] for row in answers], correct)
    with pytest.raises(DataError, match="do not match"):
        metrics.majority_at_k(answers[:5], correct)


def test_majority_against_the_modes_of_the_standard_library() -> None:
    rng = np.random.default_rng(7)
    answers = rng.integers(0, 4, (200, 6)).astype(str)
    modes = [standard_library.multimode(row.tolist()) for row in answers]
    expected = np.mean([("2" in mode) / len(mode) for mode in modes])
    assert max(map(len, modes)) > 2
    assert metrics.majority_at_k(answers.tolist(), answers == "2")["value"] == pytest.approx(expected)


def test_worst_case_of_single_answers_counts_whole_clusters() -> None:
    correct = np.array([[True], [True], [True], [False], [True], [True]])
    found = metrics.worst_case_share(correct, ["a", "a", "b", "b", "c", "c"])
    assert found["value"] == pytest.approx(2 / 3)
    assert found["stderr"] == pytest.approx(stats.sem([1, 0, 1]))
    expected = stats.binomtest(2, 3).proportion_ci(wilson_level(3), method="wilson")
    assert (found["low"], found["high"]) == pytest.approx((expected.low, expected.high))


def test_worst_case_of_several_samples_is_the_mean_over_every_choice_of_one() -> None:
    correct = graded(np.random.default_rng(8), 12, 3, 3, 1)
    labels = np.arange(12) // 3
    choices = [np.mean([all(sample) for sample in itertools.product(*correct[labels == c])]) for c in range(4)]
    assert metrics.worst_case_share(correct, labels)["value"] == pytest.approx(np.mean(choices))


def test_rates_of_a_cell() -> None:
    statuses = np.array([["correct", "no_box"], ["timeout", "no_box"], ["wrong", "unparseable_gold"]])
    truncated = np.array([[False, True], [False, True], [False, False]])
    lenient = np.array([[True, True], [False, False], [False, False]])
    found = metrics.rates(statuses, truncated, lenient)
    assert {name: e["value"] for name, e in found.items()} == pytest.approx(
        {"lenient": 1 / 3, "truncated": 1 / 3, "no_box": 1 / 3, "timeout": 1 / 6, "unparseable_gold": 1 / 6,
         "unparseable_answer": 0}
    )  # fmt: skip
    assert found["no_box"]["stderr"] == pytest.approx(stats.sem([0.5, 0.5, 0]))
