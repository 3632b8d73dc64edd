"""One place prepares a policy for all verbs: padding token, tokens that end a response."""

from pathlib import Path

import pytest
import torch
from datasets import Dataset
from transformers import AutoTokenizer

from relax import ReLaXConfig, ReLaXTrainer
from relax.data.problem_files import write_problems
from relax.errors import DataError, NumericsError
from relax.latent.rollouts import Rollout, sample
from relax.latent.states import response_states
from relax.models.policy import end_tokens, load_policy, load_processing
from relax.tasks import noisy_sum
from relax.tasks.problem import Problem
from tests.conftest import REPOSITORY
from tests.latent.dsd_fixture import relax, relax_dsd, rows, usual_options
from tests.models.policy_fixture import copy_of, save_llama
from tests.training.trainer_fixture import arguments, save_dictionary, shape

LEAST = """
dictionary: {rollouts: 16, probes: 4, koopman_dim: 4, epochs: 1}
training: {steps: 1, prompts_per_step: 4, rollouts_per_prompt: 4, updates_per_generation: 1, probe_every: 1}
analysis: {prompts: 8, responses_per_prompt: 1}
"""
END, TURN = 1, 13  # <eos>, and "=" as the end of a turn


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    return [problem for digits in (3, 5) for problem in noisy_sum.problems(4, "train", digits, seed=0)]


def sampled(folder: Path, problems: list[Problem]) -> list[Rollout]:
    model, processing = load_policy(folder)
    return sample(model, processing, problems, 4, 40, 1.0, 0, "test")


def test_padding_is_the_end_token_where_there_is_none_and_changes_no_number(
    problems: list[Problem], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    without = save_llama(tmp_path / "without")
    own = copy_of(without, tmp_path / "own", "tokenizer_config.json", pad_token="<pad>")
    assert AutoTokenizer.from_pretrained(without).pad_token is None
    assert [load_processing(folder).pad_token for folder in (without, own)] == ["<eos>", "<pad>"]
    assert load_processing(without).padding_side == "left"
    drawn = sampled(without, problems)
    assert drawn == sampled(own, problems)
    ended = [r for r in drawn if r.response_ids[-1] == END]
    assert 4 < len(ended) < len(drawn)  # the token that pads still ends a response, and is part of it
    states = [list(response_states(*_read(folder, drawn))) for folder in (without, own)]
    for (a, mask), (b, _) in zip(*states, strict=True):
        assert torch.equal(a[mask.bool()], b[mask.bool()])
    assert sum(int(mask.sum()) for _, mask in states[0]) == sum(len(r.response_ids) for r in drawn)


def _read(folder: Path, drawn: list[Rollout]):
    model, processing = load_policy(folder)
    return model, drawn, processing


def test_every_verb_takes_a_policy_without_a_padding_token(tmp_path: Path) -> None:
    """`generate` and `train` did; `dictionary` and `extract` ended in "Asking to pad"."""
    policy, train, test = save_llama(tmp_path / "llama"), tmp_path / "train.jsonl", tmp_path / "test.jsonl"
    write_problems(train, noisy_sum.problems(64, "train", 4, seed=0))
    write_problems(test, [p for digits in (2, 4) for p in noisy_sum.problems(4, "test", digits, seed=0)])
    (tmp_path / "least.yaml").write_text(LEAST)
    common = [
        "--configfile",
        *(REPOSITORY / "config" / name for name in ("config.yaml", "smoke.yaml")),
        tmp_path / "least.yaml",
        "--policy",
        "tiny",
    ]
    method = [*common, "--method", "relax", "--seed", 1]
    for verb, *options in (
        ("dictionary", *common, "--base", policy, "--data", train),
        (
            "train",
            *method,
            "--base",
            policy,
            "--data",
            train,
            "--dictionary",
            tmp_path / "dictionary",
            "--checkpoints",
            tmp_path / "checkpoints",
        ),
        (
            "extract",
            *method,
            "--model",
            tmp_path / "train" / "model",
            "--data",
            test,
            "--dictionary",
            tmp_path / "dictionary",
        ),
        ("generate", *method, "--model", tmp_path / "train" / "model", "--data", test),
    ):
        code, terminal = relax(verb, *options, "--out", tmp_path / verb)
        assert code == 0, terminal
        assert (tmp_path / verb / "run.json").is_file()
    code, terminal = relax_dsd(*usual_options(policy, tmp_path / "prompts.jsonl"), "--out", tmp_path / "dsd")
    assert code == 0, terminal


def test_every_token_that_the_generation_configuration_names_ends_a_response(
    tiny_policy: Path, problems: list[Problem], tmp_path: Path
) -> None:
    chat = copy_of(tiny_policy, tmp_path / "chat", "generation_config.json", eos_token_id=[END, TURN])
    before, now = sampled(tiny_policy, problems), sampled(chat, problems)
    past = [r for r in before if TURN in r.response_ids[:-1]]
    assert len(past) >= 12  # of 32: what ran on
    cut = [
        r.response_ids[: r.response_ids.index(TURN) + 1] if TURN in r.response_ids else r.response_ids for r in before
    ]
    assert [r.response_ids for r in now] == cut  # the end is part of the response, as the tokenizer's always was
    assert {r.response_ids[-1] for r in now if len(r.response_ids) < 40} == {END, TURN}


def test_analysis_training_and_evaluation_know_the_same_ends(
    tiny_policy: Path, problems: list[Problem], tmp_path: Path
) -> None:
    chat = copy_of(tiny_policy, tmp_path / "chat", "generation_config.json", eos_token_id=[TURN])
    model, processing = load_policy(chat)
    assert end_tokens(model, processing) == [END, TURN]
    trainer = ReLaXTrainer(
        model=model, reward_funcs=shape, train_dataset=Dataset.from_list([{"prompt": p.prompt} for p in problems]),
        args=arguments(ReLaXConfig, tmp_path, dictionary=save_dictionary(tmp_path)), processing_class=processing,
    )  # fmt: skip
    assert trainer.eos_token_ids == [END, TURN]
    trainer.model.train()
    batch = trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))
    for tokens, mask in zip(batch["completion_ids"], batch["completion_mask"], strict=True):
        assert not {END, TURN} & set(tokens[: int(mask.sum()) - 1].tolist())
    trainer.save_model(str(tmp_path / "trained"))
    assert end_tokens(*load_policy(tmp_path / "trained")) == [END, TURN]
    # The pipeline's other three ways to a response.
    options = usual_options(chat, tmp_path / "prompts.jsonl")
    assert relax_dsd(*options, "--out", tmp_path / "dsd")[0] == 0
    written = [row["response_ids"] for row in rows(tmp_path / "dsd" / "responses.jsonl")]
    assert not any({END, TURN} & set(tokens[:-1]) for tokens in written)
    assert any(tokens[-1] == TURN for tokens in written)
    from relax.evaluation.backends import HuggingFace

    kwargs = {"do_sample": True, "temperature": 1.0, "max_gen_toks": 40, "until": []}
    answers = HuggingFace(chat, 8).answer([p.prompt for p in problems], kwargs, [0] * len(problems), 0)
    turns = [answer for answer in answers if answer.text.endswith("=")]
    assert turns
    assert all("=" not in answer.text[:-1] for answer in answers)
    assert {answer.finish for answer in turns} == {"stop"}
    assert all(answer.tokens >= len(answer.text) for answer in answers)  # none runs on past the tokenizer's own either


