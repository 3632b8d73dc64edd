"""What a response states without a box (the lenient reading), and golds in GSM8K's format."""

import pytest

from relax.evaluation import Status, grade

STATED = [
    ("The answer is 72 clips, altogether.", "72"),
    ("The answer is 72, which is 24 more than 48.", "72"),
    ("The answer is 72, not 70.", "72"),
    ("The answer is: 72 clips per day, on average.", "72"),
    ("The answer is\n\\[13\\]", "13"),
    ("The answer is\n\\[\n13\n\\]", "13"),
    ("The answer is:\n\n$$13$$", "13"),
    ("Answer: \\(13\\)", "13"),
    ("<answer>13</answer>", "13"),
    ("<answer>\n13\n</answer>", "13"),
    ("<think>The answer is 5.</think> <answer>13</answer>", "13"),
    ("The answers are 3 and 5.", "5, 3"),
    ("The answer is 3, 5 and 7.", "3,5,7"),
    ("The answer is 3, 5, or 7.", "3,5,7"),
    ("The answer is (3, 5).", "(3,5)"),
    ("The answer is x = 3, y = 4.", "x=3,y=4"),
    ("The answer is therefore **72**.", "72"),
    ("The answer to the question is 72.", "72"),
    ("The answer is $\\frac{1}{2}$, obviously", "0.5"),
    ("The answer is \\$1,000.", "1000"),
    ("The answer is $13 dollars.", "13"),
    ("The answer is 1.5.", "1.5"),
    ("The answer is 5. No, the answer is 6.", "6"),
    ("The answer is (c).", "C"),
    ("#### 72", "72"),
]
NOT_STATED = [
    ("The answer is 72 clips, altogether.", "71"),
    ("The answer is 72, not 70.", "70"),
    ("The answer is not 72, but 70.", "72"),
    ("The answer is 5. No, the answer is 6.", "5"),
    ("The answer is 3, 5 and 7.", "3,5"),
    ("<answer>13</answer>", "14"),
    ("<answer></answer>", "13"),
    ("We had 13 <answer>", "13"),
    ("The answer is\n\nWe compute 13.", "13"),
    ("I would answer 72", "72"),
]


@pytest.mark.parametrize(("response", "gold"), STATED)
def test_what_is_stated_counts_in_the_lenient_reading_alone(response: str, gold: str) -> None:
    assert grade(response, gold, lenient=True).correct
    assert grade(response, gold).status == Status.NO_BOX


@pytest.mark.parametrize(("response", "gold"), NOT_STATED)
def test_what_is_not_stated_does_not_count(response: str, gold: str) -> None:
    assert not grade(response, gold, lenient=True).correct


def test_a_gold_in_the_format_of_gsm8k_is_what_follows_its_mark() -> None:
    solution = "She sold 48/2 = <<48/2=24>>24 clips in May.\nShe sold 48+24 = <<48+24=72>>72 altogether.\n#### 72"
    for gold in ("#### 72", "####72", solution):
        assert grade(r"\boxed{72}", gold).correct
        assert grade("#### 72", gold, lenient=True).correct
        assert not grade(r"\boxed{24}", gold).correct
    assert grade(r"\boxed{1000}", "So it is this.\n#### 1,000").correct
    assert grade(r"\boxed{7}", "####").status == Status.UNPARSEABLE_GOLD
