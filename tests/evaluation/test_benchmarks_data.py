"""Loading benchmarks: every row becomes the question written by hand, official sets are whole, bad input is refused."""

import hashlib
import json
import random
import re
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub.constants
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image, ImageChops

from relax.config.benchmarks import TASKS, check_tasks, find, names, read_task
from relax.data import images
from relax.errors import ConfigError, DataError, MachineError
from relax.evaluation.benchmarks import as_dataset, grade_responses, load_benchmark, load_questions, questions_digest
from relax.evaluation.questions import Question
from relax.tasks import TASKS as TASKS_OF_OURS
from tests.repository.benchmarks_fixture import (
    EXPECTED,
    FOLDER,
    base64_png,
    image_rows,
    needs_folder,
    png,
    text_rows,
    write_benchmark,
    write_rows,
)

BENCHMARKS = sorted(EXPECTED)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_invented_rows_become_the_questions_written_by_hand(name: str, tmp_path: Path) -> None:
    questions = load_benchmark(name, write_benchmark(name, tmp_path), rows=2)
    assert [(q.prompt, q.golds + q.texts, q.cluster, pytest.approx(q.tolerance)) for q in questions] == EXPECTED[name]
    assert len({q.id for q in questions}) == 2


VERSE = image_rows(lambda color: base64_png())["mathverse"]
CHOICES = {"question_type": "multi-choice", "question_for_eval": "?\nChoice:\nA. 090^\\circ T\nB. False\nC. 4\nD. 5"}


@pytest.mark.parametrize(
    ("columns", "golds"),
    [
        (CHOICES | {"answer": "(C)"}, ("C", "4")),
        (CHOICES | {"answer": "False"}, ("B", "False")),
        (CHOICES | {"answer": "090^\\circ T"}, ("A", "090^\\circ T")),
        (CHOICES | {"answer": "C\nD"}, ("C, D", "CD")),
        (CHOICES | {"answer": "E"}, ("E",)),
        (CHOICES | {"answer": "True"}, ("True",)),
        # Without a question of its own, and with an option that is empty.
        ({"question_type": "multi-choice", "question_for_eval": "", "question": "?\nChoices:\nA:\nB:x", "answer": "B"},
         ("B",)),
        ({"answer": "Area $=9 \\pi \\mathrm{cm}^{2}$"}, ("9 \\pi \\mathrm{cm}^{2}",)),
        ({"answer": "Total S.A. $=3222.80$"}, ("3222.80",)),
        ({"answer": "$$r=7.00$$"}, ("7.00", "r=7.00")),
        ({"answer": "f(x)=-3|x-3|+3"}, ("-3|x-3|+3", "f(x)=-3|x-3|+3")),
        ({"answer": "$(x-1)^{2}+(y-3)^{2}=36$"}, ("(x-1)^{2}+(y-3)^{2}=36",)),
        ({"answer": "118掳T"}, ("118°T",)),
        ({"answer": "$\\boxed{\\frac{1}{2}}$"}, ("\\frac{1}{2}",)),
    ],
)  # fmt: skip
def test_mathverse_states_its_golds_in_many_ways(
    columns: dict[str, str], golds: tuple[str, ...], tmp_path: Path
) -> None:
    path = write_rows(tmp_path / "mathverse.jsonl", [VERSE[1] | columns])
    question = load_benchmark("mathverse", path, rows=1)[0]
    assert question.golds + question.texts == golds


@needs_folder
def test_every_gold_of_mathverses_problems_is_found(tmp_path: Path) -> None:
    lines = (Path(FOLDER) / "mathverse_testmini_text_only.jsonl").read_text(encoding="utf-8").strip().split("\n")
    rows = [json.loads(line) | {"image": base64_png()} for line in lines]
    questions = load_benchmark("mathverse", write_rows(tmp_path / "mathverse.jsonl", rows), rows=788)
    chosen = [
        q.golds + q.texts for q, row in zip(questions, rows, strict=True) if row["question_type"] == "multi-choice"
    ]
    assert len(chosen) == 436
    # All but two problems with two letters each, and one whose options break off, have a letter and a text.
    odd = [golds for golds in chosen if len(golds[0]) != 1 or len(golds) != 2]
    assert sorted(odd) == [("A, C", "AC"), ("C",), ("C, D", "CD")]


