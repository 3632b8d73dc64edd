"""The controls of the study (docs/study.md): what exploration costs where it gains nothing, and is Countdown one?"""

import math
from collections.abc import Mapping, Sequence

from relax.results.findings import listed
from relax.results.intervals import Summary, summarise
from relax.results.model import BASELINE
from relax.study.configurations import COUNTDOWN, NOISY
from relax.study.hypotheses import LEVEL, Test, compare_reward
from relax.study.plan import GREEDY, REWARD, SOLVED, Study, TrackedRun
from relax.study.words import difference, factor, mean_score, number, p_value, table

#: Of entropy, where Countdown is not the control that it was to be.
NO_CONTROL = "is not clearly higher on Countdown, which is then not the control that was meant and counts as none"
THE = {NOISY: "the noisy sum", COUNTDOWN: COUNTDOWN}


def what_controls_say(sides: Mapping[str, Study]) -> list[str]:
    """Sentences for the conclusion, of controls that are run whole."""
    whole = {name: study for name, study in sides.items() if _whole(study)}
    said = []
    if NOISY in whole and (tests := _compared(whole[NOISY])):
        paid = [t for t in tests if _pays(t)]
        told = f"{_ends(paid, 'less')} and so {'pay' if len(paid) > 1 else 'pays'} for exploration"
        if not paid:
            told = f"no arm is shown to end with less reward than `{BASELINE}`"
        said.append(f"On the noisy sum there is nothing to gain from exploration. There {told}. {_how(whole[NOISY])}")
    stays = _stays(*_kept_of(whole)) if len(whole) == len(THE) else None
    if stays is False:
        said.append(f"Entropy {NO_CONTROL}.")
    if stays and (tests := _compared(whole[COUNTDOWN])):
        less, more = ([t for t in tests if t.p_value <= LEVEL and side * t.value > 0] for side in (-1, 1))
        told = f"{_ends(less, 'less')}, and {_ends(more, 'more')}"
        if not less and not more:
            told = f"no arm is shown to differ from `{BASELINE}` in reward"
        said.append(f"On Countdown entropy stays up by itself. There {told}. {_how(whole[COUNTDOWN])}")
    return said


def _ends(tests: Sequence[Test], side: str) -> str:
    """Who ends with less, or more, reward than ``grpo``."""
    who = _named(tests) if tests else "no arm"
    return f"{who} {'end' if len(tests) > 1 else 'ends'} with {side} reward than `{BASELINE}`"


def _compared(study: Study) -> list[Test]:
    """Every other arm against ``grpo``; empty where a run is not graded yet."""
    tests = [compare_reward(study, m) for m in study.matrix.methods if m != BASELINE]
    return tests if all(t.n == len(study.seeds) for t in tests) else []


def _named(tests: Sequence[Test]) -> str:
    """The arms and their differences; empty for no test."""
    return listed([f"`{t.first}` ({number(t.value, '+.3f')})" for t in tests]) if tests else ""


def _how(study: Study) -> str:
    return (
        f"The reward is that of sampled responses after training, from {len(study.seeds)} seeds, and the tests are not "
        "corrected for their number."
    )


def controls_section(sides: Mapping[str, Study]) -> str:
    """Reward of every arm less that of ``grpo``, and whether entropy on Countdown stays."""
    ready = {name: study for name, study in sides.items() if study.seeds}
    words = [
        f"{THE[name][0].upper()}{THE[name][1:]} has not been run by all arms yet: {len(study.runs)} of {study.asked} "
        "runs are there."
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
    words += [
        f"The table gives the reward after training (mean@16) of every arm minus that of `{BASELINE}`.",
        *(_reference(name, study) for name, study in ready.items()),
        "Intervals are 95 % intervals, and p is that of a sign-flip test over seeds; neither is corrected for the "
        "number of arms. The word *pays* marks less reward than `grpo` where there is nothing to gain. The column "
        "*greedy* is the share of the problems that the likeliest response solves. Greedy and pass@16 are means over "
        "seeds and are not tested.",
    ]
    text = " ".join(words) + "\n\n" + table(["arm", *titles], rows)
    return text + (f"\n{_entropy(ready)}" if len(ready) == len(THE) else "")


def _reference(name: str, study: Study) -> str:
    """What ``grpo`` and the initial policy have in reward on a control, and how small a p can be."""
    before = f", and that of the initial policy is {_initial(study)[0]}" if study.initial else ""
    least = 2.0 ** (1 - len(study.arm(BASELINE)))
    return (
        f"On {THE[name]} the reward of `{BASELINE}` is {mean_score(study.arm(BASELINE), REWARD)}{before}. With "
        f"n = {len(study.seeds)} of {len(study.matrix.seeds)} seeds, no p can be below {least:.2g}."
    )


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


def _kept(run: TrackedRun) -> float:
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
        return f"The entropy of `{BASELINE}` on the two controls is compared once each has two runs of `{BASELINE}`."
    so_far = "So entropy " if all(map(_whole, studies.values())) else "So far entropy "
    said = "stays higher on Countdown, as was expected of this control" if stays else NO_CONTROL
    return (
        f"Under `{BASELINE}`, entropy ends at {factor(countdown)} of its start on Countdown (n = {countdown.n}) and at "
        f"{factor(noisy)} of its start on the noisy sum (n = {noisy.n}). {so_far}{said}."
    )
