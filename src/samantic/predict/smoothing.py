"""Labels without flicker: a running mean of probabilities over time that follows image motion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from samantic.errors import InputError
from samantic.predict.prediction import Prediction
from samantic.predict.selection import Selection

WEIGHT = 0.5
"""Default weight of the past."""

SIDE = 128
"""Approximate longer side in pixels of the images in which the motion is estimated."""

PEAK = 0.2
"""Smallest peak of the phase correlation, which is 1 for a copy. Below it the past is dropped,
since the scene has changed."""


class Smoother:
    """Smooths the labels of a stream over time.

    With the probabilities p of a frame, the mean is m = w shift(m') + (1 - w) p: an exponential
    mean, where the previous mean m' is shifted by the image motion. Where the shift brings no
    pixels in, m = p. The label is the class with the largest m.

    Args:
        weight: w, the weight of the past, from 0 to below 1; 0 changes nothing.

    Raises:
        InputError: The weight is out of range.
    """

    def __init__(self, weight: float = WEIGHT) -> None:
        if not 0 <= weight < 1:
            raise InputError(f"smooth is {weight:g}; give the share of the past, 0 to below 1")
        self.weight = weight
        self._mean: NDArray[np.float32] | None = None
        self._sight: dict[str, NDArray[np.float32]] = {}

    def steady(self, found: Prediction, selection: Selection) -> Prediction:
        """The next prediction, with smoothed probabilities, labels and confidence.

        Args:
            found: The next frame's prediction, with its probabilities.
            selection: Which classes are wanted.
        """
        now = found.probabilities
        sight = {name: _small(image) for name, image in found.images.items()}
        before, self._sight = self._sight, sight
        if not found.confidence.any():  # no camera works
            self._mean = None
            return found
        past, self._mean = self._mean, now
        if past is not None and past.shape == now.shape:
            shift = _shift(before, sight, now.shape[1:])
            if shift is not None:
                self._mean = _blend(past, now, shift, self.weight)
        labels = self._mean.argmax(axis=0).astype(np.uint8)
        confidence = self._mean.max(axis=0)
        labels = selection.labels(labels, confidence, found.classes)
        return replace(found, labels=labels, confidence=confidence, kept=self._mean)


def _blend(
    past: NDArray[np.float32], now: NDArray[np.float32], shift: tuple[int, int], weight: float
) -> NDArray[np.float32]:
    """The mean m (K, H, W) after a shift by (rows, columns)."""
    mean = now.copy()
    (y_from, y_to), (x_from, x_to) = (
        _overlap(step, side) for step, side in zip(shift, now.shape[1:], strict=True)
    )
    mean[:, y_to, x_to] += weight * (past[:, y_from, x_from] - now[:, y_to, x_to])
    return mean


def _overlap(shift: int, length: int) -> tuple[slice, slice]:
    """The source and target slices of a shift along one axis."""
    return (
        slice(max(0, -shift), length - max(0, shift)),
        slice(max(0, shift), length - max(0, -shift)),
    )


def _shift(
    before: dict[str, NDArray[np.float32]],
    now: dict[str, NDArray[np.float32]],
    size: tuple[int, ...],
) -> tuple[int, int] | None:
    """The image motion in rows and columns of `size`, from the camera with the highest peak.

    None if no camera saw both frames, or the scene has changed.
    """
    both = [name for name in now if name in before and now[name].shape == before[name].shape]
    found = [phase_shift(before[name], now[name]) for name in both]
    if not found:
        return None
    peak, row, column = max(found)
    if peak < PEAK:
        return None
    tall, wide = now[both[0]].shape
    return round(row * size[0] / tall), round(column * size[1] / wide)


def phase_shift(
    before: NDArray[np.float32], now: NDArray[np.float32]
) -> tuple[float, float, float]:
    """Estimate the shift between two images (h, w) by phase correlation (Kuglin and Hines 1975).

    A window fades both images out towards their edges. The position of the peak is refined to a
    fraction of a pixel by a parabola through its neighbours.

    Returns:
        Height of the peak, 0..1, and by how many rows and columns `now` has moved.
    """
    tall, wide = now.shape
    window = np.outer(np.hanning(tall + 2)[1:-1], np.hanning(wide + 2)[1:-1])
    first, second = (np.fft.rfft2((image - image.mean()) * window) for image in (before, now))
    cross = first.conj() * second
    cross /= np.maximum(np.abs(cross), 1e-6 * max(float(np.abs(cross).max()), 1e-12))
    found = np.fft.irfft2(cross, (tall, wide))
    row, column = np.unravel_index(int(found.argmax()), found.shape)
    y = _refined(found[:, column], int(row))
    x = _refined(found[row], int(column))
    return float(found[row, column]), y, x


def _refined(line: NDArray[np.float64], place: int) -> float:
    """The position of a peak as a fraction of a pixel; beyond the middle, the shift is negative."""
    left, middle, right = (float(line[(place + step) % len(line)]) for step in (-1, 0, 1))
    curve = left - 2 * middle + right
    between = 0.5 * (left - right) / curve if curve < 0 else 0.0
    return (place if place <= len(line) // 2 else place - len(line)) + between


def _small(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A gray image (h, w) of block means whose longer side has about `SIDE` pixels."""
    gray = image.mean(axis=2) if image.ndim == 3 else image.astype(np.float32)
    step = max(1, -(-max(gray.shape) // SIDE))
    tall, wide = (max(1, side // step) for side in gray.shape)
    cut = gray[: tall * step, : wide * step]
    if cut.size < tall * wide * step * step:  # one side is shorter than a block
        return gray.astype(np.float32)
    blocks = cut.reshape(tall, step, wide, step)
    small: NDArray[np.float32] = blocks.mean(axis=(1, 3), dtype=np.float32)
    return small
