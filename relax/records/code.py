"""What code decides a stage's numbers, as versions that are recorded, compared, and make the pipeline run it again.

The version of our own code is a digest of the functions of :data:`DECIDES` and of everything of this package that they
use, followed from definition to definition: a verifier does not stand behind the problems that are made beside it.
Comments, docstrings, layout, annotations and the words of messages do not count. Light: every cluster job asks for it.
"""

import ast
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from relax.config import digest
from relax.config.benchmarks import names, read_task, task_file
from relax.config.own_code import source_of, sources
from relax.tasks import TASKS

PACKAGE = Path(__file__).resolve().parents[1]
#: Where definitions are followed to; all else, such as files and records, decides no number.
FOLLOWED = (
    "relax.data",
    "relax.evaluation",
    "relax.grading",
    "relax.koopman",
    "relax.latent.koopman_stage",
    "relax.tasks",
    "relax.training.rewards",
)
PROMPT = ("relax.data.prompt:render", "relax.data.prompt:conversation")
#: The rest of the grader, which its child processes run; they are told the judge by its name.
CHILD = ("relax.grading.workers:serve", "relax.grading.equivalence:judge")
#: Verb -> the functions that decide its numbers.
DECIDES: dict[str, tuple[str, ...]] = {
    "data": ("relax.data.problem_files:write_problems",),  # and that of its source
    "dictionary": PROMPT,
    "train": ("relax.training.rewards:correctness", "relax.training.rewards:boxed_format", *CHILD, *PROMPT),
    "extract": ("relax.grading.grader:grade_response", *CHILD, *PROMPT),
    "koopman": ("relax.latent.koopman_stage:koopman_stage",),
    "overlap": ("relax.evaluation.overlap_stage:overlap_stage",),
    "generate": ("relax.evaluation.generate_stage:_work",),
    "grade": ("relax.evaluation.grade_stage:grade_stage", *CHILD),
    "evaluate": ("relax.evaluation.evaluate_stage:evaluate_stage",),
}
#: What makes the problems of a task that reads data sets.
READ = "relax.data.hub:load_problems"
#: Stages that run again when their code changes; of the others, hours of a model's work, `relax why` says it alone.
RERUN = ("data", "koopman", "overlap", "generate", "grade", "evaluate")
#: Verbs that grade, and the libraries that decide what is right.
GRADING = ("train", "extract", "grade")
LIBRARIES = ("math-verify", "latex2sympy2-extended", "sympy")


def code_of(verb: str, settings: Mapping[str, Any]) -> dict[str, str] | None:
    """Versions of the code that decides a stage's numbers: ``relax``, and of the libraries that do where they are
    installed; None for a verb of which none is kept.

    Args:
        verb: of the command line.
        settings: of the stage: the source of the problems and the tasks of the benchmarks are looked up.
    """
    if verb not in DECIDES:
        return None
    entries, tasks = DECIDES[verb], []
    if verb == "data" and settings.get("source") in TASKS:
        make = TASKS[settings["source"]].problems
        entries += (READ if make is None else _entry(make),)
    if verb in GRADING:
        own = [verifier for task in TASKS.values() for verifier in (task.verify, task.check) if verifier is not None]
        entries += tuple(map(_entry, own))
    if verb in ("generate", "overlap"):
        tasks = [_task(entry["task"]) for _, entry in sorted(settings.get("benchmarks", {}).items())]
    found = definitions(entries)
    return {"relax": digest([found, tasks] if tasks else found), **(_versions() if verb in GRADING else {})}


def _entry(function: Callable[..., Any]) -> str:
    """A function of a task, as :func:`definitions` takes it: which one is asked is decided when the stage runs."""
    return f"{function.__module__}:{function.__name__}"


@cache
def _task(name: str) -> str | None:
    return digest(read_task(name)) if name in names() or task_file(name).is_file() else None


def changed(record: Mapping[str, Any]) -> str:
    """What of a run record's code is another version now, in words; empty where nothing is, or the record is older than
    this key. A library that is not installed here is not compared."""
    then = record.get("code") or {}
    now = (code_of(record["verb"], record["settings"]) or {}) if then else {}
    if own := record["settings"].get("sources"):  # functions of the user's own, where their files are here
        then, now = then | own, now | sources(name for name in own if source_of(name) is not None)
    return ", ".join(
        f"{name} {then[name]}, now {now[name]}" for name in then if now.get(name, then[name]) != then[name]
    )


@cache
def _versions() -> dict[str, str]:
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return found


