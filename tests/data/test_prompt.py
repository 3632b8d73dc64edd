"""A problem becomes one and the same text, and the same tokens, in training, analysis and evaluation."""

from pathlib import Path

import pytest
from datasets import Dataset
from tokenizers.processors import TemplateProcessing
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from relax import ReLaXConfig, ReLaXTrainer, config
from relax.data.prompt import PLAIN, adds_bos, render
from relax.errors import ConfigError
from relax.evaluation.backends import HuggingFace
from relax.latent.rollouts import sample
from relax.models.policy import load_policy
from relax.tasks.problem import Problem
from tests.conftest import REPOSITORY
from tests.training.trainer_fixture import arguments, save_dictionary, shape

CHAT = {"chat_template": True, "system": "0", "thinking": False}
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


def test_every_stage_reads_the_same_tokens(chatty: Path, tmp_path: Path) -> None:
    tokenizer = load(chatty)
    text = render(tokenizer, "1+2", CHAT)
    expected = tokenizer(text)["input_ids"]
    assert expected.count(tokenizer.bos_token_id) == 1
    model, own = load_policy(chatty)
    rollouts = sample(model, own, [Problem("p", "1+2", "3", "s")], 1, 4, 1.0, 0, "test", prompt=CHAT)
    assert rollouts[0].prompt_ids == expected
    assert rollouts[0].prompt == "1+2"
    assert HuggingFace(chatty, 2).tok_encode(text) == expected
    trainer = ReLaXTrainer(
        model=model, reward_funcs=shape, train_dataset=Dataset.from_list([{"prompt": text}] * 8),
        args=arguments(ReLaXConfig, tmp_path, dictionary=save_dictionary(tmp_path)), processing_class=own,
    )  # fmt: skip
    trainer.model.train()
    batch = trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))
    assert batch["prompt_ids"][0].tolist() == expected


def test_a_system_turn_wants_a_template(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("prompt: {system: Think.}\n")
    with pytest.raises(ConfigError, match=r"line 1: a system turn needs prompt\.chat_template: true"):
        config.load([REPOSITORY / "config" / "config.yaml", tmp_path / "my.yaml"])
