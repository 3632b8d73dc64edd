"""Per-trajectory statistics: three m x m matrices from which every spectrum, DSD and residual follows.

They are what an analysis keeps instead of hidden states (3 m^2 numbers, 60 kB at m = 50, for a trajectory
of any length), they add up over chunks of time, and they stack over trajectories.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from relax.koopman.arguments import check_mask, check_ridge, check_spectrum, check_trajectories
from relax.koopman.operator import RIDGE, ridge_solve
from relax.koopman.projection import project, snapshot_pairs, transitions
from relax.koopman.residuals import gram_pseudospectrum, gram_residuals
from relax.koopman.spectrum import eigenvalues, singular_values

#: States projected at a time: the working memory stays at a few per cent of a large batch's own.
CHUNK_STATES = 256


@dataclass
class TrajectoryStatistics:
    """Gram matrices of B trajectories, Psi_y ~ Psi_x K over their transitions.

    A trajectory without a transition has zero matrices, hence K = 0 and DSD 0. Nothing here carries a
    gradient.
    """

    gram: Tensor
    """(B, m, m) float64, G = Psi_x' Psi_x."""
    cross: Tensor
    """(B, m, m) float64, A = Psi_x' Psi_y."""
    gram_next: Tensor
    """(B, m, m) float64, L = Psi_y' Psi_y."""
    last: Tensor
    """(B, m) float64, the snapshot of the last state (zero without one)."""
    length: Tensor
    """(B,) int64, states that are not padding."""
    connected: Tensor
    """(B,) bool: the last column seen was a state, so that a further chunk goes on from ``last``."""

    @classmethod
    def empty(cls, batch: int, koopman_dim: int, device: torch.device | str = "cpu") -> "TrajectoryStatistics":
        """Statistics of ``batch`` trajectories of which nothing has been seen yet."""
        square = torch.zeros(3, batch, koopman_dim, koopman_dim, dtype=torch.float64, device=device)
        last = torch.zeros(batch, koopman_dim, dtype=torch.float64, device=device)
        length = torch.zeros(batch, dtype=torch.int64, device=device)
        return cls(square[0], square[1], square[2], last, length, torch.zeros_like(length, dtype=torch.bool))

    @classmethod
    def from_snapshots(cls, psi: Tensor, mask: Tensor) -> "TrajectoryStatistics":
        """Statistics of snapshots (B, T, m), as :func:`relax.koopman.project` makes them, and their mask."""
        valid = check_mask(mask, psi, "psi")
        statistics = cls.empty(psi.shape[0], psi.shape[2], psi.device)
        statistics._add(torch.where(valid.unsqueeze(-1), psi.detach(), 0.0), valid)
        return statistics

    def update(self, hidden: Tensor, weight: Tensor, mask: Tensor) -> None:
        """Add the next columns of the same trajectories, in place.

        Args:
            hidden: (B, t, d) the states that follow those already seen; padding may hold anything.
            weight: (d, m) the same dictionary as before.
            mask: (B, t) boolean or integer.

        Raises:
            ValueError, TypeError, NonFiniteError: as :func:`relax.koopman.dsd`.
        """
        valid = check_trajectories(hidden, weight, mask)
        if (hidden.shape[0], weight.shape[1]) != tuple(self.last.shape):
            raise ValueError(
                f"hidden: a batch of {hidden.shape[0]} with {weight.shape[1]} functions does not continue "
                f"statistics of {self.last.shape[0]} trajectories with {self.last.shape[1]}."
            )
        hidden, weight = hidden.detach(), weight.detach()
        rows = max(1, CHUNK_STATES // max(1, hidden.shape[1]))
        for start in range(0, hidden.shape[0], rows):
            part = self[start : start + rows]  # views: what is added to them is added here
            for column in range(0, hidden.shape[1], CHUNK_STATES):
                chunk = (slice(start, start + rows), slice(column, column + CHUNK_STATES))
                part._add(project(hidden[chunk], weight, valid[chunk]), valid[chunk])

    def koopman(self, ridge: float = RIDGE) -> Tensor:
        """(B, m, m) Koopman matrices (G + ridge I)^-1 A."""
        check_ridge(ridge)
        return ridge_solve(self.gram, self.cross, ridge)

    def eigenvalues(self, ridge: float = RIDGE) -> Tensor:
        """(B, m) complex128, in LAPACK's order."""
        return eigenvalues(self.koopman(ridge))

    def singular_values(self, ridge: float = RIDGE) -> Tensor:
        """(B, m) float64, descending."""
        return singular_values(self.koopman(ridge))

    def dsd(self, spectrum: str = "eigenvalues", ridge: float = RIDGE) -> Tensor:
        """(B,) float64: Var of the magnitudes of the named spectrum, as :func:`relax.koopman.dsd`."""
        check_spectrum(spectrum)
        size = self.eigenvalues(ridge).abs() if spectrum == "eigenvalues" else self.singular_values(ridge)
        return size.var(dim=1, correction=1)

    def residuals(self, ridge: float = RIDGE, on: "TrajectoryStatistics | None" = None) -> tuple[Tensor, Tensor]:
        """Eigenvalues (B, m) and their normalised residuals (B, m), in the same order.

        With ``on`` (also B trajectories), the eigenpairs found here are tested on those trajectories.
        """
        data = self if on is None else on
        return gram_residuals(self.koopman(ridge), data.gram, data.cross, data.gram_next)

    def pseudospectrum(self, z: Tensor, index: int = 0) -> Tensor:
        """tau(z) of trajectory ``index``, of z's shape; see :func:`relax.koopman.pseudospectrum`."""
        return gram_pseudospectrum(self.gram[index], self.cross[index], self.gram_next[index], z)

    def leverage(self, ridge: float = RIDGE) -> Tensor:
        """(B,) h_T = psi_T' (G + ridge I)^-1 psi_T of the last state.

        It bounds the eigenvalue DSD of an unbroken trajectory: max |lambda|^2 <= 1 + h_T, so the variance
        with denominator m is at most (1 + h_T) / 4. Large values say that one outlying state decides.
        """
        check_ridge(ridge)
        column = self.last.unsqueeze(-1)
        return (column.mT @ ridge_solve(self.gram, column, ridge)).flatten()

    def condition(self) -> Tensor:
        """(B,) condition number of the Gram matrix without ridge; infinite where it is singular."""
        values = self._gram_eigenvalues()
        singular = values[:, 0] <= values.shape[1] * torch.finfo(torch.float64).eps * values[:, -1]
        return torch.where(singular, torch.inf, values[:, -1] / values[:, 0].masked_fill(singular, 1.0))

    def effective_rank(self) -> Tensor:
        """(B,) exp of the entropy of Psi_x's normalised singular values; 0 without a transition.

        Source: Roy and Vetterli, The effective rank (2007).
        """
        size = self._gram_eigenvalues().clamp_min(0).sqrt()
        total = size.sum(dim=1, keepdim=True)
        share = size / total.clamp_min(torch.finfo(torch.float64).tiny)
        return torch.where(total[:, 0] > 0, torch.exp(-torch.xlogy(share, share).sum(dim=1)), 0.0)

    @classmethod
    def cat(cls, parts: Iterable["TrajectoryStatistics"]) -> "TrajectoryStatistics":
        """Stack trajectories of several batches."""
        columns = zip(*(part.to_tensors().values() for part in parts), strict=True)
        return cls(*(torch.cat(column) for column in columns))

    def pooled(self) -> "TrajectoryStatistics":
        """All trajectories as one (B = 1), with the transitions of all of them.

        ``leverage`` says nothing about a pool: its bound holds for one unbroken trajectory.
        """
        summed = [matrix.sum(dim=0, keepdim=True) for matrix in (self.gram, self.cross, self.gram_next)]
        return TrajectoryStatistics(
            summed[0], summed[1], summed[2], self.last[-1:], self.length.sum().reshape(1), self.connected[-1:]
        )

    def to_tensors(self) -> dict[str, Tensor]:
        """The fields by name, for a safetensors file."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> "TrajectoryStatistics":
        """The opposite of :meth:`to_tensors`; further names are ignored.

        Raises:
            ValueError: a name is missing.
        """
        missing = [field.name for field in fields(cls) if field.name not in tensors]
        if missing:
            raise ValueError(f"tensors: no {', '.join(missing)}; expected the fields of TrajectoryStatistics.")
        return cls(**{field.name: tensors[field.name] for field in fields(cls)})

    def __getitem__(self, index: Tensor | slice) -> "TrajectoryStatistics":
        """Some of the trajectories, by slice, boolean or integer index."""
        return TrajectoryStatistics(*(tensor[index] for tensor in self.to_tensors().values()))

    def __len__(self) -> int:
        return len(self.length)

    def _gram_eigenvalues(self) -> Tensor:
        return torch.linalg.eigvalsh(self.gram.cpu()).to(self.gram.device)

    def _add(self, psi: Tensor, valid: Tensor) -> None:
        """Add columns (B, t, m) that are zero where ``valid`` is false, in place."""
        if psi.shape[1] == 0:
            return
        psi = torch.cat([self.last.unsqueeze(1), psi.to(torch.float64)], dim=1)
        pairs = transitions(torch.cat([self.connected.unsqueeze(1), valid], dim=1))
        psi_x, psi_y = snapshot_pairs(psi, pairs)
        psi_y = psi_y * pairs.unsqueeze(-1).to(psi.dtype)  # its own product L needs the zeros
        self.gram += psi_x.mT @ psi_x
        self.cross += psi_x.mT @ psi_y
        self.gram_next += psi_y.mT @ psi_y
        self.length += valid.sum(dim=1)
        self.connected.copy_(valid[:, -1])
        columns = torch.arange(1, valid.shape[1] + 1, device=valid.device)
        latest = (columns * valid).amax(dim=1)  # 0: no state in this chunk, keep the one before
        self.last.copy_(psi.gather(1, latest[:, None, None].expand(-1, 1, psi.shape[2])).squeeze(1))


def trajectory_statistics(hidden: Tensor, weight: Tensor, mask: Tensor) -> TrajectoryStatistics:
    """Statistics of a padded batch, formed chunk by chunk; see :class:`TrajectoryStatistics`.

    Args:
        hidden: (B, T, d) hidden states of any floating-point kind; padding may hold anything.
        weight: (d, m) dictionary.
        mask: (B, T) boolean or integer, non-zero at states.

    Raises:
        ValueError, TypeError, NonFiniteError: as :func:`relax.koopman.dsd`.

    Examples:
        >>> import torch
        >>> from relax.koopman import Dictionary, trajectory_statistics
        >>> hidden = torch.randn(3, 40, 8, generator=torch.Generator().manual_seed(0))
        >>> mask = torch.ones(3, 40, dtype=torch.bool)
        >>> statistics = trajectory_statistics(hidden, Dictionary.random(8, 4).weight, mask)
        >>> statistics.koopman().shape, statistics.dsd().shape, statistics.length.tolist()
        (torch.Size([3, 4, 4]), torch.Size([3]), [40, 40, 40])
    """
    check_trajectories(hidden, weight, mask)
    statistics = TrajectoryStatistics.empty(hidden.shape[0], weight.shape[1], hidden.device)
    statistics.update(hidden, weight, mask)
    return statistics
