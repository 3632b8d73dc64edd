"""A problem becomes one and the same text, and the same tokens, in training, analysis and evaluation."""

from pathlib import Path

import pytest
from tokenizers.processors import TemplateProcessing
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from relax import ReLaXConfig, ReLaXTrainer, config
from relax.data.prompt import PLAIN, adds_bos, check_shots, conversation, render
from relax.errors import ConfigError
from relax.evaluation import generate_stage
from relax.evaluation.backends import HuggingFace
from relax.evaluation.questions import Question
from relax.latent.rollouts import sample
from relax.models.policy import load_policy
from relax.tasks.problem import Problem
from relax.training.pictures import training_set
from tests.conftest import REPOSITORY
from tests.training.trainer_fixture import arguments, save_dictionary, shape

CHAT = {"chat_template": True, "system": "0", "thinking": False}
SHOTS = [
    {"problem": "1+1", "response": "=2", "subset": None},
    {"problem": "2+2", "response": "=4", "subset": "even"},
    {"problem": "1+3", "response": "=4", "subset": "odd"},
]
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{{ '+' if m.role == 'system' else ':' }}{{ m.content }}{% endfor %}"
    "{{ '=' if enable_thinking else ';' }}"
)


@pytest.fixture
def chatty(tiny_policy: Path, tmp_path: Path) -> Path:
    """The tiny policy with a chat template and a tokenizer that begins every text, as Llama's does."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_policy)
    tokenizer.bos_token, tokenizer.chat_template = tokenizer.pad_token, TEMPLATE
    one = TemplateProcessing(single=f"{tokenizer.bos_token} $A", special_tokens=[(tokenizer.bos_token, 0)])
    tokenizer.backend_tokenizer.post_processor = one
    AutoModelForCausalLM.from_pretrained(tiny_policy).save_pretrained(tmp_path / "chatty")
    tokenizer.save_pretrained(tmp_path / "chatty")
    return tmp_path / "chatty"


def load(folder: Path) -> PreTrainedTokenizerFast:
    return AutoTokenizer.from_pretrained(folder, padding_side="left")


def test_without_a_template_the_problem_is_the_text(tiny_policy: Path) -> None:
    assert render(load(tiny_policy), "12+3", PLAIN) == "12+3"
    with pytest.raises(ConfigError, match="tokenizer has no chat template"):
        render(load(tiny_policy), "12+3", CHAT)


def test_with_a_template_it_is_the_users_turn(chatty: Path) -> None:
    tokenizer = load(chatty)
    assert adds_bos(tokenizer)
    assert render(tokenizer, "1+2", CHAT) == "+0:1+2;"  # the beginning comes from the tokenizer, not twice
    assert render(tokenizer, "1+2", {**CHAT, "system": None, "thinking": True}) == ":1+2="


def test_worked_examples_stand_before_the_problem_those_of_a_subset_with_its_problems_alone(chatty: Path) -> None:
    tokenizer, asked = load(chatty), {**CHAT, "shots": SHOTS}
    assert render(tokenizer, "5+6", asked) == "+0:1+1:=2:5+6;"
    assert render(tokenizer, "5+6", asked, "odd") == "+0:1+1:=2:1+3:=4:5+6;"
    assert render(tokenizer, "5+6", {**asked, "system": None}, "even") == ":1+1:=2:2+2:=4:5+6;"
    seen = conversation("5+6", 1, asked, "odd")
    assert [turn["role"] for turn in seen] == ["system", *["user", "assistant"] * 2, "user"]
    assert [turn["content"] for turn in seen[1:3]] == [[{"type": "text", "text": t}] for t in ("1+1", "=2")]
    assert seen[-1]["content"] == [{"type": "image"}, {"type": "text", "text": "5+6"}]
    turns = [("user", "1+1"), ("assistant", "=2"), ("user", "5+6")]
    plain = tokenizer.apply_chat_template(
        [{"role": role, "content": text} for role, text in turns],
        tokenize=False, add_generation_prompt=True, enable_thinking=False,
    )  # fmt: skip
    assert tokenizer.bos_token + render(tokenizer, "5+6", {**asked, "system": None, "shots": SHOTS[:1]}) == plain


def test_worked_examples_that_no_problem_would_show_are_refused() -> None:
    check_shots({**CHAT, "shots": SHOTS}, ["odd", "even", "odd"])
    with pytest.raises(ConfigError) as caught:
        check_shots({**CHAT, "shots": SHOTS}, ["odd", "uneven"])
    assert str(caught.value) == (
        "entry 2 of prompt.shots is for the subset 'even', of which there is no training problem; the subsets are odd, "
        "uneven."
    )
    with pytest.raises(ConfigError, match="they have no subsets"):
        check_shots({**CHAT, "shots": SHOTS}, ["", ""])


@pytest.mark.parametrize("shots", [[], SHOTS], ids=["plain", "with worked examples"])
def test_every_stage_reads_the_same_tokens(chatty: Path, tmp_path: Path, shots: list) -> None:
    tokenizer, asked = load(chatty), {**CHAT, "shots": shots}
    text = render(tokenizer, "1+2", asked, "odd")
    expected = tokenizer(text)["input_ids"]
    assert expected.count(tokenizer.bos_token_id) == 1
    model, own = load_policy(chatty)
    rollouts = sample(model, own, [Problem("p", "1+2", "3", "s", subset="odd")], 1, 4, 1.0, 0, "test", prompt=asked)
    assert rollouts[0].prompt_ids == expected
    assert rollouts[0].prompt == "1+2"
    assert HuggingFace(chatty, 2).tok_encode(text) == expected
    question = Question("q", "1+2", ("3",), "q", subset="odd")
    assert generate_stage._prompt(own, question, asked) == text
    problems = [Problem(f"p{i}", "1+2", "3", "s", subset=kind) for i, kind in enumerate(["odd"] * 8 + ["even"])]
    rows = training_set(problems, own, asked)
    assert rows[0]["prompt"] == text
    assert (rows[8]["prompt"] == text) is not bool(shots)
    if shots:
        with pytest.raises(ConfigError, match="for the subset 'even', of which there is no training problem"):
            training_set(problems[:8], own, asked)
    trainer = ReLaXTrainer(
        model=model, reward_funcs=shape, train_dataset=rows.select(range(8)),
        args=arguments(ReLaXConfig, tmp_path, dictionary=save_dictionary(tmp_path)), processing_class=own,
    )  # fmt: skip
    trainer.model.train()
    batch = trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))
    assert batch["prompt_ids"][0].tolist() == expected


def test_a_system_turn_wants_a_template(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("prompt: {system: Think.}\n")
    with pytest.raises(ConfigError, match=r"line 1: a system turn needs prompt\.chat_template: true"):
        config.load([REPOSITORY / "config" / "config.yaml", tmp_path / "my.yaml"])


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("{shots: [{problem: a, response: b}]}", r"worked examples need prompt\.chat_template: true"),
        ("{chat_template: true, shots: [{problem: a <image>, response: b}]}", "is text alone and has no place for an"),
        ("{chat_template: true, shots: [{problem: a}]}", r"entry 1 of prompt\.shots lacks the key 'response'"),
        ('{chat_template: true, shots: [{problem: "", response: b}]}', r"problem of entry 1 of prompt\.shots is ''"),
    ],
)
def test_a_worked_example_that_cannot_be_shown_is_named(tmp_path: Path, prompt: str, words: str) -> None:
    (tmp_path / "my.yaml").write_text(f"prompt: {prompt}\n")
    with pytest.raises(ConfigError, match=rf"my\.yaml, line 1: .*{words}"):
        config.load([REPOSITORY / "config" / "config.yaml", tmp_path / "my.yaml"])


def test_a_configuration_without_worked_examples_is_recorded_as_it_was_before_there_were_some(tmp_path: Path) -> None:
    base = REPOSITORY / "config" / "config.yaml"
    assert config.load([base]).prompt.recorded() == PLAIN
    (tmp_path / "my.yaml").write_text("prompt: {chat_template: true, shots: [{problem: a, response: b}]}\n")
    shots = [{"problem": "a", "response": "b", "subset": None}]
    assert config.load([base, tmp_path / "my.yaml"]).prompt.recorded()["shots"] == shots
