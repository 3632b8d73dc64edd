"""Site settings, what jobs ask for, the pre-flight's reading of Slurm: without a Slurm."""

import os
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from snakemake_executor_plugin_slurm.submit_string import get_submit_command
from snakemake_executor_plugin_slurm.utils import set_gres_string
from snakemake_executor_plugin_slurm.validation import validate_slurm_extra

from relax import config
from relax.cluster import slurm
from relax.cluster.preflight import minutes, preflight, submission
from relax.cluster.resources import RULES, SNAKEMAKE_MB, disk_gb, gpus, needs
from relax.cluster.site import NAMES, Site, read_site, variable
from relax.data.policy_files import billions
from relax.errors import ConfigError, MachineError
from tests.conftest import REPOSITORY
from tests.workflow.workflow_fixture import run

DEMO = REPOSITORY / "config" / "config.yaml"
PAPER = REPOSITORY / "config" / "paper_text.yaml"
EXAMPLE = REPOSITORY / "profiles" / "slurm" / "site.example.yaml"


# The site ---------------------------------------------------------------------------------------


def test_a_fresh_clone_names_what_is_open(tmp_path) -> None:
    site = read_site(tmp_path / "site.yaml", {})
    assert site.unset == ("slurm_account", "cpu_partition", "gpu_partition", "scratch")
    with pytest.raises(ConfigError, match=r"not set for this cluster: slurm_account, cpu_.*RELAX_SCRATCH"):
        site.refuse_unset()


def test_the_example_holds_every_setting_explained_and_leaves_the_same_four_open() -> None:
    text = EXAMPLE.read_text()
    assert set(yaml.safe_load(text)) == set(NAMES)
    assert read_site(EXAMPLE, {}).unset == read_site(Path("nowhere"), {}).unset
    for name in NAMES:
        assert re.search(rf"^{name}:.*# {variable(name)}: ", text, re.M), name
    page = (REPOSITORY / "docs" / "cluster.md").read_text()
    assert [name for name in NAMES if f"| `{name}` | `{variable(name)}` |" not in page] == []


def test_variables_win_over_the_file_and_none_is_an_answer(tmp_path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text("slurm_account: lab\ncpu_partition: 7\ngpu_partition: gpu\nscratch: none\nmax_hours: 24\n")
    site = read_site(file, {"RELAX_GPU_PARTITION": "a100", "RELAX_SLURM_ACCOUNT": "None", "RELAX_SCRATCH": ""})
    assert site == Site(None, "7", "a100", max_hours=24.0)
    site.refuse_unset()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("acount: lab", "unknown key 'acount'; known are slurm_account"),
        ("slurm_account: [a, b]", r"slurm_account is \['a', 'b'\], expected a text"),
        ("cpu_partition: yes", "cpu_partition is true, expected a text or a number"),
        ("max_hours: long", "max_hours of this cluster is 'long', expected a number above 0"),
        ("gpus_per_node: 0.5", "gpus_per_node of this cluster is '0.5', expected a whole number above 0"),
        ("max_hours: .inf", "max_hours of this cluster is 'inf', expected a number above 0"),
        ("max_memory_gb: .nan", "max_memory_gb of this cluster is 'nan', expected a number above 0"),
        ("- lab", "expected keys and values, found a list"),
        ("a: b: c", "not valid YAML"),
    ],
)
def test_a_wrong_site_file_is_one_sentence(tmp_path, text, words) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(text + "\n")
    with pytest.raises(ConfigError, match=words):
        read_site(file, {})


# What jobs ask for ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def paper() -> config.Experiment:
    return config.load([DEMO, PAPER])


@pytest.mark.parametrize(("policy", "count"), [("qwen2.5-3b", 4), ("qwen3-4b-base", 4), ("qwen2.5-7b", 8)])
def test_a_training_takes_the_gpus_that_hold_it(paper, policy, count) -> None:
    assert gpus(paper, "train", policy) == count
    assert [gpus(paper, rule, policy) for rule in ("base", "koopman", "grade", "evaluate")] == [0, 0, 0, 0]
    assert [gpus(paper, rule, policy) for rule in ("dictionary", "extract", "generate")] == [1, 1, 1]
    # The arithmetic of the comment: 20 bytes a parameter shared out, 24 + 25 GB beside it, on GPUs of 80 GB.
    size = paper.policies[policy].hub.parameters
    assert 20 * size / count + 49 < 80
    assert 20 * size / (count / 2) + 49 > 72


