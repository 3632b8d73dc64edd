"""Words, numbers and tables of docs/evidence.md."""

import math
import statistics
from collections import Counter
from collections.abc import Sequence

from relax.results.intervals import Summary
from relax.results.model import INITIAL
from relax.results.tables.render import MINUS
from relax.study.hypotheses import REWARDS, STEPS, Test, clopper_pearson
from relax.study.plan import Study, TrackedRun, escapes

#: An interval that is no wider is that of values which are all the same, and says nothing.
GRAIN = 1e-9
NARROW = {"eigenvalues": "eig", "singular_values": "sv"}


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """GitHub's Markdown."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def number(value: float, spec: str = ".2f") -> str:
    """A number as a reader writes it; empty for NaN."""
    if not math.isfinite(value):
        return ""
    text = f"{value:{spec}}"
    return text.replace("-", MINUS) if float(text.replace("+", "")) else text.replace("-", "").replace("+", "")


def mean_score(runs: Sequence[TrackedRun], name: str) -> str:
    """Mean of a score over the runs that have it; empty where none has."""
    known = [v for run in runs if math.isfinite(v := run.score(name))]
    return number(statistics.fmean(known)) if known else ""


def share(runs: Sequence[TrackedRun]) -> str:
    """Escapes of some runs: ``5 of 24 (0.07 to 0.42)``."""
    low, high = clopper_pearson(escapes(runs), len(runs))
    return f"{escapes(runs)} of {len(runs)} ({low:.2f} to {high:.2f})"


def interval(value: float, low: float, high: float, spec: str = "+.2f") -> str:
    """``+0.42 (+0.30 to +0.51)``; without an interval where there is none, or where no value differs from another."""
    ends = f" ({number(low, spec)} to {number(high, spec)})" if math.isfinite(low) and high - low > GRAIN else ""
    return number(value, spec) + ends


def p_value(value: float) -> str:
    """Two significant digits, or ``< 0.001``."""
    return "< 0.001" if value < 0.001 else f"{value:.2g}" if value < 0.0995 else f"{value:.2f}"


def difference(test: Test) -> str:
    """A difference in the digits of its measure, with its interval."""
    spec = {STEPS: "+.1f", REWARDS: "+.3f"}.get(test.measure, "+.2f")
    return interval(test.value, test.low, test.high, spec)


def factor(logs: Summary) -> str:
    """A mean of logarithms as the factor that it is, with its interval: ``1.42 (1.30 to 1.55)``; empty for no run."""
    if not logs.n:
        return ""
    ends = f" ({math.exp(logs.low):.2f} to {math.exp(logs.high):.2f})" if logs.half_width > GRAIN else ""
    return f"{math.exp(logs.mean):.2f}{ends}"


def seeds(numbers: Sequence[int]) -> str:
    """``no seed``, ``seed 1``, ``seeds 1 and 2`` or ``seeds 1 to 3``."""
    if len(numbers) < 2:
        return f"seed {numbers[0]}" if numbers else "no seed"
    whole = len(numbers) > 2 and list(numbers) == list(range(numbers[0], numbers[-1] + 1))
    return "seeds " + (f"{numbers[0]} to {numbers[-1]}" if whole else " and ".join(map(str, numbers)))


def about(studies: Sequence[Study]) -> str:
    """Commands, commits, machines and time of the runs."""
    records = [record for study in studies for record in study.records.values()]
    made = [record["made"] for record in records if record["made"]["commit"]]
    counts = Counter(m["commit"][:10] for m in made)
    commits = ", ".join(f"{commit} ({n} records)" for commit, n in counts.most_common())
    machines = Counter(f"{m['cpus']} processors, {m['accelerator'] or 'no accelerator'}" for m in made)
    hours = sum(m["cpu_seconds"] for m in made) / 3600
    trained = [r["made"]["cpu_seconds"] for r in records if r["method"] != INITIAL and r["made"]["commit"]]
    dates = sorted(m["started"][:10] for m in made)
    lines = [
        "```bash",
        *(["make study    # the trap and its two controls"] if len(studies) > 1 else []),
        f"relax evidence --collect {' '.join(f'results/{study.matrix.name}' for study in studies)}    # tracks them",
        *(["relax evidence --out docs/evidence.md    # this page, from them alone"] if len(studies) > 1 else []),
        "```",
        "",
        "Collect the runs in a second checkout. The records and the page are uncommitted changes of the checkout in "
        "which they are written, and runs that were made with uncommitted changes are refused.",
        "",
        *(
            f"- {study.matrix.name}: {len(study.runs)} of {study.asked} runs are tracked, and all arms have "
            f"{seeds(study.seeds)} in common."
            for study in studies
        ),
    ]
    if made:
        lines += [
            f"- The runs were made from these commits: {commits}.",
            f"- They ran from {dates[0]} to {dates[-1]} on machines with {'; '.join(machines)}.",
            f"- They took {hours:.1f} CPU hours in all, and a run took {sum(trained) / max(1, len(trained)):.0f} CPU "
            "seconds with its spectra, responses and grades.",
        ]
    failed = [record for record in records if "ended" in record["made"]]
    lines += [
        f"- A run broke down ({r['policy']}, {r['method']}, seed {r['seed']}): {r['made']['ended']}" for r in failed
    ]
    return "\n".join(lines)
