"""The paper's Tables 1, 2, 5 and 6 in its own order, with ours beside what is printed.

Which of our runs stands for which printed row and column, the configuration says (section ``paper``).
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from relax.paper.audit import Check, audit
from relax.paper.printed import COST, LAYOUTS, METRICS, Layout, Row, beside, half_digit, read_table
from relax.results.intervals import summarise
from relax.results.model import INITIAL, Results
from relax.results.tables.columns import method_words
from relax.results.tables.paper_cost import cost_rows, updates_of
from relax.results.tables.render import MARKS, MINUS, MISSING, Column, Compared, Estimate, Table, Value

TITLES = {
    "Table 1": "Table 1 of the paper: vision-language models",
    "Table 2": "Table 2 of the paper: Qwen2.5 and Qwen2.5-Math",
    "Table 5": "Table 5 of the paper: Llama-3.2 and Qwen3",
    "Table 6": "Table 6 of the paper: cost of ReLaX",
}
#: Standard errors of a 95 % interval, where many samples stand behind the error.
NORMAL = 1.96
HOW_TO_READ = (
    "below it, where runs of ours stand for it, our mean over n seeds ± half width of its 95 % Student t interval, "
    f"then ours minus print: {MARKS['reproduced']} print lies in the interval (reproduced), {MARKS['not reproduced']} "
    "it does not (not reproduced), no mark: there is no interval (one run, or equal ones). A policy that was not "
    "trained here is one run; its interval is 1.96 standard errors over new samples of the same problems, and a greedy "
    "score has none. A wide interval reproduces anything."
)
NOTHING_COMPARED = (
    "No policy of this configuration stands for one of the paper's, so nothing here is set beside a printed number; "
    "the files table1, table2, table5 and table6 beside the other tables hold the printed numbers alone."
)


@dataclass(frozen=True)
class _Ours:
    """A policy and method of ours that stands for a printed row; with ``base``, its gain over that one."""

    policy: str
    method: str
    base: "_Ours | None" = None


def paper_tables(results: Results) -> list[Table]:
    """Tables 1, 2, 5 and 6, whatever has run: rows that nothing of ours stands for hold the printed values alone.

    Raises:
        DataError: a file of printed numbers is missing or malformed.
    """
    checks = {(check.table, check.row, check.quantity): check for check in audit().checks}
    tables = (_cost(results) if layout is COST else _scores(results, layout, checks) for layout in LAYOUTS)
    return [table.bearing(results.fault) for table in tables]


def compares(results: Results) -> bool:
    """Does a policy of the matrix stand for one of the paper's?"""
    return any(
        ours["policy"] in results.matrix.policies for table in _given(results).values() for ours in table.values()
    )


def summary(results: Results) -> list[str]:
    """A sentence for each table with a counterpart here, counting verdicts; one in all where there is none."""
    if not compares(results):
        return [NOTHING_COMPARED]
    counts = [(table, _verdicts(table)) for table in paper_tables(results)]
    return [f"{table.title}: {_counted(found)}." for table, found in counts if found]


def _given(results: Results) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """Table -> row -> ours, as configured."""
    return results.config.get("paper", {}).get("rows", {})


def _verdicts(table: Table) -> Counter[str]:
    """How often each verdict stands in a table, averages left out."""
    cells = [row.get(c.key) for row in table.rows for c in table.columns if c.key != "average"]
    return Counter(value.verdict for value in cells if isinstance(value, Compared) and value.verdict)


def _counted(found: Counter[str]) -> str:
    total = sum(found.values())
    words = {
        "reproduced": "reproduced",
        "not reproduced": "not reproduced",
        "no interval": "without an interval",
        "not run": "not run",
    }
    counts = ", ".join(f"{found[key]} {text}" for key, text in words.items() if found[key])
    return f"of {total} printed {'value' if total == 1 else 'values'} with a counterpart here, {counts}"


# Scores -------------------------------------------------------------------------------------------


def _scores(results: Results, layout: Layout, checks: Mapping[tuple[str, str, str], Check]) -> Table:
    printed = read_table(layout)
    ours = _counterparts(results, layout, printed)
    nothing: list[_Ours | None] = [None]
    rows = [
        _row(results, layout, row, one, checks, printed) for row in printed for one in ours.get(row.label) or nothing
    ]
    columns = (
        *(Column(name, name.replace("_", " ")) for name in layout.words),
        *_of_ours(any(ours.values())),
        *(Column(name, name, METRICS[name], ".1f") for name in layout.numbers),
        Column("average", "average (mean)", spec=".1f"),
    )
    table = Table(_file(layout), TITLES[layout.table], "", columns, tuple(rows), layout.labels)
    return replace(table, caption=_caption(results, layout, table))


