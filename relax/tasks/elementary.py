r"""Elementary questions in English, for a small language model that was pretrained on language.

There are four kinds: a sum of three digits, a letter that is to be counted in a word, a number of two digits and one of
one digit, and the largest of five numbers. The policy works the answer out in a few words and puts it into a box, as in
``3 + 4 = 7. 7 + 8 = 15. The answer is \boxed{15}.`` A model of 0.1 billion parameters that is shown worked examples of
the same kind (``prompt.shots``) is right on about a fifth of its samples, and at least half of all groups of eight
samples hold right and wrong ones: there is something to learn from. No file, no network: everything follows from a
seed.

A worked example of each kind, as ``prompt.shots`` takes them, is in docs/problems.md.
"""

import random
import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NoReturn, Self

from pydantic import model_validator

from relax.errors import DataError
from relax.settings import FromZero, Settings, contradiction, key
from relax.tasks.draws import by_weight, different, endless
from relax.tasks.problem import Problem
from relax.tasks.task import Keep, Task

#: Common English words, each with a letter that stands in it more than once.
_LIST = """
account across address afternoon alphabet always animal apple arrive balloon banana beginning believe between bicycle
blossom bottle bottom breakfast brother butter butterfly button cabbage captain carrot centre cheese cherry chicken
chocolate church circle classroom coffee collect colour common cotton cricket dessert different difficult dinner
dollar eleven engine evening evidence feather follow football forgotten forward freedom gentle giraffe glasses
goodness grammar grandmother grass happiness happy harbour headache hello hundred immediate important impossible
interest jelly kangaroo kettle ladder language letter library little magazine matter meeting memory message middle
million minister mirror moment morning mountain mushroom narrow necessary needle newspaper nineteen nobody noodle
nothing occasion office onion opposite ordinary paper parallel parrot passenger pepper perfect photograph pillow
pleasant possess potato present president pretty professor programme puppy rabbit raccoon railway remember restaurant
river rubber sausage scissors season seventeen sister spaghetti spelling spoon squirrel station statistics strawberry
street success sudden suggest summer supper swimming teacher teeth telephone television tennis theatre thirteen ticket
together tomato traffic trousers tunnel umbrella understand university vegetable village violin volleyball wallet
weather wedding welcome window yellow yesterday
"""
WORDS = tuple(_LIST.split())
NAME = "elementary"
#: Every character that a question or a solution may hold.
ALPHABET = string.ascii_letters + string.digits + " +=,.?\\{}"
#: Characters of the longest question and solution together, and the end.
CONTEXT = 256

Kind = Literal["sum-of-three", "letter-count", "two-digit-sum", "maximum-of-five"]


class ElementarySettings(Settings):
    """Elementary questions in English."""

    kinds: dict[Kind, FromZero] = key({"sum-of-three": 1, "letter-count": 1, "two-digit-sum": 1})
    """Kinds of problems, each with its weight in the mixture; 0 leaves a kind out. The kinds are `sum-of-three` (three
    numbers of one digit), `letter-count` (a letter in a word), `two-digit-sum` (a number of two digits and one of one
    digit) and `maximum-of-five`. The kind of a problem is its `subset`."""

    @model_validator(mode="after")
    def _has_a_kind(self) -> Self:
        if not any(self.kinds.values()):
            raise contradiction("no kind has a weight above 0, so there are no problems; give one.", "kinds")
        return self


@dataclass(frozen=True)
class Asked:
    """A problem and a worked solution.

    Attributes:
        key: decides the split. Problems with one key ask the same in another order, or of the same word.
        question: what is asked.
        answer: the right answer.
        work: the solution without its box.
        found: what the solution comes to.
    """

    key: str
    question: str
    answer: int
    work: str
    found: int

    @property
    def solution(self) -> str:
        """The worked solution, with the answer in a box."""
        return rf"{self.work} The answer is \boxed{{{self.found}}}."


#: A number as a solution writes it: itself, or a mistake.
Written = Callable[[int], int]


def _sum_of_three(rng: random.Random, written: Written) -> Asked:
    a, b, c = (rng.randint(1, 9) for _ in range(3))
    first = written(a + b)
    found = written(first + c)
    key_, question = "+".join(map(str, sorted((a, b, c)))), f"What is {a} + {b} + {c}?"
    return Asked(key_, question, a + b + c, f"{a} + {b} = {first}. {first} + {c} = {found}.", found)


def _letter_count(rng: random.Random, written: Written) -> Asked:
    word = rng.choice(WORDS)
    often = [letter for letter in sorted(set(word)) if word.count(letter) > 1]
    # A third of the answers is 1, so that the same answer to every question is right on a half at most.
    letter = rng.choice(sorted(set(word) - set(often)) or often) if rng.random() < 1 / 3 else rng.choice(often)
    found = written(word.count(letter))
    question = f"How many times does the letter {letter} occur in the word {word}?"
    times = "time" if found == 1 else "times"
    work = f"{', '.join(word)}. The letter {letter} occurs {found} {times}."
    return Asked(word, question, word.count(letter), work, found)


