"""The only module that opens image files: decodes them, or refuses them in one line.

The kind of a file is known by its content. The decoded pixels are a `Raster`; `data/images.py`
turns it into RGB and thermal arrays.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps, ImageSequence

from samantic.data.arrays import plain_depth
from samantic.data.headers import Header, read_header
from samantic.data.raster import Raster, raster
from samantic.data.thermal import RawThermal
from samantic.data.tiff import plain_extents, plain_pages
from samantic.errors import InputError, LargeError, UnreadableError

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
"""Decoders that Pillow may use. JPEG's also reads MPO, a JPEG that holds more than one image.

Pillow has many more decoders, and one of them (EPS) starts a program.
"""


T = TypeVar("T")


_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    struct.error,
)
"""Exceptions that decoders raise on damaged files."""


SEVERAL = (
    "several images in one file; save each by itself, as `samantic convert` does of thermal ones"
)


def decode(path: Path) -> Raster:
    """Open and decode an image file of any depth, turned as its EXIF orientation says.

    Raises:
        InputError: The file is missing, truncated, no image, or of a kind that cannot be read
            correctly.
    """
    if own := list(islice(_own(path, plain_pages), 2)):
        if len(own) > 1:
            raise InputError(f"{path}: {SEVERAL}")
        return _plain_raster(own[0], str(path))
    with _opened(path) as (image, header):
        if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
            raise InputError(f"{path}: {SEVERAL}")
        image.load()
        return raster(ImageOps.exif_transpose(image), str(path), header)


def raster_of(image: str | Path | Image.Image, name: str) -> Raster:
    """Decode a file or a Pillow image; an image just opened by Pillow keeps its header too."""
    if not isinstance(image, Image.Image):
        return decode(Path(image))
    if not isinstance(image, ImageFile.ImageFile):
        return raster(image, name, Header())
    path = Path(os.fsdecode(image.filename))
    try:
        header = read_header(path) if path.is_file() else Header()
        image.load()
    except _BROKEN as error:
        raise InputError(f"{name}: not a readable image ({error}); copy it anew") from None
    if header.problem:
        raise InputError(f"{name}: {header.problem}")
    if header.own:
        return decode(path)
    return raster(ImageOps.exif_transpose(image), name, header)


def extent_of(path: Path) -> tuple[int, int] | None:
    """Width and height from an image's header; no pixel is decoded.

    Returns:
        None where the file is no image; `decode` says why.

    Raises:
        InputError: The file is of a kind that cannot be read correctly.
    """
    try:
        if own := list(islice(_own(path, plain_extents), 2)):
            return max(own, key=math.prod)
        with _opened(path) as (image, _):
            return image.size
    except UnreadableError:
        return None


def pages(path: Path) -> Iterator[RawThermal]:
    """The thermal images of a file of several pages, one after the other, in their own depth.

    Raises:
        InputError: The file is not readable, or a page is no thermal image.
    """
    found = 0
    for found, samples in enumerate(_own(path, plain_pages), 1):
        yield plain_depth(samples, f"{path}, page {found - 1}")
    if found:
        return
    with _opened(path) as (image, header):
        for page in ImageSequence.Iterator(image):
            page.load()
            one = raster(page, f"{path}, page {image.tell()}", header)
            yield plain_depth(one.levels(), one.name)


def _own(path: Path, read: Callable[[Path], Iterator[T]]) -> Iterator[T]:
    """Apply `read` to a TIFF that Pillow cannot read correctly; yield nothing for other files.

    Raises:
        UnreadableError: It is such a TIFF, and damaged.
    """
    try:
        if not path.is_file() or not read_header(path).own:
            return
    except (OSError, ValueError, struct.error):  # reported when Pillow opens the file
        return
    try:
        yield from read(path)
    except _BROKEN as error:
        raise UnreadableError(f"{path}: not a readable image ({error}); copy it anew") from None


def _plain_raster(samples: NDArray[Any], name: str) -> Raster:
    """A raster of one channel of values."""
    empty = np.zeros((0, 3), np.uint8)
    return Raster(name, "gray", samples, 8 * samples.itemsize, empty, None, 1, 1, "")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Image.Image, Header]]:
    """Open an image file and its header without decoding it; errors inside become one line.

    Raises:
        InputError: The file is missing, broken, no image, or of a kind that cannot be read
            correctly.
    """
    if path.exists() and not path.is_file():
        if path.is_dir():
            raise UnreadableError(
                f"{path}: a folder, not an image; `samantic predict` takes folders, and Python one "
                "image after the other"
            )
        raise UnreadableError(f"{path}: not a readable image (no regular file); remove it")
    try:
        header = read_header(path)
        if header.problem:
            raise InputError(f"{path}: {header.problem}")
        with Image.open(path, formats=FORMATS) as image:
            gray = {"1": 1, "L": 8}.get(image.mode, header.bits)
            if image.format == "BMP" and gray != header.bits:
                # Pillow would read one pixel as several, or several as one
                raise InputError(f"{path}: BMP with {header.bits} bits of gray; save it as PNG")
            yield image, header
    except FileNotFoundError:
        raise UnreadableError(f"{path}: no such image") from None
    except PermissionError:
        raise UnreadableError(f"{path}: no permission to read it; change its permissions") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise LargeError(f"{path}: {error}; cut it into parts") from None
    except MemoryError:
        raise InputError(f"{path}: needs more memory than there is; cut it into parts") from None
    except InputError:
        raise
    except _BROKEN as error:
        raise UnreadableError(f"{path}: not a readable image ({error}); copy it anew") from None


def open_image(path: Path) -> NDArray[np.uint8]:
    """Read an image of 8 bits unchanged: colours as (H, W, 3), gray levels or indices as (H, W).

    Raises:
        InputError: The file is not readable, or has more than 8 bits.
    """
    found = decode(path)
    return found.colours() if found.samples.dtype != np.uint8 else found.samples


def refuse_lossy(found: Raster) -> None:
    """Refuse a file with lossy compression, whose values differ from those that were saved.

    Raises:
        InputError: It is such a file.
    """
    if found.lossy:
        raise InputError(
            f"{found.name}: saved as {found.lossy}, which changes ids and colours; export it again "
            "as PNG from the program that made it"
        )
