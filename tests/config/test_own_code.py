"""Functions of the user's own: where they are found, what of them is recorded, and what is no such function."""

import hashlib
import sys
from pathlib import Path

import pytest

from relax import config
from relax.config.own_code import blamed, load, source_of, sources
from relax.errors import ConfigError, DataError
from tests.conftest import REPOSITORY

DEMO = REPOSITORY / "config" / "config.yaml"
REWARD = ("reward", "mine:short")


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_function_is_found_in_the_current_folder_first_and_then_in_the_environment(own_folder: Path) -> None:
    own = write(own_folder, "mine.py", "def short():\n    return 1\n")
    deep = write(own_folder, "lab/work/mine.py", "def short():\n    return 2\n")  # folders without __init__.py
    taken = write(own_folder, "textwrap.py", "def dedent():\n    return 3\n")
    assert source_of("mine:short") == own
    assert source_of("lab.work.mine:short") == deep
    assert source_of("textwrap:dedent") == taken
    assert source_of("json.decoder:scanstring") == Path(sys.modules["json.decoder"].__file__)
    assert [load("mine:short")(), load("lab.work.mine:short")()] == [1, 2]
    assert load("json.decoder:scanstring") is sys.modules["json.decoder"].scanstring


def test_finding_a_function_runs_nothing(own_folder: Path) -> None:
    write(own_folder, "lab/__init__.py", "raise SystemExit('ran')\n")
    file = write(own_folder, "lab/mine.py", "raise SystemExit('ran')\n")
    assert source_of("lab.mine:short") == file
    assert sources(["lab.mine:short"]) == {"lab.mine:short": hashlib.sha256(file.read_bytes()).hexdigest()}


def test_our_own_functions_are_not_hashed_as_the_record_has_their_version(own_folder: Path) -> None:
    assert sources(["relax.training.rewards:correctness"]) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, r"^mine:short: there is no module 'mine'; put mine.py into the folder .*, or install the package"),
        ("def long():\n    pass\n", r"^mine:short: .*mine.py has no function 'short'; define it there, or"),
        ("short = 3\n", r"^mine:short: 'short' in .*mine.py is of type int, expected a function\.$"),
        ("import no_such_module\n", r"^mine:short: .*mine.py cannot be imported: ModuleNotFoundError .* in line 1 of "),
        ("\n1 +\n", r"^mine:short: .*mine.py cannot be imported: SyntaxError \(invalid syntax\) in line 2 of "),
        (
            "import sys\nsys.exit('usage')\n",
            r"^mine:short: .*cannot be imported: SystemExit \(usage\) in line 2 of .*; mend",
        ),
        ("import os\nos.none\n", r"^mine:short: .*cannot be imported: AttributeError .* in line 2 of .*; mend"),
    ],
)
def test_what_is_no_function_is_one_sentence(own_folder: Path, text: str | None, said: str) -> None:
    if text is not None:
        write(own_folder, "mine.py", text)
    with pytest.raises(ConfigError, match=said) as caught:
        load("mine:short")
    assert "\n" not in str(caught.value)


def test_what_a_function_raises_is_said_with_its_line_and_our_own_faults_stay(own_folder: Path) -> None:
    write(own_folder, "mine.py", "def short(text):\n    return text['a']\n")
    function, saying = load("mine:short"), "^the reward mine:short failed with "
    with pytest.raises(ConfigError, match=rf"{saying}KeyError \('a'\) in line 2 of .*mine.py; "), blamed(*REWARD):
        function({})
    with pytest.raises(ConfigError, match=rf"{saying}TypeError \(short\(\) takes 1 "), blamed(*REWARD):
        function(1, 2)
    with pytest.raises(DataError, match=r"^as it is$"), blamed(*REWARD):
        raise DataError("as it is")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("training: {rewards: [short]}", "entry 1 of training.rewards is 'short', expected module:function; "),
        ("training: {rewards: [mine.py:short]}", "entry 1 of training.rewards is 'mine.py:short', expected module:"),
        ("training: {rewards: [a:short, b:short]}", "two functions of training.rewards have the name 'short'"),
        ("training: {rewards: [a:b], reward_weights: [1, 2]}", "reward_weights has 2 weights for 1 functions"),
        ("training: {reward_weights: [1]}", "weighs the functions of training.rewards, and there are none"),
        ("benchmarks: {noisy-sum: {verifier: a/b}}", "benchmarks.noisy-sum.verifier is 'a/b', expected module:"),
    ],
)
def test_a_name_that_is_none_is_a_fault_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    overlay = write(tmp_path, "mine.yaml", text)
    with pytest.raises(ConfigError) as caught:
        config.load([DEMO, overlay])
    assert str(caught.value).startswith(f"{overlay}, line 1: ")
    assert said in str(caught.value)


def test_a_module_that_is_not_there_is_told_before_anything_runs(own_folder: Path) -> None:
    overlay = write(own_folder, "mine.yaml", "training:\n  rewards:\n    - json:loads\n    - nowhere:short\n")
    with pytest.raises(ConfigError, match=r"mine.yaml, line 4: nowhere:short: there is no module 'nowhere'"):
        config.check_local_files(config.load([DEMO, overlay]), [DEMO, overlay])
    overlay.write_text("benchmarks: {noisy-sum: {verifier: nowhere:right}}\n")
    with pytest.raises(ConfigError, match=r"mine.yaml, line 1: nowhere:right: there is no module 'nowhere'"):
        config.check_local_files(config.load([DEMO, overlay]), [DEMO, overlay])


def test_a_changed_file_changes_the_stages_that_call_it_and_no_other(own_folder: Path) -> None:
    def digests() -> dict[str, str]:
        loaded = config.load([DEMO, overlay])
        return {
            "train": config.digest(config.train_settings(loaded, "relax")),
            "generate": config.digest(config.generate_settings(loaded)),
            "grade": config.digest(config.grade_settings(loaded)),
            "dictionary": config.digest(config.dictionary_settings(loaded)),
        }

    overlay = write(own_folder, "mine.yaml", "{}")
    plain = digests()
    assert plain["grade"] == config.digest({})
    overlay.write_text("training: {rewards: [mine:short]}\nbenchmarks: {noisy-sum: {verifier: mine:right}}\n")
    write(own_folder, "mine.py", "def short(): ...\ndef right(): ...\n")
    named = digests()
    assert {stage for stage in plain if plain[stage] != named[stage]} == {"train", "grade"}
    write(own_folder, "mine.py", "def short(): ...\ndef right(): 1\n")
    changed = digests()
    assert {stage for stage in named if named[stage] != changed[stage]} == {"train", "grade"}
    recorded = config.grade_settings(config.load([DEMO, overlay])).recorded()
    assert recorded == {
        "verifiers": {"noisy-sum": "mine:right"},
        "sources": {"mine:right": hashlib.sha256((own_folder / "mine.py").read_bytes()).hexdigest()},
    }
