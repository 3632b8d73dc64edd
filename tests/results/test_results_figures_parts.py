"""What the figures compute: looks, layout, correlations in time and rank, the map of trajectories."""

import json
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_rgb
from scipy import signal, stats

from relax.config.stage_settings import KoopmanSettings
from relax.results.collect import collect
from relax.results.figures.embedding import embed, tsne_figure
from relax.results.figures.lag import _changes, lag_figure
from relax.results.figures.style import COLOURS, LINES, MARKERS, curves, look, panels, plain_log, spacing, wrapped
from relax.results.intervals import (
    fit_entropy_reward,
    fit_intervals,
    lagged_correlation,
    rank_correlation,
    shifted_band,
)
from tests.results.results_fixture import config_of, make_results

MANY = [f"method-{place}" for place in range(15)]
#: What deuteranopes and protanopes see, in linear RGB. Source: Machado, Oliveira and Fernandes (2009), severity 1.
SIGHT = {
    "normal": np.eye(3),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
    ),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
}
XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]])


def seen(colour, sight="normal"):
    """CIE L*a*b* of a colour as somebody sees it; L* is what a grey print keeps."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = XYZ @ np.clip(SIGHT[sight] @ linear, 0, 1) / np.array([0.95047, 1, 1.08883])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def grey_gap(first, second):
    return abs(seen(first)[0] - seen(second)[0])


def test_the_conversion_to_lab_is_right():
    # sRGB red in L*a*b* under D65, as printed in tables.
    assert seen("#ff0000") == pytest.approx([53.24, 80.09, 67.20], abs=0.05)


def test_colours_survive_grey_print():
    assert min(grey_gap(*pair) for pair in combinations(COLOURS[:4], 2)) > 12
    assert min(grey_gap(*pair) for pair in combinations(COLOURS, 2)) > 4.5
    assert max(seen(colour)[0] for colour in COLOURS) < 80, "too light to be seen on white"


@pytest.mark.parametrize("sight", list(SIGHT))
def test_colours_survive_colour_blindness(sight):
    gaps = [np.linalg.norm(seen(a, sight) - seen(b, sight)) for a, b in combinations(COLOURS, 2)]
    assert min(gaps) > 18


def test_methods_that_share_a_line_or_a_marker_differ_in_the_rest():
    looks = [look(method, MANY) for method in MANY]
    for first, second in combinations(looks, 2):
        alike = [key for key in ("color", "linestyle", "marker") if first[key] == second[key]]
        assert len(alike) < 2, f"{first} and {second}"
        if alike in (["linestyle"], ["marker"]):
            assert grey_gap(first["color"], second["color"]) > 9
    assert len(COLOURS) * len(LINES) * len(MARKERS) == 280


@pytest.mark.parametrize("count", [1, 5, 6, 13])
def test_wrapped_panels(count):
    canvas, methods = wrapped(count, 1.5, "lag", ["above", "below"])
    assert [len(axes) for axes in methods] == [2] * count
    shown = [ax for ax in canvas.axes if ax.axison]
    assert len(shown) == 2 * count
    assert sum(ax.get_ylabel() == "above" for ax in shown) == -(-count // 5)
    methods[-1][1].set_ylim(3, 4)
    assert methods[0][1].get_ylim() == (3, 4), "a row shares its scale over all lines"
    assert methods[0][0].get_ylim() != (3, 4)


def test_a_quantity_measured_every_other_step_is_smoothed_over_as_many_steps():
    steps = np.arange(1, 61)
    values = np.where(steps % 2, np.sin(steps / 3), np.nan)
    series = pd.DataFrame({"method": "grpo", "seed": 1, "step": steps, "reward": values, "entropy": np.sin(steps / 3)})
    assert spacing(series.dropna().step) == 2
    _, [[ax]] = panels(1, 1, 2)
    curves(ax, series, "reward", ["grpo"], 6)
    drawn = pd.Series(ax.lines[-1].get_ydata(), ax.lines[-1].get_xdata())
    assert drawn[11] == pytest.approx(np.sin(np.array([9, 11, 13]) / 3).mean())


def test_intervals_of_the_fit_hold_what_they_promise():
    """Autocorrelated noise around the paper's curve: about 95 % of the block intervals hold the true a."""
    rng, held, plain = np.random.default_rng(0), 0, 0
    for _ in range(100):
        runs = []
        for _ in range(3):
            entropy = 0.35 - 0.2 * np.linspace(0, 1, 80) + signal.lfilter([0.02], [1, -0.6], rng.normal(size=80))
            noise = signal.lfilter([0.02], [1, -0.6], rng.normal(size=80))
            runs.append((entropy, -1.5 * np.exp(entropy) + 2.6 + noise))
        (low, high), (b_low, b_high) = fit_intervals(runs)
        fit = fit_entropy_reward(*(np.concatenate(values) for values in zip(*runs, strict=True)))
        assert low < fit.a < high
        assert b_low < fit.b < b_high
        held += low < 1.5 < high
        plain += abs(fit.a - 1.5) < fit.a_half_width
    assert 85 <= held <= 99
    assert held > plain + 10, "independent points would promise too much"


