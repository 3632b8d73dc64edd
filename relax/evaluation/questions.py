r"""From the rows of fifteen data sets to one schema: what the model is asked, and what counts as right.

Every prompt ends in an instruction to box the answer. The wording "Please reason step by step, and put your final
answer within \boxed{}." is that of the Qwen2.5-Math model card and of SimpleRL-Zoo (arXiv 2503.18892); for choices
"the letter of" is added. What is a benchmark's own and what is ours: docs/benchmarks.md.
"""

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from string import ascii_uppercase
from typing import Any

from relax.errors import ConfigError
from relax.tasks.problem import IMAGE

BOXED = "Please reason step by step, and put your final answer within \\boxed{}."
BOXED_LETTER = "Please reason step by step, and put the letter of your final answer within \\boxed{}."

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Question:
    """One question of a benchmark.

    Attributes:
        id: unique within the benchmark.
        prompt: the user's turn, whole, with `IMAGE` where an image belongs; no chat template applied.
        golds: answers of which each one is right; of a choice, the letter.
        cluster: questions of one cluster are variants of one problem, so their results are not independent.
        subset: part of the benchmark for a break-down, e.g. the subject.
        texts: words of the right option. An answer that says them is right too; it is compared by its spelling, not
            as mathematics, to which "True, False" may be the same as "False, True".
        tolerance: a number in the box this near to a numeric gold is right (absolute); the benchmark's own rule.
        images: in the order of the prompt. A converter leaves them as they are in the row; the loader makes them
            encoded bytes or files (`relax.data.images.locate`).
        variant: what was changed in this variant of a problem; empty where nobody says.
        dependence: ``"visual"`` where the images are needed, ``"text"`` where the prompt says all; empty if unknown.
    """

    id: str
    prompt: str
    golds: tuple[str, ...]
    cluster: str
    subset: str = ""
    texts: tuple[str, ...] = ()
    tolerance: float = 0.0
    images: tuple[Any, ...] = ()
    variant: str = ""
    dependence: str = ""


def convert(benchmark: str, row: Row, number: int, columns: Mapping[str, str] | None = None) -> Question | None:
    """The question in a row; None where the row is not part of the benchmark.

    Args:
        benchmark: its name, e.g. ``"math500"``.
        row: one row of the data set, by column.
        number: of the row, from 0; the id where the data set has none.
        columns: of a benchmark that needs nothing else, as :class:`relax.config.benchmarks.Benchmark` says them.

    Raises:
        ConfigError: the benchmark has neither columns nor a reader of its own here.
        KeyError: a column is missing.
        ValueError: a value is empty or not what the benchmark's description says.
    """
    if columns is not None:
        return _plain(row, number, columns)
    if benchmark not in _CONVERTERS:
        raise ConfigError(
            f"benchmark {benchmark}: its task file says no columns; add columns: {{question: ..., answer: ...}}."
        )
    return _CONVERTERS[benchmark](row, number)


def _plain(row: Row, number: int, columns: Mapping[str, str]) -> Question:
    identity = _text(row, columns["id"]) if "id" in columns else str(number)
    subset = _text(row, columns["subset"]) if "subset" in columns else ""
    return _open_question(identity, _text(row, columns["question"]), (_text(row, columns["answer"]),), subset)


def _amc22(row: Row, number: int) -> Question | None:
    # The data set on the hub holds the AMC 12 of 2022 and of 2023.
    if "2022_AMC_12" not in str(row.get("url") or "2022_AMC_12"):
        return None
    return _open_question(str(row["id"]), _text(row, "problem"), (_integer(row, "answer"),))


def _amc23(row: Row, number: int) -> Question:
    return _open_question(str(row["id"]), _text(row, "question"), (_integer(row, "answer"),))


def _aime(row: Row, number: int) -> Question:
    return _open_question(str(row["id"]), _text(row, "problem"), (_integer(row, "answer"),))


def _gsm8k(row: Row, number: int) -> Question:
    _, mark, answer = _text(row, "answer").rpartition("####")
    if not mark:
        raise ValueError("'answer' has no '####' before the result")
    return _open_question(str(number), _text(row, "question"), (answer.replace(",", "").strip(),))


