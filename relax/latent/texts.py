"""Prompts and responses from plain files: JSON lines with text or chat messages, from whatever source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from relax.data.prompt import adds_bos, apply_template
from relax.errors import ConfigError, DataError
from relax.latent.rollouts import Rollout
from relax.reading import read_json_lines
from relax.records.record import check_recorded
from relax.tasks.problem import Problem

#: A chat message: role and content.
Message = dict[str, str]


@dataclass(frozen=True)
class Prompt:
    """A prompt as its file has it.

    Attributes:
        id: unique within the file.
        content: text, or chat messages.
    """

    id: str
    content: str | list[Message]


def read_prompts(path: str | Path, chat: bool = False) -> list[Prompt]:
    """Prompts of a file; a problem file of the pipeline is one.

    Each line is a JSON object with ``prompt`` (text, not empty) and, if wanted, ``id`` (text or a whole
    number, unique; the line's number otherwise). With ``chat``, ``prompt`` may be a list of messages as well, each
    with ``role`` and ``content`` (TRL's conversational format), or such a list may stand under ``messages`` where there
    is no ``prompt``. Other keys are ignored.

    Args:
        path: the file.
        chat: a chat template will render the prompts.

    Raises:
        DataError: the file is missing, empty or not what its record says, or a row does not fit; names file and line.
    """
    check_recorded(path)
    prompts: list[Prompt] = []
    seen: dict[str, str] = {}
    for where, number, row in read_json_lines(Path(path), "prompts"):
        name = _id(row, where) or str(number)
        if name in seen:
            raise DataError(f"{where}: id {name!r} is that of {seen[name]} as well; ids must be unique.")
        seen[name] = where
        key = "messages" if isinstance(row.get("messages"), list) and "prompt" not in row else "prompt"
        if not isinstance(row.get(key), list):
            prompts.append(Prompt(name, _text(row, key, where)))
        elif chat:
            prompts.append(Prompt(name, _messages(row[key], key, where)))
        else:
            raise DataError(
                f"{where}: {key!r} is a list of chat messages; give --chat, so that the model's chat template writes "
                "them as one text."
            )
    return prompts


def rendered(
    prompts: Sequence[Prompt], tokenizer: PreTrainedTokenizerBase, chat: bool, model: str
) -> dict[str, Problem]:
    """The prompts as the model reads them, by id: problems without an answer.

    Args:
        prompts: as :func:`read_prompts` gives them.
        tokenizer: of the model.
        chat: its chat template writes the prompts, with the beginning of the model's own turn; a text is then the
            user's turn. ``enable_thinking`` is false, as in the pipeline. Else a prompt is taken as it is.
        model: name, for messages.

    Raises:
        ConfigError: ``chat`` and a tokenizer without a chat template.
        DataError: the chat template is broken, or refuses the messages of a prompt.
    """
    if chat and not tokenizer.chat_template:
        raise ConfigError(
            f"--chat: {model} has no chat template; leave --chat out, or take a model that was trained with one."
        )
    texts = {}
    for prompt in prompts:
        text = prompt.content
        if chat or not isinstance(text, str):
            turns = [{"role": "user", "content": text}] if isinstance(text, str) else text
            text = _through_template(tokenizer, turns, prompt.id, model)
        texts[prompt.id] = Problem(prompt.id, text, answer="", source="")
    return texts


def _through_template(tokenizer: PreTrainedTokenizerBase, turns: list[Message], name: str, model: str) -> str:
    try:
        text: str = apply_template(tokenizer, turns, tokenize=False, enable_thinking=False)
    except ConfigError as error:
        raise DataError(f"prompt {name!r}: the chat template of {model} refuses it ({error.__cause__}).") from error
    beginning = tokenizer.bos_token
    # The tokenizer would put it in front a second time.
    return text.removeprefix(beginning) if isinstance(beginning, str) and adds_bos(tokenizer) else text


def read_responses(path: str | Path, prompts: Sequence[Prompt]) -> list[tuple[str, str]]:
    """Responses of a file, each as the id of the prompt that it answers, and its text.

    Each line is a JSON object with ``response`` (text) and ``id`` or ``prompt``: the id of a prompt, or
    else a prompt's text as its file has it. Several rows may answer one prompt.

    Raises:
        DataError: the file is missing or empty, a row does not fit, or it answers no prompt given; names
            file and line.
    """
    ids = {prompt.id for prompt in prompts}
    by_text = {prompt.content: prompt.id for prompt in reversed(prompts) if isinstance(prompt.content, str)}
    answers: list[tuple[str, str]] = []
    for where, _, row in read_json_lines(Path(path), "responses"):
        response = _text(row, "response", where, empty=True)
        name = _id(row, where)
        prompt = name if name in ids else None
        if prompt is None and "prompt" in row:
            prompt = by_text.get(_text(row, "prompt", where))
        if prompt is None and name is None and "prompt" not in row:
            raise DataError(f"{where}: neither 'id' nor 'prompt'; one of them must say which prompt is answered.")
        if prompt is None:
            given = f"id {name!r}" if name else f"prompt {str(row['prompt'])[:40]!r}"
            raise DataError(f"{where}: {given} is not among the prompts; give the file that holds it as --prompts.")
        answers.append((prompt, response))
    return answers


def tokenize(
    answers: Sequence[tuple[str, str]], prompts: Mapping[str, Problem], tokenizer: PreTrainedTokenizerBase
) -> list[Rollout]:
    """Responses given as text, as rollouts with the ids ``<prompt's id>/<number>``.

    Prompts are tokenized as for sampling, special tokens in front included; responses without any. The
    end-of-text token is not added: a text does not say whether its writer had ended.

    Args:
        answers: as :func:`read_responses` gives them.
        prompts: as :func:`rendered` gives them.
        tokenizer: of the model.
    """
    counts: dict[str, int] = {}
    rollouts = []
    for name, response in answers:
        number = counts.get(name, 0)
        counts[name] = number + 1
        rollouts.append(
            Rollout(
                id=f"{name}/{number}",
                prompt=prompts[name].prompt,
                prompt_ids=tokenizer(prompts[name].prompt)["input_ids"],
                response_ids=tokenizer(response, add_special_tokens=False)["input_ids"],
                response=response,
            )
        )
    return rollouts


def _id(row: Mapping[str, Any], where: str) -> str | None:
    value = row.get("id")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise DataError(f"{where}: 'id' must be text or a whole number, found {value!r:.60}.")
    return str(value)


def _text(row: Mapping[str, Any], key: str, where: str, empty: bool = False) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not (value.strip() or empty):
        found = f"found {value!r:.60}" if key in row else "it is missing"
        raise DataError(f"{where}: {key!r} must be {'' if empty else 'non-empty '}text, {found}.")
    return value


def _messages(value: list[Any], key: str, where: str) -> list[Message]:
    """The messages of a prompt: texts with a role, the last of them not the model's own."""
    for number, message in enumerate(value, 1):
        if not isinstance(message, dict) or not all(isinstance(message.get(name), str) for name in ("role", "content")):
            raise DataError(
                f"{where}: message {number} of {key!r} must be an object with the texts 'role' and 'content', found "
                f"{message!r:.60}."
            )
    if not value:
        raise DataError(f"{where}: {key!r} holds no message.")
    if value[-1]["role"] == "assistant":
        raise DataError(
            f"{where}: the last message of {key!r} is the assistant's; leave it out, or give it in --responses."
        )
    return [{"role": message["role"], "content": message["content"]} for message in value]
