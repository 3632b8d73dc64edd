"""Comparisons of two policies against scipy's tests, brute force and cases worked out by hand."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from relax.errors import DataError
from relax.evaluation.paired import Pair, compare_policies, compare_table, holm, sign_flip_test
from relax.results.intervals import paired_difference


def pair_of(seed: int, problems: int, k: int, other: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.beta(0.4, 0.8, problems)[:, None]
    return rng.random((problems, k)) < p * 0.7 + 0.3 * p**0.5, rng.random((problems, other or k)) < p


@pytest.mark.parametrize("other", [4, 3])
def test_difference_over_problems_is_scipys(other: int) -> None:
    first, second = pair_of(0, 10, 4, other)
    found = compare_policies({1: first}, {1: second}).problems
    means = first.mean(axis=1), second.mean(axis=1)
    t = stats.ttest_rel(*means)
    interval = t.confidence_interval()
    assert found.value == pytest.approx(np.mean(means[0] - means[1]))
    assert found.stderr == pytest.approx(found.value / t.statistic)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    permuted = stats.permutation_test(means, lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=1024)
    assert found.p_value == pytest.approx(permuted.pvalue)
    assert (found.exact, found.n, found.unit) == (True, 10, "problems")


def test_difference_over_clusters_is_that_of_their_means() -> None:
    first, second = pair_of(1, 40, 2)
    labels = np.arange(40) % 8
    means = [np.array([x[labels == c].mean() for c in range(8)]) for x in (first, second)]
    found = compare_policies({1: first}, {1: second}, labels).problems
    interval = stats.ttest_rel(*means).confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    permuted = stats.permutation_test(means, lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=256)
    assert found.p_value == pytest.approx(permuted.pvalue)
    assert (found.n, found.unit) == (8, "clusters")


def test_over_seeds_it_is_the_interval_of_the_results() -> None:
    first = {seed: pair_of(seed, 30, 4)[0] for seed in (1, 2, 3, 9)}
    second = {seed: pair_of(seed, 30, 4)[1] for seed in (3, 2, 1, 8)}
    found = compare_policies(first, second)
    expected = paired_difference(
        {seed: float(x.mean()) for seed, x in first.items()}, {seed: float(x.mean()) for seed, x in second.items()}
    )
    assert (found.seeds.value, found.seeds.low, found.seeds.high) == pytest.approx(
        (expected.mean, expected.low, expected.high)
    )
    assert (found.seeds.n, found.seeds.unit) == (3, "seeds")
    # Three seeds cannot say more than 2 / 2^3.
    assert found.seeds.p_value >= 0.25
    pooled = [np.hstack([runs[seed] for seed in (1, 2, 3)]) for runs in (first, second)]
    expected = compare_policies({0: pooled[0]}, {0: pooled[1]}).problems
    assert (found.problems.low, found.problems.high, found.problems.p_value) == pytest.approx(
        (expected.low, expected.high, expected.p_value)
    )


def test_one_seed_has_no_interval_over_seeds() -> None:
    first, second = pair_of(2, 10, 2)
    found = compare_policies({1: first}, {1: second}).seeds
    assert math.isnan(found.stderr)
    assert math.isnan(found.high)
    assert found.p_value == 1


def test_pass_at_k_is_compared_by_the_same_rules() -> None:
    first, second = pair_of(3, 10, 4)
    values = [
        [1 - math.comb(4 - int(row.sum()), 2) / math.comb(4, 2) for row in samples] for samples in (first, second)
    ]
    found = compare_policies({1: first}, {1: second}, k=2).problems
    interval = stats.ttest_rel(*values).confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    permuted = stats.permutation_test(
        values, lambda a, b: np.mean(np.subtract(a, b)), permutation_type="samples", n_resamples=1024
    )
    assert found.p_value == pytest.approx(permuted.pvalue)
    with pytest.raises(ValueError, match="needs at least 5"):
        compare_policies({1: first}, {1: second}, k=5)


def test_pairs_that_are_none_are_refused() -> None:
    first, second = pair_of(4, 6, 2)
    with pytest.raises(DataError, match=r"one policy has seeds \[1\], the other \[2\]"):
        compare_policies({1: first}, {2: second})
    with pytest.raises(DataError, match=r"shapes \[\(5, 2\), \(6, 2\)\]"):
        compare_policies({1: first}, {1: second[:5]})
    with pytest.raises(DataError, match="one number of samples for each policy"):
        compare_policies({1: first, 2: first[:, :1]}, {1: second, 2: second})


@pytest.mark.parametrize(("plus", "n"), [(3, 3), (9, 12), (270, 500), (7100, 14042)])
def test_sign_flips_of_equal_steps_are_the_binomial_test(plus: int, n: int) -> None:
    steps = np.where(np.arange(n) < plus, 32, -32)
    p, exact = sign_flip_test(steps)
    assert exact
    assert p == pytest.approx(stats.binomtest(plus, n).pvalue, rel=1e-9)


@pytest.mark.parametrize("n", [5, 17, 50])
def test_sign_flips_of_ranks_are_wilcoxons_exact_test(n: int) -> None:
    signs = np.random.default_rng(n).choice([-1, 1, 1], n)
    ranks = signs * np.arange(1, n + 1)
    assert sign_flip_test(ranks)[0] == pytest.approx(stats.wilcoxon(ranks, method="exact").pvalue)


def test_numbers_that_are_not_integers_are_enumerated_or_drawn() -> None:
    whole = np.random.default_rng(0).integers(-6, 9, 40)
    for n, is_exact, tolerance in ((14, True, 1e-9), (40, False, 0.005)):
        p, exact = sign_flip_test(whole[:n] / 7)
        assert exact is is_exact
        assert p == pytest.approx(sign_flip_test(whole[:n])[0], abs=tolerance)
    assert sign_flip_test(whole / 7) == sign_flip_test(whole / 7)
    p, exact = sign_flip_test(np.linspace(0.5, 1, 40))
    assert (p, exact) == (1 / 100_000, False)


def test_zeros_and_the_unit_of_counting_do_not_matter() -> None:
    steps = np.array([3, -1, 2, 2, 0, 0])
    assert sign_flip_test(steps) == sign_flip_test(steps[:4]) == sign_flip_test(12 * steps)
    assert sign_flip_test(np.zeros(5, dtype=int)) == (1.0, True)
    assert sign_flip_test(np.zeros(5)) == (1.0, True)


def test_equal_policies_are_told_apart_no_more_often_than_the_level() -> None:
    rng = np.random.default_rng(9)
    p_values = []
    for _ in range(400):
        p = rng.beta(0.4, 0.8, 30)[:, None]
        first, second = rng.random((30, 8)) < p, rng.random((30, 8)) < p
        p_values.append(compare_policies({1: first}, {1: second}).problems.p_value)
    # The test is exact; three standard errors of a share of 400.
    assert np.mean(np.array(p_values) <= 0.05) < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)
    assert np.mean(np.array(p_values) <= 0.5) > 0.35


def test_policies_that_agree_on_every_problem_are_not_proven_equal() -> None:
    wrong, right = np.zeros((30, 8), dtype=bool), np.ones((30, 8), dtype=bool)
    same = compare_policies({1: wrong}, {1: wrong}).problems
    assert (same.value, same.stderr, same.p_value) == (0, 0, 1)
    assert (same.low, same.high) == pytest.approx((-(1 - 0.05 ** (1 / 30)), 1 - 0.05 ** (1 / 30)))
    apart = compare_policies({1: right}, {1: wrong}).problems
    assert (apart.value, apart.high) == (1, 1)
    assert apart.low == pytest.approx(1 - 2 * (1 - 0.05 ** (1 / 30)))
    assert apart.p_value == pytest.approx(2.0**-29)


def test_holm_by_hand_and_as_a_closed_test() -> None:
    assert holm([0.01, 0.02, 0.03, 0.04, 0.05]) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []
    p = [0.04, 0.011, 0.3, 0.011, 0.02]
    # Holm is the closed test with Bonferroni's for every set of hypotheses.
    sets = [s for size in range(1, 6) for s in itertools.combinations(range(5), size)]
    closed = [max(min(1, len(s) * min(p[j] for j in s)) for s in sets if i in s) for i in range(5)]
    assert holm(p) == pytest.approx(closed)


def test_a_table_is_corrected_as_a_whole() -> None:
    pairs = {("relax", f"b{i}"): Pair(*({1: x} for x in pair_of(i, 40, 4))) for i in range(5)}
    clustered = pair_of(7, 40, 4)
    pairs["grpo", "dynamath"] = Pair({1: clustered[0]}, {1: clustered[1]}, np.arange(40) % 10)
    table = compare_table(pairs)
    alone = {key: compare_policies(*pair) for key, pair in pairs.items()}
    assert [c.problems.p_corrected for c in table.values()] == holm([c.problems.p_value for c in alone.values()])
    assert {key: c.problems.p_value for key, c in table.items()} == {k: c.problems.p_value for k, c in alone.items()}
    assert table["grpo", "dynamath"].problems.unit == "clusters"
    assert all(c.problems.p_corrected is None for c in alone.values())
