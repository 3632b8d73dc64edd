"""The loader of the benchmarks: the hub or a local file of the same columns, to questions that are counted and hashed.

No chat template is applied and no response is generated here; what a chat template is given as the user's turn is
`Question.prompt`.
"""

import hashlib
import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import datasets

from relax.config.benchmarks import Benchmark, find, names
from relax.data.copies import asked
from relax.data.images import check_image, locate
from relax.data.splits import load_split
from relax.data.tables import read_rows
from relax.errors import DataError
from relax.evaluation import Grade, Status, grade_many
from relax.evaluation.questions import IMAGE, Question, convert
from relax.grading.answers import clean, too_large
from relax.grading.words import plain

logger = logging.getLogger("relax")

#: Columns of the data set that lm-eval is given.
FEATURES = datasets.Features(
    {
        "id": datasets.Value("string"),
        "prompt": datasets.Value("string"),
        "golds": datasets.List(datasets.Value("string")),
        "cluster": datasets.Value("string"),
        "subset": datasets.Value("string"),
        "texts": datasets.List(datasets.Value("string")),
        "tolerance": datasets.Value("float64"),
        "images": datasets.List({"bytes": datasets.Value("large_binary"), "path": datasets.Value("string")}),
    }
)


def load_benchmark(name: str, path: str | Path | None = None, rows: int | None = None) -> list[Question]:
    """Questions of a benchmark, in the order of the data.

    Args:
        name: of its task file, e.g. ``"math500"``.
        path: JSON lines, CSV or Parquet file with the columns of the hub's data set; None: the hub's, at the pinned
            revision.
        rows: questions expected, where a part of the benchmark is meant; None: all of them.

    Raises:
        ConfigError: no such benchmark.
        DataError: a file, row, column or image is not what it should be, or there are more or fewer questions.
        MachineError: the data set is not in the local cache.
    """
    source = find(name)
    return load_questions(source if rows is None else replace(source, rows=rows), path)


def load_questions(source: Benchmark, path: str | Path | None = None) -> list[Question]:
    """As `load_benchmark`, with the description of the benchmark given.

    Questions that differ from those the task was written for are reported by a warning, not refused: another copy
    of the data may differ in white space alone. So are questions that stand in such data more than once.
    """
    questions: dict[str, tuple[str, Question]] = {}
    folder = None if path is None else Path(path).parent
    for number, (where, row) in enumerate(_rows(source, path)):
        question = _question(source, row, number, where, folder)
        if question is None:
            continue
        if question.id in questions:
            raise DataError(f"{where}: id {question.id!r} stands there twice; ids must be unique.")
        questions[question.id] = where, question
    if len(questions) != source.rows:
        raise DataError(
            f"{path or source.repo}: {len(questions)} questions, {source.benchmark} has {source.rows}; "
            f"get the whole data set, or set `rows: {len(questions)}` if a part is meant."
        )
    loaded = [question for _, question in questions.values()]
    if questions_digest(loaded) != source.digest:
        _tell_copies(path or source.repo, questions.values())
    whole = source.benchmark not in names() or source.rows == find(source.benchmark).rows
    if source.digest not in (None, questions_digest(loaded)) and whole:
        logger.warning(
            "%s: prompts or golds differ from the copy that task version %s was written for; SHA-256 %s, expected %s",
            path or source.repo,
            source.version,
            questions_digest(loaded),
            source.digest,
        )
    return loaded


def questions_digest(questions: Iterable[Question]) -> str:
    """SHA-256 of prompts (choices included) and golds, whatever the order of the questions; images do not count."""
    lines = sorted(json.dumps([q.prompt, *q.golds, *q.texts], ensure_ascii=False) for q in questions)
    return hashlib.sha256("".join(line + "\n" for line in lines).encode()).hexdigest()


def as_dataset(questions: Sequence[Question]) -> datasets.Dataset:
    """Questions with the columns `FEATURES`, as lm-eval takes them; images stay encoded."""
    rows = [
        {
            "id": q.id,
            "prompt": q.prompt,
            "golds": list(q.golds),
            "cluster": q.cluster,
            "subset": q.subset,
            "texts": list(q.texts),
            "tolerance": q.tolerance,
            "images": [
                {"bytes": image, "path": None} if isinstance(image, bytes) else {"bytes": None, "path": str(image)}
                for image in q.images
            ],
        }
        for q in questions
    ]
    return datasets.Dataset.from_list(rows, features=FEATURES)


