"""What `snakemake --config` hands on, as values of the configuration, and the file that the jobs read."""

from pathlib import Path

import pytest
import yaml
from snakemake.cli import parse_config

from relax import config
from relax.config.command_line import load_with, overlay_file, overlay_of
from relax.errors import ConfigError
from tests.conftest import REPOSITORY

DEMO = REPOSITORY / "config" / "config.yaml"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["name=x"], {"name": "x"}),
        (["name=2024"], {"name": "2024"}),
        (['training={"steps": 5}'], {"training": {"steps": 5}}),
        (["training={steps: 5, learning_rate: 1e-4}"], {"training": {"steps": 5, "learning_rate": 1e-4}}),
        (["training={'micro_batch': None}"], {"training": {"micro_batch": None}}),  # as Snakemake hands it to a job
        (["matrix={seeds: [1, 2]}"], {"matrix": {"seeds": [1, 2]}}),
        (["methods={relax: {xi: q80, advantage_shaping: false}}"],
         {"methods": {"relax": {"xi": "q80", "advantage_shaping": False}}}),
        (["methods={relax: {xi: 3}}"], {"methods": {"relax": {"xi": 3}}}),
        (["methods={relax: {kl_mode: none, dsd_window: null}}"],
         {"methods": {"relax": {"kl_mode": "none", "dsd_window": None}}}),
        (["policies={new: {hub: {released: 2024-09-19, parameters: 7}}}"],
         {"policies": {"new": {"hub": {"released": "2024-09-19", "parameters": 7}}}}),
        (["limits=[1, a]"], {"limits": ["1", "a"]}),
        (["tracking={uri: null}"], {"tracking": {"uri": None}}),
    ],
)  # fmt: skip
def test_a_value_becomes_what_its_key_takes(words, expected) -> None:
    found = overlay_of(parse_config(words))
    assert found == expected
    assert config.digest(found) == config.digest(expected)  # a whole number stays one


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("trainig={steps: 3}", r"--config: unknown key 'trainig'; did you mean 'training'\."),
        ("training={stepss: 3}", r"--config: unknown key 'stepss'; did you mean 'steps'\."),
        ("training={steps: many}", r"--config: training\.steps is 'many', expected a whole number"),
        ("training=3", r"--config: training is 3, expected keys and values"),
        ("matrix={methods: [relaks]}", r"--config: unknown name 'relaks'; did you mean 'relax'\."),
    ],
)
def test_a_fault_is_blamed_on_the_command_line(words: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_with([DEMO], overlay_of(parse_config([words])))


@pytest.mark.parametrize("value", ['{"steps": 5', "{steps: 5", "[1, 2", "{'steps': 5}}"])
def test_a_value_that_is_not_closed_is_said_to_be_unreadable(value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        overlay_of(parse_config([f"training={value}"]))
    assert str(caught.value).startswith(f"--config: the value of training cannot be read: {value}; look whether every")


def test_a_contradiction_with_the_command_line_is_blamed_on_it() -> None:
    overlay = overlay_of(parse_config(["policies={tiny: {scratch: {heads: 5}}}"]))
    with pytest.raises(ConfigError, match=r"^--config: key_value_heads must divide heads, found 2 and 5\.$"):
        load_with([DEMO], overlay)


def test_a_fault_of_a_file_is_still_blamed_on_the_file(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("data: {digits: many}\n")
    with pytest.raises(ConfigError, match=r"bad\.yaml, line 1: data\.digits is 'many'"):
        load_with([DEMO, bad], {"name": "x"})


def test_the_file_is_an_overlay_and_is_written_once(tmp_path: Path) -> None:
    overlay = {"name": "x", "training": {"steps": 5}}
    path = overlay_file(overlay, tmp_path)
    assert yaml.safe_load(path.read_text()) == overlay
    assert config.load([DEMO, path]).training.steps == 5
    before = path.stat()
    assert overlay_file(overlay, tmp_path) == path
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert overlay_file({"name": "x", "training": {"steps": 6}}, tmp_path) != path
    path.write_text("name: touched\n")
    assert yaml.safe_load(overlay_file(overlay, tmp_path).read_text()) == overlay
