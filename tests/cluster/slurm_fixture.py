"""A real Slurm of this machine's own, Snakemake run on it, and what was executed where."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.workflow.workflow_fixture import ENVIRONMENT

START = REPOSITORY / "tests" / "cluster" / "slurm" / "start.sh"
PACKAGES = {"slurmctld": "slurm-wlm", "slurmd": "slurm-wlm", "munged": "munge"}
ACCOUNTING = {"slurmdbd": "slurmdbd", "mariadbd": "mariadb-server"}
#: Seconds that anything may take on a busy machine.
PATIENCE = 1800
#: The training of the scenarios.
TARGET = "results/smoke/train/tiny/relax-sv/seed-1"


def missing(accounting: bool) -> str | None:
    """Why no Slurm can be started here; None where it can."""
    if os.geteuid():
        return "a Slurm of the test's own needs root"
    tools = PACKAGES | (ACCOUNTING if accounting else {})
    absent = [tool for tool in tools if shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None]
    if absent:
        names = " ".join(dict.fromkeys(["slurm-wlm", "slurm-wlm-basic-plugins", "munge", *tools.values()]))
        return f"no {', '.join(absent)}; apt-get install --no-install-recommends {names}"
    probe = subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True, text=True)
    return f"no namespaces of its own: {probe.stderr.strip()}" if probe.returncode else None


def free_block(size: int = 8) -> int:
    """The first of so many neighbouring ports that nobody uses."""
    for first in range(16817 + os.getpid() % 500 * size, 40000, size):
        try:
            for port in range(first, first + size):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise AssertionError("no free ports")


def wait_until(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Wait for a condition, for as long as a busy machine may need."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.2)


class Cluster:
    """A running Slurm in a mount and process namespace of its own; every process of it ends with it.

    Partitions: cpu (c1, c2), gpu (g1, two fake GPUs), urgent (g1, takes them away), spare (s1, s2), closed.
    """

    def __init__(self, accounting: bool = False) -> None:
        # Not below pytest's own folder, which munged's user may not enter.
        self.folder = Path(tempfile.mkdtemp(prefix="relax-slurm-"))
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
        command += [str(START), str(self.folder), str(free_block())] + (["--accounting"] if accounting else [])
        environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        line = self._process.stdout.readline().strip()
        if line != "ready":
            raise AssertionError(f"no Slurm: {line} {self._process.communicate()[1]}")
        self._first = children(self._process.pid)[0]

    def stop(self) -> None:
        """End it; the kernel ends what it has started."""
        self._process.stdin.close()
        self._process.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, folder: Path, *command: str, **environment: str) -> subprocess.Popen:
        """A command on the cluster's login node."""
        return subprocess.Popen(
            # In the background of a shell SIGINT is ignored, and so it would be here.
            ["nsenter", "--mount", "--pid", f"--target={self._first}", "env", "--default-signal=INT",
             f"--chdir={folder}", *command],
            env={**ENVIRONMENT, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def run(self, *command: str, folder: Path = Path("/"), **environment: str) -> str:
        """What a command prints; it must succeed."""
        process = self.start(folder, *command, **environment)
        text, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, f"{command}: {text}"
        return text

    def show(self, job: str) -> dict[str, str]:
        """What Slurm knows of a job."""
        return dict(
            pair.split("=", 1) for pair in self.run("scontrol", "-o", "show", "job", job).split() if "=" in pair
        )

    def kill_node(self, name: str) -> None:
        """As if its power was cut: its slurmd and whatever runs there, with -9."""
        running = {job.split()[0] for job in self.run("squeue", "-h", "-w", name, "-o", "%i %T").splitlines()}
        for pid in (int(entry) for entry in os.listdir("/proc") if entry.isdigit()):
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                own = Path(f"/proc/{pid}/environ").read_bytes()
                same = os.readlink(f"/proc/{pid}/ns/pid") == os.readlink(f"/proc/{self._first}/ns/pid")
            except OSError:
                continue
            step = words.startswith("slurmstepd") and words.split("[")[-1].split(".")[0] in running
            daemon = words.split() == ["slurmd", "-N", name]
            if same and (step or daemon or f"SLURMD_NODENAME={name}\0".encode() in own + b"\0"):
                os.kill(pid, signal.SIGKILL)


def trainings(clone: Path, variable: str = "") -> list[int]:
    """Process ids of the processes that train below a clone; of those with a variable in their environment."""
    found = {}
    for pid in (int(entry) for entry in os.listdir("/proc") if entry.isdigit()):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
            own = Path(f"/proc/{pid}/environ").read_text(errors="replace").split("\0")
            here = os.readlink(f"/proc/{pid}/cwd") == str(clone)
            parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        program = [Path(word).name for word in words[:6]]  # of torch's own: python -u -m relax train
        if here and {"relax", "train"} <= set(program) and (not variable or variable in own):
            found[pid] = parent
    return [pid for pid, parent in found.items() if parent not in found]  # not what they have forked


def stands_still(pid: int) -> bool:
    """Whether a process is stopped, and no SIGUSR1 waits for it."""
    try:
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    except OSError:
        return False
    return status["State"].startswith("T") and not int(status["ShdPnd"], 16) >> signal.SIGUSR1 - 1 & 1


def children(pid: int) -> list[int]:
    """Child processes, once there are any."""
    listing = Path(f"/proc/{pid}/task/{pid}/children")
    wait_until(lambda: listing.read_text().split(), f"a child of process {pid}", 60)
    return [int(child) for child in listing.read_text().split()]


@dataclass
class Experiment:
    """A clone in which Snakemake runs on a cluster; executions of ``relax`` are noted.

    Attributes:
        cluster: the Slurm.
        clone: the repository's copy.
        configfiles: after config/config.yaml.
        site: settings of the site, by variable.
    """

    cluster: Cluster
    clone: Path
    configfiles: tuple[str, ...]
    site: dict[str, str]

    def environment(self, fail: str = "") -> dict[str, str]:
        tools = self.clone.parent / "tools"
        tools.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / "tests" / "cluster" / "slurm" / "relax", tools / "relax")
        return {
            "PATH": f"{tools}:{ENVIRONMENT['PATH']}",
            "PYTHONPATH": str(self.clone),
            "RELAX_TEST_NOTES": str(self.clone.parent / "executions"),
            "RELAX_TEST_REAL": str(Path(sys.executable).parent / "relax"),
            "RELAX_TEST_FAIL": fail,
            **self.site,
        }

    def snakemake(self, *targets: str, fail: str = "", seconds: int = 10) -> subprocess.Popen:
        """`snakemake --profile slurm` as a user types it, but that it looks sooner whether jobs have ended."""
        return self.cluster.start(
            self.clone, "snakemake", "--profile", "slurm", "--configfile", *self.configfiles,
            "--slurm-init-seconds-before-status-checks", str(seconds), "--", *targets, **self.environment(fail),
        )  # fmt: skip

    def finish(self, process: subprocess.Popen) -> str:
        """Its output, after it has ended well."""
        text, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, text[-6000:]
        return text

    def main_process(self, process: subprocess.Popen) -> int:
        """Process id of the Snakemake itself, as this machine counts."""
        return children(process.pid)[0]

    def executions(self) -> list[tuple[str, str, str]]:
        """(node, Slurm job, words) of every execution of ``relax``; ``-`` on the login node."""
        notes = self.clone.parent / "executions"
        lines = notes.read_text().splitlines() if notes.exists() else []
        return [tuple(line.split(" ", 2)) for line in lines]

    def counts(self) -> Counter[str]:
        """Executions by verb, method and seed."""

        def label(words: str) -> str:
            typed = words.split()
            named = [typed[typed.index(f"--{key}") + 1] for key in ("method", "seed") if f"--{key}" in typed]
            return " ".join([typed[0], *named])

        return Counter(label(words) for _, _, words in self.executions())

    def of(self, verb: str) -> list[tuple[str, str]]:
        """(node, Slurm job) of the executions of a verb."""
        return [(node, job) for node, job, words in self.executions() if words.split()[0] == verb]

    def training(self) -> subprocess.Popen:
        """Snakemake started, the training of :data:`TARGET` in the middle."""
        process = self.snakemake(f"{TARGET}/run.json")
        wait_until(lambda: process.poll() is not None or self._checkpoints(), "a checkpoint")
        assert process.poll() is None, process.stdout.read()
        return process

    def warn(self, pids: list[int]) -> None:
        """Slurm's warning of the time limit for the training that is under way, in the middle of its work.

        Its processes stand still until the warning comes, with which they go on, and the limit comes near only then:
        the training is not done before it on a quick machine, and has begun before it on a slow one.
        """
        assert pids
        _, job = self.of("train")[-1]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        shown = self.cluster.show(job)
        hours, minutes, _ = map(int, shown["RunTime"].split(":"))
        self._limit(job, str(60 * hours + minutes + 2))
        wait_until(lambda: not all(map(stands_still, pids)), "Slurm's warning", 300)
        self._limit(job, shown["TimeLimit"])
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def _limit(self, job: str, limit: str) -> None:
        """Another time limit; for a moment Slurm refuses it, as long as a job that it starts again ends."""
        words = ("scontrol", "update", f"JobId={job}", f"TimeLimit={limit}")
        wait_until(lambda: self.cluster.start(Path("/"), *words).wait() == 0, f"a time limit of {limit}", 120)

    def _checkpoints(self) -> list[Path]:
        return list(self.clone.glob("results/smoke/checkpoints/tiny/relax-sv/seed-1/*/checkpoint-*/complete"))


class Scenarios:
    """Clones with the smoke run's foundation, and scenarios under way in threads.

    Args:
        cluster: for all of them.
        smoke: a finished smoke run.
        folder: of the clones.
        site: settings of the site, by variable.
    """

    def __init__(self, cluster: Cluster, smoke: Path, folder: Path, site: dict[str, str]) -> None:
        self.cluster, self.smoke = cluster, smoke
        self._folder, self._site = folder, site
        self._pool = ThreadPoolExecutor(16)
        self._running: dict[str, Future] = {}

    def experiment(self, name: str, text: str, **site: str) -> Experiment:
        """A clone in which everything but the training of ``text`` is done."""
        clone = self._folder / name / "a clone"
        shutil.copytree(self.smoke, clone, symlinks=True)
        (clone / "scenario.yaml").write_text(text)
        return Experiment(self.cluster, clone, ("config/smoke.yaml", "scenario.yaml"), {**self._site, **site})

    def begin(self, *scenarios: Callable[["Scenarios"], Experiment]) -> None:
        """Side by side."""
        for scenario in scenarios:
            self._running[scenario.__name__] = self._pool.submit(scenario, self)

    def end(self, name: str) -> Experiment:
        """Of the scenario with this name; raises what it raised."""
        return self._running[name].result(PATIENCE)
