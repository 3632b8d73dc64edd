"""The language-model demo from end to end on a tiny GGUF file: what its first run says, leaves and shows."""

import html
import json
import re
from pathlib import Path

import pandas as pd
import pytest

from relax.models.precision import format_here
from tests.models.gguf_fixture import write_gguf
from tests.workflow.workflow_fixture import copy_repository, snakemake

SMALL = r"""
name: tiny_lm
matrix: {policies: [tiny-lm], methods: [relax-sv]}
policies: {tiny-lm: {gguf: tiny.gguf}}
data: {train_problems: 40, test_problems: 6}
prompt:
  shots: [{subset: sum-of-three, problem: "What is 1 + 1 + 1?", response: "It is \\boxed{3}."}]
dictionary: {rollouts: 32, probes: 8, epochs: 2}
training: {steps: 2, prompts_per_step: 2, rollouts_per_prompt: 4, max_response_length: 16, probe_every: 1}
analysis: {prompts: 4, responses_per_prompt: 1}
evaluation: {batch_size: 6, max_response_length: 16}
benchmarks: {held-out: {samples: 2}}
"""
OPTIONS = ("--cores", "2", "--quiet", "host", "reason", "--configfile", "config/demo_lm.yaml", "small.yaml")
STAGES = ["data", "overlap", "base", "dictionary", "train", "extract", "koopman", "generate", "grade", "evaluate",
          "tables", "figures", "report", "track"]  # fmt: skip
JOBS = 8 + 1 + 5 * 2  # once; train; five for the initial policy and the trained one


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The clone after the run, and what the run said."""
    clone = copy_repository(tmp_path_factory.mktemp("a path with spaces") / "relax")
    write_gguf(clone / "tiny.gguf")
    (clone / "small.yaml").write_text(SMALL)
    result = snakemake(clone, *OPTIONS)
    assert result.returncode == 0, result.stderr[-5000:]
    return clone, result.stderr


@pytest.mark.slow
def test_a_line_for_each_job_tells_the_whole_and_a_table_the_cost(finished: tuple[Path, str]) -> None:
    _, said = finished
    assert "\x1b" not in said
    counted = [int(n) for n in re.findall(rf"^tiny_lm: (\d+) of {JOBS} jobs, ", said, flags=re.M)]
    assert counted == list(range(1, JOBS + 1))
    assert f"tiny_lm: {JOBS} jobs to run" in said
    assert re.search(r"^tiny_lm: \d+ of \d+ jobs, .*, about \S+ (s|min) left$", said, flags=re.M)
    table = said[said.index("stage ") :].splitlines()
    rows = {line.split()[0]: line.split() for line in table[1 : 1 + len(STAGES)]}
    assert sorted(rows) == sorted(STAGES)
    assert rows["train"][1] == "1"
    assert float(rows["train"][-2]) > 0.2  # GB of a process that has imported torch


@pytest.mark.slow
def test_the_records_say_in_which_format_it_was(finished: tuple[Path, str]) -> None:
    root = finished[0] / "results" / "tiny_lm"
    for place in (
        "train/tiny-lm/relax-sv/seed-1",
        "responses/tiny-lm/relax-sv/seed-1",
        "responses/tiny-lm/initial/seed-0",
    ):
        assert json.loads((root / place / "run.json").read_text())["precision"] == format_here("auto")


@pytest.mark.slow
def test_the_report_shows_what_was_written_before_and_after(finished: tuple[Path, str]) -> None:
    root = finished[0] / "results" / "tiny_lm"
    page = (root / "report.html").read_text()
    section = page[page.index('<section id="samples">') :]
    section = section[: section.index("</section>")]
    assert re.findall(r"<th>(.*?)</th>", section) == ["prompt", "initial", "relax-sv"]
    for writer in ("initial/seed-0", "relax-sv/seed-1"):
        table = pd.read_parquet(root / "latent" / "tiny-lm" / writer / "responses.parquet")
        for row in table[table.kind == "policy"].itertuples():
            assert html.escape(row.prompt) in section
            assert f"{row.response[:5]}" in html.unescape(section)
    assert section.count("<small>wrong</small>") + section.count("<small>right</small>") == 4 * 2


@pytest.mark.slow
def test_the_same_command_has_nothing_more_to_do(finished: tuple[Path, str]) -> None:
    result = snakemake(finished[0], *OPTIONS)
    assert result.returncode == 0
    assert "Nothing to be done" in result.stderr + result.stdout
