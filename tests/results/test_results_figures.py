"""Figures: which are drawn, what their captions say, and that they are the same every time."""

import json
import xml.etree.ElementTree as ET
from functools import partial

import matplotlib
import numpy as np
import pytest
from PIL import Image

from relax.errors import DataError
from relax.results.collect import collect
from relax.results.figures.ablation_figures import ablation_bars, ablation_curves
from relax.results.figures.all import read_figures, write_figures
from relax.results.figures.embedding import tsne_figure
from relax.results.figures.spectra import _medians, eigenvalue_figure
from relax.results.figures.style import look, save
from relax.results.figures.training_curves import dynamics_figure, share_above_xi_figure
from relax.results.intervals import fit_entropy_reward
from relax.results.model import Ablation
from tests.results.results_fixture import METHODS, STEPS, config_of, make_results

ABLATIONS = ["ablation_curves-figure-6", "ablation_bars-figure-6"]
NAMES = [
    "dynamics",
    "entropy_reward",
    "pass_at_k",
    *ABLATIONS,
    "dsd",
    "share_above_xi",
    "lag",
    "dsd_length",
    "dsd_spectra",
    "tsne",
    "eigenvalues",
]


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
    for draw in (dynamics_figure, eigenvalue_figure, tsne_figure):
        figure = save(partial(draw, results, "tiny"), tmp_path)
        assert figure.svg.read_bytes() == drawn[figure.name].svg.read_bytes()
        assert figure.png.read_bytes() == drawn[figure.name].png.read_bytes()
        assert b"<dc:date>" not in figure.svg.read_bytes()


def test_captions_speak_of_this_run(drawn):
    for name in ("dynamics", "entropy_reward", "dsd", "share_above_xi", "lag", *ABLATIONS):
        assert f"2 seeds (1, 2), {STEPS} steps of 32 problems with 8 responses each" in drawn[name].caption
    for name in ("dynamics", "dsd", "share_above_xi", "lag", "dsd_length", "dsd_spectra", "tsne", "eigenvalues"):
        assert "ridge 0.001" in drawn[name].caption
    assert "relax-sv: singular values, ξ = 9" in drawn["share_above_xi"].caption
    assert "120 responses per run" in drawn["dsd_length"].caption
    assert "16 responses per run" in drawn["eigenvalues"].caption
    assert "noisy-sum: 100 problems" in drawn["pass_at_k"].caption


def test_the_fit_in_the_caption_is_that_of_all_seeds(drawn, all_runs):
    series = collect(*all_runs).series.query("method == 'grpo' and step > 0")
    fit = fit_entropy_reward(series.entropy, series.reward)
    assert f"grpo a = {fit.a:.3g}, b = {fit.b:.3g}, R² = {fit.r_squared:.2f}" in drawn["entropy_reward"].caption


def test_figures_name_those_of_the_paper(drawn):
    named = {name: figure.paper for name, figure in drawn.items() if figure.paper}
    assert named == {
        "dynamics": "Figures 3 and 8",
        "entropy_reward": "Figure 1",
        "ablation_curves-figure-6": "Figures 6b, 6c and 10",
        "ablation_bars-figure-6": "Figures 6a and 9",
        "tsne": "Figure 7",
    }


def test_captions_are_kept_beside_the_files(drawn):
    folder = drawn["dsd"].svg.parent
    assert read_figures(folder) == list(drawn.values())


def test_captions_of_before_the_paper_field_are_read(tmp_path):
    kept = [{"name": "dsd", "title": "DSD", "caption": "Words."}]
    (tmp_path / "figures.json").write_text(json.dumps(kept))
    [figure] = read_figures(tmp_path)
    assert (figure.title, figure.paper) == ("DSD", None)


def test_dynamics_have_both_spectra_and_every_seed(all_runs):
    results = collect(*all_runs)
    canvas = dynamics_figure(results, "tiny").canvas
    titles = [ax.get_title(loc="left") or ax.get_title() for ax in canvas.axes]
    assert [title for title in titles if title.startswith("DSD")] == ["DSD of eigenvalues", "DSD of singular values"]
    for ax in canvas.axes:
        thin = [line for line in ax.lines if line.get_linewidth() < 1]
        assert len(thin) == 2 * len(METHODS)
        assert len(ax.lines) == 3 * len(METHODS)


