"""Killed, stopped, started twice: a run goes on and ends with the numbers of one that was left alone."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.latent.dsd_fixture import relax
from tests.workflow.workflow_fixture import ENVIRONMENT, overlay, run, snakemake

pytestmark = pytest.mark.slow
#: Long enough to be hit in the middle.
LONGER = "training: {steps: 40, checkpoint_every: 4}\n"


def train_command(smoke: Path, out: Path) -> list[str]:
    root = smoke / "results" / "smoke"
    (smoke / "longer.yaml").write_text(LONGER)
    return [
        "relax", "train", "--configfile", "config/config.yaml", "config/smoke.yaml", "longer.yaml",
        "--policy", "tiny", "--method", "relax-sv", "--seed", "1", "--data", f"{root}/data/train.jsonl",
        "--base", f"{root}/base/tiny/model", "--dictionary", f"{root}/dictionary/tiny",
        "--checkpoints", f"{out}/checkpoints", "--out", f"{out}/result", "--log", f"{out}/log",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def straight(smoke, tmp_path_factory) -> tuple[bytes, list[dict], str]:
    out = tmp_path_factory.mktemp("straight")
    result = run(smoke, *train_command(smoke, out))
    assert result.returncode == 0, result.stderr
    return outcome(out)


def outcome(out: Path) -> tuple[bytes, list[dict], str]:
    """The weights' bytes, the metrics without what a clock measured, and the sample of rollouts."""
    rows = [json.loads(line) for line in (out / "result" / "metrics.jsonl").read_text().splitlines()]
    numbers = [{k: v for k, v in row.items() if not k.startswith("seconds/")} for row in rows]
    sample = (out / "result" / "rollouts.jsonl").read_text()
    return (out / "result" / "model" / "model.safetensors").read_bytes(), numbers, sample


def start(smoke: Path, out: Path) -> subprocess.Popen:
    return subprocess.Popen(train_command(smoke, out), cwd=smoke, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)


def in_this_process(folder: Path, command: list[str]) -> str:
    """What a command that ends well says; without its log file, and without loading TRL once more."""
    code, text = relax_in(folder, command)
    assert code == 0, text
    return text


def relax_in(folder: Path, command: list[str]) -> tuple[int, str]:
    words = command[1 : command.index("--log")]
    with contextlib.chdir(folder):
        return relax(*words)


