"""Is a response right? One answer for training rewards and for evaluation."""

from relax.data import noisy_sum
from relax.errors import ConfigError


def grade_response(source: str, prompt: str, response: str, answer: str) -> bool:
    """Whether the response solves the problem; the source of the problem decides how it is checked.

    Args:
        source: a problem's source, e.g. ``"noisy-sum"``.
        prompt: the problem as the policy saw it.
        response: the whole response text, without special tokens.
        answer: the gold answer; the noisy-sum verifier derives its own from the prompt.

    Raises:
        ConfigError: no verifier for this source.
    """
    if source == "noisy-sum":
        return noisy_sum.verify(prompt, response)
    raise ConfigError(f"problems from {source!r} have no verifier; known sources: noisy-sum.")
