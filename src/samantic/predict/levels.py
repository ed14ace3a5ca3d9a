"""What one image alone tells of its camera: its levels, and whether rows have been moved.

The gate of streams and `samantic batch` both ask here. The thresholds stand in `docs/video.md`,
with how they were chosen.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from samantic.config.scaling import Scaling
from samantic.data.camera import Camera, RawPair
from samantic.data.sensors import SENSORS
from samantic.data.thermal import CLIPPED, beyond
from samantic.predict.rows import rows_are_shifted

BLACK = 16
"""Gray level that one pixel in a hundred of a picture exceeds, or the picture is black."""

DARK_THERMAL = 8
"""The same of a thermal image of 8 bits."""

FULL = 250
"""Least gray level of all channels of a pixel that is saturated."""

SATURATED = 0.5
"""Share of the pixels from which an image is saturated."""

UNIFORM = 8
"""Gray levels between the first and the last percent of the pixels of an image of something."""

UNIFORM_SHARE = 0.1
"""The same of a thermal image deeper than 8 bits, as a share of what is usual in the stream."""

UNIFORM_COUNTS = 2
"""Counts of a 16-bit image below which it shows nothing, whatever is usual."""

STEP = 4
"""Every fourth row and column tell enough of the levels of an image."""


def pair_states(pair: RawPair, camera: Camera) -> dict[str, str]:
    """The state of each camera as far as one pair tells: of `health.STATES`.

    Args:
        pair: What the cameras gave.
        camera: What the model knows of the thermal camera.

    Example:
        >>> pair_states((rgb, np.zeros_like(thermal)), model.camera)
        {'rgb': 'ok', 'thermal': 'black'}
    """
    return {
        name: _image_state(name, image, camera.scaling)
        for name, image in zip(SENSORS, pair, strict=True)
    }


def _image_state(name: str, image: NDArray[Any] | None, scaling: Scaling) -> str:
    if image is None:
        return "missing"
    if state := level_state(name, image, scaling):
        return state
    return "shifted rows" if rows_are_shifted(gray(image)) else "ok"


def level_state(name: str, image: NDArray[Any], scaling: Scaling, usual: float = 0.0) -> str:
    """What is wrong with the levels of an image; empty if nothing is.

    Args:
        name: The camera, of `SENSORS`.
        image: (H, W) or (H, W, 3).
        scaling: Of the thermal values.
        usual: What `spread` usually is of images deeper than 8 bits; 0 if that is not known.
    """
    some = image[::STEP, ::STEP]
    if image.dtype == np.uint8:
        colours = some.reshape(*some.shape[:2], -1)
        low, high = np.percentile(colours.max(-1), (1, 99))
        if high <= (BLACK if name == "rgb" else DARK_THERMAL):
            return "black"
        if (colours.min(-1) >= FULL).mean() > SATURATED:
            return "saturated"
        narrow = high - low < UNIFORM
    else:
        if image.dtype == np.uint16 and (some == np.iinfo(np.uint16).max).mean() > SATURATED:
            return "saturated"
        narrow = spread(image) < max(_least(image, scaling), UNIFORM_SHARE * usual)
    if narrow:
        return "shutter" if name == "thermal" else "uniform"
    if name == "thermal" and sum(beyond(some, scaling)) > CLIPPED:
        return "out of range"
    return ""


def spread(image: NDArray[Any]) -> float:
    """Values between the first and the last percent of the pixels; NaN are passed over."""
    some = image[::STEP, ::STEP]
    finite = some[np.isfinite(some)]
    if finite.size == 0:
        return 0.0
    low, high = np.percentile(finite, (1, 99))
    return float(high - low)


def gray(image: NDArray[Any]) -> NDArray[Any]:
    """One channel, (H, W); green stands for the colours."""
    return image[..., 1] if image.ndim == 3 else image


def _least(image: NDArray[Any], scaling: Scaling) -> float:
    """The least `spread` of an image deeper than 8 bits that shows something."""
    least = UNIFORM_COUNTS if image.dtype == np.uint16 else 1e-6
    if scaling.kind == "fixed":
        least = max(least, UNIFORM / 255 * (scaling.high - scaling.low))
    return least
