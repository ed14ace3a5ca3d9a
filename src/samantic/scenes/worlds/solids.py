"""Solids and their intersections with rays.

Every solid is a unit body (cube, cylinder or ball) that was scaled, rotated and moved. A ray is
transformed into the body's own frame, in which the intersection is simple. Distances along the ray
do not change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from samantic.scenes.things import Paint, Point
from samantic.scenes.worlds.patterns import Floats, Pattern


@dataclass(frozen=True, slots=True)
class Solid:
    """One convex body; x to the right, y up, z ahead, in metres.

    Attributes:
        shape: Box, cylinder (about its own y axis) or ellipsoid.
        centre: Its middle.
        half: Half its extent along its own x, y and z.
        paint: What it is made of.
        label: Class id.
        instance: Instance id; the pieces of one thing share it.
        yaw: Turn about the upright axis in radians, from z towards x.
        lying: Whether its own y axis lies along x before the turn, as a wheel's axle does.
        detail: What `pattern` shows in places.
        pattern: Where it does.
    """

    shape: Literal["box", "cylinder", "ellipsoid"]
    centre: Point
    half: Point
    paint: Paint
    label: int
    instance: int = 0
    yaw: float = 0.0
    lying: bool = False
    detail: Paint | None = None
    pattern: Pattern = "plain"

    def axes(self) -> Floats:
        """(3, 3), a row for each of its own axes in the world."""
        sin, cos = np.sin(self.yaw), np.cos(self.yaw)
        rows = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]], np.float32)
        return rows[[1, 0, 2]] if self.lying else rows

    def placed(self, x: float, z: float, yaw: float, instance: int) -> Solid:
        """The same as a piece of a thing that stands at (x, z) and is turned by `yaw`."""
        a, y, b = self.centre
        sin, cos = np.sin(yaw), np.cos(yaw)
        centre = (float(x + cos * a + sin * b), y, float(z - sin * a + cos * b))
        return replace(self, centre=centre, yaw=self.yaw + yaw, instance=instance)

    def lifted(self, height: float) -> Solid:
        """The same higher up."""
        x, y, z = self.centre
        return replace(self, centre=(x, y + height, z))

    def showing(self, detail: Paint, pattern: Pattern) -> Solid:
        """The same with a second paint in places."""
        return replace(self, detail=detail, pattern=pattern)

    def radius(self) -> float:
        """Radius of a ball about the centre that holds it."""
        x, y, z = self.half
        match self.shape:
            case "box":
                return float(np.sqrt(x * x + y * y + z * z))
            case "cylinder":
                return float(np.hypot(max(x, z), y))
            case "ellipsoid":
                return max(self.half)


class Hits(NamedTuple):
    """Where n rays end.

    Attributes:
        distance: (n,) metres, inf where a ray meets nothing.
        solid: (n,) int32 number of the solid met, -1 for none.
    """

    distance: Floats
    solid: NDArray[np.int32]


def cast(solids: Sequence[Solid], origin: Point, rays: Floats) -> Hits:
    """Follow rays from one point to the first solid that each meets.

    Args:
        solids: The solids; a ray that starts inside one does not meet it.
        origin: Start of the rays.
        rays: (n, 3) unit vectors; neighbouring rays should be similar, for speed.
    """
    distance = np.full(len(rays), np.inf, np.float32)
    number = np.full(len(rays), -1, np.int32)
    runs = _Runs(rays)
    for index, solid in enumerate(solids):
        offset = np.subtract(solid.centre, origin).astype(np.float32)
        away, reach = float(np.linalg.norm(offset)), solid.radius()
        chord = 2.0  # only rays with a direction close to that of its centre can meet it
        if reach < away:
            chord = float(np.sqrt(2 - 2 * np.sqrt(1 - (reach / away) ** 2)))
        apart = runs.middle - (offset / away)[:, None]
        chosen = runs.members((apart * apart).sum(0) <= (chord + runs.reach) ** 2)
        near = entry(solid, -offset[None], rays[chosen])
        closer = near < distance[chosen]
        distance[chosen[closer]] = near[closer]
        number[chosen[closer]] = index
    return Hits(distance, number)


def shaded(solids: Sequence[Solid], points: Floats, towards: Point) -> NDArray[np.bool_]:
    """Which of (n, 3) points see a solid in the direction of a unit vector, (n,) bool."""
    direction = np.array(towards, np.float32)
    dark = np.zeros(len(points), bool)
    runs = _Runs(points)
    for solid in solids:
        centre = np.array(solid.centre, np.float32)
        offset, reach = runs.middle - centre[:, None], solid.radius() + runs.reach
        past = direction @ offset
        aside = (offset * offset).sum(0) - past * past
        chosen = runs.members((aside <= reach * reach) & (past <= reach))
        chosen = chosen[~dark[chosen]]
        start = points[chosen] - centre
        dark[chosen] = np.isfinite(entry(solid, start, np.broadcast_to(direction, start.shape)))
    return dark


class _Runs:
    """Balls about runs of neighbouring vectors, by which most are ruled out at once.

    Attributes:
        middle: (3, m) centres.
        reach: (m,) radii.
    """

    length = 32

    def __init__(self, vectors: Floats) -> None:
        self.count = len(vectors)
        runs = -(-self.count // self.length)
        filled = np.minimum(np.arange(runs * self.length), self.count - 1)
        members = vectors[filled].reshape(runs, self.length, 3)
        middle = members.mean(axis=1)
        away = np.linalg.norm(members - middle[:, None], axis=2)
        self.middle = np.ascontiguousarray(middle.T)
        self.reach = 1.001 * away.max(axis=1, initial=0) + 1e-5

    def members(self, chosen: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Numbers of the vectors of the chosen of m runs."""
        starts = self.length * np.flatnonzero(chosen)
        members = (starts[:, None] + np.arange(self.length)).ravel()
        return members[members < self.count]


def entry(solid: Solid, offset: Floats, rays: Floats) -> Floats:
    """Distance at which rays enter a solid, (n,); inf where they do not, or start within.

    Args:
        solid: The solid.
        offset: (1 or n, 3) where the rays start, from the solid's centre.
        rays: (n, 3) unit vectors.
    """
    frame: Floats = np.divide(solid.axes(), np.array(solid.half)[:, None], dtype=np.float32)
    start: Floats = frame @ offset.T
    step: Floats = frame @ rays.T
    with np.errstate(divide="ignore", invalid="ignore"):
        match solid.shape:
            case "box":
                near, far = _slabs(start, step)
            case "cylinder":
                sides = _round(start[::2], step[::2])
                ends = _slabs(start[1:2], step[1:2])
                near, far = np.maximum(sides[0], ends[0]), np.minimum(sides[1], ends[1])
            case "ellipsoid":
                near, far = _round(start, step)
    met: Floats = np.where((near <= far) & (near > 0), near, np.float32(np.inf))
    return met


def _slabs(start: Floats, step: Floats) -> tuple[Floats, Floats]:
    """Between which distances rays, (k, n), lie within -1..1 along each of k axes."""
    a, b = (-1 - start) / step, (1 - start) / step
    return np.minimum(a, b).max(axis=0), np.maximum(a, b).min(axis=0)


def _round(start: Floats, step: Floats) -> tuple[Floats, Floats]:
    """Between which distances rays, (k, n), lie within the unit ball; NaN if nowhere."""
    square, half = (step * step).sum(0), (start * step).sum(0)
    root = np.sqrt(half * half - square * ((start * start).sum(0) - 1))
    return (-half - root) / square, (-half + root) / square
