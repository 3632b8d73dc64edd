"""Tests and intervals of the study, and the rule that turns them into a conclusion (docs/study.md)."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from relax.evaluation.paired import holm, sign_flip_test
from relax.results.findings import listed
from relax.results.intervals import CONFIDENCE, SEED, Interval, summarise
from relax.results.model import BASELINE
from relax.results.tables.render import MINUS
from relax.study.plan import HARD, REWARD, Study, TrackedRun, escapes
from relax.study.tracked_runs import DIGITS

LEVEL = 0.05
#: The upper end of the difference in escapes above which "against" cannot be said.
LITTLE = 0.25
KL = f"{BASELINE}-kl"
ESCAPES, STEPS, PASS, REWARDS = "escapes", "step of escape", "pass@16 on hard problems", "reward"
#: Hypothesis -> arm, the arm it is compared with, measure.
CONFIRMATORY = {
    "H1": ("relax", BASELINE, ESCAPES),
    "H1'": ("relax-sv", BASELINE, ESCAPES),
    "H2": ("relax-sv-no-kl", BASELINE, ESCAPES),
    "H3": ("relax-sv-kl", KL, STEPS),
}
#: Measure -> what the first arm of a hypothesis is said to do in it.
BETTER = {ESCAPES: "escapes more often than", STEPS: "escapes earlier than"}
#: Draws of a permutation test.
DRAWS = 9_999
#: How far a difference of two tracked scores may be off, each of which is rounded.
ROUNDING = 10.0**-DIGITS


def clopper_pearson(count: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """The exact interval of a share; (0, 1) for n = 0."""
    if n == 0:
        return 0.0, 1.0
    found = stats.binomtest(count, n).proportion_ci(confidence, method="exact")
    return float(found.low), float(found.high)


def share_difference(gained: int, lost: int, n: int) -> Interval:
    """An interval of a paired difference of shares, (gained - lost) / n, that holds at least 95 %.

    The Clopper-Pearson intervals of both shares, each at 97.5 % (Bonferroni). Wider than asymptotic ones, which are
    too short where few pairs differ: it errs towards "undecided". 0 of 24 pairs reach to 0.17.
    """
    each = (1 + CONFIDENCE) / 2
    (a, b), (c, d) = clopper_pearson(gained, n, each), clopper_pearson(lost, n, each)
    return a - d, b - c


@dataclass(frozen=True)
class Test:
    """Two arms compared in one measure, paired by initial policy and seed.

    Attributes:
        first, second: arms; a difference is first minus second.
        measure: ``escapes`` (share of runs), ``step of escape`` or ``pass@16 on hard problems``.
        value, low, high: mean difference and its 95 % interval; of shares as :func:`share_difference`, else Student's.
        p_value: two-sided; exact McNemar test of escapes, sign-flip test of the others.
        n: pairs.
        differ: pairs that differ.
        p_corrected: Holm's over the family of the test.
    """

    __test__ = False  # no test of pytest's

    first: str
    second: str
    measure: str
    value: float
    low: float
    high: float
    p_value: float
    n: int
    differ: int
    p_corrected: float = math.nan

    @property
    def holds(self) -> bool:
        """Is the first arm better, after correction? Earlier is better where steps are counted."""
        better = self.value < 0 if self.measure == STEPS else self.value > 0
        return better and self.p_corrected <= LEVEL


def compare_arms(study: Study, first: str, second: str, measure: str) -> Test:
    """One test, uncorrected; NaN and p = 1 where there is no pair."""
    pairs = study.pairs(first, second)
    if measure == PASS:
        values = np.array([a.score(HARD) - b.score(HARD) for a, b in pairs])
        values = values[np.isfinite(values)]  # pairs that are not graded yet
    else:
        values = np.array([_count(a, measure) - _count(b, measure) for a, b in pairs], dtype=int)
    n, differ = len(values), int((values != 0).sum())
    if not n:
        return Test(first, second, measure, math.nan, math.nan, math.nan, 1.0, 0, 0)
    found = summarise(values)
    low, high = found.low, found.high
    if measure == ESCAPES:
        low, high = share_difference(int((values > 0).sum()), int((values < 0).sum()), n)
    # Of differences that are -1, 0 or 1 the sign-flip test is the exact McNemar test.
    return Test(first, second, measure, found.mean, low, high, sign_flip_test(values, ROUNDING)[0], n, differ)


def _count(run: TrackedRun, measure: str) -> int:
    return run.step if measure == STEPS else int(run.escape is not None)


def compare_reward(study: Study, first: str) -> Test:
    """Reward after training of an arm less that of ``grpo``, for the controls; runs not yet graded are left out."""
    values = np.array([a.score(REWARD) - b.score(REWARD) for a, b in study.pairs(first, BASELINE)])
    values = values[np.isfinite(values)]
    found, differ = summarise(values), int((values != 0).sum())
    p_value = sign_flip_test(values, ROUNDING)[0] if len(values) else 1.0
    return Test(first, BASELINE, REWARDS, found.mean, found.low, found.high, p_value, found.n, differ)


def corrected(tests: Sequence[Test]) -> list[Test]:
    """A family with Holm's correction."""
    return [replace(t, p_corrected=p) for t, p in zip(tests, holm([t.p_value for t in tests]), strict=True)]


