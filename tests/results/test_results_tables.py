"""Tables: what a cell says, and that Markdown, LaTeX and CSV say the same."""

import csv
import io
import json
import math
import re
import shutil

import pytest

from relax.results.collect import collect
from relax.results.intervals import summarise
from relax.results.tables.all import build_tables, write_tables
from relax.results.tables.render import MINUS, Column, Estimate, Table, cell, to_csv, to_latex, to_markdown
from tests.results.results_fixture import METHODS, config_of, make_results

NAMES = [
    "final",
    "differences",
    "benchmarks",
    "paired",
    "probes",
    "dictionary",
    "ablation-figure-6",
    "ablation-figure-6-paper",
    "cost",
    "stages",
    "table1",
    "table2",
    "table5",
    "table6",
]


def tables_of(folder):
    root, config = folder
    return {table.name: table for table in build_tables(collect(root, config))}


def rows_of(path):
    return list(csv.DictReader(io.StringIO(path.read_text())))


SMALL = Table(
    name="small",
    title="Small",
    caption="Two runs & 5 % of a_b.",
    columns=(
        Column("name", "name"),
        Column("x", "x", "group"),
        Column("y", "y", "group", "+.2f", difference=True),
    ),
    rows=(
        {
            "name": "both",
            "x": Estimate(summarise([0.1, 0.3]), 2),
            "y": Estimate(summarise([-0.51, -0.52]), 2),
        },
        {"name": "one", "x": Estimate(summarise([0.25]), 2), "y": Estimate(summarise([]), 2)},
    ),
)


def test_markdown_cells():
    lines = to_markdown(SMALL).splitlines()
    assert lines[2] == "| name | group: x | group: y |"
    # Half width: t(0.975, 1) = 12.7062 times s / sqrt(2), with s = 0.141421 and 0.00707.
    assert lines[4] == "| both | 0.200 ± 1.271 (s 0.1414) | **\N{MINUS SIGN}0.52 ± 0.06 (s 0.007)** |"
    assert lines[5] == "| one | 0.250 (1 of 2) | \N{EN DASH} |"


def test_latex_cells():
    text = to_latex(SMALL)
    assert r"\caption{Two runs \& 5 \% of a\_b.}" in text
    assert r"\cmidrule(lr){2-3}" in text
    lines = text.splitlines()
    both = lines.index(r"both & 0.200 & \textbf{$-$0.52} \\[-2pt]")
    assert lines[both + 1] == r" & \scriptsize $\pm$ 1.271 & \scriptsize $\pm$ 0.06 \\[-2pt]"
    assert lines[both + 2] == r" & \scriptsize s 0.1414 & \scriptsize s 0.007 \\"
    assert lines[both + 3] == r"one & 0.250 & -- \\[-2pt]"
    assert lines[both + 4] == r" & \scriptsize (1 of 2) &  \\"
    assert text.count("{") == text.count("}")


def test_csv_has_full_precision_and_n():
    both, one = csv.DictReader(io.StringIO(to_csv(SMALL)))
    found = summarise([-0.51, -0.52])
    assert [float(both[key]) for key in ("y", "y_half_width", "y_std")] == [
        found.mean,
        found.half_width,
        found.std,
    ]
    assert (both["y_n"], one["y_n"], one["y"], one["x_half_width"]) == ("2", "0", "", "")


@pytest.mark.parametrize(
    ("spec", "value", "text"),
    [
        (".3f", -0.0001, "0.000"),
        ("+.2f", 0.001, "+0.00"),
        (".1e", 52000.0, "5.2e4"),
        (".1e", 0.00052, "5.2e-4"),
        (",.0f", 12345.6, "12,346"),
        (".2f", math.nan, "\N{EN DASH}"),
        (".2f", None, "\N{EN DASH}"),
    ],
)
def test_numbers(spec, value, text):
    assert cell(Column("x", "x", spec=spec), value).main == text


def test_every_table_is_written_in_every_format(all_runs, tmp_path):
    paths = write_tables(collect(*all_runs), tmp_path)
    expected = [f"{name}.{suffix}" for name in NAMES for suffix in ("md", "tex", "csv")]
    assert [path.name for path in paths] == [*expected, "runs.csv"]
    assert all(path.stat().st_size for path in paths)


