"""Prompts and responses from plain files: JSON lines with text, from whatever source."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from relax.errors import DataError
from relax.latent.rollouts import Rollout
from relax.reading import read_json_lines
from relax.records.record import check_recorded
from relax.tasks.problem import Problem


def read_prompts(path: str | Path) -> list[Problem]:
    """Prompts of a file, as problems without an answer; a problem file of the pipeline is one.

    Each line is a JSON object with ``prompt`` (text, not empty) and, if wanted, ``id`` (text or a whole
    number, unique; the line's number otherwise). Other keys are ignored.

    Raises:
        DataError: the file is missing, empty or not what its record says, or a row does not fit; names file and line.
    """
    check_recorded(path)
    prompts: list[Problem] = []
    seen: dict[str, str] = {}
    for where, number, row in read_json_lines(Path(path), "prompts"):
        name = _id(row, where) or str(number)
        if name in seen:
            raise DataError(f"{where}: id {name!r} is that of {seen[name]} as well; ids must be unique.")
        seen[name] = where
        prompts.append(Problem(name, _text(row, "prompt", where), answer="", source=""))
    return prompts


def read_responses(path: str | Path, prompts: Sequence[Problem]) -> list[tuple[Problem, str]]:
    """Responses of a file, each with the prompt it answers.

    Each line is a JSON object with ``response`` (text) and ``id`` or ``prompt``: the id of a prompt, or
    else a prompt's text. Several rows may answer one prompt.

    Raises:
        DataError: the file is missing or empty, a row does not fit, or it answers no prompt given; names
            file and line.
    """
    by_id = {prompt.id: prompt for prompt in prompts}
    by_text = {prompt.prompt: prompt for prompt in reversed(prompts)}
    answers: list[tuple[Problem, str]] = []
    for where, _, row in read_json_lines(Path(path), "responses"):
        response = _text(row, "response", where, empty=True)
        name = _id(row, where)
        prompt = by_id.get(name) if name else None
        if prompt is None and "prompt" in row:
            prompt = by_text.get(_text(row, "prompt", where))
        if prompt is None and name is None and "prompt" not in row:
            raise DataError(f"{where}: neither 'id' nor 'prompt'; one of them must say which prompt is answered.")
        if prompt is None:
            given = f"id {name!r}" if name else f"prompt {str(row['prompt'])[:40]!r}"
            raise DataError(f"{where}: {given} is not among the prompts; give the file that holds it as --prompts.")
        answers.append((prompt, response))
    return answers


def tokenize(answers: Sequence[tuple[Problem, str]], tokenizer: PreTrainedTokenizerBase) -> list[Rollout]:
    """Responses given as text, as rollouts with the ids ``<prompt's id>/<number>``.

    Prompts are tokenized as for sampling, special tokens in front included; responses without any. The
    end-of-text token is not added: a text does not say whether its writer had ended.
    """
    counts: dict[str, int] = {}
    rollouts = []
    for prompt, response in answers:
        number = counts.get(prompt.id, 0)
        counts[prompt.id] = number + 1
        rollouts.append(
            Rollout(
                id=f"{prompt.id}/{number}",
                prompt=prompt.prompt,
                prompt_ids=tokenizer(prompt.prompt)["input_ids"],
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
