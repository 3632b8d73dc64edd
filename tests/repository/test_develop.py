"""The worked examples of docs/develop-examples.md: each block in its place, and then what the page says happens."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from relax import config
from relax.config.benchmarks import check_tasks
from relax.evaluation import backends
from relax.evaluation.evaluate_stage import evaluate_stage
from relax.evaluation.generate_stage import generate_stage
from relax.evaluation.grade_stage import grade_stage
from relax.evaluation.response import Response
from relax.records.record import Run
from relax.training.trl_arguments import trainer_arguments
from tests.conftest import REPOSITORY
from tests.workflow.workflow_fixture import planned

BASE = REPOSITORY / "config" / "config.yaml"
PAGE = (REPOSITORY / "docs" / "develop-examples.md").read_text()
#: File -> content.
BLOCKS = dict(re.findall(r"^File `([^`]+)`:\n\n```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


def put(folder: Path, *names: str) -> list[Path]:
    """Blocks of the page written below a folder."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(BLOCKS[name])
    return [folder / name for name in names]


def test_every_block_of_a_file_is_run_by_a_test() -> None:
    assert sorted(BLOCKS) == [
        "fractions.jsonl", "fractions.yaml", "gentle.yaml", "relax/tasks/reversal.py", "reversal.yaml",
        "with_fractions.yaml",
    ]  # fmt: skip


#: In a process of its own, as the tasks are found when the package is imported.
TASK = """
import json, sys
from pathlib import Path
import relax
from relax import cli, config
from relax.config.benchmarks import read_task
from relax.data.problem_files import read_problems
from relax.records.code import code_of
from relax.training.rewards import correctness
from relax.training.train_stage import _series

here = Path(relax.__file__).parents[1]
files = ["config/config.yaml", "reversal.yaml", "small.yaml"]
assert cli.main(["data", "--configfile", *files[:2], "--out", "data"]) == 0
assert cli.main(["base", "--configfile", *files, "--policy", "tiny", "--out", "base"]) == 0
problems = read_problems("data/test.jsonl")
logged = {}
responses = [p.answer for p in problems[:10]] + [p.prompt[:-1] + "a" for p in problems[10:]]
rewards = correctness([p.prompt for p in problems], responses, [p.answer for p in problems],
                      [p.source for p in problems], log_metric=logged.__setitem__)
base = config.base_settings(config.load(files), "tiny").recorded()
print(json.dumps({
    "here": str(here), "problems": [len(read_problems("data/train.jsonl")), len(problems)],
    "subset": len({p.prompt for p in problems}), "rewards": rewards, "logged": logged,
    "kept": _series([{"step": 1, "grad_norm": 0.5, "other": 1.0, **logged}]),
    "base": {key: base[key] for key in ("source", "length")}, "benchmark": read_task("reversal")["task"],
    "code": code_of("data", {"source": "reversal"}) != code_of("data", {"source": "noisy-sum"}),
    "tokens": sorted(json.loads(Path("base/model/tokenizer.json").read_text())["model"]["vocab"]),
}))
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the package and of its base configuration, with the task in its place."""
    shutil.copytree(REPOSITORY / "relax", tmp_path / "relax", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "config").mkdir()
    shutil.copy(BASE, tmp_path / "config")
    put(tmp_path, "relax/tasks/reversal.py", "reversal.yaml")
    (tmp_path / "small.yaml").write_text("policies: {tiny: {scratch: {warmup: {demonstrations: 64, steps: 2}}}}")
    return tmp_path


def run(tree: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=tree, env=os.environ | {"PYTHONPATH": str(tree)}, capture_output=True, text=True, check=False
    )


def test_a_task_is_one_file(tree: Path) -> None:
    ended = run(tree, sys.executable, "-c", TASK)
    assert ended.returncode == 0, ended.stderr[-3000:]
    found = json.loads(ended.stdout.splitlines()[-1])
    assert found == {
        "here": str(tree), "problems": [150, 20], "subset": 20, "rewards": [1.0] * 10 + [0.0] * 10,
        "kept": [{"step": 1, "grad_norm": 0.5, "reversal/length": 0.5}],
        "logged": {"reversal/length": 0.5},
        "base": {"source": "reversal", "length": 6}, "benchmark": "reversal",
        "code": True, "tokens": sorted(["<pad>", "<eos>", *"abcd:"]),
    }  # fmt: skip


