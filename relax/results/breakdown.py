"""Accuracy by part of a benchmark: where the picture is needed, by what was changed in the drawing, by difficulty."""

from relax.evaluation.shards import BREAKDOWNS
from relax.results.columns import INTERVAL
from relax.results.model import Results
from relax.results.render import Column, Estimate, Table, Value

#: Column of the questions -> what a reader is told about it.
GROUPS = {"dependence": "the picture is", "variant": "drawing", "subset": "problems"}
WORDS = {"dependence/visual": "needed", "dependence/text": "not needed"}
ERROR = "standard error over problems"


def breakdown(results: Results) -> list[Table]:
    """One table a benchmark whose grades say dependence, variant or subset; none where no benchmark does."""
    return [table for name in results.matrix.benchmarks if (table := _of(results, name)) is not None]


def _of(results: Results, benchmark: str) -> Table | None:
    own = results.scores[results.scores.benchmark == benchmark]
    found = {m.rpartition("/") for m in own.metric if m.startswith(tuple(f"{name}/" for name in BREAKDOWNS))}
    if not found:
        return None
    last = max(int(metric.rpartition("@")[2]) for _, _, metric in found)
    # Alphabetical, but what the others are changes of comes first.
    parts = sorted(
        {part for part, _, metric in found if metric == f"mean@{last}"}, key=lambda p: (p != "variant/plain", p)
    )
    columns = [Column(f"{benchmark}/mean@{last}", "all")]
    columns += [
        Column(f"{benchmark}/{part}/mean@{last}", WORDS.get(part, part.partition("/")[2]), GROUPS[column])
        for column in BREAKDOWNS
        for part in parts
        if part.startswith(f"{column}/")
    ]
    columns += [
        Column(f"{benchmark}/{part}/{metric}", f"{metric}, {part.partition('/')[2]}", GROUPS["subset"])
        for part, _, metric in sorted(found)
        if metric == f"pass@{last}"
    ]
    if f"worst@{last}" in set(own.metric):
        columns.append(Column(f"{benchmark}/worst@{last}", "all of them right", GROUPS["variant"]))
    errors = [Column(f"{part}/mean@{last}", WORDS[part], ERROR) for part in parts if part in WORDS]
    rows: list[dict[str, Value]] = []
    for policy in results.matrix.policies:
        for _, method in results.matrix.rows(policy):
            asked = results.asked(method)
            cells: dict[str, Value] = {
                c.key: Estimate(results.summary(policy, method, f"evaluate/{c.key}"), asked) for c in columns
            }
            mine = own[(own.policy == policy) & (own.method == method)]
            cells |= {c.key: float(mine[mine.metric == c.key].stderr.mean()) for c in errors}
            rows.append({"policy": policy, "method": method, **cells})
    caption = (
        f"mean@{last} on {benchmark}, where the picture is needed and where the words of the problem say all that it "
        "shows, and by what was changed in the drawing of the same problems. All of them right: the chance that one "
        f"response to each drawing of a problem is right. {INTERVAL} Standard errors are those of one run over "
        "problems (the drawings of one are a cluster), mean over seeds."
    )
    title = "pictures and drawings"
    if all(part.startswith("subset/") for part in parts):
        caption, title = f"mean@{last} and pass@{last} on {benchmark} by difficulty. {INTERVAL}", "difficulty"
    labels = (Column("policy", "policy", shown=len(results.matrix.policies) > 1), Column("method", "method"))
    return Table(f"breakdown-{benchmark}", f"{benchmark}: {title}", caption, (*labels, *columns, *errors), tuple(rows))
