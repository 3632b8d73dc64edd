"""How a problem becomes the text a policy reads: one function for training, analysis and evaluation."""

from collections.abc import Iterable
from typing import Any, Protocol

from jinja2 import TemplateError, TemplateSyntaxError

from relax.errors import ConfigError, DataError
from relax.tasks.problem import IMAGE

#: The problem as it is: the defaults of the configuration's ``prompt``, from which ``shots`` are left out.
PLAIN: dict[str, Any] = {"chat_template": False, "system": None, "thinking": False}


class Tokenizer(Protocol):
    """What is asked of a tokenizer of transformers."""

    chat_template: Any
    bos_token: str | None
    bos_token_id: int | None

    def apply_chat_template(self, conversation: list[dict[str, str]], **options: Any) -> Any: ...

    def __call__(self, text: str) -> Any: ...


def adds_bos(tokenizer: Tokenizer) -> bool:
    """Whether the tokenizer puts its beginning-of-text token in front of every text by itself."""
    first = list(tokenizer("x")["input_ids"])[:1]
    return tokenizer.bos_token_id is not None and first == [tokenizer.bos_token_id]


def render(tokenizer: Tokenizer, problem: str, settings: dict[str, Any], subset: str = "") -> str:
    """The problem as it is, or as the last turn of a conversation in the tokenizer's chat template.

    Args:
        tokenizer: of the policy.
        problem: its text.
        settings: the configuration's ``prompt``: ``chat_template``, ``system`` (the first turn), ``shots`` (worked
            examples, two turns each) and ``thinking`` (handed to the template as ``enable_thinking``).
        subset: of the problem; it decides which worked examples are shown.

    Returns:
        Text to be tokenized with the tokenizer's defaults; a beginning-of-text token that the tokenizer adds
        by itself is not in it twice.

    Raises:
        ConfigError: a chat template is asked for and the tokenizer has none, or has one that refuses these turns.
        DataError: the chat template is broken.
    """
    if not settings["chat_template"]:
        return problem
    if not tokenizer.chat_template:
        raise ConfigError(
            "prompt.chat_template is true, but the policy's tokenizer has no chat template; set it to false, or take "
            "a policy that was trained with one."
        )
    turns = [*_before(settings, subset), {"role": "user", "content": problem}]
    text = apply_template(tokenizer, turns, tokenize=False, enable_thinking=settings["thinking"])
    return text.removeprefix(tokenizer.bos_token) if adds_bos(tokenizer) else text


def _before(settings: dict[str, Any], subset: str) -> list[dict[str, str]]:
    """The turns before the problem's: the system's, and those of the worked examples for the problem's subset."""
    turns = [{"role": "system", "content": settings["system"]}] if settings["system"] else []
    for shot in settings.get("shots", ()):
        if shot["subset"] in (None, subset):
            turns += [{"role": "user", "content": shot["problem"]}, {"role": "assistant", "content": shot["response"]}]
    return turns


def check_shots(settings: dict[str, Any], subsets: Iterable[str]) -> None:
    """Refuse worked examples of a subset that no problem is of: they would be shown nowhere.

    Args:
        settings: the configuration's ``prompt``.
        subsets: those of all training problems.

    Raises:
        ConfigError: names the subset, and those there are.
    """
    known = set(subsets)
    for number, shot in enumerate(settings.get("shots", ()), 1):
        if shot["subset"] not in (None, *known):
            there = f"the subsets are {', '.join(sorted(known))}" if any(known) else "they have no subsets"
            raise ConfigError(
                f"entry {number} of prompt.shots is for the subset {shot['subset']!r}, of which there is no training "
                f"problem; {there}."
            )


def apply_template(processing: Any, turns: list[dict[str, Any]], **options: Any) -> Any:
    """The turns, and the beginning of the policy's own, as the chat template of a tokenizer or processor writes them.

    Args:
        processing: the tokenizer or processor.
        turns: role and content of each.
        options: of its ``apply_chat_template``.

    Raises:
        ConfigError: the template refuses the turns, as some do a system turn.
        DataError: the template is broken.
    """
    try:
        return processing.apply_chat_template(turns, add_generation_prompt=True, **options)
    except TemplateSyntaxError as error:
        folder = getattr(processing, "tokenizer", processing).name_or_path
        raise DataError(
            f"{folder}: its chat template is broken (line {error.lineno}: {str(error.message).rstrip('.')}); make or "
            "copy this policy again."
        ) from error
    except TemplateError as error:
        # A conversation of the problem's turn alone has neither of the two: what is left is another policy.
        keys = {"system": "prompt.system", "assistant": "prompt.shots"}
        asked = [key for role, key in keys.items() if any(turn["role"] == role for turn in turns)]
        leave = f"leave {' and '.join(asked)} out, or " if asked else ""
        raise ConfigError(
            f"prompt: the policy's chat template refuses these turns ({error}); {leave}take a policy whose template "
            "knows them."
        ) from error


def conversation(
    problem: str, images: int, settings: dict[str, Any] | None = None, subset: str = ""
) -> list[dict[str, Any]]:
    """The problem as messages with places for its images, as a processor's chat template takes them.

    Args:
        problem: its text; each ``<image>`` is the place of one image, and without any they stand before the text.
        images: how many.
        settings: the configuration's ``prompt``; None: no turn before the problem's.
        subset: of the problem, as for :func:`render`; worked examples have no images.

    Raises:
        ConfigError: no chat template is asked for, which is what puts images into a prompt.
        ValueError: more or fewer places than images.
    """
    if settings is not None and not settings["chat_template"]:
        raise ConfigError(
            "problems with images need prompt.chat_template: true, which puts the images in their places."
        )
    pieces = problem.split(IMAGE) if IMAGE in problem else [*[""] * images, problem]
    if len(pieces) != images + 1:
        raise ValueError(f"the prompt has {len(pieces) - 1} places for {images} images")
    parts: list[dict[str, str]] = []
    for number, piece in enumerate(pieces):
        parts += [{"type": "image"}] if number else []
        parts += [{"type": "text", "text": piece}] if piece.strip() else []
    before = [] if settings is None else _before(settings, subset)
    return [
        *({"role": turn["role"], "content": [{"type": "text", "text": turn["content"]}]} for turn in before),
        {"role": "user", "content": parts},
    ]