def _two_digit_sum(rng: random.Random, written: Written) -> Asked:
    a, b = rng.randint(10, 99), rng.randint(1, 9)
    found = written(a + b)
    return Asked(f"{a}+{b}", f"What is {a} + {b}?", a + b, f"{a} + {b} = {found}.", found)


def _maximum_of_five(rng: random.Random, written: Written) -> Asked:
    numbers = rng.sample(range(10, 100), 5)
    largest, work = numbers[0], []
    for number in numbers[1:]:
        larger, smaller = max(largest, number), min(largest, number)
        work.append(f"{larger} is larger than {smaller}.")
        largest = larger
    question = f"What is the largest of {', '.join(map(str, numbers))}?"
    return Asked(",".join(map(str, sorted(numbers))), question, largest, " ".join(work), written(largest))


_MADE: dict[str, Callable[[random.Random, Written], Asked]] = {
    "sum-of-three": _sum_of_three,
    "letter-count": _letter_count,
    "two-digit-sum": _two_digit_sum,
    "maximum-of-five": _maximum_of_five,
}


def asked(
    kinds: Mapping[str, float], split: str, seed: int | str, error_rate: float = 0.0
) -> Iterator[tuple[str, Asked]]:
    """Endless problems of one split, each with its kind, in an order fixed by the seed; repeats are possible.

    Args:
        kinds: kind -> its weight in the mixture.
        split: ``"train"`` or ``"test"``, decided by the problem's key: disjoint whatever the seeds.
        seed: of the problems and of the mistakes.
        error_rate: chance that a number which a solution works out is off by one; the solution goes on from it.
    """
    rng, mistakes = random.Random(f"{NAME}/{split}/{seed}"), random.Random(f"{NAME}/mistakes/{seed}")

    def written(number: int) -> int:
        return max(0, number + mistakes.choice((-1, 1))) if mistakes.random() < error_rate else number

    # In one order, whatever that of the configuration: records know no order of keys.
    names = sorted(kinds)
    mixture = by_weight(rng, [(kinds[name], partial(_MADE[name], rng, written)) for name in names])

    def draw() -> tuple[str, tuple[str, Asked]]:
        number, one = mixture()
        return f"{names[number]}/{one.key}", (names[number], one)

    return endless(split, draw)


def problems(settings: Mapping[str, Any], n: int, split: str, keep: Keep) -> Iterator[Problem]:
    """``n`` different problems of one split; ``subset`` is the kind.

    Args:
        settings: the configuration's ``data``: ``elementary``, ``seed`` and ``instruction``.
        n: how many.
        split: ``"train"`` or ``"test"``.
        keep: not used, as there are no pictures.

    Raises:
        DataError: there are not that many different problems of a kind.
    """
    below = f"\n{settings['instruction']}" if settings["instruction"] else ""

    def fewer(kind: str, found: int) -> NoReturn:
        raise DataError(
            f"{n} different {split} problems asked for, but {kind} gives only about {found}; "
            "ask for fewer, or lower its weight (data.elementary.kinds)."
        )

    drawn = asked(settings[NAME]["kinds"], split, settings["seed"])
    chosen = different(((kind, one.question, (kind, one)) for kind, one in drawn), n, fewer)
    for number, (kind, one) in enumerate(chosen):
        yield Problem(f"{NAME}/{split}/{number}", one.question + below, str(one.answer), NAME, subset=kind)


def demonstrations(own: Mapping[str, Any], stage: Mapping[str, Any], seed: str) -> Iterator[tuple[str, str]]:
    """Endless pairs of a training prompt and a worked solution.

    Args:
        own: ``kinds`` with their weights, and ``instruction``, put below each question where there is one.
        stage: of the warm-up: ``error_rate``.
        seed: of the problems and of the mistakes.
    """
    below = f"\n{own['instruction']}" if own.get("instruction") else ""
    for _, one in asked(own["kinds"], "train", seed, stage["error_rate"]):
        yield one.question + below, one.solution


def subset_of(prompt: str) -> str:
    """The kind of a problem, by its text."""
    question = prompt.partition("\n")[0]
    if question.startswith("How many"):
        return "letter-count"
    if question.startswith("What is the largest"):
        return "maximum-of-five"
    return "sum-of-three" if question.count("+") == 2 else "two-digit-sum"


def context(own: Mapping[str, Any]) -> int:
    """Characters of the longest question and its longest solution, whatever the kinds."""
    return CONTEXT


#: Answers are boxed whole numbers, which the general grader compares: the same grader that benchmarks and other data
#: have, so that a response without a box is told apart from a wrong number.
TASK = Task(
    name=NAME,
    problems=problems,
    settings=ElementarySettings,
    demonstrations=demonstrations,
    alphabet=ALPHABET,
    context=context,
    by_subset=True,
    subset_of=subset_of,
)
