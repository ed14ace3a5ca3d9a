"""Arrays of RGB or thermal values: converted to a type that the package reads, or refused."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from samantic.data.thermal import RawThermal
from samantic.errors import InputError


def colours_of(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Convert an array (H, W, 3) of uint8, or of floats in 0..1, to uint8.

    Raises:
        InputError: The array has another shape, type or range; the message says how to convert it.
    """
    if image.ndim != 3 or image.shape[-1] != 3:
        raise InputError(
            f"rgb: must be (H, W, 3) uint8, got {image.shape} {image.dtype}; "
            f"{_cure_shape(image.shape)}"
        )
    if image.dtype.kind == "f" and image.size and image.min() >= 0 and image.max() <= 1:
        levels: NDArray[np.uint8] = np.rint(255 * image).astype(np.uint8)
        return levels
    if image.dtype != np.uint8:
        if image.dtype.kind == "f":
            cure = "floats must lie in 0..1; divide by the largest value that the sensor can give"
        else:
            cure = "scale the values to 0..255 and convert them with .astype(np.uint8)"
        raise InputError(
            f"rgb: must be (H, W, 3) uint8, got {image.shape} {image.dtype}{_reach(image)}; {cure}"
        )
    return np.asarray(image, np.uint8)


def _cure_shape(shape: tuple[int, ...]) -> str:
    """What to do about an array whose shape is not that of an RGB image."""
    if len(shape) == 2 or (len(shape) == 3 and shape[-1] == 1):
        return "one channel: give a thermal image as thermal, a gray image as np.dstack(3 * [x])"
    if len(shape) == 3 and shape[-1] == 4:
        return "of four channels give x[..., :3] as rgb (and x[..., 3] as thermal, if it is that)"
    if len(shape) == 3 and shape[0] in (3, 4):
        return "channels come first here; give x.transpose(1, 2, 0)"
    return "give one image of three channels"


def _reach(image: NDArray[Any]) -> str:
    """The values of an array of numbers as a phrase."""
    if image.dtype.kind not in "uif" or not image.size:
        return ""
    return f" from {np.nanmin(image):g} to {np.nanmax(image):g}"


def plain_depth(pixels: NDArray[Any], name: str) -> RawThermal:
    """Keep uint8 and uint16, turn floats into float32, and fit other integers into 16 bits.

    Raises:
        InputError: Integers do not fit 16 bits, or all floats are NaN or infinite.
    """
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype.kind == "f":
        if not np.isfinite(pixels).any():
            raise InputError(f"{name}: no pixel is a number; remove the image")
        return pixels.astype(np.float32)
    if pixels.min() < 0 or pixels.max() > np.iinfo(np.uint16).max:
        raise InputError(
            f"{name}: values {pixels.min()} to {pixels.max()} do not fit 16 bits; save counts from "
            "0 to 65535, or temperatures as floats"
        )
    return pixels.astype(np.uint16)
