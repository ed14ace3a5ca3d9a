"""Labels that do not flicker: a mean of probabilities over time that moves with the picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from samantic.errors import InputError
from samantic.predict.prediction import Prediction
from samantic.predict.selection import Selection

WEIGHT = 0.5
"""Share of the past if nothing is said."""

SIDE = 128
"""Shifts are sought in images whose longer side has about so many pixels."""

PEAK = 0.2
"""Least height of the peak of a phase correlation, of which 1 is a copy; else the past is dropped,
since the picture has changed."""


class Smoother:
    """Steadies the labels of a stream.

    With the probabilities p of a frame, the mean is m = w shift(m') + (1 - w) p, an exponential
    mean of those before (m') that is aligned by the shift of the picture; where the shift brings
    nothing in, m = p. The label is the class of the largest m.

    Args:
        weight: w, the share of the past, in 0..1; 0 changes nothing.

    Raises:
        InputError: It is not.
    """

    def __init__(self, weight: float = WEIGHT) -> None:
        if not 0 <= weight < 1:
            raise InputError(f"smooth is {weight:g}; give the share of the past, 0 to below 1")
        self.weight = weight
        self._mean: NDArray[np.float32] | None = None
        self._sight: dict[str, NDArray[np.float32]] = {}

    def steady(self, found: Prediction, selection: Selection) -> Prediction:
        """The prediction of the next frame with steadied probabilities, labels and confidence.

        Args:
            found: With its probabilities.
            selection: Which classes are wanted.
        """
        now = found.probabilities
        sight = {name: _small(image) for name, image in found.images.items()}
        before, self._sight = self._sight, sight
        if not found.confidence.any():  # no camera was well
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
    """The mean m of (K, H, W) after a shift by so many rows and columns."""
    mean = now.copy()
    (y_from, y_to), (x_from, x_to) = (
        _overlap(step, side) for step, side in zip(shift, now.shape[1:], strict=True)
    )
    mean[:, y_to, x_to] += weight * (past[:, y_from, x_from] - now[:, y_to, x_to])
    return mean


def _overlap(shift: int, length: int) -> tuple[slice, slice]:
    """Where pixels come from, and where they go, along one axis."""
    return (
        slice(max(0, -shift), length - max(0, shift)),
        slice(max(0, shift), length - max(0, -shift)),
    )


def _shift(
    before: dict[str, NDArray[np.float32]],
    now: dict[str, NDArray[np.float32]],
    size: tuple[int, ...],
) -> tuple[int, int] | None:
    """By how many rows and columns of `size` the picture has moved, as the surest camera sees it.

    None if no camera has seen both frames, or the picture is another.
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
    """The shift between two images (h, w), by phase correlation (Kuglin and Hines 1975).

    Both are windowed, so that their edges do not count. The peak is refined between pixels by the
    parabola through its neighbours.

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
    """The place of a peak between pixels; beyond the middle it is a negative shift."""
    left, middle, right = (float(line[(place + step) % len(line)]) for step in (-1, 0, 1))
    curve = left - 2 * middle + right
    between = 0.5 * (left - right) / curve if curve < 0 else 0.0
    return (place if place <= len(line) // 2 else place - len(line)) + between


def _small(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """An image as gray, (h, w), whose longer side has about `SIDE` pixels: means of blocks."""
    gray = image.mean(axis=2) if image.ndim == 3 else image.astype(np.float32)
    step = max(1, -(-max(gray.shape) // SIDE))
    tall, wide = (max(1, side // step) for side in gray.shape)
    cut = gray[: tall * step, : wide * step]
    if cut.size < tall * wide * step * step:  # narrower than a block
        return gray.astype(np.float32)
    blocks = cut.reshape(tall, step, wide, step)
    small: NDArray[np.float32] = blocks.mean(axis=(1, 3), dtype=np.float32)
    return small
