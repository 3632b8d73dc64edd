"""What was run and with what: policies, methods, data, benchmarks, configuration files, commits, machines."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from relax.progress import duration
from relax.records.container import in_words
from relax.records.why import configuration
from relax.results.model import BASELINE, Results


@dataclass(frozen=True)
class Times:
    """When records were made.

    Attributes:
        started, ended: of the first and of the last; None without a record.
        cpu_seconds, accelerator_seconds: of all records together.
    """

    started: datetime | None
    ended: datetime | None
    cpu_seconds: float
    accelerator_seconds: float

    @property
    def elapsed_seconds(self) -> float:
        """From the first start to the last end."""
        return (self.ended - self.started).total_seconds() if self.started and self.ended else 0.0


def times(results: Results) -> Times:
    """When the runs were made, and how much computing they took."""
    costs = results.costs[results.costs.started.notna()]
    starts = [datetime.fromisoformat(text) for text in costs.started]
    walls = costs.wall_seconds.fillna(0).astype(float)
    ends = [start.timestamp() + wall for start, wall in zip(starts, walls, strict=True)]
    last = datetime.fromtimestamp(max(ends), tz=starts[0].tzinfo) if ends else None
    sums = (float(costs[name].fillna(0).sum()) for name in ("cpu_seconds", "accelerator_seconds"))
    return Times(min(starts, default=None), last, *sums)


def what_ran(results: Results) -> list[tuple[str, str]]:
    """(label, words) of what was run, on what, when and where; what nothing says is left out."""
    config, matrix = results.config, results.matrix
    facts = [("policies", "; ".join(about_policy(results, name) for name in matrix.policies))]
    facts += [("method " + name, words) for name, words in _methods(results).items()]
    facts.append(("training", _training(config.get("training", {}))))
    facts.append(("seeds", ", ".join(map(str, matrix.seeds))))
    facts.append(("data", _data(results)))
    facts += [("benchmark " + name, _benchmark(results, name)) for name in matrix.benchmarks]
    spent = times(results)
    if spent.started and spent.ended:
        memory = results.costs.peak_memory_mb.max()
        gpu = spent.accelerator_seconds
        facts.append(
            (
                "when",
                f"{spent.started:%Y-%m-%d %H:%M} to {spent.ended:%Y-%m-%d %H:%M} UTC, "
                f"{duration(spent.elapsed_seconds)}",
            )
        )
        facts.append(
            (
                "cost",
                f"{spent.cpu_seconds / 3600:.2g} CPU hours, "
                f"{f'{gpu / 3600:.2g} GPU hours' if gpu else 'no GPU'}; {memory:,.0f} MB in the largest "
                "process",
            )
        )
        made = made_with(results)
        facts.append(("machine", made["machine"]))
        facts.append(("configuration", " + ".join(made["configuration"])))
        facts.append(("commit", ", ".join(made["commits"]) or "none"))
    return [(label, words) for label, words in facts if words]


def versions(results: Results) -> list[tuple[str, str]]:
    """Commit, machine and versions of the records; every distinct value with its count where they differ."""
    columns: dict[str, list[Any]] = {}
    for record in results.records:
        git, machine = record.get("git") or {}, record.get("machine") or {}
        about = {
            "commit": git.get("commit"),
            "uncommitted changes": None if git.get("dirty") is None else "yes" if git["dirty"] else "no",
            "configuration hash": record.get("config_hash"),
            "system": machine.get("system"),
            "processor": machine.get("processor"),
            "processors": machine.get("cpus"),
            "accelerator": machine.get("accelerator") or "none",
            "container image": in_words(record),
            **(record.get("versions") or {}),
        }
        for key, value in about.items():
            columns.setdefault(key, []).append("unknown" if value is None else str(value))
    return [(key, _distinct(values)) for key, values in columns.items()]


def _distinct(values: list[str]) -> str:
    counts = Counter(values)
    if len(counts) == 1:
        return values[0]
    return ", ".join(f"{value} ({count} records)" for value, count in counts.most_common())


def about_policy(results: Results, policy: str) -> str:
    """``tiny: made from scratch, 0.1 M parameters``; or where the policy is from: the name on the hub and its commit, a
    file or folder by its name, a file of a wheel."""
    given = results.config.get("policies", {}).get(policy, {})
    size, source = size_of(results, policy), given.get("hub")
    if source:
        return f"{policy}: {source['repo']} at {source['revision'][:12]}"
    if wheel := given.get("wheel"):
        return f"{policy}: {Path(wheel['file']).name} of {wheel['package']} {wheel['version']}"
    if place := given.get("path") or given.get("gguf"):
        return f"{policy}: {Path(place).name}"
    return f"{policy}: made from scratch" * ("scratch" in given) + f", {size}" * bool(size) or policy


def _methods(results: Results) -> dict[str, str]:
    """Method -> the settings in which it differs from GRPO; those of GRPO itself are nothing added."""
    settings, words = results.settings(), {}
    base = settings.get(BASELINE, {})
    for name, given in settings.items():
        own = {key: value for key, value in given.items() if value != base.get(key) or key == "spectrum"}
        if not given.get("alpha"):
            own.pop("spectrum", None)
        limit = results.summary(results.matrix.policies[0], name, "train/xi")
        shown = [
            f"{key} {_value(value)}" + (f" (here {limit.mean:.3g})" if key == "xi" and limit.n else "")
            for key, value in own.items()
        ]
        words[name] = ", ".join(shown) or ("the baseline" if name == BASELINE else f"as {BASELINE}")
    return words


def _value(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def _training(given: Mapping[str, Any]) -> str:
    words = {
        "steps": "{} steps", "prompts_per_step": "{} prompts a step", "rollouts_per_prompt": "{} responses a prompt",
        "max_response_length": "{} tokens at most", "learning_rate": "learning rate {}",
    }  # fmt: skip
    return ", ".join(text.format(_value(given[key])) for key, text in words.items() if key in given)


def _data(results: Results) -> str:
    return "; ".join(filter(None, [", ".join(data_sets(results)) or source(results), problem_counts(results)]))


def data_sets(results: Results) -> list[str]:
    """The data sets of the hub or the files that the problems are from; empty for problems that are made."""
    data = results.config.get("data", {})
    if data.get("source") == "file":
        return [f"the file {Path(found['path']).name}" for found in data.get("files", [])]
    return [f"{found['repo']} at {found['revision'][:12]}" for found in data.get("datasets", [])]


def source(results: Results) -> str:
    """Name of the task that makes the problems; empty where the configuration does not say it."""
    return str(results.config.get("data", {}).get("source", ""))


def problem_counts(results: Results) -> str:
    """``6,000 to train on, 100 held out``; empty where no record tells."""
    made = (record["metrics"] for record in results.records if record["verb"] == "data")
    numbers: Mapping[str, float] = next(made, {})
    counts = [
        f"{int(numbers[key]):,} {words}"
        for key, words in {"train_problems": "to train on", "test_problems": "held out"}.items()
        if key in numbers
    ]
    return ", ".join(counts)


def _benchmark(results: Results, name: str) -> str:
    size, given = results.problems_of(name), results.config.get("benchmarks", {}).get(name, {})
    words = [size] if size else []
    words += ["one greedy response each"] * bool(given.get("greedy"))
    words += [f"{given['samples']} sampled responses each"] if given.get("samples") else []
    return ", ".join(words) or "not run"


def size_of(results: Results, policy: str) -> str:
    """Parameters of a policy made here, the hub's name of another; empty where no record tells."""
    for record in results.records:
        parameters = record["metrics"].get("parameters")
        if record["verb"] == "base" and record["identity"].get("policy") == policy and parameters:
            return f"{parameters / 1e6:.2g} M parameters"
    return repo(results, policy)


def made_with(results: Results) -> dict[str, Any]:
    """Configuration files, commits, dates, machines and seeds of the records."""
    records = sorted(results.records, key=lambda record: record.get("started") or "")
    git = [record.get("git") or {} for record in records]
    machines = [record.get("machine") or {} for record in records]
    places = [f"{m.get('cpus')} processors, {m.get('accelerator') or 'no accelerator'}" for m in machines]
    return {
        "configuration": next((files for record in records if (files := configuration(record))), []),
        "config_hash": sorted({record["config_hash"] for record in records if record.get("config_hash")}),
        "commits": list(dict.fromkeys(state["commit"] for state in git if state.get("commit"))),
        "uncommitted": sum(bool(state.get("dirty")) for state in git),
        "started": records[0].get("started") if records else None,
        "machine": "; ".join(dict.fromkeys(places)) or "no machine recorded",
        "seeds": list(results.matrix.seeds),
    }


def repo(results: Results, policy: str) -> str:
    """Name on the hub of an initial policy; empty for one made here."""
    return (results.config.get("policies", {}).get(policy, {}).get("hub") or {}).get("repo", "")
