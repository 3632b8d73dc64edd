"""The benchmark runs and writes what it measured; what it measured is nobody's business here."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("koopman", 10),
        ("training", 6),
        ("step", 14),
        ("grading", 4),
        ("images", 1),
        ("generation", 1),
        ("analysis", 6),
    ],
)
def test_the_benchmark_runs_and_writes_its_numbers(tmp_path: Path, name: str, least: int) -> None:
    command = [sys.executable, f"benchmarks/{name}.py", "--quick", "--out", str(tmp_path / "bench.json")]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr
    written = json.loads((tmp_path / "bench.json").read_text())
    assert written["quick"] is True
    assert {"cpu", "cores", "threads", "load", "gpu", "versions"} <= written["machine"].keys()
    assert len(written["results"]) > least
    for line in written["results"]:
        assert {"name", "value", "target", "met", "detail"} == line.keys()
        assert line["name"] in ended.stdout
        assert line["value"] is not None or line["detail"]["skipped"]
    on_gpu = any(line["name"].startswith("GPU") for line in written["results"])
    assert on_gpu == (name in ("koopman", "training"))


@pytest.mark.parametrize(("gpu", "clock"), [(None, "cpu"), ("a GPU", "wall")])
def test_the_figure_shows_the_seconds_of_either_trainer(gpu: str | None, clock: str) -> None:
    rows = [{"name": "other", "detail": {}}]
    for ratio, trl, relax in ((1, 2.0, 3.0), (4, 8.0, 4.0)):
        detail = {"ratio": ratio, f"trl_{clock}_s": trl, f"relax_{clock}_s": relax}
        rows.append({"name": f"step, {ratio}", "detail": detail})
    draw = runpy.run_path(str(REPOSITORY / "benchmarks" / "step_figure.py"))["draw"]
    (axes,) = draw({"machine": {"gpu": gpu}, "results": rows}).axes
    drawn = [line.get_xydata().tolist() for line in axes.lines]
    assert drawn == [[[1, 2], [4, 8]], [[1, 3], [4, 4]]]
    assert [text.get_text().split("Trainer")[0] for text in axes.texts] == ["GRPO", "ReLaX"]
    assert clock in axes.get_ylabel().lower()


@pytest.mark.long
def test_the_page_has_the_effects_of_the_forks_choices() -> None:
    """docs/method.md, "What the fork does": the numbers of the script, to the digits that the page shows."""
    command = [sys.executable, "benchmarks/fork_effects.py", "--seeds", "20"]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=True)
    page = (REPOSITORY / "docs" / "method.md").read_text().partition("## What the fork does")[2]
    printed, shown = (
        [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")][2:]
        for text in (ended.stdout, page)
    )
    keys = [row[0].split("`")[1] for row in printed if "`" in row[0]]
    assert len(keys) == 9
    assert all(key in row[0] for key, row in zip(keys[:8], shown[:8], strict=True))
    compared = 0
    for ours, theirs in zip(printed, shown, strict=False):
        for value, cell in zip((ours[1], ours[2], ours[4]), theirs[2:5], strict=True):
            if cell.startswith("x "):
                said = cell.split()[1]
                assert abs(float(value) - float(said)) <= 0.51 * 10 ** -len(said.partition(".")[2]), (ours, theirs)
                compared += 1
    assert compared == 17
