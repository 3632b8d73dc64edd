"""Tracked runs of a study whose truth is known. Their numbers are invented; only tests use them."""

import numpy as np

from relax.study.configurations import configurations
from relax.study.plan import Study

STEPS, UPDATES = 200, 2
MAIN, CONTROLS = configurations()
POLICIES = ("trap-a", "trap-b")


def record(experiment, policy, method, seed, escape=None, broken=False, dsd=1.0):
    """A tracked run: it stays where ``escape`` is None, else leaves the trap at that (odd) step.

    ``broken``: its last entropy is no number. ``dsd`` multiplies DSD.
    """
    numbers = sum(map(ord, experiment + policy + method))
    rng = np.random.default_rng([seed, numbers])
    steps = np.arange(1, STEPS + 1, UPDATES)
    gone = np.zeros(len(steps)) if escape is None else 1 / (1 + np.exp(-(steps - escape + 1e-6) / 4.0))
    before = np.minimum(0.3 * np.exp(-steps / 15) + gone, 0.49)
    chain = np.where(steps < (escape or STEPS + 1), before, 0.5 + gone / 2.2)

    def noise(size):
        return rng.normal(0, 0.05 * size, len(steps))

    curves = {
        "reward": 0.39 + 0.57 * gone + noise(0.1),
        "entropy": (0.02 + 0.12 * np.exp(-steps / 12) + 0.05 * gone) * np.exp(noise(1)),
        "strategy/chain": chain,
        "dsd/eigenvalues": dsd * 0.11 * np.exp(noise(1)),
        "dsd/singular_values": dsd * (11 + 4 * gone) * np.exp(noise(1)),
    }
    curves = {name: [float(f"{v:.5g}") for v in values] for name, values in curves.items()}
    if broken:
        curves["entropy"][-1] = None
    few = slice(None, None, 5)
    thinned = {
        f"dsd/{s}/{kind}": [0.4 * v for v in curves[f"dsd/{s}"][few]]
        for s in ("eigenvalues", "singular_values")
        for kind in ("ridge_0.1", "matched")
    }
    probed = list(range(0, STEPS + 1, 10))
    probes = {
        f"probe/{s}{ridge}": [value * dsd for _ in probed]
        for s, value in (("eigenvalues", 0.1), ("singular_values", 11.0))
        for ridge in ("", "/ridge_0.1")
    }
    reward = 0.95 if escape else 0.38
    scores = {"mean@16": reward, "pass@16": reward, "subset/hard/pass@16": 1.0 if escape else 0.02}
    ends = curves | probes | thinned
    return {
        "experiment": experiment, "policy": policy, "method": method, "seed": seed,
        "made": {"commit": "5e4d" * 10, "started": "2026-01-01T00:00:00+00:00", "cpus": 2, "accelerator": None,
                 "cpu_seconds": 230, "wall_seconds": 250, "settings": {"train": "0" * 12}, "inputs": {},
                 "digest": f"{numbers + seed:012x}"},
        "steps": STEPS, "updates": UPDATES,
        "curves": {"step": steps.tolist(), **curves},
        "thinned": {"step": steps[few].tolist(), "length": [28.0] * len(steps[few]), **thinned},
        "probes": {"step": probed, **probes},
        "end": {name: float(np.mean([v for v in values[-10:] if v is not None])) for name, values in ends.items()},
        "scores": {"answer-prior": scores},
    }  # fmt: skip


def records_of(escapes, seeds=range(1, 13), methods=None, **kinds):
    """Tracked runs of the whole study.

    Args:
        escapes: arm -> step of escape of all its runs, or a function of (policy, seed) that gives it; others stay.
        seeds: that are there.
        methods: arms that are there; all of config/study.yaml by default.
        kinds: further arguments of :func:`record`, by arm with ``-`` as ``_``.
    """
    found = {}
    for method in methods or MAIN["matrix"]["methods"]:
        own = escapes.get(method)
        for policy in POLICIES:
            for seed in seeds:
                step = own(policy, seed) if callable(own) else own
                more = kinds.get(method.replace("-", "_"), {})
                found["study", policy, method, seed] = record("study", policy, method, seed, step, **more)
    return found


def study_of(escapes, methods=None, **options):
    """The same as a :class:`Study` of config/study.yaml, or of a plan that has these arms alone."""
    plan = MAIN | {"matrix": MAIN["matrix"] | ({"methods": methods} if methods else {})}
    return Study.of(plan, records_of(escapes, methods=methods, **options))
