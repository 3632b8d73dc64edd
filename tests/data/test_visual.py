"""The visual task: answers against brute force on the picture, drawings that mean the same, splits, and image files."""

import base64
import io
import json
import random
import re
import zipfile
import zlib
from functools import partial
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, Features, Image, List, Value, load_dataset_builder
from PIL import Image as Pillow

from relax.config.stage_settings import DataSettings
from relax.data import hub, images, splits
from relax.data.data_stage import make_problems
from relax.data.images import keep
from relax.data.problem_files import read_problems
from relax.errors import DataError
from relax.grading.grader import grade_response
from relax.records.record import Run
from relax.tasks.hub import DataSet
from relax.tasks.problem import Problem, split_of
from relax.tasks.visual import rendered
from relax.tasks.visual.drawing import VARIANTS, Style, draw, style_of
from relax.tasks.visual.puzzles import FAMILIES, LEVELS, Puzzle, make, row_counts

SETTINGS = {"families": list(FAMILIES), "levels": list(LEVELS), "size": 64, "text_share": 0.5}


@pytest.mark.parametrize(
    ("puzzle", "answer"),
    [
        (Puzzle("bars", 2, (3, 9, 1)), 13),
        (Puzzle("cells", 1, (0, 4, 8)), 3),
        (Puzzle("line", 1, (2, 7)), 9),
        (Puzzle("clock", 2, (3, 45)), 225),
        (Puzzle("geometry", 1, (4, 7)), 22),
        (Puzzle("geometry", 2, (4, 7)), 28),
        (Puzzle("geometry", 3, (6, 5, 4, 3)), 6 * 5 + 4 * 3),
    ],
)
def test_known_answers(puzzle: Puzzle, answer: int) -> None:
    assert puzzle.answer == answer
    solution = rendered.demonstrate(puzzle, random.Random(0), 0.0)
    assert grade_response("visual", puzzle.question, solution, str(answer))
    # Each step of the worked solution is right as arithmetic: a=b+c... read as a chain.
    for left, operation, right, result in re.findall(r"(?=(?:^|=)(\d+)([+*])(\d+)=(\d+))", solution):
        assert int(result) == (int(left) + int(right) if operation == "+" else int(left) * int(right))


def test_a_demonstration_is_wrong_as_often_as_asked_and_goes_on_from_what_it_wrote() -> None:
    puzzle, rng, wrong = Puzzle("bars", 1, (3, 5)), random.Random(0), 0
    for _ in range(2000):
        solution = rendered.demonstrate(puzzle, rng, 0.2)
        first, second, result, boxed = map(int, re.fullmatch(r"(\d+)\+(\d+)=(\d+) \\boxed\{(\d+)\}", solution).groups())
        assert max(abs(first - 3), abs(second - 5), abs(result - first - second)) <= 1
        assert boxed == result
        wrong += (first != 3) + (second != 5) + (result != first + second)
    assert 0.18 < wrong / 6000 < 0.22  # four standard errors are 0.021


def pixels(puzzle: Puzzle, style: Style, size: int = 200) -> Pillow.Image:
    return Pillow.open(io.BytesIO(draw(puzzle, style, size))).convert("RGB")


def near(pixel: tuple[int, ...], colour: tuple[int, ...]) -> bool:
    return all(abs(a - b) < 40 for a, b in zip(pixel, colour, strict=True))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("level", LEVELS)
def test_the_filled_cells_can_be_counted_in_the_picture(variant: str, level: int) -> None:
    """Counted without the drawing code: the middle of each cell of the square that the style names."""
    rng = random.Random(f"{variant}{level}")
    for _ in range(5):
        puzzle, style = make("cells", level, rng), style_of(variant, rng)
        picture, side = pixels(puzzle, style), level + 2
        ink = tuple(int(style.palette[0][i : i + 2], 16) for i in (1, 3, 5))
        box = 200 * style.scale
        left, top = ((200 - box) * share for share in style.place)
        step = box / side
        middles = [(left + (i + 0.5) * step, top + (j + 0.5) * step) for i in range(side) for j in range(side)]
        count = sum(near(picture.getpixel((int(x), int(y))), ink) for x, y in middles)
        assert count == puzzle.answer == sum(row_counts(puzzle))


@pytest.mark.parametrize("turned", [False, True])
def test_the_bars_can_be_measured_in_the_picture(turned: bool) -> None:
    style = Style(turned=turned)
    puzzle = Puzzle("bars", 3, (9, 1, 4, 6))
    picture = pixels(puzzle, style, 400)
    ink = tuple(int(style.palette[0][i : i + 2], 16) for i in (1, 3, 5))
    rows = [[near(picture.getpixel((x, y)), ink) for x in range(400)] for y in range(400)]
    lines = rows if turned else [list(column) for column in zip(*rows, strict=True)]
    lengths = [sum(line) for line in lines]
    runs, inside = [], False
    for length in lengths:
        if length > 10 and not inside:
            runs.append(0)
        inside = length > 10
        if inside:
            runs[-1] = max(runs[-1], length)
    unit = 400 * style.scale * 0.088
    assert [round(run / unit) for run in runs] == [9, 1, 4, 6]


