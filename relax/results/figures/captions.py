"""Words that several captions share: which runs a picture shows and what its lines are."""

from collections.abc import Sequence

import pandas as pd

from relax.results.intervals import Correlation
from relax.results.model import INITIAL, Results


def named(results: Results, policy: str, name: str) -> str:
    """File name: with the policy where there are several."""
    return name if len(results.matrix.policies) == 1 else f"{name}-{policy}"


def runs_shown(results: Results, policy: str, methods: Sequence[str] | None = None) -> str:
    """Which training runs a picture shows, in a sentence; ``methods`` where it is not all of the matrix."""
    if not results.trains:
        return f"Policy {policy}, which was not trained here."
    methods = results.matrix.methods if methods is None else methods
    runs = results.series[(results.series.policy == policy) & results.series.method.isin(methods)]
    count = len(runs.drop_duplicates(["method", "seed"]))
    asked = len(set(methods)) * len(results.matrix.seeds)
    seeds = sorted(runs.seed.unique())
    words = f"{len(seeds)} {'seed' if len(seeds) == 1 else 'seeds'} ({', '.join(map(str, seeds))})"
    missing = "" if count == asked else f"; {count} of {asked} runs are finished"
    return f"Policy {policy}, {words}, {int(runs.step.max())} steps{_batch(results)}{missing}."


def _batch(results: Results) -> str:
    training = results.config.get("training", {})
    prompts, rollouts = training.get("prompts_per_step"), training.get("rollouts_per_prompt")
    return f" of {prompts} problems with {rollouts} responses each" if prompts and rollouts else ""


def dimension_of(results: Results, methods: Sequence[str]) -> str:
    """``dimension 16``, with the methods whose dictionary for training has another one."""
    words = f"dimension {results.dictionary_setting('koopman_dim')}"
    settings = results.config.get("methods", {})
    own = {name: settings.get(name, {}).get("koopman_dim") for name in dict.fromkeys(methods)}
    others = [f"{m} for {name}" for name, m in own.items() if m is not None]
    return f"{words}, but {', '.join(others)}, whose DSD has a level of its own" if others else words


def smoothing_window(steps: int) -> int:
    """Steps of the running mean: a twentieth of the run, odd, so that it is centred."""
    return max(1, steps // 20 // 2 * 2 + 1)


def lines_of(window: int) -> str:
    """What thin and thick lines are."""
    running = f", running means over {window} steps" if window > 1 else ""
    return f"Thin: each seed; thick: mean over seeds{running}."


def seeds_in(found: pd.DataFrame) -> str:
    """``2 seeds``: of the trained policies in a table of trajectories."""
    count = found[found.method != INITIAL].seed.nunique()
    return f"{count} {'seed' if count == 1 else 'seeds'}"


def prompts_of(found: pd.DataFrame) -> pd.Series:
    """The prompt of each response: its id without the number of the response."""
    return found.id.str.rsplit("/", n=1).str[0]


def correlation_words(found: Correlation) -> str:
    """``0.31 [0.20, 0.42]``."""
    value, low, high = (f"{number:.2f}" for number in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}]".replace("-0.00", "0.00").replace("-", "\N{MINUS SIGN}")
