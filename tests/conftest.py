"""What tests share: quiet threads, no network, a tiny policy."""

import os
import re
import shutil

# Before torch and the hub libraries are imported by any test.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TQDM_DISABLE"] = "1"
for _name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
    os.environ[_name] = "1"

import socket  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable, Generator  # noqa: E402
from pathlib import Path  # noqa: E402

import pytest  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[1]


def overlays(path: Path) -> list[Path]:
    """A shipped configuration behind those that its first lines say it goes over."""
    said = re.search(r"Goes over (.*?)[,:]", path.read_text().partition("\nname:")[0])
    return [*(path.with_name(name) for name in re.findall(r"config/(\w+\.yaml)", said[1] if said else "")), path]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`make test` hands out whole files to processes, in this order: the long ones first."""
    long = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in long)


#: Whoever asks for one of these alone (`-m cuda`) wants its tests to run.
LANES = ("browser", "cuda", "long", "reasoning_gym", "slurm_trouble")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that is skipped says so; in a lane of its own it fails, and so does the command that runs the lane."""
    report = yield
    if report.skipped and item.config.option.markexpr in LANES:
        reason = report.longrepr[2].removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"-m {item.config.option.markexpr} cannot run this test here: {reason}"
    return report


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any connection out of this machine is a defect of the test or of the code."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Stubs of Slurm's commands, alone on the path: name -> shell text."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "rm", "sleep", "touch"):
        (folder / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(folder))

    def write(**texts: str) -> None:
        for name, text in texts.items():
            (folder / name).write_text(f"#!/bin/sh\n{text}\n")
            (folder / name).chmod(0o755)

    return write


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path, None, None]:
    """An empty current folder for modules of a user, by these names; they are forgotten again."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] in ("mine", "lab", "examples")]:
        del sys.modules[name]


@pytest.fixture(scope="session")
def scratch_settings() -> dict:
    """A policy of the tiniest useful size."""
    return {
        "seed": 0, "hidden_size": 32, "layers": 2, "heads": 2, "key_value_heads": 1, "intermediate_size": 64,
        "initializer_range": 0.06, "rope_theta": 100,
    }  # fmt: skip


@pytest.fixture(scope="session")
def tiny_policy(tmp_path_factory: pytest.TempPathFactory, scratch_settings: dict) -> Path:
    """Folder of an untrained tiny policy with its tokenizer."""
    from relax.models.scratch import make_text_model, make_tokenizer
    from relax.tasks.noisy_sum import ALPHABET

    folder = tmp_path_factory.mktemp("policy")
    tokenizer = make_tokenizer(ALPHABET)
    make_text_model(scratch_settings, tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository in a path with spaces, in which nothing has run."""
    from tests.workflow.workflow_fixture import copy_repository

    return copy_repository(tmp_path_factory.mktemp("a path with spaces") / "relax")


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another copy, after the smoke configuration has run to its end: results/smoke is whole. Of several processes of
    `make test` one runs it, and each has a copy of its own."""
    from relax.files import lock
    from tests.workflow.workflow_fixture import ENVIRONMENT, PLANTED, copy_repository, snakemake

    def run(folder: Path) -> Path:
        planted = {**ENVIRONMENT, **PLANTED}  # test_secrets looks for these in all that the run leaves
        result = snakemake(copy_repository(folder), "--configfile", "config/smoke.yaml", "--cores", "2", env=planted)
        assert result.returncode == 0, result.stderr[-5000:]
        return folder

    own = tmp_path_factory.mktemp("a path with spaces") / "relax"
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return run(own)
    common = tmp_path_factory.getbasetemp().parent
    with lock(common / "smoke.lock", wait=True):
        if not (common / "smoke.done").exists():
            run(common / "smoke run")
            (common / "smoke.done").touch()
    shutil.copytree(common / "smoke run", own, symlinks=True)
    return own


@pytest.fixture(scope="session")
def all_runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """(root, config) of an invented experiment: five methods, two seeds, everything finished."""
    from tests.results.results_fixture import config_of, make_results

    root = tmp_path_factory.mktemp("all") / "synthetic"
    return root, make_results(root, config_of())


@pytest.fixture(scope="session")
def one_seed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """The same, of which the first of two seeds is finished for three of five methods."""
    from tests.results.results_fixture import config_of, make_results

    root = tmp_path_factory.mktemp("one") / "synthetic"
    return root, make_results(root, config_of(), [("tiny", m, 1) for m in ("grpo", "relax", "relax-sv")])


@pytest.fixture(scope="session")
def no_runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """The same, of which nothing has run: the folder does not exist."""
    from tests.results.results_fixture import config_of

    return tmp_path_factory.mktemp("none") / "synthetic", config_of()


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without runs; MLflow takes seconds to make one."""
    from mlflow.tracking import MlflowClient

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def results(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A results folder of two seeds made in one pipeline run, nothing exported to its empty store."""
    from tests.store.export_fixture import seed

    monkeypatch.setattr("sys.argv", ["relax", "train"])
    monkeypatch.setenv("RELAX_PIPELINE_RUN", "20260102T030405Z-abcdef")
    monkeypatch.setenv("RELAX_PIPELINE_COMMAND", "snakemake --cores 2")
    root = tmp_path / "results" / "my demo"
    for number in (1, 2):
        seed(root, number)
    shutil.copyfile(empty_store, root / "mlflow.db")
    return root