def test_the_formula_is_the_documented_one(paper) -> None:
    site = Site("lab", "cpu", "gpu")
    asked = needs(paper, "train", "qwen2.5-7b", 1, site)
    assert asked["mem_mb"] == 1000 * (32 + 6 * 7.62 * 8) + SNAKEMAKE_MB
    assert asked["runtime"] == -(-(120 + 2700 * 7.62 * 3.072 / 8) // 1)
    assert asked["runtime"] / 60 == pytest.approx(200 * 2273 / 3600, rel=0.1)  # Table 6 of the paper
    assert (asked["cpus_per_task"], asked["gpu"], asked["nodes"], asked["tasks_per_gpu"]) == (64, 8, 1, 0)
    assert (asked["slurm_account"], asked["slurm_partition"], asked["gpu_model"]) == ("lab", "gpu", None)
    assert asked["slurm_extra"] == "--signal=USR1@900"
    graded = needs(paper, "grade", "qwen2.5-7b", 1, site)
    assert graded["slurm_partition"] == "cpu"
    assert [graded[name] for name in ("gpu", "nodes", "tasks_per_gpu", "slurm_extra")] == [None] * 4


def test_attempts_grow_up_to_what_the_site_has(paper) -> None:
    grown = [needs(paper, "extract", "qwen2.5-3b", attempt, Site()) for attempt in (1, 2, 3)]
    assert [one["mem_mb"] for one in grown] == [grown[0]["mem_mb"] * n for n in (1, 2, 3)]
    small = needs(paper, "train", "qwen2.5-7b", 3, Site(max_hours=0.5, max_memory_gb=100))
    assert (small["mem_mb"], small["runtime"], small["slurm_extra"]) == (100_000, 30, "--signal=USR1@450")


def test_a_policy_from_scratch_needs_no_gpu_unless_told(tmp_path) -> None:
    (tmp_path / "gpu.yaml").write_text("resources: {train: {gpus: 2}, koopman: {memory_gb: 1}}\n")
    loaded = config.load([DEMO, tmp_path / "gpu.yaml"])
    assert [gpus(loaded, rule, "tiny") for rule in RULES] == [0, 0, 2, 0, 0, 0, 0, 0]
    assert needs(loaded, "koopman", "tiny", 1, Site())["mem_mb"] == 1000 + SNAKEMAKE_MB
    bare = loaded.model_copy(update={"resources": {}})
    assert needs(bare, "koopman", "tiny", 1, Site())["runtime"] == 60  # the default


def test_the_size_of_a_policy_decides_no_output(paper) -> None:
    twice = config.merge(paper.recorded(), {"policies": {"qwen2.5-3b": {"hub": {"parameters": 6.18}}}})
    assert billions(config.check(twice), "qwen2.5-3b") == 2 * billions(paper, "qwen2.5-3b")
    before, after = (config.base_settings(one, "qwen2.5-3b") for one in (paper, config.check(twice)))
    assert config.digest(after) == config.digest(before)


def test_an_unknown_rule_is_refused(tmp_path) -> None:
    (tmp_path / "bad.yaml").write_text("resources: {trian: {gpus: 2}}\n")
    with pytest.raises(ConfigError, match="unknown name 'trian' in resources; did you mean 'train'"):
        config.load([DEMO, tmp_path / "bad.yaml"])


def test_disk_counts_every_trained_policy(paper) -> None:
    models, checkpoints = disk_gb(paper)
    assert models == pytest.approx(4 * (3.09 + 7.62 + 7.62 + 3.21 + 4.02) * 15 * 3)
    assert checkpoints == pytest.approx(2 * 12 * 7.62)


def test_the_table_of_the_documentation_is_what_jobs_ask_for(paper) -> None:
    page = (REPOSITORY / "docs" / "cluster.md").read_text()
    for rule in RULES:
        (row,) = re.findall(rf"^\| {rule} \| (.*) \|$", page, re.M)
        written = [[float(n) for n in re.findall(r"[\d.]+", cell)] for cell in row.split(" | ")]
        for cell, policy in zip(written, ("qwen2.5-3b", "qwen3-4b-base", "qwen2.5-7b"), strict=True):
            asked = needs(paper, rule, policy, 1, Site())
            expected = [asked["gpu"]] if asked["gpu"] else []
            expected += [asked["cpus_per_task"], round(asked["mem_mb"] / 1000), round(asked["runtime"] / 60, 1)]
            assert cell == expected, (rule, policy)


@pytest.mark.parametrize(("rule", "node"), [*((rule, None) for rule in RULES), ("train", 4)])
def test_the_preflight_asks_for_what_the_plugin_submits(paper, rule, node) -> None:
    """The plugin's own command as the oracle: the same options, whatever their spelling."""
    asked = needs(paper, rule, "qwen2.5-7b", 1, Site("lab", "cpu", "gpu", gpu_type="h100", gpus_per_node=node))

    class Resources(dict):
        def __getattr__(self, name: str) -> object:
            return self.get(name)

    job = SimpleNamespace(resources=Resources({k: v for k, v in asked.items() if v is not None}), threads=1)
    validate_slurm_extra(job)
    params = {
        "run_uuid": "run", "slurm_logfile": "log", "comment_str": "rule", "workdir": None,
        "account": f"-A {asked['slurm_account']}", "partition": f"-p {asked['slurm_partition']}",
    }  # fmt: skip
    settings = SimpleNamespace(requeue=True, qos=None, reservation=None)
    command = get_submit_command(job, params, settings=settings) + set_gres_string(job)
    long = {"-A ": "--account=", "-p ": "--partition=", "-t ": "--time=", "--mem ": "--mem="}
    for short, name in long.items():
        command = command.replace(short, name)
    own = ("--parsable", "--job-name", "--output", "--export", "--comment")
    submitted = [word for word in command.split()[1:] if word.startswith("--") and not word.startswith(own)]
    assert sorted(submitted) == sorted(submission(asked))


# Reading Slurm ----------------------------------------------------------------------------------


HEALTHY = {
    "squeue": "true",
    "srun": "true",
    "sbatch": "true",
    "sacctmgr": "printf 'lab\\nother\\n'",
    "sinfo": 'case "$*" in *%P*) printf "cpu*\\ngpu\\n";; *) printf "gpu:h100:8(S:0-1)\\n";; esac',
    "scontrol": """case "$*" in
  ping) echo "Slurmctld(primary) at vm is UP";;
  "show config") printf 'AccountingStorageType   = accounting_storage/slurmdbd\\nMinJobAge = 300 sec\\n'
    printf 'ClusterName = big\\nSLURM_VERSION = 24.11.1\\n';;
  *) echo "PartitionName=$5 MaxTime=7-00:00:00 State=UP";;
esac""",
}
CLUSTER = Site("lab", "cpu", "gpu", gpu_type="h100", max_hours=48)


def found(loaded: config.Experiment, site: Site) -> list[str]:
    return [str(finding) for finding in preflight(loaded, site)]


def test_a_healthy_cluster_has_no_fault(paper, commands) -> None:
    commands(**HEALTHY)
    lines = found(paper, CLUSTER)
    assert [line for line in lines if not line.startswith("ok")] == []
    assert "ok       Slurm 24.11.1, cluster big" in lines
    assert "ok       partition gpu: up, time limit 7-00:00:00" in lines


@pytest.mark.parametrize(
    ("changed", "site", "line"),
    [
        ({"scontrol": "exit 1"}, CLUSTER, "fault    Slurm: its controller does not answer; wait, or ask"),
        ({}, Site(unset=("scratch",)), "fault    site: scratch is not set; fill it in in profiles/slurm/site.yaml or"),
        ({"sacctmgr": "printf 'other\\n'"}, CLUSTER, "fault    account lab: not one of "),
        ({"sacctmgr": "exit 1"}, CLUSTER, "warning  accounting is on, but sacctmgr does not answer"),
        ({}, Site(None, "cpu", "gpu", max_hours=48), "warning  slurm_account is none, "),
        ({}, Site("lab", "cpu", "long", max_hours=48), "fault    partition long: there is none (cpu, gpu); set gpu_"),
        ({}, Site("lab", "cpu", "gpu"), "fault    partition gpu: 7-00:00:00 at most, train qwen3-4b-base, attempt 3 "),
        ({}, Site("lab", "cpu", "gpu", "a100", max_hours=48), "fault    GPUs: no a100 (h100); set gpu_type to one of"),
        (
            {"sbatch": "case $* in *gpus=h100:8*) echo 'allocation failure: no such node' >&2; exit 1;; esac"},
            CLUSTER,
            "fault    jobs train qwen2.5-7b, attempt 1 and 3 more: allocation failure: no such node (sbatch --account",
        ),
    ],
)
def test_each_fault_is_found_with_its_fix(paper, commands, changed, site, line) -> None:
    commands(**HEALTHY | changed)
    lines = found(paper, site)
    assert any(shown.startswith(line) for shown in lines), "\n".join(lines)


def test_without_slurm_it_says_so(paper, commands) -> None:
    (line,) = found(paper, CLUSTER)
    assert line.startswith("fault    Slurm: sbatch, squeue, sinfo, scontrol, srun not found; run this on a login node")


def test_time_limits_are_read() -> None:
    assert [minutes(text) for text in ("01:30:00", "2-00:00:30", "UNLIMITED")] == [90, 2880.5, None]


def test_jobs_of_an_earlier_run_are_named_with_the_way_out(tmp_path, commands) -> None:
    assert slurm.earlier_jobs(tmp_path) is None  # no notes: Slurm is not asked
    slurm.remember_run(tmp_path, "run-1")
    error = slurm.earlier_jobs(tmp_path)
    assert isinstance(error, MachineError)
    assert "may still have jobs in Slurm, and squeue does not answer (squeue: not found)" in str(error)
    commands(squeue="case $* in *--name=run-1*) printf '7|RUNNING|rule_train_a\\n8|PENDING|rule_train_b\\n';; esac")
    words = str(slurm.earlier_jobs(tmp_path))
    assert "2 jobs of an earlier run are still in Slurm: train_a (running), train_b (pending); wait" in words
    assert words.endswith("scancel 7 8")
    commands(squeue="true")
    assert slurm.earlier_jobs(tmp_path) is None
    slurm.forget_runs(tmp_path)
    assert slurm.unfinished_runs(tmp_path) == []


# The shell around a job -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stopped", "state", "asked"), [(True, "RUNNING", True), (True, "COMPLETING", False), (False, "RUNNING", False)]
)
def test_a_job_goes_back_to_the_queue_only_after_a_safe_stop(tmp_path, commands, stopped, state, asked) -> None:
    commands(squeue=f"echo {state}", scontrol=f"echo $* > {tmp_path}/asked; exit 1")
    (tmp_path / ".snakemake").mkdir()
    body = 'touch "$RELAX_STOPPED"; exit 1' if stopped else "exit 1"
    ended = subprocess.run(
        ["sh", "-c", f". {REPOSITORY}/profiles/slurm/job.sh && sh -c '{body}'"],
        cwd=tmp_path,
        env={**os.environ, "SLURM_JOB_ID": "7"},
    )
    assert ended.returncode == 1
    assert (tmp_path / "asked").exists() == asked
    assert not asked or (tmp_path / "asked").read_text() == "requeue 7\n"
    assert not list((tmp_path / ".snakemake").iterdir())


# The doctor -------------------------------------------------------------------------------------


def test_the_doctor_looks_at_this_machine(clone) -> None:
    ended = run(clone, "relax", "doctor")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "ok       configuration demo, results in results/demo" in ended.stdout
    assert re.search(r"ok       \d+ packages are those of envs/c(pu|uda).lock", ended.stdout)


def test_the_doctor_names_what_was_not_fetched(clone) -> None:
    ended = run(clone, "relax", "doctor", "--configfile", "config/paper_text.yaml")
    assert ended.returncode == 4
    assert "fault    hub cache: Qwen/Qwen2.5-3B, " in ended.stdout
    assert "relax fetch with the same --configfile" in ended.stdout


def test_the_doctor_says_what_is_wrong_with_a_configuration(clone) -> None:
    (clone / "bad.yaml").write_text("trainig: {steps: 3}\n")
    ended = run(clone, "relax", "doctor", "--configfile", "bad.yaml")
    assert ended.returncode == 2
    assert "fault    bad.yaml, line 1: unknown key 'trainig'" in ended.stdout
