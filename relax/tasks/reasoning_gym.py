r"""Problems of the library reasoning-gym: procedural tasks, each with a verifier of its own.

The library is an extra (``pip install 'relax-rl[reasoning-gym]'``) and is imported when problems are made or checked.
The gold answer of a problem is the library's whole entry as JSON, since many of its verifiers do not compare texts: a
path through a maze is right where it leads out. The answer of a response is its last box. The library scores an answer
with a number from 0 to 1, and only 1 counts as right.
"""

import hashlib
import itertools
import json
import random
import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache, partial
from importlib import metadata
from typing import Annotated, Any, NoReturn

from pydantic import Field

from relax.errors import ConfigError, DataError, MachineError
from relax.settings import Positive, Settings, key
from relax.tasks.draws import by_weight, different, endless
from relax.tasks.problem import Problem
from relax.tasks.task import Keep, Task

NAME = "reasoning-gym"
#: Verifiers that run what the policy writes as Python code, by `eval` or by sympy's parser (reasoning-gym 0.1.25).
EXECUTE = (
    "binary_matrix", "countdown", "intermediate_integration", "n_queens", "polynomial_multiplication", "puzzle24",
    "simple_integration", "spiral_matrix", "string_insertion",
)  # fmt: skip
#: Entries that the library is asked for at once.
CHUNK = 1000
#: Draws from one task without a new problem, after which there are taken to be no more.
PATIENCE = 500

_WORDS = re.compile(r"\\(?:text|textbf|texttt|mathrm|mathbf)\{(.*)\}", re.DOTALL)


class GymTask(Settings):
    """A task of reasoning-gym."""

    name: str
    """Name of the task in the library, such as `chain_sum`. Tasks whose verifiers run what the policy writes as code
    are refused."""
    weight: Positive = 1
    """Weight of the task in the mixture."""
    subset: str | None = None
    """Name of its problems among all, their `subset`; null: the name of the task. Give one to tell apart the same task
    at two difficulties."""
    settings: dict[str, bool | int | float | str | list[bool | int | float | str] | None] = key({})
    """Settings of the task in the library, such as {min_terms: 3, max_terms: 3}; those that are left out have the
    library's defaults."""


class ReasoningGymSettings(Settings):
    """Procedural tasks of the library reasoning-gym."""

    tasks: Annotated[list[GymTask], Field(min_length=1)] = key([GymTask(name="chain_sum")])
    """Tasks that are mixed."""


def problems(settings: Mapping[str, Any], n: int, split: str, keep: Keep) -> Iterator[Problem]:
    """``n`` different problems of one split, in an order fixed by the seed.

    Each split has seeds of its own, and the digest of a question decides to which split it belongs. So the splits are
    disjoint also where a task has few problems.

    Args:
        settings: the configuration's ``data``: ``reasoning_gym``, ``seed`` and ``instruction``.
        n: how many.
        split: ``"train"`` or ``"test"``.
        keep: not used, as there are no pictures.

    Raises:
        ConfigError: the library has no such task, the task refuses its settings, or its verifier runs code.
        DataError: there are not that many different problems, or a task's verifier does not work on a file's entry.
        MachineError: the library is not installed.
    """
    asked, below = settings["reasoning_gym"]["tasks"], f"\n{settings['instruction']}" if settings["instruction"] else ""
    rng = random.Random(f"{NAME}/{split}/{settings['seed']}")
    streams = [_entries(one, f"{split}/{settings['seed']}/{number}") for number, one in enumerate(asked)]
    mixture = by_weight(
        rng, [(one["weight"], partial(next, stream)) for one, stream in zip(asked, streams, strict=True)]
    )

    def draw() -> tuple[str, tuple[str, str, tuple[dict[str, Any], dict[str, Any]]]]:
        number, entry = mixture()
        return entry["question"], (str(number), entry["question"], (asked[number], entry))

    def fewer(number: str, found: int) -> NoReturn:
        raise DataError(
            f"{n} different {split} problems asked for, but {asked[int(number)]['name']} of reasoning-gym gives fewer "
            "with these settings; ask for fewer, lower its weight, or widen its settings (data.reasoning_gym.tasks)."
        )

    for number, (one, entry) in enumerate(different(endless(split, draw), n, fewer, PATIENCE)):
        name, question = one["name"], entry["question"] + below
        identity, subset = f"{NAME}/{name}/{split}/{number}", one["subset"] or name
        yield Problem(identity, question, _gold(name, entry), NAME, subset=subset)


