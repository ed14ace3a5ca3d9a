"""Arrays of RGB or thermal values: taken in a type that the rest knows, or refused."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from samantic.data.thermal import RawThermal
from samantic.errors import InputError


def colours_of(image: NDArray[Any]) -> NDArray[np.uint8]:
    """An array (H, W, 3) of uint8, or of floats in 0..1, as uint8.

    Raises:
        InputError: It is none; the line says what it is and how to turn it into one.
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
            cure = "floats must lie in 0..1, so divide by the largest value that there can be"
        else:
            cure = "bring its values to 0..255 and take .astype(np.uint8)"
        raise InputError(
            f"rgb: must be (H, W, 3) uint8, got {image.shape} {image.dtype}{_reach(image)}; {cure}"
        )
    return np.asarray(image, np.uint8)


def _cure_shape(shape: tuple[int, ...]) -> str:
    """What to do about an array that is no RGB image by its shape."""
    if len(shape) == 2 or (len(shape) == 3 and shape[-1] == 1):
        return "one channel: give a thermal image as thermal, a gray picture as np.dstack(3 * [x])"
    if len(shape) == 3 and shape[-1] == 4:
        return "of four channels give x[..., :3] as rgb (and x[..., 3] as thermal if it is that)"
    if len(shape) == 3 and shape[0] in (3, 4):
        return "channels come first here: give x.transpose(1, 2, 0)"
    return "give one picture of three channels"


def _reach(image: NDArray[Any]) -> str:
    """The values of an array of numbers as a phrase."""
    if image.dtype.kind not in "uif" or not image.size:
        return ""
    return f" from {np.nanmin(image):g} to {np.nanmax(image):g}"


def plain_depth(pixels: NDArray[Any], name: str) -> RawThermal:
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
