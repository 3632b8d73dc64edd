"""The ``extract`` stage writes ``latent/``: Koopman statistics of a policy's responses and of the probes.

No hidden states are kept.
"""

from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import save
from transformers import PreTrainedModel

from relax.config.stage_settings import ExtractSettings
from relax.data.problem_files import read_problems
from relax.errors import ConfigError
from relax.files import atomic_write
from relax.grading.grader import grade_response
from relax.koopman import Dictionary
from relax.latent.pretrained import state_width
from relax.latent.rollouts import Rollout, read_rollouts, sample
from relax.latent.states import statistics_with_baseline
from relax.models.policy import Processing, load_policy
from relax.records.record import Run
from relax.tasks.problem import Problem


def extract_stage(
    settings: ExtractSettings,
    policy: str | Path,
    data: str | Path,
    dictionary: str | Path,
    out: str | Path,
    run: Run,
    label: str,
) -> None:
    """Write ``statistics.safetensors`` and ``responses.parquet`` below ``out``, one row a trajectory.

    The statistics hold, for every trajectory, its Gram matrices and those of the same states in random
    time order (names with the prefix ``shuffled_``), the baseline that has no dynamics.

    Args:
        settings: how many responses, and how they are sampled.
        policy: folder of the policy.
        data: problem file of held-out prompts.
        dictionary: folder of the ``dictionary`` stage.
        out: folder.
        run: the record to finish.
        label: for the progress lines.

    Raises:
        DataError: an input is missing or cannot be read.
        ConfigError: the dictionary is not what it was when it was written, or is for states of another width.
    """
    out = Path(out)
    frozen = Dictionary.load(Path(dictionary) / "dictionary.safetensors")
    problems = read_problems(data)[: settings.prompts]
    probes = read_rollouts(Path(dictionary) / "probes.jsonl")  # before hours of sampling
    model, processing = load_policy(policy)
    if (width := state_width(model)) != frozen.settings.hidden_size:
        raise ConfigError(
            f"{policy}: its hidden states have width {width}, the dictionary of {dictionary} is for width "
            f"{frozen.settings.hidden_size}; policies of one frame (`dictionary_of`) need states of one width."
        )
    own = sample(
        model,
        processing,
        problems,
        settings.responses_per_prompt,
        settings.max_response_length,
        settings.temperature,
        settings.seed,
        label,
        prompt=settings.prompt.recorded(),
    )
    rollouts = own + probes
    kinds = ["policy"] * len(own) + ["probe"] * (len(rollouts) - len(own))
    tensors = _statistics(model, rollouts, frozen, processing, settings.seed)
    atomic_write(out / "statistics.safetensors", save({name: tensor.contiguous() for name, tensor in tensors.items()}))
    table = _table(rollouts, kinds, problems, settings.responses_per_prompt)
    atomic_write(out / "responses.parquet", table.to_parquet(index=False))
    run.metrics.update(
        trajectories=len(rollouts),
        length=float(table.loc[table.kind == "policy", "length"].mean()),
        accuracy=float(table.loc[table.kind == "policy", "correct"].astype(float).mean()),
    )
    run.seeds["analysis"] = settings.seed
    names = ("statistics.safetensors", "responses.parquet")
    run.finish(out, [out / name for name in names], dictionary_hash=frozen.hash)


def _statistics(
    model: PreTrainedModel, rollouts: list[Rollout], dictionary: Dictionary, processing: Processing, seed: int
) -> dict[str, torch.Tensor]:
    real, shuffled = statistics_with_baseline(model, rollouts, dictionary, processing, seed)
    baseline = {f"shuffled_{name}": tensor for name, tensor in shuffled.to_tensors().items()}
    return real.to_tensors() | baseline


def _table(rollouts: list[Rollout], kinds: list[str], problems: list[Problem], per_problem: int) -> pd.DataFrame:
    asked = [problem for problem in problems for _ in range(per_problem)]
    correct: list[bool | None] = [
        grade_response(problem.source, problem.prompt, rollout.response, problem.answer)
        for problem, rollout in zip(asked, rollouts, strict=False)
    ]
    correct += [None] * (len(rollouts) - len(asked))
    return pd.DataFrame(
        {
            "id": [r.id for r in rollouts],
            "kind": kinds,
            "prompt": [r.prompt for r in rollouts],
            "response": [r.response for r in rollouts],
            "length": [len(r.response_ids) for r in rollouts],
            "correct": pd.array(correct, dtype="boolean"),
        }
    )