def _of_ours(shown: bool) -> tuple[Column, ...]:
    """What of ours stands in a row; without a counterpart there is nothing to show."""
    return (
        Column("our_policy", "our policy", shown=False),
        Column("our_method", "our method", shown=False),
        Column("ours", "ours", shown=shown),
        Column("n", "n", shown=shown),
    )


def _caption(results: Results, layout: Layout, table: Table) -> str:
    """How the cells are read, and what of ours they hold."""
    found, given = _verdicts(table), results.config.get("paper", {}).get("columns", {})
    parts = [f"Scores in per cent, as printed in {layout.table} of arXiv 2512.07558"]
    if found:
        parts[0] += (
            f"; {HOW_TO_READ} Our average, that of each run over all columns, is held against the one in brackets"
        )
    parts += [
        "Average: as printed, and in brackets the mean of the row's printed columns",
        f"*: does not follow from the row{'s' * _gains(table)} (relax audit)",
        "\N{DAGGER}: made by the paper's authors with public models",
        f"{MISSING}: nothing printed" + ", or not run" * bool(found),
    ]
    used = [(name, given[name]["metric"]) for name in layout.numbers if name in given]
    if other := [f"{name} {metric}" for name, metric in used if metric != METRICS[name]]:
        parts.append(f"Ours in another metric: {', '.join(other)}")
    parts.append(_counted(found).capitalize() if found else "No run of ours stands for a row")
    return ". ".join(parts) + "."


def _gains(table: Table) -> bool:
    return any(" - " in str(row.get("method", "")) for row in table.rows)


def _counterparts(results: Results, layout: Layout, rows: Sequence[Row]) -> dict[str, list[_Ours]]:
    """Printed row -> ours: as configured, and the gains that follow from it."""
    found = {
        label: [_Ours(ours["policy"], method) for method in ours["methods"] if method == INITIAL or results.trains]
        for label, ours in _given(results).get(layout.table, {}).items()
    }
    for row in rows:
        if row.difference_of is not None:
            better, base = (found.get(beside(row, method, rows).label, []) for method in row.difference_of)
            found[row.label] = [replace(one, base=base[0]) for one in better if base]
    return found


def _row(
    results: Results,
    layout: Layout,
    printed: Row,
    ours: _Ours | None,
    checks: Mapping[tuple[str, str, str], Check],
    rows: Sequence[Row],
) -> dict[str, Value]:
    scores = {column: _percent(results, ours, column) for column in layout.numbers}
    n = max(len(found or ()) for found in scores.values())
    errors = {column: _sampling_error(results, ours, column) for column in layout.numbers}
    row: dict[str, Value] = {**printed.words, **_names(results, ours, n)}
    for column, number in printed.numbers.items():
        mark = "\N{DAGGER}" * (column in printed.rerun)
        slack = half_digit(number) if number is not None else Fraction(0)
        value = Compared(number, _estimate(scores[column], n, errors[column]), None, slack, mark)
        check = checks.get((layout.table, printed.label, f"{column} gain"))
        if check is not None and not check.follows:
            value = replace(value, recomputed=check.exact, slack=check.exact - check.lowest, marks="*")
        row[column] = value
    whole = math.hypot(*errors.values()) / len(errors)  # the columns are sampled apart
    row["average"] = _average(layout, printed, _estimate(_means(scores), n, whole), checks, rows)
    return row


def _average(
    layout: Layout,
    printed: Row,
    ours: Estimate | None,
    checks: Mapping[tuple[str, str, str], Check],
    rows: Sequence[Row],
) -> Compared:
    """The printed average, and what the columns give: their mean, for gains the difference of two such means."""
    quantity = "average" if printed.difference_of is None else "average gain"
    check = checks.get((layout.table, printed.label, quantity))
    marks = "*" if check is not None and not check.follows else ""
    if printed.difference_of is None:
        return Compared(printed.average, ours, printed.mean(), printed.slack(), marks)
    better, base = (beside(printed, method, rows) for method in printed.difference_of)
    first, second = better.mean(), base.mean()
    recomputed = None if first is None or second is None else first - second
    return Compared(printed.average, ours, recomputed, better.slack() + base.slack(), marks)


