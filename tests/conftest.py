"""What tests share: quiet threads, no network, a tiny policy."""

import os

# Before torch and the hub libraries are imported by any test.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TQDM_DISABLE"] = "1"
for _name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
    os.environ[_name] = "1"

import socket  # noqa: E402
from pathlib import Path  # noqa: E402

import pytest  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """For `make test`, which runs them side by side: a file stays together, as its fixtures are costly, and all files
    that look at the smoke run are one group, the first, as they take longest."""
    looking = {item.path for item in items if "smoke" in getattr(item, "fixturenames", ())}
    for item in items:
        item.add_marker(pytest.mark.xdist_group("smoke" if item.path in looking else item.path.name))
    items.sort(key=lambda item: item.path not in looking)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any connection out of this machine is a defect of the test or of the code."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


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
    from relax.data.noisy_sum import ALPHABET
    from relax.models.scratch import make_model, make_tokenizer

    folder = tmp_path_factory.mktemp("policy")
    tokenizer = make_tokenizer(ALPHABET)
    make_model(scratch_settings, tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository in a path with spaces, in which nothing has run."""
    from workflow_fixture import copy_repository

    return copy_repository(tmp_path_factory.mktemp("a path with spaces") / "relax")


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another copy, after the smoke configuration has run to its end: results/smoke is whole."""
    from workflow_fixture import ENVIRONMENT, PLANTED, copy_repository, snakemake

    clone = copy_repository(tmp_path_factory.mktemp("a path with spaces") / "relax")
    result = snakemake(clone, "--configfile", "config/smoke.yaml", "--cores", "2", env={**ENVIRONMENT, **PLANTED})
    assert result.returncode == 0, result.stderr[-5000:]
    return clone
