"""The one door for images: every file, Pillow image and array comes in here, or is refused.

RGB comes out as (H, W, 3) uint8, thermal as (H, W) in the sensor's own unit, ids as (H, W). Files
are known by their content, and a line says of each that cannot be used what to do about it.
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

from samantic.config.scaling import PLANCK
from samantic.data.arrays import colours_of
from samantic.data.headers import Header, read_header
from samantic.data.radiometric import Thermogram, thermograms
from samantic.data.raster import Raster, gray_of, raster
from samantic.data.thermal import RawThermal
from samantic.data.tiff import plain_extents, plain_pages
from samantic.errors import InputError, LargeError, UnreadableError

RawPair = tuple[NDArray[np.uint8] | None, RawThermal | None]
"""RGB (H, W, 3) and thermal (h, w) as the cameras gave them, of which one may be missing."""

ImageLike = str | Path | Image.Image | NDArray[np.uint8] | RawThermal
"""An image file, a PIL image, or an array."""

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
"""Decoders that may be asked; JPEG's takes MPO, a JPEG with further pictures, as well.

Pillow knows many more, and one of them (EPS) starts a program.
"""

SMALLEST = 16
"""Least side of an image in pixels."""

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
"""What decoders raise on files that are damaged."""


def decode(path: Path) -> Raster:
    """Open and decode an image file of any depth, turned as its EXIF orientation says.

    Raises:
        InputError: The file is missing, truncated, no image, or one that cannot be taken as it is.
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


def extent_of(path: Path) -> tuple[int, int] | None:
    """Width and height that an image's header claims, of which nothing is decoded.

    Returns:
        None where it is no image; `decode` says why.

    Raises:
        InputError: It cannot be taken as it is.
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
        InputError: It is not readable, or a page is no thermal image.
    """
    found = 0
    for found, samples in enumerate(_own(path, plain_pages), 1):
        yield _plain_depth(samples, f"{path}, page {found - 1}")
    if found:
        return
    with _opened(path) as (image, header):
        for page in ImageSequence.Iterator(image):
            page.load()
            one = raster(page, f"{path}, page {image.tell()}", header)
            yield _plain_depth(one.levels(), one.name)


SEVERAL = (
    "several images in one file; save each by itself, as `samantic convert` does of thermal ones"
)


def _own(path: Path, read: Callable[[Path], Iterator[T]]) -> Iterator[T]:
    """What is read of the pages of a TIFF that Pillow does not read, or turns; of others nothing.

    Raises:
        UnreadableError: It is such a file, and damaged.
    """
    try:
        if not path.is_file() or not read_header(path).own:
            return
    except (OSError, ValueError, struct.error):  # told when it is opened
        return
    try:
        yield from read(path)
    except _BROKEN as error:
        raise UnreadableError(f"{path}: not a readable image ({error}); copy it anew") from None


def _plain_raster(samples: NDArray[Any], name: str) -> Raster:
    """One channel of values."""
    empty = np.zeros((0, 3), np.uint8)
    return Raster(name, "gray", samples, 8 * samples.itemsize, empty, None, 1, 1, "")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Image.Image, Header]]:
    """An image file and its header, not decoded yet; what goes wrong inside is told in a line.

    Raises:
        InputError: It is missing, broken, no image, or one that cannot be taken as it is.
    """
    if path.exists() and not path.is_file():
        raise UnreadableError(f"{path}: not a readable image (no regular file); take it out")
    try:
        header = read_header(path)
        if header.problem:
            raise InputError(f"{path}: {header.problem}")
        with Image.open(path, formats=FORMATS) as image:
            gray = {"1": 1, "L": 8}.get(image.mode, header.bits)
            if image.format == "BMP" and gray != header.bits:
                # Pillow would take one pixel for several, or several for one
                raise InputError(f"{path}: BMP with {header.bits} bits of gray; save it as PNG")
            yield image, header
    except FileNotFoundError:
        raise UnreadableError(f"{path}: no such image") from None
    except PermissionError:
        raise UnreadableError(f"{path}: may not be read; change its permissions") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise LargeError(f"{path}: {error}; cut it into parts") from None
    except MemoryError:
        raise InputError(f"{path}: needs more memory than there is; cut it into parts") from None
    except InputError:
        raise
    except _BROKEN as error:
        raise UnreadableError(f"{path}: not a readable image ({error}); copy it anew") from None


