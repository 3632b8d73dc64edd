"""The processes of a training: who ends whom, and two that train on this machine (gloo)."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from relax.cluster import launch, processes
from relax.cluster.launch import Command, Plan
from relax.errors import DataError, Interrupted, MachineError
from relax.records.record import read_record
from tests.cluster.launch_fixture import TWO, accelerated, alive, begin, outcome, train_words
from tests.cluster.slurm_fixture import wait_until

# Who ends whom ------------------------------------------------------------------------------------


NOTE = """
import sys
from relax.cluster import processes
from relax.errors import {kind}
processes.note({kind}("{text}"))
sys.exit(1)
"""
SLEEP = "import time; time.sleep(600)"
SERVER = """
import http.server, sys, threading, time
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *words): pass
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer)
threading.Thread(target=server.serve_forever, daemon=True).start()
time.sleep(float(sys.argv[2]))
sys.exit(3)
"""


def python(text: str, *words: str, **environment: str) -> Command:
    return Command("here", (sys.executable, "-c", text, *words), environment)


@pytest.fixture
def _quick(monkeypatch) -> None:
    monkeypatch.setattr(processes, "GRACE", 1)
    monkeypatch.setattr(processes, "LOOK", 0.05)


def started(folder: Path, *trainers: Command, server: Command | None = None, address: str | None = None) -> None:
    processes.run(Plan(trainers, server, address), folder / "checkpoints", "train x", folder / "log")


@pytest.mark.usefixtures("_quick")
def test_all_end_well_and_nothing_is_left(tmp_path, caplog) -> None:
    caplog.set_level("INFO", "relax")
    say = "from relax.cluster import processes; processes.spoken('said').write_text('half the way\\n')"
    started(tmp_path, python(say, RANK="0"), python("pass", RANK="1"))
    assert caplog.messages == ["half the way"]
    assert list((tmp_path / "checkpoints").iterdir()) == []


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize(
    ("texts", "kind", "words"),
    [
        ([NOTE.format(kind="Interrupted", text="stopped safely")] * 2, Interrupted, "stopped safely"),
        ([NOTE.format(kind="DataError", text="no rows"), SLEEP], DataError, "no rows"),
        ([SLEEP, "raise SystemExit(1)"], MachineError, r"a process ended without a word \(exit code 1\), and so did"),
        (["import os; os.kill(os.getpid(), 9)", SLEEP], MachineError, r"without a word \(exit code -9\).*log\.rank\*"),
        (
            [NOTE.format(kind="Interrupted", text="stopped safely"), NOTE.format(kind="DataError", text="no rows")],
            DataError,
            "no rows",
        ),
    ],
    ids=["stopped", "one fails", "one ends", "one is killed", "a fault counts before a stop"],
)
def test_the_first_error_is_that_of_the_training_and_ends_all(tmp_path, texts, kind, words) -> None:
    begin = time.monotonic()
    marker = str(tmp_path / "marker")
    with pytest.raises(kind, match=words):
        started(tmp_path, *(python(text, marker, RANK=str(rank)) for rank, text in enumerate(texts)))
    assert alive(Path(marker)) == {}
    assert time.monotonic() - begin < 300  # they would have slept for 600
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path) -> None:
    (tmp_path / "checkpoints").write_text("a file")
    with pytest.raises(MachineError, match=r"checkpoints/launch-\d+: cannot write there \(Not a directory\)"):
        started(tmp_path, python("pass"))


@pytest.mark.usefixtures("_quick")
def test_the_server_is_up_before_the_training_and_gone_after_it(tmp_path) -> None:
    port, marker = launch.free_port(), str(tmp_path / "marker")
    address = f"http://127.0.0.1:{port}"
    ask = f"import urllib.request; assert urllib.request.urlopen('{address}/health').status == 200"
    started(tmp_path, python(ask), server=python(SERVER, str(port), "600", marker), address=address)
    assert alive(Path(marker)) == {}


@pytest.mark.usefixtures("_quick")
def test_a_server_that_ends_ends_the_training_with_a_sentence(tmp_path) -> None:
    port = str(launch.free_port())
    address = f"http://127.0.0.1:{port}"
    words = r"the vLLM server ended before the training began \(exit code 5; its messages are in .*log\.vllm\)"
    with pytest.raises(MachineError, match=words):
        started(tmp_path, python(SLEEP), server=python("print('no GPU'); raise SystemExit(5)"), address=address)
    assert (tmp_path / "log.vllm").read_text() == "no GPU\n"
    with pytest.raises(MachineError, match=r"train x: the vLLM server ended during the training \(exit code 3; "):
        started(tmp_path, python(SLEEP, str(tmp_path)), server=python(SERVER, port, "2"), address=address)
    assert alive(tmp_path) == {}


def test_a_warning_that_comes_before_the_training_listens_is_kept(tmp_path) -> None:
    text = "from relax.cluster import processes; processes.listen(); print('ready', flush=True); input()"
    started = subprocess.Popen(
        [sys.executable, "-c", text], env={**os.environ, launch.FOLDER: str(tmp_path)}, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    started.stdout.readline()
    started.send_signal(signal.SIGUSR1)
    started.communicate("\n", timeout=60)
    assert started.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["stop"]


# Two processes that train -------------------------------------------------------------------------


def after_a_checkpoint(process: subprocess.Popen, folder: Path, step: int) -> None:
    newest = re.compile(r"checkpoint-(\d+)")

    def there() -> bool:
        steps = [int(newest.search(str(path))[1]) for path in folder.glob("*/checkpoint-*/complete")]
        return process.poll() is not None or max(steps, default=0) >= step

    wait_until(there, "a checkpoint", 300)


@pytest.mark.slow
def test_two_processes_train_what_accelerate_launch_does_and_stop_and_go_on(smoke, tmp_path) -> None:
    expected = outcome(accelerated(smoke, tmp_path / "accelerate", TWO))
    words = train_words(smoke, tmp_path / "own", TWO)
    stopped = tmp_path / "stopped"
    written = tmp_path / "own" / "checkpoints"
    for step in (2, 13):  # the second one in a later epoch
        process = begin(smoke, words, RELAX_STOPPED=str(stopped))
        after_a_checkpoint(process, written, step)
        if step == 2:  # the launcher alone, then Slurm's warning: every process of the job
            process.send_signal(signal.SIGTERM)
        else:
            for pid in (process.pid, *alive(tmp_path / "own")):
                os.kill(pid, signal.SIGUSR1)
        _, said = process.communicate(timeout=120)
        assert process.returncode == 75, said
        assert "stopped safely after step" in said
        assert "Traceback" not in said
        assert stopped.exists()
        stopped.unlink()
        assert alive(tmp_path / "own") == {}
    newest = max(written.glob("*/checkpoint-*"), key=lambda path: int(path.name.removeprefix("checkpoint-")))
    os.truncate(newest / "rollouts_1.pt", 100)
    last = begin(smoke, words)
    _, said = last.communicate(timeout=300)
    assert last.returncode == 0, said
    assert f"{newest.name}: damaged (rollouts_1.pt has 100 bytes instead of " in said
    assert "going on from checkpoint-" in said
    assert "18 of 18 steps" in said
    assert outcome(tmp_path / "own" / "out") == expected
    assert list(written.iterdir()) == []
    record = read_record(tmp_path / "own" / "out")
    assert record["processes"] == {"count": 2, "nodes": 1, "way": "multi_cpu", "vllm_gpus": 0}


@pytest.mark.slow
def test_a_fault_of_the_processes_is_one_sentence_with_its_exit_code(smoke, tmp_path) -> None:
    words = train_words(smoke, tmp_path, TWO.replace("steps: 18", "steps: 18, micro_batch: 16"))
    ended = begin(smoke, words)
    _, said = ended.communicate(timeout=300)
    assert (ended.returncode, said.count("\n")) == (2, 1), said
    assert said.startswith("relax train: a step's 80 responses do not divide into micro-batches of 16 on 2 devices")
