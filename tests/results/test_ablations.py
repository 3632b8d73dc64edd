"""Tables of ablations: arms in order, differences to the first arm, and the paper's statements held against them."""

import csv
import io
import shutil

import pytest

from relax import config
from relax.errors import DataError
from relax.paper.printed import FOLDER, read_statements
from relax.results.collect import collect
from relax.results.intervals import paired_difference
from relax.results.tables.ablations import ablation_tables
from relax.results.tables.all import build_tables, write_tables
from relax.results.tables.render import cell, to_csv, to_latex, to_markdown
from tests.conftest import REPOSITORY
from tests.results import results_fixture

ALPHA = "\N{GREEK SMALL LETTER ALPHA}"
#: The arms of Figure 6; the fixture has neither KL-Cov nor an entropy bonus, so that others stand for them.
ARMS = {"ReLaX": "relax", "KL-Cov": "relax-sv", "entropy regularisation": "grpo-kl", "Vanilla GRPO": "grpo"}


def with_ablations(folder, ablations):
    root, given = folder
    return collect(root, given | {"ablations": ablations})


def figure_6(folder):
    results = with_ablations(folder, {"figure-6": {"title": "exploration methods", "arms": ARMS}})
    return results, {table.name: table for table in ablation_tables(results)}


def statements_of(table):
    return {(row["arm"], row["statement"], row["quantity"]): row for row in table.rows}


def test_one_row_an_arm_in_order_with_the_difference_to_the_first(all_runs):
    results, tables = figure_6(all_runs)
    table = tables["ablation-figure-6"]
    assert [row["arm"] for row in table.rows] == list(ARMS)
    assert [row["method"] for row in table.rows][:2] == ["relax, eigenvalues", "relax-sv, singular values"]
    shown = [column.key for column in table.shown]
    assert shown[3:7] == [
        "train/reward",
        "train/entropy",
        "koopman/policy/dsd_eigenvalues",
        "koopman/policy/dsd_singular_values",
    ]
    assert {"evaluate/noisy-sum/mean@1", "evaluate/noisy-sum/mean@16", "evaluate/long-sum/mean@1"} <= set(shown)
    for key in shown[3:]:
        runs = {arm: results.by_seed("tiny", method, key) for arm, method in ARMS.items()}
        for row in table.rows:
            difference = row[key].difference
            if row["arm"] == "ReLaX":
                assert difference is None
            else:
                gaps = [runs[row["arm"]][seed] - runs["ReLaX"][seed] for seed in (1, 2)]
                assert (difference.mean, difference.n) == (pytest.approx(sum(gaps) / 2), 2)


def test_a_cell_has_its_difference_below_and_in_the_csv_file(all_runs):
    _, tables = figure_6(all_runs)
    table = tables["ablation-figure-6"]
    column = next(c for c in table.columns if c.key == "train/entropy")
    grpo = table.rows[3]["train/entropy"]
    lines = cell(column, grpo).lines
    assert (lines[0], lines[1][:2], lines[2][:2]) == (f"± {grpo.summary.half_width:.3f}", "\u0394 ", "± ")
    read = list(csv.DictReader(io.StringIO(to_csv(table))))
    assert float(read[3]["train/entropy_difference"]) == grpo.difference.mean
    assert read[0]["train/entropy_difference"] == read[0]["train/entropy_difference_n"] == ""
    assert "evaluate/noisy-sum/pass@16" in read[0]
    assert "pass@16" not in to_markdown(table)


def test_a_statement_is_seen_not_seen_or_left_open(all_runs):
    results, _ = figure_6(all_runs)
    set_runs(results, "train/entropy", {"grpo": (0.1, 0.1), "relax-sv": (0.2, 0.201), "grpo-kl": (0.05, 0.051)})
    set_runs(results, "koopman/policy/dsd_eigenvalues", {"grpo": (1, 1.01), "relax-sv": (2, 2.02), "grpo-kl": (0, 3)})
    rows = statements_of(ablation_tables(results)[1])
    seen = rows["KL-Cov", "entropy above GRPO", "token entropy"]
    expected = paired_difference({1: 0.2, 2: 0.201}, {1: 0.1, 2: 0.1})
    assert (seen["verdict"], seen["less"], seen["difference"].summary) == ("seen", "Vanilla GRPO", expected)
    assert rows["KL-Cov", "DSD not above GRPO", "DSD of eigenvalues"]["verdict"] == "opposite"
    assert rows["entropy regularisation", "entropy above GRPO", "token entropy"]["verdict"] == "opposite"
    assert rows["entropy regularisation", "DSD above GRPO", "DSD of eigenvalues"]["verdict"] == "no clear order"
    drift = rows["entropy regularisation", "entropy and DSD drift as training goes on", ""]
    assert (drift["verdict"], drift["difference"]) == ("not judged", "")
    assert all(row["source"].startswith("Figure 6") for row in rows.values())


def set_runs(results, key, values):
    """Set a number of the two seeds of some methods."""
    for method, numbers in values.items():
        for seed, number in zip((1, 2), numbers, strict=True):
            results.runs.loc[(results.runs.method == method) & (results.runs.seed == seed), key] = number