@cache
def definitions(entries: tuple[str, ...]) -> dict[str, str]:
    """``module:name`` -> digest, of the functions named so and of every definition behind them.

    Raises:
        LookupError: a function named is not there.
    """
    found: dict[str, str] = {}
    open_ = []
    for entry in entries:
        module, _, name = entry.partition(":")
        if name not in _module(module).bound:
            raise LookupError(f"{entry}: there is no such function")
        open_.append((module, name))
    while open_:
        module, name = open_.pop()
        if f"{module}:{name}" in found:
            continue
        part = _part(module, name)
        found[f"{module}:{name}"] = part.digest
        open_ += [(module, ""), *(target for used in part.uses for target in _targets(module, part, used))]
    return found


@dataclass
class _Part:
    """A definition: its digest, the names it uses, and what it imports itself."""

    digest: str
    uses: set[str]
    imports: dict[str, tuple[str, str]]


@dataclass
class _Module:
    """A file: name -> the statements of its top level that bind it, those that bind none under the empty name."""

    bound: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)


@cache
def _module(name: str) -> _Module:
    path = PACKAGE.parent.joinpath(*name.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    module = _Module({"": []})
    for statement in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            module.imports |= _imported(statement)
        for bound in _binds(statement):
            module.bound.setdefault(bound, []).append(statement)
    return module


def _imported(statement: ast.Import | ast.ImportFrom) -> dict[str, tuple[str, str]]:
    """Name here -> (module, name there) of what is imported of ours; the package is imported from by full names."""
    if isinstance(statement, ast.Import) or not (statement.module or "").startswith("relax"):
        return {}
    return {alias.asname or alias.name: (statement.module or "", alias.name) for alias in statement.names}


def _binds(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for node in (node for target in targets for node in ast.walk(target)):
            if isinstance(node, ast.Name):
                yield node.id
    elif not isinstance(statement, ast.Import | ast.ImportFrom):
        yield ""


@cache
def _part(module: str, name: str) -> _Part:
    part = _Part("", set(), {})
    trees = [_tree(statement, part) for statement in _module(module).bound[name]]
    part.digest = hashlib.sha256(repr(trees).encode()).hexdigest()[:12]
    return part


def _targets(module: str, part: _Part, used: str) -> Iterator[tuple[str, str]]:
    """The definitions that a name, or a name behind a module's, stands for, where they are followed."""
    name, _, attribute = used.partition(".")
    known = _module(module)
    if name in known.bound:
        if not attribute:
            yield module, name
    elif target := part.imports.get(name) or known.imports.get(name):
        inside = f"{target[0]}.{target[1]}"
        if inside.startswith(FOLLOWED) and (PACKAGE.parent / inside.replace(".", "/")).with_suffix(".py").is_file():
            if attribute in _module(inside).bound:
                yield inside, attribute
        elif target[0].startswith(FOLLOWED) and not attribute:
            if target[1] in _module(target[0]).bound:
                yield target
            else:  # handed on by a package
                yield from _targets(target[0], _Part("", set(), {}), target[1])


#: Fields of a syntax tree that decide nothing, or that Python 3.11 does not have.
_LEFT_OUT = {"annotation", "returns", "type_comment", "type_params", "ctx", "kind"}


def _tree(node: Any, part: _Part) -> Any:
    """Nested lists of what counts in a syntax tree, the same in every version of Python; names go to ``part``."""
    kind = type(node)
    if kind is list:
        return [_tree(item, part) for item in node if not _says_only(item)]
    if kind is ast.Name:
        part.uses.add(node.id)
        return node.id
    if kind is ast.Constant:
        return ["Constant", node.value]
    if kind is ast.Import or kind is ast.ImportFrom:
        part.imports |= _imported(node)
        return None
    if kind is ast.Raise:  # not what it says
        return ["Raise", _tree(node.exc.func if isinstance(node.exc, ast.Call) else node.exc, part)]
    if not hasattr(node, "_fields"):
        return node
    if kind is ast.Attribute and type(node.value) is ast.Name:
        part.uses.add(f"{node.value.id}.{node.attr}")
    found: list[Any] = [kind.__name__]
    for name in node._fields:
        value = getattr(node, name, None)
        if name not in _LEFT_OUT and value is not None and value != []:
            found.append((name, _tree(value, part)))
    return found


def _says_only(node: Any) -> bool:
    """A docstring, or a line for the log."""
    if not isinstance(node, ast.Expr):
        return False
    call = node.value
    if isinstance(call, ast.Constant):
        return True
    target = call.func.value if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) else None
    return isinstance(target, ast.Name) and target.id == "logger"