def open_image(path: Path) -> NDArray[np.uint8]:
    """Read an image of 8 bits as it is: colours as (H, W, 3), levels or indices as (H, W).

    Raises:
        InputError: It is not readable, or has more bits.
    """
    found = decode(path)
    return found.colours() if found.samples.dtype != np.uint8 else found.samples


def refuse_lossy(found: Raster) -> None:
    """Refuse a file whose numbers are only nearly those that were saved.

    Raises:
        InputError: It is such a file.
    """
    if found.lossy:
        raise InputError(
            f"{found.name}: saved as {found.lossy}, which changes ids and colours; export it as "
            "PNG from where it was made"
        )


def read_rgbt(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read a 4-channel image into RGB (H, W, 3) and thermal (H, W), both uint8.

    Raises:
        InputError: It is no readable 8-bit image of four channels.
    """
    found = decode(path)
    pixels = found.colours()
    found.refuse_dropped()
    if found.kind == "colour" and found.opacity is not None and found.decoded == 4:
        return pixels, found.opacity
    raise InputError(
        f"{path}: {found.channels} channel(s), but this layout keeps thermal in a 4th; "
        "use the original files, or files of RGB and thermal by themselves (layout pairs)"
    )


def rgb_array(image: ImageLike) -> NDArray[np.uint8]:
    """An RGB image as (H, W, 3) uint8; gray and palette files are expanded, opacity is dropped.

    Args:
        image: Path, PIL image, or an array (H, W, 3) of uint8, or of floats in 0..1.

    Raises:
        InputError: It is no readable 8-bit image of that shape.
    """
    if isinstance(image, str | Path | Image.Image):
        return _raster_of(image, "rgb").colours()
    _refuse_others(image, "rgb")
    return colours_of(image)


def _refuse_others(image: object, name: str) -> None:
    """Refuse what is neither a file, nor a picture, nor an array."""
    if not isinstance(image, np.ndarray):
        raise InputError(
            f"{name}: a {type(image).__name__}; give a path, a PIL image or a numpy array"
        )


def thermal_array(image: ImageLike, *, planck: bool = False) -> RawThermal:
    """A thermal image as (H, W) in its own depth, from one channel or three equal ones.

    Args:
        image: Path, PIL image, or an array (H, W), or (H, W, 3) of 8 bits. Of files, 8-bit and
            16-bit integers and floats are read as they are, and palettes of gray by their levels;
            of a camera's radiometric file the raw counts, see `radiometric`.
        planck: Whether the counts become kelvin, by the constants in the file; see
            `radiometric.Planck`. Arrays of floats are taken as kelvin then.

    Raises:
        InputError: It is no readable image of that kind, its channels differ (false colours), it
            has transparent pixels, or no pixel that is a number; or it holds no such constants.
    """
    if planck:
        return _kelvin(image)
    if isinstance(image, str | Path | Image.Image):
        if isinstance(image, str | Path) and (counts := _counts(Path(image))) is not None:
            return counts
        found = _raster_of(image, "thermal")
        levels = found.levels()
        found.refuse_dropped()
        return _plain_depth(levels, found.name)
    _refuse_others(image, "thermal")
    if image.ndim == 2 and image.dtype.kind in "uif":
        return _plain_depth(image, "thermal")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise InputError(
            f"thermal: must have one channel, or three equal ones of 8 bits, got {image.shape} "
            f"{image.dtype}; export it as gray levels"
        )
    return gray_of(np.asarray(image, np.uint8), "thermal")


def _kelvin(image: ImageLike) -> RawThermal:
    """Temperatures of a radiometric file by its own constants, for an emissivity of 1.

    Raises:
        InputError: It holds no such constants.
    """
    if isinstance(image, np.ndarray) and image.dtype.kind == "f":
        return thermal_array(image)
    found = _thermogram(Path(image)) if isinstance(image, str | Path) else None
    if found is None or found.planck is None:
        name = image if isinstance(image, str | Path) else "thermal"
        raise InputError(
            f"{name}: holds no constants of Planck's law, which {PLANCK} needs; give FLIR's "
            "radiometric files, or another scaling"
        )
    return _plain_depth(found.planck.kelvin(found.counts), str(image))


def _counts(path: Path) -> RawThermal | None:
    """The raw counts of a radiometric file; None of any other, or of none at all.

    Raises:
        InputError: It is damaged, or holds several frames.
    """
    found = _thermogram(path)
    return None if found is None else found.counts


def _thermogram(path: Path) -> Thermogram | None:
    """What a radiometric file measured; None of any other, or of none at all.

    Raises:
        InputError: It is damaged, or holds several frames.
    """
    if not path.is_file():
        return None
    try:
        frames = thermograms(path)
    except PermissionError:
        raise InputError(f"{path}: may not be read; change its permissions") from None
    except ValueError as error:
        raise InputError(f"{path}: radiometric, but {error}; copy or export it anew") from None
    if len(frames) > 1:
        raise InputError(
            f"{path}: {len(frames)} frames in one file; `samantic convert` writes each by itself"
        )
    return frames[0] if frames else None


def read_both(rgb: Path | None, thermal: Path | None, *, planck: bool = False) -> RawPair:
    """Read RGB (H, W, 3) uint8 and raw thermal (h, w); None for a missing one.

    Args:
        rgb: The RGB image.
        thermal: The thermal image; the same file is a 4-channel image of both.
        planck: As `thermal_array` takes it.

    Raises:
        InputError: A file is broken, or too small.
    """
    if rgb is not None and rgb == thermal:
        colour, heat = read_rgbt(rgb)
        check_extent(colour, str(rgb))
        return colour, heat
    pair = (
        None if rgb is None else rgb_array(rgb),
        None if thermal is None else thermal_array(thermal, planck=planck),
    )
    for pixels, path in zip(pair, (rgb, thermal), strict=True):
        if pixels is not None:
            check_extent(pixels, str(path))
    return pair


def _raster_of(image: str | Path | Image.Image, name: str) -> Raster:
    """A file, or a Pillow image; one that comes straight from a file has its header too."""
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


def _plain_depth(pixels: NDArray[Any], name: str) -> RawThermal:
    """uint8 and uint16 as they are, floats as float32; other integers must fit 16 bits.

    Raises:
        InputError: They do not, or no float is a number.
    """
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype.kind == "f":
        if not np.isfinite(pixels).any():
            raise InputError(f"{name}: no pixel is a number; take it out")
        return pixels.astype(np.float32)
    if pixels.min() < 0 or pixels.max() > np.iinfo(np.uint16).max:
        raise InputError(
            f"{name}: values {pixels.min()} to {pixels.max()} do not fit 16 bits; save counts from "
            "0 to 65535, or temperatures as floats"
        )
    return pixels.astype(np.uint16)


def check_extent(pixels: NDArray[Any], name: str) -> None:
    """Refuse images too small to show anything.

    Raises:
        InputError: A side is below `SMALLEST`.
    """
    height, width = pixels.shape[:2]
    if min(height, width) < SMALLEST:
        raise InputError(
            f"{name}: {width}x{height} pixels; nothing smaller than {SMALLEST}x{SMALLEST} can be "
            "segmented"
        )


def check_size(pixels: NDArray[Any], name: str, like: NDArray[Any], like_name: str) -> None:
    """Compare height and width of two images of a pair.

    Raises:
        InputError: They differ.
    """
    if pixels.shape[:2] != like.shape[:2]:
        (h, w), (like_h, like_w) = pixels.shape[:2], like.shape[:2]
        raise InputError(
            f"{name}: {w}x{h} pixels, but {like_name} has {like_w}x{like_h}; save both in one size"
        )