def test_a_picture_follows_from_puzzle_and_style_and_differs_between_variants() -> None:
    rng = random.Random(3)
    for family in FAMILIES:
        puzzle = make(family, 3, rng)
        drawings = {variant: draw(puzzle, style_of(variant, random.Random(1)), 64) for variant in VARIANTS}
        again = {variant: draw(puzzle, style_of(variant, random.Random(1)), 64) for variant in VARIANTS}
        assert drawings == again
        assert len(set(drawings.values())) == len(VARIANTS)


def test_held_out_problems_come_in_every_variant_and_are_never_trained_on(tmp_path: Path) -> None:
    settings = {
        "source": "visual",
        "seed": 4,
        "train_problems": 300,
        "test_problems": 12,
        "instruction": "Box it.",
        "visual": SETTINGS,
        "datasets": [],
    }
    for name in ("a", "b"):
        make_problems(DataSettings(**settings), tmp_path / name, Run("data", {}, settings))
    train, test = (read_problems(tmp_path / "a" / f"{split}.jsonl") for split in ("train", "test"))
    assert (len(train), len(test)) == (300, 12 * len(VARIANTS))
    assert {split_of(p.cluster) for p in train} == {"train"}
    assert {split_of(p.cluster) for p in test} == {"test"}
    assert {p.dependence for p in train} == {"visual", "text"}
    assert len({p.cluster for p in test[:12]}) == 12
    assert {p.variant for p in test[:12]} == set(VARIANTS)
    by_cluster: dict[str, list] = {}
    for problem in test:
        by_cluster.setdefault(problem.cluster, []).append(problem)
    for variants in by_cluster.values():
        assert sorted(p.variant for p in variants) == sorted(VARIANTS)
        assert len({(p.prompt, p.answer) for p in variants}) == 1
        assert len({p.images for p in variants}) == len(VARIANTS)
    assert all(p.prompt.endswith("\nBox it.") for p in test)
    first, second = ((tmp_path / name / "train.jsonl").read_bytes() for name in ("a", "b"))
    assert first == second
    assert (tmp_path / "a" / json.loads(first.splitlines()[0])["images"][0]).is_file()


def test_told_problems_say_the_facts_and_the_others_do_not() -> None:
    drawn = list(islice(rendered.shown(SETTINGS, "train", 0), 400))
    told = [one.told for one in drawn]
    assert 0.4 < sum(told) / len(told) < 0.6
    assert all(one.puzzle.statement in one.prompt for one in drawn if one.told)
    assert not any(re.search(r"\d", one.prompt) for one in drawn if not one.told)


def test_more_held_out_problems_than_there_are(tmp_path: Path) -> None:
    few = {**SETTINGS, "families": ["clock"], "levels": [1]}
    with pytest.raises(DataError, match=r"60 different held-out problems asked for.*data\.visual"):
        list(rendered.problems(few, 60, "test", 0, partial(keep, folder=tmp_path)))


