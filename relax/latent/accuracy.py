"""How often a policy is right: one sampled response to each problem, sampled and graded as in training."""

from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedModel

from relax.grading.grader import grade_response
from relax.latent.rollouts import sample
from relax.models.policy import Processing
from relax.tasks.problem import Problem


def sampled_accuracy(
    model: PreTrainedModel,
    processing: Processing,
    problems: Sequence[Problem],
    sampling: dict[str, Any],
    seed: int,
    label: str,
) -> float:
    """Share of right responses, one to each problem.

    Args:
        model: the policy.
        processing: its tokenizer, or its processor.
        problems: at least one.
        sampling: ``max_response_length``, ``temperature`` and ``prompt`` of the configuration.
        seed: of the responses.
        label: for the progress lines.
    """
    length, temperature, prompt = (sampling[name] for name in ("max_response_length", "temperature", "prompt"))
    rollouts = sample(model, processing, list(problems), 1, length, temperature, seed, label, prompt=prompt)
    right = [
        grade_response(problem.source, problem.prompt, rollout.response, problem.answer)
        for problem, rollout in zip(problems, rollouts, strict=True)
    ]
    return sum(right) / len(right)
