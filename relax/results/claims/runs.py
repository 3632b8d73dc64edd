"""What finished runs show of each claim of the paper: one function per claim, and the mapping to its id.

A function takes the runs and a policy and gives outcomes, none where the policy or the arms that it needs are not
there. Nothing here knows how a run went; thresholds are those that ``relax/paper/transcribed/claims.csv`` states.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from relax.paper.claims import NO_INTERVAL, NOT_RUN, NOT_SEEN, SEEN, combined, read_claims
from relax.paper.printed import COST, read_table
from relax.results.claims.parts import (
    Outcome,
    Part,
    bounded_part,
    correlation,
    dsd_column,
    more_accurate,
    part,
    signed_part,
    still_rising,
    windows,
)
from relax.results.findings import against, change_along, dsd_gains, explain, listed, short, who_sees, with_interval
from relax.results.intervals import fit_entropy_reward, summarise
from relax.results.model import BASELINE, INITIAL, SPECTRA, Ablation, Arm, Results
from relax.results.provenance import made_with, repo, size_of
from relax.results.tables.all import WORDS, ridge_of

#: The method as printed and as the authors' code has it.
RELAX = ("relax", "relax-sv")
ENTROPY, REWARD = ("token entropy (nats)", "train/entropy"), ("training reward", "train/reward")
#: Share of the reward's variance that the fit of Figure 1 must explain.
EXPLAINED = 0.5
#: Correlations of DSD and correctness below this are no strong tie.
STRONG = 0.3
#: The weight that is best in Figure 4.
BEST_ALPHA = 0.1
#: Rewards that differ by less agree (Figure 11).
AGREE = 0.05
TABLE_1 = ("Qwen/Qwen2.5-VL-3B-Instruct", "Qwen/Qwen2.5-VL-7B-Instruct")
TABLE_2 = ("Qwen/Qwen2.5-3B", "Qwen/Qwen2.5-7B", "Qwen/Qwen2.5-Math-7B")
TABLE_5 = ("meta-llama/Llama-3.2-3B-Instruct", "Qwen/Qwen3-4B-Base")


def entropy_fit(results: Results, policy: str) -> Iterator[Outcome]:
    """Figure 1: R = -a exp(H) + b along each GRPO run."""
    series = results.series[(results.series.policy == policy) & (results.series.method == BASELINE)]
    fits = {}
    for seed, run in series[series.step > 0].groupby("seed"):
        if {"entropy", "reward"} <= set(run) and (fit := fit_entropy_reward(run.entropy, run.reward)):
            fits[seed] = fit
    text = f"has a = {listed([short(fit.a) for fit in fits.values()])}" if fits else ""
    subject = f"Under {BASELINE}, the fit of R = \N{MINUS SIGN}a exp(H) + b to the steps of each run"
    parts = [signed_part(summarise(fit.a for fit in fits.values()), "up", subject, text, "mean of a")]
    if fits:
        shares = [fit.r_squared for fit in fits.values()]
        status = NO_INTERVAL if len(fits) < 2 else SEEN if min(shares) >= EXPLAINED else NOT_SEEN
        words = f"explains {listed([f'{share:.0%}' for share in shares])} of the reward's variance"
        parts.append(Part(status, f"{subject} {words}."))
    note = (
        "Reward rises and entropy falls along a run in any case. A good fit does not say that one is paid for with the "
        "other."
    )
    yield Outcome(policy, BASELINE, [BASELINE], parts, note)


def collapse(results: Results, policy: str) -> Iterator[Outcome]:
    """Figures 3 and 8: entropy and DSD fall under GRPO, the reward flattens."""
    parts = [part(change_along(results, policy, "", *ENTROPY), "down")]
    for spectrum in SPECTRA:
        parts.append(part(change_along(results, policy, "", *dsd_column(results, spectrum)), "down"))
    found = windows(results, policy, BASELINE, "reward")
    halves = {seed: (middle - first, last - middle) for seed, (first, middle, last) in found.items()}
    first, second = (summarise(half[i] for half in halves.values()).mean for i in (0, 1))
    bend = summarise(second - first for first, second in halves.values())
    text = f"rises by {short(second)} in the second half of training and by {short(first)} in the first"
    parts.append(signed_part(bend, "down", f"Under {BASELINE}, the reward", text))
    note = (
        "DSD changes with response length by itself. The findings give DSD on fixed responses and on shuffled states "
        "as well."
    )
    yield Outcome(policy, BASELINE, [BASELINE], parts, note)


def explores(results: Results, policy: str) -> Iterator[Outcome]:
    """Figures 3 and 8: DSD, entropy and reward of ReLaX above GRPO's."""
    for arm in _relax(results):
        labels = [dsd_column(results, arm.spectrum), ENTROPY, REWARD]
        parts = [part(against(results, policy, "", arm.name, BASELINE, *label), "up") for label in labels]
        note = ""
        if results.finished(policy, arm.name):
            seen = who_sees(dsd_gains(results, policy, "", arm))
            note = f"{arm.name} is trained on DSD of {WORDS[arm.spectrum]}. {seen} {explain(results, policy, arm)}"
        yield Outcome(policy, f"{arm.name}, {WORDS[arm.spectrum]}", [arm.name, BASELINE], parts, note)


