"""The table of accuracy by picture and drawing: every part of every method, with the interval over its seeds."""

import json
from pathlib import Path

import pandas as pd
import pytest

from relax.results.collect import collect
from relax.results.figures.pass_at_k import pass_at_k_figure
from relax.results.tables.all import final_table
from relax.results.tables.breakdown import breakdown
from relax.results.tables.render import to_markdown
from tests.results.results_fixture import config_of, make_results

PARTS = {"dependence/visual": 0.4, "dependence/text": 0.8, "variant/plain": 0.6, "variant/turned": 0.2}


def test_every_part_has_a_column_and_an_interval(tmp_path: Path) -> None:
    config = make_results(tmp_path, config_of())
    assert breakdown(collect(tmp_path, config)) == []
    for path in (tmp_path / "evaluate").rglob("long-sum/scores.json"):
        content = json.loads(path.read_text())
        shift = 0.1 * path.parts[-3].endswith("2")
        for part, value in PARTS.items():
            content["metrics"][f"{part}/mean@1"] = {"value": value + shift, "stderr": 0.01}
        content["metrics"]["worst@1"] = {"value": 0.1, "stderr": 0.01}
        path.write_text(json.dumps(content))
    results = collect(tmp_path, config)
    table, differences = breakdown(results)
    assert table.name == "breakdown-long-sum"
    assert [(c.group, c.title) for c in table.columns[3:]] == [
        ("the picture is", "not needed"), ("the picture is", "needed"),
        ("drawing", "plain"), ("drawing", "turned"), ("drawing", "all of them right"),
        ("standard error over problems", "not needed"), ("standard error over problems", "needed"),
    ]  # fmt: skip
    assert len(table.rows) == 6
    (relax,) = (row for row in table.rows if row["method"] == "relax")
    cell = relax["long-sum/dependence/visual/mean@1"].summary
    assert cell.mean == pytest.approx(0.45)
    assert cell.n == 2
    # Student's t at one degree of freedom: 12.706 standard errors of two values 0.1 apart.
    assert cell.half_width == pytest.approx(12.706 * 0.05, rel=1e-3)
    assert "0.450 ± 0.635" in to_markdown(table)
    assert relax["dependence/visual/mean@1"] == pytest.approx(0.01)

    # Parts of all methods are the same, but for the seed: no difference, and none more where the picture is needed.
    assert differences.name == "breakdown-long-sum-differences"
    assert [row["method"] for row in differences.rows] == ["grpo-kl", "relax", "relax-sv", "relax-sv-no-kl"]
    assert {row["more where needed"].summary.mean for row in differences.rows} == {0.0}


def test_the_gain_where_the_picture_is_needed_is_set_against_the_gain_elsewhere(tmp_path: Path) -> None:
    config = make_results(tmp_path, config_of(seeds=(1, 2, 3)))
    for path in (tmp_path / "evaluate").rglob("long-sum/scores.json"):
        content = json.loads(path.read_text())
        seed, relax = int(path.parts[-3].removeprefix("seed-")), path.parts[-4] == "relax"
        gains = {"dependence/visual": (0.1 + 0.01 * seed) * relax, "dependence/text": 0.02 * seed * relax}
        for part, gain in gains.items():
            content["metrics"][f"{part}/mean@1"] = {"value": 0.5 + 0.1 * seed + gain, "stderr": 0.01}
        path.write_text(json.dumps(content))
    _, differences = breakdown(collect(tmp_path, config))
    (relax,) = (row for row in differences.rows if row["method"] == "relax")
    found = relax["long-sum/dependence/visual/mean@1"].summary
    # 0.11, 0.12, 0.13: Student's t at two degrees of freedom is 4.303, the standard error 0.01 / sqrt(3).
    assert (found.mean, found.half_width) == pytest.approx((0.12, 4.303 * 0.01 / 3**0.5), rel=1e-3)
    # 0.11 - 0.02, 0.12 - 0.04, 0.13 - 0.06
    more = relax["more where needed"].summary
    assert (more.mean, more.n) == (pytest.approx(0.08), 3)
    assert "more where needed" in to_markdown(differences)


def test_drawings_are_not_counted_as_problems(tmp_path: Path) -> None:
    config = make_results(tmp_path, config_of())
    assert "noisy-sum (100 problems), long-sum (100 problems)." in final_table(collect(tmp_path, config)).caption
    for path in (tmp_path / "grades").rglob("noisy-sum/grades.parquet"):
        grades = pd.read_parquet(path)
        grades["cluster"] = grades.id.map(lambda name: f"c{int(name[1:]) // 5}")  # ten questions: two problems in five
        grades.to_parquet(path)
    for path in (tmp_path / "evaluate").rglob("noisy-sum/scores.json"):
        path.write_text(path.read_text().replace('"problems": 100', '"problems": 10'))
    results = collect(tmp_path, config)
    assert "noisy-sum (2 problems in 10 variants), long-sum (100 problems)." in final_table(results).caption
    assert "(noisy-sum: 2 problems in 10 variants; unbiased" in pass_at_k_figure(results, "tiny").caption
