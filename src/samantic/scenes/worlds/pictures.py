"""Photographs of seeded worlds: panoramas and pinhole pictures of streets, panoramas of rooms.

The two views of streets differ as the data sets that they stand for do. Panoramas are taken 1.8 to
2.8 m above the ground, as from the roof of a car, and show what is ahead, beside, behind and close
by, bent by the projection. Pinhole pictures are taken 1.2 to 1.7 m above the ground, as from behind
a windscreen, are 60 to 90° wide and look ahead, up to 40° to the side and 4° up or down. Streets,
weather and the sensors' noise are drawn alike.
"""

from __future__ import annotations

import numpy as np

from samantic.scenes.light import expose, sense
from samantic.scenes.scene import Scene, check_scene
from samantic.scenes.things import Point
from samantic.scenes.worlds.cameras import Equirectangular, Lens, Pinhole
from samantic.scenes.worlds.room import room_world
from samantic.scenes.worlds.street import street_world
from samantic.scenes.worlds.view import World, look

MARGIN = 4
"""Columns by which a panorama is continued before the cameras' optics blur it."""


def draw_panorama(seed: int, index: int, size: tuple[int, int]) -> Scene:
    """Draw the street (seed, index) all around; the same arguments give the same bytes.

    Args:
        seed: Family of worlds, 0 or more.
        index: Number of the world in the family, 0 or more.
        size: Height and width in pixels; see `Equirectangular` for what they show.
    """
    check_scene(seed, index, size)
    rng = np.random.default_rng([seed, index, 3])
    eye = (0.0, rng.uniform(1.8, 2.8), 0.0)
    return _photograph(
        street_world(seed, index), Equirectangular(rng.uniform(-0.02, 0.02)), eye, size, rng
    )


def draw_pinhole(seed: int, index: int, size: tuple[int, int]) -> Scene:
    """Draw the same street as `draw_panorama` as a flat picture."""
    check_scene(seed, index, size)
    rng = np.random.default_rng([seed, index, 4])
    eye = (0.0, rng.uniform(1.2, 1.7), 0.0)
    camera = Pinhole(rng.uniform(60, 90), rng.uniform(-40, 40) / 360, rng.uniform(-4, 4))
    return _photograph(street_world(seed, index), camera, eye, size, rng)


def draw_room(seed: int, index: int, size: tuple[int, int]) -> Scene:
    """Draw the room (seed, index) all around."""
    check_scene(seed, index, size)
    rng = np.random.default_rng([seed, index, 5])
    eye = (0.0, rng.uniform(1.3, 1.7), 0.0)
    return _photograph(room_world(seed, index), Equirectangular(rng.random()), eye, size, rng)


def _photograph(
    world: World, camera: Lens, eye: Point, size: tuple[int, int], rng: np.random.Generator
) -> Scene:
    """Look at a world with an RGB and a thermal camera: tone curves, optics and noise."""
    view, climate = look(world, camera, eye, size), world.climate
    margin = MARGIN if camera.wraps else 0
    columns = np.arange(-margin, size[1] + margin) % size[1]
    kept = slice(margin, margin + size[1])
    rgb = expose(view.rgb[:, columns], climate, rng)[:, kept]
    thermal = sense(view.heat[:, columns], climate, rng)[:, kept]
    return Scene(rgb, thermal, view.labels, view.instances, False)
