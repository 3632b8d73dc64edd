"""The page on what we stand on: every row names version, consequence and a test that exists; findings are listed."""

import ast
import re
import tomllib

import pytest

from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "docs" / "libraries.md"
FINDINGS = REPOSITORY / "findings"


def rows() -> list[list[str]]:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in cells if row[0] != "Library"]


def test_every_row_has_its_four_cells() -> None:
    assert len(rows()) > 20
    assert [row for row in rows() if len(row) != 4 or not all(row[:3])] == []


@pytest.mark.parametrize("cell", [row[3] for row in rows() if row[3] != "-"])
def test_the_test_of_our_side_is_there(cell: str) -> None:
    name = cell.strip("`")
    file, _, function = name.partition("::")
    found = list((REPOSITORY / "tests").rglob(file))
    assert len(found) == 1, name
    path = found[0]
    if function:
        defined = {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}
        assert function in defined, name


def test_a_version_that_the_locks_have_left_behind_is_seen() -> None:
    """A row speaks of the version it was run with; when a lock moves on, the row must be run again."""
    pinned = dict(re.findall(r"^([\w-]+)==([^\s;+]+)", (REPOSITORY / "envs" / "cpu.lock").read_text(), flags=re.M))
    pinned = {name.lower().replace("_", "-"): version for name, version in pinned.items()}
    written = [re.findall(r"([A-Za-z-]+) (\d+(?:\.\d+)+)", row[0]) for row in rows()]
    found = [(name.lower(), version) for pairs in written for name, version in pairs if name.lower() in pinned]
    assert len(found) > 15
    assert [(name, version) for name, version in found if pinned[name] != version] == []


def test_every_finding_is_listed_runs_by_itself_and_pins_what_it_installs() -> None:
    scripts = sorted(path.name for path in FINDINGS.glob("*.sh"))
    listed = re.findall(r"^\| \[([\w-]+\.sh)\]\(\1\)", (FINDINGS / "README.md").read_text(), flags=re.M)
    assert sorted(listed) == scripts != []
    package = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["name"]
    for name in scripts:
        text = (FINDINGS / name).read_text()
        assert (FINDINGS / name).stat().st_mode & 0o111, f"{name} cannot be run"
        assert "mktemp -d" in text, name
        assert package not in text, name
        assert not re.search(r"^\s*(?:import|from) relax\b", text, flags=re.M), name
        installed = (
            re.search(r"pip\" install --quiet (.+?)(?<!\\)$", text, flags=re.M | re.S)[1].replace("\\\n", " ").split()
        )
        assert [word for word in installed if not re.fullmatch(r"[\w\[\]-]+==[\w.]+", word)] == [], name
