"""The ``grade`` stage: kept responses to grades, without a model; the grader is the one of training rewards."""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from relax.errors import NumericsError
from relax.evaluation.benchmarks import right_in_words, within_tolerance
from relax.evaluation.shards import BREAKDOWNS, read_generation
from relax.files import atomic_write, writable_folder
from relax.grading.answers import last_box
from relax.grading.grader import Grade, Status, grade_many, grade_response, own_verifier
from relax.records.record import Run
from relax.tasks import BY_SUBSET, TASKS, VERIFIED

logger = logging.getLogger("relax")

GRADES = "grades.parquet"


def grade_stage(
    responses: str | Path, out: str | Path, run: Run, label: str, verifiers: Mapping[str, str] | None = None
) -> None:
    """Write ``<benchmark>/grades.parquet``, one row a response, and the record below ``out``.

    Columns: ``id``, ``cluster``, ``decoding``, ``sample``, ``correct``, ``status``, ``answer`` (as found in the
    response), ``lenient`` (right also without a box), ``tokens``, ``truncated``, ``text_hash``; ``dependence`` and
    ``variant`` where the questions say them, ``subset`` where the task's scores are given by it.

    Args:
        responses: folder of the ``generate`` stage.
        out: folder.
        run: the record to finish.
        label: for the progress lines.
        verifiers: benchmark -> ``module:function`` that decides which responses to it are right, in place of the
            grader (:func:`relax.grading.grader.own_verifier`).

    Raises:
        ConfigError: a verifier cannot be used.
        DataError: the generation is not finished, or a file cannot be read.
        NumericsError: all samples of every problem are the same text though they were to be drawn.
    """
    out, outputs = writable_folder(out), []
    own = {name: own_verifier(function) for name, function in (verifiers or {}).items()}
    for name, questions, found in read_generation(Path(responses)):
        logger.info("%s: %s, %d responses to %d problems", label, name, len(found), len(questions))
        table = grade_table(questions, found, own.get(name))
        _refuse_repeats(name, table)
        path = out / name / GRADES
        atomic_write(path, table.to_parquet(index=False, compression="zstd"))
        outputs.append(path)
        counts = table.status.value_counts()
        for status in (Status.TIMEOUT, Status.UNPARSEABLE_GOLD, Status.UNPARSEABLE_ANSWER):
            run.metrics[f"{name}/{status}"] = int(counts.get(str(status), 0))
    run.finish(out, outputs)


def grade_table(
    questions: pd.DataFrame, responses: pd.DataFrame, verify: Callable[[str, str, Sequence[str]], bool] | None = None
) -> pd.DataFrame:
    """Grades of responses, in their order.

    Args:
        questions: as :func:`relax.evaluation.shards.write_questions` keeps them.
        responses: as :func:`relax.evaluation.shards.write_block` keeps them.
        verify: decides from prompt, response and golds, in place of the grader.
    """
    asked, texts = questions.set_index("id").loc[responses.id], responses.response.tolist()
    parts = [name for name in BREAKDOWNS if name in asked]
    tasks = [source in VERIFIED for source in asked.source]
    if verify is not None:
        verified = {
            i: _right(verify(q.prompt, text, q.golds), last_box(text))
            for i, (q, text) in enumerate(zip(asked.itertuples(), texts, strict=True))
        }
    else:
        verified = {
            i: _verified(q.source, q.prompt, text, q.golds[0])
            for i, (q, text) in enumerate(zip(asked.itertuples(), texts, strict=True))
            if tasks[i]
        }
    # A file of problems may hold those of several tasks.
    others = [i for i in range(len(texts)) if i not in verified]
    compared = asked.iloc[others], [texts[i] for i in others]
    strict = _graded(*compared, lenient=False)
    free = _leniently(*compared, strict)
    grades, lenient = (
        [graded[i] for i in range(len(texts))]
        for graded in (verified | dict(zip(others, part, strict=True)) for part in (strict, free))
    )
    return pd.DataFrame(
        {
            "id": responses.id,
            "cluster": asked.cluster.to_numpy(),
            "decoding": responses.decoding,
            "sample": responses["sample"],
            "correct": [g.correct for g in grades],
            "status": [str(g.status) for g in grades],
            "answer": [g.answer for g in grades],
            "lenient": [g.correct for g in lenient],
            "tokens": responses.tokens,
            "truncated": responses.finish == "length",
            "text_hash": [hashlib.sha256(text.encode()).hexdigest()[:12] for text in responses.response],
            # Subjects of a benchmark may be dozens; the difficulties of a task of our own are two.
            **{
                n: asked[n].to_numpy()
                for n in parts
                if asked[n].all() and (n != "subset" or all(s in BY_SUBSET for s in asked.source))
            },
        }
    )


def _graded(asked: pd.DataFrame, texts: list[str], lenient: bool) -> list[Grade]:
    golds = [tuple(g) for g in asked.golds]
    grades = grade_many(texts, golds, lenient=lenient)
    rows = zip(grades, golds, asked.tolerance, asked.texts, strict=True)
    return [right_in_words(within_tolerance(g, gold, near), texts) for g, gold, near, texts in rows]


def _leniently(asked: pd.DataFrame, texts: list[str], grades: list[Grade]) -> list[Grade]:
    """The same grades, but for responses without a box: the others are not compared a second time."""
    unboxed = [i for i, grade in enumerate(grades) if grade.status == Status.NO_BOX]
    again = dict(zip(unboxed, _graded(asked.iloc[unboxed], [texts[i] for i in unboxed], lenient=True), strict=True))
    return [again.get(i, grade) for i, grade in enumerate(grades)]


def _verified(source: str, problem: str, text: str, gold: str) -> Grade:
    answer = last_box(text) if TASKS[source].check else text.rpartition("=")[2].strip() or None
    return _right(grade_response(source, problem, text, gold), answer)


def _right(correct: bool, answer: str | None) -> Grade:
    return Grade(correct, Status.CORRECT if correct else Status.WRONG, answer)


def _refuse_repeats(name: str, table: pd.DataFrame) -> None:
    drawn = table[table.decoding == "sampled"]
    k = drawn["sample"].nunique()
    if k > 1 and (drawn.groupby("id").text_hash.nunique() == 1).all():
        raise NumericsError(
            f"benchmark {name}: the {k} samples of every problem are the same text; "
            "the backend does not sample, so mean@k would be mean@1 in disguise."
        )
