"""The documentation against the code: keys, defaults, names, metrics, links, numbers, and every value's source."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from relax import config
from relax.config import reference
from relax.errors import ConfigError
from relax.tasks import TASKS
from tests.conftest import REPOSITORY

DEMO = REPOSITORY / "config" / "config.yaml"
PAPER = REPOSITORY / "config" / "paper_text.yaml"
MULTIMODAL = REPOSITORY / "config" / "paper_multimodal.yaml"
README = REPOSITORY / "config" / "README.md"
METHOD = REPOSITORY / "docs" / "method.md"
METRICS = REPOSITORY / "docs" / "metrics.md"
PAGES = sorted({REPOSITORY / "README.md", README, *(REPOSITORY / "docs").glob("*.md")})

#: What f-strings of metric names are filled with.
FILLED = {"spectrum": ("eigenvalues", "singular_values"), "ROBUST_RIDGE": ("0.1",)}
#: Words that name where a value of the paper's configuration comes from.
SOURCE = re.compile(
    r"\bTables? \d|\bEq\. \d|\bFig\. \d|\btext\b|\bREADME\b|\bfork\b|\barXiv \d|\bhub\b"
    r"|\bnot stated: assumed|\bours\b|\bpinned so in\b|\bthe same script\b|\bdata set's own\b"
)


# Reading Markdown and the schema ----------------------------------------------------------------


def sections(page: Path) -> dict[str, str]:
    """Text below each heading of the second level."""
    parts = re.split(r"^## (.+)$", page.read_text(), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(text: str) -> list[list[str]]:
    """Cells of the table rows that begin with code."""
    found = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in found]


def code(cell: str) -> str:
    return cell.strip().strip("|").strip().strip("`")


# The configuration and its README ---------------------------------------------------------------


def test_what_runs_again_is_what_the_settings_of_the_stages_say() -> None:
    before = config.load([DEMO])
    table = rows(sections(README)["What runs again"])
    assert len(table) > 10
    for changed, again, *_ in table:
        after = with_another(before, code(changed).split("."))
        concerned = [name for name, now in stages(after).items() if now != stages(before)[name]]
        assert sorted(again.strip("| ").split(", ")) == sorted(concerned), changed


def with_another(value: Any, path: list[str]) -> Any:
    """The value with another one at a path below it."""
    if path and isinstance(value, dict):
        return {**value, path[0]: with_another(value[path[0]], path[1:])}
    if path:
        return value.model_copy(update={path[0]: with_another(getattr(value, path[0]), path[1:])})
    if isinstance(value, bool):
        return not value
    if isinstance(value, list | dict):
        return value[1:] if isinstance(value, list) else {"x": {}}
    return value + 1 if isinstance(value, int) else value * 2


def stages(loaded: config.Experiment) -> dict[str, str]:
    return {
        "data": config.digest(config.data_settings(loaded)),
        "base": config.digest(config.base_settings(loaded, "tiny")),
        "dictionary": config.digest(config.dictionary_settings(loaded)),
        "train": config.digest(config.train_settings(loaded, "relax")),
        "extract": config.digest(config.extract_settings(loaded)),
        "koopman": config.digest(config.koopman_settings(loaded)),
        "overlap": config.digest(config.overlap_settings(loaded)),
        "generate": config.digest(config.generate_settings(loaded)),
        "evaluate": config.digest(config.evaluate_settings(loaded)),
        "results": config.digest(config.results_settings(loaded)),
    }


def test_the_messages_in_the_readme_are_the_ones_a_user_sees(tmp_path: Path) -> None:
    table = rows(sections(README)["What a fault looks like"])
    assert len(table) > 5
    bad = tmp_path / "my.yaml"
    for fault, message, *_ in table:
        bad.write_text(code(fault) + "\n")
        with pytest.raises(ConfigError) as caught:
            config.load([DEMO, bad])
        assert str(caught.value) == f"{bad}, line 1: {message.rstrip('| ')}"


# The paper's configuration ----------------------------------------------------------------------


@pytest.mark.parametrize("paper", [PAPER, MULTIMODAL], ids=lambda path: path.stem)
def test_every_value_of_the_paper_names_its_source(paper: Path) -> None:
    lines = paper.read_text().splitlines()
    leaves = list(leaf_lines(yaml.compose(paper.read_text()), ()))
    assert len(leaves) > 100
    silent = [".".join(path) for path, places in leaves if not any(SOURCE.search(said(lines, n)) for n in places)]
    assert silent == []


def leaf_lines(node: yaml.Node, path: tuple[str, ...], places: tuple[int, ...] = ()) -> Iterator:
    """(path, lines) of every value: its key's line, and those of a one-line mapping or list it stands in."""
    if isinstance(node, yaml.MappingNode):
        flow = places if node.flow_style else ()
        for key, value in node.value:
            yield from leaf_lines(value, (*path, key.value), (*flow, key.start_mark.line))
    elif isinstance(node, yaml.SequenceNode) and any(isinstance(item, yaml.MappingNode) for item in node.value):
        for number, item in enumerate(node.value):
            yield from leaf_lines(item, (*path, str(number)))
    else:
        yield path, places


