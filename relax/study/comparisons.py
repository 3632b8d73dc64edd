"""Sections of docs/evidence.md on the tests: the hypotheses, and all other comparisons."""

from relax.study import hypotheses
from relax.study.plan import Study
from relax.study.words import difference, p_value, table


def hypotheses_section(study: Study) -> str:
    """What each hypothesis says, how it is tested, and the tests."""
    found = hypotheses.confirmatory(study)
    rows = []
    for name, test in found.items():
        arms = [f"`{test.first}`", f"`{test.second}`", test.measure]
        ps = [p_value(test.p_value), p_value(test.p_corrected)]
        rows.append([name, *arms, difference(test), str(test.differ), str(test.n), *ps, "yes" if test.holds else "no"])
    titles = ["", "arm", "against", "measure", "difference", "differ", "pairs", "p", "p, Holm", "holds"]
    said = "".join(f"- {name}: {hypotheses.in_words(name)}.\n" for name in found)
    return (
        f"{said}\n"
        "Two arms are compared in pairs of runs that share initial policy and seed. The column *differ* counts the "
        "pairs whose two runs differ. Escapes are compared with the exact McNemar test. The interval of a difference "
        "in escapes combines two Clopper-Pearson intervals with Bonferroni's correction. Steps of escape are compared "
        f"with the sign-flip test, in which a run that stays in the trap counts as {study.steps + 1}. The interval of "
        "a difference in steps is Student's, and there is none where all pairs differ alike. A hypothesis holds if p "
        f"after Holm's correction is at most {hypotheses.LEVEL:g} and the difference has the direction of the "
        "hypothesis.\n\n" + table(titles, rows)
    )


def second_section(study: Study) -> str:
    """All arms against ``grpo`` and ``grpo-kl``, but for the confirmatory tests."""
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
    return (
        "The table gives mean paired differences. Each p-value is that after Holm's correction over the "
        f"{len(family)} tests of this table. The word *above* marks a comparison that the hypotheses test. After "
        f"the correction, {sum(t.p_corrected <= hypotheses.LEVEL for t in family)} of the p-values are at most "
        f"{hypotheses.LEVEL:g}. Before it, {sum(t.p_value <= hypotheses.LEVEL for t in family)} are.\n\n"
        + table(titles, rows)
    )
