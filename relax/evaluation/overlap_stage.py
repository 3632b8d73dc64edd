"""The ``overlap`` stage: benchmark problems in the training set, and benchmarks older than a policy."""

import hashlib
import json
import logging
from dataclasses import asdict
from pathlib import Path

from relax.config.benchmarks import find, read_task
from relax.config.stage_settings import ComparedBenchmark, OverlapSettings
from relax.data.overlap import Row, overlaps
from relax.data.problem_files import read_problems
from relax.evaluation.benchmarks import load_benchmark
from relax.evaluation.questions import BOXED, BOXED_LETTER
from relax.files import atomic_write
from relax.records.record import Run
from relax.tasks.problem import Problem

logger = logging.getLogger("relax")


def overlap_stage(settings: OverlapSettings, train: str | Path, test: str | Path, out: str | Path, run: Run) -> None:
    """Write ``overlap.json`` and the record below ``out``.

    Args:
        settings: ``benchmarks``, ``instruction``, ``shots`` and ``released`` (policy -> day of publication or None).
        train: problem file that is trained on.
        test: problem file, for tasks without a data set of their own.
        out: folder.
        run: the record to finish.

    Raises:
        DataError, MachineError: problems or questions that are not there.
    """
    training = [(p.id, _said(p, settings.instruction)) for p in read_problems(train)]
    # A worked example shows its answer to the policy, in training and in evaluation.
    training += [
        (f"prompt.shots, entry {number}", _bare(shot.problem, settings.instruction))
        for number, shot in enumerate(settings.shots, 1)
    ]
    found = overlaps(training, {name: _rows(entry, test, settings) for name, entry in settings.benchmarks.items()})
    for result in found:
        run.metrics |= {
            f"{result.benchmark}/mostly": result.mostly,
            f"{result.benchmark}/duplicated": result.duplicated,
        }
        logger.info(
            "overlap: %s: of %d problems %d stand in the training set, %d mostly do, %d share 13 words in a row",
            result.benchmark,
            result.problems,
            result.duplicated,
            result.mostly,
            result.shared,
        )
    content = {
        "overlaps": [asdict(result) for result in found],
        "older": {name: older_than(entry.task, settings.released) for name, entry in settings.benchmarks.items()},
    }
    atomic_write(Path(out) / "overlap.json", json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    run.finish(out, [Path(out) / "overlap.json"])


def older_than(task: str, released: dict[str, str | None]) -> dict[str, bool]:
    """Policies whose day of publication is known -> whether the benchmark was public before it.

    Such a policy may have read the benchmark: a gain on it is no proof of reasoning (arXiv 2507.10532).

    Args:
        task: name of the task file.
        released: policy -> YYYY-MM-DD or None.
    """
    if "repo" not in read_task(task)["metadata"]:
        return {}
    published = find(task).published
    return {policy: published < day for policy, day in released.items() if day is not None}


def _rows(entry: ComparedBenchmark, test: str | Path, settings: OverlapSettings) -> list[Row]:
    if "repo" not in read_task(entry.task)["metadata"]:
        return [(p.id, _said(p, settings.instruction)) for p in read_problems(test)]
    questions = load_benchmark(entry.task, entry.path, entry.rows)
    return [(q.id, _bare(_bare(q.prompt, BOXED), BOXED_LETTER)) for q in questions]


def _said(problem: Problem, instruction: str | None) -> str:
    """What a problem is recognised by: its words; of a rendered one its facts, as all of a kind share their words."""
    if problem.cluster:  # one word, so that it is the same problem or none
        return hashlib.sha1(problem.cluster.encode()).hexdigest()
    return _bare(problem.prompt, instruction)


def _bare(prompt: str, instruction: str | None) -> str:
    """The problem without the instruction, or all problems would share its words."""
    return prompt.removesuffix(instruction or "").rstrip()
