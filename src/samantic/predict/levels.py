"""Faults that a single image shows: in its levels, or shifted rows.

The gate of streams and `samantic batch` both use these tests. `docs/video.md` gives the thresholds
and how they were chosen.
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
"""An RGB image is black if 99 % of its pixels do not exceed this gray level."""

DARK_THERMAL = 8
"""The same threshold for an 8-bit thermal image."""

FULL = 250
"""A pixel is saturated if all its channels reach this gray level."""

SATURATED = 0.5
"""An image is saturated if more than this share of its pixels is."""

UNIFORM = 8
"""Smallest difference between the 1st and 99th percentile of gray levels with content."""

UNIFORM_SHARE = 0.1
"""The same for thermal deeper than 8 bits, as a share of the usual difference in a stream."""

UNIFORM_COUNTS = 2
"""Smallest such difference in counts of a 16-bit image with content, whatever is usual."""

STEP = 4
"""Levels are measured on every `STEP`-th row and column."""


def pair_states(pair: RawPair, camera: Camera) -> dict[str, str]:
    """The state of each camera as far as one pair shows it, one of `health.STATES`.

    Args:
        pair: The images of the pair.
        camera: The model's knowledge of the thermal camera.

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
    """The fault in the levels of an image; "" if there is none.

    Args:
        name: The camera, a key of `SENSORS`.
        image: (H, W) or (H, W, 3).
        scaling: Scaling of the thermal values.
        usual: Usual `spread` of images deeper than 8 bits in the stream; 0 if unknown.
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
    """Difference between the 1st and 99th percentile of the finite pixels."""
    some = image[::STEP, ::STEP]
    finite = some[np.isfinite(some)]
    if finite.size == 0:
        return 0.0
    low, high = np.percentile(finite, (1, 99))
    return float(high - low)


def gray(image: NDArray[Any]) -> NDArray[Any]:
    """One channel, (H, W): for colours, the green one."""
    return image[..., 1] if image.ndim == 3 else image


def _least(image: NDArray[Any], scaling: Scaling) -> float:
    """The smallest `spread` of an image deeper than 8 bits with content."""
    least = UNIFORM_COUNTS if image.dtype == np.uint16 else 1e-6
    if scaling.kind == "fixed":
        least = max(least, UNIFORM / 255 * (scaling.high - scaling.low))
    return least
