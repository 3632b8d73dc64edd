r"""Is a response right? One answer for training rewards and for evaluation.

What counts as right, and what does not: ``docs/grading.md``. Texts and numbers are compared here; only what needs
computer algebra goes to a child process (:mod:`relax.grading.workers`). Nothing is ever executed.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from numbers import Real

from relax.config.own_code import blamed, load
from relax.errors import ConfigError
from relax.grading.answers import clean, gold_text, last_box, stated_answer, too_large
from relax.grading.scalars import compare
from relax.grading.workers import pool
from relax.tasks import TASKS


class Status(StrEnum):
    """What a grade says beyond right or wrong."""

    CORRECT = "correct"
    WRONG = "wrong"
    #: No box, or a last box that is never closed; in the lenient mode, no stated answer either.
    NO_BOX = "no_box"
    #: The comparison reached its limit of time or memory.
    TIMEOUT = "timeout"
    UNPARSEABLE_GOLD = "unparseable_gold"
    UNPARSEABLE_ANSWER = "unparseable_answer"


@dataclass(frozen=True)
class Grade:
    """The grade of one response.

    Attributes:
        correct: is it right?
        status: why; every status but ``correct`` counts as wrong.
        answer: the answer as found in the response, None if there is none.
    """

    correct: bool
    status: Status
    answer: str | None


#: Cleaned golds and cleaned answer: what a child process must decide.
_Question = tuple[tuple[str, ...], str]
#: A gold answer, a number or several of them.
_Gold = str | float | Sequence[str | float]


def grade(prediction: str, gold: _Gold, *, lenient: bool = False) -> Grade:
    r"""Grade a response.

    Args:
        prediction: the whole response; its last ``\boxed{}`` is the answer.
        gold: the gold answer or several, any one of which is right; of a worked solution, its last box is taken. A
            number is graded as its text.
        lenient: without a box, take the last answer that is stated in words ("the answer is ...", "#### ...").

    Raises:
        TypeError: the prediction is no text, or a gold is neither a text nor a number.
        MachineError: no child process can be started.

    Examples:
        >>> from relax.grading import grade
        >>> grade(r"Half of it, so \boxed{\frac{1}{2}}.", "0.5").correct
        True
        >>> grade("Half of it.", "0.5").status.value
        'no_box'
    """
    return grade_many([prediction], [gold], lenient=lenient)[0]


def grade_many(
    predictions: Sequence[str],
    golds: Sequence[_Gold],
    *,
    lenient: bool = False,
    workers: int | None = None,
) -> list[Grade]:
    """Grade many responses; the same as :func:`grade` of each, with several child processes at work.

    Args:
        predictions: whole responses.
        golds: gold answers, one entry per response.
        lenient: as for :func:`grade`.
        workers: child processes, 2 unless more were asked for before.

    Raises:
        ValueError: not as many golds as predictions.
        TypeError: as for :func:`grade`.
        MachineError: no child process can be started.
    """
    found = [_answer(prediction, lenient) for prediction in predictions]
    first = [_at_once(answer, gold) for answer, gold in zip(found, golds, strict=True)]
    # Responses to one prompt often share an answer: each question is put once.
    questions = list(dict.fromkeys(known for known in first if not isinstance(known, Status)))
    decided = dict(zip(questions, _ask([(list(g), a) for g, a in questions], workers), strict=True))
    statuses = [known if isinstance(known, Status) else decided[known] for known in first]
    return [Grade(status == Status.CORRECT, status, answer) for status, answer in zip(statuses, found, strict=True)]


def unreadable(golds: Iterable[str], workers: int | None = None) -> list[int]:
    """Positions of gold answers that no other spelling can be found equal to, because they cannot be read.

    Args:
        golds: gold answers or worked solutions.
        workers: as for :func:`grade_many`.

    Raises:
        MachineError: no child process can be started.
    """
    texts = [gold_text(gold) for gold in golds]
    cleaned = ["" if too_large(text) else clean(text) for text in texts]
    distinct = list(dict.fromkeys(cleaned))
    hard = [gold for gold in distinct if gold and compare(gold, "0") is None]
    verdicts = dict(zip(hard, _ask([([gold], None) for gold in hard], workers), strict=True))
    return [i for i, gold in enumerate(cleaned) if verdicts.get(gold, gold and Status.CORRECT) != Status.CORRECT]


def grade_response(source: str, prompt: str, response: str, answer: str) -> bool:
    """Whether the response solves the problem; the source of the problem decides how it is checked.

    Args:
        source: a problem's source; a task of :data:`relax.tasks.VERIFIED` has a verifier of its own.
        prompt: the problem as the policy saw it.
        response: the whole response text, without special tokens.
        answer: the gold answer; most verifiers derive their own from the prompt.
    """
    task = TASKS.get(source)
    if task is not None and task.verify is not None:
        return task.verify(prompt, response)
    if task is not None and task.check is not None:
        box = last_box(response)
        return box is not None and task.check(box, answer)
    return grade(response, answer).correct


def own_verifier(name: str) -> Callable[[str, str, Sequence[str]], bool]:
    """A verifier of the user's own: whether a response to a prompt is right, given the gold answers.

    Args:
        name: ``module:function``. The function takes (prompt, response, answer), texts, and returns a bool or a number
            from 0 to 1, of which 1 is right. It is asked with each gold answer until one is right.

    Raises:
        ConfigError: it cannot be imported, or is no function; and, when it is called, it raises something or returns
            anything else.
    """
    function = load(name)

    def right(prompt: str, response: str, answer: str) -> bool:
        with blamed("verifier", name):
            found = function(prompt, response, answer)
        try:
            value = math.nan if isinstance(found, str) else float(found)
        except (TypeError, ValueError):
            value = math.nan
        if not 0 <= value <= 1:
            raise ConfigError(
                f"the verifier {name} returned {found!r}, expected true or false, or a number from 0 to 1."
            )
        return value == 1

    return lambda prompt, response, golds: any(right(prompt, response, gold) for gold in golds)


def _answer(prediction: str, lenient: bool) -> str | None:
    if not isinstance(prediction, str):
        raise TypeError(f"prediction is {prediction!r}, expected the text of a whole response.")
    answer = last_box(prediction)
    return stated_answer(prediction) if answer is None and lenient else answer


def _texts(gold: _Gold) -> list[str]:
    """The gold answers as texts."""
    found = []
    for one in gold if isinstance(gold, Iterable) and not isinstance(gold, str) else [gold]:
        if not isinstance(one, str | Real) or isinstance(one, bool):
            raise TypeError(f"gold is {gold!r}, expected a text, a number, or a list of them.")
        found.append(gold_text(str(one)))
    return found


def _at_once(answer: str | None, gold: _Gold) -> Status | _Question:
    """The status where texts and numbers decide, otherwise the question for a child process."""
    golds = _texts(gold)
    if answer is None:
        return Status.NO_BOX
    if answer and answer in golds:
        return Status.CORRECT
    cleaned = [clean(text) for text in golds if not too_large(text)]
    cleaned = [text for text in cleaned if text]
    if not cleaned:
        return Status.UNPARSEABLE_GOLD
    if too_large(answer) or not (answer := clean(answer)):
        return Status.UNPARSEABLE_ANSWER
    verdicts = [compare(text, answer) for text in cleaned]
    if True in verdicts:
        return Status.CORRECT
    undecided = tuple(text for text, verdict in zip(cleaned, verdicts, strict=True) if verdict is None)
    return (undecided, answer) if undecided else Status.WRONG


def _ask(questions: list[tuple[list[str], str | None]], workers: int | None) -> list[Status]:
    """Statuses of questions, from child processes."""
    if not questions:
        return []
    if workers is not None:
        pool().grow(workers)
    with ThreadPoolExecutor(max_workers=min(workers or 2, len(questions))) as threads:
        return [Status(answer or Status.TIMEOUT) for answer in threads.map(pool().ask, questions)]
