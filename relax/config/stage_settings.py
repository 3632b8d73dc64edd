"""What each stage is given: the keys of the configuration that decide its outputs, and no others.

A stage works from one of these objects and its record keeps what ``recorded`` gives. Snakemake reruns a job when the
digest of that changes, so the recorded form stays what it is.
"""

from typing import Any

from pydantic import InstanceOf

from relax.config.data import Data, Prompt, Shot
from relax.config.evaluation import AskedBenchmark, Decoding, Evaluation
from relax.config.latent import Analysis, DictionaryFit
from relax.config.methods import Method
from relax.config.policies import Policy
from relax.config.training import Training
from relax.settings import AtLeastOne, FromZero, Positive, Settings, key
from relax.tasks import TASKS, TEXT


class DataSettings(Data):
    """Settings of the ``data`` stage: the configuration's ``data``."""

    def recorded(self) -> dict[str, Any]:
        """Without the settings of other sources, which decide nothing, and with those of its own, whatever they are."""
        others = {task.key for task in TASKS.values() if task.settings}
        recorded = {name: value for name, value in super().recorded().items() if name not in others}
        own = self.of(TASKS[self.source])
        return recorded if own is None else {**recorded, TASKS[self.source].key: own.recorded()}


class Sampling(Settings):
    """How a policy's own responses are sampled, for the dictionary and for the analysis."""

    max_response_length: AtLeastOne
    """Response tokens at most, those of training."""
    temperature: Positive
    """The temperature of training."""
    prompt: Prompt
    """How a problem becomes the text that the policy reads."""


class BaseSettings(Settings):
    """Settings of the ``base`` stage of a policy."""

    policy: Policy
    """The policy."""
    digits: int
    """Digits of a problem of the tasks that have digits."""
    task: str
    """The task whose demonstrations a policy made from scratch learns from."""
    own: InstanceOf[Settings] | None
    """The task's own settings; None where it has none."""
    data: DataSettings | None = None
    """The problems that a warm-up is measured on, for a policy with `warmup`."""
    sampling: Sampling | None = None
    """How the responses are sampled that a warm-up is measured by, for a policy with `warmup`."""

    def recorded(self) -> dict[str, Any]:
        """Without what decides no output: the size of a policy of the hub, and whatever a policy of another kind is
        made from. Keys that are younger than the first records are left out where they are null."""
        policy = self.policy.recorded()
        recorded: dict[str, Any] = {"policy": policy, "digits": self.digits}
        own = {} if self.own is None else self.own.recorded()
        if "hub" in policy:
            del policy["hub"]["parameters"]
        if self.data is not None and self.sampling is not None:
            return {"policy": policy, "data": self.data.recorded(), "sampling": self.sampling.recorded()}
        if "hub" in policy:
            return recorded
        if "scratch" not in policy:
            return {"policy": policy}
        scratch = policy["scratch"]
        if scratch["warmup"]["second_stage"] is None:
            del scratch["warmup"]["second_stage"]
        if scratch["vision"] is not None:
            return {**recorded, TASKS[self.task].key: own}
        del scratch["vision"]
        return recorded if self.task == TEXT else {**recorded, "source": self.task, **own}


class DictionarySettings(DictionaryFit, Sampling):
    """Settings of the ``dictionary`` stage."""


class ExtractSettings(Analysis, Sampling):
    """Settings of the ``extract`` stage."""


class KoopmanSettings(Settings):
    """Settings of the ``koopman`` stage."""

    ridge: FromZero
    """The ridge of the dictionary and of training."""


class TrainSettings(Settings):
    """Settings of the ``train`` stage; the seed comes beside it."""

    method: Method
    """The method that is trained."""
    training: Training
    """What all methods share."""
    ridge: FromZero
    """The ridge of the dictionary."""
    prompt: Prompt
    """How a problem becomes the text that the policy reads."""
    sources: dict[str, str] = key({}, late=True)
    """SHA-256 of the file of each function in ``training.rewards``, by the function's name."""

    def recorded(self) -> dict[str, Any]:
        """Without the devices that the training runs on: they are in the record and decide no output."""
        settings = super().recorded()
        placed = ("parallel", "vllm_gpus")
        settings["training"] = {name: value for name, value in settings["training"].items() if name not in placed}
        return settings


class EvaluateSettings(Settings):
    """Settings of the ``evaluate`` stage."""

    benchmarks: dict[str, AskedBenchmark]
    """The benchmarks of the matrix."""


class GenerateSettings(Evaluation, EvaluateSettings):
    """Settings of the ``generate`` stage: every benchmark of the matrix."""

    max_response_length: AtLeastOne
    """Response tokens at most: those of evaluation, or else those of training."""
    prompt: Prompt
    """How a problem becomes the text that the policy reads."""
    asked: Decoding | None = key(None, late=True)
    """The protocol, where there is one."""
    instruction: str | None = key(None, late=True)
    """What ends every held-out problem, where the protocol has a system turn in its place."""


class GradeSettings(Settings):
    """Settings of the ``grade`` stage; the benchmarks and their golds come with the responses."""

    verifiers: dict[str, str] = key({}, late=True)
    """Benchmark -> the function that decides which responses to it are right, where there is one."""
    sources: dict[str, str] = key({}, late=True)
    """SHA-256 of the file of each of them, by the function's name."""


class ComparedBenchmark(Settings):
    """A benchmark whose questions are looked for in the training problems."""

    task: str
    """Name of its lm-eval task."""
    path: str | None
    """A file in place of the hub's data set."""
    rows: AtLeastOne | None
    """Questions expected."""


class OverlapSettings(Settings):
    """Settings of the ``overlap`` stage."""

    benchmarks: dict[str, ComparedBenchmark]
    """The benchmarks of the matrix."""
    instruction: str | None
    """What stands below every training problem."""
    shots: list[Shot] = key([], late=True)
    """The worked examples that every prompt shows."""
    released: dict[str, str | None]
    """Policy -> day of its publication."""
