"""The report's first screen: an answer computed from runs whose truth is known, whichever way they went."""

import dataclasses
from functools import partial

import numpy as np
import pandas as pd
import pytest

from relax.results.collect import collect
from relax.results.figures.style import save
from relax.results.model import Matrix, Results
from relax.results.report.opening import answer, what_was_run
from relax.results.report.opening_figures import SHOWN, accuracies, training
from relax.results.report.provenance import times
from tests.results import results_fixture
from tests.results.results_fixture import METHODS, config_of

all_runs, one_seed, no_runs = results_fixture.all_runs, results_fixture.one_seed, results_fixture.no_runs


def with_scores(results, scores):
    """The same runs with other accuracies: method -> mean; seed s adds s thousandths of it."""
    runs = results.runs.copy()
    for column in [name for name in runs if name.startswith("evaluate/")]:
        for method, value in scores.items():
            own = runs.method == method
            runs.loc[own, column] = value * (1 + 0.001 * runs.seed[own])
    return dataclasses.replace(results, runs=runs)


#: No method differs from another.
EQUAL = dict.fromkeys(METHODS, 0.5)


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ({}, "No variant of ReLaX is shown to be more accurate than GRPO: accuracy over 2 benchmarks is 0.501 under"),
        ({"relax": 0.4}, "No variant of ReLaX is shown to be more accurate than GRPO, and relax is less accurate: "),
        ({"relax": 0.6}, "1 of 3 variants of ReLaX is more accurate than GRPO: "),
        ({"relax": 0.6, "relax-sv": 0.7}, "2 of 3 variants of ReLaX are more accurate than GRPO: "),
        ({"relax": 0.6}, "0.601 under relax (higher)"),
        ({"relax": 0.4}, "0.401 under relax (lower)"),
        ({"relax": 0.6}, "; against the control grpo-kl (0.501) the same is shown for relax."),
        ({"relax": 0.6, "grpo-kl": 0.65}, "; none of them is shown to be more accurate than the control grpo-kl (0"),
    ],
)
def test_the_first_sentence_says_who_is_more_accurate(all_runs, scores, said):
    sentences = answer(with_scores(collect(*all_runs), EQUAL | scores), "tiny")
    assert len(sentences) == 3
    assert said in sentences[0]


def test_the_second_sentence_is_about_exploration_and_the_third_about_grpo(all_runs):
    results = collect(*all_runs)
    runs = results.runs.copy()
    for method, entropy in {"grpo": 0.10, "relax": 0.20, "relax-sv": 0.05, "relax-sv-no-kl": 0.30}.items():
        own = runs.method == method
        runs.loc[own, "train/entropy"] = entropy + 0.0001 * runs.seed[own] * (1 if method == "grpo" else 2)
    _, exploration, baseline = answer(dataclasses.replace(results, runs=runs), "tiny")
    assert exploration.endswith("token entropy is higher under relax and relax-sv-no-kl, and lower under relax-sv.")
    assert exploration.startswith("Compared with grpo, DSD at the end of training is higher under relax")
    assert baseline.startswith("Under grpo itself, token entropy fell from 0.3")
    assert " and the reward rose from 0.5" in baseline


def test_one_seed_tells_nothing_apart(one_seed):
    accuracy, exploration, baseline = answer(collect(*one_seed), "tiny")
    assert accuracy.startswith("These runs cannot tell whether ReLaX is more accurate than GRPO: ")
    assert "(no interval)" in accuracy
    assert exploration.count("without a usable interval under relax and relax-sv") == 2
    assert baseline.count("which one value cannot tell from chance") == 2


def test_what_has_not_run_has_no_answer(no_runs, all_runs):
    assert answer(collect(*no_runs), "tiny") == ["No training run has finished, so there is no answer yet."]
    root, config = all_runs
    matrix = config["matrix"] | {"methods": ["relax"]}
    (alone,) = answer(collect(root, config | {"matrix": matrix}), "tiny")
    assert alone.startswith("No run of grpo has finished")
    matrix = config["matrix"] | {"methods": ["grpo", "grpo-kl"]}
    first, second = answer(collect(root, config | {"matrix": matrix}), "tiny")
    assert first == "No run of ReLaX has finished, so GRPO stands alone."
    assert second.startswith("Under grpo itself, token entropy fell")


def test_every_term_is_explained_before_the_answer(all_runs):
    said = dict(what_was_run(collect(*all_runs)))
    assert list(said) == ["Policy", "Data", "Measures", "Methods", "Runs"]
    for term in ("The reward is", "Token entropy says", "DSD (dynamic spectral dispersion) says"):
        assert term in said["Measures"]
    for name in METHODS:
        assert name in said["Methods"]
    assert "A run has 60 steps of 32 problems with 8 sampled responses each." in said["Runs"]
    assert "2 seeds (1, 2)" in said["Runs"]


def test_both_figures_are_drawn_of_runs_and_neither_of_nothing(all_runs, no_runs, tmp_path, recwarn):
    results = collect(*all_runs)
    drawn = [save(partial(draw, results, "tiny"), tmp_path) for draw in (training, accuracies)]
    assert all(figure.png.stat().st_size > 5000 for figure in drawn)
    assert [str(warning.message) for warning in recwarn] == []
    assert [draw(collect(*no_runs), "tiny") for draw in (training, accuracies)] == [None, None]


def test_the_figures_show_every_method_with_its_interval(all_runs):
    results = collect(*all_runs)
    panels = training(results, "tiny").canvas.axes
    assert [ax.get_title(loc="left") or ax.get_title() for ax in panels] == list(SHOWN.values())
    assert all(len(ax.lines) == 3 * len(METHODS) for ax in panels)  # two seeds and their mean
    scored = with_scores(results, {"relax": 0.5})
    (ax,) = accuracies(scored, "tiny").canvas.axes
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["initial", *METHODS]
    ends = [
        line.get_xdata() for line in ax.lines if len(line.get_xdata()) == 2 and names.index("relax") in line.get_ydata()
    ]
    width = 12.706 * 0.0005 / np.sqrt(2) / np.sqrt(2)  # Student's quantile times the standard error of two seeds
    assert ends[0] == pytest.approx([0.50075 - width, 0.50075 + width], abs=1e-6)


def test_several_policies_have_an_answer_each(tmp_path):
    config = config_of(policies=("a", "b"))
    said = dict(what_was_run(collect(tmp_path, config)))
    assert said["Policies"] == "The policies are the language models that the methods train, here a; b."


def test_times_are_those_of_the_records():
    matrix, empty = Matrix("made", ("p",), ("grpo",), (1,), ("sums",)), pd.DataFrame()
    seconds = [(0, 5), (31, 10), (45, 80), (131, 0), (110, 20)]
    costs = pd.DataFrame(
        {
            "started": [f"2026-01-01T00:{start // 60:02d}:{start % 60:02d}+00:00" for start, _ in seconds],
            "wall_seconds": [wall for _, wall in seconds],
            "cpu_seconds": 1.5,
            "accelerator_seconds": 2.0,
        }
    )

    def results(of):
        return Results(matrix, {}, [], [], *(empty,) * 7, of, empty)

    found = times(results(costs))
    assert (found.elapsed_seconds, found.cpu_seconds, found.accelerator_seconds) == (131, 7.5, 10)
    assert found.started.isoformat() == "2026-01-01T00:00:00+00:00"
    assert times(results(costs.head(0))).elapsed_seconds == 0
