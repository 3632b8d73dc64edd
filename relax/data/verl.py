"""Problems in the Parquet format of veRL: which column is what, and our problems written in it.

A row has ``data_source``, ``prompt`` (a list of turns), ``ability``, ``reward_model`` with ``ground_truth``, and
``extra_info``; https://verl.readthedocs.io/en/latest/preparation/prepare_data.html. :mod:`relax.data.hub` reads it.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from relax.data.problem_files import read_problems
from relax.data.prompt import conversation
from relax.data.tables import Row
from relax.files import atomic_write
from relax.tasks import VERIFIED
from relax.tasks.problem import IMAGE, Problem

#: The column of images, a list of ``{bytes, path}``.
IMAGES = "images"

_TURN = pyarrow.struct([("role", pyarrow.string()), ("content", pyarrow.string())])
_IMAGE = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
_REWARD = pyarrow.struct([("style", pyarrow.string()), ("ground_truth", pyarrow.string())])
_EXTRA = pyarrow.struct(
    [("split", pyarrow.string()), ("index", pyarrow.int64()), ("id", pyarrow.string()), ("subset", pyarrow.string())]
)
_COLUMNS = [
    ("data_source", pyarrow.string()),
    ("prompt", pyarrow.list_(_TURN)),
    ("ability", pyarrow.string()),
    ("reward_model", _REWARD),
    ("extra_info", _EXTRA),
]


def subset_of(row: Row) -> str:
    """The subset of a row: ``extra_info.subset`` where there is one, which may be empty, else ``data_source``."""
    extra = row.get("extra_info")
    found = extra.get("subset") if isinstance(extra, Mapping) else None
    found = row.get("data_source") if found is None else found
    return found if isinstance(found, str) else ""


def write_verl(
    data: str | Path, out: str | Path, prompt: Mapping[str, Any], final: Callable[[str], str]
) -> tuple[int, int]:
    """Write ``train.parquet`` and ``test.parquet`` with the problems of the ``data`` stage, in their order.

    A worked solution becomes its final answer, which is what verifiers of veRL read. The system turn and the worked
    examples of ``prompt`` stand before the problem where the chat template is asked for. veRL applies the chat
    template always. Images are embedded, and where a problem has no places for them, they get places before its text.

    Args:
        data: folder of the ``data`` stage.
        out: folder; it is made, and files of these names in it are replaced.
        prompt: the configuration's ``prompt``.
        final: the final answer of a gold answer; it is not asked for a task whose verifier reads the whole.

    Returns:
        How many problems there are to train on and to test with.

    Raises:
        DataError: a problem file cannot be read.
        MachineError: a file cannot be written.
    """
    splits = {split: read_problems(Path(data) / f"{split}.jsonl") for split in ("train", "test")}
    sees = any(problem.images for problems in splits.values() for problem in problems)
    schema = pyarrow.schema([*_COLUMNS, *([(IMAGES, pyarrow.list_(_IMAGE))] if sees else [])])
    for split, problems in splits.items():
        rows = [_row(problem, split, number, prompt, final) for number, problem in enumerate(problems)]
        buffer = io.BytesIO()
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema=schema), buffer)
        atomic_write(Path(out) / f"{split}.parquet", buffer.getvalue())
    return len(splits["train"]), len(splits["test"])


def _row(
    problem: Problem, split: str, index: int, prompt: Mapping[str, Any], final: Callable[[str], str]
) -> dict[str, Any]:
    # veRL shows an image where its mark stands and nowhere else.
    shown = "" if IMAGE in problem.prompt else IMAGE * len(problem.images)
    gold = problem.answer if problem.source in VERIFIED else final(problem.answer)
    return {
        "data_source": problem.source,
        "prompt": [*_before(problem, prompt), {"role": "user", "content": shown + problem.prompt}],
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": gold},
        "extra_info": {"split": split, "index": index, "id": problem.id, "subset": problem.subset},
        IMAGES: [{"bytes": Path(image).read_bytes(), "path": None} for image in problem.images],
    }


def _before(problem: Problem, prompt: Mapping[str, Any]) -> Sequence[dict[str, str]]:
    if not prompt["chat_template"]:
        return []
    turns = conversation(problem.prompt, len(problem.images), dict(prompt), problem.subset)[:-1]
    return [{"role": turn["role"], "content": turn["content"][0]["text"]} for turn in turns]
