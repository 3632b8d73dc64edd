"""The verifiable reward: 1 for a right response, 0 for a wrong one."""

from collections.abc import Iterable

from relax.evaluation.grading import grade_response


def correctness(
    prompts: Iterable[str], completions: Iterable[str], answer: Iterable[str], source: Iterable[str], **_: object
) -> list[float]:
    """The reward in the form TRL calls: one number per completion.

    The data set's columns ``answer`` and ``source`` (:class:`relax.data.problem.Problem`) say what
    is right and how it is checked; evaluation grades through the same function.
    """
    rows = zip(prompts, completions, answer, source, strict=True)
    return [float(grade_response(kind, prompt, text, gold)) for prompt, text, gold, kind in rows]
