"""`snakemake --config key=value`: an overlay file in the results folder, which the jobs and their records name."""

import json
import shlex

import yaml

from tests.workflow.workflow_fixture import run, snakemake

SMALL = ("--config", "name=typed", "data={train_problems: 20, test_problems: 5}", "training={steps: 5}")
RECORD = "results/typed/data/run.json"


def test_what_is_typed_is_a_file_that_a_job_reads(clone) -> None:
    planned = snakemake(clone, "-n", "-p", RECORD, *SMALL)
    assert planned.returncode == 0, planned.stderr
    (file,) = (clone / "results/typed").glob("config-*.yaml")
    assert yaml.safe_load(file.read_text()) == {
        "name": "typed", "data": {"train_problems": 20, "test_problems": 5}, "training": {"steps": 5},
    }  # fmt: skip
    line = f"relax data --configfile config/config.yaml results/typed/{file.name} --out results/typed/data"
    assert line in planned.stdout + planned.stderr

    before = file.stat().st_mtime_ns
    made = snakemake(clone, "--cores", "1", RECORD, *SMALL)
    assert made.returncode == 0, made.stderr
    assert file.stat().st_mtime_ns == before
    record = json.loads((clone / RECORD).read_text())
    assert record["settings"]["train_problems"] == 20
    assert f"results/typed/{file.name}" in record["arguments"]
    assert "--config" in record["pipeline"]["command"]
    why = run(clone, "relax", "why", "results/typed/data")
    assert f"results/typed/{file.name}" in why.stdout

    # The same job, pasted into a shell; and nothing to do for the same words.
    pasted = run(clone, *shlex.split(line), "--log", "pasted.log")
    assert pasted.returncode == 0, pasted.stderr
    again = snakemake(clone, "-n", RECORD, *SMALL)
    assert "Nothing to be done" in again.stdout + again.stderr
    other = snakemake(clone, "-n", RECORD, "--config", "name=typed", "data={train_problems: 21, test_problems: 5}")
    assert other.returncode == 2
    assert "results/typed: its data was made with another configuration" in other.stderr


def test_a_key_that_does_not_exist_is_one_sentence(clone) -> None:
    result = snakemake(clone, "-n", "--config", "trainig={steps: 3}")
    assert result.returncode == 2
    assert "--config: unknown key 'trainig'; did you mean 'training'." in result.stderr
    assert "Traceback" not in result.stderr