def wait_for_checkpoint(out: Path, step: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while not list(out.glob(f"checkpoints/*/checkpoint-{step}/complete")):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_killed_run_goes_on_and_ends_bit_for_bit_the_same(smoke, straight, tmp_path) -> None:
    process = start(smoke, tmp_path)
    wait_for_checkpoint(tmp_path, 8, process)
    process.kill()
    process.wait()
    assert not list((tmp_path / "result").iterdir())
    # As if the kill had come during a checkpoint: one without its mark must not be used.
    (newest,) = tmp_path.glob("checkpoints/*/checkpoint-8")
    broken = newest.with_name("checkpoint-99")
    broken.mkdir()
    (broken / "model.safetensors").write_bytes(b"half")
    again = in_this_process(smoke, train_command(smoke, tmp_path))
    assert "going on from checkpoint-" in again
    assert "checkpoint-99" not in again
    weights, numbers, sample = outcome(tmp_path)
    assert numbers == straight[1]
    assert weights == straight[0]
    assert sample == straight[2]
    assert not list(tmp_path.glob("checkpoints/*"))


def test_a_signal_stops_at_a_safe_point_with_its_own_exit_code(smoke, straight, tmp_path) -> None:
    """One run, stopped by either signal in turn."""
    for number, step in ((signal.SIGTERM, 4), (signal.SIGUSR1, 20)):
        process = start(smoke, tmp_path)
        wait_for_checkpoint(tmp_path, step, process)
        process.send_signal(number)
        _, text = process.communicate(timeout=60)
        assert process.returncode == 75
        assert "stopped safely after step" in text
        assert "Traceback" not in text
    in_this_process(smoke, train_command(smoke, tmp_path))
    assert outcome(tmp_path) == straight


def test_the_stage_goes_on_before_a_damaged_checkpoint_and_never_starts_again_by_itself(
    smoke, straight, tmp_path, monkeypatch, caplog
) -> None:
    """In this process: stopped after a step, and two checkpoints are there."""
    from relax import config
    from relax.errors import DataError, Interrupted
    from relax.records.record import Run
    from relax.training.train_stage import train_stage

    train_command(smoke, tmp_path)
    monkeypatch.chdir(smoke)
    caplog.set_level("INFO", "relax")
    loaded = config.load(["config/config.yaml", "config/smoke.yaml", "longer.yaml"])
    settings, root = config.train_settings(loaded, "relax-sv"), Path("results/smoke")
    inputs = [root / "data/train.jsonl", root / "base/tiny/model", root / "dictionary/tiny"]

    def stage(checkpoints: Path, stop: Path | None = None) -> None:
        def tell(row: dict[str, float]) -> None:
            if stop and row["step"] == 9:
                stop.touch()

        made = Run("train", {}, settings.recorded(), inputs)
        train_stage(settings, 1, *inputs, tmp_path / "result", checkpoints, made, "t", tell, stop)

    with pytest.raises(Interrupted):
        stage(tmp_path / "checkpoints", tmp_path / "stop")
    (folder,) = (tmp_path / "checkpoints").iterdir()
    older, newest = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    (newest / "optimizer.pt").unlink()
    lost = tmp_path / "lost" / folder.name
    shutil.copytree(folder, lost)
    (lost / older.name / "trainer_state.json").write_text("{")
    for _ in range(2):
        with pytest.raises(DataError, match=r"none of its checkpoints is whole \(.*\); remove them to start"):
            stage(tmp_path / "lost")
    assert {path.name for path in lost.iterdir() if path.is_dir()} == {f"damaged-{p.name}" for p in (older, newest)}
    assert not list((tmp_path / "result").iterdir())
    caplog.clear()
    stage(tmp_path / "checkpoints")
    assert f"{newest}: damaged (optimizer.pt is missing); it is not used, and kept as damaged-{newest.name}." in (
        caplog.messages
    )
    assert f"t: going on from {older.name}" in caplog.messages
    assert outcome(tmp_path) == straight
    assert not list((tmp_path / "checkpoints").iterdir())


def test_a_second_process_on_the_same_folder_is_refused(smoke, tmp_path) -> None:
    process = start(smoke, tmp_path)
    try:
        wait_for_checkpoint(tmp_path, 4, process)
        process.send_signal(signal.SIGSTOP)  # or it might be done before the second has started
        code, text = relax_in(smoke, train_command(smoke, tmp_path))
        assert code == 4
        assert "another process trains in this folder" in text
    finally:
        process.kill()
        process.wait()


def test_a_killed_pipeline_goes_on_without_an_unlock(smoke) -> None:
    """Everything from the pipeline down is killed with -9 in the middle of training."""
    options = overlay(smoke, "killed.yaml", "name: killed\nmatrix: {methods: [relax-sv]}\n" + LONGER)
    process = subprocess.Popen(
        ["snakemake", *options, "--cores", "2"], cwd=smoke, env=ENVIRONMENT, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    root = smoke / "results" / "killed"
    deadline = time.monotonic() + 300
    while not list(root.glob("checkpoints/tiny/relax-sv/seed-1/*/checkpoint-4/complete")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGSTOP)  # else it may be done with the training before the second one has begun
    second = snakemake(smoke, *options, "--cores", "2")
    assert second.returncode == 4
    assert "results/killed: another pipeline works in this folder" in second.stderr
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = [root / part / "run.json" for part in ("data", "base/tiny", "dictionary/tiny")]
    made = {p: p.stat().st_mtime_ns for p in done}
    again = snakemake(smoke, *options, "--cores", "2")
    assert again.returncode == 0, again.stderr[-3000:]
    assert "going on from checkpoint-" in again.stderr
    assert (root / "report.html").exists()
    assert {p: p.stat().st_mtime_ns for p in made} == made
