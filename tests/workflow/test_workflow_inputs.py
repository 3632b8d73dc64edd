"""What the workflow sees of the world outside it: local files, the code that decides, configurations that are none."""

import json
import os
import shutil

import pytest

from relax.records.record import digest_path
from tests.workflow.workflow_fixture import ENVIRONMENT, overlay, planned, run, snakemake


@pytest.mark.slow
def test_an_edited_verifier_reruns_all_from_the_grade_on_and_no_training(smoke) -> None:
    path = smoke / "relax" / "tasks" / "noisy_sum.py"
    text = path.read_text()
    try:
        path.write_text(text.replace('if response == "="', 'if response == ":="'))
        plan = planned(smoke, "--configfile", "config/smoke.yaml", env={**ENVIRONMENT, "PYTHONPATH": str(smoke)})
    finally:
        path.write_text(text)
    assert plan == {"grade": 3, "evaluate": 3, **dict.fromkeys(("tables", "figures", "report", "track"), 1)}


@pytest.mark.slow
def test_a_cut_benchmark_file_reruns_what_reads_it(smoke, tmp_path) -> None:
    folder = shutil.copytree(smoke, tmp_path / "copy", symlinks=True)
    rows = folder / "bench.jsonl"
    rows.write_text("row\n" * 20)
    options = overlay(
        folder, "local.yaml", "benchmarks: {noisy-sum: {task: gsm8k, path: bench.jsonl, greedy: true, samples: 2}}\n"
    )
    assert snakemake(folder, "--touch", "--cores", "1", *options).returncode == 0
    rows.write_text("row\n" * 5)
    os.utime(rows, (0, 0))  # an older file, as `cp -p` brings one
    assert planned(folder, *options) == {
        "overlap": 1, "generate": 3, "grade": 3, "evaluate": 3,
        **dict.fromkeys(("tables", "figures", "report", "track"), 1),
    }  # fmt: skip


@pytest.mark.slow
def test_a_changed_file_of_a_policy_makes_the_policy_again(clone, tiny_policy) -> None:
    shutil.copytree(tiny_policy, clone / "mine")
    options = overlay(clone, "mine.yaml", "name: own_policy\nmatrix: {policies: [p]}\npolicies: {p: {path: mine}}\n")
    target = ("--", "results/own_policy/base/p/run.json")
    made = snakemake(clone, "--cores", "1", *options, *target)
    assert made.returncode == 0, made.stderr
    assert planned(clone, *options, *target) == {}
    weights = clone / "mine" / "model.safetensors"
    record = json.loads((clone / "results" / "own_policy" / "base" / "p" / "run.json").read_text())
    assert record["inputs"]["mine/model.safetensors"] == digest_path(weights)
    os.utime(weights, (0, 0))  # an older file, as `cp -p` brings one
    assert planned(clone, *options, *target) == {"base": 1}
    shutil.rmtree(clone / "mine")
    gone = snakemake(clone, "-n", *options, *target)
    assert gone.returncode == 3
    assert "mine.yaml, line 3: mine: no such folder" in gone.stderr
    assert "Traceback" not in gone.stderr


@pytest.mark.slow
def test_local_files_are_inputs_of_rules_and_records(clone) -> None:
    problems = [{"q": f"What is {i} plus {i + 1}?", "a": str(2 * i + 1)} for i in range(200)]
    questions = [
        {"question": f"{i} apples and {i} more are", "answer": f"So {2 * i}.\n#### {2 * i}"} for i in range(20)
    ]

    def write(name: str, rows: list[dict]) -> None:
        (clone / name).write_text("".join(json.dumps(row) + "\n" for row in rows))

    write("rows.jsonl", problems)
    write("bench.jsonl", questions)
    options = overlay(
        clone,
        "local.yaml",
        """\
name: local
matrix: {benchmarks: [own]}
data:
  {source: hub, test_problems: 20, datasets: [
    {repo: mine, revision: unpinned, split: train, prompt: q, answer: a, path: rows.jsonl}]}
benchmarks: {own: {task: gsm8k, path: bench.jsonl, rows: 20, greedy: true}}
""",
    )
    target = ("--", "results/local/overlap/run.json")
    made = snakemake(clone, "--cores", "1", *options, *target)
    assert made.returncode == 0, made.stderr
    for stage, name in (("data", "rows.jsonl"), ("overlap", "bench.jsonl")):
        record = json.loads((clone / "results" / "local" / stage / "run.json").read_text())
        assert record["inputs"][name] == digest_path(clone / name)
        assert set(record["code"]) == {"relax"}
    write("bench.jsonl", questions[:5])
    assert planned(clone, *options, *target) == {"overlap": 1}
    write("rows.jsonl", problems[:100])
    assert planned(clone, *options, *target) == {"data": 1, "overlap": 1}
    (clone / "rows.jsonl").unlink()
    gone = snakemake(clone, "-n", *options, *target)
    assert gone.returncode == 3
    assert "local.yaml, line 5: rows.jsonl: no such file" in gone.stderr
    assert "Traceback" not in gone.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Config file must be given as JSON or YAML with keys at top level."),
        ("- name: x\n", "Config file must be given as JSON or YAML with keys at top level."),
        ("a: [\n", "Config file is not valid JSON or YAML."),
        (None, "No such file or directory: 'own.yaml'"),
    ],
)
def test_what_snakemake_itself_cannot_read_ends_before_this_workflow_is_asked(clone, text, words) -> None:
    """Its own words, which name no file but a missing one; `relax doctor` names it."""
    (clone / "own.yaml").unlink(missing_ok=True)
    if text is not None:
        (clone / "own.yaml").write_text(text)
    ended = snakemake(clone, "--configfile", "own.yaml", "--cores", "1")
    assert ended.returncode == 1
    assert words in ended.stderr
    if text != "":  # an overlay of no keys changes nothing
        told = run(clone, "relax", "doctor", "--configfile", "own.yaml")
        assert told.returncode == 2
        assert told.stdout.startswith("fault    own.yaml")