def confirmatory(study: Study) -> dict[str, Test]:
    """H1, H1', H2 and H3; those whose arms the plan does not have are left out."""
    wanted = {name: a for name, a in CONFIRMATORY.items() if {*a[:2]} <= {*study.matrix.methods}}
    tests = corrected([compare_arms(study, *arms) for arms in wanted.values()])
    return dict(zip(wanted, tests, strict=True))


def in_words(name: str) -> str:
    """A hypothesis as a clause: ``relax`` escapes more often than ``grpo``."""
    first, second, measure = CONFIRMATORY[name]
    return f"`{first}` {BETTER[measure]} `{second}`"


def second_family(study: Study) -> list[Test]:
    """All arms against ``grpo`` and against ``grpo-kl`` in all three measures, but for the confirmatory tests."""
    methods = study.matrix.methods
    asked = [
        (a, b, measure)
        for b in (BASELINE, KL)
        if b in methods
        for a in methods
        if a != b and (a, b) != (BASELINE, KL)
        for measure in (ESCAPES, STEPS, PASS)
    ]
    return corrected([compare_arms(study, *arms) for arms in asked if arms not in CONFIRMATORY.values()])


@dataclass(frozen=True)
class Verdict:
    """What the rule of docs/study.md says.

    Attributes:
        outcome: ``not run``, ``no trap``, ``for``, ``against`` or ``undecided``.
        sentences: why, with the numbers.
    """

    outcome: str
    sentences: tuple[str, ...]


def conclude(study: Study) -> Verdict:
    """The rule, applied to the runs that count."""
    if not study.seeds:
        return Verdict("not run", ())
    whole = len(study.seeds) == len(study.matrix.seeds)
    left = _escapes(study, BASELINE)
    if 2 * escapes(study.arm(BASELINE)) > len(study.arm(BASELINE)):
        words = "so there is no trap" if whole else "and if this stays so there is no trap"
        return Verdict("no trap", (f"{left}, {words}. The question cannot be asked here.",))
    tests = confirmatory(study)
    # A plan without an arm tests less; what is not tested does not hold.
    holds = {name: name in tests and tests[name].holds for name in CONFIRMATORY}
    said = [f"{left}.", *_held({name: holds[name] for name in tests}), *_too_few(list(tests.values()))]
    first, second = holds["H1"] or holds["H1'"], holds["H2"] or holds["H3"]
    if first and second:
        return Verdict("for", tuple(said))
    if first:
        said.append(
            "The arms of H1 and H1' have a KL as well as the bonus, and evidence for the bonus needs H2 or H3 too. "
            "Neither H2 nor H3 holds, so the KL alone may have led to the escapes."
        )
        return Verdict("undecided", tuple(said))
    if any(holds.values()):
        said.append("Evidence for the bonus needs H1 or H1'. Evidence against the bonus needs that none holds.")
        return Verdict("undecided", tuple(said))
    asked = [tests[name] for name in ("H1", "H1'") if name in tests]
    if asked:
        ends = " and ".join(f"{t.high:.2f}".replace("-", MINUS) for t in asked)
        said.append(
            f"{' and '.join(_escapes(study, t.first) for t in asked)}. By the upper end of the 95 % interval, that may "
            f"be more often than `{BASELINE}` by up to {ends} of the runs. Evidence against the bonus needs less than "
            f"{LITTLE:g} for `relax` and for `relax-sv`."
        )
    kl = compare_arms(study, KL, BASELINE, ESCAPES)
    told = (
        f", more often than `{BASELINE}`."
        if kl.value > 0
        else (
            f", no more often than `{BASELINE}`. {'So' if whole else 'So far'} the study cannot tell good exploration "
            "from bad."
        )
    )
    said += [_escapes(study, KL) + told] if kl.n else []
    against = len(asked) == 2 and max(t.high for t in asked) < LITTLE and kl.value > 0
    return Verdict("against" if against else "undecided", tuple(said))


