"""The paper's tables with ours beside them: what a cell says, which verdict, and how it reads without runs."""

import csv
import io
import math
import re
import shutil
import subprocess
from decimal import Decimal

import pytest
from scipy import stats

from relax import config
from relax.paper.printed import FOLDER, LAYOUTS
from relax.results.collect import collect
from relax.results.tables.paper_tables import NOTHING_COMPARED, compares, paper_tables, summary
from relax.results.tables.render import MINUS, Column, Compared, cell, to_csv, to_latex, to_markdown
from tests.conftest import REPOSITORY
from tests.results.paper_fixture import BENCHMARKS, ROWS, around_print, paper_config, paper_results
from tests.results.results_fixture import config_of, make_results

SCORE = Column("x", "x", spec=".1f")
REPRODUCED, NOT_REPRODUCED = "\N{BLACK CIRCLE}", "\N{WHITE CIRCLE}"


# The tables ---------------------------------------------------------------------------------------


def results_of(root, given, runs=None, **more):
    paper_results(root, given, runs, **more)
    return collect(root, given)


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """All runs, at the printed scores."""
    return results_of(tmp_path_factory.mktemp("all") / "paper", paper_config())


@pytest.fixture(scope="module")
def some(tmp_path_factory):
    """One seed of GRPO and two of ReLaX on one policy."""
    runs = [("small", "grpo", 1), ("small", "relax", 1), ("small", "relax", 2)]
    return results_of(tmp_path_factory.mktemp("few") / "paper", paper_config(), runs)


@pytest.fixture(scope="module")
def nothing(tmp_path_factory):
    """No run of what is configured."""
    return collect(tmp_path_factory.mktemp("none") / "paper", paper_config())


def tables_of(results):
    return {table.name: table for table in paper_tables(results)}


def printed_rows(layout):
    """The CSV file as it is."""
    return list(csv.DictReader((FOLDER / layout.file).open()))


def row_of(results, table, label, ours):
    words = label.split(", ")
    for row in tables_of(results)[table].rows:
        if [row.get("base_model"), row.get("size"), row.get("method")] == words and row["our_method"] == ours:
            return row
    raise AssertionError((label, ours))


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.table)
def test_rows_columns_and_digits_are_those_of_print(layout, nothing, tmp_path):
    unmapped = collect(tmp_path, config_of())
    for results in (unmapped, nothing):
        table = tables_of(results)[layout.table.replace(" ", "").lower()]
        rows = list(csv.DictReader(io.StringIO(to_csv(table))))
        # A row for each of our methods; those of one printed row stand together.
        words = [tuple(row[name] for name in layout.words) for row in rows]
        kept = [n for n, name in enumerate(words) if n == 0 or words[n - 1] != name]
        expected = printed_rows(layout)
        assert len(kept) == len(expected)
        assert results is nothing or len(rows) == len(expected)
        header = [column.key for column in table.columns]
        for place, given in zip(kept, expected, strict=True):
            for name in layout.words:
                assert rows[place][name] == given[name]
            numbers = layout.numbers if layout.averaged else ("GRPO_seconds", "ReLaX_seconds")
            for name in numbers:
                assert rows[place][f"{name}_printed"] == given[name], (given, name)
            if layout.averaged:
                assert rows[place]["average_printed"] == given["average_printed"]
                assert [name for name in header if name in layout.numbers] == list(layout.numbers)
            else:
                assert rows[place]["increase_percent_printed"] == given["increase_percent_printed"]


@pytest.mark.parametrize("layout", LAYOUTS[:3], ids=lambda layout: layout.table)
def test_every_average_is_recomputed_from_its_columns(layout, nothing):
    rows = csv.DictReader(io.StringIO(to_csv(tables_of(nothing)[layout.table.replace(" ", "").lower()])))
    checked = 0
    for row in rows:
        numbers = [row[f"{name}_printed"] for name in layout.numbers]
        if " - " in row.get("method", "") or "" in numbers:
            continue
        mean = sum(map(Decimal, numbers)) / len(numbers)
        assert float(row["average_recomputed"]) == pytest.approx(float(mean))
        checked += 1
    assert checked == {"Table 1": 11, "Table 2": 12 + 1, "Table 5": 6 + 1}[layout.table]


