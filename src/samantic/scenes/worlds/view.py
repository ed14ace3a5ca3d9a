"""The view of a camera: light, temperature, class and instance of every pixel of a world."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from samantic.scenes.light import Climate, noise_tile
from samantic.scenes.things import Color, Paint, Point
from samantic.scenes.worlds.cameras import Lens
from samantic.scenes.worlds.patterns import Floats, Pattern, shares
from samantic.scenes.worlds.solids import Solid, cast, shaded

SHAPES = ("box", "cylinder", "ellipsoid")
PATTERNS = get_args(Pattern)


class Ground(NamedTuple):
    """How the first solid of a world, the ground, is divided.

    Attributes:
        region: The number of the region at (n,) x and z.
        paints: What each region is made of.
        labels: Class id of each.
        instances: Instance id of each.
    """

    region: Callable[[Floats, Floats], NDArray[np.intp]]
    paints: Sequence[Paint]
    labels: Sequence[int]
    instances: Sequence[int]


@dataclass(frozen=True)
class World:
    """What stands where, and in which light.

    Attributes:
        solids: The solids; the first is the ground, or the floor.
        ground: How the ground is divided; None for a floor of one piece.
        climate: Light and temperatures.
        sky: Colour of the sky.
        label: Class id of the sky, whose instance is 1.
        seed: Seed of the textures, which are the same from everywhere.
    """

    solids: Sequence[Solid]
    ground: Ground | None
    climate: Climate
    sky: Color
    label: int
    seed: Sequence[int]


class View(NamedTuple):
    """A world seen by ideal cameras.

    Attributes:
        rgb: (H, W, 3) float32, 1 is white.
        heat: (H, W) float32 in grey levels.
        labels: (H, W) uint8 class ids.
        instances: (H, W) uint16.
    """

    rgb: Floats
    heat: Floats
    labels: NDArray[np.uint8]
    instances: NDArray[np.uint16]


class _Surface(NamedTuple):
    """The n points at which rays end: their solid, distance, position, and position on the solid.

    `local` is in metres along the solid's own axes, `face` the axis that is normal to the face.
    """

    solid: NDArray[np.int32]
    distance: Floats
    point: Floats
    normal: Floats
    local: Floats
    half: Floats
    face: NDArray[np.intp]


def look(world: World, camera: Lens, eye: Point, size: tuple[int, int]) -> View:
    """Look at a world from a point.

    Args:
        world: The world.
        camera: Which way each pixel looks.
        eye: Where the camera stands.
        size: Height and width in pixels.
    """
    rays = camera.rays(size).reshape(-1, 3)
    hits = cast(world.solids, eye, rays)
    seen = np.flatnonzero(hits.solid >= 0)
    surface = _surface(world.solids, eye, rays[seen], hits.solid[seen], hits.distance[seen])
    paints = [solid.paint for solid in world.solids]
    labels = [solid.label for solid in world.solids]
    instances = [solid.instance for solid in world.solids]
    kind = surface.solid.copy()
    if world.ground is not None:
        flat = np.flatnonzero(surface.solid == 0)
        x, _, z = surface.point[flat].T
        kind[flat] = len(paints) + world.ground.region(x, z)
        paints += world.ground.paints
        labels += world.ground.labels
        instances += world.ground.instances
    tile = noise_tile(np.random.default_rng(world.seed))
    rgb, heat = _sky(world, rays, tile)
    rgb[seen], heat[seen] = _light(world, surface, _mixed(world, paints, kind, surface), tile)
    place = np.full(len(rays), -1)
    place[seen] = kind
    return View(
        rgb.reshape(*size, 3),
        heat.reshape(size),
        np.array([*labels, world.label], np.uint8)[place].reshape(size),
        np.array([*instances, 1], np.uint16)[place].reshape(size),
    )


def _surface(
    solids: Sequence[Solid],
    eye: Point,
    rays: Floats,
    number: NDArray[np.int32],
    distance: Floats,
) -> _Surface:
    axes = np.stack([solid.axes() for solid in solids])[number]
    half = np.array([solid.half for solid in solids], np.float32)[number]
    centre = np.array([solid.centre for solid in solids], np.float32)[number]
    shape = np.array([SHAPES.index(solid.shape) for solid in solids])[number]
    point = np.array(eye, np.float32) + distance[:, None] * rays
    local = np.einsum("nij,nj->ni", axes, point - centre)
    unit = local / half
    outward = unit.copy()  # of a ball; that of a cube is its largest part alone
    tube = shape == 1
    flank = np.abs(unit[:, 1]) < np.hypot(unit[:, 0], unit[:, 2])
    outward[tube & flank, 1] = 0
    face = np.abs(outward).argmax(axis=1)
    alone = (shape == 0) | (tube & ~flank)
    outward[alone] *= np.eye(3, dtype=np.float32)[face[alone]]
    normal = np.einsum("nij,ni->nj", axes, outward / half)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    return _Surface(number, distance, point, normal, local, half, face)


class _Stuff(NamedTuple):
    """The material of n points: colour (n, 3); heat, grain and gain in the sun (n,)."""

    color: Floats
    heat: Floats
    grain: Floats
    solar: Floats


def _mixed(
    world: World, paints: Sequence[Paint], kind: NDArray[np.int32], surface: _Surface
) -> _Stuff:
    """Paints by number, with the details that the solids' patterns show."""
    stuff = _table(paints)[kind]
    details = _table([solid.detail or solid.paint for solid in world.solids])[surface.solid]
    codes = np.array([PATTERNS.index(solid.pattern) for solid in world.solids])[surface.solid]
    for code in np.unique(codes):
        chosen = np.flatnonzero(codes == code)
        place = surface.local[chosen], surface.half[chosen], surface.face[chosen]
        share = shares(PATTERNS[code], *place)[:, None]
        stuff[chosen] += share * (details[chosen] - stuff[chosen])
    return _Stuff(stuff[:, :3], stuff[:, 3], stuff[:, 4], stuff[:, 5])


