"""Section of docs/evidence.md on the arms: who escapes, and what every arm ends with."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from relax.results.model import SPECTRA
from relax.study.plan import HARD, REWARD, Study, TrackedRun
from relax.study.words import NARROW, mean_score, number, share, table

#: Column of the training's log -> words.
DSDS = {"dsd": "DSD", "probe": "probes"}
#: Words -> column and format of what explains the measures beside reward, entropy and DSD (docs/study.md).
EXPLAIN = {
    "chains": ("strategy/chain", ".2f"),
    "rote": ("strategy/rote", ".2f"),
    "neither": ("strategy/neither", ".2f"),
    "length": ("length", ".1f"),
    **{f"DSD, {NARROW[s]}, ridge 0.1": (f"dsd/{s}/ridge_0.1", "#.3g") for s in SPECTRA},
}
ESCAPES = (
    "The settings of every arm are in [config/study.yaml](../config/study.yaml). The table counts the runs that escape "
    "among all runs that count, for each initial policy and together. Every share has its Clopper-Pearson 95 % "
    "interval, which is exact for counts. The median step is that of the runs that escape."
)
ENDS = (
    "The next two tables give means over runs. Reward is mean@16 after training, which is the share of correct "
    "answers among the sampled responses. The column *pass@16 hard* is the share of the hard problems that at least "
    "one sampled response solves. All other columns are means over the last tenth of the steps. Entropy is in nats per "
    "token. The columns *chains*, *rote* and *neither* are shares of the responses, and *length* is in tokens. DSD is "
    "measured at the ridge of training where the column names no other ridge. In the titles, *eig* stands for "
    "eigenvalues and *sv* for singular values. *Probes* are fixed responses of the initial policy, which the trained "
    "policy reads."
)


def arms_section(study: Study, pictures: str, main: Mapping[str, Any]) -> str:
    """The tables of the arms, with what their columns are.

    Args:
        study: with at least one seed that counts.
        pictures: what the names of the figures begin with.
        main: the loaded configuration of the study.
    """
    policies = study.matrix.policies
    left, ends = [], []
    for method in study.matrix.methods:
        runs = study.arm(method)
        gone, stay = [r for r in runs if r.escape is not None], [r for r in runs if r.escape is None]
        steps = f"{statistics.median(r.step for r in gone):g}" if gone else "none"
        shares = [share(study.arm(method, policy)) for policy in policies] if len(policies) > 1 else []
        left.append([f"`{method}`", str(len(runs)), *shares, share(runs), steps])
        scores = [mean_score(some, name) for some, name in ((gone, REWARD), (stay, REWARD), (runs, HARD))]
        wide = (_end(runs, f"{kind}/{s}", "#.3g") for kind in DSDS for s in SPECTRA)
        ends.append([f"`{method}`", *scores, _end(runs, "entropy", ".3f"), *wide])
    further = [
        [f"`{method}`", *(_end(study.arm(method), name, spec) for name, spec in EXPLAIN.values())]
        for method in study.matrix.methods
    ]
    names = policies if len(policies) > 1 else []
    titles = [f"{words}, {NARROW[s]}" for words in DSDS.values() for s in SPECTRA]
    return (
        f"{ESCAPES}\n\n"
        + table(["arm", "runs", *names, "escaped", "median step"], left)
        + f"\n![Share of runs that escape](images/{pictures}-escapes.png)\n\n{ENDS}\n\n"
        + table(["arm", "reward, escaped", "reward, trapped", "pass@16 hard", "entropy", *titles], ends)
        + "\n"
        + table(["arm", *EXPLAIN], further)
        + "\nAn escaped run consists of chains and a trapped run of rote answers. So DSD differs between arms also "
        f"because different numbers of their runs escape.{_other_dsd(main)}{_before(study)}"
    )


def _other_dsd(main: Mapping[str, Any]) -> str:
    """That DSD of some arms is of another size because it is measured in another way; empty without such arms."""
    arms = {m: main["methods"].get(m, {}) for m in main["matrix"]["methods"]}
    own = [f"`{m}`" for m, a in arms.items() if any(a.get(key) is not None for key in ("koopman_dim", "dsd_window"))]
    if not own:
        return ""
    return f" DSD of {', '.join(own)} has a dimension or windows of its own and cannot be compared with the others."


def _before(study: Study) -> str:
    """What the initial policies score; empty where none is graded."""
    return "".join(
        f" Before training, the initial policy {policy} has reward {scores[REWARD]:.2f} and pass@16 on hard problems "
        f"{scores[HARD]:.2f}."
        for policy, scores in study.initial.items()
    )


def _end(runs: Sequence[TrackedRun], name: str, spec: str) -> str:
    known = [v for run in runs if math.isfinite(v := run.end(name))]
    return number(statistics.fmean(known), spec) if known else ""