def test_the_catalogue_has_fifteen_benchmarks_and_the_papers_samples() -> None:
    own = {task.key for task in TASKS_OF_OURS.values()}
    assert [name for name in names() if name not in {"held-out", *own}] == BENCHMARKS
    assert own == {"answer_prior", "countdown", "elementary", "file", "hub", "noisy_sum", "reasoning_gym", "visual"}
    assert [read_task(name)["task"] for name in sorted(own)] == sorted(own)
    samples = {name: find(name).samples for name in BENCHMARKS}
    assert {name for name, k in samples.items() if k == 32} == {"amc22", "amc23", "aime24", "aime25"}
    assert set(samples.values()) == {1, 32}
    for name in BENCHMARKS:
        revision = find(name).revision
        assert revision == "unpinned" or (len(revision) == 40 and int(revision, 16) >= 0)


def test_the_held_out_problems_are_asked_in_the_same_way_by_any_of_their_names() -> None:
    held_out = read_task("held-out")
    assert held_out.pop("task") == "held-out"
    for name in ("noisy_sum", "hub", "file", "elementary", "reasoning_gym"):
        assert {key: value for key, value in read_task(name).items() if key != "task"} == held_out
    assert "repo" not in held_out["metadata"]
    check_tasks({"mine": "held-out"})
    with pytest.raises(ConfigError, match=r"no task 'held_out'; did you mean held-out\?"):
        check_tasks({"mine": "held_out"})


def test_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(
        ConfigError, match=r"benchmark mine: no task 'math50'; did you mean math500\? there are aime24,"
    ):
        check_tasks({"mine": "math50"})
    with pytest.raises(ConfigError, match=r"no task 'mmmmu'; did you mean mmmu\?"):
        load_benchmark("mmmmu")
    with pytest.raises(ConfigError, match="noisy_sum has no data set of its own"):
        load_benchmark("noisy_sum")


# Official sets: file of the complete data set, and what is read from it.
OFFICIAL = {
    "math500": "math500",
    "minerva": "minerva_math",
    "amc22": "amc22",
    "amc23": "amc23",
    "aime24": "aime24",
    "aime25": "aime25",
    "gsm8k": "gsm8k_test",
    "mmlu": "mmlu_test",
    "mathvision": "mathvision_test_noimages",
    "mathvista": "mathvista_testmini_noimages",
}


@needs_folder
@pytest.mark.parametrize("name", sorted(OFFICIAL))
def test_an_official_set_is_whole_and_has_the_recorded_digest(name: str, tmp_path: Path) -> None:
    path = Path(FOLDER) / f"{OFFICIAL[name]}.jsonl"
    if path.stem.endswith("noimages"):
        rows = [
            json.loads(line) | {"image": base64_png()} for line in path.read_text(encoding="utf-8").split("\n") if line
        ]
        path = write_rows(tmp_path / path.name, rows)
    questions = load_benchmark(name, path)
    assert questions_digest(questions) == find(name).digest
    if name == "mmlu":
        assert len({q.subset for q in questions}) == 57


@needs_folder
@pytest.mark.parametrize(("name", "column"), [("mmlu", "choices"), ("mathvision", "options")])
def test_right_options_are_right_and_wrong_ones_wrong(name: str, column: str, tmp_path: Path) -> None:
    lines = (Path(FOLDER) / f"{OFFICIAL[name]}.jsonl").read_text(encoding="utf-8").strip().split("\n")
    rows = [row for row in map(json.loads, lines) if row[column]]
    rows = [row | {"image": base64_png()} for row in random.Random(0).sample(rows, 400)]
    questions = load_benchmark(name, write_rows(tmp_path / "rows.jsonl", rows), rows=400)
    mistaken, asked = [], 0
    for question, row in zip(questions, rows, strict=True):
        # Every letter, and the words that are no letter.
        words = {text.strip() for text in row[column] if re.sub(r"\\text|\W", "", text).upper() not in "ABCDE"}
        right = set(question.golds + question.texts)
        wrong = sorted((words | set("ABCDE"[: len(row[column])])) - right)
        grades = grade_responses(
            [rf"\boxed{{{option}}}" for option in (*right, *wrong)], question.golds, question.texts
        )
        asked += len(wrong)
        expected = [True] * len(right) + [False] * len(wrong)
        mistaken += [grade.answer for grade, e in zip(grades, expected, strict=True) if grade.correct is not e]
    assert (mistaken, asked > 1500) == ([], True)


@needs_folder
def test_dynamath_and_mathvision_samples_have_their_pictures() -> None:
    dynamath = load_benchmark("dynamath", Path(FOLDER) / "dynamath_sample" / "sample_10x10.jsonl", rows=100)
    assert len({q.cluster for q in dynamath}) == 10
    mathvision = load_benchmark("mathvision", Path(FOLDER) / "mathvision_sample" / "testmini80.jsonl", rows=80)
    for question in (dynamath[0], mathvision[0]):
        (image,) = question.images
        with Image.open(image) as original:
            difference = ImageChops.difference(images.picture(image), original.convert("RGB"))
        assert difference.getbbox() is None
    # The official pictures are opaque, so nothing is to be seen of the white canvas.
    assert all(images.picture(q.images[0]).mode == "RGB" for q in mathvision)