def _names(results: Results, ours: _Ours | None, n: int) -> dict[str, Value]:
    """What of ours stands in the row, and of how many runs."""
    if ours is None:
        return {"our_policy": "", "our_method": "", "ours": "", "n": ""}
    base = f" {MINUS} {ours.base.method}" if ours.base else ""
    asked = results.asked(ours.method)
    return {
        "our_policy": ours.policy,
        "our_method": ours.method + base,
        "ours": method_words(results, ours.method, base),
        "n": "not run" if n == 0 else str(n) if n == asked else f"{n} of {asked}",
    }


def _percent(results: Results, ours: _Ours | None, column: str) -> dict[int, float] | None:
    """Seed -> score, or gain, in per cent; None where no benchmark stands for the column."""
    given = results.config.get("paper", {}).get("columns", {}).get(column)
    if ours is None or given is None:
        return None
    key = f"evaluate/{given['benchmark']}/{given['metric']}"
    mine = results.by_seed(ours.policy, ours.method, key)
    if ours.base is None:
        return {seed: 100 * value for seed, value in mine.items()}
    base = results.by_seed(ours.base.policy, ours.base.method, key)
    return {seed: 100 * (mine[seed] - base[seed]) for seed in mine if seed in base}


def _means(scores: Mapping[str, dict[int, float] | None]) -> dict[int, float] | None:
    """Seed -> mean over the columns, of the runs that have all of them."""
    found = [column for column in scores.values() if column is not None]
    if len(found) < len(scores):
        return None
    seeds = sorted(set.intersection(*(set(column) for column in found)))
    return {seed: sum(column[seed] for column in found) / len(found) for seed in seeds}


def _sampling_error(results: Results, ours: _Ours | None, column: str) -> float:
    """Standard error, in per cent, of the score of a policy that is no run of several seeds: over new samples of the
    same problems. NaN for trained policies, for gains, and for greedy responses, which have none."""
    given = results.config.get("paper", {}).get("columns", {}).get(column)
    if ours is None or given is None or ours.method != INITIAL or ours.base is not None:
        return math.nan
    known = results.scores
    found = known[
        (known.policy == ours.policy) & (known.method == INITIAL)
        & (known.benchmark == given["benchmark"]) & (known.metric == given["metric"])
    ].rerun  # fmt: skip
    return 100 * float(found.iloc[0]) if len(found) == 1 else math.nan


def _estimate(values: Mapping[int, float] | None, n: int, error: float = math.nan) -> Estimate | None:
    """``n`` is how many runs the row has: fewer in a cell are marked. ``error`` gives one run its interval."""
    if values is None:
        return None
    found = summarise(values.values())
    return Estimate(replace(found, half_width=NORMAL * error) if found.n == 1 else found, n)


# Cost ---------------------------------------------------------------------------------------------


def _cost(results: Results) -> Table:
    """Table 6; seconds are those of a machine, so that only the increase has a verdict."""
    rows = cost_rows(results, _given(results).get(COST.table, {}))
    compared = any(row["ours"] for row in rows)
    columns = (
        Column("base_model", "base model"),
        Column("component", "component"),
        *_of_ours(compared),
        Column("GRPO_seconds_printed", "printed", "GRPO (s)"),
        Column("GRPO_seconds", "ours", "GRPO (s)", ".1f", std=False, shown=compared),
        Column("ReLaX_seconds_printed", "printed", "ReLaX (s)"),
        Column("ReLaX_seconds", "ours", "ReLaX (s)", ".1f", std=False, shown=compared),
        Column("increase_percent", "increase (%)", spec=".1f"),
        Column("accelerator", "accelerator, ours", shown=compared),
    )
    table = Table(_file(COST), TITLES[COST.table], "", columns, tuple(rows), COST.labels)
    caption = f"Seconds and increases as printed in {COST.table} of arXiv 2512.07558."
    if not compared:
        return replace(table, caption=f"{caption} No run of ours stands for a row.")
    updates = updates_of(results)
    caption = (
        f"{caption} Seconds are those of a machine, so only the increase, paired by seed, is held against print: "
        f"the printed one, and {HOW_TO_READ} A step in print is one generation and its updates; ours is {updates} "
        f"optimizer {'step' if updates == 1 else 'steps'}. Update actor: the steps that do not generate, forward and "
        "backward passes; not measured where every step generates. The pass that weighs the responses of a group is "
        "part of the total alone. Dictionary: the whole stage, the initial policy's rollouts included."
    )
    found = _verdicts(table)
    return replace(table, caption=caption + (f" {_counted(found).capitalize()}." if found else ""))


def _file(layout: Layout) -> str:
    return layout.table.replace(" ", "").lower()