def test_a_value_of_the_tasks_settings_is_checked_as_every_other(tree: Path) -> None:
    (tree / "wrong.yaml").write_text("data: {source: reversal,\n  reversal: {lenght: 6}}\n")
    files = ("config/config.yaml", "wrong.yaml")
    ended = run(tree, sys.executable, "-m", "relax", "data", "--configfile", *files, "--out", "out")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "wrong.yaml, line 2: unknown key 'lenght'; did you mean 'length'" in ended.stderr


def test_the_tasks_file_is_written_as_the_others(tree: Path) -> None:
    shutil.copy(REPOSITORY / "pyproject.toml", tree)
    for words in (("check",), ("format", "--check")):
        ended = run(tree, sys.executable, "-m", "ruff", *words, "relax/tasks/reversal.py")
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_method_is_a_block_of_the_configuration_and_both_are_planned(clone: Path, tmp_path: Path) -> None:
    (file,) = put(clone, "gentle.yaml")
    loaded = config.load([BASE, file])
    put(clone, "with_fractions.yaml", "fractions.yaml", "fractions.jsonl")
    jobs = planned(clone, "--configfile", "gentle.yaml", "with_fractions.yaml")
    policies = 3 * 2  # methods x seeds
    # The initial policy answers the benchmarks too.
    assert (jobs["train"], jobs["generate"], jobs["evaluate"]) == (policies, policies + 1, policies + 1)
    arguments = trainer_arguments(config.train_settings(loaded, "gentle"), 1, tmp_path, tmp_path)
    assert (arguments.alpha, arguments.spectrum, arguments.kl_mode, arguments.beta, arguments.xi) == (
        0.003, "singular_values", "uniform", 0.01, None,
    )  # fmt: skip
    plain = trainer_arguments(config.train_settings(loaded, "grpo"), 1, tmp_path, tmp_path)
    changed = {f.name for f in fields(arguments) if getattr(arguments, f.name) != getattr(plain, f.name)}
    assert changed == {"alpha", "spectrum", "kl_mode", "beta"}


class Answers:
    """Boxes the same answer to every question."""

    def answer(self, prompts: list[str], *_: object) -> list[Response]:
        return [Response(r"\boxed{\frac{5}{6}}", 9, "stop") for _ in prompts]


def test_a_benchmark_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scratch_settings: dict) -> None:
    from relax.models.scratch import make_text_model, make_tokenizer

    monkeypatch.chdir(tmp_path)
    put(tmp_path, "fractions.yaml", "fractions.jsonl", "with_fractions.yaml")
    loaded = config.load([BASE, tmp_path / "with_fractions.yaml"])
    check_tasks({name: asked.task for name, asked in loaded.benchmarks.items()})
    config.check_local_files(loaded)
    tokenizer = make_tokenizer("".join(map(chr, range(32, 127))) + "\n", 512)
    make_text_model(scratch_settings, tokenizer, 512).save_pretrained("policy")
    tokenizer.save_pretrained("policy")
    monkeypatch.setattr(backends, "load_backend", lambda *_: Answers())
    settings = config.generate_settings(loaded)
    settings = settings.model_copy(update={"benchmarks": {"fractions": settings.benchmarks["fractions"]}})
    made = Run("generate", {}, settings.recorded(), ["policy"])
    generate_stage(settings, "policy", "data", "responses", made, "test")
    grade_stage("responses", "grades", Run("grade", {}, {}), "test")
    evaluate_stage(settings, "grades", "scores", Run("evaluate", {}, settings.recorded()))
    scores = json.loads((tmp_path / "scores/fractions/scores.json").read_text())
    assert (scores["problems"], scores["metrics"]["mean@1"]["value"]) == (3, pytest.approx(2 / 3))
