"""``relax dsd``: spectra and DSD of any causal language model's responses, without training."""

import math
import random
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from relax.config.latent import DictionaryFit
from relax.errors import ConfigError, DataError, MachineError
from relax.files import writable_folder
from relax.koopman import POSITIONS, Dictionary, TrajectoryStatistics
from relax.latent import dsd_output
from relax.latent.dictionary_stage import HELD_OUT, fit_dictionary
from relax.latent.pretrained import check_context, find_model, load_pretrained, room_for_response, state_width
from relax.latent.rollouts import BATCH as SAMPLED_AT_A_TIME
from relax.latent.rollouts import Rollout, sample
from relax.latent.states import BATCH, length_order, state_count, statistics_with_baseline
from relax.latent.stored_states import Chosen, StoredStates, store_states
from relax.latent.texts import read_prompts, read_responses, rendered, tokenize
from relax.models.policy import end_tokens
from relax.progress import Progress, logger
from relax.records.record import Run
from relax.tasks.problem import Problem

#: m where neither a dictionary nor a number is given.
KOOPMAN_DIM = 50
#: Numbers of hidden states that the fit may use, in a temporary file (256 MB in float32): 18 000 states of a 7B model.
FIT_NUMBERS = 1 << 26
#: Responses that a dictionary is fitted on, at least.
LEAST = 2 * HELD_OUT
#: Steps of the fit, of 64 responses each.
FIT_STEPS, FIT_BATCH = 200, 64
#: CPU seconds that the spectra of one response, or a step of the fit, take at dimension m, over m^3 (measured at 400).
SECONDS_OF_CUBE = 1e-8
#: Matrices of m x m numbers that a response takes at a time.
MATRICES = 10
#: Tokens, padding included, of the responses that are sampled at a time.
TOKENS = 1 << 16


def analyse_model(
    settings: dict[str, Any],
    model_name: str,
    prompts_file: Path,
    responses_file: Path | None,
    dictionary_file: Path | None,
    out: Path,
) -> None:
    """Analyse responses, sampled here or given, and write tables, figures and a record below ``out``.

    Each response passes through the model once, and its hidden states are dropped batch by batch. Where no dictionary
    is given, one is fitted first on a random sample of the responses, whose states wait in a temporary file below
    ``out``: at most :data:`FIT_NUMBERS` numbers of them.

    Args:
        settings: ``koopman_dim`` (None: the dictionary's, or :data:`KOOPMAN_DIM`), ``position`` (of the states, see
            :func:`relax.latent.states.response_states`; None: the dictionary's, or ``response``), ``ridge``,
            ``samples``, ``max_response_length``, ``temperature``, ``seed``, ``dtype``, ``chat`` (the model's chat
            template writes the prompts).
        model_name: folder, or name in the local hub cache.
        prompts_file: see :func:`relax.latent.texts.read_prompts`.
        responses_file: None samples; else see :func:`relax.latent.texts.read_responses`.
        dictionary_file: None fits.
        out: folder.

    Raises:
        DataError: a file or the model cannot be used, or no response has two tokens.
        ConfigError: the dictionary belongs to another width, m or position, or a chat template is asked for that the
            model does not have.
        MachineError: no such model, a folder that cannot be written, too little GPU memory.
        NonFiniteError: the model's states are not finite.
    """
    prompts = read_prompts(prompts_file, settings["chat"])
    answers = None if responses_file is None else read_responses(responses_file, prompts)
    given = None if dictionary_file is None else Dictionary.load(dictionary_file)
    for name, default in (("koopman_dim", KOOPMAN_DIM), ("position", POSITIONS[0])):
        settings = settings | {name: _agreed(name, settings[name], default, given, dictionary_file)}
    folder = find_model(model_name)
    files = [path for path in (prompts_file, responses_file, dictionary_file) if path is not None]
    run = Run("dsd", {"name": model_name}, settings, [folder, *files])
    run.seeds["dsd"] = settings["seed"]
    model, tokenizer = load_pretrained(model_name, folder, settings["dtype"])
    if given is not None and given.settings.hidden_size != state_width(model):
        raise ConfigError(
            f"{dictionary_file}: this dictionary is for states of {given.settings.hidden_size} numbers, but those of "
            f"{model_name} have {state_width(model)}; leave --dictionary out to fit one."
        )
    asked = rendered(prompts, tokenizer, settings["chat"], model_name)
    writable_folder(out)
    try:
        if answers is None:
            rollouts = _sampled(model_name, model, tokenizer, list(asked.values()), settings, fits=given is None)
        else:
            rollouts = tokenize(answers, asked, tokenizer)
            check_context(model_name, model, rollouts)
        ends = end_tokens(model, tokenizer)
        kept = [rollout for rollout in rollouts if state_count(rollout, ends, settings["position"]) > 1]
        if not kept:
            raise DataError(f"{model_name}: none of {len(rollouts)} responses has two tokens, the least for dynamics.")
        _warn_of_dimension(settings["koopman_dim"], kept, fits=given is None)
        dictionary, fitted_on, quality = given, frozenset[str](), dict[str, float]()
        with StoredStates(out, model.device) as states:
            if dictionary is None:
                dictionary, fitted_on, quality = _fitted(model, kept, settings, tokenizer, states)
            statistics, shuffled = _statistics(model, kept, dictionary, tokenizer, settings["seed"], states)
    except torch.OutOfMemoryError as error:
        raise MachineError("the GPU's memory is full; give fewer tokens with --max-response-length.") from error
    results = dsd_output.ModelAnalysis(
        model=model_name,
        precision=str(model.dtype).removeprefix("torch."),
        rollouts=kept,
        left_out=len(rollouts) - len(kept),
        sampled=answers is None,
        statistics=statistics,
        shuffled=shuffled,
        ridge=settings["ridge"],
        dictionary=dictionary,
        dictionary_file=dictionary_file,
        fitted_on=fitted_on,
        quality=quality,
    )
    dsd_output.write(results, out, run)


