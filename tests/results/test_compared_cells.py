"""A printed value with ours beside it: the verdict, and what the three formats show."""

import csv
import io
import math
import random
from decimal import Decimal
from fractions import Fraction

import pytest
from scipy import stats

from relax.results.intervals import summarise
from relax.results.tables.render import MINUS, Column, Compared, Estimate, Table, cell, to_csv, to_latex, to_markdown

SCORE = Column("x", "x", spec=".1f")
REPRODUCED, NOT_REPRODUCED = "\N{BLACK CIRCLE}", "\N{WHITE CIRCLE}"


def compared(printed, *values, asked=None, slack=Fraction(1, 20), **more):
    return Compared(Decimal(printed), Estimate(summarise(values), asked or len(values)), slack=slack, **more)


def test_a_verdict_is_what_a_student_interval_says():
    drawn, seen = random.Random(0), set()
    for _ in range(400):
        n, spread = drawn.randint(2, 6), drawn.choice([0.05, 1.0, 4.0])
        values = [50 + drawn.gauss(0, spread) for _ in range(n)]
        printed = f"{50 + drawn.gauss(0, 1.5 * spread):.1f}"
        low, high = stats.t.interval(0.95, n - 1, loc=sum(values) / n, scale=stats.sem(values))
        inside = low - 0.05 <= float(printed) <= high + 0.05
        found = compared(printed, *values)
        assert found.verdict == ("reproduced" if inside else "not reproduced")
        assert found.difference == pytest.approx(sum(values) / n - float(printed))
        seen.add(found.verdict)
    assert seen == {"reproduced", "not reproduced"}


def test_no_verdict_without_an_interval():
    assert compared("71.6", 71.6).verdict == "no interval"
    assert compared("71.6", 71.6, 71.6).verdict == "no interval"
    assert compared("71.6", asked=3).verdict == "not run"
    assert Compared(Decimal("71.6")).verdict == ""
    assert Compared(None, Estimate(summarise([1.0, 2.0]), 2)).verdict == ""


def test_the_rounding_of_print_is_allowed_for():
    # 71.64 is printed as 71.6; runs at 71.64 +- 0.001 reproduce it, although 71.6 lies outside their interval.
    values = [71.6399, 71.6401]
    assert compared("71.6", *values).verdict == "reproduced"
    assert compared("71.6", *values, slack=Fraction(0)).verdict == "not reproduced"


def test_a_cell_says_print_ours_difference_and_verdict():
    found = cell(SCORE, compared("71.6", 69.0, 70.0, 71.0))
    # Half width: t(0.975, 2) = 4.3027 times 1 / sqrt(3).
    assert (found.main, found.lines) == ("71.6", ("70.0 ± 2.5", f"{MINUS}1.6 {REPRODUCED}"))
    assert cell(SCORE, compared("75.0", 69.0, 70.0, 71.0)).lines[1] == f"{MINUS}5.0 {NOT_REPRODUCED}"
    assert cell(SCORE, compared("71.6", 70.0, asked=3)).lines == ("70.0 (1 of 3)", f"{MINUS}1.6")
    assert cell(SCORE, compared("71.6", asked=3)).lines == ("\N{EN DASH}",)
    assert cell(SCORE, Compared(Decimal("71.6"))).lines == ()
    assert cell(SCORE, Compared(None, Estimate(summarise([50.0]), 1))).lines == ("50.0",)
    average = compared("31.6", 36.0, 37.0, 38.0, recomputed=Fraction("221.0") / 6, marks="*")
    assert cell(SCORE, average).main == "31.6* (36.8)"
    assert cell(SCORE, average).lines[1] == f"+0.2 {REPRODUCED}"


def test_the_three_formats_say_the_same():
    columns = (Column("name", "name"), SCORE)
    rows = ({"name": "both", "x": compared("71.6", 69.0, 70.0, 71.0, marks="\N{DAGGER}")}, {"name": "print alone"})
    rows[1]["x"] = Compared(Decimal("7"))
    table = Table("t", "T", "Caption.", columns, rows)
    text = to_markdown(table).replace("\N{NO-BREAK SPACE}", " ")
    assert f"| both | 71.6†<br>70.0 ± 2.5<br>{MINUS}1.6 {REPRODUCED} |\n| print alone | 7 |" in text
    assert "\n".join(
        [
            r"both & 71.6$^\dagger$ \\[-2pt]",
            r" & \scriptsize 70.0 $\pm$ 2.5 \\[-2pt]",
            r" & \scriptsize $-$1.6 $\bullet$ \\",
            r"print alone & 7 \\",
        ]
    ) in to_latex(table)
    both, alone = csv.DictReader(io.StringIO(to_csv(table)))
    assert (both["x_printed"], both["x"], both["x_n"], both["x_verdict"]) == ("71.6", "70.0", "3", "reproduced")
    assert float(both["x_difference"]) == pytest.approx(-1.6)
    assert float(both["x_half_width"]) == pytest.approx(stats.t.ppf(0.975, 2) / math.sqrt(3))
    assert list(alone.values()) == ["print alone", "7", *[""] * 6]
