"""The way in: every page is linked, its commands and blocks are valid, and what it says of the house is so."""

import argparse
import ast
import importlib
import json
import re
import runpy
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

import relax
from relax import config
from relax.cli import app
from tests.conftest import REPOSITORY
from tests.repository.test_architecture import ARROWS, LEAVES
from tests.repository.test_docs import defined
from tests.workflow.workflow_fixture import ENVIRONMENT

DOCS = REPOSITORY / "docs"
README = REPOSITORY / "README.md"
DEVELOP = DOCS / "develop.md"
PAGES = sorted({README, REPOSITORY / "CONTRIBUTING.md", *REPOSITORY.glob("*/README.md"), *DOCS.glob("*.md")})
#: Pages whose blocks of YAML are whole: each lies over the demo's configuration.
WHOLE = [DOCS / "quickstart.md", DOCS / "use.md", DOCS / "visual.md", DOCS / "tracking.md", DOCS / "problems.md"]


def name_of(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.M | re.DOTALL)


def table(page: Path, first: str) -> list[list[str]]:
    """The rows of the table whose first column has this title."""
    lines = page.read_text().partition(f"\n| {first} |")[2].splitlines()[2:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def named(cell: str) -> set[str]:
    """What stands in code in a cell."""
    return set(re.findall(r"`([^`]+)`", cell))


# Links ------------------------------------------------------------------------------------------


def test_the_index_leads_to_every_page() -> None:
    linked = {(DOCS / target).resolve() for target in re.findall(r"\]\(([^)#]+)\)", (DOCS / "index.md").read_text())}
    pages = {page for page in DOCS.glob("*.md") if page.name != "index.md"}
    assert len(pages) > 20
    assert sorted(name_of(page) for page in pages - linked) == []
    assert "docs/index.md" in README.read_text()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_to_a_heading_find_it(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s#]*\.md|)#([^)\s]+)\)", page.read_text())
    lost = [f"{file}#{anchor}" for file, anchor in links if anchor not in anchors(page.parent / file if file else page)]
    assert lost == []


def anchors(page: Path) -> set[str]:
    """What a forge and the site call the headings of a page."""
    titles = re.findall(r"^#{1,3} (.+)$", page.read_text(), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_and_names_of_the_code_are_where_the_page_says(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.DOTALL)
    roots = "relax|tests|config|workflow|profiles|containers|envs|findings"
    paths = re.findall(rf"`((?:{roots})/[\w./-]*(?:/|\.\w+))`", text)
    made = re.compile(r"containers/relax-|containers/wheels/|profiles/slurm/site\.yaml")
    own = re.findall(r"^File `(.+)`:$", text, flags=re.M)  # what the page tells to write
    lost = [path for path in paths if not (REPOSITORY / path).exists() and not made.match(path) and path not in own]
    assert lost == []
    names = re.findall(r"`(relax(?:\.[a-zA-Z_]\w*)+)[`(]", text)
    assert [name for name in names if name != "relax.def" and not defined(name) and not lazy(name)] == []


def lazy(dotted: str) -> bool:
    """Whether a module gives out a name on its first use."""
    parent, _, name = dotted.rpartition(".")
    return name in importlib.import_module(parent).__all__


# Commands and blocks ----------------------------------------------------------------------------


def parsers() -> dict[str, argparse.ArgumentParser]:
    actions = app._parser()._actions
    return next(action for action in actions if isinstance(action, argparse._SubParsersAction)).choices


def commands(page: Path) -> list[str]:
    """The command lines in shell blocks, without comments."""
    lines = [line for block in blocks(page, "bash") for line in block.replace("\\\n", " ").splitlines()]
    return [re.sub(r"(?:^|\s)#.*", "", line).strip() for line in lines]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_exist_with_the_options_they_are_given(page: Path) -> None:
    verbs, targets = parsers(), set(re.findall(r"^([\w-]+):", (REPOSITORY / "Makefile").read_text(), flags=re.M))
    wrong = []
    for line in commands(page):
        for verb, rest in re.findall(r"(?:^|\s)relax ([a-z]+)([^|&]*)", line):
            known = (
                {option for action in verbs[verb]._actions for option in action.option_strings} if verb in verbs else ()
            )
            wrong += [line for option in re.findall(r"(?<=\s)--[a-z][\w-]*", rest) if option not in known]
            wrong += [] if verb in verbs else [line]
        wrong += [line for target in re.findall(r"^make ([\w-]+)", line) if target not in targets]
        files = re.findall(
            r"(?<=\s)(?:config|profiles|containers|benchmarks|findings)/[\w./-]+\.(?:yaml|py|sh)\b", line
        )
        wrong += [line for file in files if not (REPOSITORY / file).is_file() and "site.yaml" not in file]
    assert wrong == []


@pytest.mark.parametrize("page", WHOLE, ids=name_of)
def test_blocks_of_yaml_are_accepted_configurations(page: Path, tmp_path: Path) -> None:
    found = blocks(page, "yaml")
    assert found
    for block in found:
        overlay = tmp_path / "mine.yaml"
        overlay.write_text(block)
        assert yaml.safe_load(block)
        config.load([REPOSITORY / "config" / "config.yaml", overlay])


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_blocks_of_python_are_python_and_what_they_import_of_ours_is_there(page: Path) -> None:
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "relax":
                names = [f"{node.module}.{alias.name}" for alias in node.names]
                assert [name for name in names if not defined(name) and not lazy(name)] == []


# The house --------------------------------------------------------------------------------------


def test_the_page_on_the_architecture_says_what_the_test_of_the_arrows_says() -> None:
    rows = {next(iter(named(row[0]))): row for row in table(DEVELOP, "Room")}
    assert rows.pop("cli")[2] == "every room"
    said = {}
    for room, (_, purpose, arrows) in rows.items():
        assert purpose.endswith(".")
        names = named(arrows)
        assert names or arrows == "nothing"
        said[room] = (names - {"common"}) | (LEAVES - {room} if "common" in names else set())
    assert said == {room: arrows - {room} for room, arrows in ARROWS.items()}
    common = re.search(r"The common rooms are (.+?);", DEVELOP.read_text(), re.DOTALL)
    assert common
    assert named(common[1]) == LEAVES


def test_every_arrow_of_the_picture_leads_down() -> None:
    (picture,) = blocks(DEVELOP, "text")
    levels = [re.findall(r"\w+", line) for line in picture.splitlines() if re.search(r"\w", line)]
    level = {room: number for number, line in enumerate(levels) for room in line}
    assert set(level) == {*ARROWS, "cli"}
    assert level["cli"] == 0
    up = [(room, used) for room, arrows in ARROWS.items() for used in arrows - {room} if level[used] <= level[room]]
    assert up == []


def test_every_folder_and_file_of_the_package_is_a_room() -> None:
    package = REPOSITORY / "relax"
    folders = {path.name for path in package.iterdir() if (path / "__init__.py").is_file()}
    files = {path.stem for path in package.glob("*.py") if not path.stem.startswith("__")}
    assert {next(iter(named(row[0]))) for row in table(DEVELOP, "Room")} == folders | files


def test_the_stages_are_those_of_the_workflow_and_their_modules_are_there() -> None:
    command = ["snakemake", "--rulegraph", "mermaid-js"]
    graph = subprocess.run(command, cwd=REPOSITORY, env=ENVIRONMENT, capture_output=True, text=True, check=True).stdout
    rules = dict(re.findall(r"(id\d+)\[(\w+)\]", graph))
    drawn = {(rules[a], rules[b]) for a, b in re.findall(r"(id\d+) --> (id\d+)", graph)}
    rows = {next(iter(named(row[0]))): row for row in table(DEVELOP, "Stage")}
    assert {(read, stage) for stage, row in rows.items() for read in named(row[1])} == {
        (a, b) for a, b in drawn if b != "all"
    }
    alone = {next(iter(named(row[0]))): row for row in table(DEVELOP, "Verb")}
    assert set(rows) | set(alone) == set(parsers())
    modules = [named(row[2]) for row in (*rows.values(), *alone.values())]
    assert [path for paths in modules for path in paths if not (REPOSITORY / path).exists()] == []
    written = (REPOSITORY / "workflow").rglob("*.smk")
    outputs = "".join(path.read_text() for path in written) + (REPOSITORY / "workflow" / "Snakefile").read_text()
    assert [place for row in rows.values() for place in named(row[3]) if f"/{place.rstrip('/')}" not in outputs] == [
        "mlflow.db"
    ]


# What is claimed, found and released ------------------------------------------------------------


def test_the_statuses_in_the_readme_are_those_computed_from_the_runs() -> None:
    from relax.paper.claims import read_claims

    claims = [claim.id for claim in read_claims()]
    references = [
        json.loads((REPOSITORY / "results" / "reference" / name / "claims.json").read_text())["claims"]
        for name in ("demo", "demo_multimodal")
    ]
    shown = []
    for claim, _, *statuses in table(README, "The paper says"):
        ids = re.search(r"<!-- (.+?) -->", claim)
        assert ids, claim
        for name in ids[1].split():
            shown.append(name)
            assert [found.get(name, {"status": "not run"})["status"] for found in references] == statuses, claim
    assert sorted(shown) == sorted(claims)


def test_the_counts_of_the_study_are_those_of_the_evidence() -> None:
    evidence = {next(iter(named(row[0]))): row[4] for row in table(DOCS / "evidence.md", "arm")}
    shown = {next(iter(named(row[1]))): row[2] for row in table(DOCS / "found.md", "What trains the policy")}
    assert len(shown) > 3
    assert {arm: evidence[arm].split(" (")[0] for arm in shown} == shown


def test_the_picture_of_the_readme_shows_the_runs_of_the_evidence() -> None:
    evidence = {next(iter(named(row[0]))): row[4] for row in table(DOCS / "evidence.md", "arm")}
    picture = runpy.run_path(str(DOCS / "images" / "trap.py"))
    study = picture["tracked"]()
    assert len(picture["LINES"]) > 3
    for arm in picture["LINES"]:
        assert evidence[arm].startswith(f"{picture['left'](study, arm)[-1]} of {len(study.arm(arm))} ")


def test_the_files_agree_on_what_is_released() -> None:
    """Without a date in the changelog nothing is released, and the citation says so in place of a date."""
    version, said = re.search(r"^## (\S+) \((.+)\)$", (REPOSITORY / "CHANGELOG.md").read_text(), flags=re.M).groups()
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    package = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert version == citation["version"] == package.get("version", version) == relax.__version__
    if said == "not released":
        assert "date-released" not in citation
        assert "not released" in citation["message"]
    else:
        assert str(citation["date-released"]) == said
        assert "not released" not in citation["message"]
