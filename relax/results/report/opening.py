"""The first screen of the report in words: what was run, and the answer of the runs, whichever way it went."""

from collections.abc import Callable, Iterable

from relax.results.claims.parts import accuracy
from relax.results.findings import COMPARED, CONTROL, against, change_along, listed, short
from relax.results.intervals import paired_difference, summarise
from relax.results.model import BASELINE, INITIAL, Arm, Results
from relax.results.report.provenance import about_data, about_policy
from relax.results.tables.columns import seeds_of

#: Verdict of a difference to GRPO -> how the answer says it of some methods.
ENDED = {
    "higher": "higher under {}",
    "lower": "lower under {}",
    "no clear difference": "not clearly different under {}",
    "no interval": "without a usable interval under {}",
    "not run": "not measured under {}",
}
#: Verdict of a change along training -> the same.
WENT = {
    "rose": "rose from {start} to {end}",
    "fell": "fell from {start} to {end}",
    "no clear change": "showed no clear change ({start} at the start, {end} at the end)",
    "no interval": "went from {start} to {end}, which one value cannot tell from chance",
}


def what_was_run(results: Results) -> list[tuple[str, str]]:
    """(label, sentences) of policy, data, measures, methods and runs; a term is explained where it is first used."""
    policies = "; ".join(about_policy(results, name) for name in results.matrix.policies)
    several = len(results.matrix.policies) > 1
    begins = "The policies are the language models" if several else "The policy is the language model"
    return [
        ("Policies" if several else "Policy", f"{begins} that the methods train, here {policies}."),
        ("Data", _data(results)),
        (
            "Measures",
            "The reward is the share of sampled responses that are correct. Token entropy says how open the choice of "
            "the next token is. DSD (dynamic spectral dispersion) says how varied the motion of the model's hidden "
            "states is, computed from eigenvalues or from singular values.",
        ),
        ("Methods", _methods(results)),
        ("Runs", _runs(results)),
    ]


def _data(results: Results) -> str:
    tests = ", ".join(f"{name} ({results.problems_of(name) or 'not evaluated'})" for name in results.matrix.benchmarks)
    given = about_data(results)
    trained = f"The training problems are {given}. " if given else ""
    return f"{trained}Accuracy is measured on {tests}."


def _methods(results: Results) -> str:
    arms, names = results.arms(), results.matrix.methods
    said = []
    if BASELINE in names:
        said.append(f"{BASELINE} is the baseline: reinforcement learning that strengthens correct responses (GRPO).")
    if relax := [name for name in names if arms[name].relax]:
        said.append(f"{listed(relax)} {'adds' if len(relax) == 1 else 'add'} the bonus on DSD that ReLaX proposes.")
    if CONTROL in names:
        said.append(f"{CONTROL} is the control: GRPO with a penalty on leaving the initial policy (KL) and no bonus.")
    if others := [name for name in names if name not in (BASELINE, CONTROL, *relax)]:
        said.append(f"{listed(others)} {'is another method' if len(others) == 1 else 'are other methods'}.")
    return " ".join(said)


def _runs(results: Results) -> str:
    matrix, training = results.matrix, results.config.get("training", {})
    said = []
    if {"steps", "prompts_per_step", "rollouts_per_prompt"} <= set(training):
        said.append(
            f"A run has {training['steps']} steps of {training['prompts_per_step']} problems with "
            f"{training['rollouts_per_prompt']} sampled responses each."
        )
    trained = results.runs[results.runs.method != INITIAL].finished.sum() if len(results.runs) else 0
    evaluated = sum(record["verb"] == "evaluate" for record in results.records)
    asked = len(matrix.policies) * len(matrix.methods) * len(matrix.seeds)
    scored = len(matrix.policies) * (1 + len(matrix.methods) * len(matrix.seeds)) * len(matrix.benchmarks)
    return " ".join(
        [
            *said,
            f"Every method runs with {seeds_of(results)}, which set the random numbers.",
            f"{trained} of {asked} training runs and {evaluated} of {scored} evaluations are finished.",
        ]
    )


