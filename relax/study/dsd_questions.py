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
    rows = []
    words: list[str] = []
    shown = [m for m in (BASELINE, hypotheses.KL, "relax", "relax-sv") if m in study.matrix.methods]
    for name, runs in {**{f"`{m}`": study.arm(m) for m in shown}, "all arms": study.counted()}.items():
        for spectrum in SPECTRA:
            found = foresight.lag(runs, spectrum)
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
        " ".join(words)
        + "\n\n"
        + table(["runs", "DSD", "n", "entropy", "DSD", "lag (steps)", "mean correlation"], rows)
        + (
            f"\nFirst {foresight.EARLY} steps. Entropy and DSD: level at their end over that at their start, "
            "95 % interval over runs. Lag: where the changes of log DSD and of entropy of a run correlate most; "
            "positive: DSD moves first. Mean correlation: largest value of the mean over runs and its lag; in the band: "
            "no larger than "
            "unrelated series leave in 95 % of draws. All arms: their runs with one seed and initial policy share "
            "problems and start, so intervals and band are too narrow there. An order in time is no cause, and a DSD "
            "that does not fall cannot warn."
        )
    )


def _first(found: foresight.Lag, spectrum: str, begins: bool) -> list[str]:
    """The answer for ``grpo`` and one spectrum, by the intervals; it begins with entropy."""
    first = "no order in time is seen"
    if abs(found.value) > found.band and found.at:
        first = "DSD moves first" if found.at > 0 else "entropy moves first"
    words = [f"DSD ({spectrum.replace('_', ' ')}) {_moved(found.dsd)}; {first}."]
    return [f"Under `{BASELINE}` entropy {_moved(found.entropy)} of its level at the start."] * begins + words


def _moved(logs: Summary) -> str:
    return {"fell": "falls to ", "rose": "rises to "}.get(logs.verdict, "shows no clear change: ") + factor(logs)


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
        f"{f.name}, step {f.step} (the {'higher' if f.auc > 0.5 else 'lower'} escapes)"
        for f, p in zip(asked, holm([f.p_value for f in asked]), strict=True)
        if p <= hypotheses.LEVEL
    ]
    words = (
        f"Of {len(asked)} readings of DSD, {len(told) or 'none'} tell{'s' * (len(told) == 1)} escape apart after "
        f"Holm's correction over them{': ' * bool(told)}{'; '.join(told)}.\n\n"
    )
    return (
        words
        + table(["measure", *(c for s in foresight.ASKED for c in (f"AUC, step {s}", "p", "runs"))], rows)
        + (
            "\nAUC: chance that, of two runs of one arm and initial policy that have not escaped by the step, the one "
            "that escapes later has the higher value; 0.5 is chance, below it the lower value escapes. p: permutation "
            "within arm and policy, not corrected. Runs: not yet escaped, of arms with runs of both kinds, "
            "and how many of them escape. Probes: the last measured before the step. Share of chains and entropy are "
            "what any training logs: DSD is of use beyond them where it does better."
        )
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
        "Escapes with and without the KL (share of runs, paired, 95 % interval):\n\n"
        + table(["arm", "against", "difference"], kl)
        + "\nDSD at the end over that of the other arm (95 % interval):\n\n"
        + table(["arm", "against", *foresight.KINDS], gains)
        + "\nA gain that only the training ridge sees is no change of dynamics; one that is gone at matched length was "
        "length; one on policy and not on probes is a change of what is written.\n\n"
        + (
            f"Rank correlation with the step of escape within arm and policy, at step {step}, runs not yet escaped "
            "(negative: the higher, the earlier; bootstrap over pairs of policy and seed, too narrow with fewer than "
            f"{FEW}):\n\n" + table(["at that step", "correlation", "runs", "pairs"], ties)
            if ties
            else "No two runs of one arm and "
            f"initial policy have different steps of escape after step {step}, so there is nothing to correlate DSD "
            "with.\n"
        )
        + "\nThis cannot tell a cause: KL is measured only in arms that have one, length and strategy go together, and "
        "arms that differ in one term differ in all that follows from it."
    )
