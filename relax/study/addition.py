"""Arms that were planned after the first result of the study (docs/study.md): what of ``relax`` leaves the trap?"""

import math
from collections.abc import Mapping
from typing import Any

from relax.errors import DataError
from relax.results.findings import listed
from relax.results.model import BASELINE
from relax.study.hypotheses import ESCAPES, KL, LEVEL, PASS, STEPS, compare_arms, corrected
from relax.study.plan import Study
from relax.study.tracked_runs import Key, Record
from relax.study.words import difference, p_value, seeds, share, table

RELAX, PENALTY, BONUS = "relax", "adaptive-kl", "relax-no-kl"
#: Hypothesis -> arm, the arm that it is compared with; both by escapes.
ADDED = {"H4": (RELAX, PENALTY), "H5": (BONUS, BASELINE)}
#: Those of the study that the new ones are set beside, and the new ones.
ARMS = (BASELINE, KL, RELAX, PENALTY, BONUS)


def joined(main: Mapping[str, Any], added: Mapping[str, Any], records: Mapping[Key, Record]) -> Study:
    """The runs of the study and of its addition as one study of the arms that are compared.

    Raises:
        DataError: runs of one initial policy began with other weights or another dictionary in the two.
    """
    plan = {**main, "matrix": {**main["matrix"], "methods": list(ARMS)}}
    name, new = main["name"], {(main["name"], *k[1:]): r for k, r in records.items() if k[0] == added["name"]}
    old = {key: record for key, record in records.items() if key[0] == name}
    found = {key: old[key] if key in old else new[key] for key in sorted({*old, *new})}
    began: dict[str, Any] = {}
    for (_, policy, _, _), record in found.items():
        made = {name: record["made"].get("inputs", {}).get(name) for name in ("model", policy)}
        if record["method"] in ARMS and None not in made.values() and began.setdefault(policy, made) != made:
            raise DataError(
                f"the runs of {policy} in {name} and {added['name']} began with other weights or another dictionary, "
                "so they are no pairs; make the addition with the initial policies of the study."
            )
    return Study.of(plan, found)


def addition_section(study: Study) -> str:
    """The section of docs/evidence.md; empty while no seed has been run by all arms."""
    if not study.seeds:
        return ""
    tests = dict(zip(ADDED, corrected([compare_arms(study, *arms, ESCAPES) for arms in ADDED.values()]), strict=True))
    rows = []
    for name, test in tests.items():
        further = [
            difference(compare_arms(study, *ADDED[name], measure)).partition(" (")[0] for measure in (STEPS, PASS)
        ]
        ps = [p_value(test.p_value), p_value(test.p_corrected)]
        arms = [f"`{test.first}`", f"`{test.second}`", difference(test), str(test.differ), str(test.n)]
        rows.append([name, *arms, *ps, "yes" if test.holds else "no", *further])
    titles = [
        "", "arm", "against", "escapes", "differ", "pairs", "p", "p, Holm", "holds", "step of escape", "pass@16 hard",
    ]  # fmt: skip
    counts = table(["arm", "escaped"], [[f"`{arm}`", share(study.arm(arm))] for arm in ARMS])
    return (
        "These arms were planned after the first result "
        "([the plan](study.md#an-addition-planned-after-the-first-result)), so the rule of the conclusion above leaves "
        "them out. The arm `adaptive-kl` is `relax` without its bonus: the same limit on DSD, the same penalty above "
        f"the limit. The arm `relax-no-kl` is `relax` without its penalty. {_counted(study)}\n\n"
        f"{counts}\n{table(titles, rows)}\n{_said(study, tests)}"
    )


def _counted(study: Study) -> str:
    asked = len(study.matrix.seeds)
    part = "" if len(study.seeds) == asked else f" {len(study.seeds)} of {asked} seeds are there, so it is preliminary."
    return f"They have {seeds(study.seeds)} in common with the arms of the study.{part} {smallest(study)}"


def smallest(study: Study) -> str:
    """The smallest difference that the tests can see."""
    pairs = len(study.seeds) * len(study.matrix.policies)
    needed = 1 + math.ceil(-math.log2(LEVEL / len(ADDED)))
    if needed > pairs:
        return f"With {pairs} pairs no difference can be seen."
    return (
        f"With {pairs} pairs the smallest difference that the corrected tests can see is {needed / pairs:.2f} of the "
        f"runs ({needed} pairs that differ, all in one direction)."
    )


def _said(study: Study, tests: Mapping[str, Any]) -> str:
    held = [name for name, test in tests.items() if test.holds]
    words = {
        "H4": "the bonus of `relax` leads to escapes that its penalty alone does not",
        "H5": "the bonus of `relax` leads to escapes without its penalty",
    }
    if not held:
        return (
            "Neither hypothesis holds. It is not shown that the bonus of `relax` leads to the escapes, rather than its "
            "penalty."
        )
    return f"{listed([f'{name} holds: {words[name]}' for name in held])}."
