"""``methods``: the training methods. Their keys are also the arguments that ``ReLaXConfig`` adds to TRL's."""

from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, model_validator

from relax.config.passed_on import refused
from relax.config.training import Training
from relax.settings import AtLeastOne, FromZero, Number, Positive, PositiveShare, Settings, contradiction, key

#: A percentile of the initial policy's DSD, such as q90.
Percentile = Annotated[str, Field(pattern="^q([1-9]|[1-9][0-9])$")]


class Method(Settings):
    """A training method; what it does not name keeps TRL's GRPO."""

    spectrum: Literal["eigenvalues", "singular_values"] = key(
        "eigenvalues", paper="eigenvalues (Eq. 7)", trl="spectrum"
    )
    """Spectrum of K that DSD is the variance of: eigenvalues as printed (Eq. 7), singular values as in the authors'
    fragment."""
    koopman_dim: Annotated[int, Field(ge=2)] | None = key(
        None, unit="observables", paper="10, 25 and 50 compared (Figure 11)"
    )
    """Number m of observables of a dictionary of the method's own, fitted beside the others'. Null takes
    `dictionary.koopman_dim`. Training logs the method's DSD in that frame. The final spectra of all methods are
    measured in the common one."""
    alpha: FromZero = key(0.0, paper="0.1 (Table 3)", trl="alpha")
    """Weight of the latent exploration term (Eq. 11). Raising it raises DSD, and too high a weight costs reward. On the
    demo's task about 0.1 is usable for eigenvalues, and 0.001 to 0.01 for singular values at ridge 0.001."""
    xi: Positive | Percentile | None = key(None, unit="DSD", paper="10 (Table 3)")
    """DSD limit (Eq. 12): a number, or a percentile of the initial policy's DSD such as q90; without a value there is
    no limit. Above the limit the encouragement stops and the adaptive KL acts."""
    advantage_shaping: bool = key(True, paper="true (Eq. 11)", trl="advantage_shaping")
    """Weight DSD by max(A, 0) (Eq. 11) or not (Eq. 10). True pushes only responses that are better than average."""
    kl_mode: Literal["none", "adaptive", "uniform"] = key("none", paper="adaptive (Eq. 12)", trl="kl_mode")
    """KL to the initial policy: off, for trajectories above xi (Eq. 12), or for all."""
    beta: FromZero = key(0.0, paper="0.01 (Table 3)", trl="beta")
    """Weight of the KL term. Raising it pulls towards the initial policy and keeps entropy. It must be 0 with `kl_mode:
    none`, and above 0 otherwise."""
    kl_reduction: Literal["group", "mean", "sum", "tokens"] = key(
        "group", paper="a sum over i (Eq. 12)", trl="kl_reduction"
    )
    """How trajectories are reduced: summed over a group and averaged over groups, averaged, or summed over the batch.
    At the same `beta`, `group` is R times and `sum` is prompts x R times as strong as `mean`. `tokens` divides the sum
    over the tokens of trajectories that are held back by the number of all tokens of a micro-batch (fork,
    dp_actor.py, line 536)."""
    dsd_window: Annotated[int, Field(ge=3)] | None = key(None, unit="states", trl="dsd_window")
    """Average DSD over windows of this many states; no value takes the whole trajectory. Neighbouring windows share one
    state. Windows remove the dependence of DSD on length. Shorter responses get DSD 0. A window needs `xi` as a
    number."""
    epsilon: Positive | None = key(None, paper="not stated")
    """Lower clip range; null: training.epsilon."""
    epsilon_high: Positive | None = key(None, paper="not stated", trl="epsilon_high")
    """Upper clip range (clip-higher); null: the lower one."""
    entropy_coef: FromZero = key(0.0, paper="not stated (Figure 6)", trl="entropy_coef")
    """Weight of TRL's entropy bonus. Too high a weight lets entropy rise without end."""
    top_entropy_quantile: PositiveShare = key(1.0, trl="top_entropy_quantile")
    """Share of the highest-entropy tokens that carry the policy loss. The 80/20 rule is 0.2."""
    loss_type: Literal["grpo", "dapo", "dr_grpo", "bnpo", "cispo", "sapo", "luspo", "vespo"] = key(
        "dapo", paper="not stated", trl="loss_type"
    )
    """TRL's loss normalisation; dapo is the token mean over the batch. `grpo` is the mean of response means, `bnpo` the
    token mean over the micro-batch, and `dr_grpo` the sum over a constant. `cispo`, `sapo`, `luspo` and `vespo` are
    the losses that TRL has by these names."""
    dynamic_sampling: bool = key(False, paper="not stated; true on the authors' page", trl="dynamic_sampling")
    """Replace groups whose rewards are all equal by further prompts. Every group of a step then has a gradient. Each
    replacement costs a round of generation for what is missing."""
    dynamic_sampling_rounds: AtLeastOne = key(10, unit="rounds", paper="not stated", trl="dynamic_sampling_rounds")
    """Rounds of generation for one batch at most, the first included. What is missing after them is filled with groups
    without gradient (`sampling/filled`)."""
    overlong_buffer: AtLeastOne | None = key(None, unit="tokens")
    """Tokens before the longest response over which the reward falls by up to 1 (soft overlong punishment). The longest
    response is `training.max_response_length`."""
    token_method: Literal["none", "clip_cov", "kl_cov"] = key("none", trl="token_method")
    """Clip-Cov or KL-Cov. `clip_cov`: a random few tokens of high covariance between advantage and log-probability get
    no gradient. `kl_cov`: the tokens of the highest covariance are held at their old probability, in place of the clip;
    it needs at least two `training.updates_per_generation`. Covariances are taken over a micro-batch, so
    `training.micro_batch` matters."""
    clip_cov_ratio: PositiveShare = key(0.0002, trl="clip_cov_ratio")
    """Share of the tokens that Clip-Cov picks. At least one token is picked."""
    clip_cov_low: Number = key(1.0, trl="clip_cov_low")
    """Lowest covariance of Clip-Cov's tokens."""
    clip_cov_high: Number = key(5.0, trl="clip_cov_high")
    """Highest covariance of Clip-Cov's tokens."""
    kl_cov_ratio: PositiveShare = key(0.002, trl="kl_cov_ratio")
    """Share of the tokens that KL-Cov picks. At least one token is picked."""
    kl_cov_coef: FromZero = key(1.0, trl="kl_cov_coef")
    """Weight of KL-Cov's penalty."""
    representation_bonus: Literal["none", "elliptical", "effective_rank"] = key(
        "none", late=True, trl="representation_bonus"
    )
    """A bonus on hidden states without a Koopman operator. `elliptical` adds to the reward what sets a response's mean
    state apart from those of its group (RepExp, arXiv 2510.11686). `effective_rank` adds to the advantage where a
    response's effective rank, or its growth, is above the running mean (VERL, arXiv 2509.23808)."""
    elliptical_coef: FromZero = key(0.01, late=True, trl="elliptical_coef")
    """Weight of the elliptical bonus in the reward. The bonus is between 0 and 1."""
    elliptical_dim: AtLeastOne = key(32, late=True, unit="features", trl="elliptical_dim")
    """Features that a random projection, drawn anew for each batch, makes of a mean state."""
    elliptical_ridge: Positive = key(0.01, late=True, trl="elliptical_ridge")
    """Ridge of the matrix that the elliptical bonus inverts. Lowering it brings all bonuses nearer to 1."""
    rank_stride: AtLeastOne = key(40, late=True, unit="tokens", trl="rank_stride")
    """Tokens between two effective ranks of a response. A response of fewer than twice as many has no growth."""
    rank_kappa: Annotated[float, Field(gt=1)] = key(2.0, late=True, trl="rank_kappa")
    """The bonus of `effective_rank` is at most the advantage's size divided by this number."""
    kl_advantages: Literal["any", "positive"] = key("any", late=True, trl="kl_advantages")
    """Which trajectories above xi the adaptive KL holds back: all, or those with a positive advantage (fork,
    dp_actor.py, lines 472 and 476)."""
    above_xi: Literal["suspended", "detached"] = key("suspended", late=True, trl="above_xi")
    """What stays in the log-mean of a trajectory above xi: nothing, so that it counts as one whose advantage is not
    positive, or its value without a gradient (fork, dp_actor.py, line 477)."""
    log_mean: Literal["group", "micro_batch"] = key(
        "group", paper="the R responses (Eq. 11)", late=True, trl="log_mean"
    )
    """Over which trajectories the log-mean of Eq. 10 and 11 is taken: the responses to a prompt, or those that share a
    micro-batch (fork, dp_actor.py, line 478). The limit xi is then held against DSD of the moment, and
    `training.micro_batch` matters."""
    length_factor: bool = key(False, paper="not in Eq. 11", late=True, trl="length_factor")
    """Multiply the advantage in Eq. 11 by the response's length as a share of the longest response allowed (fork,
    dp_actor.py, line 457)."""
    trajectory: Literal["dictionary", "window"] = key("dictionary", late=True, trl="trajectory")
    """The states that DSD of the terms is taken of: those of `dictionary.position`, or a window that is as long for
    every response (fork, dp_actor.py, line 255). The window begins at the last token of the prompt and has as many
    states as the longest response allowed; after the response's end they are 0."""
    smoothing: FromZero = key(0.0, paper="not in Eq. 7", late=True, trl="smoothing")
    """Number c with which DSD of the terms is the variance of sqrt(size^2 + c) over the spectrum (fork, dp_actor.py,
    line 466: 0.001)."""
    refit_every: AtLeastOne | None = key(
        None, unit="generations", paper="frozen after the first fit", late=True, trl="refit_every"
    )
    """Fit a dictionary for the terms on the rollouts of the first generation, and anew after every so many (fork,
    core_algos.py, line 302: 50). Each fit begins with a random W. What is logged stays in the frame of the frozen
    dictionary. Null takes the frozen one for the terms too."""
    refit_objective: Literal["residual", "singular", "fragment", "printed"] = key(
        "residual", late=True, trl="refit_objective"
    )
    """What these fits lower; the words are those of `dictionary.objective`. `fragment` is the expression of the fork
    (dynamics.py, line 37), which `singular` differs from by a square and a transposed V."""
    refit_slope: FromZero = key(0.0, late=True, trl="refit_slope")
    """Slope a of the Kaiming-uniform draw of their initial W, within sqrt(6 / ((1 + a^2) d)) of 0 (fork, dynamics.py,
    line 13: sqrt 7)."""
    refit_states: AtLeastOne | None = key(None, unit="states", late=True, trl="refit_states")
    """First states of each trajectory that they read; null reads all (fork, dp_actor.py, line 260: 512)."""
    trl: dict[str, JsonValue] = key({}, late=True)
    """Arguments of TRL's `GRPOConfig` that have no key here, by TRL's names, such as `{importance_sampling_level:
    sequence}`. An argument that TRL does not know, that a key here sets, or that the pipeline sets itself is refused.
    [docs/use.md](../docs/use.md#your-method) has an example."""

    @model_validator(mode="after")
    def _passes_on(self) -> Self:
        for argument in self.trl:
            if reason := refused(argument, Training, Method):
                raise contradiction(f"{{key}}.trl cannot set {argument}: {reason}.", ["trl", argument])
        return self

    @model_validator(mode="after")
    def _kl_and_limit(self) -> Self:
        mode, beta, xi = self.kl_mode, self.beta, self.xi
        if mode != "none" and not beta:
            raise contradiction(
                f"kl_mode is {mode} but beta is 0; give beta a value or set kl_mode to none.", "kl_mode", "beta"
            )
        if mode == "none" and beta:
            raise contradiction(
                f"beta is {beta} but kl_mode is none; set kl_mode to adaptive or uniform.", "beta", "kl_mode"
            )
        if isinstance(xi, str) and self.dsd_window:
            raise contradiction(
                f"xi is {xi}, a percentile of whole responses; with dsd_window give a number.", "xi", "dsd_window"
            )
        if mode == "adaptive" and xi is None:
            raise contradiction("kl_mode adaptive needs xi, a number or a percentile such as q90.", "kl_mode", "xi")
        return self

    @model_validator(mode="after")
    def _windows(self) -> Self:
        if self.trajectory == "window" and self.dsd_window:
            raise contradiction(
                "trajectory is window and dsd_window is set, of which each says over how many states DSD is taken; "
                "leave one out.",
                "trajectory",
                "dsd_window",
            )
        return self

    @property
    def own_dsd(self) -> bool:
        """Whether DSD of the terms is another number than DSD in the frame of the frozen dictionary."""
        return self.trajectory == "window" or self.smoothing > 0 or self.refit_every is not None
