"""What was asked for and what is there: the data that tables, figures, findings and the report share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from relax.results.intervals import Summary, paired_difference, summarise

INITIAL = "initial"
BASELINE = "grpo"
SPECTRA = ("eigenvalues", "singular_values")
KEYS = ["policy", "method", "seed"]


@dataclass(frozen=True)
class Matrix:
    """The runs that were asked for: every policy x method x seed, then every benchmark."""

    name: str
    policies: tuple[str, ...]
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    benchmarks: tuple[str, ...]
    koopman_dims: tuple[int, ...] = ()
    """Of methods that have a dictionary of their own."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Matrix":
        """From a configuration's ``name`` and ``matrix``."""
        lists = {key: tuple(config["matrix"][key]) for key in ("policies", "methods", "seeds", "benchmarks")}
        own = [config.get("methods", {}).get(name, {}).get("koopman_dim") for name in lists["methods"]]
        return cls(config["name"], **lists, koopman_dims=tuple(m for m in own if m is not None))

    def asks_for(self, identity: Mapping[str, Any]) -> bool:
        """Does a run belong to the matrix? What a run does not name is not compared."""
        return (
            identity.get("policy") in (None, *self.policies)
            and identity.get("benchmark") in (None, *self.benchmarks)
            and identity.get("koopman_dim") in (None, *self.koopman_dims)
            and identity.get("method") in (None, INITIAL, *self.methods)
            and (identity.get("method") == INITIAL or identity.get("seed") in (None, *self.seeds))
        )

    def rows(self, policy: str) -> list[tuple[str, str]]:
        """(policy, method) in table order: the initial policy first."""
        return [(policy, method) for method in (INITIAL, *self.methods)]


@dataclass(frozen=True)
class Arm:
    """What a method adds to GRPO, as far as the comparison has to know."""

    name: str
    relax: bool
    spectrum: str
    kl: str

    @classmethod
    def of(cls, name: str, settings: Mapping[str, Any]) -> "Arm":
        """From a method's settings; what they do not say is GRPO's (no DSD term, no KL)."""
        weight = settings.get("alpha", 1.0 if name.startswith("relax") else 0.0)
        return cls(name, weight > 0, settings.get("spectrum", SPECTRA[0]), settings.get("kl_mode", "none"))


@dataclass(frozen=True)
class Ablation:
    """Methods side by side, as a figure of the paper shows them.

    Attributes:
        name: such as ``figure-4``.
        title: what is varied.
        arms: label -> method, in the order shown; those of the matrix alone.
    """

    name: str
    title: str
    arms: Mapping[str, str]