def test_the_digest_is_of_prompts_and_golds_in_any_order() -> None:
    first, second = Question("1", "p", ("ä",), "1"), Question("2", "q", ("1",), "2", texts=("2",), images=(b"x",))
    lines = b'["p", "\xc3\xa4"]\n["q", "1", "2"]\n'
    assert questions_digest([first, second]) == questions_digest([second, first]) == hashlib.sha256(lines).hexdigest()
    assert questions_digest([first]) != questions_digest([second])
    assert questions_digest([replace(second, images=(), id="3")]) == questions_digest([second])


def test_other_data_of_the_right_size_are_read_but_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [{"problem": f"{n}?", "answer": n, "id": n} for n in range(30)]
    path = write_rows(tmp_path / "aime24.jsonl", rows)
    assert len(load_benchmark("aime24", path)) == 30
    assert "prompts or golds differ" in caplog.text
    assert find("aime24").digest in caplog.text


CELLS = {
    "file": lambda folder: "red.png",
    "bytes in base64": lambda folder: base64_png("red"),
    "data address": lambda folder: "data:image/png;base64," + base64_png("red"),
    "hub": lambda folder: {"bytes": png("red"), "path": "red.png"},
    "bytes": lambda folder: png("red"),
    "hub, file only": lambda folder: {"bytes": None, "path": "red.png"},
}


@pytest.mark.parametrize("kind", sorted(CELLS))
def test_an_image_is_read_from_wherever_it_is_kept(kind: str, tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(png("red"))
    image = images.locate(CELLS[kind](tmp_path), tmp_path)
    images.check_image(image)
    picture = images.picture(image)
    assert (picture.mode, picture.size, picture.getpixel((0, 0))) == ("RGB", (6, 4), (255, 0, 0))


def test_transparent_parts_are_white(tmp_path: Path) -> None:
    (tmp_path / "clear.png").write_bytes(png("#00000000", mode="RGBA"))
    assert images.picture(tmp_path / "clear.png").getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("name", ["mmmu", "mathvista"])
def test_a_parquet_file_gives_the_same_questions_as_json_lines(name: str, tmp_path: Path) -> None:
    from_text = load_benchmark(name, write_benchmark(name, tmp_path), rows=2)
    rows = image_rows(lambda color: {"bytes": png(color), "path": None})[name]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / f"{name}.parquet")
    assert load_benchmark(name, tmp_path / f"{name}.parquet", rows=2) == from_text


def test_a_snapshot_in_the_hubs_cache_is_read_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")
    source = replace(find("dynamath"), rows=4, revision="a" * 40, splits=("sample_variant1", "sample_variant2"))
    with pytest.raises(MachineError, match=r"DynaMath/DynaMath_Sample at a{12}, split .*: not in the local cache"):
        load_questions(source)

    folder = tmp_path / "hub" / "datasets--DynaMath--DynaMath_Sample" / "snapshots" / source.revision
    folder.mkdir(parents=True)
    # As on the hub: no column of the variant, a path beside the picture, one file a split.
    rows = image_rows(lambda color: "images/1.png")["dynamath"]
    rows = [{k: v for k, v in row.items() if k != "variant"} | {"id": str(n)} for n, row in enumerate(rows)]
    features = {"decoded_image": [{"bytes": png("blue"), "path": "1.png"}] * 2} | {
        column: [row[column] for row in rows] for column in rows[0]
    }
    table = datasets.Dataset.from_dict(features).cast_column("decoded_image", datasets.Image())
    for split in source.splits:
        table.to_parquet(folder / f"{split}.parquet")
    files = "".join(f"  - split: {split}\n    path: {split}.parquet\n" for split in source.splits)
    (folder / "README.md").write_text(f"---\nconfigs:\n- config_name: default\n  data_files:\n{files}---\n")

    questions = load_questions(source)
    assert [(q.id, q.cluster) for q in questions] == [("0/1", "0"), ("1/1", "1"), ("0/2", "0"), ("1/2", "1")]
    assert {images.picture(q.images[0]).getpixel((0, 0)) for q in questions} == {(0, 0, 255)}


def test_the_data_set_for_lm_eval_keeps_everything(tmp_path: Path) -> None:
    questions = load_benchmark("mmmu", write_benchmark("mmmu", tmp_path), rows=2)
    rows = list(as_dataset(questions))
    assert [row["prompt"] for row in rows] == [q.prompt for q in questions]
    assert [[image["bytes"] for image in row["images"]] for row in rows] == [list(q.images) for q in questions]


