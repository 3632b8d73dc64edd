"""Methods side by side, as the paper's figures of ablations show them, and what the paper says of them in words."""

from collections.abc import Iterator
from dataclasses import replace

from relax.paper.printed import Statement, read_statements
from relax.results.intervals import Summary, paired_difference
from relax.results.model import SPECTRA, Ablation, Results
from relax.results.tables.columns import WORDS, method_words, quantities, ridge_of
from relax.results.tables.render import Column, Estimate, Table, Value

SHOWN = ("train/reward", "train/entropy", *(f"koopman/policy/dsd_{spectrum}" for spectrum in SPECTRA))
#: What an interval of a difference says of a statement: (direction, verdict of the interval) -> verdict.
VERDICTS = {
    ("higher", "rose"): "seen",
    ("higher", "fell"): "opposite",
    ("lower", "fell"): "seen",
    ("lower", "rose"): "opposite",
    ("not higher", "fell"): "seen",
    ("not higher", "rose"): "opposite",
}


def ablation_tables(results: Results) -> list[Table]:
    """For each configured ablation a table of its arms and, where the paper has its figure, one of its statements."""
    policies: dict[str, list[tuple[str, Ablation]]] = {}
    for policy in results.matrix.policies:
        for ablation in results.ablations(policy):
            policies.setdefault(ablation.name, []).append((policy, ablation))
    statements, tables = read_statements(), []
    for name, shown in policies.items():
        tables.append(_arms(results, shown))
        if said := [one for one in statements if name == one.figure or name.startswith(f"{one.figure}-")]:
            tables.append(_statements(results, shown, said))
    return tables


def _arms(results: Results, shown: list[tuple[str, Ablation]]) -> Table:
    """One row for each policy and arm, each number with its difference to the first arm."""
    # pass@k is left to the CSV file: with six benchmarks the page would be a wall of digits.
    columns = [
        replace(column, std=False, shown="/pass@" not in column.key)
        for column in quantities(results)
        if column.key in SHOWN or column.key.startswith("evaluate/")
    ]
    columns.sort(key=lambda column: column.key.startswith("evaluate/"))
    rows: list[dict[str, Value]] = []
    for policy, ablation in shown:
        first = next(iter(ablation.arms.values()))
        for label, method in ablation.arms.items():
            row: dict[str, Value] = {"policy": policy, "arm": label, "method": method_words(results, method)}
            row["runs"] = f"{results.finished(policy, method)} of {results.asked(method)}"
            for column in columns:
                found = results.summary(policy, method, column.key)
                gap = None if method == first else results.difference(policy, method, column.key, first)
                row[column.key] = Estimate(found, results.asked(method), gap)
            rows.append(row)
    ablation = shown[0][1]
    caption = (
        "Cells: mean over seeds ± half width of its 95 % Student t interval; one run has none. \u0394: difference to "
        "the first arm, paired by seed; bold: its interval leaves out zero, not corrected for the number of "
        "comparisons. Training columns: means over the last 10 % of the steps. DSD: over responses of the policy "
        f"itself, ridge {ridge_of(results)}. Scores are shares."
    )
    labels = (Column("policy", "policy", shown=len(results.matrix.policies) > 1), Column("arm", "arm"))
    about = (Column("method", "method"), Column("runs", "runs"))
    shown_labels = sum(column.shown for column in labels)
    return Table(
        f"ablation-{ablation.name}",
        _title(ablation),
        caption,
        (*labels, *about, *columns),
        tuple(rows),
        labels=shown_labels,
    )


def _statements(results: Results, shown: list[tuple[str, Ablation]], said: list[Statement]) -> Table:
    """What the paper says of each arm, and whether our difference goes that way."""
    rows: list[dict[str, Value]] = []
    for policy, ablation in shown:
        for one in said:
            row: dict[str, Value] = {"policy": policy, "arm": one.arm, "statement": one.words, "source": one.source}
            if not one.quantity:
                rows.append(row | {"quantity": "", "less": "", "difference": "", "verdict": "not judged"})
            than = one.than or next(iter(ablation.arms))
            for name, difference in _differences(results, policy, ablation, one, than):
                about = {"quantity": name, "less": than, "verdict": _verdict(one, difference)}
                rows.append(row | about | {"difference": Estimate(difference, difference.n)})
    ablation = shown[0][1]
    policy_shown = len(results.matrix.policies) > 1
    columns = (
        Column("policy", "policy", shown=policy_shown),
        Column("arm", "arm"),
        Column("statement", "the paper shows"),
        Column("source", "source"),
        Column("quantity", "quantity", "here"),
        Column("less", "less that of", "here"),
        Column("difference", "difference", "here", "+.3f", std=False),
        Column("verdict", "verdict", "here"),
    )
    caption = (
        "What the paper shows in pictures, without numbers, in our words, and the difference of our arms, paired by "
        "seed, with the half width of its 95 % Student t interval. Seen: the interval lies on the stated side of zero; "
        "opposite: on the other side; no clear order: it holds zero, which proves nothing either way. Not run: one of "
        "the two arms has no run, or is not configured. Not judged: the statement is no order of two arms. Score: mean "
        "over the benchmarks."
    )
    return Table(
        f"ablation-{ablation.name}-paper",
        f"What the paper shows of {ablation.name}",
        caption,
        columns,
        tuple(rows),
        labels=2 + policy_shown,
    )


def _title(ablation: Ablation) -> str:
    return f"Ablation {ablation.name}: {ablation.title}"


def _differences(
    results: Results, policy: str, ablation: Ablation, one: Statement, than: str
) -> Iterator[tuple[str, Summary]]:
    """(quantity in words, arm less the arm compared with); DSD of both spectra."""
    keys = {
        "reward": [("reward", "train/reward")],
        "entropy": [("token entropy", "train/entropy")],
        "dsd": [(f"DSD of {WORDS[s]}", f"koopman/policy/dsd_{s}") for s in SPECTRA],
        "score": [("score", "score")],
    }
    arms = [ablation.arms.get(label) for label in (one.arm, than)]
    for name, key in keys.get(one.quantity, []):
        values = [_by_seed(results, policy, arm, key) if arm else {} for arm in arms]
        yield name, paired_difference(*values)


def _by_seed(results: Results, policy: str, method: str, key: str) -> dict[int, float]:
    if key != "score":
        return results.by_seed(policy, method, key)
    # The metric that stands for a printed column, else the one with the most samples.
    mapped = {
        given["benchmark"]: given["metric"] for given in results.config.get("paper", {}).get("columns", {}).values()
    }
    found = []
    for name in results.matrix.benchmarks:
        means = [metric for metric in results.metrics_of(name) if metric.startswith("mean@")]
        found.append(results.by_seed(policy, method, f"evaluate/{name}/{mapped.get(name, means[-1])}"))
    seeds = sorted(set.intersection(*(set(scores) for scores in found)))
    return {seed: sum(scores[seed] for scores in found) / len(found) for seed in seeds}


def _verdict(one: Statement, difference: Summary) -> str:
    found = difference.verdict
    if found in ("not run", "no interval"):
        return found
    return VERDICTS.get((one.direction, found), "no clear order")