def _mmlu(row: Row, number: int) -> Question:
    subject, choices = _text(row, "subject"), _list(row, "choices")
    identity, prompt = f"{subject}/{number}", _with_options(_text(row, "question"), choices)
    golds, texts = _choice(choices, row["answer"])
    return Question(identity, prompt, golds, identity, subject, texts)


def _mathvista(row: Row, number: int) -> Question:
    golds: tuple[str, ...] = (_text(row, "answer"),)
    texts: tuple[str, ...] = ()
    tolerance = 0.0
    if row["question_type"] == "multi_choice":
        choices = _list(row, "choices")
        right = [index for index, choice in enumerate(choices) if choice == golds[0]]
        if not right:
            raise ValueError(f"'answer' is {golds[0]!r}, which is none of the choices")
        golds, texts = _choice(choices, *right)
    elif row["answer_type"] == "list":
        golds = (golds[0], golds[0].strip("[]"))
    elif row["answer_type"] == "float":
        tolerance = 0.5 * 10.0 ** -int(float(_text(row, "precision")))
    identity, prompt = str(row["pid"]), f"{IMAGE}\n{_text(row, 'query')}\n{BOXED}"
    task = _text(row["metadata"] or {}, "task")
    return Question(identity, prompt, golds, identity, task, texts, tolerance, _picture(row))


def _mathverse(row: Row, number: int) -> Question:
    if row["question_type"] == "multi-choice":
        # The version in which the question is part of the picture has no text but this one.
        options = _options_in(row.get("question_for_eval") or row["question"])
        golds, texts = _stated_choice(options, _text(row, "answer"))
    else:
        golds, texts = _value_golds(_text(row, "answer")), ()
    prompt = f"{IMAGE}\n{_text(row, 'query_cot')}\n{BOXED}"
    identity, problem, version = str(row["sample_index"]), str(row["problem_index"]), _text(row, "problem_version")
    return Question(identity, prompt, golds, problem, version, texts, images=_picture(row))


def _mathvision(row: Row, number: int) -> Question:
    options, answer, identity = _list(row, "options"), _text(row, "answer"), str(row["id"])
    # All images of a question are joined in one picture, so markers such as <image1> stay what they are: text.
    prompt = f"{IMAGE}\n{_text(row, 'question')}"
    if options:
        prompt, (golds, texts) = _with_options(prompt, options), _stated_choice(options, answer)
    else:
        prompt, golds, texts = f"{prompt}\n{BOXED}", (_latex(answer),), ()
    return Question(identity, prompt, golds, identity, _text(row, "subject"), texts, images=_picture(row))


def _dynamath(row: Row, number: int) -> Question:
    golds, kind, seed = (_text(row, "ground_truth"),), row["answer_type"], str(row["id"])
    three_decimals = f"Give three decimals of a number that is not an integer. {BOXED}"
    prompt = f"{IMAGE}\n{_text(row, 'question')}\n{BOXED_LETTER if kind == 'multiple choice' else three_decimals}"
    identity, subject, tolerance = f"{seed}/{row['variant']}", _text(row, "subject"), 0.001 if kind == "float" else 0.0
    return Question(identity, prompt, golds, seed, subject, (), tolerance, _picture(row))


def _mmmu(row: Row, number: int) -> Question:
    identity, body, tolerance = str(row["id"]), _text(row, "question"), 0.0
    if row["question_type"] == "multiple-choice":
        options = _list(row, "options")
        body, (golds, texts) = _with_options(body, options), _stated_choice(options, _text(row, "answer"))
    else:
        body, golds, texts = f"{body}\n{BOXED}", tuple(dict.fromkeys(map(_latex, _list(row, "answer")))), ()
        tolerance = max(map(_half_of_last_decimal, golds))
    prompt, images = _place(body, _numbered(row))
    subject = re.sub(r"^[a-z]+_(.+)_\d+$", r"\1", identity)
    return Question(identity, prompt, golds, identity, subject, texts, tolerance, images)


