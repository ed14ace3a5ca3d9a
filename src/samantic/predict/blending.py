"""Large images in overlapping, blended tiles, of which one row at a time is in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Places = NDArray[np.int64]


class Blend(NamedTuple):
    """The blended answer of h heads for an image.

    Attributes:
        confidence: (h, H, W), the largest probability.
        labels: (h, H, W) int64, its class.
        probabilities: (h, K, H, W); None unless they are requested.
    """

    confidence: Floats
    labels: Places
    probabilities: Floats | None


def tile_starts(length: int, tile: int, overlap: int, wrap: bool = False) -> list[int]:
    """First pixels of tiles along an axis: evenly spaced, with at least `overlap` in common.

    Args:
        length: Length of the axis in pixels.
        tile: Length of a tile in pixels.
        overlap: Smallest number of pixels that neighbouring tiles share.
        wrap: The end of the axis meets its start, as in a panorama: tiles may continue at the
            start, and the last tile overlaps the first. The number of tiles is even, so that a turn
            by half the axis maps tiles onto tiles.

    Example:
        >>> tile_starts(100, 40, 10)
        [0, 30, 60]
        >>> tile_starts(100, 40, 10, wrap=True)
        [0, 25, 50, 75]
    """
    step = tile - overlap
    if wrap:
        count = 2 * -(-length // (2 * step))
        return [i * length // count for i in range(count)]
    if length <= tile:
        return [0]
    count = -(-(length - overlap) // step)
    return [round(i * (length - tile) / (count - 1)) for i in range(count)]


class AbandonedError(Exception):
    """The answer is no longer wanted."""


_UNWANTED: ContextVar[Callable[[], bool]] = ContextVar("unwanted", default=lambda: False)


@contextmanager
def given_up(unwanted: Callable[[], bool]) -> Iterator[None]:
    """Let `blend_tiles` stop between two tiles with `AbandonedError` once its answer is unwanted.

    Args:
        unwanted: Returns whether the answer is unwanted; called before each batch of tiles.
    """
    token = _UNWANTED.set(unwanted)
    try:
        yield
    finally:
        _UNWANTED.reset(token)


def blend_tiles(
    predict: Callable[[slice, Places], Floats],
    height: int,
    width: int,
    tile: tuple[int, int],
    wrap: bool = False,
    batch_size: int = 1,
    probabilities: bool = False,
) -> Blend:
    """Predict an image tile by tile.

    Neighbouring tiles share at least a quarter of their side. Where tiles overlap, their
    probabilities are averaged with weights that fall linearly towards a tile's edge. Only one row
    of tiles is in memory at a time.

    Args:
        predict: Takes the rows of n tiles that lie side by side, and their columns (n, x); returns
            their probabilities (n, h, K, y, x) for h heads.
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        tile: Height and width of a tile in pixels.
        wrap: The image is a panorama, whose left and right edges meet: tiles also lie across them.
        batch_size: Largest number of tiles that are predicted together.
        probabilities: Whether to keep the probabilities of all classes, which takes K times the
            memory.

    Raises:
        AbandonedError: The answer is no longer wanted, see `given_up`.
    """
    best: list[tuple[Floats, Places]] = []
    kept: list[Floats] = []
    for mean in _bands(predict, height, width, tile, wrap, batch_size):
        best.append((mean.max(-3), mean.argmax(-3)))
        if probabilities:
            kept.append(mean)
    confidence, labels = (np.concatenate(parts, -2) for parts in zip(*best, strict=True))
    return Blend(confidence, labels, np.concatenate(kept, -2) if kept else None)


def _bands(
    predict: Callable[[slice, Places], Floats],
    height: int,
    width: int,
    tile: tuple[int, int],
    wrap: bool,
    batch_size: int,
) -> Iterator[Floats]:
    """The mean probabilities (h, K, y, W) of finished rows of the image, from top to bottom."""
    deep, wide = min(tile[0], height), min(tile[1], width)
    rows = tile_starts(height, deep, deep // 4)
    lefts = np.array(tile_starts(width, wide, wide // 4, wrap))
    columns = (np.arange(wide) + lefts[:, None]) % width
    blend = _ramp(deep)[:, None] * _ramp(wide)
    band, weight = np.zeros(0, np.float32), np.zeros((deep, width), np.float32)
    for top, below in zip(rows, [*rows[1:], height], strict=True):
        for first in range(0, len(columns), batch_size):
            if _UNWANTED.get()():
                raise AbandonedError
            places = columns[first : first + batch_size]
            parts = predict(slice(top, top + deep), places)
            if not band.size:
                band = np.zeros((*parts.shape[1:-2], deep, width), np.float32)
            for place, part in zip(places, parts, strict=True):
                band[..., place] += blend * part
                weight[:, place] += blend
        done = below - top
        yield band[..., :done, :] / weight[:done]
        for left in (band, weight):
            left[..., : deep - done, :] = left[..., done:, :].copy()
            left[..., deep - done :, :] = 0


def _ramp(length: int) -> Floats:
    """Weights that rise linearly to 1 over a quarter of the tile from both ends."""
    inside = np.arange(length) + 0.5
    ramp: Floats = np.minimum(1, np.minimum(inside, length - inside) / (length / 4))
    return ramp.astype(np.float32)