def test_rank_correlation_is_spearmans():
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    y = np.round(x + rng.normal(size=200), 1)  # with ties
    found = rank_correlation(x, y, range(200))
    assert found.value == pytest.approx(stats.spearmanr(x, y).statistic)
    draws = rng.integers(200, size=(500, 200))
    redone = np.percentile([stats.spearmanr(x[d], y[d]).statistic for d in draws], [2.5, 97.5])
    assert (found.low, found.high) == pytest.approx(redone, abs=0.03)


def test_rank_correlation_within_strata_leaves_out_what_lies_between():
    rng = np.random.default_rng(0)
    stratum = np.repeat([0, 1], 150)
    x, y = 5 * stratum + rng.normal(size=300), 5 * stratum + rng.normal(size=300)
    prompts = np.arange(300) // 2
    assert rank_correlation(x, y, prompts).value > 0.6
    within = rank_correlation(x, y, prompts, stratum)
    assert within.low < 0 < within.high
    alone = stats.spearmanr(x[:150], y[:150]).statistic
    assert rank_correlation(x[:150], y[:150], prompts[:150], stratum[:150]).value == pytest.approx(alone)


def test_responses_to_one_prompt_are_one_observation():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 40))
    once = rank_correlation(x, y, range(40))
    copied = rank_correlation(np.repeat(x, 10), np.repeat(y, 10), np.repeat(range(40), 10))
    assert copied.high - copied.low == pytest.approx(once.high - once.low, rel=0.05)


def test_rank_correlation_of_what_does_not_vary():
    found = rank_correlation([1.0, 2.0, 3.0], [1.0, 1.0, 1.0], range(3))
    assert np.isnan([found.value, found.low, found.high]).all()


def test_lagged_correlation_against_brute_force():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 30))
    found = lagged_correlation(x, y, 4)
    x, y = x - x.mean(), y - y.mean()
    for place, shift in enumerate(range(-4, 5)):
        pairs = [x[t] * y[t + shift] for t in range(30) if 0 <= t + shift < 30]
        assert found[place] == pytest.approx(sum(pairs) / np.sqrt((x @ x) * (y @ y)))


def test_a_follower_has_its_peak_at_a_positive_lag():
    rng = np.random.default_rng(0)
    leader = rng.normal(size=103)
    pairs = [(leader[3:], leader[:-3] + 0.5 * rng.normal(size=100))]  # the second repeats the first 3 later
    found = lagged_correlation(*pairs[0], 10)
    assert np.argmax(found) - 10 == 3
    assert found.max() > shifted_band(pairs, 10)


def test_the_band_holds_unrelated_series():
    """Smooth, unrelated series leave the band at some lag in about 5 % of cases."""
    rng, left = np.random.default_rng(0), 0
    for _ in range(100):
        pairs = [tuple(signal.lfilter([1], [1, -0.7], rng.normal(size=(2, 80)))) for _ in range(3)]
        mean = np.mean([lagged_correlation(*pair, 10) for pair in pairs], axis=0)
        left += np.abs(mean).max() > shifted_band(pairs, 10)
    assert left <= 13
    assert np.isnan(shifted_band([(np.arange(5.0), np.arange(5.0))], 3)), "too short to be shifted"


def test_changes_are_over_as_many_values_as_said():
    run = pd.DataFrame({"seed": 1, "step": [3, 1, 5, 7], "entropy": [2.0, 1, 4, 7], "dsd/x": np.exp([2.0, 1, 4, 7])})
    [(dsd, entropy)] = _changes(run, ["dsd/x"], 2)["dsd/x"]
    assert list(entropy) == [3, 5]
    assert list(dsd) == pytest.approx([3, 5])


def test_lags_are_counted_in_steps_whatever_a_method_logs(all_runs):
    """Two updates per generation: GRPO logs DSD at every step, ReLaX only where it generates."""
    results = collect(*all_runs)
    between = results.series.step % 2 == 0
    results.series.loc[between, "reward"] = np.nan
    results.series.loc[between & (results.series.method == "relax"), ["dsd/eigenvalues"]] = np.nan
    drawing = lag_figure(results, "tiny")
    assert "two values 4 steps apart" in drawing.caption
    for ax in drawing.canvas.axes:
        assert list(ax.lines[1].get_xdata()) == list(range(-10, 11, 2))


