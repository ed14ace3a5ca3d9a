"""Thermal images of 8 or 16 bits or floats, scaled to the 0..1 that a network reads."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from samantic.config.scaling import Scaling
from samantic.errors import InputError
from samantic.spelling import remedy

RawThermal = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]
"""(H, W) in the sensor's own unit: gray levels, counts, centikelvin, kelvin, degrees Celsius."""

PERCENTILES = (1.0, 99.0)
"""Percentiles of the pixels at which an estimated scale begins and ends."""

SCALE = "say how to scale them: frame (each image by its own range), or LOW,HIGH in their unit"
"""What to do about values deeper than 8 bits."""

OUTLIER = 0.5
"""Share of the image's range by which a hot or dead pixel exceeds all its neighbours."""

CLIPPED = 0.5
"""Share of an image's pixels beyond a fixed range from which the image seems to have another
unit."""

FEW = 0.25
"""Share of a split's images, at least two, beyond a fixed range from which the split is refused."""

_NEIGHBOURS = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool)


def scale_thermal(raw: RawThermal, scaling: Scaling, name: str = "thermal") -> NDArray[np.float32]:
    """Scale a thermal image to (H, W) float32 in 0..1; values beyond the range are clipped.

    Pixels that are NaN or infinite first take the median of their neighbours; in images deeper than
    8 bits, so do hot and dead pixels.

    Args:
        raw: The image, (H, W).
        scaling: How its values become 0..1.
        name: What to call the image in an error.

    Raises:
        InputError: The image is deeper than 8 bits and the scaling is 8-bit.
    """
    refuse_depth(raw, scaling, name)
    if scaling.kind == "8-bit":
        levels = raw.astype(np.float32) / np.float32(255)
        return 1 - levels if scaling.inverted else levels
    values, _ = clean(raw)
    low, high = scaling.low, scaling.high
    if scaling.kind == "frame":
        low, high = np.percentile(values, PERCENTILES)
    scaled = (values - low) / max(high - low, 1e-12)
    scaled = np.clip(scaled, 0.0, 1.0)
    return (1 - scaled if scaling.inverted else scaled).astype(np.float32)


def refuse_depth(raw: RawThermal, scaling: Scaling, name: str = "thermal") -> None:
    """Refuse an image that is too deep for the scaling.

    Raises:
        InputError: The image is deeper than 8 bits, and the scaling is 8-bit.
    """
    if is_too_deep(raw, scaling):
        raise InputError(
            f"{name}: {raw.dtype} values up to {np.nanmax(raw):g}, deeper than 8 bits; {SCALE}, as "
            f"in {remedy({'data.thermal_scaling': 'frame'})}"
        )


def is_too_deep(raw: RawThermal, scaling: Scaling) -> bool:
    """Whether an image is deeper than 8 bits although the scaling is 8-bit."""
    return scaling.kind == "8-bit" and raw.dtype != np.uint8


def beyond(raw: RawThermal, scaling: Scaling) -> tuple[float, float]:
    """The shares of the pixels below and above a fixed range; 0 for any other scaling."""
    values = raw[np.isfinite(raw)]
    if scaling.kind != "fixed" or values.size == 0:
        return 0.0, 0.0
    return float((values < scaling.low).mean()), float((values > scaling.high).mean())


def refuse_unit(
    images: Iterable[tuple[str, RawThermal]], scaling: Scaling, where: str, option: str
) -> None:
    """Refuse images of which many pixels lie beyond a fixed range and would become 0 or 1.

    A single image may be saturated. It is refused only if all of its pixels lie beyond one end.

    Args:
        images: Thermal images with their names.
        scaling: How their values become 0..1.
        where: What to call the images in the error.
        option: The option that sets the scaling, for the error.

    Raises:
        InputError: At least two images, and at least a quarter of all, have more than half of their
            pixels beyond the range; or all pixels of the only image lie beyond one end.
    """
    ends, clipped, whole, count = [], [], False, 0
    for name, raw in images:
        shares, count = beyond(raw, scaling), count + 1
        whole |= max(shares) == 1
        if sum(shares) > CLIPPED:
            clipped.append(name)
            ends.append(np.percentile(raw[np.isfinite(raw)], PERCENTILES))
    if (len(clipped) >= 2 and len(clipped) >= FEW * count) or (count == 1 and whole):
        low, high = np.array(ends).min(), np.array(ends).max()
        many = f"more than half of the pixels of {len(clipped)} of {count} images become"
        raise InputError(
            f"{where}: thermal values from {low:g} to {high:g} (1 % to 99 %), but the thermal "
            f"scaling is {scaling}: {many if count > 1 else 'all become'} 0 or 1; give a range in "
            f"the files' unit, or frame ({option})"
        )


def clean(raw: RawThermal) -> tuple[NDArray[np.float64], int]:
    """Replace NaN, infinite, hot and dead pixels by the median of their eight neighbours.

    Hot and dead pixels are searched in images deeper than 8 bits only.

    Returns:
        (H, W) float64, and the number of pixels that were replaced.
    """
    values = raw.astype(np.float64)
    wrong = ~np.isfinite(values)
    if wrong.all():
        return np.zeros_like(values), values.size
    values[wrong] = np.median(values[~wrong])
    if raw.dtype == np.uint8:
        return values, 0
    from scipy import ndimage  # a slow import, which 8-bit images and exported models do not need

    low, high = np.percentile(values, PERCENTILES)
    margin = OUTLIER * max(high - low, 1e-12)
    wrong |= values > ndimage.maximum_filter(values, footprint=_NEIGHBOURS) + margin
    wrong |= values < ndimage.minimum_filter(values, footprint=_NEIGHBOURS) - margin
    if wrong.any():
        values[wrong] = ndimage.median_filter(values, footprint=_NEIGHBOURS)[wrong]
    return values, int(wrong.sum())


def dataset_scaling(images: Iterable[RawThermal]) -> Scaling:
    """Estimate a fixed range for a data set from its images.

    Args:
        images: Thermal images of one unit.

    Returns:
        A range from the 10th percentile of the images' low ends to the 90th percentile of their
        high ends, so that a few odd frames do not set it.
    """
    ends = np.array([np.percentile(clean(image)[0], PERCENTILES) for image in images])
    low, high = np.percentile(ends[:, 0], 10), np.percentile(ends[:, 1], 90)
    return Scaling("fixed", float(low), float(max(high, low + 1e-6)))
