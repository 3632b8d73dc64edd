"""The tables of a results folder. Each is built once as data and written as Markdown, LaTeX and CSV."""

from pathlib import Path

from relax.files import atomic_write
from relax.results.intervals import summarise
from relax.results.model import BASELINE, SPECTRA, Results
from relax.results.tables.ablations import ablation_tables
from relax.results.tables.breakdown import breakdown
from relax.results.tables.by_benchmark import paired_table, score_table
from relax.results.tables.columns import INTERVAL, SPEC, WORDS, quantities, ridge_of, seeds_of
from relax.results.tables.paper_tables import paper_tables
from relax.results.tables.render import Column, Estimate, Table, Value, csv_text, to_csv, to_latex, to_markdown


def build_tables(results: Results) -> list[Table]:
    """The tables of the runs, in the order in which a reader wants them; those of the paper are apart."""
    tables = [
        final_table(results),
        difference_table(results),
        score_table(results),
        paired_table(results),
        *breakdown(results),
        probe_table(results),
        dictionary_table(results),
        *ablation_tables(results),
        cost_table(results),
        stage_table(results),
    ]
    return [table.bearing(results.fault) for table in tables]


def shown_tables(results: Results) -> list[Table]:
    """The tables for a page: without training none that has no row."""
    return [table for table in build_tables(results) if results.trains or table.rows]


def write_tables(results: Results, out_dir: str | Path) -> list[Path]:
    """Write every table, those of the paper too, as .md, .tex and .csv, and ``runs.csv`` with one row per run.

    Returns:
        The paths.
    """
    out, written = Path(out_dir), []
    for table in [*build_tables(results), *paper_tables(results)]:
        for suffix, text in (("md", to_markdown(table)), ("tex", to_latex(table)), ("csv", to_csv(table))):
            written.append(out / f"{table.name}.{suffix}")
            atomic_write(written[-1], text)
    written.append(out / "runs.csv")
    runs = results.runs.astype(object).where(results.runs.notna(), "")
    runs = runs.assign(fault=results.fault) if results.fault else runs
    atomic_write(written[-1], csv_text([list(runs.columns), *runs.itertuples(index=False)]))
    return written


def _labels(results: Results) -> tuple[Column, ...]:
    several = len(results.matrix.policies) > 1
    return Column("policy", "policy", shown=several), Column("method", "method")


def _runs(results: Results, policy: str, method: str) -> str:
    found, asked = results.finished(policy, method), results.asked(method)
    return str(found) if found == asked else f"{found} of {asked}"


def _estimates(results: Results, policy: str, method: str, columns: list[Column]) -> dict[str, Value]:
    asked = results.asked(method)
    return {c.key: Estimate(results.summary(policy, method, c.key), asked) for c in columns}


def _where(results: Results) -> str:
    names = ", ".join(results.matrix.policies)
    return f"{results.matrix.name} ({'policy' if len(results.matrix.policies) == 1 else 'policies'} {names})"


def _benchmarks(results: Results) -> str:
    words = [f"{name} ({size})" for name in results.matrix.benchmarks if (size := results.problems_of(name))]
    return (f" Benchmarks: {', '.join(words)}." if words else "") + results.protocol


def _frames(results: Results) -> str:
    """What DSD of policies that were not trained is, and in whose frame; empty where nobody asked for it."""
    if results.trajectories.empty:
        return ""
    named = {name: given.get("dictionary_of") for name, given in results.config.get("policies", {}).items()}
    shared = [
        f"that of {name} with the dictionary of {named[name]}" for name in results.matrix.policies if named.get(name)
    ]
    return (
        " DSD is the variance of the moduli of the named spectrum of the Koopman matrix, mean over "
        "responses: on-policy, over responses of the policy itself; probes, over fixed responses of the policy whose "
        "dictionary it is. Koopman "
        f"dimension {results.dictionary_setting('koopman_dim') or 'as configured'}."
        + (f" DSD is measured with the policy's own dictionary, {', '.join(shared)}." if shared else "")
    )


def final_table(results: Results) -> Table:
    """The final policy of every method; the initial policy is the first row."""
    columns = quantities(results)
    rows = [
        _estimates(results, policy, method, columns)
        | {"policy": policy, "method": method, "runs": _runs(results, policy, method)}
        for name in results.matrix.policies
        for policy, method in results.matrix.rows(name)
    ]
    if not results.trains:
        caption = (
            f"Policies of {_where(results)} as they are; nothing was trained.{_benchmarks(results)}{_frames(results)}"
        )
        labels = (*_labels(results), Column("runs", "runs"), *columns)
        return Table("final", "Policies", caption, labels, tuple(rows))
    caption = (
        f"Final policies of {_where(results)}; {seeds_of(results)} asked for. {INTERVAL} All seeds share one "
        f"initial policy.{_benchmarks(results)} Training columns are means over the last 10 % of the steps; "
        "for the initial policy they are those of the first step, whose rollouts it makes, mean over all "
        "runs. DSD is the variance of the moduli of the named spectrum of the Koopman matrix, mean over "
        "responses: on-policy, over responses of the policy itself, whose lengths differ between methods; "
        "probes, over fixed responses of the initial policy read by the policy of the row. Koopman dimension "
        f"{results.dictionary_setting('koopman_dim') or 'as configured'}. Share above ξ is counted in the "
        "spectrum, and by the threshold, of the row's own method."
    )
    return Table("final", "Final policies", caption, (*_labels(results), Column("runs", "runs"), *columns), tuple(rows))


