"""Functions of the user's own that a configuration names as ``module:function``: found, hashed, imported.

A module is looked for in the current folder first and then among the installed packages, as ``python -m`` does. Naming
a function runs its module with the rights of whoever runs the pipeline: the configuration and the module are the
user's own.
"""

import contextlib
import hashlib
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator

from relax.errors import ConfigError, RelaxError
from relax.settings import contradiction

_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


def _is_name(value: str) -> str:
    if not _NAME.fullmatch(value) or value.partition(":")[0].endswith(".py"):
        raise contradiction(
            f"{{key}} is {value!r}, expected module:function; the function `short` of the file rewards.py is "
            "rewards:short."
        )
    return value


#: The name of a function, ``module:function``.
OwnFunction = Annotated[str, AfterValidator(_is_name)]


def source_of(name: str) -> Path | None:
    """The file of a function's module, found without running any code of a module of the current folder.

    Args:
        name: ``module:function``.

    Returns:
        The file; None where there is no such module, or the module has no file.
    """
    module, path, spec = name.partition(":")[0], [os.getcwd(), *sys.path], None
    for part in module.split("."):
        spec = PathFinder.find_spec(part, path)
        if spec is None:
            break
        path = list(spec.submodule_search_locations or [])
    if spec is None:  # some packages are installed by finders of their own
        try:
            spec = find_spec(module)
        except (ImportError, ValueError):
            return None
    found = None if spec is None or spec.origin is None else Path(spec.origin)
    return found if found is not None and found.is_file() else None


def sources(names: Iterable[str]) -> dict[str, str]:
    """``module:function`` -> SHA-256 of the module's file; what the module imports is not looked at. Modules of this
    package are left out: a record names the version of our own code.

    Raises:
        ConfigError: there is no such module.
    """
    own = [name for name in names if not name.startswith("relax.")]
    return {name: hashlib.sha256(_file(name).read_bytes()).hexdigest() for name in own}


def load(name: str) -> Callable[..., Any]:
    """The function, from its module, which is imported.

    Args:
        name: ``module:function``.

    Raises:
        ConfigError: no such module, it cannot be imported, it has nothing of that name, or that is no function.
    """
    file = _file(name)
    module, _, function = name.partition(":")
    if (here := os.getcwd()) not in sys.path:
        sys.path.insert(0, here)
    try:
        found = getattr(import_module(module), function)
    except AttributeError as error:
        if not isinstance(error.obj, type(sys)) or error.name != function:
            raise _unusable(name, file, error) from error
        raise ConfigError(f"{name}: {file} has no function {function!r}; define it there, or name another.") from error
    except (Exception, SystemExit) as error:  # a program without a guard ends the process when it is imported
        raise _unusable(name, file, error) from error
    if not callable(found):
        raise ConfigError(f"{name}: {function!r} in {file} is of type {type(found).__name__}, expected a function.")
    return found


def _file(name: str) -> Path:
    found = source_of(name)
    if found is None:
        raise ConfigError(f"{name}: {missing(name)}")
    return found


def missing(name: str) -> str:
    """What is said of a function whose module is not found."""
    module = name.partition(":")[0]
    return (
        f"there is no module {module!r}; put {module.replace('.', '/')}.py into the folder {os.getcwd()}, or install "
        "the package."
    )


@contextlib.contextmanager
def blamed(what: str, name: str) -> Iterator[None]:
    """Within the block the user's function is called, and what goes wrong there is said in one sentence.

    Args:
        what: the function is, such as ``reward``.
        name: ``module:function``.

    Raises:
        ConfigError: the function raised something.
    """
    try:
        yield
    except RelaxError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigError(f"the {what} {name} failed with {_raised(error, source_of(name))}; mend it.") from error


def _unusable(name: str, file: Path, error: BaseException) -> ConfigError:
    return ConfigError(f"{name}: {file} cannot be imported: {_raised(error, file)}; mend the file.")


def _raised(error: BaseException, file: Path | None) -> str:
    """What was raised, and in which line of the user's file, in a few words."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    if isinstance(error, SyntaxError):
        lines = [error.lineno]
    said = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())
    return f"{type(error).__name__} ({said})" + (f" in line {lines[-1]} of {file}" if lines else "")