def alpha(results: Results, policy: str) -> Iterator[Outcome]:
    """Figure 4: entropy rises with alpha, the reward is best at 0.1."""
    for ablation in _ablation(results, policy, "figure-4"):
        weights = {method: results.settings()[method].get("alpha", 0.0) for method in ablation.arms.values()}
        methods = sorted(weights, key=lambda method: weights[method])
        parts = [part(against(results, policy, "", high, low, *ENTROPY), "up") for low, high in pairwise(methods)]
        for best in (method for method in methods if weights[method] == BEST_ALPHA):
            others = [method for method in methods if method != best]
            parts += [part(against(results, policy, "", best, other, *REWARD), "up") for other in others]
        yield _arms(results, policy, ablation, parts)


def both_parts(results: Results, policy: str) -> Iterator[Outcome]:
    """Figure 5: accuracy falls without adaptive KL and without advantage shaping."""
    for ablation in _ablation(results, policy, "figure-5"):
        whole, *without = ablation.arms.values()
        yield _arms(results, policy, ablation, [more_accurate(results, policy, whole, other) for other in without])


def entropy_bonus(results: Results, policy: str) -> Iterator[Outcome]:
    """Figures 6 and 10: an entropy bonus raises entropy and DSD, and drifts."""
    for ablation, method in _those(results, policy, "figure-6", lambda given: (given.get("entropy_coef") or 0) > 0):
        labels = [ENTROPY, *(dsd_column(results, spectrum) for spectrum in SPECTRA)]
        parts = [part(against(results, policy, "", method, BASELINE, *label), "up") for label in labels]
        parts.append(still_rising(results, policy, method, "entropy", "token entropy (nats)"))
        yield Outcome(policy, ablation.title, [method, BASELINE], parts)


def kl_cov(results: Results, policy: str) -> Iterator[Outcome]:
    """Figures 6 and 10: KL-Cov raises entropy, its DSD stays below ReLaX's."""
    for ablation, method in _those(results, policy, "figure-6", lambda given: given.get("token_method") == "kl_cov"):
        parts, arms = [part(against(results, policy, "", method, BASELINE, *ENTROPY), "up")], results.arms()
        relax = [arms[name] for name in ablation.arms.values() if arms[name].relax]
        parts += [
            part(against(results, policy, "", method, arm.name, *dsd_column(results, arm.spectrum)), "down")
            for arm in relax
        ]
        yield Outcome(policy, ablation.title, [method, BASELINE, *(arm.name for arm in relax)], parts)


