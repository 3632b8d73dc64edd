"""What a trained policy is judged by, and the words that several tables share."""

from relax.results.model import INITIAL, SPECTRA, Arm, Results
from relax.results.tables.render import Column

WORDS = {"eigenvalues": "eigenvalues", "singular_values": "singular values"}
SPEC = {"eigenvalues": ".3f", "singular_values": ".2f"}
INTERVAL = (
    "Cells: mean over seeds ± half width of its 95 % Student t interval (s: sample standard deviation); one "
    "run has no interval; fewer runs than asked for are marked (1 of 2)."
)


def quantities(results: Results) -> list[Column]:
    """What a trained policy is judged by: columns of ``results.runs`` with title, group and digits."""
    columns = [
        Column(f"evaluate/{name}/{metric}", metric + " greedy" * results.is_greedy(name, metric), name)
        for name in results.matrix.benchmarks
        for metric in results.metrics_of(name)
    ]
    training = "training, end"
    if results.trains:
        columns += [
            Column("train/reward", "reward", training),
            Column("train/entropy", "entropy (nats)", training),
            Column("train/length", "length (tokens)", training, ".1f"),
            Column("train/share_above_xi", "share above ξ", training, ".2f"),
        ]
    elif results.trajectories.empty:  # nobody asked for DSD
        return columns
    for kind, name in (("policy", "on-policy"), ("probe", "probes")):
        columns += [
            Column(f"koopman/{kind}/dsd_{s}", WORDS[s], f"DSD {name}, ridge {ridge_of(results)}", SPEC[s])
            for s in SPECTRA
        ]
    return columns


def ridge_of(results: Results) -> str:
    """The ridge of training as a reader writes it."""
    ridge = results.dictionary_setting("ridge")
    return "of training" if ridge is None else f"{ridge:g}"


def seeds_of(results: Results) -> str:
    """``2 seeds (1, 2)``."""
    seeds = results.matrix.seeds
    return f"{len(seeds)} {'seed' if len(seeds) == 1 else 'seeds'} ({', '.join(map(str, seeds))})"


def method_words(results: Results, method: str, less: str = "") -> str:
    """A method as a row names it, with the spectrum of its DSD term: ``relax, eigenvalues``.

    Args:
        less: set behind the name, such as the method that it is compared with.
    """
    if method == INITIAL:
        return "initial policy"
    settings = results.config.get("methods", {}).get(method, {})
    arm = results.arms().get(method) or Arm.of(method, settings)
    return method + less + (f", {WORDS[arm.spectrum]}" if arm.relax else "")
