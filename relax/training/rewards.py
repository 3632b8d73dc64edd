"""The verifiable rewards, in the form TRL calls: one number a completion."""

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from relax.config.own_code import blamed, load
from relax.errors import DataError
from relax.grading.answers import boxes, last_box
from relax.grading.grader import Grade, Status, grade_many, grade_response, unreadable
from relax.tasks import TASKS, VERIFIED

#: Gold answers that the grader may fail to read before a training set is refused.
UNREADABLE_SHARE = 0.01


def correctness(
    prompts: Sequence[Any],
    completions: Sequence[Any],
    answer: Sequence[str],
    source: Sequence[str],
    problem: Sequence[str] | None = None,
    log_metric: Callable[[str, float], None] | None = None,
    **_: object,
) -> list[float]:
    """1 for a right response, 0 for a wrong one; evaluation grades through the same functions.

    Args:
        prompts: as the policy saw them, texts or lists of messages.
        completions: the same.
        answer: gold answers, or worked solutions with the answer in their last box.
        source: what decides how they are checked (:class:`relax.tasks.problem.Problem`).
        problem: the problems without a chat template; default is the prompts.
        log_metric: TRL's; given the shares of responses without a box (``grade/no_box``), of time-outs
            (``grade/timeout``), and of answers and golds that cannot be read (``grade/unparseable_answer``,
            ``grade/unparseable_gold``), among the responses without a verifier of their own; and the metrics of each
            task that has some, such as ``strategy/chain`` of the answer-prior trap, among the responses to it.

    Raises:
        MachineError: no child process for grading can be started.
    """
    asked, texts = [_text(p) for p in (problem or prompts)], [_text(c) for c in completions]
    graded = [i for i, kind in enumerate(source) if kind not in VERIFIED]
    grades = grade_many([texts[i] for i in graded], [answer[i] for i in graded])
    if grades and log_metric is not None:
        _log(grades, log_metric)
    if log_metric is not None:
        _log_tasks(source, asked, texts, log_metric)
    rewards = dict(zip(graded, (float(grade.correct) for grade in grades), strict=True))
    return [
        rewards[i] if i in rewards else float(grade_response(source[i], asked[i], texts[i], answer[i]))
        for i in range(len(texts))
    ]


def boxed_format(completions: Sequence[Any], **_: object) -> list[float]:
    r"""1 for a response that ends in one answer, else 0: for models that do not box by themselves.

    After its reasoning (all up to the last ``</think>``, where there is such a mark) the response must hold exactly
    one ``\boxed{}``, closed and not empty. Reasoning that is opened and never closed has no answer after it.

    Args:
        completions: texts or lists of messages.
    """
    return [float(_is_formatted(_text(completion))) for completion in completions]


def own_reward(name: str) -> Callable[..., Any]:
    """A reward function of the user's own, as TRL takes it; what it raises is said in one sentence.

    Args:
        name: ``module:function``. Its mean is logged by the function's name.

    Raises:
        ConfigError: it cannot be imported, or is no function (:func:`relax.config.own_code.load`).
    """
    function = load(name)

    @functools.wraps(function)
    def reward(**given: Any) -> Any:
        with blamed("reward", name):
            return function(**given)

    @functools.wraps(function)
    async def awaited(**given: Any) -> Any:
        with blamed("reward", name):
            return await function(**given)

    made = awaited if inspect.iscoroutinefunction(function) else reward
    made.__name__ = name.partition(":")[2]
    return made


def check_golds(answers: Iterable[str], sources: Iterable[str]) -> None:
    """Refuse a training set whose gold answers the grader cannot read: most right answers to them would be wrong.

    Args:
        answers: gold answers, or worked solutions with the answer in their last box.
        sources: of the problems; those with a verifier of their own are not looked at.

    Raises:
        DataError: more than :data:`UNREADABLE_SHARE` of them; names the first.
        MachineError: no child process for grading can be started.
    """
    rows = [(row, gold) for row, (gold, kind) in enumerate(zip(answers, sources, strict=True)) if kind not in VERIFIED]
    bad = [rows[i] for i in unreadable([gold for _, gold in rows])]
    if len(bad) > UNREADABLE_SHARE * len(rows):
        shown = ", ".join(f"{gold[-60:]!r} (row {row})" for row, gold in bad[:3])
        raise DataError(
            f"{len(bad)} of {len(rows)} gold answers cannot be read as mathematics, at most {UNREADABLE_SHARE:.0%} "
            f"may: {shown}; correct them, or take the rows out (data.datasets[].where)."
        )


def _is_formatted(response: str) -> bool:
    opened, _, answer = response.rpartition("</think>")
    if "<think>" in answer and not opened:
        return False
    return boxes(answer) == 1 and bool(last_box(answer))


def _log(grades: Sequence[Grade], log_metric: Callable[[str, float], None]) -> None:
    def share(status: Status) -> float:
        return sum(grade.status == status for grade in grades) / len(grades)

    log_metric("grade/no_box", share(Status.NO_BOX))
    log_metric("grade/timeout", share(Status.TIMEOUT))
    log_metric("grade/unparseable_answer", share(Status.UNPARSEABLE_ANSWER))
    log_metric("grade/unparseable_gold", share(Status.UNPARSEABLE_GOLD))


def _log_tasks(
    source: Sequence[str], asked: Sequence[str], texts: Sequence[str], log_metric: Callable[[str, float], None]
) -> None:
    for name, task in TASKS.items():
        own = [i for i, kind in enumerate(source) if kind == name]
        if own and task.metrics is not None:
            for metric, value in task.metrics([asked[i] for i in own], [texts[i] for i in own]).items():
                log_metric(metric, value)


def _text(message: Any) -> str:
    """The text of a prompt or completion; of a conversation, that of its last message."""
    content = message if isinstance(message, str) else message[-1]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
