"""How far RGB and thermal lie apart, estimated from the directions of their edges."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SMOOTHING = 1.5
"""Standard deviation of the derivative filters, in pixels."""

NEIGHBOURHOOD = 41
"""Side of the window, in pixels, in which an edge's strength is compared with its neighbours'."""

CONFIDENT = 1.3
"""Smallest ratio of the best agreement to the next best one at which a shift is trusted. Three in
four real pairs reach this ratio; one in thirty pairs of unrelated noise reaches it."""


class Shift(NamedTuple):
    """Translation of the thermal image relative to RGB.

    Attributes:
        x: Pixels by which the thermal content lies to the right of its place in RGB.
        y: Pixels by which it lies below.
        ratio: Agreement of the best shift divided by that of the next best place. From `CONFIDENT`
            on, the shift is trusted.
    """

    x: int
    y: int
    ratio: float

    @property
    def distance(self) -> float:
        """Length of the shift in pixels."""
        return float(np.hypot(self.x, self.y))

    @property
    def confident(self) -> bool:
        """Whether the ratio is large enough to trust the estimate."""
        return self.ratio >= CONFIDENT


def estimate_shift(rgb: NDArray[np.uint8], thermal: NDArray[np.floating], reach: int = 40) -> Shift:
    """Estimate the translation between the two images of a pair.

    An edge that both cameras see has the same direction in both images, whichever side is brighter.
    The function therefore correlates the doubled angles of the gradients over all shifts at once.
    Each gradient is weighed by its strength relative to its neighbours.

    Args:
        rgb: (H, W, 3), values 0..255.
        thermal: (H, W) in any unit.
        reach: Largest shift in pixels that is searched in each direction.
    """
    height, width = thermal.shape
    window = np.outer(np.hanning(height), np.hanning(width))
    agreement = np.zeros((height, width))
    ours = edge_directions(rgb @ np.array([0.299, 0.587, 0.114]))
    for a, b in zip(ours, edge_directions(thermal.astype(np.float64)), strict=True):
        spectrum = np.conj(np.fft.rfft2(a * window)) * np.fft.rfft2(b * window)
        agreement += np.fft.irfft2(spectrum, (height, width))
    reach = min(reach, (min(height, width) - 1) // 2)
    near = np.roll(agreement, (reach, reach), (0, 1))[: 2 * reach + 1, : 2 * reach + 1]
    near = ndimage.gaussian_filter(near, 1.0)
    y, x = (int(i) for i in np.unravel_index(near.argmax(), near.shape))
    floor = np.median(near)
    peak = near[y, x] - floor
    rest = near.copy()
    rest[max(0, y - 5) : y + 6, max(0, x - 5) : x + 6] = floor
    return Shift(x - reach, y - reach, float(peak / max(rest.max() - floor, 1e-12)))


def edge_directions(gray: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cosine and sine of the doubled angle of the gradient, weighed by its relative strength."""
    dx = ndimage.gaussian_filter(gray, SMOOTHING, order=(0, 1))
    dy = ndimage.gaussian_filter(gray, SMOOTHING, order=(1, 0))
    strength = np.hypot(dx, dy)
    around = np.sqrt(np.maximum(ndimage.uniform_filter(strength**2, NEIGHBOURHOOD), 0))
    weight = np.minimum(strength / (around + 0.02 * strength.max() + 1e-6), 2)
    square = np.maximum(strength**2, 1e-12)
    return weight * (dx**2 - dy**2) / square, weight * 2 * dx * dy / square
