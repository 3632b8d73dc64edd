"""The frame in which DSD is measured: the frozen dictionary, the states of completions, and what is logged of them.

Knows nothing of TRL: it is handed hidden states, and tells numbers to whoever logs them.
"""

from collections.abc import Callable, Sequence

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.nn.functional import pad

from relax.errors import ConfigError
from relax.koopman import (
    ROBUST_RIDGE,
    SPECTRA,
    Dictionary,
    dsd,
    length_matched_dsd,
    project,
    trajectory_statistics,
)
from relax.latent.states import completion_states, state_mask
from relax.training.own_dsd import OwnDSD, fit_on_one
from relax.training.relax_config import ReLaXConfig

Note = Callable[[str, float], None]


class Frame:
    """The frozen dictionary along one training run, and DSD in its frame.

    Args:
        args: the trainer's arguments.
        width: d, width of the model's hidden states.
        accelerator: its device and its ``gather``.
        note: takes a name and a value for the next log line.
        ends: tokens that end a response.

    Attributes:
        dictionary: the frozen dictionary, None before the first rollouts where none was given.
        matched_length: see :class:`~relax.training.relax_config.ReLaXConfig`; None before the first rollouts.
        own: DSD of the terms, where it is another number than DSD in this frame.

    Raises:
        ConfigError: the dictionary is for another width.
    """

    def __init__(
        self, args: ReLaXConfig, width: int, accelerator: Accelerator, note: Note, ends: Sequence[int]
    ) -> None:
        self.args, self.width, self.accelerator, self.note, self.ends = args, width, accelerator, note, ends
        self.dictionary: Dictionary | None = None
        self.matched_length = args.matched_length
        self.own = OwnDSD(args, accelerator) if args.own_dsd else None
        if args.dictionary is not None:
            self.use(Dictionary.load(args.dictionary))

    def use(self, dictionary: Dictionary) -> None:
        """Freeze this dictionary for the run."""
        if dictionary.settings.hidden_size != self.width:
            raise ConfigError(
                f"the dictionary is for hidden states of width {dictionary.settings.hidden_size}, "
                f"the model has {self.width}; fit one on this model."
            )
        if self.args.trajectory == "window" and dictionary.settings.position == "text":
            raise ConfigError(
                "trajectory is 'window', but the dictionary's position is 'text'; fit one with response or predicting."
            )
        self.dictionary = dictionary
        self.weight = dictionary.weight.to(self.accelerator.device)

    def fit(self, states: list[tuple[Tensor, Tensor]]) -> None:
        """Fit on (T, d) states and (T,) masks of the first rollouts of one process; all get its W.

        Nothing where none has any.
        """
        framed = [self.framed(hidden[None], mask[None]) for hidden, mask in states]
        trajectories = [hidden[0][mask[0].bool()] for hidden, mask in framed if mask.sum() > 1]
        fitted = fit_on_one(
            trajectories,
            self.accelerator,
            koopman_dim=self.args.koopman_dim,
            objective=self.args.dictionary_objective,
            ridge=self.args.ridge,
            seed=self.args.seed,
            position=self.args.position,
        )
        if fitted is not None:
            self.use(fitted)

    @property
    def position(self) -> str:
        """Which states trajectories are; the dictionary's word counts."""
        return self.args.position if self.dictionary is None else self.dictionary.settings.position

    def states(self, hidden: Tensor, attention: Tensor, tokens: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """Of the states of a pass (B, P + length, d), those of completions (B, T, d), and where there is one (B, T).

        T is ``length``, or one more for a window, which begins at the prompt's last token.
        """
        mask, tokens = attention[:, -length:], tokens[:, -length:]
        if self.args.trajectory == "window":
            return hidden[:, -length - 1 :], pad(mask, (1, 0), value=1)
        mask = state_mask(mask, tokens, self.ends, self.position)
        return completion_states(hidden, length, self.position), mask

    def framed(self, hidden: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Of what :meth:`states` gave, the trajectories in the frame of the frozen dictionary."""
        if self.args.trajectory != "window":
            return hidden, mask
        return completion_states(hidden, hidden.shape[1] - 1, self.position), mask[:, 1:]

    # DSD without gradient -------------------------------------------------------------------------

    @torch.no_grad()
    def measure(self, hidden: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Rows that ride along in a batch: ``relax_dsd`` (B,), which the objective uses, and what is logged.

        Args:
            hidden: (B, T, d) of :meth:`states`.
            mask: (B, T).

        Returns:
            ``relax_dsd`` (B,) float64 and ``relax_logged`` (B, 6) float64: for either spectrum DSD at the
            training ridge, at :data:`relax.koopman.ROBUST_RIDGE`, and at the matched length (NaN where a
            response is shorter). A response without states, as all are while there is no dictionary, has 0 and NaN.
        """
        args, given = self.args, (hidden, mask)
        hidden, mask = self.framed(*given)
        if self.dictionary is None:
            nothing = torch.zeros(len(hidden), dtype=torch.float64, device=hidden.device)
            return {"relax_dsd": nothing, "relax_logged": torch.full_like(nothing, torch.nan)[:, None].repeat(1, 6)}
        statistics = trajectory_statistics(hidden, self.weight, mask)
        columns, matched = [], self._matched(hidden, mask)
        for spectrum, at_one_length in zip(SPECTRA, matched, strict=True):
            columns += [statistics.dsd(spectrum, args.ridge), statistics.dsd(spectrum, ROBUST_RIDGE), at_one_length]
        logged = torch.stack(columns, dim=1)
        values = logged[:, 3 * SPECTRA.index(args.spectrum)].clone()
        if self.own is not None:
            values = self.own.values(*given, self.weight).values.masked_fill(~mask.bool().any(1), 0)
        elif args.dsd_window is not None:
            values = dsd(hidden, self.weight, mask, args.spectrum, args.ridge, args.dsd_window)
        return {"relax_dsd": values, "relax_logged": logged.masked_fill(~mask.bool().any(1, keepdim=True), torch.nan)}

    def _matched(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """(spectra, B) DSD at the matched length; NaN where a response is shorter, or the length is not known yet."""
        shape = (len(SPECTRA), len(hidden))
        values = torch.full(shape, torch.nan, dtype=torch.float64, device=hidden.device)
        if self.matched_length is None:
            return values
        long = mask.sum(dim=1) >= self.matched_length
        if long.any():
            psi = project(hidden[long], self.weight, mask[long])
            for row, spectrum in zip(values, SPECTRA, strict=True):
                row[long] = length_matched_dsd(psi, mask[long], self.matched_length, spectrum, self.args.ridge)
        return values

    def note_dsd(self, logged: Tensor) -> None:
        """Log the rows of :meth:`measure`, of all processes; those without states have nothing to log."""
        gathered = self.accelerator.gather(logged)
        gathered = gathered[~gathered[:, 0].isnan()].unflatten(1, (len(SPECTRA), 3))
        if not len(gathered):
            return
        for index, spectrum in enumerate(SPECTRA):
            values, robust, matched = gathered[:, index].unbind(dim=1)
            self.note(f"dsd/{spectrum}", values.mean().item())
            self.note(f"dsd/{spectrum}/q10", torch.quantile(values, 0.1).item())
            self.note(f"dsd/{spectrum}/q90", torch.quantile(values, 0.9).item())
            self.note(f"dsd/{spectrum}/ridge_{ROBUST_RIDGE}", robust.mean().item())
            if not matched.isnan().all():
                self.note(f"dsd/{spectrum}/matched", matched.nanmean().item())
