"""The audit of the paper's printed numbers: what is found, what is not accused, and what a damaged file gives."""

import shutil
import subprocess
import sys
from collections import Counter
from decimal import ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from relax import cli
from relax.errors import DataError
from relax.paper.audit import audit
from relax.paper.audit_text import to_markdown
from relax.paper.marks import marks
from relax.paper.printed import FOLDER, LAYOUTS, fits, read_table, rounded
from tests.conftest import REPOSITORY

#: Row of Table 2 -> (sum of its six columns, printed, mean), worked out apart from the code.
TABLE_2 = {
    "Qwen2.5-base, 3B, base": ("41.4", "5.9", "6.9"),
    "Qwen2.5-base, 3B, Vanilla GRPO": ("182.2", "26.0", "30.4"),
    "Qwen2.5-base, 3B, ReLaX": ("221.0", "31.6", "36.8"),
    "Qwen2.5-base, 7B, base": ("122.1", "17.4", "20.4"),
    "Qwen2.5-base, 7B, SimpleRL": ("243.3", "34.8", "40.6"),
    "Qwen2.5-base, 7B, FR3E": ("274.7", "39.2", "45.8"),
    "Qwen2.5-base, 7B, ReLaX": ("304.5", "43.5", "50.8"),
    "Qwen2.5-Math-base, 7B, base": ("163.6", "23.4", "27.3"),
    "Qwen2.5-Math-base, 7B, SimpleRL": ("263.2", "37.6", "43.9"),
    "Qwen2.5-Math-base, 7B, R1-zero-Div": ("244.5", "34.9", "40.8"),
    "Qwen2.5-Math-base, 7B, FR3E": ("299.4", "42.8", "49.9"),
    "Qwen2.5-Math-base, 7B, ReLaX": ("344.0", "49.1", "57.3"),
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the printed tables to damage."""
    return Path(shutil.copytree(FOLDER, tmp_path / "paper"))


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new))


def test_the_known_findings_and_no_other() -> None:
    found = {(c.table, c.row, c.quantity): (str(c.printed), c.expected) for c in audit().findings}
    expected = {("Table 2", row, "average"): (printed, mean) for row, (_, printed, mean) in TABLE_2.items()}
    expected["Table 5", "Qwen3-Base, 4B, ReLaX", "average"] = ("52.3", "52.4")
    expected["Table 5", "Qwen3-Base, 4B, ReLaX - Vanilla GRPO", "MATH500 gain"] = ("6.2", "7.2")
    assert found == expected


def test_how_much_was_checked() -> None:
    found = audit()
    assert Counter(check.table for check in found.checks) == {"Table 1": 11, "Table 2": 12, "Table 5": 20, "Table 6": 4}
    assert Counter(table for table, *_ in found.skipped) == {"Table 1": 6, "Table 2": 6, "Table 5": 1, "Table 6": 2}
    assert {layout.table: found.rows(layout.table) for layout in LAYOUTS} == {
        "Table 1": (11, 11),
        "Table 2": (0, 12),
        "Table 5": (6, 8),
        "Table 6": (4, 4),
    }
    assert found.rows() == (21, 35)
    assert len(found.checks) + len(found.skipped) == 47 + 15


def test_table_2_is_divided_by_seven_and_nothing_else_is_explained_so() -> None:
    findings = audit().findings
    for check in findings:
        if check.table == "Table 2":
            total = TABLE_2[check.row][0]
            assert f"= {total}; {total} / 6 = " in check.arithmetic
            assert check.cause.startswith(f"{total} / 7 = ")
            assert not check.rounding
        else:
            assert check.cause == ""
    gain = findings[-1]
    assert (gain.arithmetic, gain.rounding) == ("90.2 - 83.0 = 7.2", False)


def test_where_rounding_alone_could_explain_a_finding_it_says_so() -> None:
    explained = [check for check in audit().findings if check.rounding]
    assert [(c.table, c.row) for c in explained] == [("Table 5", "Qwen3-Base, 4B, ReLaX")]
    # 314.3 / 6 with each of the six columns off by up to 0.05.
    assert (explained[0].lowest, explained[0].highest) == (Fraction(3140, 60), Fraction(3146, 60))
    # Nothing that follows lies outside of what rounding allows.
    assert all(check.rounding for check in audit().checks if check.follows)


@pytest.mark.parametrize(
    ("file", "old", "new", "row", "quantity", "expected"),
    [
        ("table1_multimodal.csv", "30.6,53.2,", "30.6,53.4,", "ReLaX-VL-7B", "average", "53.2"),
        ("table1_multimodal.csv", "8B,58.3,", "8B,38.3,", "Intern2-VL-8B", "average", "35.8"),
        ("table5_families.csv", "1.6,0.7,12.6", "1.6,0.8,12.6", "Llama3.2-Instruct, 3B, ReLaX - Vanilla GRPO",
         "Minerva gain", "0.7"),
        ("table6_cost.csv", "2273,12.0", "2273,12.1", "Qwen2.5-Math-7B, total (per step)", "increase in %", "12.0"),
        ("table6_cost.csv", "653,45", "653,46", "Qwen2.5-Math-7B, update actor (per step)", "increase in %", "45"),
    ],
)  # fmt: skip
def test_a_planted_error_is_found_and_given_no_cause(copy, file, old, new, row, quantity, expected) -> None:
    replace(copy / file, old, new)
    known = {(c.table, c.row, c.quantity) for c in audit().findings}
    planted = [c for c in audit(copy).findings if (c.table, c.row, c.quantity) not in known]
    assert [(c.row, c.quantity, c.expected, c.cause) for c in planted] == [(row, quantity, expected, "")]
    assert f"{row}: {quantity} {planted[0].printed} is printed, {expected} follows" in to_markdown(audit(copy))


def test_a_mended_table_is_not_accused(copy) -> None:
    for row, (_, printed, mean) in TABLE_2.items():
        text = (copy / "table2_text.csv").read_text().splitlines()
        lines = [n for n, line in enumerate(text) if line.startswith(row.replace(", ", ",") + ",")]
        assert len(lines) == 1
        text[lines[0]] = text[lines[0]].replace(f",{printed},", f",{mean},")
        (copy / "table2_text.csv").write_text("\n".join(text) + "\n")
    assert audit(copy).rows("Table 2") == (12, 12)


#: Columns that ReLaX does not lead, worked out by hand: (best, runner-up, place of ReLaX).
BEHIND = {
    ("Table 1", "7B-scale reasoning models", "MathVerse"): ("SRPO-7B 55.8", "ReLaX-VL-7B 55.7", "runner-up"),
    ("Table 1", "7B-scale reasoning models", "MathVision"): ("SRPO-7B 32.9", "VL-Rethinker-7B 32.3", "neither"),
    ("Table 2", "Qwen2.5-base, 7B", "AIME24"): ("FR3E 25.2", "KL-Cov 22.6", "neither"),
    ("Table 2", "Qwen2.5-base, 7B", "AIME25"): ("HICRA, FR3E 14.8", "ReLaX 13.8", "runner-up"),
    ("Table 2", "Qwen2.5-Math-base, 7B", "AIME24"): ("DCPO 38.8", "ReLaX 36.9", "runner-up"),
    ("Table 2", "Qwen2.5-Math-base, 7B", "AIME25"): ("FR3E 18.1", "ReLaX 17.3", "runner-up"),
}


def test_the_marks_that_must_stand_where_relax_does_not_lead() -> None:
    found = {(m.table, m.block, m.column): (m.shown(m.top), m.shown(m.runner_up), m.place) for m in marks()}
    assert len(found) == 8 + 3 * 7
    assert {key: value for key, value in found.items() if value[2] != "best"} == BEHIND
    text = to_markdown(audit())
    assert "ReLaX is the best in 6 of 8 columns of Table 1, 17 of 21 columns of Table 2" in text
    assert "MathVision: neither, 30.2, behind SRPO-7B 32.9 and VL-Rethinker-7B 32.3." in text
    assert "7B, AIME25: runner-up, 13.8, behind HICRA, FR3E 14.8." in text


def test_marks_are_the_largest_numbers_of_the_rows_that_are_ranked() -> None:
    # Again from the file, without the code: sort each column of each base model, base policy and dashes left out.
    rows = [line.split(",") for line in (FOLDER / "table2_text.csv").read_text().splitlines()]
    for mark in (mark for mark in marks() if mark.table == "Table 2"):
        place = rows[0].index(mark.column if mark.column != "average" else "average_printed")
        block = [row for row in rows[1:] if f"{row[0]}, {row[1]}" == mark.block and row[2] != "base" and row[place]]
        ranked = sorted(block, key=lambda row: -float(row[place]))
        best = [row[2] for row in block if float(row[place]) == float(ranked[0][place])]
        assert list(mark.top) == best
        assert mark.runner_up[0] == ranked[len(best)][2]


def test_ties_dashes_and_a_single_number(copy) -> None:
    replace(copy / "table2_text.csv", "71.2,,,55.8", "71.6,,,55.8")
    replace(copy / "table2_text.csv", "69.2,23.5,", "69.2,,")
    found = {mark.column: mark for mark in marks(copy) if mark.block == "Qwen2.5-base, 3B"}
    assert (found["MATH500"].top, found["MATH500"].runner_up) == (("DCPO", "ReLaX"), ("Vanilla GRPO",))
    assert (found["Minerva"].top, found["Minerva"].runner_up, found["Minerva"].place) == (("ReLaX",), (), "best")
    assert found["Minerva"].shown(found["Minerva"].runner_up) == "-"
    replace(copy / "table2_text.csv", "71.6,26.1,44.8", "71.6,,44.8")
    found = {mark.column: mark for mark in marks(copy) if mark.block == "Qwen2.5-base, 3B"}
    assert (found["Minerva"].top, found["Minerva"].place) == ((), "no number")
    assert "Minerva    | -" in to_markdown(audit(copy))


def test_both_sides_of_a_half_fit_and_nothing_beyond() -> None:
    # Python's decimal rounding says which values may be printed.
    for thousandths in range(0, 1001):
        exact = Decimal(thousandths) / 1000
        may = {exact.quantize(Decimal("0.1"), mode) for mode in (ROUND_HALF_UP, ROUND_HALF_DOWN)}
        for tenths in range(0, 11):
            printed = Decimal(tenths).scaleb(-1)
            assert fits(printed, Fraction(thousandths, 1000)) == (printed in may), (printed, exact)
    assert fits(Decimal("7"), Fraction("7.5"))
    assert not fits(Decimal("7.0"), Fraction("7.5"))
    # 162.3 / 6 is 27.05; as floating point, 27.1 would be further off than 0.05.
    assert fits(Decimal("27.1"), Fraction("162.3") / 6)
    assert abs(27.1 - 162.3 / 6) > 0.05


def test_the_printed_tables_are_read_as_printed() -> None:
    first, second = (read_table(layout) for layout in LAYOUTS[:2])
    assert (len(first), len(second)) == (17, 18)
    assert first[1].rerun == ("MathVerse", "DynaMath", "EMMA")
    assert first[3].missing == ["DynaMath", "EMMA"]
    assert str(second[0].numbers["AMC23"]) == "7.0"
    assert second[2].average is None


@pytest.mark.parametrize(
    ("file", "last", "line", "words"),
    [
        ("table2_text.csv", "71.9,88", 19, r"cut off \(no line end\)"),
        ("table2_text.csv", "17.3,49.1,", 19, r"cut off \(no line end\)"),
        ("table6_cost.csv", "2273,12", 7, r"cut off \(no line end\)"),
        ("table1_multimodal.csv", "section,mo", 1, "expected the columns section,model,size,MathVista"),
        ("table1_multimodal.csv", "rerun_by_authors\n", 2, "no rows"),
    ],
)
def test_a_truncated_file_is_named_with_its_line(copy, file, last, line, words) -> None:
    text = (copy / file).read_text()
    (copy / file).write_text(text[: text.index(last) + len(last)])
    with pytest.raises(DataError, match=f"{file}, line {line}: .*{words}"):
        audit(copy)


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("table5_families.csv", "22.8,26.4", "22.8,2x.4", "line 3: AMC22 is '2x.4', expected a decimal number"),
        ("table5_families.csv", "22.8,26.4", "22.8,NaN", "line 3: AMC22 is 'NaN'"),
        ("table1_multimodal.csv", "MathVerse;DynaMath;EMMA", "MathVerse;Dyna", "line 3: rerun_by_authors names 'Dyna'"),
        ("table2_text.csv", ",88.9,36.9,17.3,49.1,", "", "line 19: 6 fields, expected 11 as in the header"),
        ("table5_families.csv", "3B,Vanilla GRPO", "3B,GRPO", "line 5: .* no row 'Vanilla GRPO' of the same model"),
    ],
)
def test_a_malformed_row_is_named_with_its_line(copy, file, old, new, words) -> None:
    replace(copy / file, old, new)
    with pytest.raises(DataError, match=f"{file}, {words}"):
        audit(copy)


def test_a_missing_file_is_named(copy) -> None:
    (copy / "table6_cost.csv").unlink()
    with pytest.raises(DataError, match=r"table6_cost\.csv: cannot be read .* expected Table 6"):
        audit(copy)


def test_the_command_prints_the_findings_and_loads_no_heavy_library(tmp_path: Path) -> None:
    program = (
        "import sys; from relax import cli; code = cli.main(['audit'])"
        "\nheavy = {'torch', 'transformers', 'trl', 'mlflow', 'pandas', 'matplotlib', 'numpy', 'scipy'}"
        "\nsys.exit(', '.join(sorted(heavy & set(sys.modules))) or code)"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout == to_markdown(audit())
    assert "and 14 do not follow. Everything follows in 21 of 35 rows" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_tracked_page_is_what_the_command_writes_now(tmp_path: Path, capsys) -> None:
    assert cli.main(["audit", "--out", str(tmp_path / "audit.md")]) == 0
    page = (tmp_path / "audit.md").read_text()
    assert page.endswith(capsys.readouterr().out)
    assert (REPOSITORY / "docs" / "audit.md").read_text() == page, "run `relax audit --out docs/audit.md`"
    assert "Bold and runner-up marks" in page


def test_the_plain_words_of_the_page_are_the_numbers_of_the_files() -> None:
    rows = {row.label: row for layout in LAYOUTS[:3] for row in read_table(layout) if row.average is not None}
    relax, fr3e = (rows[f"Qwen2.5-Math-base, 7B, {name}"] for name in ("ReLaX", "FR3E"))
    words = [f"has an average of {relax.average} in print and of {rounded(relax.mean(), 1)} by its columns"]
    words += [f"by {relax.average - fr3e.average} in print and by {rounded(relax.mean() - fr3e.mean(), 1)} by the"]
    words += [
        f"({rounded(rows['Qwen3-Base, 4B, ReLaX'].mean(), 2)})",
        "90.2 - 83.0 = 7.2",
        "All twelve printed averages",
    ]
    page = " ".join((REPOSITORY / "docs" / "audit.md").read_text().split())
    assert [text for text in words if text not in page] == []
