"""Sections of docs/evidence.md on DSD: what falls first, what tells beforehand, what is left under controls."""

import math

from relax.evaluation.paired import holm
from relax.results.intervals import Summary
from relax.results.model import BASELINE, SPECTRA
from relax.study import foresight, hypotheses
from relax.study.plan import Study
from relax.study.words import GRAIN, NARROW, difference, factor, interval, number, p_value, table

#: Pairs below which the percentiles of a bootstrap over them are too close together to be read as 95 %.
FEW = 10


def falls_first(study: Study) -> str:
    """Does DSD fall before entropy?"""
    rows: list[list[str]] = []
    words: list[str] = []
    shown = [m for m in (BASELINE, hypotheses.KL, "relax", "relax-sv") if m in study.matrix.methods]
    for name, runs in {**{f"`{m}`": study.arm(m) for m in shown}, "all arms": study.counted()}.items():
        for spectrum in SPECTRA:
            found = foresight.early_lag(runs, spectrum)
            if found is not None:
                words += _first(found, spectrum, not words) if name == f"`{BASELINE}`" else []
                mean = f"{number(found.value, '+.2f')} at {number(found.at, '+d')}" + (
                    "" if abs(found.value) > found.band else ", in the band"
                )
                width = number(found.peak.half_width, ".1f") if found.peak.half_width > GRAIN else ""
                peak = number(found.peak.mean, "+.1f") + f" ± {width}" * bool(width)
                changes = [factor(found.entropy), factor(found.dsd)]
                rows.append([name, NARROW[spectrum], str(found.dsd.n), *changes, peak, mean])
    if not rows:
        return "No run has enough early steps."
    return (
        "A DSD that falls before entropy could warn that exploration is about to end. "
        + " ".join(words)
        + f"\n\nThe table covers the first {foresight.EARLY} steps. The columns *entropy* and *DSD* give the level at "
        "the end of these steps as a share of the level at their start, with the 95 % interval over runs. The *lag* is "
        "the shift in time at which the changes of log DSD and the changes of entropy of a run correlate most; it is "
        "positive where DSD moves first. The *mean correlation* is the largest value of the mean over runs, with the "
        "lag at which it stands. It is *in the band* where it is no larger than unrelated series leave in 95 % of "
        "draws. In the rows of all arms, runs with one seed and one initial policy share their problems and their "
        "start, so intervals and band are too narrow there. An order in time is no cause, and a DSD that does not fall "
        "cannot warn.\n\n" + table(["runs", "DSD", "n", "entropy", "DSD", "lag (steps)", "mean correlation"], rows)
    )


def _first(found: foresight.Lag, spectrum: str, begins: bool) -> list[str]:
    """The answer for ``grpo`` and one spectrum, by the intervals; it begins with entropy."""
    first = "no order in time is seen"
    if abs(found.value) > found.band and found.at:
        first = "DSD moves first" if found.at > 0 else "entropy moves first"
    words = [f"DSD of {spectrum.replace('_', ' ')} {_moved(found.dsd)} of its level at the start, and {first}."]
    return [f"Under `{BASELINE}`, entropy {_moved(found.entropy)} of its level at the start."] * begins + words


def _moved(logs: Summary) -> str:
    return {"fell": "falls to ", "rose": "rises to "}.get(logs.verdict, "shows no clear change and is at ") + factor(
        logs
    )


