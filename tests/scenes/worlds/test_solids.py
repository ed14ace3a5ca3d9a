"""Rays against solids: each is compared with a walk along the ray, or with a formula of its own."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from samantic.scenes.things import Paint
from samantic.scenes.worlds.cameras import Equirectangular, Pinhole
from samantic.scenes.worlds.solids import Solid, cast, shaded

GREY = Paint((0.5, 0.5, 0.5), 100)
SOLIDS = [
    Solid("box", (1.0, 0.5, 5.0), (0.6, 0.5, 1.5), GREY, 0, yaw=0.7),
    Solid("cylinder", (-2.0, 1.0, 4.0), (0.5, 1.0, 0.5), GREY, 0),
    Solid("cylinder", (0.5, 0.8, -3.0), (0.8, 0.3, 0.8), GREY, 0, yaw=0.4, lying=True),
    Solid("ellipsoid", (3.0, 2.0, -1.0), (0.5, 1.2, 0.9), GREY, 0, yaw=1.1),
]
EYE = (0.2, 1.1, 0.3)


def holds(solid: Solid, points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether (n, 3) points lie within a solid, by its definition."""
    sin, cos = np.sin(solid.yaw), np.cos(solid.yaw)
    x, y, z = (points - solid.centre).T
    right, ahead = cos * x - sin * z, sin * x + cos * z
    a, b, c = (y, right, ahead) if solid.lying else (right, y, ahead)
    a, b, c = a / solid.half[0], b / solid.half[1], c / solid.half[2]
    if solid.shape == "box":
        return (abs(a) <= 1) & (abs(b) <= 1) & (abs(c) <= 1)
    if solid.shape == "cylinder":
        return (abs(b) <= 1) & (a * a + c * c <= 1)
    return a * a + b * b + c * c <= 1


def directions(count: int) -> NDArray[np.float32]:
    rays = np.random.default_rng(0).normal(size=(count, 3))
    return (rays / np.linalg.norm(rays, axis=1, keepdims=True)).astype(np.float32)


def walk(solids: list[Solid], ray: NDArray[np.float32]) -> tuple[int, float]:
    """First solid on a ray and its distance, in steps of 2 mm."""
    steps = np.arange(0, 8, 0.002)
    points = np.array(EYE) + steps[:, None] * ray.astype(np.float64)
    first = [
        (steps[inside.argmax()], i)
        for i, s in enumerate(solids)
        if (inside := holds(s, points)).any()
    ]
    distance, number = min(first, default=(np.inf, -1))
    return number, float(distance)


def test_first_meeting_is_that_of_a_walk_along_the_ray() -> None:
    rays = directions(1500)
    hits = cast(SOLIDS, EYE, rays)
    walks = [walk(SOLIDS, ray) for ray in rays]
    met = {number for number, _ in walks}
    assert met == {-1, 0, 1, 2, 3}
    numbers, steps = (np.array(part) for part in zip(*walks, strict=True))
    alike = hits.solid == numbers
    assert alike.mean() > 0.995
    assert (numbers[~alike] == -1).all()  # grazes shorter than a step
    assert np.allclose(hits.distance[alike], steps[alike], atol=0.003)


def test_box_ahead_by_arithmetic() -> None:
    """A wall 4 m ahead is met at 4 / cos of the angle to it."""
    wall = Solid("box", (0, 0, 5), (100, 100, 1), GREY, 0)
    rays = np.array([[0, 0, 1], [0.6, 0, 0.8], [0, -0.6, 0.8], [0, 0, -1]], np.float32)
    assert cast([wall], (0, 0, 0), rays).distance.tolist() == pytest.approx([4, 5, 5, np.inf])


def test_shadows_are_rays_that_meet_a_solid() -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform((-4, -2, -6), (4, 2, 5), (1500, 3)).astype(np.float32)
    outside = points[~np.any([holds(s, points.astype(float)) for s in SOLIDS], axis=0)]
    sun = np.array([0.48, 0.6, 0.64])
    steps = np.arange(0, 12, 0.004)
    met = [any(holds(s, p + steps[:, None] * sun).any() for s in SOLIDS) for p in outside]
    dark = shaded(SOLIDS, outside, (0.48, 0.6, 0.64))
    assert dark.sum() > 30
    assert np.mean(dark == met) > 0.995


def test_equirectangular_pixels_are_equal_angles() -> None:
    rays = Equirectangular().rays((25, 128))
    assert np.allclose(np.linalg.norm(rays, axis=-1), 1, atol=1e-6)
    azimuth = np.degrees(np.arctan2(rays[..., 0], rays[..., 2]))
    elevation = np.degrees(np.arcsin(rays[..., 1]))
    assert np.allclose(np.diff(azimuth, axis=1), 360 / 128, atol=1e-3)
    assert np.allclose(np.diff(elevation, axis=0), -360 / 128, atol=1e-3)
    assert np.allclose(elevation[12], 0, atol=1e-4)
    high = Equirectangular().rays((400, 2048))[0, 0, 1]
    assert 2 * np.degrees(np.arcsin(high)) == pytest.approx(70.3, abs=0.2)
    assert np.array_equal(Equirectangular(3 / 128).rays((25, 128)), np.roll(rays, -3, axis=1))


def test_pinhole_pixels_lie_on_a_plane() -> None:
    """Seen along the axis, a pinhole's rays end on a plane in equal steps."""
    rays = Pinhole(90).rays((40, 80)).astype(float)
    plane = rays / rays[..., 2:]
    assert np.allclose(np.diff(plane[..., 0], axis=1), 2 / 80)
    assert np.allclose(np.diff(plane[..., 1], axis=0), -2 / 80)
    edge = np.arctan2(plane[0, -1, 0] + 1 / 80, 1)
    assert np.degrees(edge) == pytest.approx(45)
    turned = Pinhole(90, 0.25, 30).rays((41, 81))
    assert turned[20, 40] == pytest.approx([np.cos(np.pi / 6), 0.5, 0], abs=1e-6)
