"""The pipeline drawn from records: who read from whom, in which layer, when; against other ways to know it."""

import itertools
import json
from functools import partial

import networkx
import numpy as np
import pandas as pd
import pytest

from relax.progress import duration
from relax.results.collect import collect
from relax.results.figures.style import save
from relax.results.model import Matrix, Results
from relax.results.report.pipeline import _lanes, layers, links, pipeline, timeline, times


def results_of(records):
    """Results of (verb, inputs, outputs, start in seconds, wall time)."""
    matrix = Matrix("made", ("p",), ("grpo",), (1,), ("sums",))
    kept = [{"verb": verb, "inputs": dict.fromkeys(i), "outputs": dict.fromkeys(o)} for verb, i, o, *_ in records]
    started = [f"2026-01-01T00:{int(start) // 60:02d}:{int(start) % 60:02d}+00:00" for *_, start, _ in records]
    costs = pd.DataFrame(
        {
            "verb": [r[0] for r in records],
            "started": started,
            "wall_seconds": [r[4] for r in records],
            "cpu_seconds": 1.0,
            "accelerator_seconds": 0.0,
        }
    )
    empty = pd.DataFrame()
    return Results(matrix, {}, kept, [], *(empty,) * 7, costs, empty)


RECORDS = [
    ("data", [], ["r/data/train.jsonl", "r/data/test.jsonl"], 0, 5),
    ("base", [], ["r/base/p/model"], 0, 30),
    ("dictionary", ["r/base/p/model", "r/data/train.jsonl"], ["r/dictionary/p/w", "r/dictionary/p/probes"], 31, 10),
    # A folder above the outputs of another, and a record's own folder above its output.
    ("train", ["r/data/train.jsonl", "r/base/p/model", "r/dictionary/p"], ["r/train/p/model"], 45, 60),
    ("train", ["r/data/train.jsonl", "r/base/p/model", "r/dictionary/p"], ["r/train/q/model"], 45, 80),
    ("generate", ["r/train/p/model", "r/data/test.jsonl"], ["r/responses/p/sums"], 110, 20),
    # Two files inside a folder that is one output.
    ("grade", ["r/responses/p/sums/a.parquet", "r/elsewhere"], ["r/grades/p"], 131, 0),
]


def test_an_arrow_stands_where_one_read_what_another_wrote():
    assert links(results_of(RECORDS)) == {
        ("data", "dictionary"), ("base", "dictionary"), ("data", "train"), ("base", "train"), ("dictionary", "train"),
        ("train", "generate"), ("data", "generate"), ("generate", "grade"),
    }  # fmt: skip


def test_layers_are_longest_paths():
    generator = np.random.default_rng(0)
    names = list("abcdefgh")
    for _ in range(50):
        edges = [edge for edge in itertools.combinations(names, 2) if generator.random() < 0.3]
        graph = networkx.DiGraph(edges)
        graph.add_nodes_from(names)
        generations = enumerate(networkx.topological_generations(graph))
        expected = {name: depth for depth, level in generations for name in level}
        assert layers(names, edges) == expected


def test_times_are_those_of_the_records():
    found = times(results_of(RECORDS))
    assert (found.elapsed_seconds, found.wall_seconds, found.cpu_seconds) == (131, 205, 7)
    assert found.started.isoformat() == "2026-01-01T00:00:00+00:00"
    assert times(results_of([])).elapsed_seconds == 0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (0.2, "< 1 s"), (59, "59 s"), (90, "1.5 min"), (7200, "2.0 h"), (3.6e6, "1,000.0 h")],
)
def test_a_duration_has_one_unit(seconds, words):
    assert duration(seconds) == words


def test_jobs_that_overlap_get_lanes_of_their_own_and_no_more_than_needed():
    generator = np.random.default_rng(1)
    for _ in range(50):
        starts = np.sort(generator.uniform(0, 10, 12))
        spans = [(start, start + generator.exponential(2)) for start in starts]
        lanes = _lanes(spans)
        for (a, first), (b, second) in itertools.combinations(zip(spans, lanes, strict=True), 2):
            assert first != second or a[1] <= b[0] or b[1] <= a[0]
        busiest = max(sum(start <= at < end for start, end in spans) for at in starts)
        assert max(lanes) + 1 == busiest


def test_both_pictures_are_drawn_with_their_numbers(all_runs, tmp_path, recwarn):
    results = collect(*all_runs)
    drawn = [save(partial(draw, results), tmp_path) for draw in (pipeline, timeline)]
    assert [figure.name for figure in drawn] == ["pipeline", "timeline"]
    assert all(figure.png.stat().st_size > 5000 for figure in drawn)
    assert "The 9 stages of synthetic as they ran" in drawn[0].caption
    walls = sum(json.loads(p.read_text())["wall_seconds"] for p in all_runs[0].rglob("run.json"))
    assert f"{walls / 60:.1f} min of wall time in all jobs together" in drawn[1].caption
    assert [str(warning.message) for warning in recwarn] == []


def test_nothing_is_drawn_of_nothing(no_runs):
    results = collect(*no_runs)
    assert (pipeline(results), timeline(results)) == (None, None)
