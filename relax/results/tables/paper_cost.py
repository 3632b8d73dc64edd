"""Our side of Table 6: seconds of a step under GRPO and ReLaX, and the seconds of the dictionary."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from relax.paper.printed import COST, Row, half_digit, read_table
from relax.results.intervals import summarise
from relax.results.model import BASELINE, INITIAL, Results
from relax.results.tables.columns import method_words
from relax.results.tables.render import Compared, Estimate, Value

DICTIONARY, UPDATE, TOTAL = "fit Koopman dictionary (once)", "update actor (per step)", "total (per step)"
NOT_MEASURED = "not measured"


def cost_rows(results: Results, given: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Value]]:
    """The rows of Table 6 in print order, one for each of our methods beside a printed row.

    Args:
        given: printed row -> our policy and methods.
    """
    rows = []
    for printed in read_table(COST):
        grpo, relax, increase = printed.numbers.values()
        row: dict[str, Value] = {
            **printed.words,
            **dict.fromkeys(("our_policy", "our_method", "ours", "n", "GRPO_seconds", "ReLaX_seconds"), ""),
            "GRPO_seconds_printed": None if grpo is None else str(grpo),
            "ReLaX_seconds_printed": None if relax is None else str(relax),
            "increase_percent": Compared(increase),
            "accelerator": "",
        }
        ours = given.get(printed.label)
        if ours is None:
            rows.append(row)
        else:
            rows += [row | _ours(results, printed, ours["policy"], method) for method in ours["methods"]]
    return rows


def _ours(results: Results, printed: Row, policy: str, method: str) -> dict[str, Value]:
    """Our cells of a row."""
    component = printed.words["component"]
    cells: dict[str, Value] = {"our_policy": policy, "our_method": method, "ours": method_words(results, method)}
    own: dict[str, Value]
    if component == DICTIONARY:
        found = [r for r in _records(results, "dictionary", policy) if "koopman_dim" not in r["identity"]]
        seconds = summarise(record["wall_seconds"] for record in found[:1])
        own = {
            "our_method": "", "ours": "dictionary", "n": _n(seconds.n, 1), "GRPO_seconds": None,
            "ReLaX_seconds": Estimate(seconds, 1), "accelerator": _accelerators(found),
        }  # fmt: skip
        return cells | own
    asked = results.asked(method)
    runs = [r for r in _records(results, "train", policy) if r["identity"]["method"] in (method, BASELINE)]
    cells["accelerator"] = _accelerators(runs)
    if component == UPDATE and updates_of(results) == 1:
        return cells | {"n": NOT_MEASURED, "GRPO_seconds": None, "ReLaX_seconds": None}
    mine, base = (_seconds(results, component, policy, name) for name in (method, BASELINE))
    pairs = [seed for seed in mine if base.get(seed, 0) > 0]
    increase, n = printed.numbers["increase_percent_printed"], len(pairs)
    gain = Estimate(summarise(100 * (mine[seed] / base[seed] - 1) for seed in pairs), n)
    slack = half_digit(increase) if increase is not None else Fraction(0)
    own = {
        "n": _n(n, asked),
        "GRPO_seconds": Estimate(summarise(base.values()), results.asked(BASELINE)),
        "ReLaX_seconds": Estimate(summarise(mine.values()), asked),
        "increase_percent": Compared(increase, gain, slack=slack),
    }
    return cells | own


def _n(n: int, asked: int) -> str:
    return "not run" if n == 0 else str(n) if n == asked else f"{n} of {asked}"


def updates_of(results: Results) -> int:
    """Optimizer steps from one generation to the next."""
    return results.config.get("training", {}).get("updates_per_generation", 1)


def _seconds(results: Results, component: str, policy: str, method: str) -> dict[int, float]:
    """Seed -> seconds from one generation to the next, as a whole or of the updates alone."""
    if component == TOTAL:
        per_step = results.by_seed(policy, method, "cost/seconds_per_step")
    else:
        steps = results.series
        if not {"seconds/step", "reward"} <= set(steps):
            return {}
        # A step that generates logs the reward of what it generated.
        own = steps[(steps.policy == policy) & (steps.method == method) & (steps.step > 0) & steps.reward.isna()]
        means = own.groupby("seed")["seconds/step"].mean().dropna()
        per_step = {int(seed): float(value) for seed, value in means.items()}
    return {seed: updates_of(results) * value for seed, value in per_step.items()}


def _records(results: Results, verb: str, policy: str) -> list[dict[str, Any]]:
    return [
        r
        for r in results.records
        if r["verb"] == verb and r["identity"].get("policy") == policy and r["identity"].get("method") != INITIAL
    ]


def _accelerators(records: list[dict[str, Any]]) -> str:
    """Every distinct one, in the order of the records."""
    machines = [record.get("machine") or {} for record in records]
    names = [m.get("accelerator") or f"none, {m.get('cpus', '?')} processors" for m in machines]
    return "; ".join(dict.fromkeys(names))