def test_arms_have_their_own_labels_order_and_looks(all_runs):
    results = collect(*all_runs)
    [ablation] = results.ablations("tiny")
    assert list(ablation.arms) == ["ReLaX", "without KL", "Vanilla GRPO"], "KL-Cov is not in the matrix"
    canvas = ablation_curves(results, "tiny", ablation).canvas
    assert [text.get_text() for text in canvas.legends[0].get_texts()] == list(ablation.arms)
    reward = [line for line in canvas.axes[0].lines if line.get_linewidth() > 1]
    assert [line.get_color() for line in reward] == [
        look(label, list(ablation.arms))["color"] for label in ablation.arms
    ]
    relax = results.series.query("method == 'relax' and step > 0").groupby("step").reward.mean()
    expected = relax.rolling(3, center=True, min_periods=1).mean()  # a twentieth of 60 steps
    assert reward[0].get_ydata() == pytest.approx(expected.to_numpy())


def test_bars_are_means_with_seeds_and_intervals(all_runs):
    results = collect(*all_runs)
    [ablation] = results.ablations("tiny")
    canvas = ablation_bars(results, "tiny", ablation).canvas
    assert [ax.get_title() for ax in canvas.axes] == ["noisy-sum, mean@16", "long-sum, mean@1"]
    for ax, key in zip(canvas.axes, ("noisy-sum/mean@16", "long-sum/mean@1"), strict=True):
        found = [results.summary("tiny", method, f"evaluate/{key}") for method in ablation.arms.values()]
        assert [bar.get_width() for bar in ax.patches] == pytest.approx([one.mean for one in found])
        assert ax.get_xlim() == (0, 1), "bars start at zero"
        intervals = [line.get_xdata() for line in ax.lines if line.get_linestyle() == "-"]
        assert intervals[0] == pytest.approx(np.clip([found[0].low, found[0].high], 0, 1))
        seeds = [sorted(line.get_xdata()) for line in ax.lines if line.get_marker() == "o"]
        assert seeds[0] == sorted(results.by_seed("tiny", "relax", f"evaluate/{key}").values())
        words = [text.get_text() for text in ax.texts]
        assert words[0] == f"{found[0].mean:.3f}"
        assert words[2] == f"{found[2].mean:.3f} ({found[2].mean - found[0].mean:+.3f})".replace("-", "\N{MINUS SIGN}")


def test_an_ablation_of_one_finished_arm_is_not_drawn(one_seed):
    results = collect(*one_seed)
    alone = Ablation("figure-4", "weight", {"a": "relax", "b": "relax-sv-no-kl"})
    assert ablation_curves(results, "tiny", alone) is None
    assert ablation_bars(results, "tiny", alone) is None


def test_a_dimension_of_a_methods_own_is_named(all_runs):
    root, config = all_runs
    own = config | {"methods": config["methods"] | {"relax": config["methods"]["relax"] | {"koopman_dim": 4}}}
    assert "dimension 8, but 4 for relax" in dynamics_figure(collect(root, own), "tiny").caption


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
    assert "1 seed (1)" in figures["dynamics"].caption
    assert "3 of 10 runs are finished" in figures["dynamics"].caption


def test_no_runs_no_figures(no_runs, tmp_path):
    assert write_figures(collect(*no_runs), tmp_path) == []
    assert read_figures(tmp_path) == []


def test_several_policies_have_figures_of_their_own(tmp_path):
    config = config_of(policies=["small", "large"], seeds=[1])
    make_results(tmp_path / "r", config, [("large", "grpo", 1), ("small", "grpo", 1)])
    results = collect(tmp_path / "r", config)
    names = [save(partial(dynamics_figure, results, policy), tmp_path).name for policy in ("small", "large")]
    assert names == ["dynamics-small", "dynamics-large"]
    assert save(partial(share_above_xi_figure, results, "small"), tmp_path) is None, "GRPO has no limit"


def test_median_line_does_not_cross_gaps(all_runs):
    found = collect(*all_runs).trajectories.query("method == 'initial' and kind == 'policy'")
    line = _medians(found, "dsd_eigenvalues")
    values = line.to_numpy()
    assert line.index[0] == 3
    assert np.isnan(values[1]), "nothing between three states and the chains"
    assert not np.isnan(values[2:]).any()
    assert values[0] == pytest.approx(found[found.length == 3].dsd_eigenvalues.median())