def grade_responses(
    responses: Sequence[str], golds: Sequence[str], texts: Sequence[str] = (), tolerance: float = 0.0
) -> list[Grade]:
    """Grades of the responses to one question.

    Args:
        responses: whole response texts.
        golds: `Question.golds`.
        texts: `Question.texts`.
        tolerance: `Question.tolerance`.
    """
    grades = grade_many(responses, [tuple(golds)] * len(responses))
    return [right_in_words(within_tolerance(grade, golds, tolerance), texts) for grade in grades]


def within_tolerance(grade: Grade, golds: Sequence[str], tolerance: float) -> Grade:
    """The grade, made right where the answer is a number within ``tolerance`` of a numeric gold (0: as it is)."""
    value = _number(grade.answer) if tolerance and not grade.correct and grade.answer else None
    numbers = [number for number in map(_number, golds) if number is not None]
    # The decimals as written: 0.3 and 0.301 are 0.001 apart, their nearest floats are more.
    if value is None or all(abs(value - number) > Decimal(str(tolerance)) for number in numbers):
        return grade
    return replace(grade, correct=True, status=Status.CORRECT)


def right_in_words(grade: Grade, texts: Sequence[str]) -> Grade:
    """The grade, made right where the answer is spelled as one of ``texts`` (`Question.texts`), or the same number."""
    if grade.correct or not grade.answer or len(texts) == 0 or too_large(grade.answer):
        return grade
    said, value = _spelled(grade.answer), _number(grade.answer)
    # Words of three letters and more are the same in capitals; AA and aa may be two options.
    worded = plain(said) if re.search("[A-Za-z]{3}", grade.answer) else None
    for text in texts:
        spelled = _spelled(text)
        if said == spelled or worded == plain(spelled) or (value is not None and value == _number(text)):
            return replace(grade, correct=True, status=Status.CORRECT)
    return grade


def _spelled(text: str) -> str:
    # In words a tilde is a negation, in LaTeX a blank.
    return clean(text.replace("~", r"\lnot "))


def _number(text: str) -> Decimal | None:
    try:
        value = Decimal(text.strip().strip("$").replace(",", ""))
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _question(
    source: Benchmark, row: Mapping[str, Any], number: int, where: str, folder: Path | None
) -> Question | None:
    try:
        question = convert(source.benchmark, row, number, source.columns)
        if question is None:
            return None
        images = tuple(locate(image, folder) for image in question.images)
        for image in images:
            check_image(image)
        if question.prompt.count(IMAGE) != len(images):
            raise ValueError(f"the prompt has {question.prompt.count(IMAGE)} places for {len(images)} images")
    except KeyError as error:
        raise DataError(f"{where}: no column {error.args[0]!r}; there are {', '.join(map(str, row))}.") from error
    except ValueError as error:
        raise DataError(f"{where}: {error}.") from error
    return replace(question, images=images)


def _rows(source: Benchmark, path: str | Path | None) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(place in words, row) of every row of a file or of the hub's data set."""
    if path is not None:
        yield from read_rows(path, "questions")
        return
    for config in source.configs:
        for variant, split in enumerate(source.splits, 1):
            for where, row in load_split(source.repo, source.revision, config, split, "questions"):
                # Several splits of one data set are variants of the same questions; no column says which.
                yield where, {"variant": variant, **row}


def _tell_copies(name: str | Path, placed: Iterable[tuple[str, Question]]) -> None:
    """Say which questions stand in the data more than once; none is dropped, as their number belongs to a benchmark."""
    first: dict[tuple[Any, ...], tuple[str, Question]] = {}
    copies, contradictions = [], []
    for where, question in placed:
        images = [image if isinstance(image, bytes) else image.read_bytes() for image in question.images]
        key = asked(question.prompt, [hashlib.sha256(image).digest() for image in images])
        before, earlier = first.setdefault(key, (where, question))
        if earlier is question:
            continue
        copies.append(f"{where} asks what {before} asks")
        if earlier.golds != question.golds:
            contradictions.append(f"{where} and {before}")
    if copies:
        logger.warning("%s: %d questions stand there more than once; the first: %s", name, len(copies), copies[0])
    if contradictions:
        logger.warning(
            "%s: %d of them have golds that differ; the first: %s", name, len(contradictions), contradictions[0]
        )
