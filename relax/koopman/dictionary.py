"""The dictionary psi(x) = sigmoid(W' x): made, fitted, measured, kept in a file and recognised again."""

import contextlib
import hashlib
import json
import math
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from relax.errors import ConfigError, DataError, MachineError
from relax.koopman.arguments import check_finite, check_positive, check_ridge, check_weight
from relax.koopman.fitting import Trajectories, batches, check_objective, fit_weight
from relax.koopman.gram_statistics import TrajectoryStatistics, trajectory_statistics
from relax.koopman.operator import RIDGE

#: Which states after the final norm a response's trajectory is: those at its tokens, or one to the left,
#: from which its tokens are predicted (the first is the prompt's last), or those at its tokens without the one that
#: ended it.
POSITIONS = ("response", "predicting", "text")
#: The spectrum whose pairs an objective looks at.
SPECTRUM_OF = {
    "residual": "eigenvalues",
    "printed": "eigenvalues",
    "singular": "singular_values",
    "fragment": "singular_values",
    "random": "none",
}


@dataclass(frozen=True)
class DictionarySettings:
    """What decides a dictionary, stored beside W and part of its hash."""

    hidden_size: int
    """d, the width of the hidden states."""
    koopman_dim: int
    """m, the number of functions."""
    activation: str
    """``sigmoid``, the only one."""
    ridge: float
    """Ridge of the Koopman matrix during the fit."""
    objective: str
    """``residual``, ``singular``, ``fragment``, ``printed`` or ``random``."""
    spectrum: str
    """Spectrum of the objective: ``eigenvalues``, ``singular_values``, or ``none`` for a random W."""
    position: str
    """Which hidden states after the final norm: ``response``, at the tokens of a response, ``predicting`` them, one to
    the left, or ``text``, at its tokens without the one that ended it."""
    seed: int
    """Seed of the initial W and of the order of the trajectories."""


