"""Intervals and fits against scipy and against cases worked out by hand."""

import math

import numpy as np
import pytest
from scipy import optimize, stats

from relax.results.intervals import fit_entropy_reward, paired_difference, summarise


def test_interval_by_hand():
    # Mean 2, standard deviation sqrt(2), t(0.975, 1) = 12.7062.
    found = summarise([1.0, 3.0])
    assert (found.mean, found.n) == (2.0, 2)
    assert found.std == pytest.approx(math.sqrt(2))
    assert found.half_width == pytest.approx(12.7062, abs=1e-4)


def test_interval_is_scipys():
    values = np.random.default_rng(0).normal(1.0, 0.3, 7)
    low, high = stats.t.interval(0.95, 6, values.mean(), stats.sem(values))
    found = summarise(values)
    assert (found.low, found.high) == pytest.approx((low, high))


def test_one_run_has_no_interval():
    found = summarise([0.4])
    assert (found.mean, found.n, found.verdict) == (0.4, 1, "no interval")
    assert math.isnan(found.std)
    assert math.isnan(found.half_width)


def test_no_run():
    found = summarise([])
    assert (found.n, found.verdict) == (0, "not run")
    assert math.isnan(found.mean)


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([0.50, 0.51, 0.52], "rose"),
        ([-0.50, -0.51, -0.52], "fell"),
        ([-0.5, 0.6, 0.1], "no clear change"),
        # Clearly positive, but two runs this far apart have an interval that contains zero.
        ([0.1, 0.2], "no clear change"),
        # The same step of a coarse measure in every run is no evidence of its spread.
        ([0.01, 0.01], "no interval"),
        ([0.0, 0.0], "no clear change"),
    ],
)
def test_verdict(values, verdict):
    assert summarise(values).verdict == verdict


def test_pairs_are_the_seeds_that_both_have():
    found = paired_difference({1: 0.5, 2: 0.7, 4: 9.0}, {2: 0.4, 1: 0.3, 3: -9.0})
    assert found.n == 2
    assert found.mean == pytest.approx((0.2 + 0.3) / 2)


def test_pairing_removes_what_seeds_share():
    # Both methods move with the seed by far more than they differ.
    base = {seed: 10.0 * seed for seed in range(5)}
    better = {seed: value + 1 + 0.01 * seed for seed, value in base.items()}
    assert paired_difference(better, base).verdict == "rose"
    assert summarise(list(better.values())).std > 10


def test_fit_recovers_its_own_curve():
    entropy = np.linspace(0.05, 0.8, 30)
    fit = fit_entropy_reward(entropy, -0.7 * np.exp(entropy) + 1.9)
    assert (fit.a, fit.b, fit.r_squared) == pytest.approx((0.7, 1.9, 1.0))
    assert (fit.a_half_width, fit.b_half_width) == pytest.approx((0.0, 0.0), abs=1e-6)


def test_fit_and_its_intervals_are_scipys():
    rng = np.random.default_rng(1)
    entropy = rng.uniform(0.05, 0.8, 40)
    reward = -0.7 * np.exp(entropy) + 1.9 + rng.normal(0, 0.05, 40)
    fit = fit_entropy_reward(entropy, reward)
    (a, b), covariance = optimize.curve_fit(lambda h, a, b: -a * np.exp(h) + b, entropy, reward)
    assert (fit.a, fit.b) == pytest.approx((a, b), rel=1e-5)
    factor = stats.t.ppf(0.975, 38)
    expected = factor * np.sqrt(np.diag(covariance))
    assert (fit.a_half_width, fit.b_half_width) == pytest.approx(tuple(expected), rel=1e-4)
    residual = reward - (-fit.a * np.exp(entropy) + fit.b)
    assert fit.r_squared == pytest.approx(1 - residual.var() / reward.var())


@pytest.mark.parametrize(
    ("entropy", "reward"),
    [([0.1, 0.2], [1, 2]), ([0.3] * 5, [1, 2, 3, 4, 5]), ([0.1, 0.2, math.nan], [1, 2, 3])],
)
def test_nothing_to_fit(entropy, reward):
    assert fit_entropy_reward(entropy, reward) is None
