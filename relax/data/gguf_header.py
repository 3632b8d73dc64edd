"""The header of a GGUF file: its fields, and the shapes of its tensors.

The library gguf reads the same in five seconds, and every job of the pipeline asks for the size of its policy. The
layout is that of GGUF versions 2 and 3, https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

import functools
import mmap
import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from relax.errors import DataError

#: Number of a type of value -> its format in :mod:`struct`; 8 is a text and 9 a list.
_NUMBERS = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True))
_TEXT, _LIST = 8, 9
#: Tensors begin at multiples of so many bytes where the file says nothing else.
ALIGNMENT = 32


@dataclass(frozen=True)
class Header:
    """What a GGUF file says before its weights.

    Attributes:
        fields: such as ``general.architecture``, ``tokenizer.ggml.tokens``.
        shapes: tensor -> its sizes, the fastest-varying first.
        places: tensor -> the number of the kind of its weights, and the byte of the file at which they begin.
    """

    fields: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]
    places: dict[str, tuple[int, int]]

    @property
    def parameters(self) -> int:
        """Weights in all tensors."""
        return sum(map(prod, self.shapes.values()))


def read_header(path: str | Path) -> Header:
    """The header of a GGUF file.

    Raises:
        DataError: it cannot be read, is no GGUF file of version 2 or 3, or is cut off.
    """
    path = Path(path)
    try:
        stat = path.stat()
        return _read(path, stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); give the path of a GGUF file.") from error
    except (struct.error, KeyError, UnicodeDecodeError, ValueError, TypeError, ZeroDivisionError) as error:
        raise DataError(f"{path}: its header is cut off or no GGUF file's; fetch or copy it again.") from error


@functools.cache
def _read(path: Path, _changed: int, _size: int) -> Header:
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        cursor = _Cursor(content)
        magic, version, tensors, fields = cursor.numbers("4sIQQ")
        if magic != b"GGUF" or version not in (2, 3):
            raise ValueError(f"version {version}")
        found = {cursor.text(): cursor.value() for _ in range(fields)}
        listed = [cursor.tensor() for _ in range(tensors)]
        alignment = found.get("general.alignment", ALIGNMENT)
        begin = -(-cursor.place // alignment) * alignment
        return Header(
            found,
            {name: shape for name, shape, _, _ in listed},
            {name: (kind, begin + offset) for name, _, kind, offset in listed},
        )


class _Cursor:
    """Reads one thing after the other; all numbers are little-endian."""

    def __init__(self, content: mmap.mmap) -> None:
        self.content, self.place = content, 0

    def numbers(self, layout: str) -> tuple[Any, ...]:
        found = struct.unpack_from(f"<{layout}", self.content, self.place)
        self.place += struct.calcsize(f"<{layout}")
        return found

    def text(self) -> str:
        (length,) = self.numbers("Q")
        if self.place + length > len(self.content):
            raise ValueError("a text ends behind the file")
        self.place += length
        return self.content[self.place - length : self.place].decode()

    def value(self, kind: int | None = None) -> Any:
        kind = self.numbers("I")[0] if kind is None else kind
        if kind == _TEXT:
            return self.text()
        if kind != _LIST:
            return self.numbers(_NUMBERS[kind])[0]
        inner, count = self.numbers("IQ")
        if inner in _NUMBERS:
            return list(self.numbers(f"{count}{_NUMBERS[inner]}"))
        return [self.value(inner) for _ in range(count)]

    def tensor(self) -> tuple[str, tuple[int, ...], int, int]:
        name, (dimensions,) = self.text(), self.numbers("I")
        shape = self.numbers(f"{dimensions}Q")
        kind, offset = self.numbers("IQ")
        return name, shape, kind, offset
