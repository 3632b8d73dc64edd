"""DSD of the terms where it is another number than DSD in the frame of the frozen dictionary.

The first author's fork of veRL fits W anew during a run, takes DSD of a padded window, and smooths the magnitudes;
:class:`relax.config.methods.Method` names file and line of each. What is logged stays in the frozen frame, in which
methods can be compared.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import Tensor
from torch.nn.functional import pad

from relax.koopman import Dictionary, dsd_values, project
from relax.koopman.spectrum import DSD, snapshot_dsd
from relax.training.relax_config import ReLaXConfig

#: A checkpoint's file of the refitted W.
FILE = "refitted.safetensors"


def fit_on_one(trajectories: Sequence[Tensor], accelerator: Accelerator, **settings: Any) -> Dictionary | None:
    """Fit W on the trajectories (T, d) of the first process that has some; all get it, or None where none has any."""
    found = accelerator.gather(torch.tensor([len(trajectories)], device=accelerator.device))
    if not found.any():
        return None
    first = int(found.nonzero()[0])
    fitted: list[Dictionary | None] = [None]
    if accelerator.process_index == first:
        fitted = [Dictionary.fit(trajectories, **settings)]
    return broadcast_object_list(fitted, from_process=first)[0]


class OwnDSD:
    """The refitted dictionary and DSD of the terms along one training run.

    Args:
        args: the trainer's arguments.
        accelerator: its device and processes.

    Attributes:
        dictionary: the newest refitted one; None where W is not refitted, and before the first rollouts.
        generations: generation batches so far.
    """

    def __init__(self, args: ReLaXConfig, accelerator: Accelerator) -> None:
        self.args, self.accelerator = args, accelerator
        self.dictionary: Dictionary | None = None
        self.generations = 0
        self._fitted_in: int | None = None

    # The refitted dictionary ------------------------------------------------------------------------

    @property
    def due(self) -> bool:
        """Whether W is to be fitted on this generation's rollouts."""
        every = self.args.refit_every
        return every is not None and self.generations % every == 0 and self._fitted_in != self.generations

    def kept(self, hidden: Tensor, mask: Tensor) -> list[Tensor]:
        """What a fit reads of some states (B, T, d) and their mask (B, T): a tensor (T_i, d) a trajectory, on the CPU.

        Of a window its first states, those after the response's end included; none of a response without a token.
        """
        most = self.args.refit_states
        if self.args.trajectory != "window":
            rows = [states[there][:most] for states, there in zip(hidden, mask.bool(), strict=True)]
        else:
            width = self.args.max_completion_length
            width = width if most is None else min(most, width)
            states = self._window(hidden, mask)[:, :width]
            states = pad(states, (0, 0, 0, width - states.shape[1]))
            rows = [row if there else row[:0] for row, there in zip(states, mask[:, 1:].any(dim=1), strict=True)]
        return [row.detach().cpu() for row in rows]

    def fit(self, trajectories: Sequence[Tensor], koopman_dim: int, position: str) -> None:
        """Fit on what :meth:`kept` gave of a generation; without a trajectory the W before stays."""
        fitted = fit_on_one(
            trajectories,
            self.accelerator,
            koopman_dim=koopman_dim,
            objective=self.args.refit_objective,
            ridge=self.args.ridge,
            seed=self.args.seed,
            position="predicting" if self.args.trajectory == "window" else position,
            slope=self.args.refit_slope,
        )
        self._fitted_in = self.generations
        if fitted is not None:
            self.use(fitted)

    def use(self, dictionary: Dictionary) -> None:
        """Take this W until the next fit."""
        self.dictionary = dictionary
        self._weight = dictionary.weight.to(self.accelerator.device)

    # A checkpoint -------------------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """The refitted W, where there is one."""
        if self.dictionary is not None:
            self.dictionary.save(folder / FILE)

    def load(self, folder: Path, generations: int) -> None:
        """Go on as saved, in the midst of a generation or after it."""
        self.generations = generations
        if (folder / FILE).is_file():
            self.use(Dictionary.load(folder / FILE))

    # DSD ------------------------------------------------------------------------------------------------

    def values(self, hidden: Tensor, mask: Tensor, frozen: Tensor) -> DSD:
        """DSD of states as the terms take it, differentiable; see :func:`relax.koopman.spectrum.dsd_values`.

        Args:
            hidden: (B, T, d); of a window from the prompt's last token on.
            mask: (B, T).
            frozen: (d, m), the weight where W is not refitted.
        """
        args, weight = self.args, frozen if self.dictionary is None else self._weight
        if args.trajectory != "window":
            return dsd_values(hidden, weight, mask, args.spectrum, args.ridge, args.dsd_window, args.smoothing)
        states = self._window(hidden, mask)
        psi = project(states, weight, torch.ones(states.shape[:2], dtype=torch.bool, device=states.device))
        # psi of a state that is 0 is 0.5.
        psi = pad(psi, (0, 0, 0, args.max_completion_length - psi.shape[1]), value=0.5)
        valid = torch.ones(psi.shape[:2], dtype=torch.bool, device=psi.device)
        return snapshot_dsd(psi, valid, args.spectrum, args.ridge, None, args.smoothing)

    def _window(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """The states (B, T, d) of the window that were computed, T at most its length; 0 after a response's end."""
        length = self.args.max_completion_length
        return hidden.masked_fill(~mask.bool().unsqueeze(-1), 0)[:, :length]
