"""The house: who imports whom, how long files are, what is light, which names are public."""

import ast
import contextlib
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

PACKAGE = REPOSITORY / "relax"
#: Everyone may use these.
LEAVES = {"config", "settings", "errors", "files", "paper", "progress", "reading", "records", "tasks"}
#: Room -> the rooms it may import from. A stage may use what comes before it in the pipeline, and the mathematics.
ARROWS = {
    "settings": set(),
    "errors": set(),
    "progress": set(),
    "files": {"errors"},
    "reading": {"errors"},
    "paper": {"errors"},
    "tasks": {"errors", "settings"},
    "config": {"errors", "files", "paper", "reading", "settings", "tasks"},
    "koopman": {"errors"},
    "records": {"config", "errors", "files", "paper", "tasks"},
    "data": LEAVES,
    "models": LEAVES | {"data"},
    "grading": LEAVES | {"data"},
    "evaluation": LEAVES | {"data", "grading", "models"},
    "latent": LEAVES | {"data", "grading", "koopman", "models"},
    "training": LEAVES | {"data", "grading", "koopman", "latent", "models"},
    "results": LEAVES | {"evaluation"},
    "study": LEAVES | {"evaluation", "results"},
    "store": LEAVES,
    "cluster": LEAVES | {"data", "evaluation"},
}


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Full names of what a file imports from this package, wherever the statement stands."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "relax":
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.split(".")[0] == "relax"}
    return names


def part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", sources(), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_follow_the_arrows(path: Path) -> None:
    own = part(path)
    if own in ("cli", "__main__", "__init__"):
        return
    used = {name.split(".")[1] for name in imports(path)} - {own}
    assert used <= ARROWS[own], f"{own} must not import {used - ARROWS[own]}"


def test_the_pure_parts_stay_pure() -> None:
    allowed = {"torch"} | set(sys.stdlib_module_names)
    found = {
        node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(ast.parse((PACKAGE / "training" / "objective.py").read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert {name.split(".")[0] for name in found} <= allowed


def test_the_workflow_imports_the_standard_library_and_relax_config_only() -> None:
    for path in (REPOSITORY / "workflow").rglob("*.smk"):
        for line in path.read_text().splitlines():
            if line.startswith(("import ", "from ")):
                module = line.split()[1]
                light = ("relax", "relax.records.code", "relax.errors", "relax.files")
                assert (
                    module in light
                    or module.startswith(("relax.cluster", "relax.config"))
                    or module.split(".")[0] in sys.stdlib_module_names
                ), f"{path.name}: {line}"


def test_relax_never_imports_snakemake() -> None:
    for path in sources():
        tree = ast.parse(path.read_text())
        modules = [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
        modules += [alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names]
        assert not [m for m in modules if m.split(".")[0] == "snakemake"], path


@pytest.mark.parametrize("folder", ["relax", "tests", "workflow", "benchmarks"])
def test_no_file_is_longer_than_400_lines(folder: str) -> None:
    long = {
        path.relative_to(REPOSITORY).as_posix(): n
        for path in (REPOSITORY / folder).rglob("*")
        if path.suffix in (".py", ".smk", ".j2") and (n := len(path.read_text().splitlines())) > 400
    }
    assert long == {}


def test_help_and_configuration_load_no_heavy_library() -> None:
    program = (
        "import sys, relax.cluster.preflight, relax.records.code; from relax import cli, config"
        "\nconfig.load(['config/config.yaml'])"
        "\ntry: cli.main(['--help'])\nexcept SystemExit: pass"
        "\nheavy = {'torch', 'transformers', 'trl', 'mlflow', 'pandas', 'matplotlib', 'datasets', 'numpy', 'scipy'}"
        "\nsys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True)
    assert result.returncode == 0, f"loaded: {result.stderr}"
    assert "exit codes:" in result.stdout


def test_the_workflow_needs_no_library_that_comes_without_snakemake() -> None:
    """Where every rule runs in a container, there is nothing outside but Snakemake's own environment."""
    files = [REPOSITORY / "workflow" / "rules" / name for name in ("common.smk", "slurm.smk")]
    lines = [line for file in files for line in file.read_text().splitlines()]
    program = [
        "import sys",
        *(line for line in lines if line.startswith(("import ", "from "))),
        "settings.load(['config/config.yaml'])",
        "print(*{name.partition('.')[0] for name in sys.modules})",
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(program)], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    homes = importlib.metadata.packages_distributions()
    loaded = {_plain(home) for name in done.stdout.split() for home in homes.get(name, [])}
    assert "pydantic" in loaded
    assert loaded - _required_by("snakemake", "snakemake-executor-plugin-slurm") <= {"relax-rl", "setuptools"}


def _required_by(*names: str) -> set[str]:
    """Distributions that these bring along, extras left out."""
    found: set[str] = set()
    new = list(names)
    while new:
        if (name := _plain(new.pop())) in found:
            continue
        found.add(name)
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # one for another system
            needs = importlib.metadata.requires(name) or []
            new += [re.split("[^A-Za-z0-9._-]", need)[0] for need in needs if "extra ==" not in need]
    return found


def _plain(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def test_public_names() -> None:
    import relax
    from relax import koopman

    assert relax.ReLaXConfig.__mro__[1].__name__ == "GRPOConfig"
    assert "GRPOTrainer" in [base.__name__ for base in relax.ReLaXTrainer.__mro__]
    with pytest.raises(AttributeError, match="no attribute 'ReLax'"):
        _ = relax.ReLax
    names = [
        "koopman_matrix",
        "dsd",
        "eigenpair_residuals",
        "pseudospectrum",
        "dictionary_loss",
        "Dictionary",
        "KoopmanDSD",
    ]
    assert [name for name in names if name not in koopman.__all__] == []


def test_every_public_function_says_what_it_is() -> None:
    bare = []
    for path in sources():
        for node in ast.parse(path.read_text()).body:
            named = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
            if named and not ast.get_docstring(node):
                bare.append(f"{path.relative_to(PACKAGE)}: {node.name}")
    assert bare == []