def difference_table(results: Results) -> Table:
    """Every method minus GRPO, paired by seed."""
    columns = [
        Column(c.key, c.title, c.group, f"+{c.spec}", difference=True)
        for c in quantities(results)
        if c.key != "train/share_above_xi"
    ]
    rows = []
    for policy in results.matrix.policies:
        for method in results.matrix.methods:
            if method != BASELINE:
                row: dict[str, Value] = {"policy": policy, "method": method}
                for column in columns:
                    found = results.difference(policy, method, column.key)
                    row[column.key] = Estimate(found, results.asked(method))
                rows.append(row | {"pairs": results.difference(policy, method, "train/entropy").n})
    caption = (
        f"Every method minus {BASELINE} on {_where(results)}, paired by seed. {INTERVAL} Bold: the interval "
        "leaves out zero; intervals are not corrected for the number of comparisons. Columns as in the table "
        "of final policies."
    )
    shown = (*_labels(results), Column("pairs", "pairs"), *columns)
    return Table("differences", f"Differences to {BASELINE}", caption, shown, tuple(rows))


def probe_table(results: Results) -> Table:
    """DSD under two ridges, on-policy and on fixed probes, at the start and the end of training."""
    ridge, columns = ridge_of(results), []
    for spectrum in SPECTRA:
        names = {
            f"dsd_{spectrum}": f"ridge {ridge}",
            f"dsd_{spectrum}_ridge_0.1": "ridge 0.1",
            f"shuffled_{spectrum}": f"time-shuffled, ridge {ridge}",
        }
        columns += [Column(k, title, f"DSD {WORDS[spectrum]}", SPEC[spectrum]) for k, title in names.items()]
    about = {
        "condition": (".1e", "condition"),
        "leverage": (".2f", "leverage"),
        "length": (".1f", "length (states)"),
    }
    columns += [Column(key, title, "trajectories", spec) for key, (spec, title) in about.items()]
    arms, rows = results.arms(), []
    for name in results.matrix.policies:
        for kind, words in (("policy", "on-policy"), ("probe", "probes")):
            for policy, method in results.matrix.rows(name):
                arm = arms.get(method)
                row: dict[str, Value] = {"policy": policy, "method": method, "trajectories": words}
                row["rewards"] = WORDS[arm.spectrum] if arm and arm.relax else ""
                for column in columns:
                    found = results.summary(policy, method, f"koopman/{kind}/{column.key}")
                    row[column.key] = Estimate(found, results.asked(method))
                rows.append(row)
    caption = (
        f"DSD at the start (first row of each block) and at the end of training on {_where(results)}. "
        f"{INTERVAL} Training rewards the DSD of the spectrum in the second label column, on-policy, at "
        f"ridge {ridge}, and no other column; a gain that no other column shows is one that only the "
        "trained-on measure sees. Time-shuffled: the same states in random order, hence the same length. "
        "Condition (of the Gram matrix) and leverage (of the last state): medians over trajectories; all "
        "others are means."
    )
    if not results.trains:
        caption = (
            f"DSD under two ridges on {_where(results)}, none of which was trained. Time-shuffled: the same states in "
            "random order, hence the same length. Condition (of the Gram matrix) and leverage (of the last state): "
            "medians over trajectories; all others are means."
        )
        labels = (*_labels(results), Column("trajectories", "measured"))
        return Table("probes", "DSD beside its baselines", caption, (*labels, *columns), tuple(rows))
    labels = (*_labels(results), Column("rewards", "rewarded spectrum"), Column("trajectories", "measured"))
    return Table("probes", "What the trained-on measure sees", caption, (*labels, *columns), tuple(rows))


