"""ReLaXConfig: TRL's GRPOConfig with the fields of the method."""

import contextlib
import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import torch
from pydantic import Field, ValidationError, create_model
from transformers.utils import is_torch_xla_available
from trl import GRPOConfig

from relax.config.latent import DictionaryFit
from relax.config.methods import Method
from relax.config.training import Training
from relax.errors import ConfigError
from relax.settings import Settings, sentences

#: The keys of the configuration that are also fields of :class:`ReLaXConfig`, by their names.
_KEYS = {**Method.model_fields, **DictionaryFit.model_fields}
_KEYS["dictionary_objective"] = _KEYS["objective"]
_KEYS |= {name: Training.model_fields[name] for name in ("length_order", "tokens_per_micro_batch")}


def _values(name: str) -> tuple[str, ...]:
    """The texts that a key admits; none where it admits other values."""
    kind = _KEYS[name].annotation
    return get_args(kind) if get_origin(kind) is Literal else ()


def _help(name: str, more: str = "") -> dict[str, str]:
    """The help of a field, which is what the configuration says of the key; ``more`` is what holds here alone."""
    among = f"One of {', '.join(_values(name))}." if _values(name) else ""
    return {"help": " ".join(part for part in (*sentences(_KEYS[name].description)[:1], among, more) if part)}