def test_averages_that_do_not_follow_are_marked(nothing):
    shown = {
        name: [cell(table.columns[-1], row["average"]).main for row in table.rows]
        for name, table in tables_of(nothing).items()
        if name != "table6"
    }
    assert all(text == "\N{EN DASH}" or "* (" in text for text in shown["table2"])
    assert [text for text in shown["table1"] + shown["table5"] if "*" in text] == ["52.3* (52.4)"] * 2
    assert "43.5* (50.8)" in shown["table2"]
    assert "34.8* (40.6)" in shown["table2"]  # 40.55, a half is rounded up as in the audit


def test_runs_at_the_printed_scores_reproduce_them_and_the_recomputed_average(everything):
    for ours in ("relax", "relax-sv"):
        row = row_of(everything, "table2", "Qwen2.5-base, 3B, ReLaX", ours)
        for column in BENCHMARKS:
            assert row[column].verdict == "reproduced"
            assert row[column].ours.summary.n == 3
            assert row[column].difference == pytest.approx(0, abs=1e-9)
        average = row["average"]
        assert (average.printed, average.verdict) == (Decimal("31.6"), "reproduced")
        assert average.ours.summary.mean == pytest.approx(221.0 / 6)
        assert average.difference == pytest.approx(0, abs=1e-9)
    assert row_of(everything, "table2", "Qwen2.5-base, 3B, base", "initial")["MATH500"].verdict == "no interval"
    names = {row["our_method"]: row["ours"] for row in tables_of(everything)["table2"].rows if row["our_method"]}
    assert names == {
        "initial": "initial policy",
        "grpo": "grpo",
        "relax": "relax, eigenvalues",
        "relax-sv": "relax-sv, singular values",
    }


def test_runs_elsewhere_do_not_reproduce(tmp_path):
    results = results_of(tmp_path, paper_config(), shift=lambda *run: 5 + around_print(*run))
    row = row_of(results, "table2", "Qwen2.5-base, 3B, ReLaX", "relax")
    assert {row[column].verdict for column in (*BENCHMARKS, "average")} == {"not reproduced"}
    assert row["AIME24"].difference == pytest.approx(5)
    assert (
        "of 24 printed values with a counterpart here, 18 not reproduced, 6 without an interval" in summary(results)[0]
    )


def test_gains_are_paired_by_seed_and_held_against_what_follows(tmp_path):
    # Runs differ by 10 between seeds, the gain of ReLaX does not: 1 above print, give or take 0.1.
    def shift(method, seed, column):
        return 10 * seed + (1 + 0.1 * (seed - 2) if method == "relax" else 0)

    results = results_of(tmp_path, paper_config(), shift=shift)
    label = "Qwen3-Base, 4B, ReLaX - Vanilla GRPO"
    row = row_of(results, "table5", label, f"relax {MINUS} grpo")
    assert row["ours"] == f"relax {MINUS} grpo, eigenvalues"
    assert row["AMC22"].printed == Decimal("10.0")
    assert row["AMC22"].difference == pytest.approx(1)
    assert row["AMC22"].ours.summary.half_width == pytest.approx(0.1 * stats.t.ppf(0.975, 2) / math.sqrt(3))
    assert row["AMC22"].verdict == "not reproduced"
    # 6.2 is printed, 90.2 - 83.0 = 7.2 follows.
    assert cell(SCORE, row["MATH500"]).main == "6.2* (7.2)"
    assert row["MATH500"].difference == pytest.approx(1)
    # The mean of the columns differs by 8.32, the printed averages by 8.2.
    assert cell(SCORE, row["average"]).main == "8.2 (8.3)"
    assert row["average"].difference == pytest.approx(1)


def test_a_dash_in_print_has_ours_and_no_verdict(everything):
    row = row_of(everything, "table5", "Qwen3-Base, 4B, HICRA", "grpo-kl")
    assert (row["AMC22"].printed, row["AMC22"].verdict) == (None, "")
    assert cell(SCORE, row["AMC22"]).main == "\N{EN DASH}"
    assert row["AMC22"].ours.summary.mean == pytest.approx(50)
    assert (row["average"].printed, row["average"].recomputed, row["average"].verdict) == (None, None, "")


def test_few_runs_are_counted_and_marked(some):
    relax = row_of(some, "table2", "Qwen2.5-base, 3B, ReLaX", "relax")
    assert (relax["n"], relax["MATH500"].verdict) == ("2 of 3", "reproduced")
    assert "of 3)" not in " ".join(cell(SCORE, relax["MATH500"]).lines)
    grpo = row_of(some, "table2", "Qwen2.5-base, 3B, Vanilla GRPO", "grpo")
    assert (grpo["n"], grpo["MATH500"].verdict, len(cell(SCORE, grpo["MATH500"]).lines)) == ("1 of 3", "no interval", 2)
    missing = row_of(some, "table2", "Qwen2.5-base, 3B, ReLaX", "relax-sv")
    assert (missing["n"], missing["MATH500"].verdict, cell(SCORE, missing["MATH500"]).lines) == (
        "not run",
        "not run",
        (),
    )
    assert summary(some)[0].endswith(
        "of 24 printed values with a counterpart here, 6 reproduced, 12 without an interval, 6 not run."
    )


