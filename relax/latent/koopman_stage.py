"""The ``koopman`` stage: statistics -> spectra, DSD and how far they can be trusted, per trajectory."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from relax.config.stage_settings import KoopmanSettings
from relax.errors import DataError
from relax.files import atomic_write
from relax.koopman import ROBUST_RIDGE, SPECTRA, TrajectoryStatistics
from relax.reading import reading
from relax.records.record import Run

#: Trajectories whose eigenvalues are kept for pictures, of each kind.
SHOWN = 32
#: On-policy trajectories whose Koopman matrices are kept for the map of trajectories (0.6 MB a run at m = 50).
MAPPED = 64


def koopman_stage(settings: KoopmanSettings, latent: str | Path, out: str | Path, run: Run) -> None:
    """Write ``trajectories.parquet``, ``eigenvalues.parquet`` and ``matrices.parquet`` below ``out``.

    Args:
        settings: ``ridge``, the training ridge.
        latent: folder of the ``extract`` stage.
        out: folder.
        run: the record to finish.

    Raises:
        DataError: the statistics do not belong to the responses, or a file cannot be read.
    """
    latent, out = Path(latent), Path(out)
    with reading(latent / "statistics.safetensors", "run `relax extract` again"):
        tensors = load_file(latent / "statistics.safetensors")
        statistics = TrajectoryStatistics.from_tensors(tensors)
        shuffled = TrajectoryStatistics.from_tensors(
            {name.removeprefix("shuffled_"): tensor for name, tensor in tensors.items() if name.startswith("shuffled_")}
        )
    with reading(latent / "responses.parquet", "run `relax extract` again"):
        responses = pd.read_parquet(latent / "responses.parquet", columns=["id", "kind", "length", "correct"])
    if len(statistics) != len(responses):
        raise DataError(f"{latent}: {len(statistics)} trajectories but {len(responses)} responses; extract again.")
    table = responses.assign(**trajectory_numbers(statistics, shuffled, settings.ridge))
    files = {
        "trajectories.parquet": table,
        "eigenvalues.parquet": _eigenvalues(responses, statistics, settings.ridge),
        "matrices.parquet": _matrices(responses, statistics, settings.ridge),
    }
    for name, frame in files.items():
        atomic_write(out / name, frame.to_parquet(index=False))
    numbers = table.drop(columns=["id", "correct"]).replace([np.inf, -np.inf], np.nan)
    for kind, means in numbers.groupby("kind").mean().iterrows():
        run.metrics.update({f"{kind}/{name}": float(value) for name, value in means.items()})
    run.finish(out, [out / name for name in files])


def trajectory_numbers(
    statistics: TrajectoryStatistics, shuffled: TrajectoryStatistics, ridge: float
) -> dict[str, NDArray[np.float64]]:
    """Columns of numbers, one entry a trajectory: DSD by spectrum and ridge, and how far it can be trusted.

    Args:
        statistics: of the trajectories.
        shuffled: of the same states in random time order.
        ridge: the first; :data:`ROBUST_RIDGE` is the second.
    """
    columns: dict[str, torch.Tensor] = {}
    for spectrum in SPECTRA:
        columns[f"dsd_{spectrum}"] = statistics.dsd(spectrum, ridge)
        columns[f"dsd_{spectrum}_ridge_{ROBUST_RIDGE}"] = statistics.dsd(spectrum, ROBUST_RIDGE)
        columns[f"shuffled_{spectrum}"] = shuffled.dsd(spectrum, ridge)
    columns["condition"] = statistics.condition()
    columns["leverage"] = statistics.leverage(ridge)
    columns["residual"] = statistics.residuals(ridge)[1].nanquantile(0.5, dim=1)
    columns["effective_rank"] = statistics.effective_rank()
    return {name: tensor.numpy() for name, tensor in columns.items()}


def eigenvalue_table(ids: Sequence[str], statistics: TrajectoryStatistics, ridge: float) -> pd.DataFrame:
    """All eigenvalues and their residuals, m rows a trajectory, in the order of ``ids``."""
    values, residuals = statistics.residuals(ridge)
    return pd.DataFrame(
        {
            "id": np.repeat(np.asarray(ids, dtype=object), values.shape[1]),
            "real": values.real.flatten().numpy(),
            "imag": values.imag.flatten().numpy(),
            "residual": residuals.flatten().numpy(),
        }
    )


def _eigenvalues(responses: pd.DataFrame, statistics: TrajectoryStatistics, ridge: float) -> pd.DataFrame:
    """All eigenvalues of the first trajectories of each kind."""
    kept = responses.groupby("kind").head(SHOWN)
    table = eigenvalue_table(list(kept["id"]), statistics[torch.tensor(kept.index.to_numpy())], ridge)
    table.insert(1, "kind", np.repeat(kept["kind"].to_numpy(), len(table) // len(kept)))
    return table


def _matrices(responses: pd.DataFrame, statistics: TrajectoryStatistics, ridge: float) -> pd.DataFrame:
    """Koopman matrices of the first on-policy trajectories: ``id`` and ``matrix``, m * m float32 row by row."""
    kept = responses[responses["kind"] == "policy"].head(MAPPED)
    matrices = statistics[torch.tensor(kept.index.to_numpy())].koopman(ridge)
    return pd.DataFrame({"id": kept["id"].to_numpy(), "matrix": list(matrices.flatten(1).float().numpy())})