@dataclass
class ReLaXConfig(GRPOConfig):
    """Training arguments of :class:`ReLaXTrainer`; everything not named here is TRL's GRPOConfig.

    The paper's values (Table 3) are the defaults where the paper gives one. ``alpha`` and ``xi`` belong to a spectrum:
    DSD of singular values is one to two orders of magnitude larger. The arguments below that are keys of
    ``methods`` or ``dictionary`` too mean what the configuration says of these keys.

    On a machine without an accelerator ``use_cpu`` is set, and ``bf16`` is False unless it is given. TRL refuses its
    own defaults there.

    Raises:
        ConfigError: a value that its key of the configuration refuses, one that contradicts another, or one that TRL
            refuses.
    """

    if TYPE_CHECKING:  # what GRPOConfig fills in or parses, so that none of it is None or text afterwards
        output_dir: str = ""
        num_generations: int = 8
        steps_per_generation: int = 1
        generation_batch_size: int = 8
        max_completion_length: int = 256
        generation_kwargs: dict[str, Any] | None = None

    alpha: float = field(default=0.1, metadata=_help("alpha", "0 leaves the term out."))
    xi: float | str | None = field(
        default=None,
        metadata=_help("xi", "The percentile is that of the first rollouts, which the initial policy makes."),
    )
    koopman_dim: int = field(default=50, metadata=_help("koopman_dim", "A dictionary that is given brings its own."))
    ridge: float = field(default=1e-3, metadata=_help("ridge"))
    spectrum: str = field(default="eigenvalues", metadata=_help("spectrum"))
    advantage_shaping: bool = field(default=True, metadata=_help("advantage_shaping"))
    kl_mode: str | None = field(
        default=None,
        metadata=_help(
            "kl_mode",
            "TRL's `beta` is its weight. None is adaptive where `xi` is set; where it is not, `beta` weighs the KL of "
            "TRL's own loss.",
        ),
    )
    kl_reduction: str = field(default="group", metadata=_help("kl_reduction"))
    dictionary: str | None = field(
        default=None, metadata={"help": "Path of a fitted dictionary. None fits one on the first rollouts."}
    )
    dictionary_objective: str = field(default="residual", metadata=_help("dictionary_objective"))
    position: str = field(default="response", metadata=_help("position", "A dictionary that is given brings its own."))
    kl_advantages: str = field(default="any", metadata=_help("kl_advantages"))
    above_xi: str = field(default="suspended", metadata=_help("above_xi"))
    log_mean: str = field(default="group", metadata=_help("log_mean"))
    length_factor: bool = field(default=False, metadata=_help("length_factor"))
    trajectory: str = field(default="dictionary", metadata=_help("trajectory"))
    smoothing: float = field(default=0.0, metadata=_help("smoothing"))
    refit_every: int | None = field(default=None, metadata=_help("refit_every"))
    refit_objective: str = field(default="residual", metadata=_help("refit_objective"))
    refit_slope: float = field(default=0.0, metadata=_help("refit_slope"))
    refit_states: int | None = field(default=None, metadata=_help("refit_states"))
    dsd_window: int | None = field(default=None, metadata=_help("dsd_window"))
    matched_length: int | None = field(
        default=None,
        metadata={
            "help": "States at which DSD is logged a second time, over windows, so that it can be compared across "
            "lengths. None takes the median length of the first rollouts."
        },
    )
    token_method: str = field(
        default="none", metadata=_help("token_method", "KL-Cov does not clip the ratio: `epsilon` is not used then.")
    )
    clip_cov_ratio: float = field(default=2e-4, metadata=_help("clip_cov_ratio"))
    clip_cov_low: float = field(default=1.0, metadata=_help("clip_cov_low"))
    clip_cov_high: float = field(default=5.0, metadata=_help("clip_cov_high"))
    kl_cov_ratio: float = field(default=2e-3, metadata=_help("kl_cov_ratio"))
    kl_cov_coef: float = field(default=1.0, metadata=_help("kl_cov_coef"))
    representation_bonus: str = field(default="none", metadata=_help("representation_bonus"))
    elliptical_coef: float = field(default=0.01, metadata=_help("elliptical_coef"))
    elliptical_dim: int = field(default=32, metadata=_help("elliptical_dim"))
    elliptical_ridge: float = field(default=0.01, metadata=_help("elliptical_ridge"))
    rank_stride: int = field(default=40, metadata=_help("rank_stride"))
    rank_kappa: float = field(default=2.0, metadata=_help("rank_kappa"))
    dynamic_sampling: bool = field(
        default=False,
        metadata=_help(
            "dynamic_sampling",
            'The rewards are those of the first reward function. `loss_type="dapo"` counts the tokens of informative '
            "groups alone.",
        ),
    )
    dynamic_sampling_rounds: int = field(default=10, metadata=_help("dynamic_sampling_rounds"))
    length_order: bool = field(
        default=True,
        metadata=_help(
            "length_order", "Without it and with `alpha` and `beta` 0 the trainer is GRPOTrainer bit for bit."
        ),
    )
    tokens_per_micro_batch: int | None = field(
        default=None,
        metadata=_help(
            "tokens_per_micro_batch",
            "`per_device_train_batch_size` is then the responses that are divided up, all of a step for example.",
        ),
    )

    def __post_init__(self) -> None:
        if isinstance(self.xi, str):  # a number too comes as text from a command line
            with contextlib.suppress(ValueError):
                self.xi = float(self.xi)
        _check_values(self)
        _check_terms(self)
        self._choose_cpu()
        try:
            super().__post_init__()
        except ValueError as error:  # batch sizes that do not divide, no GPU, and the like
            raise ConfigError(f"TRL refuses the training arguments: {error}") from error
        _check_sampling(self)

    def _choose_cpu(self) -> None:
        """Train on the CPU where there is nothing else. TRL's default, bfloat16 on a GPU, is an error there."""
        if self.use_cpu or torch.accelerator.is_available() or is_torch_xla_available():
            return
        self.use_cpu = True
        if self.bf16 is None:  # most processors have no arithmetic for it
            self.bf16 = False

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

    @property
    def gates_reference(self) -> bool:
        """Whether the reference is asked only for the responses that the adaptive KL holds back."""
        return self.own_kl and self.kl_term == "adaptive" and self.log_mean == "group"

    @property
    def own_dsd(self) -> bool:
        """Whether DSD of the terms is another number than DSD in the frame of the frozen dictionary."""
        return self.trajectory == "window" or self.smoothing > 0 or self.refit_every is not None

    @property
    def shares_rows(self) -> str | None:
        """What makes the loss of a micro-batch depend on which responses share it; None where nothing does."""
        reasons = {
            f"token_method {self.token_method!r}": self.token_method != "none",
            "loss_type 'bnpo'": self.loss_type == "bnpo",
            "log_mean 'micro_batch'": self.log_mean == "micro_batch" and self.alpha > 0,
            "kl_reduction 'tokens'": self.kl_reduction == "tokens" and self.own_kl,
            "top_entropy_quantile": self.top_entropy_quantile < 1,
            "the entropy bonus": bool(self.entropy_coef) or self.use_adaptive_entropy,
        }
        return next((reason for reason, holds in reasons.items() if holds), None)


# Every field is described once, by its help.
_ARGUMENTS = [
    f"        {name}: {ReLaXConfig.__dataclass_fields__[name].metadata['help']}" for name in ReLaXConfig.__annotations__
]
ReLaXConfig.__doc__ = "\n".join([f"{ReLaXConfig.__doc__}", "    Args:", *_ARGUMENTS, ""])


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


