"""``relax evidence``: docs/evidence.md, from the tracked runs alone. No number of it is typed in."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from relax.study import foresight, hypotheses
from relax.study.addition import addition_section, joined
from relax.study.arms import arms_section
from relax.study.comparisons import hypotheses_section, second_section
from relax.study.controls import controls_section, what_controls_say
from relax.study.dsd_questions import falls_first, left_under_controls, tells_beforehand
from relax.study.plan import REWARD, Study, escapes
from relax.study.tracked_runs import Key, Record
from relax.study.tuning import tuning_section
from relax.study.words import about, factor, seeds

INTRODUCTION = """\
# Evidence: does latent exploration pay?

`relax evidence --out docs/evidence.md` writes this page from the tracked runs in
[results/reference/study/](../results/README.md) alone. No number and no conclusion is typed in. The hypotheses, the
tests and the rule behind the conclusion were fixed in [study.md](study.md) before the runs.

The page uses these words:

- *GRPO* is the reinforcement learning that all arms build on. An *arm* is one way to train, and `grpo` is GRPO with
  nothing added. All arms share everything but their own settings.
- *DSD* (dynamic spectral dispersion) says how varied the motion of the model's hidden states is. It is the variance of
  the moduli of the eigenvalues, or of the singular values, of the Koopman matrix, a linear model of this motion. The
  *ridge* is the regularisation with which the matrix is fitted. DSD *on policy* is that of the responses which the
  trained policy itself writes. [method.md](method.md) has the equations.
- *Latent exploration* is the bonus on DSD that ReLaX adds to GRPO. Arms whose name begins with `relax` have it.
- *KL* is a penalty on leaving the initial policy. The arm `grpo-kl` has the penalty and no bonus.
- The *trap* is a task in which two strategies earn reward. A *chain* computes the answer step by step. A *rote* answer
  computes nothing and is right on the easy problems alone. At the start most responses are rote, and the chains have
  many mistakes, so training tends to give them up.
- A run *escapes* the trap when chains become more than half of its responses and stay so for ten steps.
- *Entropy* is that of the choice of the next token, averaged over the tokens of the responses.
- The *noisy sum* and *Countdown* are two further tasks, which serve as controls. On the noisy sum there is nothing to
  gain from exploration. On Countdown the reward itself is expected to keep entropy up.
