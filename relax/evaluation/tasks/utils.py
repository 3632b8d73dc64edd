"""What the task files call: questions in, pictures and scores out."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
from PIL import Image

from relax.config.benchmarks import Benchmark
from relax.data.images import picture
from relax.errors import DataError
from relax.evaluation import Grade
from relax.evaluation.benchmarks import as_dataset, grade_responses, load_questions


def load(**metadata: Any) -> datasets.DatasetDict:
    """lm-eval's ``custom_dataset``: the task's metadata, over which ``--metadata '{"path": ...}'`` is merged.

    Of the command line's keys ``path`` and ``rows`` are meant (`relax.evaluation.benchmarks.load_benchmark`).
    """
    questions = load_questions(Benchmark.from_metadata(metadata), metadata.get("path"))
    return datasets.DatasetDict({"test": as_dataset(questions)})


def doc_to_image(doc: Mapping[str, Any]) -> list[Image.Image]:
    """The pictures of a question, decoded, in the order of its prompt.

    Raises:
        DataError: one is broken.
    """
    try:
        return [picture(image["bytes"] or Path(image["path"])) for image in doc["images"]]
    except ValueError as error:
        raise DataError(f"question {doc['id']}: {error}.") from error


def process_results(doc: Mapping[str, Any], results: Sequence[Sequence[str]]) -> dict[str, float]:
    """Shares of the k responses to a question: right, without a box, and not graded in time.

    Args:
        doc: a row of the data set.
        results: the k responses, as the only element.
    """
    return _shares(_grades(doc, results))


def process_variants(doc: Mapping[str, Any], results: Sequence[Sequence[str]]) -> dict[str, Any]:
    """As `process_results`, with what `worst_case` needs."""
    grades = _grades(doc, results)
    return _shares(grades) | {"worst_case": (doc["cluster"], [grade.correct for grade in grades])}


def worst_case(items: Sequence[tuple[str, Sequence[bool]]]) -> float:
    """Share of problems of which every variant is right, averaged over samples (DynaMath, arXiv 2411.00836).

    Args:
        items: cluster and correctness of each of the k samples, one a variant.
    """
    clusters: dict[str, list[Sequence[bool]]] = defaultdict(list)
    for cluster, correct in items:
        clusters[cluster].append(correct)
    shares = [
        sum(all(sample) for sample in zip(*variants, strict=True)) / len(variants[0]) for variants in clusters.values()
    ]
    return sum(shares) / len(shares)


def _grades(doc: Mapping[str, Any], results: Sequence[Sequence[str]]) -> list[Grade]:
    return grade_responses(results[0], doc["golds"], doc["texts"], doc["tolerance"])


def _shares(grades: Sequence[Grade]) -> dict[str, float]:
    k = len(grades)
    return {
        "mean_at_k": sum(grade.correct for grade in grades) / k,
        "no_box": sum(grade.status == "no_box" for grade in grades) / k,
        "timeout": sum(grade.status == "timeout" for grade in grades) / k,
    }
