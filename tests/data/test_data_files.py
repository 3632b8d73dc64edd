"""Files of problems and questions: values as they are written, and one sentence for each way a file is broken."""

import csv
import datetime
import gzip
import json
import logging
import shutil
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub.constants
import pyarrow
import pyarrow.parquet
import pytest

from relax.config.stage_settings import DataSettings
from relax.data.data_stage import make_problems
from relax.data.problem_files import read_problems
from relax.data.splits import load_split
from relax.data.tables import read_rows, text_of
from relax.errors import DataError, MachineError
from relax.evaluation.benchmarks import load_benchmark
from relax.reading import read_json_lines
from relax.records.record import Run
from tests.conftest import REPOSITORY
from tests.workflow.faults_fixture import one_sentence, relax

#: A gold as it stands in a JSON file, and the text it is. Together in one column they would be guessed to be others.
GOLDS = {
    "0": "0",
    "false": "false",
    "true": "true",
    '"true"': "true",
    "3.10": "3.10",
    '"3.10"': "3.10",
    '"1e5"': "1e5",
    "1e5": "1e5",
    "1E400": "1E400",
    '"007"': "007",
    "0.1234567890123456789": "0.1234567890123456789",
    str(2**70): "1180591620717411303424",
    "9" * 5000: "9" * 5000,
    '"2024-01-05"': "2024-01-05",
    '"[1, 2]"': "[1, 2]",
    '" \\\\frac{1}{2}"': " \\frac{1}{2}",
    '"a\\u2028b"': "a\u2028b",
}
REVISION = "e" * 40


def line(prompt: str, gold: str) -> str:
    """A row of JSON lines; the gold is JSON."""
    return f'{{"problem": {json.dumps(prompt)}, "answer": {gold}}}\n'


def settings(*sources: dict[str, Any], test_problems: int = 1) -> dict[str, Any]:
    """Of the ``data`` stage."""
    common = {
        "repo": "lab/sums",
        "revision": REVISION,
        "config": None,
        "split": "train",
        "prompt": "problem",
        "answer": "answer",
        "images": None,
        "path": None,
        "file": None,
        "archive": None,
        "where": {},
    }
    entries = [common | source for source in sources]
    return {"source": "hub", "seed": 0, "datasets": entries, "test_problems": test_problems, "instruction": None}


def golds(out: Path, *sources: dict[str, Any]) -> dict[str, str]:
    """Prompt -> answer of the problem files that the stage writes."""
    asked = settings(*sources)
    make_problems(DataSettings(**asked), out, Run("data", {}, asked))
    return {p.prompt: p.answer for name in ("train", "test") for p in read_problems(out / f"{name}.jsonl")}