def tells_beforehand(study: Study) -> str:
    """Does early DSD tell who will escape?"""
    found = foresight.foresight(study)
    if not any(f.pairs for f in found):
        return (
            f"Of the runs that have not escaped by step {foresight.ASKED[0]}, no arm has both kinds from one initial "
            "policy, so nothing can be told apart within them."
        )
    names = list(dict.fromkeys(f.name for f in found))
    by = {(f.name, f.step): f for f in found}
    rows = [[name, *(cell for step in foresight.ASKED for cell in _auc(by[name, step]))] for name in names]
    asked = [f for f in found if f.name.startswith("DSD") and f.pairs]
    told = [
        f"{f.name}, at step {f.step}, where the run with the {'higher' if f.auc > 0.5 else 'lower'} value escapes"
        for f, p in zip(asked, holm([f.p_value for f in asked]), strict=True)
        if p <= hypotheses.LEVEL
    ]
    listing = "\n".join(["", "", *(f"- {reading}." for reading in told)]) if told else ""
    words = (
        f"DSD was read in {len(asked)} ways before the runs escape. After Holm's correction over these readings, "
        f"{len(told) or 'none'} tell{'s' * (len(told) <= 1)} runs that escape from runs that stay"
        f"{':' if told else '.'}{listing}\n\n"
    )
    return (
        words
        + "AUC is the chance that, of two runs, the one that escapes later in training has the higher value. Both runs "
        "are of one arm and one initial policy and have not escaped by the step. An AUC of 0.5 is chance, and below "
        "it the run with the lower value escapes. The p-value is that of a permutation within arm and policy, not "
        "corrected. The column *runs* counts the runs that have not escaped yet, of arms with runs of both kinds, and "
        "how many of them escape. Probes are read where they were last measured before the step. The share of chains "
        "and entropy are logged by any training, so DSD is of use beyond them only where it does better.\n\n"
        + table(["measure", *(c for s in foresight.ASKED for c in (f"AUC, step {s}", "p", "runs"))], rows)
    )


def _auc(found: foresight.Foresight) -> list[str]:
    if not found.pairs:
        return ["", "", ""]
    return [f"{found.auc:.2f}", p_value(found.p_value), f"{found.runs}, {found.later} escape"]


def left_under_controls(study: Study) -> str:
    """What is left when KL, length and ridge are controlled for."""
    pairs = [("relax-sv", "relax-sv-no-kl"), ("relax-sv-no-kl", BASELINE), ("relax-sv-kl", hypotheses.KL)]
    pairs = [pair for pair in pairs if study.pairs(*pair)]
    kl = [[f"`{a}`", f"`{b}`", difference(hypotheses.compare_arms(study, a, b, hypotheses.ESCAPES))] for a, b in pairs]
    gains = []
    for method, (other, spectrum) in foresight.RELAX.items():
        if study.pairs(method, other):
            found = [foresight.gain(study, method, other, column(spectrum)) for column in foresight.KINDS.values()]
            gains.append([f"`{method}`, {NARROW[spectrum]}", f"`{other}`", *map(factor, found)])
    ties, step = [], foresight.ASKED[-1]
    columns = {f"DSD {NARROW[s]}, {words}": make(s) for s in SPECTRA for words, make in foresight.KINDS.items()}
    for name, column in (columns | {"length": "length"}).items():
        value, *counts = foresight.tied(study, column, step)
        if math.isfinite(value.value):
            ties.append([name, interval(value.value, value.low, value.high), *map(str, counts)])
    return (
        "The first table gives the difference in the share of runs that escape between arms with and without the KL. "
        "The runs are paired, and the interval is a 95 % interval.\n\n"
        + table(["arm", "against", "difference"], kl)
        + "\nThe second table gives DSD at the end of training as a multiple of that of the other arm, with its 95 % "
        "interval. DSD is measured on policy, on policy over windows of one length (*matched length*), and on the "
        "probes, at the ridge of training where the column names no other. A gain that is seen at the training ridge "
        "alone is no change of the dynamics. A gain that is gone at matched length was one of length. A gain that is "
        "seen on policy and not on the probes is a change of what is written.\n\n"
        + table(["arm", "against", *foresight.KINDS], gains)
        + (
            "\nThe third table gives the rank correlation of a measure with the step of escape, within arm and policy, "
            f"at step {step}, over the runs that have not escaped by then. A negative correlation says that a higher "
            "value goes with an earlier escape. The interval is a bootstrap over pairs of policy and seed, and is too "
            f"narrow with fewer than {FEW} pairs.\n\n" + table(["at that step", "correlation", "runs", "pairs"], ties)
            if ties
            else "\nNo two runs of one arm and one initial policy have different steps of escape after step "
            f"{step}, so there is nothing to correlate DSD with.\n"
        )
        + "\nNone of these tables can tell a cause. KL is measured only in the arms that have one. Length and "
        "strategy go together. Arms that differ in one term differ in everything that follows from this term."
    )