def test_lag_says_what_a_lag_means(all_runs):
    drawing = lag_figure(collect(*all_runs), "tiny")
    assert "two values 3 steps apart" in drawing.caption
    assert "positive lag: DSD moves first" in drawing.caption
    assert len(drawing.canvas.axes) == 10


def test_runs_too_short_for_a_lag_have_no_such_figure(all_runs):
    results = collect(*all_runs)
    results.series = results.series[results.series.step <= 8]
    assert lag_figure(results, "tiny") is None


def test_the_map_is_the_same_every_time_and_keeps_groups_together():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.eye(9)[:3], 40, axis=0) * 10 + rng.normal(size=(120, 9))
    first = embed(groups, 30)
    assert np.array_equal(first, embed(groups, 30))
    middles = first.reshape(3, 40, 2).mean(axis=1)
    own = np.repeat(np.arange(3), 40)
    assert (np.linalg.norm(first[:, None] - middles, axis=2).argmin(axis=1) == own).all()


def test_the_map_says_what_it_shows(all_runs):
    results = collect(*all_runs)
    caption = tsne_figure(results, "tiny").caption
    assert "initial policy and the final policies of grpo, grpo-kl, relax, relax-sv, relax-sv-no-kl" in caption
    assert f"{len(results.matrices)} points" in caption
    found = results.trajectories.query("kind == 'policy'")
    runs = found.method + found.seed.astype(str)
    tie = rank_correlation(found.dsd_eigenvalues, found.correct.astype(float), found.id, runs)
    assert f"{tie.value:.2f}".replace("-", "\N{MINUS SIGN}") + " [" in caption


def test_folders_from_before_the_matrices_still_count(tmp_path):
    config = make_results(tmp_path, config_of(seeds=[1]))
    for path in tmp_path.rglob("matrices.parquet"):
        path.unlink()
    results = collect(tmp_path, config)
    assert len(results.trajectories)
    assert tsne_figure(results, "tiny") is None


def test_matrices_are_those_of_the_trajectories(tmp_path):
    """The koopman stage: row by row, of the first on-policy responses, what least squares with a ridge gives."""
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    from relax.koopman import TrajectoryStatistics
    from relax.latent import koopman_stage as analyse
    from relax.records.record import Run

    count, m = analyse.MAPPED + 6, 3
    psi = torch.rand(count, 12, m, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(count, 12, dtype=torch.bool)
    statistics = TrajectoryStatistics.from_snapshots(psi, mask)
    shuffled = TrajectoryStatistics.from_snapshots(psi.flip(1), mask)
    tensors = statistics.to_tensors() | {f"shuffled_{k}": v for k, v in shuffled.to_tensors().items()}
    latent = tmp_path / "latent"
    latent.mkdir()
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, latent / "statistics.safetensors")
    kinds = ["probe"] * 2 + ["policy"] * (count - 2)
    responses = pd.DataFrame({"id": [f"p/{i}" for i in range(count)], "kind": kinds, "length": 12, "correct": True})
    responses.to_parquet(latent / "responses.parquet")
    analyse.koopman_stage(KoopmanSettings(ridge=0.01), latent, tmp_path / "out", Run("koopman", {}, {}))
    found = pd.read_parquet(tmp_path / "out/matrices.parquet")
    assert list(found.id) == [f"p/{i}" for i in range(2, analyse.MAPPED + 2)]
    assert str(tmp_path / "out/matrices.parquet") in json.loads((tmp_path / "out/run.json").read_text())["outputs"]
    for row, snapshots in zip(found.matrix, psi[2:].numpy(), strict=False):
        x, y = snapshots[:-1], snapshots[1:]
        # Ridge regression as plain least squares on stacked rows.
        stacked = np.vstack([x, 0.1 * np.eye(m)]), np.vstack([y, np.zeros((m, m))])
        assert row.reshape(m, m) == pytest.approx(np.linalg.lstsq(*stacked)[0], abs=1e-5)
        assert row.dtype == np.float32


@pytest.mark.parametrize(("low", "high"), [(0.095, 0.133), (0.95, 1.8), (5, 10.5), (0.01, 3)])
def test_ticks_of_a_logarithmic_axis_do_not_stand_in_one_corner(low: float, high: float) -> None:
    figure, ax = pyplot.subplots()
    ax.set_yscale("log")
    ax.set_ylim(low, high)
    plain_log(ax.yaxis)
    places = np.log(ax.get_yticks()) / np.log(high / low)
    pyplot.close(figure)
    assert 3 <= len(places) <= 6
    assert np.diff(places).min() > 0.1
