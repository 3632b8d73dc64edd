"""MLflow's own interface in a real browser: what a person sees of an exported experiment, and that it can be used."""

import json
import os
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from relax.store.client import PATH_TAG, PIPELINE_TAG
from relax.store.export import export
from tests.store.browser import Browser, browser, chromium
from tests.store.store_fixture import make_experiment, mlflow_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="chromium and chromedriver are not installed"),
]


class Interface:
    """The pages of an experiment.

    Attributes:
        runs: ids of the runs, by the folder of their record.
        parent: id of the pipeline's run.
    """

    def __init__(self, window: Browser, server: str, store: str) -> None:
        client = MlflowClient(store)
        self.window, self.server = window, server
        self.experiment = client.get_experiment_by_name("synthetic").experiment_id
        found = client.search_runs([self.experiment], max_results=1000)
        self.runs = {r.data.tags[PATH_TAG]: r.info.run_id for r in found if PATH_TAG in r.data.tags}
        (self.parent,) = [r.info.run_id for r in found if PIPELINE_TAG in r.data.tags]

    def open(self, page: str) -> Browser:
        """A page of the interface, loaded anew. Pictures of all pages go to UI_SCREENSHOTS where that is set."""
        self.window.open("about:blank")
        self.window.open(f"{self.server}/#{page}")
        return self.window

    def picture(self, name: str) -> None:
        if folder := os.environ.get("UI_SCREENSHOTS"):
            self.window.screenshot(Path(folder) / f"{name}.png")

    def artefact(self, place: str, name: str) -> Browser:
        return self.open(f"/experiments/{self.experiment}/runs/{self.runs.get(place, place)}/artifacts/{name}")

    def view(self, key: str, mode: str = "") -> Browser:
        return self.open(
            f"/experiments/{self.experiment}/runs?viewStateShareKey=relax-{key}&workflowType=machine_learning{mode}"
        )


@pytest.fixture(scope="module")
def interface(tmp_path_factory) -> Interface:
    folder = tmp_path_factory.mktemp("interface")
    root = folder / "results" / "synthetic"
    store = f"sqlite:///{root}/mlflow.db"
    export(root, make_experiment(root, figures=True), store)
    with mlflow_server(folder / "server", store) as server, browser(folder / "browser") as window:
        yield Interface(window, server, store)


#: (name, points, colour) of the lines of every chart, as plotly draws them; shadows and bands left out.
LINES = """
const charts = [...document.querySelectorAll('.js-plotly-plot')].filter(e => e._fullData);
const lines = charts.map(e => e._fullData.filter(t => t.y && t.line && /^#[0-9a-f]{6}$/.test(t.line.color))
                                         .map(t => [t.name, t.y.length, t.line.color]));
const whole = lines.filter(chart => chart.length >= LEAST && chart.every(line => line[1] === POINTS));
return whole.length >= 3 && whole
"""


def lines_drawn(window: Browser, least: int, points: int = 60) -> list[list[tuple[str, int, str]]]:
    """Of the charts in sight that have as many lines of as many points as asked for, once there are three."""
    return window.wait(LINES.replace("LEAST", str(least)).replace("POINTS", str(points)))


def test_the_experiment_lists_its_runs_below_their_pipeline(interface) -> None:
    window = interface.open(f"/experiments/{interface.experiment}/runs?workflowType=machine_learning")
    text = window.wait_for_text("by hand", "71 matching runs")
    assert "train tiny relax seed 2" not in text  # folded up
    window.click("return document.querySelector('.ag-row button')")
    window.wait_for_text("evaluate tiny relax seed 2 noisy-sum", "train tiny grpo seed 1")
    interface.picture("runs")


def test_the_views_are_offered_by_name(interface) -> None:
    window = interface.open(f"/experiments/{interface.experiment}/runs?workflowType=machine_learning")
    window.wait_for_text("by hand")
    window.click("return document.querySelector('[data-testid=saved-views-trigger]')")
    window.wait_for_text("Training curves", "Training curves, mean over seeds", "Benchmarks")
    window.click(
        "return [...document.querySelectorAll('[data-testid^=saved-views] *')]"
        ".find(e => e.innerText === 'Training curves')"
    )
    window.wait_for_text("train tiny relax seed 2", "final/reward")
    interface.picture("views")