@dataclass
class Results:
    """Everything that finished runs left behind.

    Attributes:
        matrix: what was asked for.
        config: the configuration as given.
        records: run records of the matrix, each with its ``folder`` relative to the results root.
        outside: folders whose records the matrix does not ask for; they are counted nowhere.
        runs: one row per policy, method and seed, one column per final number: ``train/...`` (means over
            the last 10 % of the steps), ``koopman/<policy|probe>/...`` (means over responses; the median
            for ``condition`` and ``leverage``), ``evaluate/<benchmark>/...``, ``cost/...``. The row of the
            initial policy (method "initial", seed 0) has the ``train/`` values of the first step, mean over
            all runs.
        series: one row per run and step, columns as in metrics.jsonl.
        scores: one row per run, benchmark and metric: value, stderr (over problems), problems.
        trajectories, eigenvalues: the Koopman files, with policy, method and seed.
        matrices: Koopman matrices (m * m numbers, row by row) of some on-policy trajectories, with policy, method, seed
            and id; empty where the runs are older than that file.
        dictionaries: one row per policy: metrics and settings of the dictionary.
        grades: one row per response to a benchmark problem: correct or not.
        fault: a sentence that every table and figure bears where what is behind them is not all as it should be.
        costs: one row per record: verb, identity, seconds (wall, CPU, and of accelerators: wall times devices), memory
            (MB), start, commit, folder.
    """

    matrix: Matrix
    config: Mapping[str, Any]
    records: list[dict[str, Any]]
    outside: list[str]
    runs: pd.DataFrame
    series: pd.DataFrame
    scores: pd.DataFrame
    trajectories: pd.DataFrame
    eigenvalues: pd.DataFrame
    matrices: pd.DataFrame
    dictionaries: pd.DataFrame
    costs: pd.DataFrame
    grades: pd.DataFrame
    fault: str = ""

    @property
    def trains(self) -> bool:
        """Whether any training was asked for, or policies are evaluated as they are."""
        return bool(self.matrix.methods)

    def by_seed(self, policy: str, method: str, key: str) -> dict[int, float]:
        """A column of ``runs`` for one method: seed -> value, unfinished runs left out."""
        if key not in self.runs:
            return {}
        chosen = self.runs[(self.runs.policy == policy) & (self.runs.method == method)]
        return {
            int(seed): float(value) for seed, value in zip(chosen.seed, chosen[key], strict=True) if pd.notna(value)
        }

    def summary(self, policy: str, method: str, key: str) -> Summary:
        """Mean and spread over seeds."""
        return summarise(self.by_seed(policy, method, key).values())

    def difference(self, policy: str, method: str, key: str, baseline: str = BASELINE) -> Summary:
        """``method`` minus ``baseline``, paired by seed."""
        return paired_difference(self.by_seed(policy, method, key), self.by_seed(policy, baseline, key))

    def asked(self, method: str) -> int:
        """Number of runs asked for: one initial policy, else one per seed."""
        return 1 if method == INITIAL else len(self.matrix.seeds)

    def finished(self, policy: str, method: str) -> int:
        """Number of finished training runs; for the initial policy, whether anything measured it."""
        chosen = self.runs[(self.runs.policy == policy) & (self.runs.method == method)]
        return int(chosen.finished.sum())

    def settings(self) -> dict[str, dict[str, Any]]:
        """Method name -> its settings: by the records of its runs, else by the configuration."""
        settings = {name: dict(self.config.get("methods", {}).get(name, {})) for name in self.matrix.methods}
        for record in self.records:
            if record["verb"] == "train" and isinstance(record["settings"].get("method"), dict):
                settings[record["identity"]["method"]].update(record["settings"]["method"])
        return settings

    def arms(self) -> dict[str, Arm]:
        """Method name -> what it is."""
        return {name: Arm.of(name, given) for name, given in self.settings().items()}

    def ablations(self, policy: str) -> list[Ablation]:
        """What the configuration asks for of which the matrix has two methods or more."""
        found = []
        for name, given in self.config.get("ablations", {}).items():
            arms = {label: method for label, method in given["arms"].items() if method in self.matrix.methods}
            if len(arms) > 1 and policy in (given.get("policies") or self.matrix.policies):
                found.append(Ablation(name, given["title"], arms))
        return found

    def dictionary_setting(self, key: str) -> Any:
        """A setting of the common dictionary: by its records, else by the configuration; None if neither says it."""
        records = [record for record in self.records if record["verb"] == "dictionary"]
        found = [record["settings"].get(key) for record in records if "koopman_dim" not in record["identity"]]
        return next((value for value in found if value is not None), self.config.get("dictionary", {}).get(key))

    def metrics_of(self, benchmark: str) -> list[str]:
        """The metrics a benchmark is judged by: mean@1 and mean@k as far as it has them, pass@k for the last.

        By its scores, else by the configuration (``greedy`` gives mean@1, ``samples`` mean@k and pass@k).
        """
        measured = self.scores[self.scores.benchmark == benchmark].metric
        asked = self.config.get("benchmarks", {}).get(benchmark, {})
        draws = {int(name.removeprefix("mean@")) for name in measured if name.startswith("mean@")}
        if not draws:
            draws = ({1} if asked.get("greedy", True) else set()) | {asked.get("samples") or 1}
        last = max(draws)
        return [f"mean@{k}" for k in sorted(draws)] + ([f"pass@{last}"] if last > 1 else [])

    def problems_of(self, benchmark: str) -> str:
        """``300 problems``, or ``60 problems in 300 variants`` where a benchmark puts a problem in several; empty where
        nothing was evaluated."""
        scores, grades = (frame[frame.benchmark == benchmark] for frame in (self.scores, self.grades))
        if scores.empty:
            return ""
        asked, problems = int(scores.problems.max()), grades.cluster.nunique()
        if problems < grades.id.nunique():
            return f"{problems:,} problems in {asked:,} variants"
        return f"{asked:,} problems"

    @property
    def protocol(self) -> str:
        """How the responses were asked for and drawn, as a sentence; empty where no protocol was named."""
        found = [r["settings"] for r in self.records if r["verb"] == "generate" and r["settings"].get("asked")]
        if not found:
            return ""
        asked = found[0]["asked"]
        system = " The instruction is a system turn." if asked["system"] else ""
        return (
            f" Sampled responses are drawn at temperature {asked['temperature']:g} with top-p {asked['top_p']:g} and "
            f"have at most {found[0]['max_response_length']:,} tokens.{system}"
        )

    def is_greedy(self, benchmark: str, metric: str) -> bool:
        """Is a metric of one greedy response?"""
        return metric == "mean@1" and bool(self.config.get("benchmarks", {}).get(benchmark, {}).get("greedy"))