def test_a_benchmark_that_one_run_lacks_is_marked_and_left_out_of_the_average(tmp_path):
    root = tmp_path / "paper"
    paper_results(root, given := paper_config())
    shutil.rmtree(root / "evaluate/small/relax/seed-3/aime25")
    row = row_of(collect(root, given), "table2", "Qwen2.5-base, 3B, ReLaX", "relax")
    assert (row["n"], row["AIME25"].ours.summary.n, row["average"].ours.summary.n) == ("3", 2, 2)
    assert "(2 of 3)" in cell(SCORE, row["AIME25"]).lines[0]


def test_without_runs_the_page_is_print_and_not_a_wall_of_not_run(nothing):
    for table in paper_tables(nothing):
        text = to_markdown(table)
        assert text.count("not run |") == sum(row["ours"] != "" for row in table.rows)
        assert "±" not in text.split("\n\n")[1]
        assert "<br>" not in text


def test_each_state_reads_in_each_format(everything, some, nothing, tmp_path):
    for results in (everything, some, nothing, collect(tmp_path, config_of())):
        for table in paper_tables(results):
            lines = [line for line in to_markdown(table).splitlines() if line.startswith("|")]
            assert len(lines) == 2 + len(table.rows)
            assert {line.count(" | ") for line in lines} == {len(table.shown) - 1}
            latex = to_latex(table)
            assert not set(latex) & {REPRODUCED, NOT_REPRODUCED, MINUS, "\N{EN DASH}", "\N{DAGGER}", "±"}
            body = latex[latex.index(r"\toprule") : latex.index(r"\bottomrule")].splitlines()
            rows = [line for line in body if " & " in line and "multicolumn" not in line]
            assert {len(re.findall(r"(?<!\\)&", line)) for line in rows} == {len(table.shown) - 1}
            assert latex.count("{") == latex.count("}")
            assert {len(line) for line in csv.reader(io.StringIO(to_csv(table)))} == {
                len(to_csv(table).split("\n")[0].split(","))
            }