def dictionary_table(results: Results) -> Table:
    """The fitted dictionary against a random one, on held-out rollouts."""
    titles = {
        "residual_q10": "residual, 10th percentile",
        "residual_q50": "residual, median",
        "residual_q90": "residual, 90th percentile",
        "condition": "condition of the Gram matrix",
        "effective_rank": "effective rank",
    }
    rows = []
    for found in results.dictionaries.to_dict("records"):
        for key, title in titles.items():
            fitted, random = found.get(key), found.get(f"random_{key}")
            ratio = fitted / random if fitted is not None and random else None
            rows.append(
                {
                    "policy": found["policy"],
                    "quantity": title,
                    "fitted": fitted,
                    "random": random,
                    "ratio": ratio,
                }
            )
    objective = results.dictionary_setting("objective")
    caption = (
        f"Quality of the Koopman dictionary of {_where(results)} on held-out rollouts of the initial policy, "
        "fitted W against the random W it starts from; dimension "
        f"{results.dictionary_setting('koopman_dim')}, ridge {ridge_of(results)}, objective {objective}. "
        "Residual: of the eigenpairs, normalised; smaller is better."
    )
    columns = (
        Column("policy", "policy", shown=len({row["policy"] for row in rows}) > 1),
        Column("quantity", "held-out rollouts"),
        Column("fitted", "fitted W", spec=".3g"),
        Column("random", "random W", spec=".3g"),
        Column("ratio", "ratio", spec=".2f"),
    )
    return Table("dictionary", "Dictionary", caption, columns, tuple(rows))


def cost_table(results: Results) -> Table:
    """What a training run costs, per method."""
    columns = [
        Column("cost/wall_seconds", "wall (s)", "per run", ".1f"),
        Column("cost/cpu_seconds", "CPU (s)", "per run", ".1f"),
        Column("cost/seconds_per_step", "wall (s)", "per step"),
        Column("cost/cpu_per_step", "CPU (s)", "per step"),
        Column("cost/dsd_share", "share of DSD", "per step"),
        Column("wall_ratio", "wall per step", f"ratio to {BASELINE}", ".2f"),
        Column("cpu_ratio", "CPU per step", f"ratio to {BASELINE}", ".2f"),
        Column("cost/peak_memory_mb", "peak memory (MB)", spec=".0f"),
    ]
    rows = []
    for policy in results.matrix.policies:
        for method in results.matrix.methods:
            row: dict[str, Value] = {
                "policy": policy,
                "method": method,
                "runs": _runs(results, policy, method),
            }
            row |= _estimates(results, policy, method, columns)
            for name, key in (("wall_ratio", "cost/seconds_per_step"), ("cpu_ratio", "cost/cpu_per_step")):
                row[name] = _ratio(results, policy, method, key)
            rows.append(row)
    caption = (
        f"Cost of training on {_where(results)}. {INTERVAL} Per run: the whole process, start-up included "
        "(of the last process where a run was resumed). Wall per step: mean of the logged steps; CPU per "
        "step: of the whole process over its steps. Share of DSD: seconds spent on the Koopman spectra over "
        f"seconds of the step. Ratios to {BASELINE} are paired by seed; where runs shared processors, CPU "
        "time compares better than wall time."
    )
    return Table(
        "cost",
        "Cost of training",
        caption,
        (*_labels(results), Column("runs", "runs"), *columns),
        tuple(rows),
    )


def _ratio(results: Results, policy: str, method: str, key: str) -> Estimate:
    mine, base = results.by_seed(policy, method, key), results.by_seed(policy, BASELINE, key)
    seeds = sorted(seed for seed in mine.keys() & base.keys() if base[seed] > 0)
    return Estimate(summarise(mine[seed] / base[seed] for seed in seeds), results.asked(method))


#: Stages in the order of the pipeline.
STAGES = ("data", "overlap", "base", "dictionary", "train", "extract", "koopman", "generate", "grade", "evaluate")


def stage_table(results: Results) -> Table:
    """What every stage cost, over all its runs, and all of them together."""
    sums = {
        "wall_seconds": ("wall_seconds", 1),
        "cpu_hours": ("cpu_seconds", 3600),
        "gpu_hours": ("accelerator_seconds", 3600),
    }
    costs, rows = results.costs, []
    groups = sorted(costs.groupby("verb"), key=lambda item: STAGES.index(item[0]) if item[0] in STAGES else len(STAGES))
    for verb, group in [*groups, ("all", costs)] if len(costs) else []:
        row: dict[str, Value] = {"verb": verb, "runs": len(group)}
        row |= {name: float(group[key].fillna(0).sum()) / unit for name, (key, unit) in sums.items()}
        rows.append(row | {"peak_memory_mb": float(group.peak_memory_mb.max())})
    columns = (
        Column("verb", "stage"),
        Column("runs", "runs"),
        Column("wall_seconds", "wall (s), sum", spec=",.0f"),
        Column("cpu_hours", "CPU (h), sum", spec=",.3f"),
        Column("gpu_hours", "GPU (h), sum", spec=",.3f"),
        Column("peak_memory_mb", "peak memory (MB)", spec=",.0f"),
    )
    caption = (
        "Cost of every finished stage, summed over its runs (which may have run side by side); GPU hours are wall "
        "time times the devices that a run saw; peak memory is the largest of a single process, of the host. Tables, "
        "figures and report are not in it: they are made of these runs."
    )
    return Table("stages", "Cost of each stage", caption, columns, tuple(rows))
