"""Tokens and passwords, planted in a whole pipeline run and in what fails, are in no file and in no line."""

import base64
import shutil
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.store.store_fixture import mlflow_server
from tests.workflow.workflow_fixture import ENVIRONMENT, PLANTED, overlay, run, snakemake

pytestmark = pytest.mark.slow
#: What stands in the address of a server.
ADDRESS = {"user": "addressUser", "password": "addressPassword"}
SECRETS = [*PLANTED.values(), *ADDRESS.values()]


def forms(secret: str) -> list[bytes]:
    """A secret as it is, and within longer text in base64, as pages embed files and HTTP sends passwords."""
    found = [secret.encode()]
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + secret.encode())
        found.append(encoded[(8 * before + 5) // 6 : (8 * (before + len(secret))) // 6])
    return found


def leaks(*folders: Path, text: str = "", but: tuple[str, ...] = ()) -> list[str]:
    """Files, or "text", that hold a planted secret."""
    files = {
        path.as_posix(): path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and path.name not in but
    }
    files["text"] = text.encode()
    assert text or len(files) > 50
    return [name for name, content in files.items() for s in SECRETS if any(form in content for form in forms(s))]


def test_the_search_finds_what_is_planted(tmp_path: Path) -> None:
    for number, form in enumerate((b"plantedBearer", base64.b64encode(b"abplantedBearer, x"), b"no secret")):
        (tmp_path / f"{number}.pkl").write_bytes(b"\x00\xff" + form)
    assert leaks(tmp_path, text="x") == [f"{tmp_path}/0.pkl", f"{tmp_path}/1.pkl"]


def test_a_run_of_the_pipeline_keeps_none(smoke: Path) -> None:
    """Records, logs, MLflow's store and artefacts, report, tables, Snakemake's memory and logs."""
    kept = [smoke / ".snakemake", smoke / "results"]
    assert all((smoke / path).exists() for path in (".snakemake/metadata", "results/smoke/mlartifacts"))
    assert leaks(*kept) == []


def test_a_server_whose_address_has_a_password(smoke: Path, tmp_path: Path) -> None:
    """It gets the results; it is down, and Snakemake shows the log; Snakemake makes its own page."""
    smoke = shutil.copytree(smoke, tmp_path / "copy", symlinks=True)
    environment = {**ENVIRONMENT, **PLANTED, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    del environment["MLFLOW_TRACKING_TOKEN"]  # one of the two ways in
    said = []
    track = (
        "relax",
        "track",
        "--configfile",
        "config/config.yaml",
        "config/smoke.yaml",
        "secret.yaml",
        "--root",
        "results/smoke",
        "--out",
        "t.json",
        "--log",
        "results/t.log",
        "--traceback",
    )
    with mlflow_server(tmp_path / "server") as server:
        address = server.replace("http://", f"http://{ADDRESS['user']}:{ADDRESS['password']}@")
        files = overlay(smoke, "secret.yaml", f"tracking: {{uri: '{address}'}}\n")
        for command in (track, ("snakemake", *files, "--report", "secret.html")):
            ended = run(smoke, *command, env=environment)
            assert ended.returncode == 0, ended.stderr
            said += [ended.stdout, ended.stderr, (smoke / "results/t.log").read_text()]
    ended = snakemake(smoke, *files, "--cores", "2", "--printshellcmds", "--verbose", env=environment)
    assert ended.returncode == 1
    assert "***@127.0.0.1" in ended.stderr
    assert "no MLflow server answers there" in ended.stderr
    said += [ended.stdout, ended.stderr]
    ended = run(smoke, *track, env=environment)
    assert ended.returncode == 4
    assert "Traceback" in (smoke / "results/t.log").read_text()
    (smoke / "secret.yaml").unlink()
    assert leaks(smoke, tmp_path / "server", text="".join(said) + ended.stderr, but=known()) == []


def known() -> tuple[str, ...]:
    """Files of this repository that name the planted ones: the tests."""
    return tuple(path.name for path in (REPOSITORY / "tests").rglob("*.py"))
