"""Tables about benchmarks: what stands beside a score, and differences paired by problem."""

import numpy as np

from relax.evaluation.paired import Comparison, Difference, Pair, compare_table
from relax.results.model import BASELINE, INITIAL, Results
from relax.results.tables.render import MINUS, Column, Estimate, Table, Value

#: What is shown beside a score -> its title; all are shares of the responses.
BESIDE = {
    "lenient": "lenient score", "truncated": "cut at the limit", "no_box": "no box", "timeout": "grading timed out",
    "unparseable_answer": "answer unreadable", "unparseable_gold": "gold unreadable",
}  # fmt: skip


def _draws(results: Results, benchmark: str) -> list[int]:
    """The numbers of samples k for which there is a mean@k."""
    return [int(m.removeprefix("mean@")) for m in results.metrics_of(benchmark) if m.startswith("mean@")]


def score_table(results: Results) -> Table:
    """Scores with their errors over problems and over new samples, and everything that can spoil one."""
    rows: list[dict[str, Value]] = []
    scores = results.scores.set_index(["policy", "method", "benchmark", "metric"]).sort_index()
    for policy in results.matrix.policies:
        for _, method in results.matrix.rows(policy):
            for benchmark in results.matrix.benchmarks:
                for k in _draws(results, benchmark):
                    key = (policy, method, benchmark, f"mean@{k}")
                    if key not in scores.index:
                        continue
                    own, asked = scores.loc[[key]], results.asked(method)
                    row: dict[str, Value] = {"policy": policy, "method": method, "benchmark": benchmark}
                    row["metric"] = f"mean@{k}" + " greedy" * results.is_greedy(benchmark, f"mean@{k}")
                    row["score"] = _estimate(results, policy, method, f"{benchmark}/mean@{k}", asked)
                    row |= {"stderr": float(own.stderr.mean()), "rerun": float(own.rerun.mean())}
                    for name in BESIDE:
                        row[name] = results.summary(policy, method, f"evaluate/{benchmark}/{name}@{k}").mean
                    rows.append(row)
    columns = (
        Column("policy", "policy", shown=len(results.matrix.policies) > 1),
        Column("method", "method"),
        Column("benchmark", "benchmark"),
        Column("metric", "metric"),
        Column("score", "score"),
        Column("stderr", "over problems", "standard error"),
        Column("rerun", "over new samples", "standard error"),
        *(Column(name, title, "share of the responses") for name, title in BESIDE.items()),
    )
    caption = (
        "Every score, mean over seeds ± half width of its 95 % Student t interval, and what stands beside it. Standard "
        "errors are those of one run, mean over seeds: over problems (clusters of them where a benchmark repeats one), "
        "and over new samples of the same problems. The lenient score also takes answers that are stated in words and "
        "not boxed. A problem set with a verifier of its own knows no boxes."
    )
    return Table("benchmarks", "Scores and what stands beside them", caption, columns, tuple(rows))


def _estimate(results: Results, policy: str, method: str, key: str, asked: int) -> Estimate:
    return Estimate(results.summary(policy, method, f"evaluate/{key}"), asked)


def paired_table(results: Results) -> Table:
    """Every method minus GRPO on every benchmark, paired by problem and by seed, corrected over the table."""
    pairs = _pairs(results)
    found = compare_table(pairs) if pairs else {}
    rows = tuple(
        {"policy": policy, "method": method, "benchmark": benchmark, "metric": f"mean@{k}", **_cells(one)}
        for (policy, method, benchmark, k), one in found.items()
    )
    groups = (("problems", "over problems, these policies"), ("seeds", "over seeds, these problems"))
    columns = [
        Column("policy", "policy", shown=len(results.matrix.policies) > 1), Column("method", "method"),
        Column("benchmark", "benchmark"), Column("metric", "metric"), Column("difference", "difference", spec="+.3f"),
    ]  # fmt: skip
    for kind, group in groups:
        columns += [
            Column(f"{kind}_interval", "95 % interval", group),
            Column(f"{kind}_n", "n", group),
            Column(f"{kind}_p", "p", group, ".2g"),
            Column(f"{kind}_p_corrected", "p, corrected", group, ".2g"),
        ]
    caption = (
        f"Every method minus {BASELINE}, by problem and by seed. Over problems: would these policies differ on other "
        "problems of the kind? Over seeds: would training again give the difference on these problems? A claim on a "
        "method needs both. p: two-sided sign-flip test, exact unless marked ~; corrected for the number of rows "
        "(Holm), each column for itself. With n seeds p over seeds cannot be below 2 / 2^n."
    )
    return Table("paired", f"Benchmarks against {BASELINE}, problem by problem", caption, tuple(columns), rows)


def _cells(one: Comparison) -> dict[str, Value]:
    cells: dict[str, Value] = {"difference": one.problems.value}
    for kind, found in (("problems", one.problems), ("seeds", one.seeds)):
        cells |= {
            f"{kind}_interval": _interval(found),
            f"{kind}_n": found.n,
            f"{kind}_p": found.p_value if found.exact else f"~{found.p_value:.2g}",
            f"{kind}_p_corrected": found.p_corrected,
        }
    return cells


def _interval(found: Difference) -> str | None:
    if np.isnan(found.low):
        return None
    return f"{found.low:+.3f} to {found.high:+.3f}".replace("-", MINUS)


def _pairs(results: Results) -> dict[tuple[str, str, str, int], Pair]:
    """(policy, method, benchmark, k) -> graded samples of the method and of GRPO, seeds that both have."""
    pairs: dict[tuple[str, str, str, int], Pair] = {}
    if results.grades.empty:
        return pairs
    for (policy, benchmark, _), group in results.grades.groupby(["policy", "benchmark", "decoding"]):
        runs: dict[str, dict[int, np.ndarray]] = {}
        for (method, seed), run in group.groupby(["method", "seed"]):
            ordered = run.sort_values(["id", "sample"])
            problems = ordered.id.nunique()
            runs.setdefault(method, {})[seed] = ordered.correct.to_numpy(dtype=bool).reshape(problems, -1)
        baseline = runs.get(BASELINE, {})
        labels = group.drop_duplicates("id").sort_values("id").cluster.tolist()
        clusters = labels if len(set(labels)) < len(labels) else None
        for method in results.matrix.methods:
            if method not in (BASELINE, INITIAL) and runs.get(method, {}).keys() & baseline.keys():
                k = int(group["sample"].max()) + 1
                pairs[policy, method, benchmark, k] = Pair(runs[method], baseline, clusters)
    return pairs
