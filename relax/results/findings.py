"""What was seen, in sentences computed from the runs, whichever way it went."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from relax.results.intervals import Summary, paired_difference, summarise
from relax.results.model import BASELINE, INITIAL, SPECTRA, Arm, Results
from relax.results.tables.all import WORDS, ridge_of

#: The same KL without DSD.
CONTROL = "grpo-kl"
#: What every reader of the findings must know.
NOTE = (
    "Every sentence below is computed from the runs. A rise or a fall is named only where the 95 % Student t interval "
    "over seeds leaves out zero. The intervals are not corrected for the number of comparisons. All seeds start from "
    "one initial policy. DSD (dynamic spectral dispersion) is the variance of the moduli of the eigenvalues, or of the "
    "singular values, of the Koopman matrix, which is a linear model of how the hidden states move from token to "
    "token. The ridge is the regularisation with which this matrix is fitted. On-policy DSD is that of the policy's "
    "own responses. Probes are fixed responses of the initial policy that the trained policy reads."
)
#: Words for a change along training -> words for a difference between methods.
COMPARED = {"rose": "higher", "fell": "lower", "no clear change": "no clear difference"}


@dataclass(frozen=True)
class Finding:
    """One sentence.

    Attributes:
        question: what it answers; sentences with the same question stand together.
        verdict: ``rose``, ``fell``, ``no clear change`` along training; ``higher``, ``lower``, ``no clear
            difference`` between methods; ``no interval`` (one run), ``not run``, or empty for a sentence
            that draws the others together.
        text: the sentence, with numbers, interval and number of seeds.
    """

    question: str
    verdict: str
    text: str


def findings(results: Results) -> list[Finding]:
    """All findings, policy by policy, in the order of the questions; none where nothing was trained."""
    found: list[Finding] = []
    if not results.trains:
        return found
    for policy in results.matrix.policies:
        place = f" (policy {policy})" if len(results.matrix.policies) > 1 else ""
        for part in (_entropy, _dsd, _relax_dsd, _relax_gains, _control):
            found += [Finding(f.question + place, f.verdict, f.text) for f in part(results, policy)]
    return found


def to_markdown(found: list[Finding]) -> str:
    """The findings as text: a heading per question, the drawn-together sentences, then the details."""
    lines = ["# Findings", "", NOTE if found else "Nothing was trained, so nothing is found about a training."]
    for question, group in groupby(found, key=lambda finding: finding.question):
        items = list(group)
        lines += ["", f"## {question}", ""]
        lines += [finding.text + "\n" for finding in items if not finding.verdict]
        lines += [f"- {finding.text}" for finding in items if finding.verdict]
    return "\n".join(lines) + "\n"


def _entropy(results: Results, policy: str) -> Iterator[Finding]:
    question = "Does token entropy fall under GRPO?"
    labels = {
        "train/entropy": "token entropy (nats, training rollouts)",
        "train/reward": "reward (share correct, training rollouts)",
    }
    details = [change_along(results, policy, question, label, key) for key, label in labels.items()]
    yield _changes(question, f"Under {BASELINE}", dict(zip(("token entropy", "reward"), details, strict=True)))
    yield from details


def _dsd(results: Results, policy: str) -> Iterator[Finding]:
    question, ridge = "Does DSD fall under GRPO?", ridge_of(results)
    details, others = {}, []
    for spectrum in SPECTRA:
        for kind, words in (("policy", "on-policy"), ("probe", "on the probes")):
            name = f"DSD of {WORDS[spectrum]} {words}"
            key = f"koopman/{kind}/dsd_{spectrum}"
            label = f"DSD of {WORDS[spectrum]} ({words}, ridge {ridge})"
            details[name] = change_along(results, policy, question, label, key)
        label = f"DSD of {WORDS[spectrum]} (on-policy) minus that of the same states in random order"
        others.append(change_along(results, policy, question, label, f"koopman/policy/dsd_{spectrum}_minus_shuffled"))
    label = "response length (in states; DSD changes with length by itself)"
    others.append(change_along(results, policy, question, label, "koopman/policy/length"))
    yield _changes(question, f"Under {BASELINE}, at ridge {ridge}", details)
    yield from details.values()
    yield from others


def _relax_dsd(results: Results, policy: str) -> Iterator[Finding]:
    question = "Does ReLaX raise DSD against GRPO?"
    for arm in _relax_arms(results):
        if not results.finished(policy, arm.name):
            yield Finding(question, "not run", f"{arm.name} has no finished run.")
            continue
        details = dsd_gains(results, policy, question, arm)
        yield Finding(question, "", f"{arm.name} is trained on DSD of {WORDS[arm.spectrum]}. {who_sees(details)}")
        yield from details.values()


def dsd_gains(results: Results, policy: str, question: str, arm: Arm) -> dict[str, Finding]:
    """DSD of an arm against GRPO's: the trained-on measure first, then those that check it."""
    details = {}
    for kind, words in (("policy", "on-policy"), ("probe", "on the probes")):
        for suffix, at in (("", ridge_of(results)), ("_ridge_0.1", "0.1")):
            trained = ", which training rewards" if kind == "policy" and not suffix else ""
            label = f"DSD of {WORDS[arm.spectrum]} ({words}, ridge {at}{trained})"
            key = f"koopman/{kind}/dsd_{arm.spectrum}{suffix}"
            details[f"{words} at ridge {at}"] = against(results, policy, question, arm.name, BASELINE, label, key)
    return details


