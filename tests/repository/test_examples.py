"""Examples in docstrings run as they stand."""

import doctest
import importlib
import inspect
from pathlib import Path

import pytest

from relax import koopman

#: Modules with examples; relax itself trains for one step.
MODULES = ["relax", "relax.grading.grader", "relax.koopman", *(
    f"relax.koopman.{name}"
    for name in (
        "baselines", "dictionary", "estimator", "fitting", "gram_statistics", "operator", "projection", "residuals",
    )
)]  # fmt: skip
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(importlib.import_module(name), optionflags=FLAGS)
    assert result.attempted > 0
    assert result.failed == 0, "what was expected and what came is printed above"


def test_every_public_function_of_koopman_has_an_example() -> None:
    functions = [name for name in koopman.__all__ if inspect.isfunction(getattr(koopman, name))]
    texts = {name: (inspect.getdoc(getattr(koopman, name)) or "") + (koopman.__doc__ or "") for name in functions}
    assert len(functions) > 8
    assert [name for name, text in texts.items() if f"{name}(" not in text or ">>>" not in text] == []
