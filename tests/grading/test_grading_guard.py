"""What guards the grader: limits of time and memory, children that die, nothing executed, too large refused unread."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sympy

from relax.evaluation import Status, grade, grade_many
from relax.grading import answers, workers
from relax.grading.answers import too_large
from relax.grading.symbolic import MAX_DIGITS, Unreadable, read
from relax.grading.workers import LIMIT, MEMORY, Pool, pool
from tests.conftest import REPOSITORY
from tests.grading.grading_stand_ins import CANARY
from tests.grading.grading_watched import NAME

#: Needs computer algebra, so a child process decides.
HARD = (r"\boxed{(x+1)^2}", "x^2+2x+1")


def boxed(answer: str) -> str:
    return rf"So the answer is \boxed{{{answer}}}."


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that no child may make."""
    monkeypatch.setenv(CANARY, str(tmp_path / "file"))
    return tmp_path / "file"


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch, canary: Path) -> Iterator[Callable[[str], Pool]]:
    """Gives the grader children whose judge is a stand-in."""
    made = []

    def give(judge: str) -> Pool:
        made.append(Pool(judge=judge))
        monkeypatch.setattr(workers, "_pool", made[-1])
        return made[-1]

    yield give
    for each in made:
        each.close()


# Time, memory, death ------------------------------------------------------------------------------------


def test_an_answer_that_takes_too_long_is_a_time_out_and_not_a_wrong_one(children) -> None:
    children("tests.grading.grading_stand_ins:sleep")
    start = time.monotonic()
    found = grade(*HARD)
    assert (found.status, found.correct) == (Status.TIMEOUT, False)
    assert LIMIT <= time.monotonic() - start < 12 * LIMIT  # a busy machine takes longer to say so


@pytest.mark.parametrize(
    ("action", "answer"),
    [
        ("take memory", None),
        ("exit", None),
        ("abort", None),
        ("leave", None),
        ("fail", None),
        ("speak", "wrong"),  # what it prints is no answer
    ],
)
def test_a_child_that_misbehaves_is_replaced_at_once(action: str, answer: str | None, children, monkeypatch) -> None:
    monkeypatch.setattr(workers, "LIMIT", 60 * LIMIT)  # is not waited for, however busy the machine is
    pool, start = children("tests.grading.grading_stand_ins:act"), time.monotonic()
    assert pool.ask((["answer"], "")) == "correct"
    assert pool.ask(([action], "")) == answer
    assert pool.ask((["answer"], "")) == "correct"
    assert time.monotonic() - start < 30 * LIMIT
    assert pool._running == 1


def test_a_child_that_never_comes_back_is_killed_and_replaced(children) -> None:
    pool = children("tests.grading.grading_stand_ins:act")
    assert pool.ask((["hold"], "")) is None
    assert pool.ask((["answer"], "")) == "correct"


def test_the_imports_of_computer_algebra_are_not_the_first_questions_time() -> None:
    begin = time.monotonic()
    child = workers._Child(workers.JUDGE)
    ready = time.monotonic()
    answer = child.ask((["(x+1)^2"], "x^2+2x+1"))
    end = time.monotonic()
    child.stop()
    assert answer == "correct"
    assert end - ready < ready - begin


def test_a_child_writes_no_file(children, canary: Path) -> None:
    assert children("tests.grading.grading_stand_ins:act").ask((["write"], "")) is None
    assert canary.stat().st_size == 0


def test_memory_counts_as_a_limit_in_a_grade(children, monkeypatch) -> None:
    pool = children("tests.grading.grading_stand_ins:act")
    monkeypatch.setattr("relax.grading.grader._at_once", lambda *_: (("take memory",), ""))
    assert grade(*HARD).status == Status.TIMEOUT
    assert pool._running == 0


def test_a_scheduler_ends_no_child_by_its_signals() -> None:
    assert grade(*HARD).correct
    (child, *_) = pool()._idle
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        os.kill(child._process.pid, number)
    assert child.ask((["x+1"], "1+x")) == "correct"


def test_any_thread_may_ask() -> None:
    cases = [(rf"\boxed{{(x+{n})^2}}", f"x^2+{2 * n}x+{n * n}") for n in range(1, 13)]
    with ThreadPoolExecutor(6) as threads:
        assert all(threads.map(lambda case: grade(*case).correct, cases))


def test_a_killed_worker_is_replaced() -> None:
    assert grade(*HARD).correct
    (child, *_) = pool()._idle
    os.kill(child._process.pid, signal.SIGKILL)
    child._process.wait()
    assert grade(r"\boxed{(x+2)^2}", "x^2+4x+4").correct


AT_REST = f"from relax.evaluation import grade; assert grade(*{HARD!r}).correct; child = workers.pool()._idle[0]"
AT_WORK = (
    "child = workers.Pool(judge='tests.grading.grading_stand_ins:act')._take();"
    'child._process.stdin.write(b\'[["hold"], ""]\\n\'); child._process.stdin.flush()'
)


