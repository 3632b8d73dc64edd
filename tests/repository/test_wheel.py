"""The package where it is installed: from a source distribution, by its wheel, into a folder outside the clone."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple

import pytest

import relax
from tests.conftest import REPOSITORY

#: `relax` with these words; ends with an error where Python has opened a file of the clone, its environment aside.
RELAX = """
import os, sys
clone, environment, opened = sys.argv[1], sys.argv[2], []
sys.addaudithook(lambda event, words: opened.append(words[0]) if event == "open" else None)
import relax
from relax.cli import main
try:
    code = main(sys.argv[3:])
except SystemExit as ended:
    code = ended.code
opened += sys.path
paths = {os.path.realpath(path) for path in opened if isinstance(path, (str, os.PathLike))}
inside = [p for p in paths if p.startswith(clone + os.sep) and not p.startswith(environment + os.sep)]
sys.exit(f"files of the clone: {inside}" if inside else code)
"""


class Installed(NamedTuple):
    """The package's folder, inside a repository of somebody else, and Python that knows it and not the clone."""

    site: Path
    environment: dict[str, str]

    def python(self, program: str, *words: object) -> subprocess.CompletedProcess[str]:
        # -S: no .pth file of the environment, where an editable installation names the clone. -P: not the folder below.
        command = [sys.executable, "-S", "-P", "-c", program, *map(str, words)]
        return subprocess.run(
            command, cwd=self.site.parent, env=self.environment, capture_output=True, text=True, timeout=300
        )

    def relax(self, *words: object) -> subprocess.CompletedProcess[str]:
        return self.python(RELAX, REPOSITORY.resolve(), Path(sys.prefix).resolve(), *words)


@pytest.fixture(scope="module")
def installed(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("somebody's project")
    made, site = folder / "dist", folder / "site"
    made.mkdir()

    def run(where: Path, *command: object) -> None:
        ended = subprocess.run(list(map(str, command)), cwd=where, capture_output=True, text=True, timeout=300)
        assert ended.returncode == 0, ended.stderr

    pip, offline = (sys.executable, "-m", "pip", "--quiet"), ("--no-deps", "--no-index")
    build = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
    run(clone, sys.executable, "-c", build, made)
    run(folder, *pip, "wheel", "--no-build-isolation", *offline, "--wheel-dir", made, *made.glob("*.tar.gz"))
    run(folder, *pip, "install", *offline, "--target", site, *made.glob("*.whl"))
    run(folder, "git", "init", "--quiet")
    theirs = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
    run(folder, "git", *theirs, "commit", "--quiet", "--allow-empty", "-m", "theirs")
    paths = [site, *dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))]
    return Installed(site, {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))})


def test_the_clone_cannot_be_imported_and_a_file_of_it_would_be_seen(installed: Installed) -> None:
    ended = installed.python("import relax; print(relax.__file__)")
    assert Path(ended.stdout.strip()).is_relative_to(installed.site), ended.stderr
    seen = installed.relax("cost", "--configfile", REPOSITORY / "config" / "smoke.yaml")
    assert "files of the clone" in seen.stderr


def test_the_verbs_that_need_no_clone_run(installed: Installed, tiny_policy: Path, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text("".join(json.dumps({"prompt": f"{a}+{a + 1}="}) + "\n" for a in range(1, 33)))
    options = ("--koopman-dim", 4, "--max-response-length", 12)
    for words, said in (
        (("--help",), "usage: relax"),
        (("audit", "--out", tmp_path / "audit.md"), "Table 6"),
        (("claims", "--out", tmp_path / "claims.md"), "demo"),
        (("data", "--configfile", installed.site / "relax/config/config.yaml", "--out", tmp_path / "data"), ""),
        (("dsd", "--model", tiny_policy, "--prompts", prompts, "--out", tmp_path / "dsd", *options), ""),
    ):
        ended = installed.relax(*words)
        assert ended.returncode == 0, (words, ended.stderr)
        assert said in ended.stdout
    for page in ("audit.md", "claims.md"):
        assert (tmp_path / page).read_text() == (REPOSITORY / "docs" / page).read_text()
    assert (tmp_path / "dsd" / "run.json").is_file()
    # The folder lies in a repository, but in somebody else's.
    record = json.loads((tmp_path / "data" / "run.json").read_text())
    assert record["git"] == {"commit": None, "dirty": None}
    assert record["versions"]["relax-rl"] == relax.__version__


def test_the_trainer_is_imported(installed: Installed) -> None:
    ended = installed.python("from relax import ReLaXConfig, ReLaXTrainer; print(ReLaXTrainer.__module__)")
    assert ended.stdout.strip() == "relax.training.trainer", ended.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("evidence",), 4, "which holds no such thing; change to the folder of a clone, run `make setup` there"),
        (("doctor",), 0, "packages are not compared with a lock: envs/"),
        (
            ("cost",),
            2,
            "profiles/slurm/config.yaml: no such profile; run this in a clone of the repository, or",
        ),
    ],
)
def test_what_needs_the_clone_says_so(installed: Installed, words: tuple[str, ...], code: int, said: str) -> None:
    ended = installed.relax(*words)
    assert ended.returncode == code, ended.stderr
    assert said in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