def answer(results: Results, policy: str) -> list[str]:
    """Three sentences: accuracy of ReLaX against GRPO's, exploration against GRPO's, and GRPO itself along training.

    Fewer where nothing has run that could say them; a single one where no run has finished.
    """
    if not any(results.finished(policy, method) for method in results.matrix.methods):
        return ["No training run has finished, so there is no answer yet."]
    if not results.finished(policy, BASELINE):
        return [f"No run of {BASELINE} has finished, so there is nothing to compare the other methods with."]
    arms = [arm for arm in results.arms().values() if arm.relax and results.finished(policy, arm.name)]
    if not arms:
        return ["No run of ReLaX has finished, so GRPO stands alone.", _baseline(results, policy)]
    return [_accuracy(results, policy, arms), _exploration(results, policy, arms), _baseline(results, policy)]


def _accuracy(results: Results, policy: str, arms: list[Arm]) -> str:
    base = accuracy(results, policy, BASELINE)
    found = {arm.name: accuracy(results, policy, arm.name) for arm in arms}
    verdicts = {name: _verdict(own, base) for name, own in found.items()}
    higher = [name for name, verdict in verdicts.items() if verdict == "higher"]
    if set(verdicts.values()) <= {"not run", "no interval"}:
        head = "These runs cannot tell whether ReLaX is more accurate than GRPO"
    elif len(arms) == 1:
        head = f"ReLaX is {'' if higher else 'not shown to be '}more accurate than GRPO"
    elif higher:
        head = f"{len(higher)} of {len(arms)} variants of ReLaX {'is' if len(higher) == 1 else 'are'} more accurate "
        head += "than GRPO"
    else:
        head = "No variant of ReLaX is shown to be more accurate than GRPO"
    if lower := [name for name, verdict in verdicts.items() if verdict == "lower"]:
        head += f", and {listed(lower)} {'is' if len(lower) == 1 else 'are'} less accurate"
    names = results.matrix.benchmarks
    where = f"on {names[0]}" if len(names) == 1 else f"over {len(names)} benchmarks"
    values = [f"{_mean(own)} under {name} ({verdicts[name]})" for name, own in found.items()]
    values = [f"{_mean(base)} under {BASELINE}", *values]
    return f"{head}: accuracy {where} is {listed(values)}{_control(results, policy, higher)}."


def _control(results: Results, policy: str, higher: list[str]) -> str:
    """Whether the methods that are more accurate than GRPO are so against GRPO with a KL term as well."""
    if not higher or not results.finished(policy, CONTROL):
        return ""
    base = accuracy(results, policy, CONTROL)
    also = [name for name in higher if _verdict(accuracy(results, policy, name), base) == "higher"]
    if not also:
        return f"; none of them is shown to be more accurate than the control {CONTROL} ({_mean(base)})"
    return f"; against the control {CONTROL} ({_mean(base)}) the same is shown for {listed(also)}"


def _exploration(results: Results, policy: str, arms: list[Arm]) -> str:
    def told(key: Callable[[Arm], str]) -> str:
        return _grouped(
            (arm.name, against(results, policy, "", arm.name, BASELINE, "", key(arm)).verdict) for arm in arms
        )

    own = told(lambda arm: f"koopman/policy/dsd_{arm.spectrum}")
    entropy = told(lambda arm: "train/entropy")
    return f"Compared with {BASELINE}, DSD at the end of training is {own}; token entropy is {entropy}."


def _baseline(results: Results, policy: str) -> str:
    said = []
    for words, key in (("token entropy", "train/entropy"), ("the reward", "train/reward")):
        found = change_along(results, policy, "", words, key)
        start = results.summary(policy, INITIAL, key).mean
        end = results.summary(policy, BASELINE, key).mean
        went = WENT.get(found.verdict, "was not measured").format(start=short(start), end=short(end))
        said.append(f"{words} {went}")
    return f"Under {BASELINE} itself, {' and '.join(said)}."


def _grouped(verdicts: Iterable[tuple[str, str]]) -> str:
    groups: dict[str, list[str]] = {}
    for name, verdict in verdicts:
        groups.setdefault(verdict, []).append(name)
    return ", and ".join(ENDED[verdict].format(listed(names)) for verdict, names in groups.items())


def _verdict(own: dict[int, float], base: dict[int, float]) -> str:
    verdict = paired_difference(own, base).verdict
    return COMPARED.get(verdict, verdict)


def _mean(values: dict[int, float]) -> str:
    return short(summarise(values.values()).mean) if values else "not measured"
