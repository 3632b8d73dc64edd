"""All figures of a results folder; each is a function of its own in ``figures_*.py``."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from relax.errors import DataError
from relax.files import atomic_write
from relax.records.links import refuse_changed
from relax.records.record import RECORD, read_record
from relax.results.figures.ablation_figures import ablation_bars, ablation_curves
from relax.results.figures.embedding import tsne_figure
from relax.results.figures.lag import lag_figure
from relax.results.figures.pass_at_k import pass_at_k_figure
from relax.results.figures.spectra import dsd_against_length_figure, dsd_spectra_figure, eigenvalue_figure
from relax.results.figures.style import Drawing, Figure, save
from relax.results.figures.training_curves import (
    dsd_figure,
    dynamics_figure,
    entropy_reward_figure,
    share_above_xi_figure,
)
from relax.results.model import Results

CAPTIONS = "figures.json"


def write_figures(results: Results, out_dir: str | Path) -> list[Figure]:
    """Draw every figure that the finished runs allow, as SVG and PNG, per policy.

    Captions, file names and the paper's figures are kept in ``figures.json`` beside them, for :func:`read_figures`.
    """
    out = Path(out_dir)
    drawn = (save(draw, out) for policy in results.matrix.policies for draw in _draws(results, policy))
    figures = [replace(f, caption=f"{f.caption} {results.fault}".rstrip()) for f in drawn if f is not None]
    kept = [{"name": f.name, "title": f.title, "caption": f.caption, "paper": f.paper} for f in figures]
    atomic_write(out / CAPTIONS, json.dumps(kept, indent=2, ensure_ascii=False) + "\n")
    return figures


def _draws(results: Results, policy: str) -> list[Callable[[], Drawing | None]]:
    """Every figure of a policy, in the order in which a reader wants them."""
    ablations = [
        partial(draw, results, policy, ablation)
        for ablation in results.ablations(policy)
        for draw in (ablation_curves, ablation_bars)
    ]
    before = (dynamics_figure, entropy_reward_figure, pass_at_k_figure)
    after = (
        dsd_figure,
        share_above_xi_figure,
        lag_figure,
        dsd_against_length_figure,
        dsd_spectra_figure,
        tsne_figure,
        eigenvalue_figure,
    )
    return [
        *(partial(draw, results, policy) for draw in before),
        *ablations,
        *(partial(draw, results, policy) for draw in after),
    ]


def read_figures(out_dir: str | Path) -> list[Figure]:
    """What :func:`write_figures` has written there.

    Raises:
        DataError: it has not, or a file is not what it has written.
    """
    out = Path(out_dir)
    if (out / RECORD).is_file():
        refuse_changed(out, read_record(out))
    try:
        kept = json.loads((out / CAPTIONS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{out / CAPTIONS}: cannot be read ({error}); run `relax figures` first.") from error
    return [Figure(**item, svg=out / f"{item['name']}.svg", png=out / f"{item['name']}.png") for item in kept]
