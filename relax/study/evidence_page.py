"""``relax evidence``: docs/evidence.md, from the tracked runs alone. No number of it is typed in."""

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from relax import config
from relax.files import of_the_clone
from relax.results.model import SPECTRA
from relax.study import foresight, hypotheses
from relax.study.controls import COUNTDOWN, NOISY, controls_section, what_controls_say
from relax.study.dsd_questions import falls_first, left_under_controls, tells_beforehand
from relax.study.plan import HARD, REWARD, Run, Study, escapes
from relax.study.tracked_runs import Key, Record
from relax.study.tuning import tuning_section
from relax.study.words import NARROW, about, difference, factor, mean_score, number, p_value, seeds, share, table

INTRODUCTION = """\
# Evidence: does latent exploration pay?

Written by `relax evidence --out docs/evidence.md` from the tracked runs in
[results/reference/study/](../results/README.md) alone; no number and no conclusion is typed in. Hypotheses, tests and
the rule behind the conclusion are those of [study.md](study.md), fixed before the runs.
"""
NOT_RUN = "The study has not been run: no run of it is tracked, and nothing is known yet."
TUNED = "What is tracked are runs of its tuning, which choose a value for each arm and are no result."
OUTCOMES = {
    "no trap": "No trap",
    "for": "For: latent exploration pays in this trap",
    "against": "Against: latent exploration does not pay in this trap",
    "undecided": "Undecided",
}
#: The configurations behind the page, each over config/config.yaml.
STUDY = ("study.yaml",)
TUNING = (*STUDY, "study_tuning.yaml")
CONTROLS = {NOISY: (*STUDY, "study_noisy_sum.yaml"), COUNTDOWN: (*STUDY, "study_countdown.yaml")}
#: Column of the training's log -> words.
DSDS = {"dsd": "DSD", "probe": "probes"}
#: Words -> column and format of what explains the measures beside reward, entropy and DSD (docs/study.md).
EXPLAIN = {
    "chains": ("strategy/chain", ".2f"),
    "rote": ("strategy/rote", ".2f"),
    "neither": ("strategy/neither", ".2f"),
    "length": ("length", ".1f"),
    **{f"DSD, {NARROW[s]}, ridge 0.1": (f"dsd/{s}/ridge_0.1", "#.3g") for s in SPECTRA},
}


def configurations(files: Sequence[Path] = ()) -> tuple[config.Config, dict[str, config.Config]]:
    """The loaded configuration of the study and those of its controls; with files, theirs and no control."""
    if files:
        return _loaded([path.absolute() for path in files]), {}
    return _loaded(STUDY), {name: _loaded(names) for name, names in CONTROLS.items()}


def tuning_plan() -> config.Config:
    """The loaded configuration of the tuning."""
    return _loaded(TUNING)


def _loaded(names: Sequence[str | Path]) -> config.Config:
    # Not config.over_base: that is the base of the folder the pipeline runs in, and the page is made from any folder.
    return config.load(
        [of_the_clone("config/config.yaml").parent / name for name in ("config.yaml", *names)]
    ).recorded()


def to_page(
    main: Mapping[str, Any],
    controls: Mapping[str, Mapping[str, Any]],
    records: Mapping[Key, Record],
    pictures: str = "evidence",
    tuning: Mapping[str, Any] | None = None,
) -> str:
    """``docs/evidence.md``.

    Args:
        main: the loaded configuration of the study.
        controls: ``noisy sum`` and ``Countdown`` -> their loaded configurations.
        records: all tracked runs.
        pictures: what the names of the figures begin with, in ``images/`` beside the page.
        tuning: the loaded configuration of the tuning; a section on it where runs of it are tracked.
    """
    study = Study.of(main, records)
    sides = {name: Study.of(config, records) for name, config in controls.items()}
    tried = tuning_section(tuning, records) if tuning else ""
    tuned = [("Tuning", tried)] if tried else []
    if not study.runs and not any(side.runs for side in sides.values()):
        return _joined([("Conclusion", f"{NOT_RUN} {TUNED}" if tried else NOT_RUN), *tuned])
    parts = [("Conclusion", _conclusion(study, what_controls_say(sides), main.get("limits", [])))]
    if study.seeds:
        parts += [
            ("Arms", _arms(study, pictures, _other_dsd(main))),
            ("Hypotheses", _hypotheses(study)),
            ("All comparisons", _second(study)),
        ]
    parts += [("Controls", controls_section(sides))] if sides else []
    if study.seeds:
        parts += [
            ("Curves", _curves(pictures)),
            ("Does DSD fall before entropy?", falls_first(study)),
            ("Does DSD tell who will escape?", tells_beforehand(study)),
            ("What is left under controls of KL, length and ridge", left_under_controls(study)),
        ]
    return _joined([*parts, *tuned, ("How to get the same", about([study, *sides.values()]))])


