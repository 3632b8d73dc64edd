"""The verbs as they are declared: all public ones, in groups, each with a sentence, its options and its needs."""

import argparse
import re
from pathlib import Path

import pytest

from relax import files
from relax.cli import main
from relax.cli.app import GROUPS
from relax.cli.verb import Verb
from relax.errors import MachineError

VERBS = [verb for group in GROUPS.values() for verb in group]
#: Users and rules type these; a verb may be added, and none renamed.
PUBLIC = {
    "stages": "data overlap base dictionary train extract koopman generate grade evaluate",
    "results": "tables figures report track why reference",
    "analysis": "dsd audit claims evidence",
    "machine": "fetch doctor cost",
}


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[object, str]:
    """Exit code and output of `relax` with these words, where argparse has the last one."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    captured = capsys.readouterr()
    return ended.value.code, captured.out + captured.err


def test_help_lists_every_public_verb_in_its_group_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = said(capsys, "--help")
    assert code == 0
    blocks = dict(re.findall(r"^(\w+):\n((?:  .+\n)+)", text, flags=re.M))
    for group, names in PUBLIC.items():
        assert re.findall(r"^  (\w+) +[A-Z]", blocks[group], flags=re.M) == names.split()
    assert "75 stopped safely" in text
    for verb in VERBS:
        assert re.fullmatch(r"[A-Z][^.]+(?:\.md[^.]+)?\.", verb.help), verb.help


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_a_verb_shows_its_options_and_refuses_others(verb: Verb, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = said(capsys, verb.name, "--help")
    assert code == 0
    shown = set(re.findall(r"^  --([a-z-]+)", text, flags=re.M))
    assert {*verb.options, "log", "traceback"} <= shown
    assert "exit codes: 0 done" in text
    code, text = said(capsys, verb.name, "--nonsense")
    assert code == 2
    assert "Traceback" not in text
    assert text.startswith("usage: relax ")


def test_one_function_runs_each_verb_and_its_name_says_which() -> None:
    assert [verb.run.__name__ for verb in VERBS] == [f"run_{verb.name}" for verb in VERBS]
    assert len({verb.name for verb in VERBS}) == len(VERBS)


def test_a_verb_with_a_configuration_is_run_with_it_and_the_others_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert {verb.name for verb in VERBS if not verb.configured} == {
        *("tables", "why", "reference", "dsd", "audit", "claims", "evidence", "fetch", "doctor", "cost")
    }
    (tmp_path / "no.yaml").write_text("name: [")
    for verb in VERBS:
        if verb.configured:
            code, text = said(capsys, verb.name)
            assert code == 2
            assert "--configfile" in text
    words = ["data", "--configfile", str(tmp_path / "no.yaml"), "--out", str(tmp_path / "out")]
    assert main(words) == 2
    assert f"relax data: {tmp_path / 'no.yaml'}, line 1: not valid YAML" in capsys.readouterr().err


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_option_says_what_it_is(verb: Verb) -> None:
    parser = argparse.ArgumentParser()
    verb.fill(parser)
    texts = {option.dest: option.help or "" for option in parser._actions}
    assert [name for name, text in texts.items() if not text or re.match("(of|as|its|their|added|in) ", text)] == []


def test_what_only_a_clone_holds_is_refused_with_the_folder_to_go_to(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(files, "_HOME", tmp_path)
    assert main(["evidence"]) == 4
    with pytest.raises(MachineError) as caught:
        files.of_the_clone("envs/cpu.lock")
    assert str(caught.value) == (
        f"envs/cpu.lock is part of a clone of the repository, and relax runs from {tmp_path}, which holds no such "
        "thing; change to the folder of a clone, run `make setup` there and give the same words to its "
        ".venv/bin/relax."
    )