def _drop(row: dict[str, Any], column: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != column}


GSM8K = text_rows()["gsm8k"][0]
MMLU = text_rows()["mmlu"][0]
MMMU = image_rows(base64_png)["mmmu"][0]
BAD_ROWS = {
    "missing column": ("gsm8k", _drop(GSM8K, "answer"), r"line 1: no column 'answer'; there are question\."),
    "empty gold": ("gsm8k", GSM8K | {"answer": " "}, r"line 1: 'answer' is empty\."),
    "no mark": ("gsm8k", GSM8K | {"answer": "18"}, "'answer' has no '####'"),
    "gold is no choice": ("mmlu", MMLU | {"answer": 4}, "the answer is 4, of 4 choices"),
    "no choices": ("mmlu", MMLU | {"choices": None}, "'choices' is a NoneType; expected a list"),
    "no integer": ("aime24", {"id": 1, "problem": "?", "answer": "2.5"}, "'answer' is '2.5'; expected an integer"),
    "no number": ("aime24", {"id": 1, "problem": "?", "answer": "x"}, "'answer' is 'x'; expected an integer"),
    "missing image column": ("mmmu", _drop(MMMU, "image_1"), "no column 'image_1'; there are id, question, answer"),
    "options are no list": ("mmmu", MMMU | {"options": "['a', b()]"}, "'options' is .*; expected a list"),
    "missing file": ("mmmu", MMMU | {"image_1": "no/such.png"}, r"line 1: no image .*no/such\.png; put it there"),
    "neither file nor base64": ("mmmu", MMMU | {"image_1": "?!"}, r"the image '\?!' is neither a file nor base64"),
    "no image": ("mmmu", MMMU | {"image_1": "aGVsbG8="}, "line 1: the image cannot be read"),
    "one picture, two places": ("mmmu", MMMU | {"question": "<image> <image 1>"}, "has 4 places for 3 images"),
}


@pytest.mark.parametrize("case", sorted(BAD_ROWS))
def test_a_bad_row_is_refused_naming_file_line_and_reason(case: str, tmp_path: Path) -> None:
    name, row, message = BAD_ROWS[case]
    path = write_rows(tmp_path / "rows.jsonl", [row])
    with pytest.raises(DataError, match=message) as error:
        load_benchmark(name, path, rows=1)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_gigantic_image_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_PIXELS", 23)
    with pytest.raises(DataError, match=r"mmmu.jsonl, line 1: the image has 6 x 4 pixels, more than 23\."):
        load_benchmark("mmmu", write_benchmark("mmmu", tmp_path), rows=2)
    monkeypatch.undo()
    # Pillow itself refuses beyond twice its bound, whatever ours.
    bomb = bytearray(png(size=(1, 1)))
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2
    bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4, "big")
    with pytest.raises(ValueError, match="the image has more than 89478485 pixels"):
        images.check_image(bytes(bomb))


def test_a_cut_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cut.png").write_bytes(png(size=(300, 300))[:-40])
    with pytest.raises(ValueError, match=r"the image .*cut\.png is broken"):
        images.picture(tmp_path / "cut.png")


@pytest.mark.parametrize("suffix", ["jsonl", "parquet", "csv"])
def test_a_file_that_is_missing_empty_or_cut_is_refused(suffix: str, tmp_path: Path) -> None:
    missing, empty, cut = (tmp_path / f"{word}.{suffix}" for word in ("missing", "empty", "cut"))
    empty.write_bytes(b"")
    if suffix == "parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(text_rows()["gsm8k"]), cut)
        cut.write_bytes(cut.read_bytes()[:-9])
    else:
        cut.write_text('{"question": "?", "answer": "####')
    for path in (missing, empty, cut):
        with pytest.raises(DataError) as error:
            load_benchmark("gsm8k", path)
        assert str(path) in str(error.value)


def test_a_wrong_number_of_rows_or_an_id_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = write_benchmark("gsm8k", tmp_path)
    with pytest.raises(DataError, match=r"gsm8k.jsonl: 2 questions, gsm8k has 1319; .* set `rows: 2`"):
        load_benchmark("gsm8k", path)
    row = text_rows()["aime25"][0]
    with pytest.raises(DataError, match="line 2: id '0' stands there twice"):
        load_benchmark("aime25", write_rows(tmp_path / "twice.jsonl", [row, row]), rows=2)


def test_task_files_hold_no_machine_path() -> None:
    assert not [path.name for path in TASKS.glob("*.yaml") if "path:" in path.read_text()]
