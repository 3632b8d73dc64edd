"""Runs on one machine: memory that jobs share, the time left of the whole, and what each stage has cost."""

import json
import logging
from pathlib import Path

import pytest

from relax import config
from relax.cluster.local import SCRATCH_MB, Outlook, costs, job_mb, machine_mb, reference_seconds
from relax.cluster.resources import needs
from relax.cluster.site import Site
from tests.conftest import REPOSITORY


def test_a_containers_limit_counts_and_no_limit_does_not(tmp_path: Path) -> None:
    (tmp_path / "none").write_text("max\n")
    (tmp_path / "limit").write_text("2000000000\n")
    whole = machine_mb([])
    total = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    assert whole == pytest.approx(int(total.split()[1]) * 1024 / 1e6, abs=1)
    assert machine_mb([str(tmp_path / "none"), str(tmp_path / "absent")]) == whole
    assert machine_mb([str(tmp_path / "none"), str(tmp_path / "limit")]) == 2000


def test_two_trainings_of_the_language_model_share_16_gb_and_not_8(tmp_path: Path) -> None:
    # Its size is read from its file, which is not here; that of the hub's is written in.
    text = f"{{hub: {{repo: a/b, revision: {'a' * 40}, parameters: 0.1345}}}}"
    (tmp_path / "hub.yaml").write_text(f"matrix: {{policies: [hub]}}\npolicies: {{hub: {text}}}\n")
    files = [REPOSITORY / "config" / name for name in ("config.yaml", "demo_lm.yaml")]
    loaded = config.load([*files, tmp_path / "hub.yaml"])
    asked = needs(loaded, "train", "hub", 1, Site())["mem_mb"]
    assert 5000 < asked < 6000  # a training was measured below 6 GB
    assert 2 * job_mb(loaded, "hub", asked, 8000) > 8000
    assert 2 * job_mb(loaded, "hub", asked, 16000) <= 16000
    assert job_mb(loaded, "hub", asked, 4000) == 4000  # alone, rather than never


def test_a_policy_from_scratch_keeps_nobody_waiting() -> None:
    loaded = config.load([REPOSITORY / "config" / "config.yaml"])
    asked = needs(loaded, "train", "tiny", 1, Site())["mem_mb"]
    assert job_mb(loaded, "tiny", asked, 8000) == SCRATCH_MB < asked


# The time left ------------------------------------------------------------------------------------


class Run:
    """An outlook with a clock that the test moves, and what it says."""

    def __init__(self, jobs: list[str], expected: dict[str, float], side_by_side: int = 2) -> None:
        self.now = 0.0
        self.said: list[str] = []
        self.outlook = Outlook("demo_lm", jobs, expected, side_by_side, lambda: self.now, self.said.append)

    def log(self, **facts: object) -> None:
        self.outlook.emit(logging.makeLogRecord({"levelno": logging.INFO, **facts}))

    def job(self, number: int, rule: str, seconds: float) -> None:
        self.log(event="job_info", jobid=number, rule_name=rule)
        self.now += seconds
        self.log(event="job_finished", job_id=number)


def test_every_finished_job_says_how_far_the_whole_is() -> None:
    run = Run(["data", "train", "train", "report"], {"data": 60, "train": 600})
    assert run.said == ["demo_lm: 4 jobs to run, about 10.6 min left"]  # (60 + 2 x 600 + 10) / 2
    run.job(1, "data", 120)  # half as fast as the reference: (60 + 120) / (60 + 60) = 1.5
    assert run.said[-1] == "demo_lm: 1 of 4 jobs, 2.0 min, about 15.1 min left"
    run.job(2, "train", 600)
    assert run.said[-1] == "demo_lm: 2 of 4 jobs, 12.0 min, about 10.0 min left"  # no less than the longest job
    run.job(3, "train", 660)
    run.job(4, "report", 5)
    assert run.said[-1] == "demo_lm: 4 of 4 jobs, 23.1 min"
    assert not any("\x1b" in line or "\n" in line for line in run.said)


def test_what_a_running_job_has_done_is_taken_off() -> None:
    run = Run(["train", "data"], {"train": 600, "data": 60}, side_by_side=2)
    run.log(event="job_info", jobid=1, rule_name="train")
    run.job(2, "data", 60)
    assert run.said[-1] == "demo_lm: 1 of 2 jobs, 1.0 min, about 9.0 min left"


def test_without_a_reference_no_time_is_invented_for_a_training() -> None:
    run = Run(["data", "train", "train"], {})
    run.job(1, "data", 10)
    assert run.said == ["demo_lm: 3 jobs to run", "demo_lm: 1 of 3 jobs, 10 s"]
    run.job(2, "train", 100)
    assert run.said[-1] == "demo_lm: 2 of 3 jobs, 1.8 min, about 1.7 min left"


def test_what_is_no_job_of_the_run_says_nothing() -> None:
    run = Run(["data"], {})
    run.log(event="progress", done=1, total=2)
    run.log(msg="a message")
    run.job(9, "all", 1)
    assert len(run.said) == 1


def test_the_reference_gives_the_mean_of_each_verb(tmp_path: Path) -> None:
    runs = [{"verb": "train", "wall_seconds": 10}, {"verb": "train", "wall_seconds": 30}]
    (tmp_path / "runs.json").write_text(json.dumps({"runs": runs}))
    assert reference_seconds(tmp_path) == {"train": 20}
    assert reference_seconds(tmp_path / "none") == {}
    assert reference_seconds(REPOSITORY / "results/reference/demo")["train"] == pytest.approx(78, abs=1)  # stages.md


# The cost of each stage ---------------------------------------------------------------------------


def test_costs_are_summed_by_stage_and_the_peak_is_the_largest(tmp_path: Path) -> None:
    head = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
    (tmp_path / "train/a/grpo").mkdir(parents=True)
    (tmp_path / "data.tsv").write_text(head + "0.4\t0:00:00\tNA\tNA\tNA\tNA\tNA\tNA\tNA\tNA\n")
    for seed, peak in ((1, 5200.0), (2, 4000.0)):
        row = f"90.0\t0:01:30\t{peak}\t0\t0\t0\t0\t0\t99\t60.0\n"
        (tmp_path / f"train/a/grpo/seed-{seed}.tsv").write_text(head + row)
    assert costs(tmp_path).splitlines() == [
        "stage  jobs     time  CPU time  peak memory",
        "data      1    < 1 s       0 s       0.0 GB",
        "train     2  3.0 min   2.0 min       5.2 GB",
    ]
    assert costs(tmp_path / "none") == ""
