"""The controls of the study (docs/study.md): what exploration costs where it gains nothing, and is Countdown one?"""

import math
from collections.abc import Mapping, Sequence

from relax.results.findings import listed
from relax.results.intervals import Summary, summarise
from relax.results.model import BASELINE
from relax.study.hypotheses import LEVEL, Test, compare_reward
from relax.study.plan import GREEDY, REWARD, SOLVED, Run, Study
from relax.study.words import difference, factor, mean_score, number, p_value, table

NOISY, COUNTDOWN = "noisy sum", "Countdown"
THE = {NOISY: "the noisy sum", COUNTDOWN: COUNTDOWN}


def what_controls_say(sides: Mapping[str, Study]) -> list[str]:
    """Sentences for the conclusion, of controls that are run whole."""
    whole = {name: study for name, study in sides.items() if _whole(study)}
    said = []
    if NOISY in whole and (tests := _compared(whole[NOISY])):
        paid = [t for t in tests if _pays(t)]
        end = f"{'ends' if len(paid) == 1 else 'end'} with less reward than `{BASELINE}` and so "
        end += "pays for its exploration" if len(paid) == 1 else "pay for their exploration"
        said.append(
            f"Where there is nothing to gain (noisy sum, {_how(whole[NOISY])}) "
            + (f"{_named(paid)} {end}." if paid else f"no arm is shown to end with less reward than `{BASELINE}`.")
        )
    stays = _stays(*_kept_of(whole)) if len(whole) == len(THE) else None
    if stays is False:
        said.append("Countdown is no such control as was meant and counts as none.")
    if stays and (tests := _compared(whole[COUNTDOWN])):
        less, more = (_named([t for t in tests if t.p_value <= LEVEL and side * t.value > 0]) for side in (-1, 1))
        said.append(
            f"Where entropy stays by itself (Countdown, {_how(whole[COUNTDOWN])}) "
            + (
                f"less reward than `{BASELINE}` has: {less or 'none'}; more: {more or 'none'}."
                if less or more
                else f"no arm is shown to differ from `{BASELINE}`."
            )
        )
    return said


def _compared(study: Study) -> list[Test]:
    """Every other arm against ``grpo``; empty where a run is not graded yet."""
    tests = [compare_reward(study, m) for m in study.matrix.methods if m != BASELINE]
    return tests if all(t.n == len(study.seeds) for t in tests) else []


def _named(tests: Sequence[Test]) -> str:
    """The arms and their differences; empty for no test."""
    return listed([f"`{t.first}` ({number(t.value, '+.3f')})" for t in tests]) if tests else ""


def _how(study: Study) -> str:
    return f"sampled responses, {len(study.seeds)} seeds, not corrected"


def controls_section(sides: Mapping[str, Study]) -> str:
    """Reward of every arm less that of ``grpo``, and whether entropy on Countdown stays."""
    ready = {name: study for name, study in sides.items() if study.seeds}
    words = [
        f"{name[0].upper()}{name[1:]}: not run by all arms yet, {len(study.runs)} of {study.asked} runs."
        for name, study in sides.items()
        if name not in ready
    ]
    if not ready:
        return " ".join(words)
    titles = (title for name in ready for title in (name, "p", "greedy", "pass@16"))
    rows = []
    if any(study.initial for study in ready.values()):
        rows.append(["initial policy", *(c for study in ready.values() for c in ("", "", *_initial(study)[1:]))])
    for method in dict.fromkeys(m for study in ready.values() for m in study.matrix.methods):
        cells = []
        for name, study in ready.items():
            found, runs = compare_reward(study, method), study.arm(method)
            pays = ", pays" if _pays(found) and name == NOISY else ""
            cells += ["", ""] if method == BASELINE else [difference(found), p_value(found.p_value) + pays]
            cells += [mean_score(runs, GREEDY), mean_score(runs, SOLVED)]
        rows.append([f"`{method}`", *cells])
    base = []
    for name, study in ready.items():
        before = f"; initial policy {_initial(study)[0]}" if study.initial else ""
        least = 2.0 ** (1 - len(study.arm(BASELINE)))
        of = f"(n = {len(study.seeds)} of {len(study.matrix.seeds)}, so no p is below {least:.2g}{before})"
        base.append(f"{mean_score(study.arm(BASELINE), REWARD)} on {THE[name]} {of}")
    words.append(
        f"Reward after training (mean@16) less that of `{BASELINE}`, which has {' and '.join(base)}; 95 % interval and "
        "sign-flip test over seeds, not corrected. Pays: less reward where there is nothing to gain. Greedy (share of "
        "the problems solved) and pass@16: means over seeds, not tested."
    )
    text = table(["arm", *titles], rows) + "\n" + " ".join(words)
    return text + (f"\n\n{_entropy(ready)}" if len(ready) == len(THE) else "")


def _initial(study: Study) -> list[str]:
    """Reward, greedy accuracy and pass@16 of the initial policy, if it is graded; a control has one."""
    scores = next(iter(study.initial.values()), {})
    return [number(scores.get(name, math.nan)) for name in (REWARD, GREEDY, SOLVED)]


def _whole(study: Study) -> bool:
    return len(study.seeds) == len(study.matrix.seeds)


def _pays(test: Test) -> bool:
    return test.value < 0 and test.p_value <= LEVEL


def _kept_of(studies: Mapping[str, Study]) -> tuple[Summary, Summary]:
    """What is left of the entropy of ``grpo``, as logarithms: on the noisy sum and on Countdown."""
    noisy, countdown = (
        summarise(left for run in studies[name].arm(BASELINE) if math.isfinite(left := _kept(run)))
        for name in (NOISY, COUNTDOWN)
    )
    return noisy, countdown


def _kept(run: Run) -> float:
    """Logarithm of entropy at the end over that of the first generation."""
    first = next(iter(run.curve("entropy")[1]), math.nan)
    return math.log(run.end("entropy") / first) if first > 0 and run.end("entropy") > 0 else math.nan


def _stays(noisy: Summary, countdown: Summary) -> bool | None:
    """Is more of it left on Countdown? None where one of them has fewer than two runs."""
    return countdown.low > noisy.high if min(noisy.n, countdown.n) > 1 else None


def _entropy(studies: Mapping[str, Study]) -> str:
    """Is Countdown the control that it was meant to be? Said of all seeds, or of those so far."""
    noisy, countdown = _kept_of(studies)
    stays = _stays(noisy, countdown)
    if stays is None:
        return f"Entropy of `{BASELINE}` on Countdown and on the noisy sum is compared once each has two runs of it."
    so_far = "" if all(map(_whole, studies.values())) else "so far "
    said = (
        "it stays higher, as was expected of the control"
        if stays
        else ("it is not clearly higher on Countdown, which is then no such control and counts as none")
    )
    return (
        f"Entropy of `{BASELINE}` at the end over that at the start: {factor(countdown)} on Countdown "
        f"(n = {countdown.n}), {factor(noisy)} on the noisy sum (n = {noisy.n}); {so_far}{said}."
    )
