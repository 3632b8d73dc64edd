"""What decides each stage's outputs, beside its input files.

The workflow reruns a job when these settings change. The verb works from the same settings and records them.
"""

import hashlib
import json
from typing import Any

from relax.config.evaluation import AskedBenchmark
from relax.config.experiment import Experiment
from relax.config.loading import Config
from relax.config.own_code import sources
from relax.config.stage_settings import (
    BaseSettings,
    ComparedBenchmark,
    DataSettings,
    DictionarySettings,
    EvaluateSettings,
    ExtractSettings,
    GenerateSettings,
    GradeSettings,
    KoopmanSettings,
    OverlapSettings,
    Sampling,
    TrainSettings,
)
from relax.settings import Settings
from relax.tasks import warm_up_task


def digest(value: Any) -> str:
    """Twelve hexadecimal digits of the SHA-256 of a JSON value, or of the recorded form of settings; key order does not
    matter."""
    value = value.recorded() if isinstance(value, Settings) else value
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def data_settings(experiment: Experiment) -> DataSettings:
    """Settings of the ``data`` stage."""
    return DataSettings(**dict(experiment.data))


def base_settings(experiment: Experiment, policy: str) -> BaseSettings:
    """Settings of the ``base`` stage of a policy."""
    entry, data = experiment.policies[policy], experiment.data
    task = warm_up_task(data.source, sees=entry.scratch is not None and entry.scratch.vision is not None)
    entry = entry.model_copy(update={"dictionary_of": None})  # whose frame it is measured in does not make it
    made = BaseSettings(policy=entry, digits=data.digits, task=task.name, own=data.of(task))
    if entry.warmup is None:
        return made
    shown = {"data": data_settings(experiment), "sampling": Sampling(**_sampling(experiment))}
    return made.model_copy(update=shown)


def dictionary_settings(experiment: Experiment, koopman_dim: int | None = None) -> DictionarySettings:
    """Settings of the ``dictionary`` stage; with ``koopman_dim``, of a method that has a dictionary of its own."""
    own = {} if koopman_dim is None else {"koopman_dim": koopman_dim}
    return DictionarySettings(**{**dict(experiment.dictionary), **own, **_sampling(experiment)})


def own_dimension(experiment: Experiment, method: str) -> int | None:
    """m of a method with a dictionary of its own; None where it uses the common one."""
    own = experiment.methods[method].koopman_dim
    return None if own == experiment.dictionary.koopman_dim else own


def frame_of(experiment: Experiment, policy: str) -> str:
    """The policy whose dictionary another one's hidden states are measured with; itself where it names none."""
    return experiment.policies[policy].dictionary_of or policy


def measured_policies(experiment: Experiment) -> list[str]:
    """The policies of the matrix whose hidden states are analysed: all, or where nothing is trained those that share a
    frame."""
    policies = experiment.matrix.policies
    if experiment.matrix.methods:
        return policies
    shared = {frame_of(experiment, policy) for policy in policies if experiment.policies[policy].dictionary_of}
    return [policy for policy in policies if frame_of(experiment, policy) in shared]


def train_settings(experiment: Experiment, method: str) -> TrainSettings:
    """Settings of the ``train`` stage; the seed comes beside it. The record says on which devices it runs."""
    return TrainSettings(
        method=experiment.methods[method],
        training=experiment.training,
        ridge=experiment.dictionary.ridge,
        prompt=experiment.prompt,
        sources=sources(experiment.training.rewards or []),
    )


def extract_settings(experiment: Experiment) -> ExtractSettings:
    """Settings of the ``extract`` stage."""
    return ExtractSettings(**dict(experiment.analysis), **_sampling(experiment))


def koopman_settings(experiment: Experiment) -> KoopmanSettings:
    """Settings of the ``koopman`` stage."""
    return KoopmanSettings(ridge=experiment.dictionary.ridge)


def generate_settings(experiment: Experiment) -> GenerateSettings:
    """Settings of the ``generate`` stage: every benchmark of the matrix."""
    given = dict(experiment.evaluation)
    given["max_response_length"] = experiment.evaluation.longest(experiment.training.max_response_length)
    # The name of a protocol, and those that are not asked for, decide nothing.
    del given["protocol"], given["protocols"]
    decoding = experiment.evaluation.decoding
    if decoding is not None and decoding.system is not None:
        given["instruction"] = experiment.data.instruction
    # Who grades the responses does not decide them.
    asked = {name: entry.model_copy(update={"verifier": None}) for name, entry in _asked(experiment).items()}
    return GenerateSettings(**given, asked=decoding, prompt=experiment.prompt, benchmarks=asked)


def grade_settings(experiment: Experiment) -> GradeSettings:
    """Settings of the ``grade`` stage."""
    asked = _asked(experiment).items()
    verifiers = {name: entry.verifier for name, entry in asked if entry.verifier is not None}
    return GradeSettings(verifiers=verifiers, sources=sources(verifiers.values()))


def evaluate_settings(experiment: Experiment) -> EvaluateSettings:
    """Settings of the ``evaluate`` stage."""
    return EvaluateSettings(benchmarks=_asked(experiment))


def overlap_settings(experiment: Experiment) -> OverlapSettings:
    """Settings of the ``overlap`` stage."""
    policies = {name: experiment.policies[name].hub for name in experiment.matrix.policies}
    return OverlapSettings(
        benchmarks={
            name: ComparedBenchmark(task=asked.task, path=asked.path, rows=asked.rows)
            for name, asked in _asked(experiment).items()
        },
        instruction=experiment.data.instruction,
        shots=experiment.prompt.shots,
        released={name: None if hub is None else hub.released for name, hub in policies.items()},
    )


def results_settings(experiment: Experiment) -> Config:
    """Settings of the tables, the figures and the report, which read the configuration as it is recorded."""
    recorded = experiment.recorded()
    return {name: recorded[name] for name in ("matrix", "methods", "ablations", "paper", "limits")}


def _asked(experiment: Experiment) -> dict[str, AskedBenchmark]:
    return {name: experiment.benchmarks[name] for name in experiment.matrix.benchmarks}


def _sampling(experiment: Experiment) -> dict[str, Any]:
    training = experiment.training
    return {
        "max_response_length": training.max_response_length,
        "temperature": training.temperature,
        "prompt": experiment.prompt,
    }
