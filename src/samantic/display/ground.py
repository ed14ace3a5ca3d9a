"""The background of an overlay: RGB, thermal or both, not too dark or bright for colours."""

from __future__ import annotations

from math import log
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from samantic.errors import InputError

Ground = Literal["auto", "rgb", "thermal", "blend"]
"""`rgb` and `thermal` are the single images, `blend` is their mean. `auto` is RGB, brightened if it
is dark as a whole, with thermal in those parts that stay dark."""

GROUNDS: tuple[Ground, ...] = get_args(Ground)

DARK = 60.0
"""Median luminance of RGB, 0..255, below which `auto` mixes thermal in. A lamp that dazzles the
camera hardly changes the median."""

MEAN = 100.0
"""Mean to which a darker RGB image and a brighter thermal image are changed, so that colours are
visible."""

STRONGEST = 0.45
"""Smallest exponent of the brightening; below it noise dominates."""

UNLIT, LIT = 45.0, 110.0
"""Local luminance of the brightened RGB up to which only thermal is shown, and from which only RGB
is shown."""


def ground_of(
    rgb: NDArray[np.uint8] | None, thermal: NDArray[np.uint8] | None, kind: Ground = "auto"
) -> NDArray[np.uint8]:
    """The image on which classes are drawn.

    Args:
        rgb: (H, W, 3), or None.
        thermal: (H, W) on RGB's pixels, or None.
        kind: See `Ground`.

    Returns:
        (H, W, 3) uint8.

    Raises:
        InputError: There is no such ground, or its image is missing.
    """
    check_ground(kind, rgb is not None, thermal is not None)
    heat = None if thermal is None else np.repeat(stretched(thermal)[..., None], 3, axis=2)
    if rgb is None or kind == "thermal":
        assert heat is not None  # noqa: S101  # checked above
        return heat
    if kind == "rgb":
        return rgb
    bright = brightened(rgb)
    if heat is None:
        return bright
    if kind == "blend":
        return _mixed(bright, heat, 0.5)
    if np.median(luminance(rgb)) >= DARK:
        return bright
    blur = ImageFilter.GaussianBlur(min(rgb.shape[:2]) / 24)
    around = np.asarray(Image.fromarray(bright).convert("L").filter(blur), np.float32)
    return _mixed(bright, heat, np.clip((around - UNLIT) / (LIT - UNLIT), 0, 1)[..., None])


def check_ground(
    kind: str, rgb: bool, thermal: bool, option: str = "ground", images: str = "image"
) -> None:
    """Refuse a ground whose image is missing.

    Raises:
        InputError: The ground is not in `GROUNDS`, or its image is missing.
    """
    if kind not in GROUNDS:
        raise InputError(f"{option}: {kind!r} is none of {', '.join(GROUNDS)}; give one of them")
    needed = {"rgb": {"RGB": rgb}, "thermal": {"thermal": thermal}}
    needed["blend"] = needed["rgb"] | needed["thermal"]
    for name, there in needed.get(kind, {}).items():
        if not there:
            raise InputError(f"{option}: {kind} needs the {name} {images}; give it, or take auto")


def luminance(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Luminance (H, W) in 0..255, with the weights of ITU-R BT.601."""
    return rgb.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


def brightened(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Brighten an image darker than `MEAN` by a power of its values, to a mean close to `MEAN`."""
    return _toned(rgb, max(STRONGEST, min(1.0, _power(luminance(rgb)))))


def stretched(thermal: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Stretch 1 % to 99 % of the values to 0..255; darken the image if its mean exceeds `MEAN`."""
    low, high = np.percentile(thermal, (1, 99))
    if high <= low:
        return thermal
    scaled = (255 * ((thermal.astype(np.float32) - low) / (high - low)).clip(0, 1)).round()
    return _toned(scaled.astype(np.uint8), max(1.0, _power(scaled)))


def _power(levels: NDArray[np.float32]) -> float:
    """The exponent that brings the mean of levels in 0..255 to `MEAN`."""
    return log(MEAN / 255) / log(float(levels.mean().clip(1, 250)) / 255)


def _toned(image: NDArray[np.uint8], power: float) -> NDArray[np.uint8]:
    """Raise all values, as 0..1, to a power."""
    table = (255 * (np.arange(256) / 255) ** power).round().astype(np.uint8)
    toned: NDArray[np.uint8] = table[image]
    return toned


def _mixed(
    rgb: NDArray[np.uint8], heat: NDArray[np.uint8], share: float | NDArray[np.floating]
) -> NDArray[np.uint8]:
    """Mix RGB with weight `share` and thermal with the rest."""
    return (share * rgb + (1 - share) * heat).round().astype(np.uint8)
