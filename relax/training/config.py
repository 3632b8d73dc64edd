"""ReLaXConfig: TRL's GRPOConfig with the fields of the method."""

from dataclasses import dataclass, field

from trl import GRPOConfig

from relax.errors import ConfigError
from relax.koopman import SPECTRA

KL_MODES = ("none", "adaptive", "uniform")
KL_REDUCTIONS = ("group", "mean", "sum")


@dataclass
class ReLaXConfig(GRPOConfig):
    """Training arguments of :class:`ReLaXTrainer`; everything not named here is TRL's GRPOConfig.

    The paper's values (Table 3) are the defaults where the paper gives one. ``alpha`` and ``xi``
    belong to a spectrum: DSD of singular values is one to two orders of magnitude larger.

    Args:
        alpha: weight of the latent exploration term (Eq. 11); 0 leaves it out. Paper 0.1.
        xi: DSD above which the encouragement stops and the adaptive KL starts (Eq. 12), as a number,
            a percentile of the DSD of the first rollouts such as ``"q90"``, or None. Paper 10.
        koopman_dim: m, observables of a dictionary fitted by the trainer. Paper 50.
        ridge: added to the un-normalised Gram matrix.
        spectrum: ``"eigenvalues"`` (Eq. 7) or ``"singular_values"`` (the authors' fragment).
        advantage_shaping: weight DSD by max(A, 0) (Eq. 11) or not (Eq. 10).
        kl_mode: ``"adaptive"`` (Eq. 12), ``"uniform"`` or ``"none"``; TRL's ``beta`` is its weight.
        kl_reduction: ``"group"``, ``"mean"`` or ``"sum"``, see :func:`~relax.training.objective.kl_penalty`.
        dictionary: path of a fitted dictionary; None fits one on the first rollouts.
        dictionary_objective: what a fit by the trainer minimises.
        dsd_window: average DSD over windows of this many states; None takes the whole response.

    Raises:
        ConfigError: a value that contradicts another.
    """

    alpha: float = field(default=0.1, metadata={"help": "Weight of the latent exploration term."})
    xi: float | str | None = field(default=None, metadata={"help": "DSD limit, or a percentile such as q90."})
    koopman_dim: int = field(default=50, metadata={"help": "Observables m of the dictionary."})
    ridge: float = field(default=1e-3, metadata={"help": "Ridge on the un-normalised Gram matrix."})
    spectrum: str = field(default="eigenvalues", metadata={"help": "eigenvalues or singular_values."})
    advantage_shaping: bool = field(default=True, metadata={"help": "Weight DSD by max(A, 0)."})
    kl_mode: str = field(default="adaptive", metadata={"help": "none, adaptive or uniform."})
    kl_reduction: str = field(default="group", metadata={"help": "group, mean or sum."})
    dictionary: str | None = field(default=None, metadata={"help": "Path of a fitted dictionary."})
    dictionary_objective: str = field(default="residual", metadata={"help": "Objective of the fit."})
    dsd_window: int | None = field(default=None, metadata={"help": "States per DSD window."})

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, known in (("spectrum", SPECTRA), ("kl_mode", KL_MODES), ("kl_reduction", KL_REDUCTIONS)):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, expected one of {', '.join(known)}.")
        if self.alpha < 0 or self.ridge < 0:
            raise ConfigError(f"alpha ({self.alpha}) and ridge ({self.ridge}) must not be negative.")
        if self.kl_mode == "adaptive" and self.beta and self.xi is None:
            raise ConfigError("kl_mode is 'adaptive' and beta is set, but xi is None; give xi a number or e.g. 'q90'.")
        if self.kl_mode == "none" and self.beta:
            raise ConfigError(f"kl_mode is 'none' but beta is {self.beta}; set kl_mode to 'adaptive' or 'uniform'.")
