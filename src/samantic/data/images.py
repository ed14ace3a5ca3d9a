"""Reading image files, with a clear line for every file that cannot be used.

Arrays are numpy, height first. Thermal is one channel of any depth; some writers store it as three
equal ones, which JPEG keeps equal only nearly.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from samantic.data.thermal import RawThermal
from samantic.errors import InputError

ImageLike = str | Path | Image.Image | NDArray[np.uint8] | RawThermal
"""An image file, a PIL image, or an array."""

SMALLEST = 16
"""Least side of an image in pixels."""

GRAY_TOLERANCE = 8
"""Largest difference between the channels of a thermal image that counts as equal (JPEG)."""


def decode_image(path: Path) -> Image.Image:
    """Open and decode an image file of any depth, turned as its EXIF orientation says.

    Raises:
        InputError: The file is missing, truncated, no image, or one that cannot be taken as it is.
    """
    try:
        with Image.open(path) as image:
            problem = _unusable(image)
            image.load()
            upright = ImageOps.exif_transpose(image)
    except FileNotFoundError:
        raise InputError(f"{path}: no such image") from None
    except PermissionError:
        raise InputError(f"{path}: may not be read; change its permissions") from None
    except Image.DecompressionBombError as error:
        raise InputError(f"{path}: {error}; cut it into parts") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{path}: not a readable image ({error}); copy it anew") from None
    if problem:
        raise InputError(f"{path}: {problem}")
    return upright


def _unusable(image: Image.Image) -> str:
    """What is wrong with an opened image that could be decoded all the same."""
    if getattr(image, "n_frames", 1) > 1:
        return "several images in one file; save each by itself"
    if image.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        return f"colours as {image.mode}; save it as RGB"
    if image.mode == "RGB" and any("16" in str(tile[3]) for tile in getattr(image, "tile", [])):
        # Pillow would keep the high bytes alone
        return "16 bits in several channels; save thermal as one channel, RGB with 8 bits"
    return ""


def open_image(path: Path) -> Image.Image:
    """Open and decode an image file of 8 bits a channel.

    Raises:
        InputError: The file is missing, truncated, not an image, or has 16 bits a channel.
    """
    image = decode_image(path)
    if image.mode.startswith(("I", "F")):
        raise InputError(
            f"{path}: more than 8 bits a channel ({image.mode}); convert it to 8 bits, scaling its "
            "range to 0..255"
        )
    return image


def read_rgbt(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read a 4-channel image into RGB (H, W, 3) and thermal (H, W), both uint8.

    Raises:
        InputError: It is no readable 8-bit image of four channels.
    """
    image = open_image(path)
    if image.mode != "RGBA":
        raise InputError(
            f"{path}: {len(image.getbands())} channel(s), but this layout keeps thermal in a 4th; "
            "use the original files, or --layout pairs with separate folders"
        )
    pixels = np.asarray(image)
    return pixels[..., :3], pixels[..., 3]


def rgb_array(image: ImageLike) -> NDArray[np.uint8]:
    """An RGB image as (H, W, 3) uint8; gray and palette files are expanded, alpha is dropped.

    Args:
        image: Path, PIL image, or (H, W, 3) uint8.

    Raises:
        InputError: It is no readable 8-bit image of that shape.
    """
    if isinstance(image, str | Path):
        image = open_image(Path(image))
    if isinstance(image, Image.Image):
        return np.asarray(image.convert("RGB"))
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3:
        raise InputError(
            f"rgb: must be (H, W, 3) uint8, got {image.shape} {image.dtype}; scale it to 0..255"
        )
    return np.asarray(image, np.uint8)


def thermal_array(image: ImageLike) -> RawThermal:
    """A thermal image as (H, W) in its own depth, from one channel or three equal ones.

    Args:
        image: Path, PIL image, or an array (H, W), or (H, W, 3) of 8 bits. Of files, 8-bit and
            16-bit integers and floats are read as they are.

    Raises:
        InputError: It is no readable image of that kind, or its channels differ (false colours).
    """
    name = "thermal"
    if isinstance(image, str | Path):
        name = str(image)
        image = decode_image(Path(image))
    pixels = np.asarray(image)
    if pixels.ndim == 2 and pixels.dtype.kind in "uif":
        return _plain_depth(pixels, name)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise InputError(
            f"{name}: must have one channel, or three equal ones of 8 bits, got {pixels.shape} "
            f"{pixels.dtype}; export it as gray levels"
        )
    if np.ptp(pixels.astype(np.int16), axis=-1).max() > GRAY_TOLERANCE:
        raise InputError(
            f"{name}: a thermal image in false colours; export it as gray levels, colours cannot "
            "be turned back into temperatures"
        )
    return pixels[..., 0]


def _plain_depth(pixels: NDArray[Any], name: str) -> RawThermal:
    """uint8 and uint16 as they are, floats as float32; other integers must fit 16 bits."""
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype.kind == "f":
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
            f"{name}: {w}x{h} pixels, but {like_name} has {like_w}x{like_h}; align the pair and "
            "save both in one size, or describe the cameras (data.rig)"
        )