@pytest.mark.parametrize(("named", "ends"), [(None, [1]), (1, [1]), (5, [1, 5]), ([5, 1], [5, 1]), ([5, 6], [1, 5, 6])])
def test_the_ends_are_those_that_trl_takes(named: object, ends: list[int], tiny_policy: Path) -> None:
    model, processing = load_policy(tiny_policy)
    model.generation_config.eos_token_id = named
    assert end_tokens(model, processing) == ends


def test_a_token_that_the_policy_has_no_embedding_of_is_named(tiny_policy: Path, tmp_path: Path) -> None:
    """Tokens may be added to a tokenizer alone; they matter where a prompt has one."""
    folder = copy_of(tiny_policy, tmp_path / "added")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["<image_soft_token>"], special_tokens=True)
    tokenizer.save_pretrained(folder)
    model, processing = load_policy(folder)
    number = processing.convert_tokens_to_ids("<image_soft_token>")
    asked = [Problem("p", "1+<image_soft_token>", "", "")]
    with pytest.raises(DataError, match=rf"prompts from 'p' on: token {number} is not among the 15"):
        sample(model, processing, asked, 1, 4, 1.0, 0, "test")
    with pytest.raises(DataError, match=rf"responses from 'r' on: token {number} is not among the 15"):
        list(response_states(model, [Rollout("r", "1", [3], [number, 1], "")], processing))


def test_a_policy_whose_weights_are_no_numbers_is_one_sentence(problems: list[Problem], tiny_policy: Path) -> None:
    model, processing = load_policy(tiny_policy)
    model.lm_head.weight.data.fill_(torch.nan)
    with pytest.raises(NumericsError, match=r"^it: the policy's probabilities are not finite"):
        sample(model, processing, problems[:2], 1, 4, 1.0, 0, "it")
