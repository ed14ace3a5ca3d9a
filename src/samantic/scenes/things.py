"""The parts of a scene: paints, faces and things, and small shapes to build them from."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

Rng = np.random.Generator

Point = tuple[float, float, float]
"""Metres: x to the right, y up from the ground, z away from the camera."""

Color = tuple[float, float, float]
"""Albedo of red, green and blue, 0..1."""


class Paint(NamedTuple):
    """The material of a face.

    Attributes:
        color: Albedo.
        heat: Apparent temperature in grey levels of the thermal camera.
        grain: Relative amplitude of the visible texture.
        solar: Additional grey levels of heat where the sun shines on the face at a right angle.
        retro: Share of headlight that is reflected straight back, 0..1.
        glow: Light emitted in the face's own colour, 0..1.
        ground: True for surfaces flat on the ground, whose texture is drawn in perspective.
    """

    color: Color
    heat: float
    grain: float = 0.06
    solar: float = 0.0
    retro: float = 0.0
    glow: float = 0.0
    ground: bool = False


Face = tuple[Sequence[Point], Paint]
"""A flat polygon and its paint."""

Group = list[Face]
"""A face and the details painted on it, in drawing order."""


@dataclass(frozen=True, slots=True)
class Thing:
    """One object, or one piece of it, and where it stands.

    Attributes:
        label: Class id.
        instance: Instance id, above 0; pieces of one object share it.
        groups: Faces in the object's own coordinates.
        x: Metres to the right of the camera.
        z: Metres in front of the camera.
        yaw: Turn about the upright axis in radians.
        solid: True for closed convex bodies, whose hidden faces are dropped and whose groups are
            sorted by distance; False draws all groups in the order given.
        far: Distance by which things are drawn far to near; ``z`` when None.
    """

    label: int
    instance: int
    groups: list[Group]
    x: float = 0.0
    z: float = 0.0
    yaw: float = 0.0
    solid: bool = False
    far: float | None = None


def any_color(rng: Rng, strength: float = 0.9) -> Color:
    """Draw a colour; about half are greys, from black to white."""
    if rng.random() < 0.45:
        grey = rng.uniform(0.05, 0.85)
        return (grey, grey, grey * rng.uniform(0.9, 1.1))
    return colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.3, strength), rng.uniform(0.15, 0.85))


def quad(x0: float, x1: float, y0: float, y1: float, z: float = 0.0) -> list[Point]:
    """Return an upright rectangle facing along z."""
    return [(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)]


def disc(x: float, y: float, z: float, radius: float, corners: int = 12) -> list[Point]:
    """Return an upright disc in the plane of y and z."""
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    spots = zip(np.cos(angles).tolist(), np.sin(angles).tolist(), strict=True)
    return [(x, y + radius * sin, z + radius * cos) for cos, sin in spots]


def inset(corners: Sequence[Point], share: float) -> list[Point]:
    """Return a polygon shrunk to a share of its size about its middle."""
    middle = [sum(axis) / len(corners) for axis in zip(*corners, strict=True)]
    mx, my, mz = middle
    return [
        (mx + share * (x - mx), my + share * (y - my), mz + share * (z - mz)) for x, y, z in corners
    ]


def box(width: float, height: float, depth: float, paint: Paint) -> list[Group]:
    """Return front, back, left, right and top of a box that stands on the ground."""
    w, d = width / 2, depth / 2
    left = [(-w, 0.0, -d), (-w, 0.0, d), (-w, height, d), (-w, height, -d)]
    top = [(-w, height, -d), (w, height, -d), (w, height, d), (-w, height, d)]
    right = [(-x, y, z) for x, y, z in left]
    sides = (quad(-w, w, 0, height, -d), quad(-w, w, 0, height, d), left, right, top)
    return [[(side, paint)] for side in sides]