@pytest.mark.skipif(
    shutil.which("kpsewhich") is None
    or not subprocess.run(["kpsewhich", "adjustbox.sty"], capture_output=True).stdout
    or shutil.which("pdflatex") is None,
    reason="no LaTeX with adjustbox on this machine",
)
def test_the_latex_compiles(some, tmp_path):
    body = "\n".join(to_latex(table) for table in paper_tables(some))
    packages = r"\usepackage[utf8]{inputenc}\usepackage[T1]{fontenc}\usepackage{booktabs,adjustbox}"
    (tmp_path / "t.tex").write_text(rf"\documentclass{{article}}{packages}\begin{{document}}{body}\end{{document}}")
    command = ["pdflatex", "-draftmode", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert run.returncode == 0, run.stdout[-2000:]
    assert "too large" not in run.stdout


def test_one_sentence_where_nothing_is_compared(everything, nothing, tmp_path):
    unmapped = collect(tmp_path, config_of())
    assert (compares(everything), compares(nothing), compares(unmapped)) == (True, True, False)
    assert summary(unmapped) == [NOTHING_COMPARED]
    other = paper_config()
    other["matrix"]["policies"] = ["tiny"]
    assert not compares(collect(tmp_path, other))
    assert len(summary(everything)) == 3
    for table in paper_tables(unmapped):
        assert "ours" not in [column.title for column in table.shown]
        assert table.caption.endswith("No run of ours stands for a row.")


def test_another_metric_than_in_print_is_said(nothing):
    given = paper_config()
    given["paper"]["columns"]["AIME24"] = {"benchmark": "aime24", "metric": "mean@8"}
    caption = tables_of(collect("nowhere", given))["table2"].caption
    assert "Ours in another metric: AIME24 mean@8." in caption
    assert "another metric" not in tables_of(nothing)["table2"].caption


def test_table_1_is_named_by_model(tmp_path):
    names = ("mathvista", "mathverse", "mathvision", "dynamath", "mmmu", "mmstar", "emma")
    columns = dict(zip(LAYOUTS[0].numbers, names, strict=True))
    given = config_of(policies=("vl",), seeds=(1, 2))
    given["matrix"] |= {"methods": ["grpo", "relax"], "benchmarks": list(names)}
    given["benchmarks"] = {name: {"task": name, "greedy": True, "samples": 0} for name in names}
    given["paper"] = {
        "rows": {"Table 1": {"Qwen2.5-VL-3B": {"policy": "vl", "methods": ["initial"]},
                             "ReLaX-VL-3B": {"policy": "vl", "methods": ["relax"]}}},
        "columns": {column: {"benchmark": name, "metric": "mean@1"} for column, name in columns.items()},
    }  # fmt: skip
    make_results(tmp_path, given)
    results = collect(tmp_path, given)
    rows = {row["model"]: row for row in tables_of(results)["table1"].rows}
    assert (rows["Qwen2.5-VL-3B"]["ours"], rows["ReLaX-VL-3B"]["ours"]) == ("initial policy", "relax, eigenvalues")
    assert (rows["Qwen2.5-VL-3B"]["n"], rows["ReLaX-VL-3B"]["n"], rows["ReLaX-VL-7B"]["n"]) == ("1", "2", "")
    for column, name in columns.items():
        measured = results.by_seed("vl", "relax", f"evaluate/{name}/mean@1")
        assert rows["ReLaX-VL-3B"][column].ours.summary.mean == pytest.approx(50 * sum(measured.values()))


# Cost ---------------------------------------------------------------------------------------------


def cost_of(results, component, ours):
    rows = [
        row
        for row in tables_of(results)["table6"].rows
        if (row["base_model"], row["component"]) == ("Qwen2.5-Math-7B", component)
    ]
    return next(row for row in rows if row["our_method"] == ours)


def test_cost_is_per_generation_and_the_verdict_on_the_increase(everything):
    total = cost_of(everything, "total (per step)", "relax")
    # A generation is two optimizer steps: 0.8 and 0.2 s under GRPO, 0.85 and 0.25 s under ReLaX.
    assert total["GRPO_seconds"].summary.mean == pytest.approx(1.0)
    assert total["ReLaX_seconds"].summary.mean == pytest.approx(1.1)
    assert total["increase_percent"].ours.summary.mean == pytest.approx(10)
    assert total["increase_percent"].difference == pytest.approx(-2)
    update = cost_of(everything, "update actor (per step)", "relax-sv")
    assert update["GRPO_seconds"].summary.mean == pytest.approx(0.4)
    assert update["increase_percent"].ours.summary.mean == pytest.approx(25)
    assert (update["n"], update["accelerator"]) == ("3", "none, 2 processors")
    once = cost_of(everything, "fit Koopman dictionary (once)", "")
    assert (once["ReLaX_seconds"].summary.mean, once["GRPO_seconds"], once["n"]) == (12.0, None, "1")


def test_an_update_that_is_not_measured_is_not_invented(tmp_path):
    results = results_of(tmp_path, paper_config(seeds=(1, 2), updates=1))
    row = cost_of(results, "update actor (per step)", "relax")
    assert (row["n"], row["GRPO_seconds"], row["ReLaX_seconds"]) == ("not measured", None, None)
    assert row["increase_percent"] == Compared(Decimal("45"))
    assert cost_of(results, "total (per step)", "relax")["n"] == "2"


# What is shipped ----------------------------------------------------------------------------------


def test_the_papers_configuration_stands_for_every_row_that_we_run():
    loaded = config.load([REPOSITORY / "config/config.yaml", REPOSITORY / "config/paper_text.yaml"]).recorded()
    given, matrix = loaded["paper"], loaded["matrix"]
    not_run = {"FR3E", "DCPO", "HICRA", "SimpleRL", "R1-zero-Div"}
    for layout in LAYOUTS[1:3]:
        labels = {", ".join(row[name] for name in layout.names): row["method"] for row in printed_rows(layout)}
        left = {label for label, method in labels.items() if method not in not_run and " - " not in method}
        assert set(given["rows"][layout.table]) == left
    for rows in given["rows"].values():
        for ours in rows.values():
            assert ours["policy"] in matrix["policies"]
            assert set(ours["methods"]) <= {"initial", *matrix["methods"]}
    assert list(given["columns"]) == list(BENCHMARKS)
    assert [ours["benchmark"] for ours in given["columns"].values()] == matrix["benchmarks"]
    assert ROWS["Table 6"].keys() == given["rows"]["Table 6"].keys()
