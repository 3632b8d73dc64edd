"""How the coefficients of the arms were chosen (docs/study.md, "Tuning"), from the tracked runs of the tuning."""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relax.study.plan import Study, escapes
from relax.study.tracked_runs import DIGITS, Key, Record
from relax.study.words import number, table

LOW, MIDDLE, HIGH = "-low", "", "-high"
#: Steps at the end whose share of chains decides between values with as many escapes.
LAST = 10
#: Shares that differ by no more are equal: each comes from tracked numbers, which are rounded.
EQUAL = 2 * 10.0**-DIGITS


@dataclass(frozen=True)
class Tried:
    """One value of a coefficient.

    Attributes:
        value: of the coefficient.
        runs: that are tracked.
        escapes: of them.
        chains: mean share of chains in the last ten steps, over runs; a run that broke down has none. NaN without a
            run.
        middle: is it the one that is taken where nothing decides?
    """

    value: float
    runs: int
    escapes: int
    chains: float
    middle: bool


@dataclass(frozen=True)
class Choice:
    """An arm, the key of its coefficient, and its values from low to high; all runs of each are there."""

    arm: str
    key: str
    tried: tuple[Tried, ...]

    @property
    def chosen(self) -> Tried:
        """The most escapes; if equal, the larger share of chains; if equal, the middle (or, without it, the lower)."""
        most = max(t.escapes for t in self.tried)
        chains = max(t.chains for t in self.tried if t.escapes == most)
        best = [t for t in self.tried if t.escapes == most and t.chains >= chains - EQUAL]
        return next((t for t in best if t.middle), best[0])


def choices(config: Mapping[str, Any], records: Mapping[Key, Record]) -> list[Choice]:
    """The arms of which every value has all its runs.

    Args:
        config: the loaded configuration of the tuning, where an arm stands beside ``<arm>-low`` and ``<arm>-high``.
        records: all tracked runs.
    """
    study, methods = Study.of(config, records), config["methods"]
    found = []
    for arm in config["matrix"]["methods"]:
        names = [arm + end for end in (LOW, MIDDLE, HIGH)]
        if not {*names} <= {*methods}:
            continue
        low, high = methods[names[0]], methods[names[2]]
        (key,) = (key for key in low if low[key] != high[key])
        tried = [_tried(study, name, methods[name][key], name == arm) for name in names]
        if all(t.runs == len(study.matrix.policies) * len(study.matrix.seeds) for t in tried):
            found.append(Choice(arm, key, tuple(tried)))
    return found


def _tried(study: Study, method: str, value: float, middle: bool) -> Tried:
    runs = [run for (_, name, _), run in study.runs.items() if name == method]
    shares = [0.0 if run.broken else _end(run.curve("strategy/chain"), run.steps) for run in runs]
    return Tried(value, len(runs), escapes(runs), statistics.fmean(shares) if shares else math.nan, middle)


def _end(curve: tuple[list[int], list[float]], steps: int) -> float:
    """Of a curve; a share that is not known counts as none."""
    last = [value for step, value in zip(*curve, strict=True) if step > steps - LAST]
    return statistics.fmean(value if math.isfinite(value) else 0.0 for value in last) if last else 0.0


def tuning_section(config: Mapping[str, Any], records: Mapping[Key, Record]) -> str:
    """How many of the tuning's runs are tracked, and the arms that have all of theirs; empty without any."""
    study, found = Study.of(config, records), choices(config, records)
    if not study.runs:
        return ""
    methods = study.matrix.methods
    waiting = [f"`{m}`" for m in methods if m + LOW in methods and m not in {c.arm for c in found}]
    text = f"{len(study.runs)} of {study.asked} runs are tracked."
    if waiting:
        text += (
            f" A value is chosen once all runs of its arm are there. Arms that still lack runs: {', '.join(waiting)}."
        )
    return f"{text}\n\n{tuning_table(found)}" if found else text


def tuning_table(found: list[Choice]) -> str:
    """One row an arm: each value with its escapes and its share of chains, the chosen one in bold."""

    def cell(choice: Choice, tried: Tried) -> str:
        value = f"**{tried.value:g}**" if tried == choice.chosen else f"{tried.value:g}"
        return f"{value}: {tried.escapes}, {number(tried.chains, '.4f')}"

    rows = [[f"`{c.arm}`", f"`{c.key}`", *(cell(c, t) for t in c.tried)] for c in found]
    return (
        "One coefficient of each arm was tried at three values before the study. Behind each value stand the escapes "
        f"of its {found[0].tried[0].runs} runs and the share of chains in the last {LAST} steps. The chosen value is "
        "in bold. The runs, their policy and their seeds are no part of the study. Two short runs say little about one "
        "value. Where no run escapes, a few responses decide.\n\n"
        + table(["arm", "coefficient", "low", "middle", "high"], rows)
    )