def dsd_and_correctness(results: Results, policy: str) -> Iterator[Outcome]:
    """Figure 7: no strong correlation of DSD and correctness over the responses of a trained policy."""
    frame = results.trajectories
    frame = frame[(frame.policy == policy) & (frame.kind == "policy") & frame.correct.notna()]
    pairs = [(BASELINE, spectrum) for spectrum in SPECTRA] + [(arm.name, arm.spectrum) for arm in _relax(results)]
    parts = []
    for method, spectrum in pairs:
        runs = [run for _, run in frame[frame.method == method].groupby("seed")]
        ties = [correlation(run[f"dsd_{spectrum}"], run.correct.astype(float)) for run in runs]
        found = summarise(tie for tie in ties if tie is not None)
        pair = f"DSD of {WORDS[spectrum]} (on-policy, ridge {ridge_of(results)}) and correctness under {method}"
        words = with_interval(found, f"correlation of {pair}") if found.n else f"The correlation of {pair} has no run."
        parts.append(bounded_part(found, -STRONG, STRONG, words))
    note = "DSD and correctness both change with response length, which no correlation here takes out."
    yield Outcome(policy, "trained policies", list(dict.fromkeys(m for m, _ in pairs)), parts, note)


def limit(results: Results, policy: str) -> Iterator[Outcome]:
    """Figure 11: without the limit DSD grows and training collapses; limits agree."""
    for ablation in _ablation(results, policy, "figure-11-xi"):
        settings, arms = results.settings(), results.arms()
        free = [method for method in ablation.arms.values() if settings[method].get("xi") is None]
        limited = [method for method in ablation.arms.values() if method not in free]
        if len(free) != 1 or not limited:
            continue
        spectrum, widest = arms[free[0]].spectrum, limited[-1]
        parts = [
            part(against(results, policy, "", free[0], widest, *dsd_column(results, spectrum)), "up"),
            still_rising(results, policy, free[0], f"dsd/{spectrum}", dsd_column(results, spectrum)[0]),
            part(against(results, policy, "", free[0], widest, *REWARD), "down"),
        ]
        parts += [_agreement(results, policy, other, widest) for other in limited[:-1]]
        yield _arms(results, policy, ablation, parts)


def dimension(results: Results, policy: str) -> Iterator[Outcome]:
    """Figure 11: the smallest dictionary is unstable, the others agree."""
    for ablation in _ablation(results, policy, "figure-11-m"):
        settings, common = results.settings(), results.dictionary_setting("koopman_dim")
        sizes = {method: settings[method].get("koopman_dim") or common for method in ablation.arms.values()}
        smallest, *others = sorted(sizes, key=lambda method: sizes[method] or 0)
        parts = [part(against(results, policy, "", smallest, others[-1], *REWARD), "down")]
        parts += [_agreement(results, policy, other, others[-1]) for other in others[:-1]]
        yield _arms(results, policy, ablation, parts)


def table_1(results: Results, policy: str) -> Iterator[Outcome]:
    """Table 1: the average of ReLaX on the paper's vision-language policies."""
    return _average(results, policy, TABLE_1)


def table_2(results: Results, policy: str) -> Iterator[Outcome]:
    """Table 2: the average of ReLaX on the paper's Qwen policies."""
    return _average(results, policy, TABLE_2)


def table_5(results: Results, policy: str) -> Iterator[Outcome]:
    """Table 5: the same on other families."""
    return _average(results, policy, TABLE_5)


def table_6(results: Results, policy: str) -> Iterator[Outcome]:
    """Table 6: what ReLaX adds to a step, as a share of GRPO's wall time."""
    totals = [row for row in read_table(COST) if row.names[-1] == "total (per step)"]
    most = max(float(row.numbers["increase_percent_printed"] or 0) for row in totals) / 100
    for arm in _relax(results):
        increase = {}
        for name, key in (("wall", "cost/seconds_per_step"), ("CPU", "cost/cpu_per_step")):
            mine, base = (results.by_seed(policy, method, key) for method in (arm.name, BASELINE))
            seeds = sorted(seed for seed in mine.keys() & base.keys() if base[seed] > 0)
            increase[name] = summarise(mine[seed] / base[seed] - 1 for seed in seeds)
        more = f"seconds per step by which {arm.name} exceeds {BASELINE}"
        words = [with_interval(found, f"share of {name} {more}") for name, found in increase.items() if found.n]
        text = " ".join(words) or f"The {more} were not measured."
        parts = [bounded_part(increase["wall"], -np.inf, most, text)]
        note = "Where runs share processors, wall time says little, and CPU time compares better."
        yield Outcome(policy, f"{arm.name}, {WORDS[arm.spectrum]}", [arm.name, BASELINE], parts, note)


