"""Images of problems and questions: where a data set keeps one, its picture, and its file beside the problems."""

import base64
import binascii
import hashlib
import io
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from relax.errors import DataError
from relax.files import atomic_write

#: Larger pictures are refused: Pillow's own bound for what may be a decompression bomb.
MAX_PIXELS = 89_478_485
#: The bound for training images, of which a batch holds hundreds: 20 megapixels, 60 MB decoded.
MAX_TRAINING_PIXELS = 20_000_000
#: Endings of files, by the format that Pillow finds.
ENDINGS = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp", "GIF": "gif", "BMP": "bmp"}

#: Longer text is taken for base64 without a look at the disk.
_LONGEST_PATH = 1024


class Archive:
    """A ZIP archive whose members are the images of a data set.

    Args:
        path: of the archive.

    Raises:
        DataError: it is not there, or no ZIP archive.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise DataError(f"{path}: no ZIP archive of images ({type(error).__name__}); fetch it again.") from error

    def read(self, name: str) -> bytes:
        """A member's bytes.

        Raises:
            ValueError: there is no such member, or it is broken.
        """
        try:
            return self._file.read(name)
        except KeyError as error:
            raise ValueError(f"no image {name} in {self.path}") from error
        except (zipfile.BadZipFile, zlib.error, OSError) as error:
            raise ValueError(f"the image {name} in {self.path} is broken ({type(error).__name__})") from error


def locate(cell: Any, folder: Path | Archive | None) -> bytes | Path:
    """The image a cell of a data set holds or names: its encoded bytes, or the file.

    Args:
        cell: bytes, base64 text (with or without ``data:image/...;base64,``), a path relative to ``folder``, or a
            mapping with ``bytes`` and ``path`` as in data sets of the hub.
        folder: of the data file, or the archive that paths lead into; None for a data set of the hub.

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
    if isinstance(folder, Archive):
        return folder.read(cell)
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


def check_image(image: bytes | Path) -> None:
    """Read the header alone.

    Raises:
        ValueError: it is no image, or one of more than `MAX_PIXELS`.
    """
    _open(image).close()


def keep(image: bytes | Path, folder: Path) -> str:
    """Put a training image below ``folder``, encoded as it is, under a name that follows from its bytes.

    The same image is there once, and a problem file that names it is as good as its bytes.

    Returns:
        The file, relative to ``folder``: ``images/<16 digits of the SHA-256>.<ending>``.

    Raises:
        ValueError: it cannot be decoded to the end, or has more than `MAX_TRAINING_PIXELS`.
    """
    data = image if isinstance(image, bytes) else image.read_bytes()
    with _open(data, MAX_TRAINING_PIXELS) as opened:
        ending = ENDINGS.get(opened.format or "")
    if ending is None:
        raise ValueError(f"the image{_named(image)} is {opened.format}; expected {', '.join(ENDINGS)}")
    picture(data)  # to the end: a cut file would stop a training hours later
    name = f"images/{hashlib.sha256(data).hexdigest()[:16]}.{ending}"
    if not ((folder / name).exists() and (folder / name).read_bytes() == data):  # one that was damaged is mended
        atomic_write(folder / name, data)
    return name


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


def _open(image: bytes | Path, most: int | None = None) -> Image.Image:
    most = MAX_PIXELS if most is None else most
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            opened = Image.open(io.BytesIO(image) if isinstance(image, bytes) else image)
    except Image.DecompressionBombError as error:
        raise ValueError(f"the image{_named(image)} has more than {most} pixels; scale it down") from error
    except (OSError, SyntaxError) as error:
        raise ValueError(f"the image{_named(image)} cannot be read; expected PNG, JPEG or the like") from error
    width, height = opened.size
    if width * height > most:
        opened.close()
        raise ValueError(f"the image{_named(image)} has {width} x {height} pixels, more than {most}")
    return opened


def _named(image: bytes | Path) -> str:
    return "" if isinstance(image, bytes) else f" {image}"
