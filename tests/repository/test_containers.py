"""Dockerfile, Apptainer definition and lock in step; what a run record says of its image. The real builds and runs
are tests/container/run.sh (`make test-container`)."""

import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from relax.records import container
from relax.records.record import Run, git_state
from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / "containers"
DOCKERFILE = re.sub(r"\\\n\s*", "", (FOLDER / "Dockerfile").read_text())
DEFINITION = (FOLDER / "relax.def").read_text()
INSTALL = (FOLDER / "install.sh").read_text()


def instructions(name: str) -> list[str]:
    """The Dockerfile's lines of one instruction, without its name."""
    return re.findall(rf"^{name} (.+)$", DOCKERFILE, re.MULTILINE)


def section(name: str) -> list[str]:
    """The lines of one section of the definition."""
    body = re.search(rf"^%{name}\n(.*?)(?=^%|\Z)", DEFINITION, re.MULTILINE | re.DOTALL)
    assert body is not None, name
    return [line.strip() for line in body.group(1).splitlines() if line.strip()]


def arguments(lines: list[str]) -> dict[str, str]:
    return dict(line.split("=", 1) for line in lines if "=" in line)


def test_one_base_by_digest_for_every_stage_of_both() -> None:
    base = arguments(instructions("ARG"))["BASE"]
    assert re.fullmatch(r"docker\.io/library/python:3\.11\.\d+-slim-bookworm@sha256:[0-9a-f]{64}", base)
    assert arguments(section("arguments"))["BASE"] == base
    assert [line.split()[0] for line in instructions("FROM")] == ["${BASE}", "${BASE}"]
    assert re.findall(r"^(?:Bootstrap|From): (.+)$", DEFINITION, re.MULTILINE) == ["{{ FROM }}", "{{ BASE }}"]


def test_both_run_the_same_commands_on_the_same_lock() -> None:
    def spelled(line: str) -> list[str]:
        words = shlex.split(re.sub(r"\{\{ (\w+) \}\}", r"${\1}", line))
        return [word for word in words if not word.startswith("--mount")]

    assert sorted(map(spelled, instructions("RUN"))) == sorted(map(spelled, section("post")))
    assert arguments(instructions("ARG"))["LOCK"] == arguments(section("arguments"))["LOCK"] == "cpu"
    assert re.findall(r"\S*\.lock", DOCKERFILE + DEFINITION.replace("{{ LOCK }}", "${LOCK}")) == [
        "envs/${LOCK}.lock"
    ] * (2) + ["envs/${LOCK}.lock", "/relax/envs/${LOCK}.lock"]