def test_curves_are_compared_by_method_and_seed(interface) -> None:
    window = interface.view("curves", "&compareRunsMode=CHART")
    methods = ["grpo", "grpo-kl", "relax", "relax-sv", "relax-sv-no-kl"]
    names = [f"train tiny {method} seed {seed}" for method in methods for seed in (1, 2)]
    window.wait_for_text("10 matching runs", "reward", "entropy", *names)
    for chart in lines_drawn(window, 10)[:3]:  # reward, entropy, length
        assert sorted(name for name, *_ in chart) == sorted(names)
        assert {points for _, points, _ in chart} == {60}
        assert len({colour for *_, colour in chart}) == 10
    interface.picture("curves")


def test_curves_are_compared_as_means_over_seeds(interface) -> None:
    window = interface.view("means", "&compareRunsMode=CHART")
    window.wait_for_text("Group: relax-sv-no-kl", "Group: grpo-kl", "Group by: method")
    for chart in lines_drawn(window, 5)[:3]:
        assert [points for _, points, _ in chart] == 5 * [60]
        assert len({colour for *_, colour in chart}) == 5
    assert "relax (entropy)" in window.text()
    interface.picture("means")


def test_benchmarks_stand_side_by_side(interface) -> None:
    window = interface.view("benchmarks")
    text = window.wait_for_text("11 matching runs", "evaluate tiny relax seed 2 noisy-sum", "noisy-sum/mean_at_16")
    assert "evaluate tiny initial noisy-sum" in text
    interface.picture("benchmarks")


def test_two_runs_are_compared_by_their_settings(interface) -> None:
    chosen = [interface.runs[f"train/tiny/{method}/seed-1"] for method in ("grpo", "relax")]
    window = interface.open(f'/compare-runs?runs={json.dumps(chosen)}&experiments=["{interface.experiment}"]')
    text = window.wait_for_text("Comparing 2 Runs", "method.alpha", "dsd/singular_values", "spectrum")
    assert "train tiny grpo seed 1" in text
    assert "train tiny relax seed 1" in text
    interface.picture("compare")


def test_a_run_says_what_it_is(interface) -> None:
    window = interface.open(f"/experiments/{interface.experiment}/runs/{interface.runs['train/tiny/relax/seed-2']}")
    text = window.wait_for_text("train tiny relax seed 2", "method.alpha", "final/reward")
    for tag in ("policy", "model", "method", "seed", "spectrum", "commit", "verb"):
        assert f"\n{tag}\n" in text.replace(":", "\n"), tag
    assert "35.0s" in text  # as long as the job took, not the export
    interface.picture("run")
    window = interface.open(f"/experiments/{interface.experiment}/runs/{interface.parent}")
    window.wait_for_text("jobs of verbs run by hand", "config_hash", "Child runs")
    interface.picture("parent")


@pytest.mark.parametrize(
    ("place", "name", "words"),
    [
        ("tables", "final.md", ["Final policies", "relax-sv-no-kl", "mean@16"]),
        ("tables", "final.csv", ["relax-sv-no-kl", "noisy-sum"]),
        ("tables", "findings.md", ["Does token entropy fall under GRPO?"]),
        ("train/tiny/relax/seed-2", "metrics.jsonl", ["dsd/eigenvalues"]),
        ("train/tiny/grpo/seed-1", "rollouts.jsonl", ['"response": "8+8=6"']),
        ("parent", "config.yaml", ["koopman_dim: 16", "name: synthetic"]),
    ],
)
def test_texts_and_tables_open(interface, place, name, words) -> None:
    interface.artefact(interface.parent if place == "parent" else place, name).wait_for_text(*words)
    interface.picture(name)


def test_a_figure_opens(interface) -> None:
    window = interface.artefact("figures", "dynamics.png")
    width = window.wait("return [...document.images].map(i => i.naturalWidth).filter(w => w > 500)[0]")
    assert width > 500
    interface.picture("figure")


def test_the_report_opens(interface) -> None:
    window = interface.artefact(interface.parent, "report.html")
    shown = """const page = document.querySelector('iframe');
    if (!page || !page.src.startsWith('blob:')) return page && page.outerHTML.includes('The report');
    const request = new XMLHttpRequest();
    request.open('GET', page.src, false);
    request.send();
    return request.responseText.includes('<h1>The report</h1>')"""
    window.wait(shown)
    interface.picture("report")
