"""Settings beside the paper's: what differs and what does not, for configurations whose differences are known."""

import pytest

from relax import config
from relax.config.schema import rule_of
from relax.errors import DataError
from relax.results.report.deviations import FILE, deviations, read_settings
from tests.conftest import REPOSITORY

DEMO, PAPER = (REPOSITORY / "config" / name for name in ("config.yaml", "paper_text.yaml"))


def differing(*files):
    table = deviations(config.load(files).recorded(), read_settings())
    return {row["setting"]: row["here"] for row in table.rows}, table.caption


def test_the_papers_configuration_differs_where_it_says_so():
    found, caption = differing(DEMO, PAPER)
    assert set(found) == {"generation batch", "beta", "xi", "training framework"}
    assert found["beta"].endswith("0 (relax-no-kl, relax-sv-no-kl)")
    assert "10 (relax-sv, relax-sv-no-kl, relax-sv-no-shaping)" in found["xi"]
    for same in ("learning rate 1e-6", "response length, tokens at most 3072", "alpha 0.1", "rollouts made by vLLM"):
        assert same in caption


def test_the_demos_differences():
    found, caption = differing(DEMO)
    assert found["Koopman dimension m"] == "16"
    assert found["xi"] == "q90"
    assert found["batch (prompts between two generations)"] == "32"
    assert found["alpha"] == "0.1 (relax); 0.01 (relax-sv, relax-sv-no-kl)"
    assert "temperature 1.0" in caption
    assert "percentile of the initial policy's DSD" in caption


def test_what_is_not_given_is_said_so():
    bare = {"matrix": {"methods": ["grpo"]}, "methods": {"grpo": {}}}
    table = deviations(bare, read_settings())
    found = {row["setting"]: row["here"] for row in table.rows}
    assert (found["learning rate"], found["alpha"]) == ("not given", "no method with a DSD term")
    assert "optimiser AdamW" in table.caption


def test_every_key_is_one_of_the_schema():
    for setting in read_settings():
        for key in filter(None, setting["key"].split(" x ")):
            group, _, name = key.partition(".")
            one = ["methods", "relax"] if group in ("methods", "relax") else [group]
            assert rule_of([*one, name]), key


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("setting,paper", "setting,print", "line 1: expected the columns setting,paper"),
        ("top-k,off,text,,off", "top-k,off,text,,", "line 10: expected setting, paper and source, and one of"),
        ("alpha,0.1,", "alpha,,", "line 12: expected setting, paper and source"),
    ],
)
def test_a_damaged_file_is_named_with_its_line(tmp_path, old, new, words):
    text = FILE.read_text()
    assert text.count(old) == 1, old
    (tmp_path / "settings.csv").write_text(text.replace(old, new))
    with pytest.raises(DataError, match=rf"settings\.csv, {words}"):
        read_settings(tmp_path / "settings.csv")
