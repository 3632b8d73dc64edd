"""The plan of a generation: every response asked for, in blocks that can be made in any order by any job.

A block is a fixed list of requests with a seed of its own, so it does not matter which job makes it, when,
or what was made before. Its file is named after everything that decides it: a block of other weights,
prompts or settings is another file.
"""

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from relax.config import digest
from relax.config.evaluation import AskedBenchmark, Decoding
from relax.errors import DataError
from relax.evaluation.questions import Question
from relax.files import atomic_write
from relax.reading import read_json_object, reading

logger = logging.getLogger("relax")

QUESTIONS = "questions.parquet"
#: Columns of questions that scores are broken down by, where a benchmark has them.
BREAKDOWNS = ("dependence", "variant", "subset")
GREEDY = {"do_sample": False, "temperature": 0.0}
SAMPLED = {"do_sample": True, "temperature": 1.0}


@dataclass(frozen=True)
class Request:
    """One response asked for.

    Attributes:
        question: row of the question in its benchmark.
        sample: number of the response, from 0.
    """

    question: int
    sample: int


@dataclass(frozen=True)
class Block:
    """Requests that are generated together.

    Attributes:
        benchmark: name in the configuration.
        decoding: ``"greedy"`` or ``"sampled"``.
        number: of the block within benchmark and decoding.
        seed: of its generation, from the run's seed, the benchmark, the decoding and the number.
        requests: in order.
        file: name of its file within the benchmark's folder.
    """

    benchmark: str
    decoding: str
    number: int
    seed: int
    requests: tuple[Request, ...]
    file: str


def decodings(benchmark: AskedBenchmark, protocol: Decoding | None = None) -> dict[str, tuple[int, dict[str, Any]]]:
    """Name -> (responses to each question, what the decoding adds to the task's generation arguments)."""
    passes: dict[str, tuple[int, dict[str, Any]]] = {}
    if benchmark.greedy:
        passes["greedy"] = (1, GREEDY)
    if benchmark.samples:
        asked = {} if protocol is None else {"temperature": protocol.temperature, "top_p": protocol.top_p}
        passes["sampled"] = (benchmark.samples, SAMPLED | asked)
    return passes


def seed_of(*parts: Any) -> int:
    """A seed below 2^31 from anything that JSON can write."""
    return int(digest(list(parts)), 16) % 2**31


def plan_blocks(
    benchmark: str, questions: int, passes: Mapping[str, tuple[int, Any]], size: int, seed: int, key: str
) -> list[Block]:
    """The blocks of a benchmark: sample by sample, in each the questions in order, ``size`` requests a block.

    Args:
        benchmark: name in the configuration.
        questions: how many.
        passes: of :func:`decodings`.
        size: requests of a block at most.
        seed: of the run.
        key: digest of whatever else decides the responses.
    """
    blocks = []
    for decoding, (samples, _) in passes.items():
        requests = [Request(q, s) for s in range(samples) for q in range(questions)]
        for number, start in enumerate(range(0, len(requests), size)):
            own = seed_of(seed, benchmark, decoding, number)
            part = tuple(requests[start : start + size])
            name = f"{decoding}-{number:04d}-{digest([key, own, [asdict(r) for r in part]])}.parquet"
            blocks.append(Block(benchmark, decoding, number, own, part, name))
    return blocks


def write_questions(folder: Path, questions: Sequence[Question], source: str | Sequence[str]) -> None:
    """The questions beside their responses, without images, so that responses can be graded by themselves.

    Args:
        folder: of the benchmark.
        questions: in order.
        source: what decides how they are graded, of all or of each, see
            :func:`relax.grading.grader.grade_response`.
    """
    table = pd.DataFrame(
        {
            "id": [q.id for q in questions],
            "prompt": [q.prompt for q in questions],
            "golds": [list(q.golds) for q in questions],
            "cluster": [q.cluster for q in questions],
            "subset": [q.subset for q in questions],
            "texts": [list(q.texts) for q in questions],
            "tolerance": [q.tolerance for q in questions],
            "source": source,
            **{
                name: [getattr(q, name) for q in questions]
                for name in BREAKDOWNS
                if any(getattr(q, name) for q in questions)
            },
        }
    )
    atomic_write(folder / QUESTIONS, table.to_parquet(index=False, compression="zstd"))


def write_block(path: Path, block: Block, questions: Sequence[Question], rows: Sequence[Mapping[str, Any]]) -> None:
    """One row a response: question id, sample, and what the backend told (text, tokens, finish, prompt hash)."""
    table = pd.DataFrame(
        [
            {"id": questions[request.question].id, "decoding": block.decoding, "sample": request.sample, **row}
            for request, row in zip(block.requests, rows, strict=True)
        ]
    )
    content = table.to_parquet(index=False, compression="zstd")
    # Before the block: a kill between the two leaves a block that is not there.
    atomic_write(hash_file(path), hashlib.sha256(content).hexdigest())
    atomic_write(path, content)


def hash_file(path: Path) -> Path:
    """The SHA-256 of a block, beside it; hidden, as it is no part of the outputs."""
    return path.with_name(f".{path.name}.sha256")


def is_made(path: Path, block: Block) -> bool:
    """Whether a block is there as it was written. One that is not is named: its responses are made again.

    Of a block without a hash, of an older version, it is asked that it can be read and has its rows.
    """
    if not path.exists():
        return False
    if (beside := hash_file(path)).exists():
        whole = hashlib.sha256(path.read_bytes()).hexdigest().encode() == beside.read_bytes()
    else:
        try:
            whole = len(_read(path)) == len(block.requests)
        except DataError:
            whole = False
    if not whole:
        logger.warning("%s: damaged, it is not what was written; its responses are made again.", path)
    return whole


def read_generation(folder: Path) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """(benchmark, questions, responses) of a finished generation; responses in the order of plan and questions.

    Args:
        folder: of the ``generate`` stage.

    Raises:
        DataError: the generation is not finished, or a file is missing or cannot be read.
    """
    record = folder / "run.json"
    if not record.is_file():
        raise DataError(f"{folder}: the generation is not finished (no run.json); run `relax generate` again.")
    for benchmark, files in read_json_object(record, "run `relax generate` again").get("blocks", {}).items():
        place = folder / benchmark
        yield benchmark, _read(place / QUESTIONS), pd.concat([_read(place / f) for f in files], ignore_index=True)


def _read(path: Path) -> pd.DataFrame:
    with reading(path, "run `relax generate` again"):
        return pd.read_parquet(path)
