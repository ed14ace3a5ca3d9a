"""Label images in colours, whose edges may be anti-aliased."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from samantic.convert.regions import Mask

NEAR = 7
"""Side in pixels of the window in which the classes of a mixed pixel must stand."""

UNKNOWN = -1


class Colours(NamedTuple):
    """What the colours of a label image stand for.

    Attributes:
        places: (H, W) int16, the place of each pixel's colour in a list; `UNKNOWN` for none.
        mixed: Pixels whose colour is a mixture, which took the nearer of two classes.
        unknown: Pixels whose colour is no class's.
        example: The most frequent colour among these, #rrggbb; "" for none.
    """

    places: NDArray[np.int16]
    mixed: int
    unknown: int
    example: str


def read_colours(
    pixels: NDArray[np.uint8], colours: Sequence[tuple[int, int, int]], distance: float
) -> Colours:
    """Find the class of every colour.

    A colour that is not in the list is taken for a mixture of two that are, c = a + t (b - a), if
    it is at most `distance` off that line (Euclidean, 0..255 each channel) and both a and b stand
    within three pixels; it becomes the nearer one, a for t <= 1/2. So the edge between black and
    white does not become gray, though there is a class that is gray. Without such a pair it becomes
    the nearest colour, if that is within `distance`.

    Args:
        pixels: (H, W, 3).
        colours: The list, at least one.
        distance: See above.
    """
    table = np.array(colours, np.int64).reshape(-1, 3)
    packed = pixels.astype(np.int64) @ (1 << 16, 1 << 8, 1)
    codes = table @ (1 << 16, 1 << 8, 1)
    order = np.argsort(codes)
    found = np.searchsorted(codes[order], packed).clip(0, len(codes) - 1)
    places = np.where(codes[order][found] == packed, order[found], UNKNOWN).astype(np.int16)
    open_pixels = places == UNKNOWN
    if not open_pixels.any():
        return Colours(places, 0, 0, "")
    rows, columns = np.nonzero(open_pixels)
    values = pixels[rows, columns].astype(np.float64)
    found = _between(values, _near(places, rows, columns), table, distance)
    places[rows, columns] = found
    left = values[found == UNKNOWN].astype(np.int64) @ (1 << 16, 1 << 8, 1)
    example = f"#{np.bincount(left).argmax():06x}" if len(left) else ""
    return Colours(places, len(found) - len(left), len(left), example)


def _near(
    places: NDArray[np.int16], rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> dict[int, Mask]:
    """(n,) by class: whether it stands in the window around each of n pixels."""
    present = np.unique(places[places != UNKNOWN]).tolist()
    return {
        place: ndimage.maximum_filter((places == place).view(np.uint8), NEAR)[rows, columns] > 0
        for place in present
    }


def _between(
    values: NDArray[np.float64],
    near: dict[int, Mask],
    table: NDArray[np.int64],
    distance: float,
) -> NDArray[np.int16]:
    """(n,) place of the class of n mixed colours (n, 3)."""
    found = np.full(len(values), UNKNOWN, np.int16)
    best = np.full(len(values), distance)
    for a, b in combinations(near, 2):
        own = np.flatnonzero(near[a] & near[b])
        line = (table[b] - table[a]).astype(np.float64)
        from_a = values[own] - table[a]
        t = (from_a @ line / (line @ line)).clip(0, 1)
        off = np.linalg.norm(from_a - t[:, None] * line, axis=1)
        better = off <= best[own]
        best[own[better]] = off[better]
        found[own[better]] = np.where(t <= 0.5, a, b)[better]
    rest = np.flatnonzero(found == UNKNOWN)
    off = np.linalg.norm(values[rest, None] - table, axis=2)
    nearest = off.argmin(axis=1)
    within = off[np.arange(len(rest)), nearest] <= distance
    found[rest[within]] = nearest[within]
    return found
