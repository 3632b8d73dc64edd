"""What a user does with parts of their own: the programs of examples/, and the blocks of README and docs/use.md."""

import hashlib
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from relax import config
from tests.conftest import REPOSITORY
from tests.latent.dsd_fixture import relax
from tests.workflow.workflow_fixture import ENVIRONMENT, run

EXAMPLES = REPOSITORY / "examples"
USE, README = REPOSITORY / "docs" / "use.md", REPOSITORY / "README.md"
#: The example at its smallest.
SMALL = """
matrix: {methods: [gspo]}
policies: {small: {scratch: {warmup: {demonstrations: 64, steps: 2}}}}
dictionary: {rollouts: 16, probes: 4}
training: {steps: 2, prompts_per_step: 2, rollouts_per_prompt: 2, checkpoint_every: 1}
data: {test_problems: 4}
benchmarks: {mine: {samples: 0}}
"""


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.M | re.DOTALL)


def script(folder: Path, name: str) -> str:
    environment = ENVIRONMENT | {"PYTHONPATH": str(REPOSITORY)}
    ended = run(folder, sys.executable, str(EXAMPLES / name), env=environment)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout


def test_the_training_runs_as_it_is_and_earns_more(tmp_path: Path) -> None:
    said = script(tmp_path, "train.py")
    found = re.search(r"^mean reward: ([\d.]+) in the first five steps, ([\d.]+) in the last five$", said, flags=re.M)
    assert found, said
    assert float(found[2]) > float(found[1]) + 0.1


def test_the_dsd_of_a_model_runs_as_it_is(tmp_path: Path) -> None:
    rows = [line.split() for line in script(tmp_path, "dsd.py").splitlines()]
    (head,) = [number for number, row in enumerate(rows) if row[:1] == ["temperature"]]
    assert [row[0] for row in rows[head + 1 :]] == ["0.5", "1.0", "1.5"]
    assert all(float(value) > 0 for row in rows[head + 1 :] for value in row[1:])


def test_an_experiment_of_ones_own_goes_from_its_data_to_its_score(own_folder: Path) -> None:
    shutil.copytree(EXAMPLES, "examples", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(REPOSITORY / "config", "config")
    Path("small.yaml").write_text(SMALL)
    files = ["--configfile", "config/config.yaml", "examples/pipeline/mine.yaml", "small.yaml"]
    of_run = ["--policy", "small", "--method", "gspo", "--seed", "1"]

    def stage(verb: str, *words: str, out: str) -> dict[str, Any]:
        code, text = relax(verb, *files, *words, "--out", out)
        assert code == 0, text
        return json.loads((Path(out) / "run.json").read_text())

    stage("data", out="data")
    stage("base", "--policy", "small", out="base")
    stage("dictionary", "--policy", "small", "--base", "base/model", "--data", "data/train.jsonl", out="dictionary")
    inputs = ["--data", "data/train.jsonl", "--base", "base/model", "--dictionary", "dictionary"]
    train = stage("train", *of_run, *inputs, "--checkpoints", "checkpoints", out="train")
    stage("generate", *of_run, "--model", "train/model", "--data", "data/test.jsonl", out="responses")
    grade = stage("grade", *of_run, "--responses", "responses", out="grades")
    code, text = relax("evaluate", *files, *of_run, "--grades", "grades", "--out", "scores")
    assert code == 0, text

    source = hashlib.sha256(Path("examples/pipeline/rewards.py").read_bytes()).hexdigest()
    own = "examples.pipeline.rewards"
    assert train["settings"]["sources"] == {f"{own}:right_answer": source, f"{own}:brevity": source}
    assert train["settings"]["method"]["trl"] == {"importance_sampling_level": "sequence"}
    rows = [json.loads(line) for line in Path("train/metrics.jsonl").read_text().splitlines()]
    assert {"reward", "reward/brevity"} <= set(rows[-1])
    sampled = [json.loads(line) for line in Path("train/rollouts.jsonl").read_text().splitlines()]
    assert [row["brevity"] for row in sampled] == pytest.approx([1 / (1 + len(row["response"])) for row in sampled])
    assert grade["settings"] == {"verifiers": {"mine": f"{own}:last_number"}, "sources": {f"{own}:last_number": source}}
    scores = json.loads(Path("scores/mine/scores.json").read_text())
    assert (scores["problems"], scores["metrics"]["no_box@1"]["value"]) == (4, 0)

    # A checkpoint of another reward is not gone on with: its folder has another name.
    before = config.digest(config.train_settings(config.load(files[1:]), "gspo"))
    with Path("examples/pipeline/rewards.py").open("a") as file:
        file.write("# another\n")
    assert config.digest(config.train_settings(config.load(files[1:]), "gspo")) != before


def test_the_workflow_plans_the_example(clone: Path) -> None:
    from tests.workflow.workflow_fixture import planned

    jobs = planned(clone, "--configfile", "examples/pipeline/mine.yaml")
    assert (jobs["train"], jobs["grade"]) == (3, 4)
    (clone / "nowhere.yaml").write_text("training: {rewards: [nowhere:short], reward_weights: null}\n")
    refused = run(clone, "snakemake", "-n", "--configfile", "examples/pipeline/mine.yaml", "nowhere.yaml")
    assert refused.returncode != 0
    assert "nowhere.yaml, line 1: nowhere:short: there is no module 'nowhere'" in refused.stderr + refused.stdout
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("page", [README, USE], ids=["README", "use"])
def test_the_python_of_the_page_is_a_program_that_trains(page: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLES)
    from tiny_model import tiny_model

    program = "\n".join(blocks(page, "python"))
    for said, small in (
        ('"Qwen/Qwen2.5-0.5B-Instruct"', repr(tiny_model(str(tmp_path / "tiny")))),
        ("max_steps=100", 'max_steps=1, report_to="none"'),
        ("max_completion_length=256", "max_completion_length=16"),
    ):
        assert program.count(said) == 1
        program = program.replace(said, small)
    scope: dict[str, Any] = {}
    exec(compile(program, str(page), "exec"), scope)
    assert scope["trainer"].state.global_step == 1
    if page == USE:
        assert [scope["last_number"]("12:", text, "3") for text in ("1+2=3", "1+2=4")] == [True, False]


def test_the_blocks_of_the_page_are_parts_of_the_example() -> None:
    whole = yaml.safe_load((EXAMPLES / "pipeline" / "mine.yaml").read_text())
    parts = [yaml.safe_load(block) for block in blocks(USE, "yaml") if "examples" in block or "methods" in block]
    assert len(parts) == 5

    def holds(value: Any, part: Any) -> bool:
        if isinstance(part, dict):
            return isinstance(value, dict) and all(name in value and holds(value[name], part[name]) for name in part)
        return value == part

    assert [part for part in parts if not holds(whole, part)] == []
    named = re.findall(r"\bexamples/[\w/]+\.\w+", USE.read_text() + README.read_text())
    assert len(named) > 5
    assert [name for name in named if not (REPOSITORY / name).is_file()] == []