def who_sees(details: dict[str, Finding]) -> str:
    """Who sees the gain of an arm; the first entry is the trained-on measure, the others are its checks."""
    (_, trained), *others = details.items()
    if trained.verdict in ("no interval", "not run"):
        return "One seed cannot tell a gain of DSD from chance."
    if trained.verdict != "higher":
        return f"The measure that training rewards is not shown to be higher than under {BASELINE}: no gain to check."
    groups = {word: [name for name, found in others if found.verdict == word] for word in ("higher", "lower")}
    rest = [name for name, found in others if found.verdict == COMPARED["no clear change"]]
    said = [f"The measure that training rewards is clearly higher than under {BASELINE}."]
    more = f"clearly higher {listed(groups['higher'])}" if groups["higher"] else "clearly higher by no other measure"
    said.append(f"DSD is {'also ' * bool(groups['higher'])}{more}.")
    if groups["lower"]:
        said.append(f"DSD is clearly lower {listed(groups['lower'])}.")
    if rest:
        said.append(
            f"A gain is not shown {listed(rest)}: there the interval contains zero, which does not prove absence."
        )
    return " ".join(said)


def _relax_gains(results: Results, policy: str) -> Iterator[Finding]:
    question = "Does ReLaX raise entropy, reward or accuracy against GRPO?"
    for arm in _relax_arms(results):
        yield from _gains_over(results, policy, question, arm.name, BASELINE)


def _control(results: Results, policy: str) -> Iterator[Finding]:
    question = "Does the KL term alone explain it?"
    control = f"{CONTROL} (GRPO with a uniform KL term and no DSD term)"
    if CONTROL not in results.matrix.methods:
        yield Finding(question, "not run", f"{control} was not asked for.")
        return
    if not results.finished(policy, CONTROL):
        yield Finding(question, "not run", f"{control} has no finished run.")
        return
    arms = [arm for arm in _relax_arms(results) if results.finished(policy, arm.name)]
    for arm in arms:
        yield Finding(question, "", explain(results, policy, arm))
    yield from _gains_over(results, policy, question, CONTROL, BASELINE)
    for arm in arms:
        if arm.kl != "none":  # the others stand against GRPO above
            yield from _gains_over(results, policy, question, arm.name, CONTROL)


def _gains_over(results: Results, policy: str, question: str, method: str, other: str) -> Iterator[Finding]:
    if not results.finished(policy, method):
        yield Finding(question, "not run", f"{method} has no finished run.")
        return
    labels = _gains(results)
    details = {label: against(results, policy, question, method, other, label, key) for label, key in labels}
    yield _differences(question, f"Compared with {other}, {method}", details)
    yield from details.values()


def _changes(question: str, subject: str, details: dict[str, Finding]) -> Finding:
    """One sentence over several changes along training."""
    words = {
        "rose": "a rise in",
        "fell": "a fall in",
        "no clear change": "no clear change in",
        "no interval": "no usable interval for",
        "not run": "no run for",
    }
    return Finding(question, "", f"{subject}, there is {_by_verdict(words, details)}.")


def _differences(question: str, subject: str, details: dict[str, Finding]) -> Finding:
    """One sentence over several differences between two methods."""
    words = {
        "higher": "is higher in",
        "lower": "is lower in",
        "no clear difference": "shows no clear difference in",
        "no interval": "has no usable interval for",
        "not run": "has no common seed for",
    }
    return Finding(question, "", f"{subject} {_by_verdict(words, details)}.")


def _by_verdict(words: Mapping[str, str], details: dict[str, Finding]) -> str:
    groups: dict[str, list[str]] = {}
    for name, found in details.items():
        groups.setdefault(found.verdict, []).append(name)
    return ", and ".join(f"{words[verdict]} {listed(names)}" for verdict, names in groups.items())