def _mmstar(row: Row, number: int) -> Question:
    question, identity = _text(row, "question"), str(row["index"])
    golds, texts = _stated_choice(_options_in(question), _text(row, "answer"))
    prompt, images = _place(f"{question}\n{BOXED_LETTER}", {1: row["image"]})
    return Question(identity, prompt, golds, identity, _text(row, "category"), texts, images=images)


def _emma(row: Row, number: int) -> Question:
    context = row["context"] if str(row["context"]).lower() != "none" else ""
    body, identity = f"{context}\n{_text(row, 'question')}".strip(), str(row["pid"])
    if _text(row, "type").lower() == "multiple choice":
        options = _list(row, "options") if row["options"] else []
        body, (golds, texts) = _with_options(body, options), _stated_choice(options, _text(row, "answer"))
    else:
        body, golds, texts = f"{body}\n{BOXED}", (_latex(_text(row, "answer")),), ()
    prompt, images = _place(body, _numbered(row))
    return Question(identity, prompt, golds, identity, _text(row, "subject"), texts, images=images)


_CONVERTERS: dict[str, Callable[[Row, int], Question | None]] = {
    "amc22": _amc22, "amc23": _amc23, "aime24": _aime, "aime25": _aime,
    "gsm8k": _gsm8k, "mmlu": _mmlu, "mathvista": _mathvista, "mathverse": _mathverse, "mathvision": _mathvision,
    "dynamath": _dynamath, "mmmu": _mmmu, "mmstar": _mmstar, "emma": _emma,
}  # fmt: skip


def _open_question(identity: str, question: str, golds: tuple[str, ...], subset: str = "") -> Question:
    return Question(identity, f"{question}\n{BOXED}", golds, identity, subset)


def _picture(row: Row) -> tuple[Any]:
    # On the hub `image` is often a path and `decoded_image` the picture; in a local file there is `image` alone.
    return (row.get("decoded_image") or row["image"],)


def _text(row: Row, column: str) -> str:
    value = row[column]
    if value is None or not str(value).strip():
        raise ValueError(f"{column!r} is empty")
    return str(value)


def _integer(row: Row, column: str) -> str:
    """Golds of AMC and AIME are integers, kept as 27.0 or as 025 in some copies."""
    try:
        value = Decimal(_text(row, column))
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value != int(value):
        raise ValueError(f"{column!r} is {row[column]!r}; expected an integer")
    return str(int(value))


def _list(row: Row, column: str) -> list[str]:
    """A list, kept as the text of a Python list in some data sets; other text is a list of one."""
    value = row[column]
    if isinstance(value, str) and value.startswith("["):
        try:
            value = ast.literal_eval(value)
        except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
            raise ValueError(f"{column!r} is {value[:60]!r}; expected a list") from error
    if not isinstance(value, list | str):
        raise ValueError(f"{column!r} is a {type(value).__name__}; expected a list")
    return [value] if isinstance(value, str) else [str(item) for item in value]


def _with_options(question: str, options: Sequence[str]) -> str:
    """The question, its options by letter (unless they are the letters themselves, in the picture), the instruction."""
    labels = ascii_uppercase[: len(options)]
    lines = [f"{label}. {option}" for label, option in zip(labels, options, strict=True)]
    named = "".join(map(_bare, options)) == labels
    return "\n".join([question, *([] if named else lines), BOXED_LETTER])


def _bare(option: str) -> str:
    r"""``A`` of ``(A)``, ``A)``, ``$A$`` or ``$\text{A}$``."""
    return re.sub(r"\\[a-z]+\{([^{}]*)\}", r"\1", option).strip("$(). ")


