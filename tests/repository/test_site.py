"""The documentation as a site: ``make docs`` builds it without a warning, with every page in the navigation."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.repository.test_pages import DOCS, parsers


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    command = re.search(r"^docs:.*\n\t@(sphinx-build .+)$", (REPOSITORY / "Makefile").read_text(), flags=re.M)
    assert command
    options = command[1].split()[1:]
    assert options[-1] == "docs/_build"
    out, before = tmp_path_factory.mktemp("site"), set(DOCS.rglob("*"))
    ended = subprocess.run(
        [sys.executable, "-m", "sphinx", *options[:-1], out], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert set(DOCS.rglob("*")) == before
    return out


@pytest.mark.slow
def test_every_page_is_built_and_is_in_the_navigation(site: Path) -> None:
    index = (site / "docs" / "index.html").read_text()
    listed = set(re.findall(r'class="reference internal" href="([^"#]+)"', index))
    pages = {page.stem for page in DOCS.glob("*.md")} - {"index"}
    assert {f"{name}.html" for name in pages} <= listed
    assert [name for name in pages if not (site / "docs" / f"{name}.html").is_file()] == []
    assert "docs/index.html" in (site / "index.html").read_text()


@pytest.mark.slow
def test_the_site_has_the_help_of_every_verb_and_the_docstrings(site: Path) -> None:
    shown = (site / "docs" / "commands.html").read_text()
    assert [verb for verb in parsers() if f"usage: relax {verb}" not in shown] == []
    api = (site / "docs" / "api.html").read_text()
    names = ("relax.ReLaXConfig", "relax.ReLaXTrainer", "relax.koopman.KoopmanDSD", "relax.grading.grade")
    assert [name for name in names if f'id="{name}"' not in api] == []
