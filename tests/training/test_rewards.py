"""Rewards in the form TRL calls them."""

from collections import defaultdict

import pytest

from relax.errors import DataError
from relax.training.rewards import boxed_format, check_golds, correctness


def test_each_source_is_checked_in_its_own_way_and_faults_are_counted() -> None:
    counted = defaultdict(list)
    rewards = correctness(
        prompts=["<user>1234:</user>", "What is half?", "What is half?", "What is half?", "What is half?"],
        completions=["=0", r"\boxed{1/2}", "1/2", r"\boxed{\frac{}", r"\boxed{2}"],
        answer=["0", "0.5", "0.5", "0.5", "0.5"],
        source=["noisy-sum", *["lab/math"] * 4],
        problem=["1234:", *["What is half?"] * 4],
        log_metric=lambda name, value: counted[name].append(value),
        trainer_state=None,
    )
    assert rewards == [1.0, 1.0, 0.0, 0.0, 0.0]
    none = ("timeout", "unparseable_answer", "unparseable_gold")
    assert counted == {"grade/no_box": [0.5], **{f"grade/{name}": [0.0] for name in none}}


def test_conversations_are_graded_by_their_last_message() -> None:
    prompt = [{"role": "user", "content": "What is half?"}]
    completion = [{"role": "assistant", "content": r"\boxed{0.5}"}]
    assert correctness([prompt], [completion], ["1/2"], ["lab/math"]) == [1.0]
    assert boxed_format([completion, [{"role": "assistant", "content": "0.5"}]]) == [1.0, 0.0]


def test_without_problems_of_their_own_the_prompts_are_the_problems() -> None:
    assert correctness(["1234:"], ["=0"], ["0"], ["noisy-sum"]) == [1.0]


def test_the_format_reward_wants_a_whole_last_box() -> None:
    texts = [r"\boxed{5}", r"\boxed{5", "5", r"\boxed{1} and \boxed{", r"<think>\boxed{1}?</think> \boxed{2}"]
    assert boxed_format(texts) == [1.0, 0.0, 0.0, 0.0, 1.0]


def test_a_training_set_with_golds_that_cannot_be_read_is_refused() -> None:
    good = ["5"] * 99
    check_golds([*good, r"\frac{"], ["lab/math"] * 100)
    check_golds([r"\frac{"] * 3, ["noisy-sum"] * 3)
    with pytest.raises(DataError, match=r"2 of 101 gold answers cannot be read .*frac\{' \(row 99\), '' \(row 100\)"):
        check_golds([*good, r"\frac{", ""], ["lab/math"] * 101)
