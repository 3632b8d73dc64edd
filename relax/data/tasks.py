"""The tasks whose problems have a verifier of their own. A problem belongs to one by what it asks, not by a name."""

from relax.data import countdown, noisy_sum

#: Source -> the answer to a prompt of the task, None where the prompt is none of its; the trap's are noisy sums too.
ANSWERS = {
    "noisy-sum": noisy_sum.answer_to,
    "answer-prior": noisy_sum.answer_to,
    "countdown": countdown.answer_to,
}


def source_of(name: str) -> str:
    """The source of the problems of a data set: its name, unless that is a task's, whose verifier reads no gold."""
    return f"data set {name}" if name in ANSWERS else name


def check(source: str, prompt: str, answer: str) -> None:
    """Refuse a problem that has the source of a task and is none of its problems.

    Raises:
        ValueError: says what the task's problems are.
    """
    if source not in ANSWERS:
        return
    expected = ANSWERS[source](prompt)
    if expected is None:
        raise ValueError(
            f"source {source!r} is a task with a verifier of its own, and the prompt is none of its problems; give the "
            "data another source, and its answers are compared"
        )
    if expected != answer:
        raise ValueError(f"the answer is {answer!r}, the task {source!r} has {expected!r} for this prompt")
