"""What ``relax dsd`` leaves behind: tables, figures, a summary for people and one for programs."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t

from relax.files import atomic_write
from relax.koopman import ROBUST_RIDGE, SPECTRA, Dictionary, TrajectoryStatistics
from relax.latent.dsd_figures import draw_figures
from relax.latent.koopman_stage import eigenvalue_table, trajectory_numbers
from relax.latent.rollouts import Rollout, write_rollouts
from relax.progress import logger
from relax.records.record import Run

#: Characters of a response shown in the table.
EXCERPT = 100
QUANTILES = (0.1, 0.5, 0.9)
#: What a response was to the dictionary.
FITTED, HELD_OUT, GIVEN = "fitted", "held out", "given"
#: Responses below which the terminal says how little their mean is known.
FEW = 16


@dataclass(frozen=True)
class ModelAnalysis:
    """Everything that was computed, one entry a response with two tokens or more."""

    model: str
    precision: str
    """Of the weights."""
    rollouts: list[Rollout]
    left_out: int
    """Responses that were too short."""
    sampled: bool
    """Sampled here, not given."""
    statistics: TrajectoryStatistics
    shuffled: TrajectoryStatistics
    ridge: float
    dictionary: Dictionary
    dictionary_file: Path | None
    """None: it was fitted here."""
    fitted_on: frozenset[str]
    """Ids of the responses that the dictionary was fitted on here. Their DSD is too high, see docs/dsd.md."""
    quality: dict[str, float]
    """Of a dictionary fitted here, see :meth:`relax.koopman.Dictionary.report`; else empty."""


def write(results: ModelAnalysis, out: Path, run: Run) -> None:
    """Make everything, then write it, the record last, then say what was found."""
    table = trajectory_table(results)
    eigenvalues = eigenvalue_table([r.id for r in results.rollouts], results.statistics, results.ridge)
    shown = table[table.dictionary != FITTED]
    summary = summary_of(results, shown)
    files: dict[str, str | bytes] = {
        "trajectories.parquet": table.to_parquet(index=False),
        "trajectories.csv": table.to_csv(index=False, lineterminator="\n"),
        "eigenvalues.parquet": eigenvalues.to_parquet(index=False),
        **draw_figures(results.model, shown, eigenvalues, results.statistics, results.ridge),
        "summary.json": json.dumps(_plain(summary), indent=2, ensure_ascii=False, allow_nan=False) + "\n",
    }
    # An older record must not vouch for new files.
    (out / "run.json").unlink(missing_ok=True)
    for name, content in files.items():
        atomic_write(out / name, content)
    written = list(files)
    if results.dictionary_file is None:
        results.dictionary.save(out / "dictionary.safetensors")
        written.append("dictionary.safetensors")
    if results.sampled:
        write_rollouts(out / "responses.jsonl", results.rollouts)
        written.append("responses.jsonl")
    for name, row in summary["table"].items():
        finite = {statistic: value for statistic, value in row.items() if math.isfinite(value)}
        run.metrics.update({f"{name}/{statistic}": value for statistic, value in finite.items()})
    run.metrics.update(results.quality, responses=len(table), shown=len(shown))
    run.finish(out, [out / name for name in written], dictionary_hash=results.dictionary.hash)
    for line in lines(summary, results):
        logger.info("%s", line)
    logger.info("written to %s: %s", out, ", ".join([*written, "run.json"]))


def trajectory_table(results: ModelAnalysis) -> pd.DataFrame:
    """One row a response: id, what it was to the dictionary (``fitted``, ``held out``, or ``given`` where W is a
    file's), length, the numbers of :func:`relax.latent.koopman_stage.trajectory_numbers`, excerpt."""
    other = HELD_OUT if results.dictionary_file is None else GIVEN
    return pd.DataFrame(
        {
            "id": [r.id for r in results.rollouts],
            "dictionary": [FITTED if r.id in results.fitted_on else other for r in results.rollouts],
            "length": results.statistics.length.numpy(),
            **trajectory_numbers(results.statistics, results.shuffled, results.ridge),
            "response": [" ".join(r.response.split())[:EXCERPT] for r in results.rollouts],
        }
    )


def summary_of(results: ModelAnalysis, shown: pd.DataFrame) -> dict[str, Any]:
    """Means and quantiles of the rows that W was not fitted on, lengths against m, and the dictionary."""
    numbers = shown.drop(columns=["id", "dictionary", "response"])
    m = results.dictionary.settings.koopman_dim
    return {
        "model": results.model,
        "precision": results.precision,
        "responses": len(results.rollouts),
        "shown": len(shown),
        "left_out": results.left_out,
        "sampled": results.sampled,
        "ridge": results.ridge,
        "koopman_dim": m,
        "short": int((shown.length <= 2 * m).sum()),
        "singular": int(np.isinf(shown.condition).sum()),
        "longest": shown.id[shown.length.idxmax()],
        "within": {f"dsd_{spectrum}": _within(shown[f"dsd_{spectrum}"]) for spectrum in SPECTRA},
        "table": {name: _row(numbers[name]) for name in numbers},
        "dictionary": {
            "file": None if results.dictionary_file is None else str(results.dictionary_file),
            "hash": results.dictionary.hash,
            **asdict(results.dictionary.settings),
            **results.quality,
        },
    }


def _row(values: "pd.Series[float]") -> dict[str, float]:
    """Mean and quantiles of the finite values; NaN where there is none."""
    finite = values[np.isfinite(values)]
    points = {f"q{round(100 * level)}": finite.quantile(level, interpolation="nearest") for level in QUANTILES}
    return {name: float(value) for name, value in {"mean": finite.mean(), **points}.items()}


def _within(values: "pd.Series[float]") -> float:
    """Half the width of the 95 % interval of the mean, by Student's t; infinite for one value."""
    return float(t.ppf(0.975, len(values) - 1) * values.sem()) if len(values) > 1 else math.inf


def _plain(value: Any) -> Any:
    """JSON has no infinity: null stands for it."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def lines(summary: dict[str, Any], results: ModelAnalysis) -> list[str]:
    """The summary for the terminal."""
    m, total, shown = summary["koopman_dim"], summary["responses"], summary["shown"]
    made = "sampled from" if results.sampled else "given, read by"
    head = f"{total} responses {made} {summary['model']} ({summary['precision']}), m = {m}, ridge {summary['ridge']:g}"
    known = [(column, name) for column, name in _names() if column != "condition" or summary["singular"] < shown]
    return [
        "",
        head + (f"; {summary['left_out']} with fewer than two tokens left out" if summary["left_out"] else ""),
        *([f"rows and figures: the {shown} responses that W was not fitted on"] if shown < total else []),
        "",
        f"{'':34}{'mean':>10}{'q10':>10}{'q50':>10}{'q90':>10}",
        *(_line(name, summary["table"][column]) for column, name in known),
        *_singular_line(summary["singular"], shown),
        "",
        *_dictionary_lines(summary["dictionary"]),
        *_warnings(summary),
        "",
    ]


def _singular_line(singular: int, shown: int) -> list[str]:
    if not singular:
        return []
    others = "; the row above is of the others" if singular < shown else ""
    return [f"the Gram matrix of {singular} of {shown} responses is singular, as it is where T is at most m{others}"]


def _names() -> list[tuple[str, str]]:
    """Columns in the order of the terminal's table, with their names there."""
    shown = [("length", "states T")]
    for spectrum in SPECTRA:
        shown += [
            (f"dsd_{spectrum}", f"DSD, {spectrum.replace('_', ' ')}"),
            (f"dsd_{spectrum}_ridge_{ROBUST_RIDGE}", f"  at ridge {ROBUST_RIDGE}"),
            (f"shuffled_{spectrum}", "  of the same states, shuffled"),
        ]
    return [
        *shown,
        ("residual", "residual, median of the m"),
        ("effective_rank", "effective rank, of m"),
        ("condition", "condition of the Gram matrix"),
        ("leverage", "leverage of the last state"),
    ]


def _line(name: str, row: dict[str, float]) -> str:
    return f"{name:34}" + "".join(f"{row[key]:>10.3g}" for key in ("mean", "q10", "q50", "q90"))


def _dictionary_lines(dictionary: dict[str, Any]) -> list[str]:
    if dictionary["file"] is not None:
        return [f"dictionary {dictionary['file']}, objective {dictionary['objective']}, hash {dictionary['hash']}"]
    return [
        f"dictionary fitted on {dictionary['fitted_on']} of these responses (dictionary.safetensors); "
        f"on {dictionary['held_out']} others, K from one half of them, tested on the other:",
        f"{'':34}{'fitted':>10}{'random W':>10}",
        *(
            f"{name:34}{dictionary[key]:>10.3g}{dictionary[f'random_{key}']:>10.3g}"
            for key, name in (
                ("residual_q50", "residual, median"),
                ("condition", "condition"),
                ("effective_rank", "effective rank"),
            )
        ),
    ]


def _warnings(summary: dict[str, Any]) -> list[str]:
    warnings, m, shown = [], summary["koopman_dim"], summary["shown"]
    if shown < FEW:
        warnings.append(_few(summary))
    if summary["short"]:
        warnings.append(
            f"warning: {summary['short']} of {shown} responses have T <= 2m = {2 * m} states: their DSD says more "
            "about length than about dynamics; compare with the shuffled row, or take a smaller --koopman-dim."
        )
    dictionary = summary["dictionary"]
    if dictionary["file"] is None and dictionary["residual_q50"] >= dictionary["random_residual_q50"]:
        warnings.append("warning: the fitted dictionary is no better than the random one it began from.")
    return ["", *warnings] if warnings else []


def _few(summary: dict[str, Any]) -> str:
    """What a handful of responses cannot tell."""
    shown, total, within = summary["shown"], summary["responses"], summary["within"]["dsd_eigenvalues"]
    what = f"{shown} of {total} responses, those that W was not fitted on" if shown < total else f"{shown} responses"
    known = "is that of one response"
    if math.isfinite(within):
        mean = summary["table"]["dsd_eigenvalues"]["mean"]
        known = f"is known as {mean:.3g} +- {within:.2g} (95 % interval over responses)"
    return (
        f"warning: the numbers are of {what}: their mean DSD of eigenvalues {known}, and such a handful cannot tell "
        "quantiles; give more prompts or --samples, or a --dictionary that was fitted on other responses."
    )
