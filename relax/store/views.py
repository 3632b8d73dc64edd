"""Ready views for MLflow's interface: its "Views" menu on an experiment's runs offers them by name.

The runs of a pipeline lie folded up below their parent, and MLflow draws nothing until somebody unfolds it and picks
charts. MLflow (3.17 and 3.18) keeps a saved view as a tag of the experiment, in JSON of its own; nothing else depends
on it, and tests/store/test_mlflow_ui.py opens the views in a browser.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

#: What training is read by; names as in docs/metrics.md.
CURVES = (
    "reward",
    "entropy",
    "length",
    "dsd/eigenvalues",
    "dsd/singular_values",
    "probe/eigenvalues",
    "probe/singular_values",
    "share_above_xi",
    "kl",
    "grad_norm",
)
#: Of methods, in the order of the matrix, as in the figures; MLflow alone gives two methods the same colour.
COLOURS = ("#000000", "#e69f00", "#0068a8", "#009e73", "#882255", "#7cc8f2", "#c24a00", "#d483b0")
#: Final numbers of training that stand in the list of runs.
FINAL = ("final/reward", "final/entropy", "final/dsd/eigenvalues", "final/dsd/singular_values")


def view_tags(config: Mapping[str, Any], created: int) -> dict[str, str]:
    """Tags of an experiment that are its views.

    Args:
        config: the configuration; says which benchmarks there are.
        created: when the experiment was made, in milliseconds; MLflow sorts views by it, newest first.
    """
    scores = [metric for name in config["matrix"]["benchmarks"] for metric in _scores(config, name)]
    views = {
        "curves": ("Training curves", _view("train", "LINE", CURVES, FINAL)),
        "means": ("Training curves, mean over seeds", _view("train", "LINE", CURVES, FINAL, group="method")),
        "benchmarks": ("Benchmarks", _view("evaluate", "BAR", scores, scores)),
    }
    return {
        f"mlflow.sharedViewState.relax-{key}": json.dumps(
            {"name": name, "createdAt": created - age, "updatedAt": created - age, "state": json.dumps(state)}
        )
        for age, (key, (name, state)) in enumerate(views.items())
    }


def colour(identity: Mapping[str, Any], config: Mapping[str, Any]) -> str | None:
    """A run's colour: that of its method, lighter from seed to seed; None for what the matrix does not ask for."""
    matrix = config["matrix"]
    if identity.get("method") not in matrix["methods"] or identity.get("seed") not in matrix["seeds"]:
        return None
    base = COLOURS[matrix["methods"].index(identity["method"]) % len(COLOURS)]
    dark = 1 / (1 + 0.5 * matrix["seeds"].index(identity["seed"]))
    return "#" + "".join(f"{round(255 - dark * (255 - int(base[i : i + 2], 16))):02x}" for i in (1, 3, 5))


def _scores(config: Mapping[str, Any], benchmark: str) -> list[str]:
    asked = config["benchmarks"][benchmark]
    draws = ([1] if asked.get("greedy") else []) + ([asked["samples"]] if asked.get("samples") else [])
    names = [f"mean_at_{k}" for k in draws] + [f"pass_at_{k}" for k in draws if k > 1]
    return [f"{benchmark}/{name}" for name in names]


def _view(verb: str, chart: str, charts: Sequence[str], columns: Sequence[str], group: str | None = None) -> Any:
    """The state of a page of runs, flat and sorted by method: MLflow nests runs only where they are sorted by time."""
    labels = [f"tags.`{name}`" for name in ("method", "seed", "benchmark")]
    return {
        "searchFilter": f'tags.verb = "{verb}"',
        "orderByKey": "tags.`method`",
        "orderByAsc": True,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": [*labels[: 2 if verb == "train" else 3], *(f"metrics.`{name}`" for name in columns)],
        "runsHiddenMode": "SHOW_ALL",
        "groupBy": group and {"aggregateFunction": "average", "groupByKeys": [{"mode": "tag", "groupByData": group}]},
        "compareRunSections": [
            {
                "uuid": "relax",
                "name": verb,
                "display": True,
                "isReordered": True,
                "deleted": False,
                "isGenerated": False,
            }
        ],
        "compareRunCharts": [_chart(chart, name) for name in charts],
        "isAccordionReordered": True,
    }


def _chart(kind: str, name: str) -> dict[str, Any]:
    chart = {
        "uuid": f"relax-{name}",
        "type": kind,
        "metricKey": name,
        "displayName": name,
        "deleted": False,
        "isGenerated": False,
        "metricSectionId": "relax",
        "runsCountToCompare": 100,
    }
    if kind == "LINE":
        chart |= {
            "lineSmoothness": 0,
            "xAxisKey": "step",
            "xAxisScaleType": "linear",
            "scaleType": "linear",
            "range": {},
            "selectedXAxisMetricKey": "",
            "yAxisKey": "metric",
            "yAxisExpressions": [],
            "ignoreOutliers": False,
            "useGlobalXaxisKey": True,
            "useGlobalLineSmoothing": True,
        }
    return chart