def test_a_missing_image_is_named_with_its_line(tmp_path: Path) -> None:
    row = {"id": "1", "prompt": "p", "answer": "2", "source": "s", "images": ["images/none.png"]}
    (tmp_path / "p.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError, match=r"p\.jsonl, line 1: no image .*none\.png"):
        read_problems(tmp_path / "p.jsonl")
    (tmp_path / "p.jsonl").write_text(json.dumps({**row, "images": "x.png"}) + "\n")
    with pytest.raises(DataError, match="'images' must be a list of paths"):
        read_problems(tmp_path / "p.jsonl")


# Data sets with images ---------------------------------------------------------------------------


def png(colour: str = "red", size: tuple[int, int] = (4, 3)) -> bytes:
    stream = io.BytesIO()
    Pillow.new("RGB", size, colour).save(stream, "PNG")
    return stream.getvalue()


def noise() -> bytes:
    stream = io.BytesIO()
    Pillow.effect_noise((100, 100), 50).save(stream, "PNG")
    return stream.getvalue()


def source(**changes) -> dict:
    given = {
        "repo": "TIGER-Lab/ViRL39K",
        "revision": "0" * 40,
        "split": "train",
        "prompt": "question",
        "answer": "answer",
        "images": "image",
    }
    return DataSet(**(given | changes)).recorded()


def read(entry: dict, out: Path) -> list[Problem]:
    return [problem for _, problem in hub._read(entry, entry["repo"], hub._Reading(out))]


#: The columns of ViRL39K as its Parquet file has them: images are paths into images.zip.
VIRL = [
    {"answer": "\\boxed{60}", "category": "(GradeSchool) Geometric", "question": "<image>What is x?",
     "qid": "a", "image": ["images/a-0.png"]},
    {"answer": "\\boxed{2}", "category": "Spatial Reasoning", "question": "<image> and <image>: how many?",
     "qid": "b", "image": ["images/b-0.png", "images/a-0.png"]},
]  # fmt: skip


def test_virl39k_is_read_from_its_table_and_its_archive(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(VIRL), tmp_path / "39Krelease.parquet")
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.writestr("images/a-0.png", png("red"))
        archive.writestr("images/b-0.png", png("blue"))
    entry = source(path=str(tmp_path / "39Krelease.parquet"), archive="images.zip")
    settings = {"datasets": [entry], "test_problems": 1, "instruction": None}
    train, test = hub.load_problems(settings, tmp_path / "out")
    both = sorted([*train, *test], key=lambda p: p.id)
    assert [p.answer for p in both] == ["\\boxed{60}", "\\boxed{2}"]
    assert [len(p.images) for p in both] == [1, 2]
    assert (tmp_path / "out" / both[0].images[0]).read_bytes() == png("red")
    assert both[0].images[0] == both[1].images[1]  # the same picture is there once
    assert grade_response(both[0].source, both[0].prompt, r"so \boxed{60}", both[0].answer)


@pytest.mark.parametrize("kind", ["file", "bytes", "base64", "data url"])
def test_a_local_copy_may_hold_its_images_in_any_form(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a.png").write_bytes(png())
    text = base64.b64encode(png()).decode()
    cell = {"file": "a.png", "bytes": png(), "base64": text, "data url": f"data:image/png;base64,{text}"}[kind]
    row = {"question": "What is it?", "answer": "1", "image": [cell]}
    if kind == "bytes":
        pq.write_table(pa.Table.from_pylist([row]), tmp_path / "rows.parquet")
        path = tmp_path / "rows.parquet"
    else:
        path = tmp_path / "rows.jsonl"
        path.write_text(json.dumps(row) + "\n")
    (problem,) = read(source(path=str(path)), tmp_path / "out")
    assert (tmp_path / "out" / problem.images[0]).read_bytes() == png()


def test_images_of_the_hub_stay_encoded(tmp_path: Path) -> None:
    for feature, cell in ((Image(), {"bytes": png(), "path": None}), (List(Image()), [{"bytes": png(), "path": None}])):
        rows = Dataset.from_list(
            [{"question": "q", "answer": "1", "image": cell}],
            features=Features({"question": Value("string"), "answer": Value("string"), "image": feature}),
        )
        rows.to_parquet(tmp_path / "rows.parquet")
        rows.save_to_disk(tmp_path / "saved")
        builder = load_dataset_builder("arrow", data_files=str(tmp_path / "saved/*.arrow"), cache_dir=str(tmp_path))
        placed = list(splits._decoded(builder, "lab/pictures", "train"))
        ((_, problem),) = hub._problems(placed, source(), "s", hub._Reading(tmp_path / "library"))
        assert (tmp_path / "library" / problem.images[0]).read_bytes() == png()
        (problem,) = read(source(path=str(tmp_path / "rows.parquet")), tmp_path / "file")
        assert (tmp_path / "file" / problem.images[0]).read_bytes() == png()


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (base64.b64encode(noise()[:4000]).decode(), "is broken"),
        (base64.b64encode(b"no picture at all").decode(), "cannot be read; expected PNG"),
        (base64.b64encode(png(size=(5000, 4001))).decode(), r"5000 x 4001 pixels, more than 20000000"),
        ("images/none.png", "no image .*none.png"),
        ("%%%", "neither a file nor base64"),
        ("", "the image is empty"),
    ],
    ids=["cut", "no picture", "gigantic", "missing", "no base64", "empty"],
)
def test_an_image_that_cannot_be_used_is_refused_by_row(tmp_path: Path, cell: str, words: str) -> None:
    rows = [{"question": "q", "answer": "1", "image": [base64.b64encode(png()).decode()]}]
    rows.append({"question": "q", "answer": "1", "image": [cell]})
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError, match=rf"rows\.jsonl, line 2: .*({words})"):
        read(source(path=str(tmp_path / "rows.jsonl")), tmp_path / "out")


def test_a_decompression_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    header = bytearray(png(size=(1, 1)))
    header[16:24] = (60_000).to_bytes(4) + (60_000).to_bytes(4)
    header[29:33] = zlib.crc32(bytes(header[12:29])).to_bytes(4)
    with pytest.raises(ValueError, match="more than 20000000"):
        images.keep(bytes(header), tmp_path)
    assert not (tmp_path / "images").exists()


def test_a_kept_image_that_was_damaged_is_mended(tmp_path: Path) -> None:
    name = images.keep(png(), tmp_path)
    (tmp_path / name).write_bytes(png()[:20])
    assert images.keep(png(), tmp_path) == name
    assert (tmp_path / name).read_bytes() == png()


def test_places_in_the_prompt_and_images_must_agree(tmp_path: Path) -> None:
    row = {"question": "<image> and <image>", "answer": "1", "image": [base64.b64encode(png()).decode()]}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError, match=r"rows\.jsonl, line 1: the prompt has 2 places for 1 images"):
        read(source(path=str(tmp_path / "rows.jsonl")), tmp_path / "out")
    with pytest.raises(DataError, match="no ZIP archive of images"):
        read(source(path=str(tmp_path / "rows.jsonl"), archive="none.zip"), tmp_path / "out")
