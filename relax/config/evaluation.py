"""``evaluation`` and ``benchmarks``: what a policy is asked, and how its responses are generated."""

from typing import Literal, Self

from pydantic import model_validator

from relax.config.own_code import OwnFunction
from relax.settings import (
    AtLeastOne,
    Count,
    LocalPath,
    Name,
    Positive,
    PositiveShare,
    Settings,
    Text,
    contradiction,
    key,
)


class Decoding(Settings):
    """How a policy is asked and its responses are drawn: a protocol of evaluation."""

    temperature: Positive = key(1.0, paper="not stated")
    """Temperature of sampled responses."""
    top_p: PositiveShare = key(1.0, paper="not stated")
    """Share of the probability that sampled tokens are drawn from."""
    max_response_length: AtLeastOne | None = key(None, unit="tokens", paper="not stated")
    """Response tokens at most; null: `evaluation.max_response_length`."""
    system: Text | None = key(None, paper="not stated")
    """System turn in place of the instruction that otherwise ends the user's turn. It needs `prompt.chat_template:
    true`."""


class Evaluation(Settings):
    """How benchmarks are run."""

    batch_size: AtLeastOne = key(256, unit="requests")
    """Requests per batch of hf; it changes the samples drawn. Keep the number for a comparison."""
    block_size: AtLeastOne = key(2048, unit="responses")
    """Responses per file; what is lost at most when a job is killed. Jobs share out files among themselves (`relax
    generate --part 1/4`). The number changes the samples that `hf` draws."""
    max_response_length: AtLeastOne | None = key(None, unit="tokens", paper="3072 (Table 3)")
    """Response tokens at most; null: as in training."""
    seed: Count = 1234
    """Seed of the sampling."""
    backend: Literal["hf", "vllm"] = "hf"
    """Model backend of lm-eval. It runs in the process that writes the responses. `vllm` needs CUDA."""
    precision: Literal["float32", "bfloat16", "auto"] | None = key(None, late=True)
    """Number format of the policy while it answers; null: that of its weights. `auto` is bfloat16 where the GPU or the
    processor multiplies it by itself, and the record says which one it was. The format changes the samples drawn. Keep
    it for a comparison."""
    vllm_memory: PositiveShare = 0.9
    """Share of the GPU's memory for vllm."""
    protocols: dict[Name, Decoding] = key({}, late=True)
    """Named protocols, such as `{passkeval: {temperature: 0.6, top_p: 0.95}}`."""
    protocol: Name | None = key(None, late=True)
    """The protocol that all benchmarks are asked under, a name from `protocols`. A results folder holds one, so that no
    table sets scores of two beside each other; give another protocol another `name`. Null samples at temperature 1 and
    leaves the instruction in the user's turn."""

    @property
    def decoding(self) -> Decoding | None:
        """The protocol that is asked for."""
        return None if self.protocol is None else self.protocols[self.protocol]

    def longest(self, training: int) -> int:
        """Response tokens at most; ``training`` where neither the protocol nor the evaluation says."""
        asked = None if self.decoding is None else self.decoding.max_response_length
        return asked or self.max_response_length or training

    @model_validator(mode="after")
    def _protocol_is_known(self) -> Self:
        if self.protocol is not None and self.protocol not in self.protocols:
            known = ", ".join(self.protocols) or "none is defined"
            raise contradiction(f"unknown protocol {self.protocol!r}; the names in protocols: {known}.", "protocol")
        return self


class AskedBenchmark(Settings):
    """A benchmark as the experiment asks it; :class:`relax.config.benchmarks.Benchmark` says what it is."""

    task: str
    """What is asked: `held-out` for the held-out problems of `data`, the name of a file in relax/evaluation/tasks
    without `.yaml`, or the path of a YAML file. The name of a task of relax/tasks, such as `noisy_sum`, means
    `held-out` too. [docs/benchmarks.md](../docs/benchmarks.md) lists the files,
    and [docs/develop-examples.md](../docs/develop-examples.md) has a file of one's own."""
    path: LocalPath | None = None
    """JSON lines or Parquet file with the columns of the task's data set; null: the data set of the hub. A CSV file
    does too."""
    rows: AtLeastOne | None = key(None, unit="questions")
    """Questions expected, where a part of the benchmark is meant; null: all. Fewer or more are refused."""
    greedy: bool = key(False, paper="MATH500, Minerva and the multimodal benchmarks (Tables 1 and 2)")
    """One greedy response per problem: mean@1."""
    samples: Count = key(0, unit="responses", paper="32 for AMC and AIME (Table 2)")
    """Responses per problem that are sampled, at temperature 1 or as `evaluation.protocol` says: mean@k and pass@k.
    `distinct@k` is measured too. More responses narrow the error at proportional cost. Give `greedy`, `samples` or
    both; with `greedy` at least 2."""
    verifier: OwnFunction | None = key(None, late=True)
    """A function of your own as `module:function` that decides which responses are right, in place of the grader. The
    function takes (prompt, response, answer), all texts. It returns true or false, or a number from 0 to 1, of which 1
    is right.
    [docs/use.md](../docs/use.md#your-benchmark) has an example."""

    @property
    def metrics(self) -> list[str]:
        """The means that the benchmark is asked for: ``mean@1`` of the greedy response, ``mean@k`` of the samples."""
        return ["mean@1"] * self.greedy + [f"mean@{self.samples}"] * bool(self.samples)

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if self.samples == (1 if self.greedy else 0):
            raise contradiction(
                "give greedy: true, or samples (with greedy: at least 2, as both are mean@1).", "samples", "greedy"
            )
        return self
