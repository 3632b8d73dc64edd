"""`relax cost`: the workflow's own jobs, times and disk that hold."""

import re
from collections import Counter

import pytest

from relax import config
from relax.cluster.cost import cost
from relax.cluster.plan import LOCAL, STAGES, PlannedJob, jobs, schedule
from relax.errors import ConfigError
from relax.progress import duration
from tests.conftest import REPOSITORY
from tests.workflow.workflow_fixture import planned, run

DEMO = REPOSITORY / "config" / "config.yaml"
PAPER = REPOSITORY / "config" / "paper_text.yaml"


@pytest.mark.parametrize("overlay", ["smoke", "paper_text", "ablations"])
def test_it_counts_the_jobs_that_snakemake_plans(clone, overlay) -> None:
    file = f"config/{overlay}.yaml"
    counted = Counter(job.rule for job in jobs(config.load([clone / "config/config.yaml", clone / file])))
    assert counted == planned(clone, "--configfile", file)
    assert set(counted) == set(STAGES)


def test_without_methods_nothing_is_trained(clone) -> None:
    """Hidden states are read of the policies that share a dictionary alone."""
    files = [f"config/{name}.yaml" for name in ("paper_text", "released")]
    counted = Counter(
        job.rule for job in jobs(config.load([clone / "config/config.yaml", *(clone / f for f in files)]))
    )
    assert counted == planned(clone, "--configfile", *files)
    policies = counted["base"]
    assert counted["generate"] == counted["grade"] == counted["evaluate"] == policies
    assert "train" not in counted
    assert [counted[rule] for rule in ("dictionary", "extract", "koopman")] == [1, 2, 2]
    assert f"{policies} policies, 0 methods" in cost([clone / f for f in files])


def test_a_job_waits_for_what_it_reads_and_for_room() -> None:
    all_jobs = jobs(config.load([DEMO, PAPER]))
    times = schedule(all_jobs, lambda job: 0.0 if job.rule in LOCAL else 1.0 + job.gpus, 20, 32)
    for job in all_jobs:
        assert all(times[needed][1] <= times[job][0] for needed in job.after), job
    for moment, _ in times.values():
        running = [job for job, (begins, ends) in times.items() if begins <= moment < ends]
        assert sum(job.rule not in LOCAL for job in running) <= 20
        assert sum(job.gpus for job in running) <= 32
    # Trainings take nearly all: no plan ends before their GPU hours fit, a good one not long after.
    work = sum(job.gpus * (1 + job.gpus) for job in all_jobs) / 32
    end = max(ends for _, ends in times.values())
    assert work <= end < 1.15 * work


def test_a_plan_worked_out_by_hand() -> None:
    first = PlannedJob("base", ("p",), 0, ())
    long, short = (PlannedJob("train", ("p", name, "1"), 4, (first,)) for name in ("long", "short"))
    other = PlannedJob("generate", ("p", "initial", "0"), 1, (first,))
    last = PlannedJob("tables", (), 0, (long, short, other))
    hours = {first: 1.0, long: 5.0, short: 2.0, other: 3.0, last: 0.5}
    times = schedule([first, long, short, other, last], hours.__getitem__, 10, 5)
    # Five GPUs: one training and the responses fit together, the other training follows.
    expected = {first: (0, 1), long: (1, 6), other: (1, 4), short: (6, 8), last: (8, 8.5)}
    assert times == expected
    assert schedule([first, long, short, other, last], hours.__getitem__, 1, None)[last] == (11, 11.5)
    with pytest.raises(ConfigError, match="--gpus 3: train p alone takes 4; give as many"):
        schedule([first, long], hours.__getitem__, 10, 3)


def test_the_plan_of_the_paper_adds_up(monkeypatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    rows = table(cost([PAPER]))
    loaded = config.load([DEMO, PAPER])
    # Of Table 6's time a generation the GPU hours of the three 7B policies follow: 45 trainings each, eight GPUs.
    sevens = 2 * 45 * 8 * (120 + 2700 * 7.62 * 3.072 / 8) / 60
    threes = sum(45 * 4 * (120 + 2700 * size * 3.072 / 4) / 60 for size in (3.09, 3.21, 4.02))
    assert number(rows["train"][4]) == pytest.approx(sevens + threes, rel=1e-3)
    assert f"{4 * (3.09 + 2 * 7.62 + 3.21 + 4.02) * 45:,.0f} GB" in rows["train"]
    assert number(rows["all"][1]) == len(jobs(loaded))
    # Fewer GPUs: nothing is cheaper, everything is later.
    fewer = table(cost([PAPER], gpus=16))
    assert fewer["train"][4] == rows["train"][4]
    assert number(fewer["all"][-1]) > number(rows["all"][-1])


@pytest.mark.parametrize("plan", ["core", "core_small", "abstract"])
def test_the_page_has_what_the_smaller_plans_take(plan: str, monkeypatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    page = (REPOSITORY / "docs" / "cluster.md").read_text()
    _, trainings, training, gpu_hours, disk = re.findall(
        rf"^\| `({plan})` \|(.*?)\|(.*?)\|(.*?)\|(.*?)\|$", page, re.M
    )[0]
    (command,) = re.findall(rf"^relax cost --configfile (.*config/{plan}\.yaml)$", page, re.M)
    rows = table(cost([REPOSITORY / file for file in command.split()]))
    assert rows["train"][1] == trainings.strip()
    assert f"{rows['train'][2]} GPU{'s' * (rows['train'][2] != '1')}, {rows['train'][3]}" == training.strip()
    assert (gpu_hours.strip(), disk.strip()) == (rows["all"][2], rows["all"][4])


def table(text: str) -> dict[str, list[str]]:
    """Cells of the rows, by stage."""
    return {cells[0]: cells for line in text.splitlines() if len(cells := re.split(r"\s{2,}", line)) > 1}


def number(cell: str) -> float:
    return float(cell.split()[0].replace(",", ""))


@pytest.mark.slow
def test_what_has_run_is_measured(smoke) -> None:
    ended = run(smoke, "relax", "cost", "--configfile", "config/smoke.yaml", "--jobs", "2")
    assert ended.returncode == 0, ended.stderr
    assert "means of the jobs that have ended in results/smoke. " in ended.stdout
    said = {line.split()[0]: line for line in ended.stdout.splitlines() if line}
    seconds = [
        float(path.read_text().split("\n")[1].split()[0])
        for path in (smoke / "results/smoke/timings/train").rglob("*.tsv")
    ]
    assert duration(sum(seconds) / len(seconds)) in said["train"]


@pytest.mark.slow
def test_the_disk_of_statistics_is_what_they_take(smoke) -> None:
    from relax.cluster.cost import _trajectories

    loaded = config.load([smoke / "config/config.yaml", smoke / "config/smoke.yaml"])
    dimension = loaded.dictionary.koopman_dim
    file = smoke / "results/smoke/latent/tiny/relax-sv/seed-1/statistics.safetensors"
    expected = _trajectories(loaded) * 16 * 3 * dimension**2
    assert expected == pytest.approx(file.stat().st_size, rel=0.1)


def test_wrong_numbers_are_refused(clone) -> None:
    for option in (["--gpus", "0"], ["--jobs", "two"]):
        ended = run(clone, "relax", "cost", *option)
        assert ended.returncode == 2
        assert "expected a whole number of at least 1" in ended.stderr
    ended = run(clone, "relax", "cost", "--configfile", "missing.yaml")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "relax cost: missing.yaml: no such configuration file.\n"