def test_an_arm_that_is_not_configured_is_not_run(all_runs):
    arms = {f"{ALPHA} = 0": "relax", f"{ALPHA} = 0.1": "relax-sv", f"{ALPHA} = 1.0": "grpo"}
    results = with_ablations(all_runs, {"figure-4": {"title": "weight", "arms": arms}})
    set_runs(results, "train/reward", {"relax": (0.5, 0.5), "relax-sv": (0.9, 0.901), "grpo": (0.6, 0.6)})
    rows = statements_of(ablation_tables(results)[1])
    assert rows[f"{ALPHA} = 1.0", "entropy above that at 0.3", "token entropy"]["verdict"] == "not run"
    assert rows[f"{ALPHA} = 1.0", "reward below that at 0.1", "reward"]["verdict"] == "seen"
    best = "the best reward of the four: above that without the term"
    assert rows[f"{ALPHA} = 0.1", best, "reward"]["verdict"] == "seen"


def test_a_statement_without_another_arm_is_held_against_the_first(all_runs):
    arms = {"ξ = q90": "grpo", "ξ = ∞": "relax"}
    results = with_ablations(all_runs, {"figure-11-xi": {"title": "ξ", "arms": arms}})
    row = statements_of(ablation_tables(results)[1])["ξ = ∞", "DSD grows without a bound", "DSD of eigenvalues"]
    assert (row["less"], row["verdict"]) == ("ξ = q90", "seen")


def test_the_score_is_the_mean_over_the_benchmarks(all_runs):
    arms = {"ReLaX": "relax", "without adaptive KL": "grpo"}
    results = with_ablations(all_runs, {"figure-5": {"title": "parts", "arms": arms}})
    row = next(row for row in ablation_tables(results)[1].rows if row["quantity"] == "score")
    keys = ("evaluate/noisy-sum/mean@16", "evaluate/long-sum/mean@1")
    means = {m: {s: sum(results.by_seed("tiny", m, key)[s] for key in keys) / 2 for s in (1, 2)} for m in arms.values()}
    assert row["difference"].summary.mean == pytest.approx(paired_difference(means["grpo"], means["relax"]).mean)


def test_few_runs_and_none_are_still_tables(one_seed, no_runs, tmp_path):
    for folder, verdicts in (
        (one_seed, {"no interval", "not run", "not judged"}),
        (no_runs, {"not run", "not judged"}),
    ):
        results, tables = figure_6(folder)
        assert {row["verdict"] for row in tables["ablation-figure-6-paper"].rows} == verdicts
        for table in tables.values():
            assert to_markdown(table).count("\n| ") == 2 + len(table.rows)
            assert to_latex(table).count("{") == to_latex(table).count("}")
        assert set(tables) <= {table.name for table in build_tables(results)}
        write_tables(results, tmp_path)
        assert (tmp_path / "ablation-figure-6-paper.tex").is_file()


def test_several_policies_share_a_table(tmp_path):
    given = results_fixture.config_of(policies=("small", "large"), seeds=(1,))
    given["ablations"] = {
        "figure-5": {
            "title": "parts",
            "policies": ["large"],
            "arms": {"ReLaX": "relax", "without adaptive KL": "grpo"},
        },
        "own": {"title": "own", "arms": {"one": "relax", "two": "grpo"}},
    }
    tables = {table.name: table for table in ablation_tables(collect(tmp_path, given))}
    assert list(tables) == ["ablation-own", "ablation-figure-5", "ablation-figure-5-paper"]
    assert [(row["policy"], row["arm"]) for row in tables["ablation-own"].rows] == [
        ("small", "one"),
        ("small", "two"),
        ("large", "one"),
        ("large", "two"),
    ]
    assert {row["policy"] for row in tables["ablation-figure-5"].rows} == {"large"}
    assert to_markdown(tables["ablation-own"]).count("| large |") == 1


# What is shipped ----------------------------------------------------------------------------------


def test_the_statements_name_figures_and_arms_of_the_configurations():
    found = read_statements()
    labels = {(one.figure, one.arm) for one in found}
    demo = [REPOSITORY / "config/config.yaml"]
    for name, figures in (("ablations", {"figure-4", "figure-5", "figure-6"}), ("paper_text", {"figure-5"})):
        loaded = config.load([*demo, REPOSITORY / f"config/{name}.yaml"]).ablations
        assert figures <= set(loaded)
        for figure in figures:
            assert {arm for known, arm in labels if known == figure} <= set(loaded[figure].arms)
    for one in found:
        assert one.than == "" or (one.figure, one.than) in labels | {
            ("figure-5", "ReLaX"),
            ("figure-6", "Vanilla GRPO"),
        }
    assert {one.figure for one in found} == {"figure-4", "figure-5", "figure-6", "figure-11-m", "figure-11-xi"}


def test_every_figure_is_known_with_policy_and_source():
    rows = list(csv.DictReader((FOLDER / "figures.csv").open()))
    assert list(rows[0]) == ["figure", "policy", "plotted", "shows", "source"]
    assert all(value and "\n" not in value for row in rows for value in row.values())
    numbers = {int(word.strip(",")) for row in rows for word in row["figure"].split() if word.strip(",").isdigit()}
    assert numbers == set(range(1, 12)) - {2}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("entropy,higher,", "entropie,higher,", "line 3: expected one of reward, entropy"),
        ("entropy,higher,", "entropy,,", "line 3: give quantity and direction, or none"),
        ("entropy,higher,", "entropy,", "line 3: 6 fields, expected 7"),
        ("figure,arm,", "figure,arms,", "line 1: expected the columns figure,arm,statement"),
    ],
)
def test_a_malformed_statement_is_named_with_its_line(tmp_path, old, new, words):
    copy = shutil.copytree(FOLDER, tmp_path / "paper")
    text = (copy / "ablations.csv").read_text()
    assert old in text
    (copy / "ablations.csv").write_text(text.replace(old, new, 1))
    with pytest.raises(DataError, match=f"ablations.csv, {words}"):
        read_statements(copy)