def test_both_copy_the_same_files_and_the_build_sees_no_others() -> None:
    copied = set()
    stage = DOCKERFILE.split("\nFROM ${BASE}\n")[1]
    for line in re.findall(r"^COPY (?!--from)(.+)$", stage, re.MULTILINE):
        *sources, target = line.split()
        copied |= {(s, target + Path(s).name if target.endswith("/") else target) for s in sources}
    listed = {tuple(line.replace("{{ LOCK }}", "${LOCK}").split()) for line in section("files")}
    assert copied == listed
    for source, target in copied:
        assert target == f"/relax/{source}"

    ignore = [line for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    let_in = {source.replace("${LOCK}", "*") for source, _ in copied} | {"containers/wheels"}
    last = ["**/__pycache__", "**/.*", "!containers/wheels/.gitignore"]
    assert (ignore[0], ignore[-3:]) == ("*", last)
    assert set(ignore[1:-3]) == {f"!{path}" for path in let_in}


def test_both_start_the_demo_as_make_does_with_the_same_environment() -> None:
    demo = re.search(r"^demo:.*?@(snakemake .+?)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE | re.DOTALL)
    (command,), (entry,) = instructions("CMD"), instructions("ENTRYPOINT")
    assert json.loads(command) == shlex.split(demo.group(1))
    default, run = section("runscript")
    assert shlex.split(default.split("set -- ")[1]) == json.loads(command)
    assert shlex.split(run) == ["exec", *json.loads(entry), "$@"]

    (environment,) = instructions("ENV")
    exported = arguments(re.findall(r"\w+=\S+", "\n".join(section("environment"))))
    docker = arguments(shlex.split(environment))
    assert {key: docker[key] for key in exported} == exported
    # Apptainer has the user's own home and name.
    assert docker.keys() - exported.keys() == {"HOME", "USER"}
    assert "export PYTHONHOME= PYTHONPATH=" in section("environment")
    (user,) = instructions("USER")
    assert f":x:{user}:" in INSTALL
    assert user.split(":")[0] not in ("0", "root")


def test_nothing_is_installed_but_the_lock_by_the_versions_of_the_set_up() -> None:
    setup = (REPOSITORY / "envs" / "setup.sh").read_text()
    for pattern in (r"^uv_version=(.+)$", r"(https://download\S+)\}$"):
        assert re.findall(pattern, INSTALL, re.MULTILINE) == re.findall(pattern, setup, re.MULTILINE) != []
    assert re.findall(r"^ *\$pip (.+)$", INSTALL, re.MULTILINE) == ['install $from "uv==$uv_version"']
    installed = re.findall(r"^ *\$uv (.+)$", INSTALL, re.MULTILINE)
    assert [line.split()[-1].strip('"') for line in installed] == [
        "$tools/first",
        "$tools/torch",
        "$tools/rest",
        "/relax",
    ]
    assert set(re.findall(r'^ *grep .*"\$lock" > "(\S+)"', INSTALL, re.MULTILINE)) == {
        "$tools/first",
        "$tools/torch",
        "$tools/rest",
    }
    assert "--no-deps" in INSTALL
    # The compiler that Triton calls is the one thing of Debian, in the image for GPUs alone.
    assert re.findall(r"apt-get install (.+)$", INSTALL, re.MULTILINE) == [
        "-q -y --no-install-recommends gcc libc6-dev $headers"
    ]
    assert INSTALL.index('[ "$1" = cuda ] || return 0') < INSTALL.index("apt-get install")


def test_no_file_names_a_machine_or_a_private_index() -> None:
    files = [*FOLDER.glob("*"), *(REPOSITORY / "tests" / "container").rglob("*"), REPOSITORY / ".dockerignore"]
    for path in filter(Path.is_file, files):
        if path.suffix in (".sif", ".id", ".json", ".sha256"):
            continue
        text = path.read_text()
        assert set(re.findall(r"https?://([\w.-]+)", text)) <= {"download.pytorch.org"}, path
        assert not re.search(r"/(home|work)/|/opt/(?!venv)|file://|extra-index", text), path


def test_an_environment_that_is_not_the_lock_gets_no_list(tmp_path) -> None:
    lock = (REPOSITORY / "envs" / "cpu.lock").read_text()
    (tmp_path / "cpu.lock").write_text(re.sub(r"^numpy==.*$", "numpy==0.1", lock, flags=re.MULTILINE))
    command = [sys.executable, str(FOLDER / "packages.py"), str(tmp_path / "cpu.lock")]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (1, "")
    assert f"numpy {version('numpy')} instead of 0.1" in result.stderr


@pytest.mark.parametrize("script", sorted(p.name for p in FOLDER.glob("*.sh")))
def test_scripts_are_valid(script: str) -> None:
    shell = (FOLDER / script).read_text().split("\n", 1)[0].split()[-1].rsplit("/", 1)[-1]
    subprocess.run([shell, "-n", str(FOLDER / script)], check=True)
    assert os.access(FOLDER / script, os.X_OK)


@pytest.fixture
def image(tmp_path, monkeypatch) -> Path:
    """Inside an image: the package's folder holds what a build leaves there."""
    monkeypatch.setattr(container, "CODE", tmp_path)
    for name in ("APPTAINER_CONTAINER", "SINGULARITY_CONTAINER", "RELAX_IMAGE_DIGEST"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "packages.json").write_text("{}")
    (tmp_path / "commit.json").write_text('{"commit": "c0ffee", "dirty": false}')
    container.image_digest.cache_clear()
    return tmp_path


def test_a_record_made_outside_an_image_says_so(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("APPTAINER_CONTAINER", raising=False)
    monkeypatch.delenv("SINGULARITY_CONTAINER", raising=False)
    (tmp_path / "out").write_text("x")
    assert Run("data", {}, {}).finish(tmp_path, [tmp_path / "out"])["container"] is None


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "none"),
        ({"image": "/shared/relax.sif", "digest": "sha256:12", "packages": "sha256:34"}, "relax.sif sha256:12"),
        ({"image": None, "digest": "sha256:12", "packages": "sha256:34"}, "an image sha256:12"),
        ({"image": None, "digest": None, "packages": "sha256:34"}, "an image of unknown digest, packages sha256:34"),
    ],
)
def test_a_records_image_in_words_as_why_and_report_show_it(found, words) -> None:
    assert container.in_words({"container": found}) == words
    assert container.in_words({}) == "none"  # records of before there were images


