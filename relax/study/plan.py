"""The tracked runs of a study against its plan: which of them count, what each is measured by, who is paired with whom.

Definitions are those of docs/study.md, which was written before the runs.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from relax.results.model import INITIAL, Matrix
from relax.study.escape import step_of_escape
from relax.study.tracked_runs import Key, Record

#: Scores on the benchmark of the study: reward and pass@16 of its sampled responses, accuracy of its greedy ones.
REWARD, SOLVED, HARD, GREEDY = "mean@16", "pass@16", "subset/hard/pass@16", "mean@1"


@dataclass(frozen=True)
class TrackedRun:
    """A run and its measures.

    Attributes:
        record: as of :func:`relax.study.tracked_runs.read_records`.
        steps: of the plan.
    """

    record: Record
    steps: int

    @property
    def pair(self) -> tuple[str, int]:
        """Initial policy and seed: what runs of two arms have in common."""
        return self.record["policy"], self.record["seed"]

    @cached_property
    def broken(self) -> bool:
        """Did it end in non-finite numbers? Then it has not escaped and solves nothing."""
        curves = self.record.get("curves")
        return not curves or any(curves[name][-1] is None for name in ("reward", "entropy") if name in curves)

    @cached_property
    def escape(self) -> int | None:
        """Step of escape; None for a run that stays."""
        shares = [] if self.broken else self.record["curves"].get("strategy/chain", [])
        return step_of_escape([math.nan if s is None else s for s in shares], self.record.get("updates", 1))

    @property
    def step(self) -> int:
        """Step of escape; of a run that stays, one more than there are."""
        return self.steps + 1 if self.escape is None else self.escape

    def score(self, name: str) -> float:
        """After training, on the study's benchmark; 0 for a run that broke down, NaN for one that is not graded."""
        if self.broken:
            return 0.0
        found = [scores.get(name) for scores in self.record.get("scores", {}).values()]
        return math.nan if not found or found[0] is None else float(found[0])

    def end(self, name: str) -> float:
        """Mean over the last tenth of the steps; NaN where it is not known."""
        value = self.record.get("end", {}).get(name)
        return math.nan if value is None else float(value)

    def curve(self, name: str) -> tuple[list[int], list[float]]:
        """(steps, values) of a column, wherever it is kept; both empty where it is not."""
        for part in ("curves", "thinned", "probes"):
            columns = self.record.get(part, {})
            if name in columns:
                return columns["step"], [math.nan if v is None else float(v) for v in columns[name]]
        return [], []

    def at(self, name: str, step: int) -> float:
        """The last value that was measured up to a step; NaN where none was."""
        known = [value for at, value in zip(*self.curve(name), strict=True) if at <= step]
        return known[-1] if known else math.nan


@dataclass(frozen=True)
class Study:
    """A plan and what is there of it.

    Attributes:
        matrix: name, policies, methods and seeds, in their order.
        steps: of a run.
        records: of this experiment, by key.
    """

    matrix: Matrix
    steps: int
    records: Mapping[Key, Record]

    @classmethod
    def of(cls, config: Mapping[str, Any], records: Mapping[Key, Record]) -> "Study":
        """The records that belong to a configuration."""
        matrix = Matrix.of(config)
        mine = {key: r for key, r in records.items() if key[0] == matrix.name and matrix.asks_for(r)}
        return cls(matrix, config["training"]["steps"], mine)

    @cached_property
    def runs(self) -> dict[tuple[str, str, int], TrackedRun]:
        """(policy, method, seed) -> run, of all that are tracked; the initial policies left out."""
        return {key[1:]: TrackedRun(r, self.steps) for key, r in self.records.items() if key[2] != INITIAL}

    @cached_property
    def initial(self) -> dict[str, dict[str, float]]:
        """Initial policy -> its scores on the study's benchmark; those that are graded."""
        graded = {key[1]: r["scores"] for key, r in self.records.items() if key[2] == INITIAL and r.get("scores")}
        return {policy: next(iter(scores.values())) for policy, scores in graded.items()}

    @property
    def asked(self) -> int:
        """Runs of the plan."""
        return len(self.matrix.policies) * len(self.matrix.methods) * len(self.matrix.seeds)

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that count: in their order, as far as all arms have them with all policies."""
        counted = []
        for seed in self.matrix.seeds:
            if any((p, m, seed) not in self.runs for p in self.matrix.policies for m in self.matrix.methods):
                break
            counted.append(seed)
        return tuple(counted)

    def arm(self, method: str, policy: str | None = None) -> list[TrackedRun]:
        """The runs of an arm that count, by policy and seed."""
        policies = self.matrix.policies if policy is None else [policy]
        return [self.runs[p, method, s] for p in policies for s in self.seeds if (p, method, s) in self.runs]

    def counted(self) -> list[TrackedRun]:
        """The runs of all arms that count."""
        return [run for method in self.matrix.methods for run in self.arm(method)]

    def pairs(self, first: str, second: str) -> list[tuple[TrackedRun, TrackedRun]]:
        """Runs of two arms with the same policy and seed; none where the plan lacks one of the arms."""
        others = {run.pair: run for run in self.arm(second)}
        return [(run, others[run.pair]) for run in self.arm(first) if run.pair in others]


def escapes(runs: Sequence[TrackedRun]) -> int:
    """How many have escaped."""
    return sum(run.escape is not None for run in runs)
