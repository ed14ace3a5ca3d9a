"""The cameras' images as arrays: from files, Pillow images and arrays.

RGB becomes (H, W, 3) uint8; thermal becomes (H, W) in the sensor's own unit.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from samantic.config.scaling import PLANCK
from samantic.data.arrays import colours_of, plain_depth
from samantic.data.image_files import decode, raster_of
from samantic.data.radiometric import Thermogram, thermograms
from samantic.data.raster import gray_of
from samantic.data.thermal import RawThermal
from samantic.errors import InputError, SizeError

RawPair = tuple[NDArray[np.uint8] | None, RawThermal | None]
"""RGB (H, W, 3) and thermal (h, w) before scaling and warping; one of them may be None."""

ImageLike = str | Path | Image.Image | NDArray[np.uint8] | RawThermal
"""An image file, a PIL image, or an array."""


SMALLEST = 16
"""Smallest side of an image in pixels."""


def read_rgbt(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read a 4-channel image into RGB (H, W, 3) and thermal (H, W), both uint8.

    Raises:
        InputError: The file is no readable 8-bit image of four channels.
    """
    found = decode(path)
    pixels = found.colours()
    found.refuse_dropped()
    if found.kind == "colour" and found.opacity is not None and found.decoded == 4:
        return pixels, found.opacity
    raise InputError(
        f"{path}: {found.channels} channel(s), but 4 are needed, the 4th thermal; "
        "use the original files, or files of RGB and thermal by themselves"
    )


def rgb_array(image: ImageLike) -> NDArray[np.uint8]:
    """An RGB image as (H, W, 3) uint8; gray and palette images are expanded, opacity is dropped.

    Args:
        image: Path, PIL image, or an array (H, W, 3) of uint8, or of floats in 0..1.

    Raises:
        InputError: The image is no readable 8-bit image, or an array of another shape.
    """
    if isinstance(image, str | Path | Image.Image):
        return raster_of(image, "rgb").colours()
    _refuse_others(image, "rgb")
    return colours_of(image)


def _refuse_others(image: object, name: str) -> None:
    """Refuse an object that is neither a path, nor a PIL image, nor an array."""
    if not isinstance(image, np.ndarray):
        raise InputError(
            f"{name}: a {type(image).__name__}; give a path, a PIL image or a numpy array"
        )


def thermal_array(image: ImageLike, *, planck: bool = False) -> RawThermal:
    """A thermal image as (H, W) in its own depth, from one channel or three equal ones.

    Args:
        image: Path, PIL image, or an array (H, W), or (H, W, 3) of 8 bits. Files of 8-bit and
            16-bit integers and of floats are read unchanged; palettes of gray become gray levels; a
            camera's radiometric file gives its raw counts, see `radiometric`.
        planck: Whether to convert counts to kelvin by the constants in the file; see
            `radiometric.Planck`. Arrays of floats are then taken as kelvin.

    Raises:
        InputError: The image is not readable, its channels differ (false colours), it has
            transparent pixels, or all pixels are NaN or infinite; or `planck` is set and the file
            holds no constants.
    """
    if planck:
        return _kelvin(image)
    if isinstance(image, str | Path | Image.Image):
        if (path := _file_of(image)) is not None and (counts := _counts(path)) is not None:
            return counts
        found = raster_of(image, "thermal")
        levels = found.levels()
        found.refuse_dropped()
        return plain_depth(levels, found.name)
    _refuse_others(image, "thermal")
    if image.ndim == 2 and image.dtype.kind in "uif":
        return plain_depth(image, "thermal")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise InputError(
            f"thermal: must have one channel, or three equal ones of 8 bits, got {image.shape} "
            f"{image.dtype}; export it as gray levels"
        )
    return gray_of(np.asarray(image, np.uint8), "thermal")


def _kelvin(image: ImageLike) -> RawThermal:
    """Temperatures in kelvin of a radiometric file by its own constants, for an emissivity of 1.

    Raises:
        InputError: The file holds no constants of Planck's law.
    """
    if isinstance(image, np.ndarray) and image.dtype.kind == "f":
        return thermal_array(image)
    path = _file_of(image)
    found = None if path is None else _thermogram(path)
    if found is None or found.planck is None:
        name = "thermal" if path is None else path
        raise InputError(
            f"{name}: holds no constants of Planck's law, which {PLANCK} needs; give FLIR's "
            "radiometric files, or another scaling"
        )
    return plain_depth(found.planck.kelvin(found.counts), str(path))


def _file_of(image: ImageLike) -> Path | None:
    """The file of an image: its path, or the file that Pillow has just opened; else None."""
    if isinstance(image, ImageFile.ImageFile):
        return Path(os.fsdecode(image.filename)) if image.filename else None
    return Path(image) if isinstance(image, str | Path) else None


def _counts(path: Path) -> RawThermal | None:
    """The raw counts (H, W) of a radiometric file; None for any other file, or a missing one.

    Raises:
        InputError: The file is damaged, or holds several frames.
    """
    found = _thermogram(path)
    return None if found is None else found.counts


def _thermogram(path: Path) -> Thermogram | None:
    """Counts and constants of a radiometric file; None for any other file, or a missing one.

    Raises:
        InputError: The file is damaged, or holds several frames.
    """
    if not path.is_file():
        return None
    try:
        frames = thermograms(path)
    except PermissionError:
        raise InputError(f"{path}: no permission to read it; change its permissions") from None
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
        thermal: The thermal image; the same path as `rgb` means a 4-channel image of both.
        planck: Whether counts become kelvin; see `thermal_array`.

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


def check_extent(pixels: NDArray[Any], name: str) -> None:
    """Refuse an image that is too small to be segmented.

    Raises:
        SizeError: A side is shorter than `SMALLEST` pixels.
    """
    height, width = pixels.shape[:2]
    if min(height, width) < SMALLEST:
        raise SizeError(
            f"{name}: {width}x{height} pixels; nothing smaller than {SMALLEST}x{SMALLEST} can be "
            "segmented"
        )


def check_size(pixels: NDArray[Any], name: str, like: NDArray[Any], like_name: str) -> None:
    """Compare height and width of two images of a pair.

    Raises:
        SizeError: They differ.
    """
    if pixels.shape[:2] != like.shape[:2]:
        (h, w), (like_h, like_w) = pixels.shape[:2], like.shape[:2]
        raise SizeError(
            f"{name}: {w}x{h} pixels, but {like_name} has {like_w}x{like_h}; save both in one size"
        )
