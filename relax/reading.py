"""Readers of files that others may have written or damaged: each refuses in a sentence that names file and line."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from relax.errors import ConfigError, DataError, RelaxError

#: Words for kinds of values, as the tables of config/README.md have them.
KINDS = {
    "object": "keys and values",
    "array": "a list",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "a text",
    "null": "nothing (null)",
}
_OF_PYTHON = {dict: "object", list: "array", int: "integer", float: "number", bool: "boolean", str: "string"}


def kind(value: object) -> str:
    """What a value is, in a word: ``a list``."""
    return "nothing (null)" if value is None else KINDS.get(_OF_PYTHON.get(type(value), ""), type(value).__name__)


@contextlib.contextmanager
def reading(path: str | Path, mend: str) -> Iterator[None]:
    """Nothing is done within the block but to read this file.

    Args:
        path: of the file.
        mend: what to do where it is broken, such as "run `relax extract` again".

    Raises:
        DataError: it is missing, cut off, or otherwise not what a library can read; names the file.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; {mend}.") from error
    except RelaxError:
        raise
    except Exception as error:  # pandas, pyarrow, safetensors and json have an error of their own each, and more
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise DataError(f"{path}: cannot be read ({reason:.200}); {mend}.") from error


def read_json_object(path: str | Path, mend: str) -> dict[str, Any]:
    """The object in a JSON file.

    Args:
        path: of the file.
        mend: as for :func:`reading`.

    Raises:
        DataError: it is missing, is no JSON, or holds something else than an object; names the file.
    """
    with reading(path, mend):
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected a JSON object, found {kind(content)}; {mend}.")
    return content


class YAMLLoader(yaml.SafeLoader):
    """Keys are unique, as YAML says: of equal ones PyYAML itself drops all but the last in silence."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            line = key.start_mark.line + 1
            if (key.tag, key.value) in lines:
                raise ConfigError(
                    f"{key.start_mark.name}, line {line}: the key {key.value!r} stands in line "
                    f"{lines[key.tag, key.value]} already, and one of the two would not count; join them or remove one."
                )
            lines[key.tag, key.value] = line
        return node


def read_yaml(path: Path, what: str, loader: type[YAMLLoader] = YAMLLoader) -> Any:
    """The content of a YAML file; None where it is empty.

    Args:
        path: of the file.
        what: it is, for the messages.
        loader: one that knows further tags.

    Raises:
        ConfigError: it is missing, not YAML, or a key stands twice in one place; names file and line.
    """
    try:
        with path.open(encoding="utf-8") as stream:  # a stream has a name, which stands in the sentences
            return yaml.load(stream, loader)
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such {what}.") from error
    except IsADirectoryError as error:
        raise ConfigError(f"{path}: is a folder, expected a YAML file.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{place}: not valid YAML ({getattr(error, 'problem', error)}).") from error


class Written(float):
    """A number of a JSON file that prints as it is written there: ``3.10``, ``1e5``, with all of its digits."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> "Written":
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


def read_text(path: Path, what: str) -> str:
    """A text file, without the mark that some programs put before UTF-8.

    Args:
        path: of the file.
        what: what it holds, in the plural, for the messages.

    Raises:
        DataError: it cannot be read, or is no UTF-8 text; names the line.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); expected a file of {what}.") from error
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{path}: is UTF-16 text; save it as UTF-8.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}, line {line}: not UTF-8 text (byte {error.start}); save it as UTF-8.") from error
    if (zero := text.find("\0")) >= 0:
        line = text.count("\n", 0, zero) + 1
        raise DataError(f"{path}, line {line}: holds a zero byte, which text does not; save it as UTF-8.")
    return text


def parse_json(text: str, where: str, as_written: bool = False) -> Any:
    """The value of a JSON text.

    Args:
        text: to be parsed.
        where: file and line in words, for the messages.
        as_written: numbers with a point or an exponent are :class:`Written`, not the nearest float.

    Raises:
        DataError: it is no JSON, or holds what no text can be (half of a surrogate pair).
    """
    numbers: dict[str, Any] = {"parse_float": Written, "parse_int": _whole} if as_written else {}
    try:
        value = json.loads(text, **numbers)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}" if error.lineno > 1 else f"column {error.colno}"
        raise DataError(f"{where}: not JSON ({error.msg} at {place}).") from error
    except UnicodeEncodeError as error:
        raise DataError(f"{where}: holds half of a surrogate pair, which is no character; correct the text.") from error
    except RecursionError as error:
        raise DataError(f"{where}: its lists and objects are nested too deeply to be read.") from error
    except ValueError as error:
        raise DataError(f"{where}: a whole number in it has more digits than can be read.") from error
    return value


def _whole(text: str) -> int | Written:
    try:
        return int(text)
    except ValueError:  # Python's limit is at 4300 digits
        return Written(text)


def read_json_lines(path: Path, what: str, as_written: bool = False) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    """(file and line in words, line number, object) of every line that is not blank.

    Args:
        path: a file with one JSON object a line.
        what: what the objects are, in the plural, for the messages.
        as_written: as for :func:`parse_json`.

    Raises:
        DataError: the file cannot be read, is empty, or a line is no JSON object; names file and line.
    """
    return json_lines(read_text(path, what), str(path), what, as_written)


def json_lines(
    text: str, name: str, what: str, as_written: bool = False
) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    """As :func:`read_json_lines`, of the text of a file that is called ``name``."""
    empty = True
    # Not splitlines(): JSON text may hold other characters that Unicode counts as ends of lines.
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        if not line.strip():
            continue
        empty = False
        where = f"{name}, line {number}"
        row = parse_json(line, where, as_written)
        if not isinstance(row, dict):
            raise DataError(f"{where}: expected a JSON object, found {kind(row)}.")
        yield where, number, row
    if empty:
        raise DataError(f"{name}: holds no {what}; expected one JSON object a line.")
