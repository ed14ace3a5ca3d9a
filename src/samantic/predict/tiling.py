"""When an image is predicted in tiles, and at which size the network sees it."""

from __future__ import annotations

import math
from typing import NamedTuple

from samantic.config.data import MOST_TILE, TILE
from samantic.config.options import RANGES, Range, fits, quoted
from samantic.data.resize import network_scale
from samantic.errors import InputError

TILES = Range(32, MOST_TILE)
"""Allowed sides of tiles in pixels."""

SIZES = RANGES["data.eval_size"]
"""Allowed short sides in pixels of resized images."""


class Tiling(NamedTuple):
    """When an image is predicted in tiles, and their size.

    Attributes:
        tile: Height and width of tiles in pixels of the network's input.
        size: Short side in pixels to which images are resized for the network, or None.
        panorama: Whether images cover 360 degrees; tiles then lie across the left and right edges.
    """

    tile: tuple[int, int]
    size: int | None
    panorama: bool

    def of(self, height: int, width: int) -> tuple[int, int] | None:
        """Height and width of tiles in the image's own pixels; None if the image is not cut."""
        scale = network_scale((height, width), self.size)
        deep, wide = (math.ceil(side / scale) for side in self.tile)
        whole = not self.panorama and height <= deep and width <= wide
        return None if whole else (deep, wide)


def tile_of(tile: int | None, view: tuple[int, int] | None) -> tuple[int, int]:
    """Height and width of tiles: the given side, or by default at least the view in training.

    Raises:
        InputError: The given side is no whole number of pixels, or out of range.
    """
    if tile is None:
        height, width = view or (TILE, TILE)
        return max(TILE, height), max(TILE, width)
    if not fits(tile, int) or not TILES.holds(tile):
        raise InputError(f"tile is {quoted(tile)}; it must be a whole number of pixels in {TILES}")
    return tile, tile


def size_of(size: int | None, like: int | None) -> int | None:
    """Short side of resized images: the given one (0 does not resize), or the model's.

    Raises:
        InputError: The given side is no whole number of pixels, or out of range.
    """
    if size is None:
        return like
    if not fits(size, int) or not (size == 0 or SIZES.holds(size)):
        raise InputError(
            f"size is {quoted(size)}; it must be a whole number of pixels in {SIZES}, or 0 for the "
            "images' own"
        )
    return size or None