def test_the_same_results_give_the_same_bytes(all_runs, tmp_path):
    first, second = (write_tables(collect(*all_runs), tmp_path / name) for name in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_final_table_is_mean_interval_and_n_over_seeds(all_runs, tmp_path):
    results = collect(*all_runs)
    write_tables(results, tmp_path)
    rows = rows_of(tmp_path / "final.csv")
    assert [row["method"] for row in rows] == ["initial", *METHODS]
    relax = rows[1 + METHODS.index("relax")]
    runs = [row for row in rows_of(tmp_path / "runs.csv") if row["method"] == "relax"]
    for key in ("evaluate/noisy-sum/mean@16", "train/entropy", "koopman/probe/dsd_eigenvalues"):
        expected = summarise(float(run[key]) for run in runs)
        assert float(relax[key]) == pytest.approx(expected.mean, rel=1e-12)
        assert float(relax[f"{key}_half_width"]) == pytest.approx(expected.half_width, rel=1e-9)
        assert relax[f"{key}_n"] == "2"


def test_runs_csv_has_one_row_per_run(all_runs, tmp_path):
    write_tables(collect(*all_runs), tmp_path)
    rows = rows_of(tmp_path / "runs.csv")
    expected = [("initial", "0")] + [(m, s) for m in METHODS for s in ("1", "2")]
    assert [(row["method"], row["seed"]) for row in rows] == expected
    assert rows[0]["cost/wall_seconds"] == ""
    assert float(rows[1]["train/entropy"]) < float(rows[0]["train/entropy"])


def test_differences_are_paired_by_seed(all_runs):
    results = collect(*all_runs)
    table = tables_of(all_runs)["differences"]
    row = next(row for row in table.rows if row["method"] == "relax-sv")
    key = "evaluate/noisy-sum/mean@16"
    runs = {m: results.by_seed("tiny", m, key) for m in ("relax-sv", "grpo")}
    expected = summarise([runs["relax-sv"][s] - runs["grpo"][s] for s in (1, 2)])
    assert row[key].summary == expected
    assert "grpo" not in [row["method"] for row in table.rows]


def test_column_names_say_the_spectrum_and_the_ridge(all_runs):
    for table in tables_of(all_runs).values():
        for column in table.columns:
            if re.search("dsd_(eigenvalues|singular_values)", column.key):
                words = f"{column.group} {column.title}"
                assert ("eigenvalues" in words) != ("singular values" in words), words
                assert ("eigenvalues" in words) == ("eigenvalues" in column.key)
                assert "ridge 0.1" in words if column.key.endswith("0.1") else "ridge 0.001" in words


def test_probe_table_shows_who_sees_the_gain(all_runs):
    rows = {(row["method"], row["trajectories"]): row for row in tables_of(all_runs)["probes"].rows}
    relax, grpo = rows["relax", "on-policy"], rows["grpo", "on-policy"]
    assert (relax["rewards"], rows["relax-sv", "probes"]["rewards"], grpo["rewards"]) == (
        "eigenvalues",
        "singular values",
        "",
    )
    trained, checked = (
        relax[key].summary.mean / grpo[key].summary.mean for key in ("dsd_eigenvalues", "dsd_eigenvalues_ridge_0.1")
    )
    assert trained > 5 > 2 > checked
    assert {row["method"] for row in rows.values()} == {"initial", *METHODS}


def test_dictionary_table_sets_fitted_against_random(all_runs):
    median = next(r for r in tables_of(all_runs)["dictionary"].rows if r["quantity"] == "residual, median")
    assert (median["fitted"], median["random"], median["ratio"]) == (0.61, 0.80, pytest.approx(0.61 / 0.80))


def test_cost_table_is_relative_to_grpo(all_runs):
    results, rows = collect(*all_runs), {row["method"]: row for row in tables_of(all_runs)["cost"].rows}
    assert rows["grpo"]["wall_ratio"].summary.mean == pytest.approx(1)
    step = {m: results.by_seed("tiny", m, "cost/seconds_per_step") for m in ("relax", "grpo")}
    expected = sum(step["relax"][s] / step["grpo"][s] for s in (1, 2)) / 2
    assert rows["relax"]["wall_ratio"].summary.mean == pytest.approx(expected)
    assert rows["relax"]["cost/dsd_share"].summary.mean == pytest.approx(0.12, abs=0.01)


def test_stage_table_sums_over_runs(all_runs):
    rows = {row["verb"]: row for row in tables_of(all_runs)["stages"].rows}
    order = ["data", "base", "dictionary", "train", "extract", "koopman", "generate", "grade", "evaluate"]
    assert list(rows) == [*order, "all"]
    assert (rows["evaluate"]["runs"], rows["evaluate"]["wall_seconds"]) == (22, 22 * 12.0)
    for key in ("runs", "wall_seconds", "cpu_hours", "gpu_hours"):
        assert rows["all"][key] == pytest.approx(sum(rows[name][key] for name in order))
    assert rows["train"]["cpu_hours"] == pytest.approx(10 * 0.8 * 34.5 / 3600, abs=1e-4)
    assert rows["all"]["gpu_hours"] == 0


def test_gpu_hours_are_wall_time_times_devices(one_seed, tmp_path):
    root = shutil.copytree(one_seed[0], tmp_path / "synthetic")
    path = root / "train/tiny/relax/seed-1/run.json"
    record = json.loads(path.read_text())
    record["machine"]["accelerator"] = "4 x NVIDIA H100 80GB HBM3"
    record["wall_seconds"] = 1800.0
    path.write_text(json.dumps(record))
    rows = {row["verb"]: row for row in tables_of((root, one_seed[1]))["stages"].rows}
    assert (rows["train"]["gpu_hours"], rows["all"]["gpu_hours"], rows["base"]["gpu_hours"]) == (2, 2, 0)


def test_missing_runs_are_marked(one_seed):
    text = to_markdown(tables_of(one_seed)["final"])
    line = {row.split(" | ")[0].strip("| "): row for row in text.splitlines() if row.startswith("| ")}
    assert line["grpo"].startswith("| grpo | 1 of 2 |")
    assert "(1 of 2)" in line["grpo"]
    assert "±" not in line["grpo"]
    assert line["grpo-kl"].startswith("| grpo-kl | 0 of 2 | \N{EN DASH} |")
    assert "(1 of 2)" not in line["initial"]


def test_tables_without_runs_are_still_tables(no_runs, tmp_path):
    write_tables(collect(*no_runs), tmp_path)
    final = (tmp_path / "final.md").read_text()
    assert [line.split("|")[2].strip() for line in final.splitlines()[4:10]] == ["0 of 1"] + ["0 of 2"] * 5
    assert "noisy-sum: pass@16" in final
    assert (tmp_path / "runs.csv").read_text() == "policy,method,seed,finished\n"


def test_the_policy_is_a_column_only_where_there_are_several(all_runs, tmp_path):
    assert "| policy |" not in to_markdown(tables_of(all_runs)["final"])
    config = config_of(policies=["small", "large"], seeds=[1])
    make_results(tmp_path, config, [("large", "grpo", 1), ("small", "grpo", 1)])
    final = to_markdown(tables_of((tmp_path, config))["final"])
    assert re.search(r"^\| policy \| method \|", final, re.MULTILINE)
    assert final.index("| small | relax-sv-no-kl |") < final.index("| large | initial |")


def test_benchmarks_are_paired_by_problem_and_corrected_over_the_table(all_runs):
    root, config = all_runs
    results = collect(root, config)
    table = tables_of(all_runs)["paired"]
    methods = [m for m in config["matrix"]["methods"] if m != "grpo"]
    assert [(row["method"], row["benchmark"]) for row in table.rows] == [
        (m, b) for b in sorted(config["matrix"]["benchmarks"]) for m in methods
    ]
    row = next(r for r in table.rows if (r["method"], r["benchmark"]) == ("relax", "noisy-sum"))
    grades = results.grades[results.grades.benchmark == "noisy-sum"].groupby(["method", "seed", "id"]).correct.mean()
    gaps = (grades["relax"] - grades["grpo"]).groupby("id").mean()
    assert row["difference"] == pytest.approx(gaps.mean())
    assert (row["problems_n"], row["seeds_n"], row["metric"]) == (10, 2, "mean@4")
    assert all(r["problems_p_corrected"] >= r["problems_p"] for r in table.rows if isinstance(r["problems_p"], float))
    assert "| +0" in to_markdown(table) or f"| {MINUS}0" in to_markdown(table)


def test_beside_a_score_stands_what_can_spoil_it(all_runs, no_runs):
    table = tables_of(all_runs)["benchmarks"]
    asked = {(r["method"], r["benchmark"], r["metric"]) for r in table.rows}
    assert ("initial", "noisy-sum", "mean@16") in asked
    assert ("relax", "long-sum", "mean@1 greedy") in asked
    assert all(r["stderr"] == pytest.approx(0.01) for r in table.rows)
    assert [tables_of(no_runs)[name].rows for name in ("benchmarks", "paired")] == [(), ()]
