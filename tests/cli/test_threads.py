"""Jobs of the pipeline take one thread each; verbs that stand alone may take every core."""

import os
import re

import pytest

from relax.cli.app import GROUPS, _environment
from tests.conftest import REPOSITORY

VERBS = {verb.name: verb for group in GROUPS.values() for verb in group}


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_takes_one_thread_unless_it_stands_alone_or_is_told_otherwise(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", {})
    _environment(VERBS[name])
    assert os.environ.get("OMP_NUM_THREADS") == (None if VERBS[name].all_cores else "1")
    monkeypatch.setattr(os, "environ", {"OMP_NUM_THREADS": "3"})
    _environment(VERBS[name])
    assert os.environ["OMP_NUM_THREADS"] == "3"


def test_no_rule_of_the_pipeline_runs_a_verb_that_takes_every_core() -> None:
    rules = "".join(path.read_text() for path in (REPOSITORY / "workflow" / "rules").glob("*.smk"))
    named = {name for name in re.findall(r"\brelax ([a-z]+) --", rules) if name in VERBS}
    assert {"train", "dictionary", "extract"} <= named
    assert VERBS["dsd"].all_cores
    assert not any(VERBS[name].all_cores for name in named)