def _joined(parts: Sequence[tuple[str, str]]) -> str:
    return "\n".join([INTRODUCTION, *(f"## {title}\n\n{text.strip()}\n" for title, text in parts)])


def _conclusion(study: Study, controls: Sequence[str], limits: Sequence[str]) -> str:
    verdict, asked = hypotheses.conclude(study), len(study.matrix.seeds)
    if verdict.outcome == "not run":
        return (
            f"Not yet: {len(study.runs)} of {study.asked} runs of the study are there, and no seed has been run by "
            "all arms. Nothing follows from them."
        )
    n, policies = len(study.seeds), len(study.matrix.policies)
    counted = n * policies
    label = OUTCOMES[verdict.outcome]
    if n < asked:
        label = f"Preliminary, {n} of {asked} seeds. {label}"
    words = [
        f"Runs that count: {counted} of each of {len(study.matrix.methods)} arms, {seeds(study.seeds)} of "
        f"{policies} initial polic{'ies' if policies > 1 else 'y'}."
    ]
    told = {
        "Tracked runs that do not count, since not all arms have their seeds": len(study.runs) - len(study.counted()),
        "Runs that ended in non-finite numbers and count as not escaped": sum(run.broken for run in study.counted()),
        "Runs that are not graded yet, so that their reward and pass@16 are left out": sum(
            not math.isfinite(run.score(REWARD)) for run in study.counted()
        ),
    }
    words += [f"{what}: {count}." for what, count in told.items() if count]
    words += (
        [
            "Pages before the last seed are reports on the way: their p-values are not corrected for looking several "
            "times."
        ]
        if n < asked
        else []
    )
    parts = [" ".join([f"**{label}.**", *verdict.sentences, *_rises(study)]), " ".join(controls), " ".join(words)]
    parts += ["What this cannot say: " + " ".join(limits)] if limits else []
    return "\n\n".join(filter(None, parts))


def _rises(study: Study) -> list[str]:
    """A DSD that rises without escapes, said of every arm that shows it."""
    found = []
    for method, (other, spectrum) in foresight.RELAX.items():
        risen = foresight.gain(study, method, other, f"dsd/{spectrum}")
        hardly = not hypotheses.compare_arms(study, method, other, hypotheses.ESCAPES).value > 0
        if risen.verdict == "rose" and hardly:
            own, others = study.arm(method), study.arm(other)
            found.append(
                f"`{method}` {factor(risen)} times that of `{other}` ({spectrum.replace('_', ' ')}, n = {risen.n}; "
                f"{escapes(own)} of {len(own)} runs escape against {escapes(others)} of {len(others)})"
            )
    return [f"A higher DSD at the end without more escapes, on policy: {'; '.join(found)}."] if found else []


def _other_dsd(main: Mapping[str, Any]) -> str:
    """That DSD of some arms is of another size because it is measured in another way; empty without such arms."""
    arms = {m: main["methods"].get(m, {}) for m in main["matrix"]["methods"]}
    own = [f"`{m}`" for m, a in arms.items() if any(a.get(key) is not None for key in ("koopman_dim", "dsd_window"))]
    return f" DSD of {', '.join(own)} has a dimension or windows of its own: not to be compared." if own else ""