def _table(paints: Sequence[Paint]) -> Floats:
    return np.array([(*p.color, p.heat, p.grain, p.solar) for p in paints], np.float32)


def _light(world: World, surface: _Surface, stuff: _Stuff, tile: Floats) -> tuple[Floats, Floats]:
    """Colour (n, 3) and heat (n,) of the visible points: sun, sky, shadows, texture and haze."""
    climate = world.climate
    sun = np.clip(surface.normal @ np.array(climate.sun, np.float32), 0, 1)
    bright = np.flatnonzero(sun > 0)
    start = surface.point[bright] + 0.01 * surface.normal[bright]
    sun[bright] *= ~shaded(world.solids[1:], start, climate.sun)
    texture = _texture(surface, tile) * stuff.grain
    open_sky = 0.95 + 0.25 * surface.normal[:, 1]
    corner = 1 - 0.35 * np.exp(-np.maximum(surface.point[:, 1], 0) / 0.3) * (surface.face != 1)
    light = (1 + texture) * (climate.ambient * open_sky * corner + climate.sunlight * sun)
    haze = (1 - np.exp(-surface.distance / 260))[:, None]
    rgb = stuff.color * light[:, None] * (1 - haze) + haze * 0.8 * np.array(world.sky, np.float32)
    return rgb, stuff.heat + stuff.solar * sun - 22 * texture


def _texture(surface: _Surface, tile: Floats) -> Floats:
    """(n,) texture of unit spread that lies on the surfaces; its finest part fades far away."""
    u = np.where(surface.face == 0, surface.local[:, 2], surface.local[:, 0])
    v = np.where(surface.face == 1, surface.local[:, 2], surface.local[:, 1])
    texture = np.zeros_like(u)
    for cells, share, reach in ((26, 0.6, 8.0), (5, 0.6, 40.0), (0.7, 0.5, 300.0)):
        place = np.stack([u, v]) * cells + 37 * surface.solid
        texture += share * _read(tile, place) / (1 + surface.distance / reach)
    return texture


def _read(tile: Floats, place: NDArray[np.floating]) -> Floats:
    """The tile at (2, n) places; beyond its borders it goes on mirrored, so that no edge shows."""
    at = np.floor(place).astype(np.int32) & 1023
    row, column = np.minimum(at, 1023 - at)
    found: Floats = tile[row, column]
    return found


def _sky(world: World, rays: Floats, tile: Floats) -> tuple[Floats, Floats]:
    """Colour (n, 3) and heat (n,) of the sky in n directions: paler and warmer at the horizon."""
    climate, up = world.climate, np.maximum(rays[:, 1], 0.02)
    pale = np.exp(-4 * up)
    cloud = 0.03 * _read(tile, 60 * rays[:, ::2].T / (up + 0.15)) * (1 - pale)
    color = np.array(world.sky, np.float32)
    rgb = color + pale[:, None] * 0.5 * (color.max() - color) + cloud[:, None]
    warm = climate.thermal_level - climate.heat["sky"]
    return rgb, np.float32(climate.heat["sky"]) + np.float32(0.8 * warm) * pale