def _choice(options: Sequence[str], *right: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The letters of the right options; their words, where these cannot mean another option."""
    for index in right:
        if not isinstance(index, int) or not 0 <= index < len(options):
            raise ValueError(f"the answer is {index!r}, of {len(options)} choices")
    letters, text = tuple(ascii_uppercase[index] for index in right), options[right[0]].strip()
    shared = [index for index, option in enumerate(options) if option.strip() == text]
    ambiguous = _bare(text).upper() in ascii_uppercase[: len(options)] or "<image" in text
    return letters, () if ambiguous or shared != list(right) else (text,)


def _stated_choice(options: Sequence[str], answer: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of a choice stated as ``C``, ``(C)``, the words of an option, or ``C D`` for two that are both to be named.

    What is none of these is the gold as it stands.
    """
    texts, letters = [option.strip() for option in options], re.findall(r"[A-Z]", answer)
    if re.fullmatch(r"\(?[A-Z]\)?(?:[\s,]+\(?[A-Z]\)?)+", answer.strip()):
        return (", ".join(letters), "".join(letters)), ()
    if re.fullmatch(r"\(?[A-Z]\)?", answer.strip()):
        index = ascii_uppercase.index(letters[0])
        return _choice(options, index) if index < len(options) else ((letters[0],), ())
    return _choice(options, texts.index(answer.strip())) if answer.strip() in texts else ((answer.strip(),), ())


def _options_in(question: str) -> list[str]:
    """Options that stand labelled A, B, C, ... in the question; none where they cannot be told apart."""
    *_, tail = re.split(r"(?:options|choices?):", question, flags=re.IGNORECASE)
    _, *found = re.split(r"(?:^|\s|,)\(?([A-H])\s?[:.)]\s*", tail)
    labels, texts = found[::2], [text.strip().rstrip(",") for text in found[1::2]]
    complete = len(labels) > 1 and "".join(labels) == ascii_uppercase[: len(labels)] and all(texts)
    return texts if complete else []


def _latex(answer: str) -> str:
    r"""A gold without the dollars and the box around it; a form feed stands for a lost ``\f`` of ``\frac``."""
    # First of all: a form feed counts as white space.
    text = answer.replace("\f", "\\f").strip().strip("$").strip()
    whole_box = re.fullmatch(r"\\boxed\{(.*)\}", text)
    return whole_box[1] if whole_box else text


def _value_golds(answer: str) -> tuple[str, ...]:
    """The value in golds such as ``Area $=9 \\pi$``, ``$5=s$``, ``$r=24.4$``; an equation is a gold as it stands."""
    # Degree signs of the data set went through a wrong encoding.
    whole = _latex(answer.replace("掳", "°"))
    left, equals, right = (side.strip() for side in whole.replace("$", "").partition("="))
    if equals and re.fullmatch(r"[A-Za-z]", right):
        return (left, whole)
    if equals and re.fullmatch(r"[A-Za-z](?:\([A-Za-z]\))?", left):
        return (right, whole)
    # A name in words is no part of the answer.
    return (right,) if equals and re.fullmatch(r"[A-Za-z. ]+", left) else (whole,)


def _half_of_last_decimal(gold: str) -> float:
    """Numbers are compared to two decimals (MMMU's evaluation), or to more where the gold has more."""
    decimals = re.fullmatch(r"-?\d*\.(\d+)", gold)
    return 0.5 * 10.0 ** -max(2, len(decimals[1])) if decimals else 0.0


def _numbered(row: Row) -> dict[int, Any]:
    """The images of columns image_1, image_2, ... that hold one."""
    row["image_1"]
    columns = {int(name[6:]): value for name, value in row.items() if re.fullmatch(r"image_\d+", name)}
    return {number: image for number, image in sorted(columns.items()) if image}


def _place(text: str, images: Mapping[int, Any]) -> tuple[str, tuple[Any, ...]]:
    """Put every image where the text names it (``<image 1>``, ``<image_1>``), those it does not name in front."""
    named: list[int] = []

    def put(match: re.Match[str]) -> str:
        number = int(match[1])
        if number not in images:
            return match[0]
        named.append(number)
        return IMAGE

    text = re.sub(r"<image[ _]?(\d+)>", put, text)
    front = [number for number in images if number not in named]
    return f"{IMAGE}\n" * len(front) + text, tuple(images[number] for number in [*front, *named])