"""
NOT_RUN = "The study has not been run: no run of it is tracked, and nothing is known yet."
TUNED = "The tracked runs are those of its tuning, which choose a value for each arm and are no result."
OUTCOMES = {
    "no trap": "No trap",
    "for": "For: latent exploration pays in this trap",
    "against": "Against: latent exploration does not pay in this trap",
    "undecided": "Undecided",
}


def to_page(
    main: Mapping[str, Any],
    controls: Mapping[str, Mapping[str, Any]],
    records: Mapping[Key, Record],
    pictures: str = "evidence",
    tuning: Mapping[str, Any] | None = None,
    added: Mapping[str, Any] | None = None,
) -> str:
    """``docs/evidence.md``.

    Args:
        main: the loaded configuration of the study.
        controls: name of a control (:mod:`relax.study.configurations`) -> its loaded configuration.
        records: all tracked runs.
        pictures: what the names of the figures begin with, in ``images/`` beside the page.
        tuning: the loaded configuration of the tuning; a section on it where runs of it are tracked.
        added: the same of the arms that were added after the first result.
    """
    study = Study.of(main, records)
    sides = {name: Study.of(config, records) for name, config in controls.items()}
    further = [own] if added and (own := Study.of(added, records)).runs else []
    tried = tuning_section(tuning, records) if tuning else ""
    tuned = [("Tuning", tried)] if tried else []
    if not study.runs and not any(side.runs for side in sides.values()):
        return _joined([("Conclusion", f"{NOT_RUN} {TUNED}" if tried else NOT_RUN), *tuned])
    parts = [("Conclusion", _conclusion(study, what_controls_say(sides), main.get("limits", [])))]
    if study.seeds:
        parts += [
            ("Arms", arms_section(study, pictures, main)),
            ("Hypotheses", hypotheses_section(study)),
            ("All comparisons", second_section(study)),
        ]
        later = addition_section(joined(main, added, records)) if added else ""
        parts += [("Arms added after the first result", later)] if later else []
    parts += [("Controls", controls_section(sides))] if sides else []
    if study.seeds:
        parts += [
            ("Curves", _curves(pictures)),
            ("Does DSD fall before entropy?", falls_first(study)),
            ("Does DSD tell who will escape?", tells_beforehand(study)),
            ("What is left under controls of KL, length and ridge", left_under_controls(study)),
        ]
    return _joined([*parts, *tuned, ("How to get the same", about([study, *sides.values(), *further]))])


def _joined(parts: Sequence[tuple[str, str]]) -> str:
    return "\n".join([INTRODUCTION, *(f"## {title}\n\n{text.strip()}\n" for title, text in parts)])


def _conclusion(study: Study, controls: Sequence[str], limits: Sequence[str]) -> str:
    verdict, asked = hypotheses.conclude(study), len(study.matrix.seeds)
    if verdict.outcome == "not run":
        return (
            f"There is none yet: {len(study.runs)} of {study.asked} runs of the study are there, and no seed has been "
            "run by all arms. Nothing follows from them."
        )
    label = OUTCOMES[verdict.outcome]
    if len(study.seeds) < asked:
        label = f"Preliminary, {len(study.seeds)} of {asked} seeds. {label}"
    parts = [
        " ".join([f"**{label}.**", *verdict.sentences]),
        " ".join(_rises(study)),
        *controls,
        " ".join(_counted(study)),
        f"The study has limits. {' '.join(limits)}" if limits else "",
    ]
    return "\n\n".join(filter(None, parts))


def _counted(study: Study) -> list[str]:
    """How many runs stand behind the conclusion, and what is missing."""
    n, policies = len(study.seeds), len(study.matrix.policies)
    words = [
        f"Each of the {len(study.matrix.methods)} arms has {n * policies} runs that count: {seeds(study.seeds)} of "
        f"{policies} initial polic{'ies' if policies > 1 else 'y'}."
    ]
    told = {
        "The number of tracked runs that do not count, since not all arms have their seeds, is {}.": len(study.runs)
        - len(study.counted()),
        "The number of runs that ended in non-finite numbers, which count as not escaped, is {}.": sum(
            run.broken for run in study.counted()
        ),
        "The number of runs that are not graded yet, whose reward and pass@16 are left out, is {}.": sum(
            not math.isfinite(run.score(REWARD)) for run in study.counted()
        ),
    }
    words += [sentence.format(count) for sentence, count in told.items() if count]
    if n < len(study.matrix.seeds):
        words.append("The p-values of a page before the last seed are not corrected for looking several times.")
    return words


def _rises(study: Study) -> list[str]:
    """A DSD that rises without escapes, said of every arm that shows it."""
    found = []
    for method, (other, spectrum) in foresight.RELAX.items():
        risen = foresight.gain(study, method, other, f"dsd/{spectrum}")
        hardly = not hypotheses.compare_arms(study, method, other, hypotheses.ESCAPES).value > 0
        if risen.verdict == "rose" and hardly:
            own, others = study.arm(method), study.arm(other)
            found.append(
                f"On policy, the DSD ({spectrum.replace('_', ' ')}) of `{method}` is {factor(risen)} times that of "
                f"`{other}` (n = {risen.n}), while {escapes(own)} of {len(own)} runs escape against {escapes(others)} "
                f"of {len(others)}."
            )
    return ["A higher DSD at the end of training does not always come with more escapes.", *found] if found else []


def _curves(pictures: str) -> str:
    return (
        "Each column of panels shows the runs of one arm, those of all initial policies together. A thin line is one "
        "run: it is solid and dark if the run escapes, and dashed and light if the run stays in the trap. A thick line "
        "is the median over the runs of either kind and is drawn from three runs on. DSD is measured at the ridge of "
        f"training. Runs that ended in non-finite numbers are not drawn.\n\n![Curves of every run by arm](images/"
        f"{pictures}-curves.png)"
    )