def test_a_record_made_in_an_image_names_commit_packages_and_digest(image, monkeypatch) -> None:
    (image / "out").write_text("x")
    digest = f"sha256:{'ab' * 32}"
    monkeypatch.setenv("RELAX_IMAGE_DIGEST", f"docker.io/somebody/relax@{digest}")
    record = Run("data", {}, {}).finish(image, [image / "out"])
    assert record["git"] == {"commit": "c0ffee", "dirty": False}
    assert record["container"]["packages"] == f"sha256:{hashlib.sha256(b'{}').hexdigest()}"
    assert (record["container"]["image"], record["container"]["digest"]) == (None, digest)
    monkeypatch.setenv("RELAX_IMAGE_DIGEST", "latest")
    assert container.container()["digest"] is None


def test_the_digest_of_an_apptainer_image_is_its_files(image, monkeypatch) -> None:
    sif = image / "relax-cpu.sif"
    sif.write_bytes(b"image")
    monkeypatch.setenv("APPTAINER_CONTAINER", str(sif))
    true = f"sha256:{hashlib.sha256(b'image').hexdigest()}"
    assert container.container()["digest"] == true
    assert container.container()["image"] == str(sif)

    # What lies beside it is believed as long as it is not older than the image.
    beside = Path(f"{sif}.sha256")
    beside.write_text(f"{'12' * 32}  relax-cpu.sif\n")
    for age, expected in ((0, f"sha256:{'12' * 32}"), (1, true)):
        os.utime(beside, ns=(0, sif.stat().st_mtime_ns - age))
        container.image_digest.cache_clear()
        assert container.container()["digest"] == expected

    monkeypatch.setenv("APPTAINER_CONTAINER", "/nowhere/relax.sif")
    assert container.container() | {"prefix": None} == {
        "image": "/nowhere/relax.sif",
        "digest": None,
        "prefix": None,
        "packages": f"sha256:{hashlib.sha256(b'{}').hexdigest()}",
    }


def test_another_image_is_named_without_a_list_of_packages(image, monkeypatch) -> None:
    (image / "packages.json").unlink()
    assert container.container() is None
    (image / "other.sif").write_bytes(b"other")
    monkeypatch.setenv("SINGULARITY_CONTAINER", str(image / "other.sif"))
    found = container.container()
    assert (found["packages"], found["digest"]) == (None, f"sha256:{hashlib.sha256(b'other').hexdigest()}")


def test_without_git_a_commit_is_unknown_and_nothing_fails(monkeypatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert git_state() == {"commit": None, "dirty": None}


def test_what_an_image_cannot_see_is_handed_on(image, monkeypatch) -> None:
    for name in ("APPTAINER_NV", "SINGULARITY_NV", "RELAX_IMAGE_DIGEST"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(container, "NVIDIA", image / "nvidiactl")
    sif = image / "relax-cpu.sif"
    container.hand_on(str(sif))
    sif.write_bytes(b"image")
    container.hand_on(str(sif))
    assert {os.environ[name] for name in ("APPTAINER_NV", "SINGULARITY_NV", "RELAX_IMAGE_DIGEST")} == {""}

    (image / "nvidiactl").touch()
    Path(f"{sif}.sha256").write_text(f"{'12' * 32}  relax-cpu.sif\n")
    container.hand_on(str(sif))
    assert (os.environ["APPTAINER_NV"], os.environ["SINGULARITY_NV"]) == ("1", "1")
    monkeypatch.setenv("APPTAINER_CONTAINER", "/nowhere/relax-cpu.sif")
    assert container.container()["digest"] == f"sha256:{'12' * 32}"
