"""The outlines of a class as polygons."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def contours(mask: NDArray[np.bool_]) -> list[NDArray[np.int32]]:
    """The closed outlines of the pixels of a mask; they run along pixel edges.

    A pixel (x, y) covers the square from (x, y) to (x + 1, y + 1). The mask lies to the right of an
    outline. With y downwards, outlines of regions therefore run clockwise and those of holes
    counter-clockwise, and their signed areas add up to the number of pixels. Pixels that touch only
    at a corner have separate outlines.

    Args:
        mask: (H, W).

    Returns:
        Corners (n, 2) of each outline as x and y; the last corner joins the first.
    """
    padded = np.pad(mask, 1)
    steps: dict[tuple[int, int], list[tuple[int, int]]] = {}
    inner = padded[1:-1, 1:-1]
    for dx, dy, beyond in (
        (1, 0, padded[:-2, 1:-1]),  # the top edge, to the right
        (0, 1, padded[1:-1, 2:]),  # the right edge, down
        (-1, 0, padded[2:, 1:-1]),  # the bottom edge, to the left
        (0, -1, padded[1:-1, :-2]),  # the left edge, up
    ):
        rows, columns = np.nonzero(inner & ~beyond)
        starts = zip(columns + (dx < 0 or dy > 0), rows + (dy < 0 or dx < 0), strict=True)
        for x, y in starts:
            steps.setdefault((int(x), int(y)), []).append((dx, dy))
    lines = []
    while steps:
        lines.append(_follow(steps))
    return lines


def _follow(steps: dict[tuple[int, int], list[tuple[int, int]]]) -> NDArray[np.int32]:
    """Remove the steps of one closed outline from `steps`, and return its corners."""
    place = start = next(iter(steps))
    step, corners = (0, 0), []
    while True:
        ways = steps[place]
        right = (-step[1], step[0])
        way = ways.pop(ways.index(right) if right in ways else 0)  # stay at the same pixel
        if not ways:
            del steps[place]
        if way != step:
            corners.append(place)
        step, place = way, (place[0] + way[0], place[1] + way[1])
        if place == start and (start not in steps or (-step[1], step[0]) not in steps[start]):
            break
    if len(corners) > 1 and _straight(corners[-1], corners[0], corners[1]):
        corners = corners[1:]
    return np.array(corners, np.int32)


def _straight(a: tuple[int, int], b: tuple[int, int], c: tuple[int, int]) -> bool:
    """Whether three corners lie on one line along an axis."""
    return a[0] == b[0] == c[0] or a[1] == b[1] == c[1]