def _agreed(name: str, asked: Any, default: Any, given: Dictionary | None, file: Path | None) -> Any:
    """What is asked for, or what the dictionary that is given has."""
    if given is None:
        return default if asked is None else asked
    has = getattr(given.settings, name)
    if asked not in (None, has):
        what = "m" if name == "koopman_dim" else name
        raise ConfigError(
            f"{file}: this dictionary has {what} = {has}, but --{name.replace('_', '-')} is {asked}; "
            "leave one of them out."
        )
    return has


def _warn_of_dimension(m: int, rollouts: list[Rollout], fits: bool) -> None:
    """Before minutes of arithmetic on matrices that are far larger than the responses can fill."""
    longest = max(len(rollout.response_ids) for rollout in rollouts)
    minutes = (len(rollouts) + FIT_STEPS * fits) * SECONDS_OF_CUBE * m**3 / 60
    if m < longest or minutes < 1:
        return
    logger.warning(
        "warning: m = %d functions, but the longest response has %d states: whatever the dynamics, K fits each of its "
        "transitions. The arithmetic takes about %.0f minutes and %.1f GB of memory. Stop it with Ctrl+C and give "
        "--koopman-dim %d or less.",
        m,
        longest,
        minutes,
        len(rollouts) * MATRICES * 8 * m**2 / 1e9,
        max(2, longest // 4),
    )


def _sampled(
    name: str,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: list[Problem],
    settings: dict[str, Any],
    fits: bool,
) -> list[Rollout]:
    counts = [(prompt.id, len(tokenizer(prompt.prompt)["input_ids"])) for prompt in prompts]
    wanted = settings["max_response_length"]
    length = room_for_response(name, model, counts, wanted)
    if length < wanted:
        logger.info("dsd: at most %d tokens a response, not %d: the model's context has no more room", length, wanted)
    responses = len(prompts) * settings["samples"]
    if fits and responses < LEAST:  # not found out after minutes of sampling
        raise DataError(
            f"{len(prompts)} prompts with {settings['samples']} samples each give {responses} responses, but a "
            f"dictionary is fitted on {LEAST} at least; give more prompts, --samples, or a --dictionary."
        )
    width = max(tokens for _, tokens in counts) + length
    return sample(
        model,
        tokenizer,
        prompts,
        settings["samples"],
        length,
        settings["temperature"],
        settings["seed"],
        "dsd: sampling",
        batch=_rows(SAMPLED_AT_A_TIME, width),
    )


def _fitted(
    model: PreTrainedModel,
    rollouts: list[Rollout],
    settings: dict[str, Any],
    tokenizer: PreTrainedTokenizerBase,
    stored: StoredStates,
) -> tuple[Dictionary, frozenset[str], dict[str, float]]:
    """A dictionary fitted on three quarters of a bounded sample, their ids, and its report on the other quarter.

    The states of the sample are stored.
    """
    if len(rollouts) < LEAST:
        raise DataError(
            f"only {len(rollouts)} responses with two tokens or more, but a dictionary is fitted on {LEAST} at least; "
            "give more prompts, --samples, or a --dictionary."
        )
    chosen = _bounded(rollouts, state_width(model), settings["seed"])
    fitted_on = frozenset(rollout.id for i, rollout in enumerate(chosen) if i % HELD_OUT)
    held_out = len(chosen) - len(fitted_on)
    ends = end_tokens(model, tokenizer)
    states = sum(state_count(rollout, ends, settings["position"]) for rollout in chosen)
    logger.info(
        "dsd: no --dictionary given, fitting W on %d of these %d responses, %d more held out (%d states in all)",
        len(fitted_on),
        len(rollouts),
        held_out,
        states,
    )
    how = DictionaryFit(
        koopman_dim=settings["koopman_dim"],
        ridge=settings["ridge"],
        objective="residual",
        position=settings["position"],
        learning_rate=1e-3,
        epochs=math.ceil(FIT_STEPS / math.ceil(len(fitted_on) / FIT_BATCH)),
        batch_size=FIT_BATCH,
        seed=settings["seed"],
    )
    longest_first = [chosen[i] for i in length_order(chosen)]
    progress = Progress("dsd: hidden states for the fit", len(chosen), unit="responses")
    store_states(stored, model, longest_first, tokenizer, settings["position"], len(chosen), progress)
    dictionary, report = fit_dictionary(Chosen(stored, [rollout.id for rollout in chosen]), how, "dsd")
    quality = {"fitted_on": len(fitted_on), "held_out": held_out, "states": states, **report}
    return dictionary, fitted_on, quality


def _bounded(rollouts: list[Rollout], width: int, seed: int) -> list[Rollout]:
    """Responses in random order, as many as FIT_NUMBERS has room for, but never fewer than a fit needs."""
    order = random.Random(seed).sample(range(len(rollouts)), len(rollouts))
    chosen: list[Rollout] = []
    numbers = 0
    for index in order:
        numbers += len(rollouts[index].response_ids) * width
        if numbers > FIT_NUMBERS and len(chosen) >= 2 * HELD_OUT:
            break
        chosen.append(rollouts[index])
    return chosen


def _statistics(
    model: PreTrainedModel,
    rollouts: list[Rollout],
    dictionary: Dictionary,
    tokenizer: PreTrainedTokenizerBase,
    seed: int,
    stored: StoredStates,
) -> tuple[TrajectoryStatistics, TrajectoryStatistics]:
    """Statistics in the order of ``rollouts``; the random time orders are drawn for the longest first."""
    order = length_order(rollouts)
    rows, place = [rollouts[i] for i in order], torch.tensor(order).argsort()
    together = _rows(BATCH, max(len(r.prompt_ids) for r in rows) + len(rows[0].response_ids))
    progress = Progress("dsd: statistics", len(rollouts), unit="responses")
    real, shuffled = statistics_with_baseline(model, rows, dictionary, tokenizer, seed, together, progress, stored)
    return real[place], shuffled[place]


def _rows(most: int, width: int) -> int:
    """Rows of ``width`` tokens that pass at a time."""
    return max(1, min(most, TOKENS // width))
