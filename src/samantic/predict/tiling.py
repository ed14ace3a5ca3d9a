"""When an image is predicted in tiles, in which size the network sees it, and who may say so."""

from __future__ import annotations

import math
from typing import NamedTuple

from samantic.config.data import MOST_TILE, TILE
from samantic.config.options import RANGES, Range, fits, quoted
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
