"""Regions as tools store them, rasterised.

Coordinates are continuous: the pixel in column c spans c to c + 1. It belongs to a polygon if its
centre, c + 0.5, lies inside by the even-odd rule. A polygon along pixel edges therefore gives
exactly these pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Size = tuple[int, int]
"""Height and width in pixels."""

MOST_PIXELS = 178_956_970
"""Pixels of the largest picture that is drawn; Pillow opens no larger one."""

MOST_CROSSINGS = 50_000_000
"""Largest number of times that a polygon's outline may cross a row of pixels; more is an error."""


class Patch(NamedTuple):
    """An object, or all pixels of a class.

    Attributes:
        label: Its name, id or colour in the export.
        mask: (h, w) bool, its pixels.
        top: First row of the mask in the image; may lie outside the image.
        left: First column of the mask in the image; may lie outside the image.
    """

    label: str
    mask: Mask
    top: int = 0
    left: int = 0

    def paint(self, labels: NDArray[np.uint8], value: int) -> bool:
        """Set its pixels in (H, W) labels to a value; pixels outside the image are ignored.

        Returns:
            Whether it has any pixel in the image.
        """
        height, width = labels.shape
        rows = slice(max(self.top, 0), min(self.top + self.mask.shape[0], height))
        columns = slice(max(self.left, 0), min(self.left + self.mask.shape[1], width))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return False
        part = self.mask[
            rows.start - self.top : rows.stop - self.top,
            columns.start - self.left : columns.stop - self.left,
        ]
        labels[rows, columns][part] = value
        return bool(part.any())


def polygon(label: str, points: Any, size: Size, holes: Iterable[Any] = ()) -> Patch:
    """The pixels inside a ring of points, without those inside its holes.

    One or two points, a click too few, have no pixels inside.

    Args:
        label: Label of the object.
        points: (n, 2) x and y.
        size: Height and width of the image.
        holes: Rings of the holes.

    Raises:
        ValueError: There are no points, or they are no numbers.
    """
    ring = _ring(points)
    low = np.floor(ring.min(axis=0)).clip(0, None)
    high = np.ceil(ring.max(axis=0))
    left, top = (int(v) for v in np.minimum(low, (size[1], size[0])))
    right, bottom = (int(v) for v in np.clip(high, low, (size[1], size[0])))
    window = (max(bottom - top, 0), max(right - left, 0))
    mask = _inside(ring - (left, top), window)
    for hole in holes:
        mask &= ~_inside(_ring(hole) - (left, top), window)
    return Patch(label, mask, top, left)


def union(label: str, parts: Sequence[Patch]) -> Patch:
    """Join several parts into one object."""
    if len(parts) == 1:
        return parts[0]
    top, left = min(p.top for p in parts), min(p.left for p in parts)
    bottom = max(p.top + p.mask.shape[0] for p in parts)
    right = max(p.left + p.mask.shape[1] for p in parts)
    whole = np.zeros((bottom - top, right - left), np.uint8)
    for part in parts:
        part._replace(top=part.top - top, left=part.left - left).paint(whole, 1)
    return Patch(label, whole.astype(bool), top, left)


def two_points(points: Any) -> NDArray[np.float64]:
    """Two points as an array (2, 2) of x and y.

    Raises:
        ValueError: There are not two points, or they are no numbers.
    """
    found = _numbers(points)
    if len(found) != 2:
        raise ValueError(f"{len(found)} points in place of two")
    return found


def box(left: float, top: float, right: float, bottom: float, turn: float = 0.0) -> Any:
    """The corners of a box, rotated about its centre by degrees, clockwise in the image."""
    _check_numbers(left, top, right, bottom, turn)
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)
    return turned(corners, corners.mean(axis=0), turn)


def ellipse(x: float, y: float, radius_x: float, radius_y: float, turn: float = 0.0) -> Any:
    """256 points of an ellipse with centre (x, y), rotated about it by degrees."""
    _check_numbers(x, y, radius_x, radius_y, turn)
    angle = np.linspace(0, 2 * math.pi, 256, endpoint=False)
    ring = np.stack([x + radius_x * np.cos(angle), y + radius_y * np.sin(angle)], axis=1)
    return turned(ring, np.array((x, y), np.float64), turn)


def turned(points: NDArray[np.float64], centre: NDArray[np.float64], degrees: float) -> Any:
    """Points (n, 2), rotated about a centre; positive is clockwise where y points down."""
    angle = math.radians(degrees)
    cosine, sine = math.cos(angle), math.sin(angle)
    return (points - centre) @ np.array([[cosine, sine], [-sine, cosine]]) + centre


def runs(counts: Sequence[int], size: Size, *, columns_first: bool) -> Mask:
    """Decode run lengths into a mask (H, W); runs are outside and inside in turn, outside first.

    Args:
        counts: Run lengths.
        size: Height and width of the mask.
        columns_first: Whether pixels are counted down the columns, as in COCO.

    Raises:
        ValueError: The values are no run lengths of this size.
    """
    total = size[0] * size[1]
    if total > MOST_PIXELS:
        raise ValueError(f"a mask of {size[1]}x{size[0]} pixels, which are too many")
    lengths = np.array(counts, np.float64).ravel()
    if lengths.size and not (np.isfinite(lengths).all() and (lengths >= 0).all()):
        raise ValueError("a run length below zero")
    if lengths.sum() != total:
        raise ValueError(
            f"run lengths of {lengths.sum():g} pixels for a mask of {size[1]}x{size[0]}"
        )
    inside = np.arange(lengths.size) % 2 == 1
    flat = np.repeat(inside, lengths.astype(np.int64))
    return flat.reshape(size[::-1]).T if columns_first else flat.reshape(size)


def _check_numbers(*values: float) -> None:
    if not all(math.isfinite(value) for value in values):
        raise ValueError("a box or ellipse that is not finite")


def _ring(points: Any) -> NDArray[np.float64]:
    return _numbers(points).clip(-1e7, 1e7)  # far outside any image


def _numbers(points: Any) -> NDArray[np.float64]:
    """Points as finite x and y, (n, 2)."""
    try:
        ring = np.array(points, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("points that are no pairs of numbers") from None
    if ring.ndim != 2 or ring.shape[1] != 2 or not np.isfinite(ring).all():
        raise ValueError("points that are no pairs of numbers")
    return ring


def _inside(ring: NDArray[np.float64], window: Size) -> Mask:
    """Mask (H, W) of the pixels whose centre has an odd number of the ring's edges to its left."""
    height, width = window
    (x0, y0), (x1, y1) = ring.T, np.roll(ring, -1, axis=0).T
    first = np.ceil(np.minimum(y0, y1) - 0.5).clip(0, height).astype(np.int64)
    spans = np.ceil(np.maximum(y0, y1) - 0.5).clip(0, height).astype(np.int64) - first
    if spans.sum() > MOST_CROSSINGS:
        raise ValueError(f"a polygon whose outline crosses {spans.sum()} rows")
    edge = np.repeat(np.arange(len(ring)), spans)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(spans) - spans, spans) + first[edge]
    slope = (x1 - x0)[edge] / (y1 - y0)[edge]
    x = x0[edge] + (row + 0.5 - y0[edge]) * slope
    column = np.ceil(x - 0.5).clip(0, width).astype(np.int64)
    crossed = np.bincount(row * (width + 1) + column, minlength=height * (width + 1))
    parity = crossed.reshape(height, width + 1)[:, :width] % 2 == 1
    return np.logical_xor.accumulate(parity, axis=1)
