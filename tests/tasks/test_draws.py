"""How tasks draw: repeats are left out, and tasks with too few problems end in a sentence."""

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from typing import NoReturn

import pytest

from relax import config
from relax.errors import ConfigError, DataError
from relax.tasks import TASKS, noisy_sum
from relax.tasks.draws import by_weight, different, endless
from relax.tasks.problem import split_of
from tests.conftest import REPOSITORY


def fewer(kind: str, found: int) -> NoReturn:
    raise DataError(f"{kind} gives {found}")


def test_a_split_has_what_its_digest_says() -> None:
    numbers = map(str, itertools.count())
    drawn = list(itertools.islice(endless("test", lambda: ((text := next(numbers)), text)), 20))
    assert drawn == [text for text in map(str, range(int(drawn[-1]) + 1)) if split_of(text) == "test"]


def test_sources_are_drawn_from_by_weight() -> None:
    draw = by_weight(random.Random(0), [(3, lambda: "a"), (1, lambda: "b"), (0, lambda: "c")])
    found = Counter(draw() for _ in range(400))
    assert set(found) == {(0, "a"), (1, "b")}
    assert 250 < found[0, "a"] < 350


def test_repeats_are_left_out_and_nothing_is_drawn_behind_the_last() -> None:
    drawn = iter([("x", "a", 1), ("x", "a", 2), ("y", "b", 3), ("x", "c", 4)])
    assert list(different(drawn, 2, fewer)) == [1, 3]
    assert next(drawn) == ("x", "c", 4)
    assert list(different(drawn, 0, fewer)) == []


def test_patience_is_counted_for_each_kind() -> None:
    def drawn() -> Iterator[tuple[str, str, int]]:
        for number in itertools.count():
            yield "many", str(number), number
            yield "one", "same", number

    with pytest.raises(DataError, match=r"^one gives 1$"):
        list(different(drawn(), 50, fewer, patience=20))


def test_noisy_sums_of_two_digits_end_where_there_are_no_more() -> None:
    there = [text for text in (f"{number:02}" for number in range(100)) if split_of(text) == "test"]
    assert sorted(p.prompt for p in noisy_sum.problems(len(there), "test", 2, 0)) == [f"{text}:" for text in there]
    with pytest.raises(DataError, match=r"^9 different test problems asked for, 2 digits give fewer; ask for fewer"):
        list(noisy_sum.problems(len(there) + 1, "test", 2, 0))


@pytest.mark.parametrize("name", ["noisy-sum", "answer-prior", "countdown"])
def test_a_task_whose_check_knows_the_whole_prompt_reads_no_instruction(name: str) -> None:
    loaded = config.load([REPOSITORY / "config" / "config.yaml"]).recorded()
    assert TASKS[name].verify is not None
    with pytest.raises(ConfigError, match=rf"data\.instruction is not read by the task {name}, whose check knows"):
        config.check(config.merge(loaded, {"data": {"source": name, "instruction": "Box it."}}))