@pytest.mark.parametrize("begin", [AT_REST, AT_WORK], ids=["at rest", "at work"])
def test_workers_do_not_outlive_a_parent_that_is_killed(begin: str) -> None:
    program = (
        f"import os, signal; from relax.grading import workers; {begin};"
        "print(child._process.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))}
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env=os.environ | paths
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    child = Path(f"/proc/{int(ended.stdout)}")
    deadline = time.monotonic() + 12 * LIMIT
    while child.exists() and "Z" not in child.joinpath("stat").read_text().rpartition(")")[2].split()[0]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_grader_loads_no_torch() -> None:
    program = (
        f"import sys; from relax.evaluation import grade; assert grade(*{HARD!r}).correct;"
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# Nothing is executed ------------------------------------------------------------------------------------

#: Functions applied to numbers, as mathematics writes them; no program knows one of that name.
CALLS = [
    f"{NAME}(7)", f"5+{NAME}(7)", f"{NAME}=7", rf"\text{{{NAME}(7)}}+1", rf"\frac{{{NAME}(7)}}{{2}}",
    rf"\operatorname{{{NAME}}}(7)", rf"\{NAME}{{7}}", rf"\sqrt{{{NAME}(7)}}",
]  # fmt: skip


def test_what_reads_as_a_call_is_never_one(children, canary: Path) -> None:
    """As an answer and as a gold, put to the real judge past all that is decided before it."""
    watched = children("tests.grading.grading_watched:watched")
    for text in CALLS:
        assert watched.ask((["5"], text)) in ("wrong", "unparseable_answer"), text
        assert watched.ask(([text], "5")) in ("wrong", "unparseable_gold"), text
    assert not any(found.correct for found in grade_many([boxed(text) for text in CALLS], ["5"] * len(CALLS)))
    assert not canary.exists()
    # And it would have been seen.
    assert children("tests.grading.grading_watched:evaluate").ask((["5"], CALLS[0])) == "wrong"
    assert canary.exists()


def test_what_texts_and_numbers_decide_reaches_no_child(children, canary: Path) -> None:
    children("tests.grading.grading_stand_ins:touch")
    decided = {
        "5": "5",
        "6": "5",
        r"\frac{1}{2}": "0.5",
        "yes": "no",
        "(C)": "C",
        "": "5",
    }
    grade_many([boxed(answer) for answer in decided], list(decided.values()))
    assert grade("The answer is (x+1)^2.", HARD[1]).status == Status.NO_BOX
    assert not canary.exists()
    assert grade(*HARD).correct
    assert canary.exists()


# Too large, or no mathematics ---------------------------------------------------------------------------


def test_the_limits_of_an_answer() -> None:
    assert (answers.MAX_CHARACTERS, answers.MAX_DEPTH, MAX_DIGITS, MEMORY) == (1000, 30, 20_000, 1 << 30)


@pytest.fixture
def low(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits at which no test needs a text that other programs would choke on."""
    monkeypatch.setattr(answers, "MAX_CHARACTERS", 20)
    monkeypatch.setattr(answers, "MAX_DEPTH", 4)


@pytest.mark.parametrize(
    ("small", "large"),
    [("x" * 20, "x" * 21), ("((((x))))", "(((((x)))))"), ("{[({x})]}", "{[({(x)})]}")],
)
def test_too_long_and_too_deep_are_refused_unread(small: str, large: str, low, children, canary: Path) -> None:
    children("tests.grading.grading_stand_ins:touch")
    assert not too_large(small)
    assert grade(boxed(large), "x").status == Status.UNPARSEABLE_ANSWER
    assert grade(boxed("x"), large).status == Status.UNPARSEABLE_GOLD
    assert not canary.exists()


@pytest.mark.parametrize(
    ("small", "large"),
    [
        ("9^{19000}", "9^{20001}"),
        ("2^{2^{4}}", "2^{2^{17}}"),  # a tower
        ("5!", "9999!"),
        ("e^{9}", "e^{99999}"),
        ("x^{9}", "x^{99999}"),
        (r"\frac{1}{9^{19000}}", r"\frac{1}{9^{20001}}"),
        (r"9^{9000}\cdot9^{9001}", r"9^{19000}\cdot9^{19001}"),
        ("9^{9000}+9^{9001}", "9^{19000}+9^{19001}"),
    ],
)
def test_a_number_too_large_to_be_computed_is_refused_before_it_is(small: str, large: str) -> None:
    """Sizes that any computer algebra masters."""
    assert isinstance(read(small), sympy.Basic)
    with pytest.raises(Unreadable):
        read(large)


#: No mathematics, or broken: math-verify refuses them too, by an error or by finding nothing.
REFUSED = [
    "\x00", "5\x00", "\x07\x1b[31m", "\ud800", "\u202e5\u202c", "\u200b5", "\ufeff5", "\u0665", "\u2167", "\x7f" * 50,
    "\u00bd\u00bd", "\u221e\u221e", "\U0001f642" * 9, r"\frac", r"\frac{}{}", r"\sqrt[", r"\end{pmatrix}",
    r"\left(\right.\left.", r"5 \\ 6 \\ 7", r"\unknown{5}", r"\verb|5|", "%" * 50, "#1#2#3", "'" * 50, "^" * 50,
    "|" * 50, "=" * 50, "<" * 50, "," * 50, "(" * 29, ")" * 29, "{(" * 9 + ")}" * 8, "5" + "." * 50, "and " * 50,
    "x=" * 50 + "1", "1,000" * 20, "answer is " * 20,
]  # fmt: skip


def test_what_is_no_mathematics_is_graded_at_once_and_the_grader_is_well_after_it() -> None:
    for text in REFUSED:
        assert grade(boxed(text), "7").status in (Status.WRONG, Status.UNPARSEABLE_ANSWER, Status.NO_BOX)
        assert grade(boxed("7"), text).status in (Status.WRONG, Status.UNPARSEABLE_GOLD), text
        assert grade(boxed("8"), "7").status == Status.WRONG
    assert grade(*HARD).correct