#: Id in ``claims.csv`` -> what runs show of it. A claim that is not named here is tested by no configuration.
TESTS: Mapping[str, Callable[[Results, str], Iterator[Outcome]]] = {
    "entropy-reward": entropy_fit, "grpo-collapse": collapse, "relax-explores": explores, "alpha": alpha,
    "both-parts": both_parts, "entropy-bonus": entropy_bonus, "kl-cov": kl_cov, "dsd-correctness": dsd_and_correctness,
    "limit-xi": limit, "dimension-m": dimension, "table-1": table_1, "table-2": table_2, "table-5": table_5,
    "table-6": table_6,
}  # fmt: skip


def judge_claims(results: Results) -> dict[str, Any]:
    """Every claim against the runs, as kept in ``claims.json``: status, cost, and the numbers behind them.

    Costs are hours of all records behind an outcome: those of its methods, and what all methods share.
    """
    claims = {}
    for claim in read_claims():
        test = TESTS.get(claim.id)
        found = [outcome for p in results.matrix.policies for outcome in test(results, p)] if test else []
        found = [outcome for outcome in found if outcome.status != NOT_RUN]
        outcomes = [
            {"policy": o.policy, "size": size_of(results, o.policy), "subject": o.subject, "status": o.status,
             "methods": list(dict.fromkeys(o.methods)), "note": o.note,
             "parts": [{"status": p.status, "text": p.text} for p in o.parts]}
            for o in found
        ]  # fmt: skip
        claims[claim.id] = {"status": combined(o.status for o in found), **_cost(results, found), "outcomes": outcomes}
    return {"name": results.matrix.name, **made_with(results), "claims": claims}


def _cost(results: Results, found: Sequence[Outcome]) -> dict[str, float]:
    costs, behind = results.costs, []
    for outcome in found:
        methods = [None, INITIAL, *outcome.methods]
        behind.append(costs.policy.isin([None, outcome.policy]) & costs.method.isin(methods))
    used = costs[np.logical_or.reduce(behind)] if behind else costs.head(0)
    names = {"cpu_hours": "cpu_seconds", "gpu_hours": "accelerator_seconds"}
    return {name: round(float(used[key].fillna(0).sum()) / 3600, 4) for name, key in names.items()}


def _relax(results: Results) -> list[Arm]:
    arms = results.arms()
    return [arms[name] for name in RELAX if name in arms and arms[name].relax]


def _ablation(results: Results, policy: str, name: str) -> list[Ablation]:
    """The ablations of a figure; one may be configured for each spectrum (``figure-5``, ``figure-5-sv``)."""
    found = results.ablations(policy)
    return [ablation for ablation in found if ablation.name == name or ablation.name.startswith(f"{name}-")]


def _those(
    results: Results, policy: str, name: str, fits: Callable[[Mapping[str, Any]], bool]
) -> list[tuple[Ablation, str]]:
    """The arms of an ablation whose settings fit."""
    settings = results.settings()
    return [
        (a, method) for a in _ablation(results, policy, name) for method in a.arms.values() if fits(settings[method])
    ]


def _agreement(results: Results, policy: str, method: str, other: str) -> Part:
    """Do the rewards of two methods differ by little, interval included?"""
    change = results.difference(policy, method, REWARD[1], other)
    pair = f"between {method} and {other} in {REWARD[0]}"
    words = with_interval(change, f"difference {pair}") if change.n else f"The difference {pair} has no common seed."
    return bounded_part(change, -AGREE, AGREE, words)


def _arms(results: Results, policy: str, ablation: Ablation, parts: Sequence[Part]) -> Outcome:
    named = ", ".join(f"{label}: {method}" for label, method in ablation.arms.items())
    return Outcome(policy, f"{ablation.title} ({named})", list(ablation.arms.values()), parts)


def _average(results: Results, policy: str, repos: Sequence[str]) -> Iterator[Outcome]:
    if repo(results, policy) in repos:
        for arm in _relax(results):
            subject = f"{arm.name}, {WORDS[arm.spectrum]}"
            yield Outcome(policy, subject, [arm.name, BASELINE], [more_accurate(results, policy, arm.name, BASELINE)])
