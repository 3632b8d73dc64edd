"""Images of questions: where a data set keeps one, and its picture."""

import base64
import binascii
import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

#: Larger pictures are refused: Pillow's own bound for what may be a decompression bomb.
MAX_PIXELS = 89_478_485

#: Longer text is taken for base64 without a look at the disk.
_LONGEST_PATH = 1024


def locate(cell: Any, folder: Path | None) -> bytes | Path:
    """The image a cell of a data set holds or names: its encoded bytes, or the file.

    Args:
        cell: bytes, base64 text (with or without ``data:image/...;base64,``), a path relative to ``folder``, or a
            mapping with ``bytes`` and ``path`` as in data sets of the hub.
        folder: of the data file; None for a data set of the hub.

    Raises:
        ValueError: there is no such file, the text is no base64, or the cell is empty.
    """
    if isinstance(cell, Mapping):
        cell = cell.get("bytes") or cell.get("path")
    if not cell:
        raise ValueError("the image is empty")
    if isinstance(cell, bytes):
        return cell
    if not isinstance(cell, str):
        raise ValueError(f"the image is a {type(cell).__name__}; expected bytes, base64 text or a path")
    if len(cell) < _LONGEST_PATH and not cell.startswith("data:"):
        path = Path(cell) if folder is None else folder / cell
        if path.is_file():
            return path
        if path.suffix:
            raise ValueError(f"no image {path}; put it there, or embed the images")
    try:
        return base64.b64decode(cell.partition("base64,")[2] or cell, validate=True)
    except binascii.Error as error:
        raise ValueError(f"the image {cell[:40]!r} is neither a file nor base64 text") from error


def check(image: bytes | Path) -> None:
    """Read the header alone.

    Raises:
        ValueError: it is no image, or one of more than `MAX_PIXELS`.
    """
    _open(image).close()


def picture(image: bytes | Path) -> Image.Image:
    """The decoded picture in RGB, transparent parts on white.

    Raises:
        ValueError: it cannot be decoded to the end, or has more than `MAX_PIXELS`.
    """
    with _open(image) as opened:
        try:
            if opened.has_transparency_data:
                # Dropping the alpha channel would often leave black lines on black.
                canvas = Image.new("RGBA", opened.size, "white")
                return Image.alpha_composite(canvas, opened.convert("RGBA")).convert("RGB")
            return opened.convert("RGB")
        except (OSError, SyntaxError, ValueError) as error:
            raise ValueError(f"the image{_named(image)} is broken ({error})") from error


def _open(image: bytes | Path) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            opened = Image.open(io.BytesIO(image) if isinstance(image, bytes) else image)
    except Image.DecompressionBombError as error:
        raise ValueError(f"the image{_named(image)} has more than {MAX_PIXELS} pixels; scale it down") from error
    except (OSError, SyntaxError) as error:
        raise ValueError(f"the image{_named(image)} cannot be read; expected PNG, JPEG or the like") from error
    width, height = opened.size
    if width * height > MAX_PIXELS:
        opened.close()
        raise ValueError(f"the image{_named(image)} has {width} x {height} pixels, more than {MAX_PIXELS}")
    return opened


def _named(image: bytes | Path) -> str:
    return "" if isinstance(image, bytes) else f" {image}"
