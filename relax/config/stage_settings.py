"""What each stage is given: the keys of the configuration that decide its outputs, and no others.

A stage works from one of these objects and its record keeps what ``recorded`` gives. Snakemake reruns a job when the
digest of that changes, so the recorded form stays what it is.
"""

from typing import Any

from relax.config.data import Prompt
from relax.config.evaluation import AskedBenchmark, Evaluation
from relax.config.latent import Analysis, Dictionary
from relax.config.methods import Method
from relax.config.training import Training
from relax.settings import AtLeastOne, FromZero, Positive, Settings


class Sampling(Settings):
    """How a policy's own responses are sampled, for the dictionary and for the analysis."""

    max_response_length: AtLeastOne
    """Response tokens at most, those of training."""
    temperature: Positive
    """The temperature of training."""
    prompt: Prompt
    """How a problem becomes the text that the policy reads."""


class DictionarySettings(Dictionary, Sampling):
    """Of the ``dictionary`` stage."""


class ExtractSettings(Analysis, Sampling):
    """Of the ``extract`` stage."""


class KoopmanSettings(Settings):
    """Of the ``koopman`` stage."""

    ridge: FromZero
    """The ridge of the dictionary and of training."""


class TrainSettings(Settings):
    """Of the ``train`` stage; the seed comes beside it."""

    method: Method
    """The method that is trained."""
    training: Training
    """What all methods share."""
    ridge: FromZero
    """The ridge of the dictionary."""
    prompt: Prompt
    """How a problem becomes the text that the policy reads."""

    def recorded(self) -> dict[str, Any]:
        """Without the devices that the training runs on: they are in the record and decide no output."""
        settings = super().recorded()
        placed = ("parallel", "vllm_gpus")
        settings["training"] = {name: value for name, value in settings["training"].items() if name not in placed}
        return settings


class EvaluateSettings(Settings):
    """Of the ``evaluate`` stage."""

    benchmarks: dict[str, AskedBenchmark]
    """The benchmarks of the matrix."""


class GenerateSettings(Evaluation, EvaluateSettings):
    """Of the ``generate`` stage: every benchmark of the matrix."""

    max_response_length: AtLeastOne
    """Response tokens at most: those of evaluation, or else those of training."""
    prompt: Prompt
    """How a problem becomes the text that the policy reads."""


class Compared(Settings):
    """A benchmark whose questions are looked for in the training problems."""

    task: str
    """Name of its lm-eval task."""
    path: str | None
    """A file in place of the hub's data set."""
    rows: AtLeastOne | None
    """Questions expected."""


class OverlapSettings(Settings):
    """Of the ``overlap`` stage."""

    benchmarks: dict[str, Compared]
    """The benchmarks of the matrix."""
    instruction: str | None
    """What stands below every training problem."""
    released: dict[str, str | None]
    """Policy -> day of its publication."""