@pytest.fixture
def snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, bytes]], Path]:
    """Writes the files of the data set lab/sums into a cache of the hub; returns their folder."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    monkeypatch.setattr(datasets.config, "EXTRACTED_DATASETS_PATH", str(tmp_path / "datasets" / "extracted"))

    def write(files: dict[str, bytes]) -> Path:
        folder = tmp_path / "hub" / "datasets--lab--sums" / "snapshots" / REVISION
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return folder

    return write


# Values as they are written --------------------------------------------------------------------------


def test_golds_of_json_lines_are_the_texts_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(line(f"problem {n}", gold) for n, gold in enumerate(GOLDS)))
    expected = {f"problem {n}": text for n, text in enumerate(GOLDS.values())}
    assert golds(tmp_path / "out", {"path": str(path)}) == expected
    path.write_text(f"[{','.join(path.read_text().splitlines())}]")
    assert golds(tmp_path / "list", {"path": str(path)}) == expected


def test_golds_of_a_data_set_in_the_cache_are_the_texts_in_its_files(tmp_path: Path, snapshot: Callable) -> None:
    text = "".join(line(f"problem {n}", gold) for n, gold in enumerate(GOLDS))
    snapshot({"train.jsonl": text.encode(), "test.jsonl.gz": gzip.compress(line("packed", "3.10").encode())})
    assert list(golds(tmp_path / "out", {}).values()).count("3.10") == 2
    assert golds(tmp_path / "file", {"file": "train.jsonl"}) == golds(tmp_path / "again", {})
    assert golds(tmp_path / "both", {}, {"split": "test"})["packed"] == "3.10"
    parts = {
        split: len(list(load_split("lab/sums", REVISION, None, split, "problems")))
        for split in ("train[:3]", "train[-2:]+test", "test[:100%]")
    }
    assert parts == {"train[:3]": 3, "train[-2:]+test": 3, "test[:100%]": 1}


def test_every_cell_of_a_csv_file_is_text(tmp_path: Path, snapshot: Callable) -> None:
    cells = {"a": "007", "b, c": "3.10", 'd "e"\nf': "NA", "g": "1e5", "h": "2024-01-05", "i" * 200_000: "true"}
    with (tmp_path / "rows.csv").open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([("problem", "answer"), *cells.items()])
    assert golds(tmp_path / "local", {"path": str(tmp_path / "rows.csv")}) == cells
    front = b"---\nconfigs:\n- config_name: default\n  sep: ';'\n  data_files: rows.csv\n---\n"
    snapshot({"rows.csv": b"problem;answer\na;007\nb;3.10\n", "README.md": front})
    assert golds(tmp_path / "hub", {}) == {"a": "007", "b": "3.10"}


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ("007", pyarrow.string(), "007"),
        (7, pyarrow.int8(), "7"),
        (True, pyarrow.bool_(), "true"),
        (0.1, pyarrow.float64(), "0.1"),
        (0.1, pyarrow.float32(), "0.1"),
        (3.0, pyarrow.float64(), "3.0"),
        (Decimal("3.10"), pyarrow.decimal128(6, 2), "3.10"),
        (Decimal("0"), pyarrow.decimal128(20, 10), "0.0000000000"),
        (datetime.date(2024, 1, 5), pyarrow.date32(), "2024-01-05"),
        (datetime.datetime(2024, 1, 5, 12), pyarrow.timestamp("s"), "2024-01-05 12:00:00"),
        (None, pyarrow.string(), "row 1: 'answer' is empty."),
        (float("inf"), pyarrow.float32(), "row 1: 'answer' is inf; expected text or a finite number."),
        (["1"], pyarrow.list_(pyarrow.string()), "1"),
        ([["1"]], pyarrow.list_(pyarrow.list_(pyarrow.string())), "row 1: 'answer' is a list with something else than"),
        ({"a": 1}, pyarrow.struct({"a": pyarrow.int8()}), "row 1: 'answer' is of type dict; expected text or a"),
    ],
)  # fmt: skip
def test_cells_of_a_parquet_file_are_written_as_their_type_says(
    tmp_path: Path, value: Any, kind: pyarrow.DataType, text: str
) -> None:
    table = pyarrow.table({"problem": ["a", "b"], "answer": pyarrow.array([value, value], kind)})
    pyarrow.parquet.write_table(table, path := tmp_path / "rows.parquet")
    if text.startswith("row"):
        with pytest.raises(DataError) as caught:
            golds(tmp_path / "out", {"path": str(path)})
        assert str(caught.value).startswith(f"{path}, {text}")
    else:
        assert golds(tmp_path / "out", {"path": str(path)}) == {"a": text, "b": text}


def test_numbers_can_still_be_asked_for_and_a_row_may_lack_a_column(tmp_path: Path) -> None:
    text = '{"problem": "a", "answer": 1, "level": 3}\n{"problem": "b", "answer": 2}\n{"problem": "c", "answer": 0, '
    (tmp_path / "rows.jsonl").write_text(text + '"level": 3.0}\n')
    kept = golds(tmp_path / "out", {"path": str(tmp_path / "rows.jsonl"), "where": {"level": [3]}})
    assert kept == {"a": "1", "c": "0"}


def test_golds_of_a_benchmarks_file_keep_their_digits(tmp_path: Path) -> None:
    path = tmp_path / "minerva.jsonl"
    path.write_text("".join(f'{{"question": "q{n}", "answer": {gold}}}\n' for n, gold in enumerate(GOLDS)))
    found = [q.golds[0] for q in load_benchmark("minerva", path, rows=len(GOLDS))]
    assert [gold.lower() for gold in found] == [text.lower() for text in GOLDS.values()]
    with (tmp_path / "minerva.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("question", "answer"), ("q", "3.10")])
    assert load_benchmark("minerva", tmp_path / "minerva.csv", rows=1)[0].golds == ("3.10",)


def test_questions_that_stand_in_a_benchmarks_file_twice_are_said(tmp_path: Path, caplog) -> None:
    path = tmp_path / "minerva.jsonl"
    rows = [("a", "1"), (" a", "1"), ("b", "1"), ("a", "2")]
    path.write_text("".join(json.dumps({"question": q, "answer": gold}) + "\n" for q, gold in rows))
    assert len(load_benchmark("minerva", path, rows=4)) == 4
    assert f"2 questions stand there more than once; the first: {path}, line 2 asks what {path}, line 1" in caplog.text
    assert f"1 of them have golds that differ; the first: {path}, line 4 and {path}, line 1" in caplog.text


def test_text_of_what_is_no_text() -> None:
    for cell, words in (
        (None, "is empty"),
        ("\n", "is empty"),
        ({}, "type dict"),
        (datetime.timedelta(1), "timedelta"),
    ):
        with pytest.raises(ValueError, match=words):
            text_of(cell)


# Files that are broken -------------------------------------------------------------------------------


def broken_files(folder: Path) -> Iterator[tuple[str, str]]:
    """(file, the sentence behind its name)."""
    good, rows = line("a", '"1"'), '"problem","answer"\n'
    table = pyarrow.table({"problem": ["a"] * 3, "answer": ["1"] * 3})
    pyarrow.parquet.write_table(table, folder / "whole.parquet")
    pyarrow.parquet.write_table(table.slice(0, 0), folder / "no-rows.parquet")
    (folder / "folder.jsonl").mkdir()
    (folder / "folder.parquet").mkdir()
    texts: dict[str, tuple[str | bytes, str]] = {
        "latin-1.jsonl": (
            (good + line("\u00e9", "1").replace("\\u00e9", "\u00e9")).encode("latin-1"),
            ", line 2: not UTF-8 text (byte 45); save it as UTF-8.",
        ),
        "latin-1.csv": (f"{rows}a,\u00e9\n".encode("latin-1"), ", line 2: not UTF-8 text (byte 21); save it as UTF-8."),
        "utf-16.jsonl": (good.encode("utf-16"), ": is UTF-16 text; save it as UTF-8."),
        "utf-16-no-mark.csv": (
            (rows + "a,1\n").encode("utf-16-le"),
            ", line 1: holds a zero byte, which text does not; save it as UTF-8.",
        ),
        "empty.jsonl": ("", ": holds no problems; expected one JSON object a line."),
        "empty.json": ("[]", ": holds no problems; expected a list of JSON objects."),
        "empty.csv": ("", ": holds no problems; expected a line of names and one line each."),
        "names.csv": (rows, ": holds no problems; expected a line of names and one line each."),
        "blank.jsonl": ("\n \n", ": holds no problems; expected one JSON object a line."),
        "broken.jsonl": (good + '\n{"problem": "a"\n', ", line 3: not JSON (Expecting ',' delimiter at column 16)."),
        "cut.json": ("[" + good + "," + good[:-5], ": not JSON (Expecting value at line 2, column 29)."),
        "list.jsonl": (good + "7\n", ", line 2: expected a JSON object, found a whole number."),
        "words.json": ('["a"]', ", row 1: expected a JSON object, found a text."),
        "half.jsonl": (line("a", '"\\ud800"'), ", line 1: holds half of a surrogate pair, which is no character; "),
        "more.csv": (rows + "a,1\nb,1,5\n", ", line 3: 3 cells for 2 columns; put quotes around a cell that holds"),
        "fewer.csv": (rows + '"a\nb",1\nb\n', ", line 4: 1 cells for 2 columns; put quotes around a cell that holds"),
        "quote.csv": (rows + 'a,"1\n', ", line 2: no CSV (unexpected end of data)."),
        "twice.csv": ("problem,answer,answer\na,1,2\n", ", line 1: the column 'answer' stands there twice."),
        "none.parquet": ("problem", ": no whole Parquet file ("),
        "rows.txt": (good, ": expected a file in JSON lines (.jsonl), CSV (.csv) or Parquet (.parquet)."),
    }
    for name, (content, sentence) in texts.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        yield name, sentence
    (folder / "cut.parquet").write_bytes((folder / "whole.parquet").read_bytes()[:-9])
    yield "cut.parquet", ": no whole Parquet file ("
    yield "no-rows.parquet", ": holds no problems."
    yield "folder.jsonl", ": cannot be read (Is a directory); expected a file of problems."
    yield "folder.parquet", ": cannot be read ("
    yield "gone.jsonl", ": cannot be read (No such file or directory); expected a file of problems."
    yield "gone.parquet", ": cannot be read ("


def test_a_broken_file_is_one_sentence_with_its_place(tmp_path: Path) -> None:
    for name, sentence in broken_files(tmp_path):
        path = tmp_path / name
        with pytest.raises(DataError) as caught:
            golds(tmp_path / "out", {"path": str(path)})
        assert str(caught.value).startswith(f"{path}{sentence}"), name
        assert "\n" not in str(caught.value)
        with pytest.raises(DataError) as caught:
            list(read_rows(path, "questions"))
        assert str(caught.value).startswith(f"{path}{sentence}".replace("problems", "questions")), name
    assert not (tmp_path / "out").exists()


def test_the_mark_before_utf_8_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text(line("a", "1"), encoding="utf-8-sig")
    assert [dict(row) for _, _, row in read_json_lines(tmp_path / "p.jsonl", "problems")] == [
        {"problem": "a", "answer": 1}
    ]


def test_lists_in_lists_without_end_are_refused(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"a": ' + "[" * 100_000)
    with pytest.raises(DataError, match=r"line 1: its lists and objects are nested too deeply to be read\."):
        list(read_json_lines(tmp_path / "p.jsonl", "problems"))


def test_the_command_ends_with_the_code_of_bad_data_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes('{"problem": "\u00e9"}\n'.encode("latin-1"))
    source = {
        "repo": "lab/sums",
        "revision": "unpinned",
        "split": "train",
        "prompt": "problem",
        "answer": "answer",
        "path": str(tmp_path / "rows.jsonl"),
    }
    (tmp_path / "mine.yaml").write_text(json.dumps({"name": "mine", "data": {"source": "hub", "datasets": [source]}}))
    files = ("--configfile", REPOSITORY / "config" / "config.yaml", tmp_path / "mine.yaml")
    one_sentence(relax("data", *files, "--out", tmp_path / "out"), 3, "rows.jsonl, line 1: not UTF-8 text (byte 13)")
    assert not (tmp_path / "out").exists()


# Splits of a data set in the cache -------------------------------------------------------------------


def test_a_split_or_configuration_that_is_not_there_is_told_what_is(snapshot: Callable) -> None:
    configs = "".join(f"- config_name: {name}\n  data_files: {name}/*.jsonl\n" for name in ("easy", "hard"))
    row = line("a", "1").encode()
    snapshot({"easy/train.jsonl": row, "hard/train.jsonl": row, "README.md": f"---\nconfigs:\n{configs}---\n".encode()})
    for config, split, sentence in (
        ("easy", "tset", "lab/sums: no split 'tset'; there are train."),
        ("easy", "train[:x]", "lab/sums: no split 'train[:x]'; there are train."),
        ("esay", "train", "lab/sums: no configuration 'esay'; there are ['easy', 'hard']."),
        (None, "train", "lab/sums: no configuration None; there are ['easy', 'hard']."),
    ):
        with pytest.raises(DataError) as caught:
            list(load_split("lab/sums", REVISION, config, split, "problems"))
        assert str(caught.value) == sentence
    ((where, found),) = load_split("lab/sums", REVISION, "hard", "train", "problems")
    assert (where, found) == ("lab/sums, hard/train.jsonl, line 1", {"problem": "a", "answer": 1})


def test_what_datasets_keeps_of_another_commit_is_not_taken_for_the_pinned_one(
    tmp_path: Path, snapshot: Callable
) -> None:
    folder = snapshot({"train.jsonl": line("new", "1").encode()})
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    (other / "train.jsonl").write_text(line("old", "1"))
    # As the library leaves it of a data set of the hub: the commit is the name of the folder.
    builder = datasets.load_dataset_builder(str(other), cache_dir=str(tmp_path / "made"))
    builder.download_and_prepare()
    place = tmp_path / "datasets" / "lab___sums" / "default" / "0.0.0" / ("d" * 40)
    shutil.copytree(builder.cache_dir, place)
    (place / "other-train.arrow").rename(place / "sums-train.arrow")
    logging.getLogger("datasets").setLevel(logging.ERROR)
    assert datasets.load_dataset("lab/sums", split="train", revision=REVISION)["problem"] == ["old"]
    assert [row["problem"] for _, row in load_split("lab/sums", REVISION, None, "train", "problems")] == ["new"]
    shutil.rmtree(tmp_path / "hub")
    with pytest.raises(MachineError, match=r"lab/sums at e{12}, split train: not in the local cache"):
        list(load_split("lab/sums", REVISION, None, "train", "problems"))


def test_other_kinds_of_files_are_read_by_the_library(tmp_path: Path, snapshot: Callable) -> None:
    folder = snapshot({})
    datasets.Dataset.from_dict({"problem": ["a", "b"], "answer": ["007", "2"]}).save_to_disk(tmp_path / "saved")
    folder.mkdir(parents=True)
    shutil.copy(next((tmp_path / "saved").glob("*.arrow")), folder / "train-00000-of-00001.arrow")
    assert golds(tmp_path / "out", {}) == {"a": "007", "b": "2"}
