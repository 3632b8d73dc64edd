"""Accuracy by part of a benchmark: where the picture is needed, by what was changed in the drawing, by difficulty."""

from relax.evaluation.shards import BREAKDOWNS
from relax.results.intervals import paired_difference
from relax.results.model import BASELINE, INITIAL, Results
from relax.results.tables.columns import INTERVAL
from relax.results.tables.render import Column, Estimate, Table, Value

#: Column of the questions -> what a reader is told about it.
GROUPS = {"dependence": "the picture is", "variant": "drawing", "subset": "problems"}
WORDS = {"dependence/visual": "needed", "dependence/text": "not needed"}
ERROR = "standard error over problems"
#: What a method gains where the picture is needed, less what it gains elsewhere.
NEEDED, TOLD, MORE = "dependence/visual", "dependence/text", "more where needed"


def breakdown(results: Results) -> list[Table]:
    """Two tables a benchmark whose grades say dependence, variant or subset: the parts, and their differences to GRPO.

    None where no benchmark's grades do.
    """
    return [table for name in results.matrix.benchmarks for table in _of(results, name)]


def _of(results: Results, benchmark: str) -> list[Table]:
    own = results.scores[results.scores.benchmark == benchmark]
    found = {m.rpartition("/") for m in own.metric if m.startswith(tuple(f"{name}/" for name in BREAKDOWNS))}
    if not found:
        return []
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
    whole = Table(f"breakdown-{benchmark}", f"{benchmark}: {title}", caption, (*labels, *columns, *errors), tuple(rows))
    return [whole, _differences(results, benchmark, f"mean@{last}", columns, labels, title)]


def _differences(
    results: Results, benchmark: str, metric: str, parts: list[Column], labels: tuple[Column, ...], title: str
) -> Table:
    """Every method minus GRPO, paired by seed, in the columns of the parts."""
    keys, more = {part.key for part in parts}, Column(MORE, MORE, GROUPS["dependence"], "+.3f", difference=True)
    needed, told = (f"{benchmark}/{part}/{metric}" for part in (NEEDED, TOLD))
    columns = [Column(c.key, c.title, c.group, "+.3f", difference=True) for c in parts]
    if {needed, told} <= keys:
        place = next(i for i, c in enumerate(columns) if c.key == needed) + 1
        columns.insert(place, more)
    rows: list[dict[str, Value]] = []
    for policy in results.matrix.policies:
        for method in results.matrix.methods:
            if method in (BASELINE, INITIAL):
                continue
            gains = {key: _gains(results, policy, method, key) for key in keys}
            found = {key: results.difference(policy, method, f"evaluate/{key}") for key in keys}
            if {needed, told} <= keys:
                found[MORE] = paired_difference(gains[needed], gains[told])
            cells: dict[str, Value] = {key: Estimate(one, results.asked(method)) for key, one in found.items()}
            rows.append({"policy": policy, "method": method, **cells})
    caption = (
        f"Every method minus {BASELINE} on {benchmark}, paired by seed; columns as in the table before. {INTERVAL} "
        "Bold: the interval leaves out zero; intervals are not corrected for the number of comparisons."
    )
    if {needed, told} <= keys:
        caption += " More where needed: the difference where the picture is needed less that where it is not."
    name = f"breakdown-{benchmark}-differences"
    return Table(name, f"{benchmark}: {title}, differences to {BASELINE}", caption, (*labels, *columns), tuple(rows))


def _gains(results: Results, policy: str, method: str, key: str) -> dict[int, float]:
    """Seed -> what the method has more than GRPO."""
    mine, other = (results.by_seed(policy, name, f"evaluate/{key}") for name in (method, BASELINE))
    return {seed: mine[seed] - other[seed] for seed in sorted(mine.keys() & other.keys())}
