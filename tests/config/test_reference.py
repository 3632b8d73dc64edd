"""The descriptions of keys: each has one, the README's tables and the JSON schema are made of them."""

import json
import re
import subprocess
import sys

import jsonschema  # Snakemake's, and an editor's reading of the schema
import pytest
import yaml

from relax import config
from relax.config import reference
from relax.config.schema import rule_of, schema
from relax.settings import sentences
from tests.conftest import REPOSITORY, overlays

README = REPOSITORY / "config" / "README.md"


def test_the_tables_of_the_readme_are_those_of_the_models() -> None:
    page = README.read_text()
    assert page == reference.with_tables(page), "run: python -m relax.config.reference"
    shown = "".join(
        reference.table(part) for part in ("top", *config.Experiment.model_fields) if f"keys: {part} " in page
    )
    parents = {"matrix", "data", "prompt", "policies", "dictionary", "training", "methods", "ablations", "paper",
               "analysis", "evaluation", "benchmarks", "tracking", "resources"}  # fmt: skip
    assert shown.count("\n| `") == len(reference.described_keys()) - len(parents)


def test_a_table_that_is_out_of_date_is_seen() -> None:
    page = README.read_text()
    assert reference.with_tables(page.replace("| 120 |", "| 121 |", 1)) == page


def test_every_key_is_described() -> None:
    found = reference.described_keys()
    assert len(found) > 150
    assert [key.path for key in found if not key.help.endswith(".") or not key.values] == []
    assert len({key.path for key in found}) == len(found)
    assert not [key.path for key in found if " | " in key.help + key.values + key.paper]


def test_every_description_has_a_subject() -> None:
    bare = re.compile("(Of|As|Its|Their|Added|Put|Handed) |[A-Z][a-z]+\\.( |$)")
    allowed = {"Demonstrations generated.", "Held-out prompts.", "Optimizer steps.", "Attention heads."}
    found = {key.path: sentences(key.help)[0] for key in reference.described_keys()}
    assert [path for path, first in found.items() if bare.match(first) and first not in allowed] == []


def test_a_default_in_the_table_is_the_one_that_is_taken() -> None:
    written = {key.path: key.default for key in reference.described_keys()}
    training = config.load([REPOSITORY / "config" / "config.yaml"]).training.recorded()
    named = yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text())["training"]
    taken = {name: value for name, value in training.items() if name not in named}
    assert len(taken) > 10
    assert {name: yaml.safe_load(written[f"training.{name}"]) for name in taken} == taken


def test_a_key_says_its_unit_range_and_what_the_paper_has() -> None:
    found = {key.path: key for key in reference.described_keys()}
    assert found["training.max_response_length"].values == "whole number, at least 1 (tokens)"
    assert found["training.max_response_length"].paper == "3072 (Table 3)"
    assert found["evaluation.vllm_memory"].values == "number, more than 0, at most 1"
    assert found["data.visual.text_share"].values == "number, 0 to 1"
    assert found["data.datasets[].where"].default == "{}"
    assert found["policies.<name>.hub.repo"].default == "required"
    assert found["policies.<name>.hub"].default == "one of them"


def test_the_first_sentence_is_what_a_fault_says() -> None:
    rule = rule_of(["methods", "any", "xi"])
    assert sentences(rule["description"])[0] == (
        "DSD limit (Eq. 12): a number, or a percentile of the initial policy's DSD such as q90; without a value there "
        "is no limit."
    )
    assert rule_of(["methods", "any", "nothing"]) == {}
    assert rule_of(["data", "datasets", 0, "repo"])["type"] == "string"


@pytest.mark.parametrize("path", sorted((REPOSITORY / "config").glob("*.yaml")), ids=lambda p: p.name)
def test_the_schema_admits_what_is_loaded(path) -> None:
    files = [REPOSITORY / "config" / "config.yaml", *overlays(path)]
    check = jsonschema.Draft202012Validator(schema())
    check.check_schema(schema())
    loaded = config.load(files).recorded()
    assert list(check.iter_errors(loaded)) == []
    assert list(check.iter_errors(config.merge(loaded, {"training": {"steps": 0}})))
    assert list(check.iter_errors(config.merge(loaded, {"trainig": {}})))


def test_the_schema_is_printed_for_editors() -> None:
    words = [sys.executable, "-m", "relax.config.schema"]
    printed = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert json.loads(printed) == schema()
    assert '"title"' not in json.dumps(schema()["properties"]["training"])
