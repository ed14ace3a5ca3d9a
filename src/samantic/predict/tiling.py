"""Large images in overlapping tiles, blended, in memory that does not grow with their height."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from samantic.config.options import RANGES, Range, fits, quoted
from samantic.config.train import MOST_TILE, TILE
from samantic.data.resize import network_scale
from samantic.errors import InputError

TILES = Range(32, MOST_TILE)
"""Sides of tiles in pixels that a network can read."""

SIZES = RANGES["data.eval_size"]
"""Short sides in pixels that images may be brought to."""


class Tiling(NamedTuple):
    """When an image is predicted in tiles, and in which.

    Attributes:
        tile: Height and width of tiles in pixels of what the network sees.
        size: Short side in pixels that images are brought to for the network, or None.
        panorama: Images go all around: tiles lie across their left and right edge too.
    """

    tile: tuple[int, int]
    size: int | None
    panorama: bool

    def of(self, height: int, width: int) -> tuple[int, int] | None:
        """Height and width of tiles in an image's own pixels; None if it is seen as a whole."""
        scale = network_scale((height, width), self.size)
        deep, wide = (math.ceil(side / scale) for side in self.tile)
        whole = not self.panorama and height <= deep and width <= wide
        return None if whole else (deep, wide)


def tile_of(tile: int | None, view: tuple[int, int] | None) -> tuple[int, int]:
    """Height and width of tiles: as asked, or no less than a model saw of an image in training.

    Raises:
        InputError: What was asked for is no whole number of pixels, or too small or too large.
    """
    if tile is None:
        height, width = view or (TILE, TILE)
        return max(TILE, height), max(TILE, width)
    if not fits(tile, int) or not TILES.holds(tile):
        raise InputError(f"tile is {quoted(tile)}; it must be a whole number of pixels in {TILES}")
    return tile, tile


def size_of(size: int | None, like: int | None) -> int | None:
    """Short side that images are brought to: as asked (0 leaves them), or as a model's.

    Raises:
        InputError: It is no whole number of pixels, or too small or too large.
    """
    if size is None:
        return like
    if not fits(size, int) or not (size == 0 or SIZES.holds(size)):
        raise InputError(
            f"size is {quoted(size)}; it must be a whole number of pixels in {SIZES}, or 0 for the "
            "images' own"
        )
    return size or None


class Blend(NamedTuple):
    """What tiles say of an image, of each of h heads.

    Attributes:
        confidence: (h, H, W), the largest probability.
        labels: (h, H, W) int64, its class.
        probabilities: (h, K, H, W); None where they were not asked for.
    """

    confidence: Tensor
    labels: Tensor
    probabilities: Tensor | None


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


def tiles(image: Tensor | None, rows: slice, columns: Tensor) -> Tensor | None:
    """The tiles (n, C, y, x) of an image (C, H, W) in some rows, one for each of (n, x) columns."""
    return None if image is None else image[:, rows][..., columns].movedim(2, 0).contiguous()


def blend_tiles(
    predict: Callable[[slice, Tensor], Tensor],
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
    """
    deep, wide = min(tile[0], height), min(tile[1], width)
    rows = tile_starts(height, deep, deep // 4)
    lefts = torch.tensor(tile_starts(width, wide, wide // 4, wrap))
    columns = (torch.arange(wide) + lefts[:, None]) % width
    blend = _ramp(deep)[:, None] * _ramp(wide)
    band, weight = torch.zeros(0), torch.zeros(deep, width)
    best: list[tuple[Tensor, Tensor]] = []
    kept: list[Tensor] = []
    for top, below in zip(rows, [*rows[1:], height], strict=True):
        for places in torch.split(columns, batch_size):
            parts = predict(slice(top, top + deep), places).cpu()
            if not band.numel():
                band = torch.zeros(*parts.shape[1:-2], deep, width)
            for place, part in zip(places, parts, strict=True):
                band[..., place] += blend * part
                weight[:, place] += blend
        done = below - top
        mean = band[..., :done, :] / weight[:done]
        largest, classes = mean.max(-3)
        best.append((largest, classes))
        if probabilities:
            kept.append(mean)
        band = torch.cat([band[..., done:, :], torch.zeros_like(band[..., :done, :])], dim=-2)
        weight = torch.cat([weight[done:], torch.zeros_like(weight[:done])])
    confidence, labels = (torch.cat(parts, dim=-2) for parts in zip(*best, strict=True))
    return Blend(confidence, labels, torch.cat(kept, dim=-2) if kept else None)


def _ramp(length: int) -> Tensor:
    """Weights that rise to one over a quarter of a tile from either end."""
    inside = torch.arange(length) + 0.5
    return (torch.minimum(inside, length - inside) / (length / 4)).clamp(max=1)
