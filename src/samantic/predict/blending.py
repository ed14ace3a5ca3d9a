"""Large images in overlapping tiles, blended, in memory that does not grow with their height."""

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
    """What tiles say of an image, of each of h heads.

    Attributes:
        confidence: (h, H, W), the largest probability.
        labels: (h, H, W) int64, its class.
        probabilities: (h, K, H, W); None where they were not asked for.
    """

    confidence: Floats
    labels: Places
    probabilities: Floats | None


def tile_starts(length: int, tile: int, overlap: int, wrap: bool = False) -> list[int]:
    """Where tiles begin along a side: evenly spaced, with at least `overlap` in common.

    Args:
        length: Of the side.
        tile: Length of a tile.
        overlap: What neighbours have in common at least.
        wrap: The side closes in itself: tiles may go on at its beginning, and the last overlaps
            the first. Their number is even, so that half a turn takes each to another.

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
    """Nobody waits for an answer any more."""


_UNWANTED: ContextVar[Callable[[], bool]] = ContextVar("unwanted", default=lambda: False)


@contextmanager
def given_up(unwanted: Callable[[], bool]) -> Iterator[None]:
    """Let `blend_tiles` end between two tiles, by `AbandonedError`, once its answer is unwanted.

    Args:
        unwanted: Whether nobody waits for the answer; asked before each tile.
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

    Tiles have a quarter of their side in common. Where they overlap, their probabilities are
    averaged with weights that fall linearly towards a tile's edge. Only one row of tiles is held.

    Args:
        predict: The probabilities of n tiles that lie side by side, (n, h, K, y, x) of h heads; it
            gets their rows, and their columns (n, x).
        height: Of the image in pixels.
        width: Of the image in pixels.
        tile: Height and width of a tile in pixels.
        wrap: The image is a panorama, whose left and right edge meet: tiles lie across them too.
        batch_size: Tiles that are predicted together at most.
        probabilities: Whether to keep those of all classes, which takes K times the memory.

    Raises:
        AbandonedError: The answer has become unwanted, see `given_up`.
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
    """The mean probabilities (h, K, y, W) of the image, from its top down."""
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
    """Weights that rise to one over a quarter of a tile from either end."""
    inside = np.arange(length) + 0.5
    ramp: Floats = np.minimum(1, np.minimum(inside, length - inside) / (length / 4))
    return ramp.astype(np.float32)
