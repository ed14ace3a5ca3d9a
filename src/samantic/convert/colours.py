"""Label images in colours, also with anti-aliased edges."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from samantic.convert.regions import Mask

NEAR = 7
"""Side in pixels of the window that must contain the classes of a mixed pixel."""

UNKNOWN = -1


class Colours(NamedTuple):
    """The classes of a coloured label image.

    Attributes:
        places: (H, W) int16, index of each pixel's colour in a list; `UNKNOWN` for none.
        mixed: Number of pixels with a mixed colour; they took the nearer of two classes.
        unknown: Number of pixels whose colour belongs to no class.
        example: The most frequent unknown colour, #rrggbb; "" for none.
    """

    places: NDArray[np.int16]
    mixed: int
    unknown: int
    example: str


def read_colours(
    pixels: NDArray[np.uint8], colours: Sequence[tuple[int, int, int]], distance: float
) -> Colours:
    """Find the class of every colour.

    A colour that is not in the list may be a mixture of two that are, c = a + t (b - a). It counts
    as one if it lies at most `distance` from that line (Euclidean, 0..255 for each channel) and
    both a and b occur within three pixels. It becomes the nearer one, a for t <= 1/2. An edge
    between black and white therefore does not become gray, even if gray is a class. Without such a
    pair, the colour becomes the nearest colour within `distance`.

    Args:
        pixels: (H, W, 3).
        colours: The list, with at least one colour.
        distance: Largest distance, see above.
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
    """For each class, (n,) whether it occurs in the window around each of n pixels."""
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
    """(n,) index of the class of each of n mixed colours (n, 3)."""
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
