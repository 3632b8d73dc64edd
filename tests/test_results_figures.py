"""Figures: which are drawn, what their captions say, and that they are the same every time."""

import xml.etree.ElementTree as ET
from functools import partial

import matplotlib
import numpy as np
import pytest
from PIL import Image

import results_fixture
from relax.errors import DataError
from relax.results.collect import collect
from relax.results.figures import read_figures, share_above_xi, training, write_figures
from relax.results.figures_spectra import _medians, dsd_against_length, eigenvalues
from relax.results.figures_style import look, save
from relax.results.statistics import fit_entropy_reward
from results_fixture import METHODS, STEPS, config_of, make_results

all_runs, one_seed, no_runs = results_fixture.all_runs, results_fixture.one_seed, results_fixture.no_runs

NAMES = ["training", "entropy_reward", "dsd", "share_above_xi", "dsd_length", "eigenvalues", "pass_at_k"]


@pytest.fixture(scope="module")
def drawn(all_runs, tmp_path_factory):
    before = dict(matplotlib.rcParams)
    figures = write_figures(collect(*all_runs), tmp_path_factory.mktemp("figures"))
    assert dict(matplotlib.rcParams) == before, "figures must leave the global style alone"
    return {figure.name: figure for figure in figures}


def test_every_figure_is_a_vector_and_a_picture(drawn):
    assert list(drawn) == NAMES
    for figure in drawn.values():
        assert ET.parse(figure.svg).getroot().tag.endswith("svg")
        pixels = np.asarray(Image.open(figure.png).convert("L"))
        assert pixels.shape[1] in (720, 1080)  # inches at 150 dpi
        assert 0.005 < (pixels < 200).mean() < 0.5, "ink on paper, neither blank nor black"


def test_the_same_results_give_the_same_bytes(drawn, all_runs, tmp_path):
    results = collect(*all_runs)
    for draw in (training, dsd_against_length, eigenvalues):
        figure = save(partial(draw, results, "tiny"), tmp_path)
        assert figure.svg.read_bytes() == drawn[figure.name].svg.read_bytes()
        assert figure.png.read_bytes() == drawn[figure.name].png.read_bytes()
        assert b"<dc:date>" not in figure.svg.read_bytes()


def test_captions_speak_of_this_run(drawn):
    for name in ("training", "entropy_reward", "dsd", "share_above_xi"):
        assert f"2 seeds (1, 2), {STEPS} steps of 32 problems with 8 responses each" in drawn[name].caption
    for name in ("dsd", "share_above_xi", "dsd_length", "eigenvalues"):
        assert "ridge 0.001" in drawn[name].caption
    assert "relax-sv: singular values, ξ = 9" in drawn["share_above_xi"].caption
    assert "120 responses per run" in drawn["dsd_length"].caption
    assert "16 responses per run" in drawn["eigenvalues"].caption
    assert "noisy-sum: 100 problems" in drawn["pass_at_k"].caption


def test_the_fit_in_the_caption_is_that_of_all_seeds(drawn, all_runs):
    series = collect(*all_runs).series.query("method == 'grpo' and step > 0")
    fit = fit_entropy_reward(series.entropy, series.reward)
    assert f"grpo a = {fit.a:.3g}, b = {fit.b:.3g}, R² = {fit.r_squared:.2f}" in drawn["entropy_reward"].caption


def test_captions_are_kept_beside_the_files(drawn):
    folder = drawn["dsd"].svg.parent
    assert read_figures(folder) == list(drawn.values())


def test_reading_figures_that_are_not_there(tmp_path):
    with pytest.raises(DataError, match="relax figures"):
        read_figures(tmp_path)


def test_a_method_keeps_its_look_and_shares_it_with_none():
    looks = [tuple(map(str, look(method, METHODS).values())) for method in ("initial", *METHODS)]
    assert len(set(looks)) == len(looks)
    for part in range(3):  # colour, line and marker each tell the demo's methods apart
        assert len({appearance[part] for appearance in looks[1:]}) == len(METHODS)
    assert looks[1] == tuple(map(str, look("grpo", METHODS[:2]).values()))


def test_one_seed_says_so(one_seed, tmp_path):
    figures = {figure.name: figure for figure in write_figures(collect(*one_seed), tmp_path)}
    assert list(figures) == NAMES
    assert "1 seed (1)" in figures["training"].caption
    assert "3 of 10 runs are finished" in figures["training"].caption


def test_no_runs_no_figures(no_runs, tmp_path):
    assert write_figures(collect(*no_runs), tmp_path) == []
    assert read_figures(tmp_path) == []


def test_several_policies_have_figures_of_their_own(tmp_path):
    config = config_of(policies=["small", "large"], seeds=[1])
    make_results(tmp_path / "r", config, [("large", "grpo", 1), ("small", "grpo", 1)])
    results = collect(tmp_path / "r", config)
    names = [save(partial(training, results, policy), tmp_path).name for policy in ("small", "large")]
    assert names == ["training-small", "training-large"]
    assert save(partial(share_above_xi, results, "small"), tmp_path) is None, "GRPO has no limit"


def test_median_line_does_not_cross_gaps(all_runs):
    found = collect(*all_runs).trajectories.query("method == 'initial' and kind == 'policy'")
    line = _medians(found, "dsd_eigenvalues")
    values = line.to_numpy()
    assert line.index[0] == 3
    assert np.isnan(values[1]), "nothing between three states and the chains"
    assert not np.isnan(values[2:]).any()
    assert values[0] == pytest.approx(found[found.length == 3].dsd_eigenvalues.median())
