"""The ``dictionary`` stage: W fitted on the initial policy's rollouts, then frozen for every run."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from relax.config.latent import DictionaryFit
from relax.config.stage_settings import DictionarySettings
from relax.data.problem_files import read_problems
from relax.data.prompt import check_shots
from relax.errors import DataError
from relax.files import atomic_write
from relax.koopman import SPECTRA, Dictionary
from relax.latent.rollouts import Rollout, sample, write_rollouts
from relax.latent.states import statistics_of
from relax.latent.stored_states import Chosen, StoredStates, store_states
from relax.models.policy import load_policy
from relax.progress import Progress
from relax.records.record import Run

#: One rollout in four is held out to judge the fit.
HELD_OUT = 4


def dictionary_stage(
    settings: DictionarySettings, base: str | Path, data: str | Path, out: str | Path, run: Run, label: str
) -> None:
    """Write ``dictionary.safetensors``, ``probes.jsonl`` and ``initial_dsd.json`` below ``out``.

    ``initial_dsd.json`` holds the percentiles 1 to 99 of the initial policy's DSD under both spectra:
    the scale on which a limit such as ``q90`` is read. Each response passes through the policy once; its hidden states
    wait in a temporary file below ``out``, which is gone when the stage ends, however it ends.

    Args:
        settings: how W is fitted, and how the rollouts are sampled.
        base: folder of the initial policy.
        data: problem file whose prompts are answered.
        out: folder.
        run: the record to finish.
        label: for the progress lines.

    Raises:
        ConfigError: a worked example is of a subset that no problem is of.
        DataError: too few problems, or no response with a transition.
        MachineError: ``out`` cannot be written, or its disk has no room for the hidden states.
    """
    out = Path(out)
    model, processing = load_policy(base)
    problems = read_problems(data)
    check_shots(settings.prompt.recorded(), (p.subset for p in problems))
    problems = problems[: settings.rollouts]
    per_problem = -(-settings.rollouts // len(problems))
    rollouts = sample(
        model,
        processing,
        problems,
        per_problem,
        settings.max_response_length,
        settings.temperature,
        settings.seed,
        f"{label}: rollouts",
        prompt=settings.prompt.recorded(),
    )[: settings.rollouts]
    with StoredStates(out, model.device) as states:
        # Not by length: rounding depends on what is in a batch, and W on the rounding.
        store_states(states, model, rollouts, processing, settings.position)
        with_transition = [rollout.id for rollout in rollouts if states.length(rollout.id) > 1]
        dictionary, report = fit_dictionary(Chosen(states, with_transition), settings, label)
        statistics = statistics_of(states.values(), dictionary)
    percentiles = {}
    for spectrum in SPECTRA:
        values = statistics.dsd(spectrum, settings.ridge)
        points = torch.quantile(values, torch.arange(1, 100, dtype=torch.float64) / 100)
        percentiles[spectrum] = {f"q{i + 1}": value.item() for i, value in enumerate(points)}
        run.metrics[f"dsd_{spectrum}"] = values.mean().item()
    dictionary.save(out / "dictionary.safetensors")
    write_rollouts(out / "probes.jsonl", _probes(rollouts, settings.probes))
    atomic_write(out / "initial_dsd.json", json.dumps(percentiles, indent=1) + "\n")
    run.metrics.update(report, length=statistics.length.double().mean().item(), rollouts=len(rollouts))
    run.seeds["dictionary"] = settings.seed
    names = ("dictionary.safetensors", "probes.jsonl", "initial_dsd.json")
    run.finish(out, [out / name for name in names], dictionary_hash=dictionary.hash)


def fit_dictionary(
    states: Sequence[Tensor], settings: DictionaryFit, label: str
) -> tuple[Dictionary, dict[str, float]]:
    """Fit W on three quarters of the trajectories, and report on the others.

    Args:
        states: (T, d) each, with a transition; no more of them are held than :meth:`relax.koopman.Dictionary.fit` does.
        settings: how W is fitted, see :meth:`relax.koopman.Dictionary.fit`; ``rollouts`` and ``probes`` are not read.
        label: for the progress lines.

    Raises:
        DataError: there are too few.
    """
    if len(states) < 2 * HELD_OUT:
        raise DataError(f"{label}: only {len(states)} responses have two tokens or more; ask for more rollouts.")
    fitted_on = Chosen(states, [i for i in range(len(states)) if i % HELD_OUT])
    progress = Progress(f"{label}: fit", settings.epochs * -(-len(fitted_on) // settings.batch_size))
    dictionary = Dictionary.fit(
        fitted_on,
        koopman_dim=settings.koopman_dim,
        objective=settings.objective,
        ridge=settings.ridge,
        lr=settings.learning_rate,
        epochs=settings.epochs,
        batch=settings.batch_size,
        seed=settings.seed,
        position=settings.position,
        progress=lambda step, loss: progress.update(step, loss=loss),
    )
    return dictionary, dictionary.report(Chosen(states, range(0, len(states), HELD_OUT)))


def _probes(rollouts: list[Rollout], n: int) -> list[Rollout]:
    """The first ``n`` responses with a transition; they carry no judgement."""
    with_transition = [r for r in rollouts if len(r.response_ids) > 1]
    return [dataclasses.replace(r, id=f"probe/{i}") for i, r in enumerate(with_transition[:n])]
