"""Slips at the command line: one sentence, the exit code of its class, and nothing written."""

from pathlib import Path

import pytest

from relax.errors import ConfigError
from relax.records.why import why
from tests.conftest import REPOSITORY
from tests.results.results_fixture import config_of, make_results, write_record
from tests.workflow.faults_fixture import one_sentence, relax

BASE = ("--configfile", REPOSITORY / "config" / "config.yaml")


@pytest.mark.parametrize(
    ("verb", "options", "code", "words"),
    [
        ("tables", ("--root", "results/nowhere"), 3, "results/nowhere: no run record of demo there; expected"),
        ("figures", ("--root", "results"), 3, "results: no run record of demo there"),
        ("koopman", ("--policy", "tinny", "--method", "grpo", "--seed", "1", "--latent", "x"), 2,
         "unknown name 'tinny' in policies; did you mean 'tiny'"),
        ("koopman", ("--policy", "tiny", "--method", "grop", "--seed", "1", "--latent", "x"), 2,
         "unknown name 'grop' in methods; did you mean 'grpo'"),
        ("koopman", ("--policy", "tiny", "--method", "initial", "--seed", "0", "--latent", "x"), 3, "no such folder"),
        ("koopman", ("--policy", "tiny", "--method", "grpo", "--seed", "1", "--latent", "relax"), 3, "no run record"),
        ("koopman", ("--policy", "tiny", "--method", "grpo", "--seed", "-1", "--latent", "x"), 2,
         "--seed: expected a whole number of at least 0, found '-1'"),
    ],
)  # fmt: skip
def test_names_that_lead_nowhere(tmp_path: Path, verb: str, options: tuple[str, ...], code: int, words: str) -> None:
    out = tmp_path / "out"
    one_sentence(relax(verb, *BASE, *options, "--out", out), code, words)
    assert not out.exists()


def test_a_folder_of_another_stage_is_named(tmp_path: Path) -> None:
    write_record(tmp_path / "train", "train", {"policy": "tiny", "method": "grpo", "seed": 1})
    run = ("--policy", "tiny", "--method", "grpo", "--seed", "1", "--out", tmp_path / "out")
    for verb, option, stage in (("koopman", "--latent", "extract"), ("grade", "--responses", "generate")):
        ended = relax(verb, *BASE, *run, option, tmp_path / "train")
        one_sentence(ended, 3, f"train: was made by `relax train`, expected the folder of `relax {stage}`")
    assert not (tmp_path / "out").exists()


def test_a_store_by_its_path_is_told_its_address(tmp_path: Path) -> None:
    (store := tmp_path / "mlflow.db").touch()
    ended = relax("tables", "--from-mlflow", store, "--out", tmp_path / "out")
    one_sentence(ended, 2, f"expected a tracking URI; write sqlite:///{store}")


@pytest.mark.parametrize(
    ("only", "words"),
    [
        ({"method": "relaks"}, "has the method 'relaks'; there are grpo, grpo-kl, initial, relax, "),
        ({"seed": 7}, "has the seed 7; there are 0, 1, 2."),
        ({"policy": "tinny"}, "has the policy 'tinny'; there are tiny."),
        ({"method": "relax", "benchmark": "noisysum"}, "has the benchmark 'noisysum'; there are long-sum, noisy-sum."),
    ],
)
def test_a_run_that_is_not_there_has_no_chain(tmp_path: Path, only: dict[str, object], words: str) -> None:
    make_results(tmp_path, config_of())
    write_record(tmp_path / "data", "data", {"name": "synthetic"})
    with pytest.raises(ConfigError) as caught:
        why(tmp_path / "data", only)
    assert words in str(caught.value)