def _arms(study: Study, pictures: str, note: str) -> str:
    policies = study.matrix.policies
    left, ends = [], []
    for method in study.matrix.methods:
        runs = study.arm(method)
        gone, stay = [r for r in runs if r.escape is not None], [r for r in runs if r.escape is None]
        steps = f"{statistics.median(r.step for r in gone):g}" if gone else "none"
        shares = [share(study.arm(method, policy)) for policy in policies] if len(policies) > 1 else []
        left.append([f"`{method}`", str(len(runs)), *shares, share(runs), steps])
        scores = [mean_score(some, name) for some, name in ((gone, REWARD), (stay, REWARD), (runs, HARD))]
        wide = (_end(runs, f"{kind}/{s}", "#.3g") for kind in DSDS for s in SPECTRA)
        ends.append([f"`{method}`", *scores, _end(runs, "entropy", ".3f"), *wide])
    further = [
        [f"`{method}`", *(_end(study.arm(method), name, spec) for name, spec in EXPLAIN.values())]
        for method in study.matrix.methods
    ]
    start = "; ".join(
        f"{policy}: reward {scores[REWARD]:.2f}, pass@16 on hard problems {scores[HARD]:.2f}"
        for policy, scores in study.initial.items()
    )
    names = policies if len(policies) > 1 else []
    titles = [f"{words}, {NARROW[s]}" for words in DSDS.values() for s in SPECTRA]
    return (
        table(["arm", "runs", *names, "escaped", "median step"], left)
        + "\nRuns that leave the trap, of all that count, with the Clopper-Pearson 95 % interval of the share; by "
        "initial policy and together. Median step: of the runs that escape.\n\n"
        f"![Share of runs that escape](images/{pictures}-escapes.png)\n\n"
        + table(["arm", "reward, escaped", "reward, trapped", "pass@16 hard", "entropy", *titles], ends)
        + "\n"
        + table(["arm", *EXPLAIN], further)
        + "\nMeans over runs. Reward: mean@16 after training. All but reward and pass@16: last tenth of the steps. "
        "Entropy: nats per token. Chains, rote, neither: shares of the responses. Length: tokens. DSD: ridge of "
        "training where no other is named, eig: eigenvalues, sv: singular values. Probes: fixed responses of the "
        "initial policy. "
        "An escaped run is made of chains, a trapped one of rote answers, so DSD differs between arms by "
        f"their escapes as well.{note}{f' Initial policies: {start}.' if start else ''}"
    )


def _end(runs: Sequence[Run], name: str, spec: str) -> str:
    known = [v for run in runs if math.isfinite(v := run.end(name))]
    return number(statistics.fmean(known), spec) if known else ""


def _hypotheses(study: Study) -> str:
    rows = []
    for name, test in hypotheses.confirmatory(study).items():
        arms = [f"`{test.first}`", f"`{test.second}`", test.measure]
        ps = [p_value(test.p_value), p_value(test.p_corrected)]
        rows.append([name, *arms, difference(test), str(test.differ), str(test.n), *ps, "yes" if test.holds else "no"])
    titles = ["", "arm", "against", "measure", "difference", "differ", "pairs", "p", "p, Holm", "holds"]
    return table(titles, rows) + (
        "\nPaired by initial policy and seed; differ: pairs that do. Escapes: exact McNemar test; the interval of the "
        "difference is that of two Clopper-Pearson intervals with Bonferroni's correction. Steps: sign-flip test, a "
        f"run that stays counts as {study.steps + 1}; Student's interval, none where all pairs differ alike. Holds: p "
        f"after Holm's correction of at most {hypotheses.LEVEL:g}, in the direction of the hypothesis."
    )


def _second(study: Study) -> str:
    family = hypotheses.second_family(study)
    if not family:
        return "The plan has no other arms."
    found = {(t.first, t.second, t.measure): t for t in family}
    rows = []
    for first, second in dict.fromkeys((t.first, t.second) for t in family):
        cells = []
        for measure in (hypotheses.ESCAPES, hypotheses.STEPS, hypotheses.PASS):
            test = found.get((first, second, measure))
            cells += [difference(test).partition(" (")[0], p_value(test.p_corrected)] if test else ["above", ""]
        rows.append([f"`{first}`", f"`{second}`", *cells])
    titles = ["arm", "against", "escapes", "p", "step", "p", "pass@16 hard", "p"]
    return table(titles, rows) + (
        f"\nMean paired differences; p after Holm's correction over the {len(family)} tests of this table. Above: in "
        f"the confirmatory family. At most {hypotheses.LEVEL:g}: "
        f"{sum(t.p_corrected <= hypotheses.LEVEL for t in family)} of them, "
        f"{sum(t.p_value <= hypotheses.LEVEL for t in family)} before correction."
    )


def _curves(pictures: str) -> str:
    return (
        f"![Curves of every run by arm](images/{pictures}-curves.png)\n\nThin: a run, solid and dark if it escapes, "
        "dashed and light if it stays. Thick: the median over the runs of either kind, from three runs on. All initial "
        "policies together; ridge of training. Runs that ended in non-finite numbers are not drawn."
    )