def said(lines: list[str], number: int) -> str:
    """The comment on a line."""
    return lines[number].partition("#")[2]


def test_the_paper_is_planned_in_full() -> None:
    loaded = config.load([DEMO, PAPER])
    matrix = loaded.matrix
    assert [len(getattr(matrix, key)) for key in ("policies", "seeds", "benchmarks")] == [5, 3, 6]
    assert {"grpo", "grpo-kl", "relax", "relax-sv", "relax-sv-no-kl"} <= set(matrix.methods)
    samples = {name: loaded.benchmarks[name].samples for name in matrix.benchmarks}
    assert samples == {"math500": 0, "minerva": 0, "amc22": 32, "amc23": 32, "aime24": 32, "aime25": 32}
    training = loaded.training
    per_step = training.prompts_per_step * training.rollouts_per_prompt
    assert (per_step, per_step % training.micro_batch) == (512, 0)
    assert training.checkpoint_every % training.updates_per_generation == 0
    for name in matrix.policies:
        assert re.fullmatch("[0-9a-f]{40}", loaded.policies[name].hub.revision)


def test_the_multimodal_half_is_planned_in_full() -> None:
    loaded = config.load([DEMO, MULTIMODAL])
    matrix = loaded.matrix
    assert [len(getattr(matrix, key)) for key in ("policies", "seeds", "benchmarks")] == [2, 3, 7]
    assert all(loaded.benchmarks[name].greedy for name in matrix.benchmarks)
    assert not any(loaded.benchmarks[name].samples for name in matrix.benchmarks)
    (data,) = loaded.data.datasets
    assert (data.file, data.archive, data.images) == ("39Krelease.parquet", "images.zip", "image")
    assert loaded.prompt.chat_template
    pinned = [loaded.policies[name].hub.revision for name in matrix.policies] + [data.revision]
    assert all(re.fullmatch("[0-9a-f]{40}", revision) for revision in pinned)
    weights = {loaded.methods[name].alpha for name in loaded.ablations["figure-4"].arms.values()}
    assert weights == {0.0, 0.1, 0.3, 1.0}


# Names in the documentation ---------------------------------------------------------------------


def module_file(dotted: str) -> Path | None:
    place = REPOSITORY.joinpath(*dotted.split("."))
    return next((p for p in (place.with_suffix(".py"), place / "__init__.py") if p.is_file()), None)


def defined(dotted: str) -> bool:
    """Whether a dotted name leads somewhere, read from the sources: importing TRL would take ten seconds."""
    if module_file(dotted):
        return True
    parent, _, name = dotted.rpartition(".")
    if not parent:
        return False
    file = module_file(parent)
    if file is None:
        owner = definition(parent)
        return isinstance(owner, ast.ClassDef) and name in members(owner.body)
    return definition(dotted) is not None


def definition(dotted: str) -> ast.stmt | None:
    """The statement that defines a name of a module, followed through re-exports."""
    parent, _, name = dotted.rpartition(".")
    file = module_file(parent)
    if file is None:
        return None
    for statement in ast.parse(file.read_text()).body:
        if isinstance(statement, ast.ImportFrom) and statement.module and name in {a.name for a in statement.names}:
            return definition(f"{statement.module}.{name}")
        if name in members([statement]):
            return statement
    return None


def members(body: list[ast.stmt]) -> set[str]:
    names = {s.name for s in body if isinstance(s, ast.FunctionDef | ast.ClassDef)}
    names |= {s.target.id for s in body if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)}
    return names | {t.id for s in body if isinstance(s, ast.Assign) for t in s.targets if isinstance(t, ast.Name)}