class Dictionary:
    """W of shape (d, m) with its settings; psi(x) = sigmoid(W' x), no bias (Section 3 of the paper).

    Args:
        weight: (d, m), finite, m at least 2; kept as float32 on the CPU.
        settings: they must agree with the weight's shape.

    Raises:
        ValueError, TypeError: the weight does not fit.
        ConfigError: the settings speak of another shape.

    Examples:
        >>> import torch
        >>> from relax.koopman import Dictionary
        >>> Dictionary.random(hidden_size=8, koopman_dim=4).weight.shape
        torch.Size([8, 4])
        >>> walks = [torch.randn(30, 8, generator=torch.Generator().manual_seed(i)) for i in range(5)]
        >>> fitted = Dictionary.fit(walks, koopman_dim=4)
        >>> fitted.settings.objective
        'residual'
    """

    def __init__(self, weight: Tensor, settings: DictionarySettings) -> None:
        check_weight(weight, least_columns=2)
        check_finite("weight", weight)
        if tuple(weight.shape) != (settings.hidden_size, settings.koopman_dim):
            raise ConfigError(
                f"dictionary: its weight has shape {tuple(weight.shape)} but its settings say "
                f"({settings.hidden_size}, {settings.koopman_dim}); make it again."
            )
        self.weight = weight.detach().to("cpu", torch.float32, copy=True).contiguous()
        self.settings = settings

    def __repr__(self) -> str:
        s = self.settings
        return f"Dictionary(d={s.hidden_size}, m={s.koopman_dim}, objective={s.objective!r}, hash={self.hash!r})"

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits of the SHA-256 of W and the settings."""
        total = hashlib.sha256(json.dumps(asdict(self.settings), sort_keys=True).encode())
        total.update(self.weight.numpy().tobytes())
        return total.hexdigest()[:12]

    @classmethod
    def random(
        cls,
        hidden_size: int,
        koopman_dim: int,
        seed: int = 0,
        ridge: float = RIDGE,
        position: str = POSITIONS[0],
        slope: float = 0.0,
    ) -> "Dictionary":
        """A random W: Kaiming-uniform, within +-sqrt(6 / ((1 + a^2) d)) for the ``slope`` a of a leaky ReLU."""
        check_positive("hidden_size", hidden_size)
        if position not in POSITIONS:
            raise ValueError(f"position: {position!r} is unknown; expected one of {', '.join(POSITIONS)}.")
        check_positive("koopman_dim", koopman_dim, least=2)
        check_ridge(ridge)
        generator = torch.Generator().manual_seed(seed)
        bound = math.sqrt(6 / ((1 + slope**2) * hidden_size))
        weight = torch.empty(hidden_size, koopman_dim).uniform_(-bound, bound, generator=generator)
        settings = DictionarySettings(
            hidden_size, koopman_dim, "sigmoid", float(ridge), "random", SPECTRUM_OF["random"], position, seed
        )
        return cls(weight, settings)

    @classmethod
    def fit(
        cls,
        trajectories: Trajectories,
        koopman_dim: int = 50,
        objective: str = "residual",
        ridge: float = RIDGE,
        lr: float = 1e-3,
        epochs: int = 1,
        batch: int = 64,
        seed: int = 0,
        position: str = POSITIONS[0],
        progress: Callable[[int, float], None] | None = None,
        slope: float = 0.0,
    ) -> "Dictionary":
        """Fit W on trajectories by Adam, one step a batch, K pooled over the batch.

        Args:
            trajectories: a sequence of (T_i, d) tensors, shuffled anew each epoch and taken ``batch`` at
                a time (a sequence that reads a tensor from a disk when it is asked for one will do: no more than
                a batch is held, and of 16-bit states no more than 64 MB); or an iterable of batches
                (hidden (B, T, d), mask (B, T)) taken as they come (more than one epoch then
                needs an iterable that can be walked again, such as a list).
            koopman_dim: m, at least 2.
            objective: see :func:`relax.koopman.dictionary_loss`; ``random`` keeps the initial W.
            ridge: of the pooled Koopman matrix.
            lr: learning rate of Adam.
            epochs: passes over the trajectories.
            batch: trajectories a step.
            seed: of the initial W and of the order.
            position: which states the trajectories are; kept with W, so that others take the same.
            progress: called after each step with the number of steps done and the loss.
            slope: of the initial W, see :meth:`random`; the authors' fragment has sqrt 7.

        Raises:
            ValueError, TypeError: an argument does not fit, or there is no trajectory with a transition.
            NonFiniteError: a state, or the loss, is not finite.

        Source: Eq. 6 and 8 of the paper and its fragment's settings (Adam, 1e-3, one epoch, 64 trajectories).
        """
        check_objective(objective, also=("random",))
        check_positive("epochs", epochs)
        check_positive("batch", batch)
        source = batches(trajectories, batch, seed)
        initial = cls.random(source.hidden_size, koopman_dim, seed, ridge, position, slope)
        if objective == "random":
            return initial
        weight = fit_weight(initial.weight, source, objective, ridge, lr, epochs, progress)
        settings = replace(initial.settings, objective=objective, spectrum=SPECTRUM_OF[objective])
        return cls(weight, settings)

    def report(self, held_out: Trajectories) -> dict[str, float]:
        """What W achieves on trajectories it was not fitted on, beside the random W of the same seed.

        K is estimated on every other trajectory and its eigenpairs are tested on the rest, so neither W
        nor K has seen what it is judged by.

        Returns:
            residual_q10, residual_q50, residual_q90: quantiles of the normalised residuals over the m
            eigenpairs; condition: of the pooled Gram matrix; effective_rank: of the pooled snapshots; and
            the same five with the prefix ``random_`` for the random W. A fit helped where its residuals
            are lower at a condition number that is not much higher.

        Raises:
            ValueError: fewer than two trajectories.
        """
        source = batches(held_out, 64, None)
        if source.hidden_size != self.settings.hidden_size:
            raise ValueError(
                f"held_out: its states have {source.hidden_size} entries; "
                f"expected {self.settings.hidden_size}, the dictionary's hidden size."
            )
        s = self.settings
        start = Dictionary.random(s.hidden_size, s.koopman_dim, s.seed, s.ridge)
        weights = {"": self.weight, "random_": start.weight}
        found: dict[str, list[TrajectoryStatistics]] = {prefix: [] for prefix in weights}
        for parts in source.epoch():
            for hidden, mask in parts:
                for prefix, weight in weights.items():
                    found[prefix].append(trajectory_statistics(hidden, weight.to(hidden.device), mask))
        return {
            prefix + key: value
            for prefix, held in found.items()
            for key, value in _measure(TrajectoryStatistics.cat(held), s.ridge).items()
        }

    def check(self, **expected: Any) -> None:
        """Refuse settings that differ from those named, such as ``hidden_size=896, koopman_dim=50``.

        Raises:
            ConfigError: one does; the sentence names it.
            TypeError: a name is not a setting.
        """
        self._check("dictionary", expected)

    def save(self, path: str | Path) -> None:
        """Write a safetensors file: tensor ``weight``, metadata with the settings and the hash. Atomic.

        Raises:
            MachineError: the file cannot be written.
        """
        from safetensors.torch import save

        path = Path(path)
        # One metadata entry: safetensors does not keep the order of several, and bytes must be repeatable.
        record = json.dumps({**asdict(self.settings), "hash": self.hash}, sort_keys=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        content = save({"weight": self.weight}, metadata={"dictionary": record})
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(content)
            os.replace(temporary, path)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise MachineError(f"{path}: cannot write there ({error.strerror}); choose another path.") from error

    @classmethod
    def load(cls, path: str | Path, **expected: Any) -> "Dictionary":
        """Read a file written by :meth:`save`; ``expected`` settings are checked as by :meth:`check`.

        Raises:
            DataError: the file is missing or is no dictionary.
            ConfigError: its content does not belong to its hash, or a setting differs from the expected.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(path), framework="pt") as file:
                record = json.loads((file.metadata() or {})["dictionary"])
                weight = file.get_tensor("weight")
            digest = record.pop("hash")
            settings = DictionarySettings(**record)
        except FileNotFoundError as error:
            raise DataError(f"{path}: there is no such dictionary; make it with `relax dictionary`.") from error
        except (OSError, SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise DataError(f"{path}: not a dictionary written by relax ({error}); make it again.") from error
        dictionary = cls(weight, settings)
        if dictionary.hash != digest:
            raise ConfigError(
                f"{path}: W or its settings have changed since it was written (hash {dictionary.hash}, "
                f"expected {digest}); make it again."
            )
        dictionary._check(str(path), expected)
        return dictionary

    def _check(self, where: str, expected: dict[str, Any]) -> None:
        have = asdict(self.settings)
        for name, value in expected.items():
            if name not in have:
                raise TypeError(f"{name}: not a setting of a dictionary; expected one of {', '.join(have)}.")
            if have[name] != value:
                raise ConfigError(
                    f"{where}: the dictionary was made with {name} {have[name]!r}, but {value!r} is asked "
                    f"for; make it again or change {name}."
                )


def _measure(statistics: TrajectoryStatistics, ridge: float) -> dict[str, float]:
    """Residual quantiles, condition and effective rank of the pooled snapshots of held-out trajectories."""
    if len(statistics) < 2:
        raise ValueError(f"held_out: {len(statistics)} trajectory; expected at least 2, to estimate K and to test it.")
    estimate, test = statistics[::2].pooled(), statistics[1::2].pooled()
    residuals = estimate.residuals(ridge, on=test)[1]
    pooled = statistics.pooled()
    levels = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    low, middle, high = torch.quantile(residuals.flatten().cpu(), levels, interpolation="nearest").tolist()
    return {
        "residual_q10": low,
        "residual_q50": middle,
        "residual_q90": high,
        "condition": float(pooled.condition()),
        "effective_rank": float(pooled.effective_rank()),
    }