def _entries(asked: Mapping[str, Any], seed: str) -> Iterator[dict[str, Any]]:
    """Endless entries of one task; the library's entry ``i`` follows from its seed plus ``i``."""
    name, settings, place = asked["name"], asked["settings"], f"data.reasoning_gym.tasks: {asked['name']}"
    known = _library().factory.DATASETS
    if name not in known:
        near = get_close_matches(name, known, n=1)
        meant = f"did you mean {near[0]!r}" if near else f"known are {', '.join(sorted(known))}"
        raise ConfigError(f"data.reasoning_gym.tasks: reasoning-gym has no task {name!r}; {meant}.")
    if name in EXECUTE:
        raise ConfigError(f"{place}: its verifier runs what the policy writes as code; name another task.")
    if own := {"seed", "size"} & settings.keys():
        raise ConfigError(f"{place}: the setting {min(own)!r} is set by the pipeline; leave it out.")
    first = int.from_bytes(hashlib.sha1(f"{name}/{seed}".encode()).digest()[:4])
    for start in itertools.count(step=CHUNK):
        try:
            made = _library().create_dataset(name, seed=first + start, size=CHUNK, **settings)
        except Exception as error:  # its checks are assertions, and a setting it does not know is a TypeError
            raise ConfigError(f"{place} refuses its settings ({_said(error)}).") from error
        for index in range(CHUNK):
            try:
                entry: dict[str, Any] = made[index]
            except Exception as error:
                raise DataError(f"{place} cannot make a problem of these settings ({_said(error)}).") from error
            yield entry


def _gold(name: str, entry: Mapping[str, Any]) -> str:
    """The entry as JSON, once it is known that the verifier works on what is read back from it."""
    where, answer = f"data.reasoning_gym.tasks: {name}", entry.get("answer")
    try:
        text = json.dumps({"answer": answer, "task": name, **entry}, ensure_ascii=False)
        right = answer is None or check(answer, text)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{where}: its problems cannot be kept in a file ({_said(error)}); name another task."
        ) from error
    if not right:
        raise DataError(
            f"{where}: its verifier finds its own answer wrong once it stands in a file; name another task."
        )
    if check("?", text):
        raise DataError(f"{where}: its verifier finds an answer right that is none, '?'; name another task.")
    return text


def check(answer: str, gold: str) -> bool:
    """Whether the library gives an answer the full score; what its verifier fails on is wrong.

    Args:
        answer: content of a response's box.
        gold: answer of a problem of :func:`problems`.

    Raises:
        DataError: the gold answer is none of this task.
        MachineError: the library is not installed.
    """
    try:
        entry = json.loads(gold)
        score = _scorer(entry["task"])
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"the answer {gold[:60]!r} is none of reasoning-gym; make the problems again.") from error
    words = _WORDS.fullmatch(answer.strip())
    try:
        return score(words[1].strip() if words else answer.strip(), entry) >= 1
    except Exception:  # verifiers raise all kinds on text that they cannot read
        return False


@cache
def _scorer(name: str) -> Callable[[str, Mapping[str, Any]], float]:
    score: Callable[[str, Mapping[str, Any]], float] = _library().get_score_answer_fn(name)
    return score


def _library() -> Any:
    try:
        import reasoning_gym
    except ImportError as error:
        raise MachineError(
            f"data.source is reasoning-gym, which needs the Python package {error.name or 'reasoning-gym'}; install "
            "what envs/reasoning-gym.lock names (docs/problems.md)."
        ) from error
    return reasoning_gym


def library_version() -> str:
    """The version of the library.

    Raises:
        MachineError: it is not installed, or a package that it needs is not.
    """
    _library()
    return metadata.version(NAME)


def _said(error: Exception) -> str:
    return f"{next(iter(str(error).splitlines()), '') or type(error).__name__:.200}"


TASK = Task(name=NAME, problems=problems, settings=ReasoningGymSettings, check=check)
