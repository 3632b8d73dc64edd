"""``relax dsd --chat``: prompts and chat messages through a model's own template."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from relax.koopman import Dictionary
from tests.latent.dsd_fixture import M, refused, relax_dsd, rows, write_rows

#: A turn is its role's digit and its content; then the model's own turn begins.
TEMPLATE = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system turns') }}{% endif %}"
    "{{ {'user': 1, 'assistant': 2}[m.role] }}{{ m.content }}{% endfor %}{% if add_generation_prompt %}:{% endif %}"
)


@pytest.fixture(scope="module")
def chat_policy(tiny_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny policy with a chat template."""
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("chat") / "policy"
    shutil.copytree(tiny_policy, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    return folder


def test_prompts_of_chat_messages_are_written_by_the_model_s_template(chat_policy: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    turns = [{"role": "user", "content": "34"}, {"role": "assistant", "content": "7"}, {"role": "user", "content": "5"}]
    asked = [
        {"id": "text", "prompt": "12"},
        {"id": "prompt", "prompt": turns, "messages": [{"role": "user", "content": "not this"}]},
        {"id": "messages", "messages": turns[:1]},
    ]
    file = write_rows(tmp_path / "prompts.jsonl", asked)
    dictionary = tmp_path / "w.safetensors"
    Dictionary.random(32, M, seed=1).save(dictionary)
    options = ["--model", chat_policy, "--prompts", file, "--chat", "--dictionary", dictionary, "--samples", 4]
    code, terminal = relax_dsd(*options, "--max-response-length", 12, "--out", tmp_path / "out")
    assert code == 0, terminal
    tokenizer = AutoTokenizer.from_pretrained(chat_policy)
    expected = {
        name: tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
        for name, messages in (
            ("text", [{"role": "user", "content": "12"}]), ("prompt", turns), ("messages", turns[:1]),
        )
    }  # fmt: skip
    sampled = rows(tmp_path / "out" / "responses.jsonl")
    assert {row["id"].partition("/")[0] for row in sampled} == set(expected)
    for row in sampled:
        assert row["prompt_ids"] == expected[row["id"].partition("/")[0]]
    answers = write_rows(
        tmp_path / "answers.jsonl", [{"id": "prompt", "response": "1+2"}, {"prompt": "12", "response": "3"}]
    )
    code, terminal = relax_dsd(*options, "--responses", answers, "--out", tmp_path / "given")
    assert code == 0, terminal
    assert list(pd.read_parquet(tmp_path / "given" / "trajectories.parquet").id) == ["prompt/0"]


@pytest.mark.parametrize(
    ("row", "template", "code", "said"),
    [
        ({"prompt": "12"}, None, 2, "has no chat template; leave --chat out"),
        ({"prompt": []}, "x", 3, "line 1: 'prompt' holds no message"),
        ({"prompt": ["12"]}, "x", 3, "line 1: message 1 of 'prompt' must be an object with the texts"),
        ({"messages": [{"role": "user", "content": [1]}]}, "x", 3, "line 1: message 1 of 'messages' must be an object"),
        ({"messages": [{"role": "assistant", "content": "1"}]}, "x", 3, "the last message of 'messages' is"),
        ({"messages": "12"}, "x", 3, "line 1: 'prompt' must be non-empty text, it is missing"),
        ({"id": "a", "prompt": "1"}, "{{ raise_exception('no user') }}", 3, "prompt 'a': the chat template of"),
        ({"prompt": "1"}, "{% if %}", 3, "its chat template is broken"),
    ],
)  # fmt: skip
def test_bad_chat(row: dict, template: str | None, code: int, said: str, tiny_policy: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    shutil.copytree(tiny_policy, tmp_path / "policy")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "policy")
    tokenizer.chat_template = template
    tokenizer.save_pretrained(tmp_path / "policy")
    file, out = write_rows(tmp_path / "prompts.jsonl", [row]), tmp_path / "out"
    refused(relax_dsd("--model", tmp_path / "policy", "--prompts", file, "--chat", "--out", out), code, said, out)


def test_messages_without_the_option_are_refused(tiny_policy: Path, tmp_path: Path) -> None:
    file, out = write_rows(tmp_path / "p.jsonl", [{"messages": [{"role": "user", "content": "12"}]}]), tmp_path / "out"
    said = "line 1: 'messages' is a list of chat messages; give --chat"
    refused(relax_dsd("--model", tiny_policy, "--prompts", file, "--out", out), 3, said, out)
