"""The study's trap on a GPU: what the configuration asks for, and the same scaled down for real."""

import itertools
import json

import pytest

from relax import config
from relax.study.tracked_runs import collect_records, read_records
from relax.tasks import answer_prior
from tests.conftest import REPOSITORY
from tests.workflow.workflow_fixture import planned, snakemake

FILES = ["config/study.yaml", "config/study_gpu.yaml"]
SMALL = """
name: study_gpu_small
matrix: {policies: [trap-24m-a], methods: [grpo, relax-sv-kl], seeds: [1]}
data: {digits: 14, train_problems: 200, test_problems: 16}
policies:
  trap-24m-a:
    scratch:
      hidden_size: 32
      layers: 2
      heads: 4
      intermediate_size: 64
      warmup: {demonstrations: 640, steps: 10, second_stage: {demonstrations: 640, steps: 10}}
dictionary: {koopman_dim: 12, rollouts: 32, probes: 8}
training:
  {steps: 4, prompts_per_step: 4, rollouts_per_prompt: 4, micro_batch: 8, max_response_length: 59, probe_every: 2}
analysis: {prompts: 4, responses_per_prompt: 2}
benchmarks: {answer-prior: {samples: 4}}
ablations: {}
"""


@pytest.fixture(scope="module")
def loaded() -> config.Experiment:
    return config.load([REPOSITORY / name for name in ("config/config.yaml", *FILES)])


def test_it_is_the_study_in_another_size(loaded) -> None:
    study = config.load([REPOSITORY / name for name in ("config/config.yaml", FILES[0])])
    assert set(loaded.matrix.methods) < set(study.matrix.methods)
    for method in loaded.matrix.methods:
        assert loaded.methods[method] == study.methods[method]
    other = {"learning_rate", "max_response_length", "micro_batch"}
    assert {key for key, value in study.training if getattr(loaded.training, key) != value} == other
    assert loaded.dictionary.koopman_dim == 50
    # All pairs in one direction give a p that Holm's correction over four tests leaves at 0.05 or below.
    pairs = len(loaded.matrix.policies) * len(loaded.matrix.seeds)
    assert 4 * 2.0 ** (1 - pairs) <= 0.05


def test_the_policy_and_its_texts_are_as_large_as_it_says(loaded) -> None:
    from relax.models.scratch import make_text_model, make_tokenizer

    task = config.base_settings(loaded, "trap-24m-b").recorded()
    context = answer_prior.TASK.context(task)
    tokenizer = make_tokenizer(answer_prior.TASK.alphabet, context)
    model = make_text_model(task["policy"]["scratch"], tokenizer, context)
    assert model.num_parameters() == pytest.approx(24e6, rel=0.02)
    longest = loaded.training.max_response_length
    prompts, responses = zip(*itertools.islice(shown(task), 300), strict=True)
    assert {len(r) + 1 for r in responses} == {318, 321}
    assert max(map(len, prompts)) + longest == model.config.max_position_embeddings == tokenizer.model_max_length


def shown(task):
    stage = task["policy"]["scratch"]["warmup"]["second_stage"]
    return answer_prior.demonstrations(task, stage, "x")


def test_its_chains_are_right_as_often_as_those_of_the_study(loaded) -> None:
    study = config.load([REPOSITORY / name for name in ("config/config.yaml", FILES[0])])
    shares = []
    for task in (
        config.base_settings(loaded, "trap-24m-a").recorded(),
        config.base_settings(study, "trap-a").recorded(),
    ):
        pairs = list(itertools.islice(shown(task), 4000))
        chains = [answer_prior.verify(*pair) for pair in pairs if answer_prior.strategy(*pair) == "chain"]
        shares.append(sum(chains) / len(chains))
    assert shares[0] == pytest.approx(shares[1], abs=0.03)


def test_a_dry_run_plans_the_whole(clone) -> None:
    jobs = planned(clone, "--configfile", *FILES)
    assert (jobs["base"], jobs["train"], jobs["evaluate"]) == (2, 48, 50)


@pytest.mark.long
def test_scaled_down_it_runs_to_its_end_and_can_be_tracked(clone, tmp_path) -> None:
    (clone / "small.yaml").write_text(SMALL)
    done = snakemake(clone, "--cores", "2", "--configfile", *FILES, "small.yaml")
    assert done.returncode == 0, done.stderr[-5000:]
    root = clone / "results" / "study_gpu_small"
    model = json.loads((root / "base/trap-24m-a/model/config.json").read_text())
    assert model["max_position_embeddings"] == 74
    for path in root.rglob("run.json"):  # the copy is no repository, so its runs have no commit
        path.write_text(json.dumps(json.loads(path.read_text()) | {"git": {"commit": "0" * 40, "dirty": False}}))
    assert collect_records([root], tmp_path)["added"] == 3
    record = read_records(tmp_path)["study_gpu_small", "trap-24m-a", "relax-sv-kl", 1]
    assert record["curves"]["step"] == [1, 3]
    assert {"reward", "entropy", "strategy/chain", "dsd/eigenvalues", "dsd/singular_values"} < set(record["curves"])
    assert {"dsd/eigenvalues/matched", "dsd/singular_values/ridge_0.1", "kl", "length"} < set(record["thinned"])
    assert record["probes"]["step"] == [0, 2, 4]
    assert {"seconds/step", "seconds/dsd", "seconds/dsd_share"} == set(record["seconds"])
    assert {"mean@4", "subset/hard/mean@4", "subset/hard/pass@4"} <= set(record["scores"]["answer-prior"])
    assert [response["step"] for response in record["responses"]] == [1, 1, 3, 3]
    assert None not in record["latent"].values()