@functools.cache
def _declared() -> type[Settings]:
    """The arguments that the configuration has too, with its own declarations."""
    names = [name for name in (*ReLaXConfig.__annotations__, "beta") if name in _KEYS]
    fields: dict[str, Any] = {name: (_KEYS[name].annotation, _KEYS[name]) for name in names}
    # Here alone: None chooses the KL by xi, and a window in which DSD is logged may have two states.
    fields["kl_mode"] = (Literal[(*_values("kl_mode"), None)], None)
    fields["matched_length"] = (Annotated[int, Field(ge=2)] | None, None)
    return create_model("Declared", __base__=Settings, **fields)


def _check_values(args: ReLaXConfig) -> None:
    declared = _declared()
    try:
        declared.model_validate({name: getattr(args, name) for name in declared.model_fields})
    except ValidationError as error:
        from relax.config.explain import unfit  # its own imports are of use to no valid value

        faults = error.errors(include_url=False)
        name = str(faults[0]["loc"][0])
        rule = declared.model_json_schema()["properties"][name]
        raise ConfigError(unfit(name, rule, [fault for fault in faults if fault["loc"][0] == name])) from None


def _check_terms(args: ReLaXConfig) -> None:
    if args.kl_mode == "adaptive" and args.beta and args.xi is None:
        raise ConfigError("kl_mode is 'adaptive' and beta is set, but xi is None; give xi a number or e.g. 'q90'.")
    if args.kl_mode == "none" and args.beta:
        raise ConfigError(f"kl_mode is 'none' but beta is {args.beta}; set kl_mode to 'adaptive' or 'uniform'.")
    if args.kl_mode in ("adaptive", "uniform") and not args.beta:
        raise ConfigError(f"kl_mode is {args.kl_mode!r} but beta is 0; give beta a value or set kl_mode to 'none'.")
    if args.token_method == "clip_cov" and args.beta and args.kl_term == "trl":
        raise ConfigError(
            "token_method is 'clip_cov' and beta is the weight of TRL's own KL, of which Clip-Cov's tokens would lose "
            "the gradient too; set kl_mode to 'uniform'."
        )
    if args.trajectory == "window" and args.dsd_window:
        raise ConfigError("trajectory is 'window' and dsd_window is set; leave one out, as each counts DSD's states.")
    if args.trajectory == "window" and args.position == "text" and args.dictionary is None:
        raise ConfigError("trajectory is 'window' and position 'text'; set position to 'response' or 'predicting'.")
    if (args.trajectory == "window" or args.length_factor) and args.max_completion_length is None:
        raise ConfigError("trajectory 'window' and length_factor need max_completion_length; give it a number.")
    groups = args.scale_rewards in ("group", True) and args.multi_objective_aggregation == "sum_then_normalize"
    if args.representation_bonus == "elliptical" and not groups:
        raise ConfigError(
            "representation_bonus is 'elliptical', which normalises rewards within groups; set scale_rewards to "
            "'group' and multi_objective_aggregation to 'sum_then_normalize'."
        )
    if args.token_method == "kl_cov" and args.loss_type not in ("dapo", "grpo"):
        raise ConfigError(f"token_method is 'kl_cov' and loss_type {args.loss_type!r}; expected 'dapo' or 'grpo'.")


def _check_sampling(args: ReLaXConfig) -> None:
    if args.tokens_per_micro_batch is not None and (args.shares_rows or not args.length_order):
        reason = (
            "length_order is off" if not args.length_order else f"the loss under {args.shares_rows} depends on which do"
        )
        raise ConfigError(
            f"tokens_per_micro_batch chooses which responses share a micro-batch, but {reason}; "
            "set per_device_train_batch_size alone."
        )
    updates = args.steps_per_generation * args.num_iterations / args.gradient_accumulation_steps
    if args.token_method == "kl_cov" and updates <= 1:
        raise ConfigError(
            "token_method is 'kl_cov' with one update per generation: |log pi - log pi_old| then has gradient 0 and "
            "KL-Cov is GRPO without a clip; set steps_per_generation to a multiple of gradient_accumulation_steps."
        )
    rows = args.per_device_train_batch_size * args.steps_per_generation
    if args.dynamic_sampling and rows % args.num_generations:
        raise ConfigError(
            f"dynamic_sampling needs whole groups on every device, but its {rows} responses do not divide into groups "
            f"of {args.num_generations}; change per_device_train_batch_size, steps_per_generation or num_generations."
        )
