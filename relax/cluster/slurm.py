"""What Slurm answers: its commands asked, and read."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from relax.errors import MachineError

#: Seconds for one answer; a controller under load takes a while.
PATIENCE = 60


@dataclass(frozen=True)
class SlurmJob:
    """A job that has not ended: its number, state and the rule it runs."""

    number: str
    state: str
    rule: str


def ask(*command: str) -> str:
    """What a command of Slurm prints.

    Raises:
        MachineError: it is not installed, does not answer or refuses.
    """
    code, text = try_to_ask(*command)
    if code:
        raise MachineError(f"{command[0]} does not answer ({_first_line(text)}); is this a login node of the cluster?")
    return text


def try_to_ask(*command: str) -> tuple[int, str]:
    """Exit code and what a command of Slurm prints, errors included; 127 where it is not installed."""
    if shutil.which(command[0]) is None:
        return 127, f"{command[0]}: not found"
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return 124, f"no answer in {PATIENCE} seconds"
    return ended.returncode, ended.stdout + ended.stderr


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "it says nothing")


def live_jobs(runs: Sequence[str]) -> list[SlurmJob]:
    """Jobs of Snakemake runs that wait, run or are on their way back into the queue.

    Args:
        runs: the plugin's run ids, which are the names of its jobs.

    Raises:
        MachineError: Slurm does not answer.
    """
    if not runs:
        return []
    lines = ask("squeue", "--noheader", "--format=%i|%T|%k", f"--name={','.join(runs)}").splitlines()
    return [SlurmJob(*line.strip().split("|", 2)) for line in lines if line.count("|") >= 2]


# The nodes of a job ---------------------------------------------------------------------------------


def nodes_of_job(job: str, first: str | None) -> list[str]:
    """Names of the nodes of a running job. Asked for, as Snakemake's Slurm plugin hides SLURM_JOB_NODELIST.

    Args:
        job: number.
        first: the node to begin with, where it is one of them.

    Raises:
        MachineError: Slurm does not answer.
    """
    nodes = ask("scontrol", "show", "hostnames", ask("squeue", "--noheader", f"--jobs={job}", "--format=%N").strip())
    return sorted(nodes.split(), key=lambda node: node != first)


def node_address(node: str) -> str:
    """Where a node is reached, which need not be its name."""
    pairs = (pair.split("=", 1) for pair in ask("scontrol", "-o", "show", "node", node).split() if "=" in pair)
    return dict(pairs).get("NodeAddr", node)


# Which runs of Snakemake a results folder has seen and nobody has seen the end of ------------------


def _notes(root: Path) -> Path:
    return root / ".slurm"


def remember_run(root: Path, run: str) -> None:
    """Note that a run submits jobs for this results folder."""
    _notes(root).write_text(run + "\n")


def forget_runs(root: Path) -> None:
    """Every job of the run has ended, and Snakemake knows how."""
    _notes(root).unlink(missing_ok=True)


def unfinished_runs(root: Path) -> list[str]:
    """Run ids whose end nobody has seen."""
    return _notes(root).read_text().split() if _notes(root).exists() else []


def earlier_jobs(root: Path) -> MachineError | None:
    """The refusal to start while jobs of an earlier run are alive; None when there are none.

    A main process that dies leaves its jobs to Slurm; another one would submit the same jobs again beside them.

    Args:
        root: the results folder.
    """
    try:
        alive = live_jobs(unfinished_runs(root))
    except MachineError as error:
        return MachineError(f"{root}: an earlier run may still have jobs in Slurm, and {error}")
    if not alive:
        return None
    numbers = [job.number for job in alive]
    shown = ", ".join(f"{job.rule.removeprefix('rule_')} ({job.state.lower()})" for job in alive[:3])
    more = f" and {len(alive) - 3} more" if len(alive) > 3 else ""
    return MachineError(
        f"{root}: {len(alive)} jobs of an earlier run are still in Slurm: {shown}{more}; wait for them and run the "
        f"same command again, which keeps what they make, or stop them: scancel {' '.join(numbers)}"
    )
