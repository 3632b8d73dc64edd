"""ReLaXConfig: TRL's GRPOConfig with the fields of the method."""

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trl import GRPOConfig

from relax.errors import ConfigError
from relax.koopman import POSITIONS, SPECTRA

TOKEN_METHODS = ("none", "clip_cov", "kl_cov")
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
        kl_mode: ``"adaptive"`` (Eq. 12), ``"uniform"`` or ``"none"``; TRL's ``beta`` is its weight. None is
            ``"adaptive"`` where ``xi`` is set; where it is not, ``beta`` weighs the KL of TRL's own loss.
        kl_reduction: ``"group"``, ``"mean"`` or ``"sum"``, see :func:`~relax.training.objective.kl_penalty`.
        dictionary: path of a fitted dictionary; None fits one on the first rollouts.
        dictionary_objective: what a fit by the trainer minimises.
        position: which states a response's trajectory is, see :data:`relax.koopman.dictionary.POSITIONS`;
            a given dictionary brings its own.
        dsd_window: average DSD over windows of this many states; None takes the whole response.
        matched_length: states at which DSD is logged a second time, over windows, so that it can be compared
            across lengths; None takes the median length of the first rollouts.
        token_method: ``"none"``, ``"clip_cov"`` or ``"kl_cov"`` (:mod:`relax.training.token_methods`). KL-Cov
            does not clip the ratio, so ``epsilon`` is not used then.
        clip_cov_ratio, clip_cov_low, clip_cov_high: share of the tokens that Clip-Cov picks, and the
            covariances they lie between.
        kl_cov_ratio, kl_cov_coef: share of the tokens that KL-Cov picks, and the weight of their
            ``|log pi - log pi_old|``.
        dynamic_sampling: replace groups whose responses all earn the same under the first reward function
            by further prompts. ``loss_type="dapo"`` counts the tokens of informative groups alone.
        dynamic_sampling_rounds: rounds of generation for a batch, the first included; what is then still
            missing is made up of groups without gradient.

    Raises:
        ConfigError: a value that contradicts another.
    """

    if TYPE_CHECKING:  # what GRPOConfig fills in or parses, so that none of it is None or text afterwards
        output_dir: str = ""
        num_generations: int = 8
        steps_per_generation: int = 1
        generation_batch_size: int = 8
        generation_kwargs: dict[str, Any] | None = None

    alpha: float = field(default=0.1, metadata={"help": "Weight of the latent exploration term."})
    xi: float | str | None = field(default=None, metadata={"help": "DSD limit, or a percentile such as q90."})
    koopman_dim: int = field(default=50, metadata={"help": "Observables m of the dictionary."})
    ridge: float = field(default=1e-3, metadata={"help": "Ridge on the un-normalised Gram matrix."})
    spectrum: str = field(default="eigenvalues", metadata={"help": "eigenvalues or singular_values."})
    advantage_shaping: bool = field(default=True, metadata={"help": "Weight DSD by max(A, 0)."})
    kl_mode: str | None = field(default=None, metadata={"help": "none, adaptive or uniform."})
    kl_reduction: str = field(default="group", metadata={"help": "group, mean or sum."})
    dictionary: str | None = field(default=None, metadata={"help": "Path of a fitted dictionary."})
    dictionary_objective: str = field(default="residual", metadata={"help": "Objective of the fit."})
    position: str = field(default="response", metadata={"help": "response or predicting."})
    dsd_window: int | None = field(default=None, metadata={"help": "States per DSD window."})
    matched_length: int | None = field(default=None, metadata={"help": "States of the length-matched DSD."})
    token_method: str = field(default="none", metadata={"help": "none, clip_cov or kl_cov."})
    clip_cov_ratio: float = field(default=2e-4, metadata={"help": "Share of tokens that Clip-Cov picks."})
    clip_cov_low: float = field(default=1.0, metadata={"help": "Lowest covariance of Clip-Cov."})
    clip_cov_high: float = field(default=5.0, metadata={"help": "Highest covariance of Clip-Cov."})
    kl_cov_ratio: float = field(default=2e-3, metadata={"help": "Share of tokens that KL-Cov picks."})
    kl_cov_coef: float = field(default=1.0, metadata={"help": "Weight of KL-Cov's penalty."})
    dynamic_sampling: bool = field(default=False, metadata={"help": "Replace groups without variance."})
    dynamic_sampling_rounds: int = field(default=10, metadata={"help": "Rounds of generation at most."})

    def __post_init__(self) -> None:
        try:
            super().__post_init__()
        except ValueError as error:  # batch sizes that do not divide, and the like
            raise ConfigError(f"the training arguments contradict each other: {error}") from error
        _check_choices(self)
        _check_terms(self)
        _check_sampling(self)

    @property
    def kl_term(self) -> str:
        """``kl_mode``, or what None stands for: ``"adaptive"`` with ``xi``, ``"trl"`` (TRL's own KL) without."""
        if self.kl_mode is not None:
            return self.kl_mode
        return "trl" if self.xi is None else "adaptive"

    @property
    def own_kl(self) -> bool:
        """Whether the KL is one of :mod:`relax.training.objective`, which then stands in place of TRL's."""
        return self.beta != 0 and self.kl_term != "trl"


def checked_arguments(args: Any, model: Any) -> ReLaXConfig:
    """The trainer's arguments; where there are none, the defaults and the output folder that TRL would take.

    Args:
        args: given to the trainer, or None.
        model: its name, or itself.

    Raises:
        ConfigError: they are of another kind, such as TRL's own.
    """
    if args is None:
        name = model if isinstance(model, str) else getattr(model.config, "_name_or_path", "")
        return ReLaXConfig(output_dir=f"{name.split('/')[-1]}-GRPO")
    if not isinstance(args, ReLaXConfig):
        raise ConfigError(
            f"args is a {type(args).__name__}, which has no settings of the method; "
            "give ReLaXConfig(...), which takes every argument of GRPOConfig."
        )
    return args


def _check_choices(args: ReLaXConfig) -> None:
    choices = (
        ("spectrum", args.spectrum, SPECTRA),
        ("kl_mode", "none" if args.kl_mode is None else args.kl_mode, KL_MODES),
        ("kl_reduction", args.kl_reduction, KL_REDUCTIONS),
        ("position", args.position, POSITIONS),
        ("token_method", args.token_method, TOKEN_METHODS),
    )
    for name, value, known in choices:
        if value not in known:
            raise ConfigError(f"{name} is {value!r}, expected one of {', '.join(known)}.")


def _check_terms(args: ReLaXConfig) -> None:
    if not (0 <= args.alpha < math.inf and 0 <= args.ridge < math.inf):
        raise ConfigError(f"alpha ({args.alpha}) and ridge ({args.ridge}) must be finite and must not be negative.")
    if args.own_kl and not 0 < args.beta < math.inf:
        raise ConfigError(f"beta is {args.beta}, but the weight of the {args.kl_term} KL is finite and not negative.")
    if isinstance(args.xi, str) and not re.fullmatch(r"q[1-9]\d?", args.xi):
        raise ConfigError(f"xi is {args.xi!r}, expected a number or a percentile such as 'q90'.")
    if isinstance(args.xi, float) and math.isnan(args.xi):
        raise ConfigError("xi is NaN, expected a number or a percentile such as 'q90'.")
    if args.kl_mode == "adaptive" and args.beta and args.xi is None:
        raise ConfigError("kl_mode is 'adaptive' and beta is set, but xi is None; give xi a number or e.g. 'q90'.")
    if args.kl_mode == "none" and args.beta:
        raise ConfigError(f"kl_mode is 'none' but beta is {args.beta}; set kl_mode to 'adaptive' or 'uniform'.")


def _check_sampling(args: ReLaXConfig) -> None:
    if args.token_method == "clip_cov" and args.beta and args.kl_term == "trl":
        raise ConfigError(
            "token_method is 'clip_cov' and beta is the weight of TRL's own KL, of which Clip-Cov's tokens would lose "
            "the gradient too; set kl_mode to 'uniform'."
        )
    updates = args.steps_per_generation * args.num_iterations / args.gradient_accumulation_steps
    if args.token_method == "kl_cov" and updates <= 1:
        raise ConfigError(
            "token_method is 'kl_cov' with one update per generation: |log pi - log pi_old| then has gradient 0 and "
            "KL-Cov is GRPO without a clip; set steps_per_generation to a multiple of gradient_accumulation_steps."
        )
    if args.token_method == "kl_cov" and args.loss_type not in ("dapo", "grpo"):
        raise ConfigError(f"token_method is 'kl_cov' and loss_type {args.loss_type!r}; expected 'dapo' or 'grpo'.")
    if args.dynamic_sampling_rounds < 1:
        raise ConfigError(f"dynamic_sampling_rounds is {args.dynamic_sampling_rounds}, expected at least 1.")
    rows = args.per_device_train_batch_size * args.steps_per_generation
    if args.dynamic_sampling and rows % args.num_generations:
        raise ConfigError(
            f"dynamic_sampling needs whole groups on every device, but its {rows} responses do not divide into groups "
            f"of {args.num_generations}; change per_device_train_batch_size, steps_per_generation or num_generations."
        )
