"""What a task is: the one object that the stages ask, so that none of them names a task."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relax.settings import Settings
from relax.tasks.problem import Problem

if TYPE_CHECKING:
    from PIL.Image import Image

#: Puts an encoded picture beside the problem file, and returns the path that the problem names.
Keep = Callable[[bytes], str]
#: Settings of the ``data`` stage, how many problems, ``"train"`` or ``"test"``, and where pictures go.
Problems = Callable[[Mapping[str, Any], int, str, Keep], Iterable[Problem]]
#: The task's own settings and ``digits``, a stage of the warm-up (``error_rate``, ``rote_share``), and a seed.
Demonstrations = Callable[[Mapping[str, Any], Mapping[str, Any], str], Iterator[tuple[str, str]]]
#: The same with a picture, which is drawn when it is asked for.
Drawn = Callable[[Mapping[str, Any], Mapping[str, Any], str], Iterator[tuple[str, str, Callable[[], "Image"]]]]

#: Positions that a policy made from scratch has for a prompt and its response, where a task asks for no more.
CONTEXT = 64


def short(own: Mapping[str, Any]) -> int:
    """:data:`CONTEXT`, whatever the task's settings."""
    return CONTEXT


@dataclass(frozen=True)
class Task:
    """A kind of problems: how they are made, checked, and shown to a policy that is made from scratch.

    What a task does not have is None, and what asks for it then does the general thing.

    Attributes:
        name: as in ``data.source`` and in the ``source`` of its problems.
        problems: makes the problems of a split; None where they are read from data sets (:mod:`relax.data.hub`).
        settings: keys and values below ``data.<key>``.
        verify: whether a response solves the problem of a prompt; None where the answer is compared with the gold
            answer by the general grader.
        check: whether the boxed answer of a response is right, given the gold answer; in place of ``verify`` where the
            gold answer holds more than a text to compare with.
        answer_to: the answer of a prompt, None where the prompt is none of this task; goes with ``verify``.
        metrics: numbers of its own, logged in training, from the prompts and responses of a step; their names begin
            with ``strategy/`` or with :attr:`key` and a slash.
        demonstrations: endless pairs of a training prompt and a response, for a policy of text.
        alphabet: every character of them; a policy made from scratch has a token for each.
        context: tokens of the longest prompt and response together, from the task's own settings and ``digits``.
        drawn: the same as ``demonstrations`` with a picture, for a policy that sees.
        by_subset: scores are given by subset too, as they are for every task with a verifier of its own; the subsets of
            others may be dozens.
        subset_of: the subset of a demonstrated problem, by its prompt, since ``prompt.shots`` may be those of a subset;
            None where problems have none.
        texts: prompts and responses that together hold every word and sign of ``drawn``.
    """

    name: str
    problems: Problems | None = None
    settings: type[Settings] | None = None
    verify: Callable[[str, str], bool] | None = None
    check: Callable[[str, str], bool] | None = None
    answer_to: Callable[[str], str | None] | None = None
    metrics: Callable[[Sequence[str], Sequence[str]], dict[str, float]] | None = None
    demonstrations: Demonstrations | None = None
    alphabet: str = ""
    context: Callable[[Mapping[str, Any]], int] = short
    drawn: Drawn | None = None
    texts: Callable[[], Iterator[str]] | None = None
    by_subset: bool = False
    subset_of: Callable[[str], str] | None = None

    @property
    def key(self) -> str:
        """Of its settings in the configuration's ``data``: the name with underscores."""
        return self.name.replace("-", "_")
