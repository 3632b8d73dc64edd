"""``training``: the settings of reinforcement learning that all methods share."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from relax.config.own_code import OwnFunction
from relax.settings import (
    AtLeastOne,
    Count,
    FromZero,
    Number,
    Positive,
    PositiveShare,
    ProperShare,
    Settings,
    Several,
    contradiction,
    key,
)


class Training(Settings):
    """Settings of reinforcement learning that all methods share.

    A step is an optimizer step. It sees ``prompts_per_step`` times ``rollouts_per_prompt`` responses.
    """

    steps: AtLeastOne = key(120, unit="optimizer steps", paper="not stated", trl="max_steps")
    """Optimizer steps."""
    prompts_per_step: AtLeastOne = key(32, unit="prompts", paper="batch size 512, not stated of what (Table 3)")
    """Prompts per optimizer step. More prompts steady the gradient at proportional cost."""
    rollouts_per_prompt: Annotated[int, Field(ge=2)] = key(
        8, unit="responses", paper="16 (Table 3)", trl="num_generations"
    )
    """Responses R per prompt (the group). Advantages and the log-mean-exp of Eq. 11 are taken within the group. A
    larger group leaves fewer groups without variance."""
    updates_per_generation: AtLeastOne = key(1, unit="optimizer steps", paper="not stated; 2048 generated (Table 3)")
    """Optimizer steps taken on one batch of rollouts. More of them save generation and train on older samples: ratios
    leave 1, clipping sets in, and the weights of Eq. 11 are those of the first step (`relax/staleness`)."""
    micro_batch: AtLeastOne | None = key(None, unit="responses", paper="not stated")
    """Responses per forward pass and device; null: all of a step. Lower the number when memory runs out. It must divide
    the responses of a step. The result changes by rounding only, except with `loss_type: bnpo`."""
    tokens_per_micro_batch: AtLeastOne | None = key(None, unit="tokens", late=True, trl="tokens_per_micro_batch")
    """Tokens per forward pass and device, prompts and padding included, in place of `micro_batch`; null: passes have
    `micro_batch` responses. Memory is then bounded by tokens, and short responses share a pass. A longer response has a
    pass of its own. The policy must be whole on each device."""
    length_order: bool = key(True, late=True, trl="length_order")
    """Whether responses of like length share a forward pass, which is cut to its longest. The result changes by
    rounding only. Without it every pass is as wide as the longest response of a generation, as in TRL. Responses keep
    their order where the loss depends on which of them share a pass: with `token_method`, and with `loss_type:
    bnpo`."""
    learning_rate: Positive = key(0.0001, paper="0.000001 (Table 3)", trl="learning_rate")
    """Learning rate of AdamW. The rate is constant after the warm-up. The tiny policy breaks above about
    0.0003."""
    warmup_steps: Count = key(10, unit="optimizer steps", paper="not stated", trl="warmup_steps")
    """Optimizer steps over which the learning rate rises linearly to its value."""
    adam_beta2: ProperShare = key(0.999, paper="not stated; AdamW (Table 3)", trl="adam_beta2")
    """Decay of AdamW's mean of squared gradients (beta2). A lower value forgets old gradients sooner."""
    max_grad_norm: Positive = key(1.0, paper="1.0 (Table 3)", trl="max_grad_norm")
    """Largest norm that the gradient is clipped to. A DSD term that dominates hides behind the clip: watch
    `grad_norm`."""
    epsilon: Positive = key(0.2, paper="not stated")
    """Clip range of the policy ratio. A method may have its own. The clip has no effect at one update per
    generation."""
    temperature: Positive = key(1.0, paper="1.0 (Table 3)", trl="temperature")
    """Temperature at which rollouts are sampled. The rollouts of `dictionary` and `analysis` are included; benchmarks
    sample at temperature 1."""
    top_p: PositiveShare = key(1.0, paper="1.0 (Table 3)", trl="top_p")
    """Share of the probability from which the tokens of rollouts are sampled. Only the rollouts of training are
    meant."""
    max_response_length: AtLeastOne = key(28, unit="tokens", paper="3072 (Table 3)", trl="max_completion_length")
    """Response tokens at most. The limit holds in training, analysis and evaluation. A cut response is graded as it
    stands."""
    probe_every: AtLeastOne = key(10, unit="optimizer steps")
    """Steps between two measurements of the probes."""
    checkpoint_every: AtLeastOne = key(20, unit="optimizer steps", paper="not stated", trl="save_steps")
    """Steps between two checkpoints. An interrupted run repeats at most as many steps."""
    precision: Literal["float32", "bfloat16", "auto"] = key("float32", paper="not stated")
    """Number format of the policy during training. `bfloat16` halves memory and quickens a GPU. DSD is computed in
    float64 either way. The weights that are updated stay in float32. `auto` is bfloat16 where the GPU or the processor
    multiplies it by itself, and the record says which one it was."""
    format_reward: FromZero = 0.0
    """Weight of a reward for a boxed answer beside the one for a right answer. The reward is for models that do not box
    by themselves."""
    rewards: Several[OwnFunction] | None = key(None, late=True)
    """Reward functions of your own as `module:function`, with TRL's signature, in place of the grader; null: 1 for a
    right response and 0 for a wrong one. List `relax.training.rewards:correctness` first to keep the grader's reward
    beside yours. The curves show the first function's mean as `reward`, and `dynamic_sampling` looks at the first
    function too. [docs/use.md](../docs/use.md#your-reward) has an example."""
    reward_weights: list[Number] | None = key(None, late=True)
    """Weights of `rewards` in the sum, one for each; null: 1 for each."""
    rollouts: Literal["transformers", "vllm-colocate", "vllm-server"] = key("transformers", paper="vLLM (text)")
    """Who generates: transformers, vLLM on the training devices or on a server (CUDA only). `vllm-server` is `trl
    vllm-serve` on other devices (`vllm_gpus`)."""
    vllm_memory: PositiveShare = key(0.3, trl="vllm_gpu_memory_utilization")
    """Share of a device's memory for vllm-colocate."""
    vllm_server: str | None = None
    """Address of the server of vllm-server, e.g. http://host:8000; null is this machine."""
    vllm_gpus: Count = key(0, unit="GPUs")
    """GPUs of the server of vllm-server, beside those that train: the training starts and stops it; 0: somebody else
    does."""
    parallel: Literal["none", "ddp", "fsdp2", "zero3"] = "none"
    """How a training is shared out over its GPUs (`resources.train`): `ddp` keeps a whole policy on each, `fsdp2` and
    `zero3` keep a part of it on each, and `none` is one process.
    [docs/training.md](../docs/training.md#several-devices) says what has been run."""
    gradient_checkpointing: bool = key(False, paper="not stated", trl="gradient_checkpointing")
    """Compute activations again in the backward pass. A step takes about a third longer and much less memory."""

    @property
    def responses_per_step(self) -> int:
        """Responses that an optimizer step sees."""
        return self.prompts_per_step * self.rollouts_per_prompt

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.micro_batch and self.responses_per_step % self.micro_batch:
            raise contradiction(
                f"training.micro_batch is {self.micro_batch}, which does not divide a step's "
                f"{self.responses_per_step} responses (prompts_per_step x rollouts_per_prompt).",
                "micro_batch",
                "prompts_per_step",
                "rollouts_per_prompt",
            )
        if self.micro_batch and self.tokens_per_micro_batch:
            raise contradiction(
                "training.micro_batch and training.tokens_per_micro_batch are both set; leave one of them out.",
                "micro_batch",
                "tokens_per_micro_batch",
            )
        names = [name.partition(":")[2] for name in self.rewards or []]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise contradiction(
                f"two functions of training.rewards have the name {twice!r}, by which their means are logged; give one "
                "another name.",
                "rewards",
            )
        if self.reward_weights is not None and not names:
            raise contradiction(
                "training.reward_weights weighs the functions of training.rewards, and there are none; leave it out, "
                "or name functions.",
                "reward_weights",
                "rewards",
            )
        if self.reward_weights is not None and len(self.reward_weights) != len(names):
            raise contradiction(
                f"training.reward_weights has {len(self.reward_weights)} weights for {len(names)} functions in "
                "training.rewards; give one weight for each function.",
                "reward_weights",
                "rewards",
            )
        if self.vllm_gpus and (self.rollouts != "vllm-server" or self.vllm_server):
            raise contradiction(
                "vllm_gpus wants rollouts: vllm-server, and no address in vllm_server.",
                "vllm_gpus",
                "rollouts",
                "vllm_server",
            )
        return self