def _escapes(study: Study, method: str) -> str:
    return f"`{method}` escapes in {escapes(study.arm(method))} of {len(study.arm(method))} runs"


def _too_few(tests: Sequence[Test]) -> list[str]:
    """That so few pairs can show nothing, whatever their runs did."""
    n, needed = min((t.n for t in tests), default=0), LEVEL / max(1, len(tests))
    if not n or 2.0 ** (1 - n) <= needed:
        return []
    return [
        f"With {n} pair{'s' * (n > 1)} no hypothesis can hold: no p can be below {2.0 ** (1 - n):.3g}, and the "
        f"smallest must be at most {needed:.3g}. Such a p takes {1 + math.ceil(-math.log2(needed))} pairs that differ, "
        "all in one direction."
    ]


def _held(holds: dict[str, bool]) -> list[str]:
    """In words; of the hypotheses that the plan has arms for."""
    yes, no = ([name for name, held in holds.items() if held is wanted] for wanted in (True, False))
    number = {4: "four"}.get(len(holds), str(len(holds)))
    if not yes:
        return [f"None of the {number} hypotheses holds after Holm's correction for several tests."]
    if not no:
        return [f"All {number} hypotheses hold after Holm's correction for several tests."]
    said = listed([f"{name} ({in_words(name)})" for name in yes])
    rest = listed([f"{name} ({in_words(name)})" for name in no])
    return [
        f"After Holm's correction for several tests, {said} {'holds' if len(yes) == 1 else 'hold'}.",
        f"{rest} {'does' if len(no) == 1 else 'do'} not hold.",
    ]


def stratified_auc(groups: Sequence[tuple[ArrayLike, ArrayLike]]) -> tuple[float, float, int]:
    """Chance that, of two runs of one group, the one that is positive has the higher value; ties count half.

    Args:
        groups: (values, labels) of runs that may be compared with each other; one of a single label adds nothing.

    Returns:
        The chance, the two-sided p-value of permuting labels within groups (9999 draws and the observed one), and the
        number of pairs compared; NaN, NaN and 0 where there is none.
    """
    kept = [(np.asarray(v, dtype=float), np.asarray(y, dtype=bool)) for v, y in groups]
    kept = [(v, y) for v, y in kept if y.any() and not y.all()]
    pairs = sum(int(y.sum()) * int((~y).sum()) for _, y in kept)
    if not pairs:
        return math.nan, math.nan, 0
    rng, drawn, observed = np.random.default_rng(SEED), np.zeros(DRAWS), 0.0
    for values, labels in kept:
        # Mann-Whitney: the ranks of the positive ones, less the least that they could be.
        ranks, n = stats.rankdata(values), int(labels.sum())
        observed += ranks[labels].sum() - n * (n + 1) / 2
        shuffled = rng.permuted(np.tile(ranks, (DRAWS, 1)), axis=1)
        drawn += shuffled[:, :n].sum(axis=1) - n * (n + 1) / 2
    far = np.abs(drawn - pairs / 2) >= abs(observed - pairs / 2) - 1e-9
    return float(observed / pairs), float((far.sum() + 1) / (DRAWS + 1)), pairs


def strata(runs: Sequence[TrackedRun]) -> Iterator[list[TrackedRun]]:
    """Runs of one arm and one initial policy, which may be compared without the arm doing the predicting."""
    groups: dict[tuple[str, str], list[TrackedRun]] = {}
    for run in runs:
        groups.setdefault((run.record["method"], run.record["policy"]), []).append(run)
    yield from groups.values()