def explain(results: Results, policy: str, arm: Arm) -> str:
    """What the comparisons with GRPO and with its KL control add up to, for one arm."""
    gains = _gains(results)
    over_grpo = {label: results.difference(policy, arm.name, key) for label, key in gains}
    if all(found.n < 2 for found in over_grpo.values()):
        return f"One seed cannot tell what {arm.name} changes."
    rose = [label for label, found in over_grpo.items() if found.verdict == "rose"]
    nothing = f"entropy, reward and accuracy are not shown to be higher than under {BASELINE}"
    if arm.kl == "none":
        shown = f"{_are(rose)} higher than under {BASELINE}" if rose else nothing
        return f"{arm.name} has a DSD term and no KL term. Under {arm.name}, {shown}."
    if not rose:
        return f"Under {arm.name}, {nothing}."
    keys = dict(gains)
    both = [x for x in rose if results.difference(policy, arm.name, keys[x], CONTROL).verdict == "rose"]
    if not both:
        shown = f"{_are(rose)} higher than under {BASELINE}, but not shown to be higher than under {CONTROL}"
        return f"Under {arm.name}, {shown}. A KL term alone may account for the gain."
    rest = [x for x in rose if x not in both]
    more = f" The same is not shown for {listed(rest)}." if rest else ""
    return f"Under {arm.name}, {_are(both)} also higher than under {CONTROL}, which has a KL term alone.{more}"


def _are(names: list[str]) -> str:
    return f"{listed(names)} {'is' if len(names) == 1 else 'are'}"


def _gains(results: Results) -> list[tuple[str, str]]:
    """(label, key) of what exploration should improve."""
    benchmarks = [
        (f"{metric} on {name}", f"evaluate/{name}/{metric}")
        for name in results.matrix.benchmarks
        for metric in results.metrics_of(name)
        if metric != "mean@1" or results.metrics_of(name) == ["mean@1"]
    ]
    return [("token entropy", "train/entropy"), ("training reward", "train/reward"), *benchmarks]


def _relax_arms(results: Results) -> list[Arm]:
    return [arm for arm in results.arms().values() if arm.relax]


def change_along(results: Results, policy: str, question: str, label: str, key: str) -> Finding:
    """GRPO's end of training against the initial policy. The one initial policy has no spread of its own.

    Args:
        results: the runs.
        policy: name of the initial policy.
        question: of the finding.
        label: what the quantity is called.
        key: its column of ``results.runs``.
    """
    start = results.summary(policy, INITIAL, key)
    end = results.by_seed(policy, BASELINE, key)
    if not end or not start.n:
        return Finding(question, "not run", f"Under {BASELINE}, {label} was not measured.")
    change = summarise(value - start.mean for value in end.values())
    mean = summarise(end.values()).mean
    went = {"rose": "rose", "fell": "fell"}.get(change.verdict, "went")
    unclear = ", which is no clear change" if change.verdict == "no clear change" else ""
    text = f"Under {BASELINE}, {label} {went} from {short(start.mean)} to {short(mean)}{unclear}."
    return Finding(question, change.verdict, f"{text} {with_interval(change)}")


def against(results: Results, policy: str, question: str, method: str, baseline: str, label: str, key: str) -> Finding:
    """One method against another, paired by seed, on one quantity; arguments as of :func:`change_along`."""
    values = (results.by_seed(policy, name, key) for name in (method, baseline))
    return compared(question, method, baseline, label, *values)


def compared(
    question: str, method: str, baseline: str, label: str, mine: Mapping[int, float], other: Mapping[int, float]
) -> Finding:
    """The values of one method against those of another (seed -> value), paired by seed."""
    change = paired_difference(mine, other)
    if change.n == 0:
        text = f"Under {method} and under {baseline}, {label} has no seed in common."
        return Finding(question, "not run", text)
    seeds = mine.keys() & other.keys()
    own, base = (summarise(values[seed] for seed in seeds).mean for values in (mine, other))
    factor = f", {own / base:.3g} times as much" if "DSD" in label and base > 0 else ""
    verdict = COMPARED.get(change.verdict, change.verdict)
    words = {
        "higher": f"is higher than under {baseline}",
        "lower": f"is lower than under {baseline}",
        "no clear difference": f"is not clearly different from that under {baseline}",
    }.get(verdict, f"stands beside that under {baseline}")
    text = f"Under {method}, {label} {words} ({short(own)} against {short(base)}{factor})."
    return Finding(question, verdict, f"{text} {with_interval(change)}")


def with_interval(change: Summary, what: str = "difference") -> str:
    """Mean, 95 % interval and number of seeds, in a sentence."""
    if change.n == 1:
        return f"The {what} is {signed(change.mean)} for n = 1 seed, which gives no interval."
    if change.half_width <= 1e-9 * max(1.0, abs(change.mean)):
        return f"The {what} is {signed(change.mean)} in each of n = {change.n} seeds, which gives no usable interval."
    interval = f"[{signed(change.low)}, {signed(change.high)}]"
    return f"The {what} is {signed(change.mean)}, with the 95 % interval {interval} over n = {change.n} seeds."


def short(value: float) -> str:
    """Three digits."""
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")


def signed(value: float) -> str:
    """Two digits with their sign; 0 without."""
    if math.isclose(value, 0, abs_tol=1e-12):
        return "0"
    return f"{value:+.2g}".replace("-", "\N{MINUS SIGN}")


def listed(names: list[str]) -> str:
    """``a, b and c``."""
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