def test_every_name_in_the_method_leads_somewhere() -> None:
    names = set(re.findall(r"`(relax(?:\.\w+)+)`", METHOD.read_text()))
    assert len(names) > 25
    assert [name for name in sorted(names) if not defined(name)] == []
    assert not defined("relax.koopman.nothing")
    assert not defined("relax.koopman.Dictionary.nothing")


def test_every_key_named_in_the_documentation_is_in_the_schema() -> None:
    known = {key.path for key in reference.described_keys()}
    top = "|".join(config.Experiment.model_fields)
    for page in (METHOD, METRICS):
        named = set(re.findall(rf"`((?:{top})\.[\w.<>]+)`", page.read_text()))
        assert named, page
        assert named <= known, page


def test_every_metric_that_training_writes_is_explained_and_no_other() -> None:
    training = REPOSITORY / "relax" / "training"
    written = {"step"} | noted(training / "trainer.py") | noted(training / "exploration.py")
    written |= noted(training / "frame.py")
    written |= assigned(training / "probes.py", "values") | rewarded(training / "rewards.py")
    run = ast.parse((training / "train_stage.py").read_text())
    series = next(s.value for s in run.body if isinstance(s, ast.Assign) and s.targets[0].id == "SERIES")
    written |= set(ast.literal_eval(series).values()) | assigned(training / "train_stage.py", "run.metrics")
    updates = [n for n in ast.walk(run) if isinstance(n, ast.Call) and ast.unparse(n.func) == "run.metrics.update"]
    written |= {keyword.arg for call in updates for keyword in call.keywords}
    explained = [code(row[0]) for text in sections(METRICS).values() for row in rows(text)]
    assert len(explained) == len(set(explained))
    assert set(explained) == written


def rewarded(file: Path) -> set[str]:
    """Names given to TRL's ``log_metric``, and those that the tasks' own metrics give to it."""
    calls = [n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Call)]
    texts = [c.args[0] for c in calls if isinstance(c.func, ast.Name) and c.func.id == "log_metric"]
    own = {name for task in TASKS.values() if task.metrics for name in task.metrics(["3745811:"], ["=9"])}
    assert own
    return {name for text in texts if not isinstance(text, ast.Name) for name in fillings(text)} | own


def noted(file: Path) -> set[str]:
    """Names given to ``note`` and keys set in ``logs``."""
    calls = [n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Call)]
    texts = [c.args[0] for c in calls if isinstance(c.func, ast.Attribute) and c.func.attr == "note"]
    assert len(texts) > 3
    return {name for text in texts for name in fillings(text)} | assigned(file, "logs")


def assigned(file: Path, mapping: str) -> set[str]:
    """Keys of ``mapping[key] = ...``, in tuples of targets too."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == mapping:
            found |= set(fillings(node.slice))
    return found


def fillings(text: ast.expr) -> list[str]:
    """The strings that a string or an f-string can be."""
    if isinstance(text, ast.Constant):
        return [text.value]
    assert isinstance(text, ast.JoinedStr), ast.unparse(text)
    names = [""]
    for part in text.values:
        options = (part.value,) if isinstance(part, ast.Constant) else FILLED[ast.unparse(part.value)]
        names = [name + option for name in names for option in options]
    return names


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(REPOSITORY).as_posix())
def test_local_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"", page.read_text())
    local = [a or b for a, b in links if not re.match(r"[a-z]+:|#", a or b)]
    assert [link for link in local if not (page.parent / link.partition("#")[0]).exists()] == []


# Numbers in the documentation -------------------------------------------------------------------


def test_dsd_against_length_is_what_the_method_says() -> None:
    import torch

    from relax.koopman import Dictionary, dsd

    table = re.findall(r"^\| (\d+) \|(.+)\|$", sections(METHOD)["Pitfalls that were measured"], flags=re.M)
    said_of = {int(length): [float(cell) for cell in cells.split("|")] for length, cells in table}
    weight = Dictionary.random(64, 50, seed=0).weight
    for length in (51, 512):
        noise = torch.randn(12, length, 64, generator=torch.Generator().manual_seed(length))
        states = noise.clone()
        for t in range(1, length):
            states[:, t] = 0.9 * states[:, t - 1] + (1 - 0.9**2) ** 0.5 * noise[:, t]
        mask = torch.ones(12, length, dtype=torch.bool)
        found = [
            dsd(states, weight, mask, spectrum, ridge).mean().item()
            for ridge in (1e-3, 0.1)
            for spectrum in ("eigenvalues", "singular_values")
        ]
        assert found == pytest.approx(said_of[length], rel=0.1)
