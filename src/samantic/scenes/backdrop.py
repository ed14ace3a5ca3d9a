"""The unlabelled content of a street: houses, trees, signs, bins, lamps, dogs.

These objects are the background and also distract: walls as warm as people, posters as orange as
cones, signs as bright in the headlights as painted curbs. Builders are like those of the labelled
objects.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from samantic.scenes.light import Climate
from samantic.scenes.things import Group, Paint, Point, Rng, any_color, box, disc, inset, quad

LAMP_HEIGHT = 5.0
"""Height of street lamps above the ground in metres."""

Builder = Callable[[Rng, Climate], list[Group]]


def vivid(rng: Rng) -> tuple[float, float, float]:
    """Draw one of the colours of cones, curbs and signs."""
    colors = (
        (0.9, 0.35, 0.08),
        (0.8, 0.1, 0.1),
        (0.9, 0.9, 0.88),
        (0.9, 0.75, 0.1),
        (0.1, 0.3, 0.7),
    )
    return colors[rng.integers(len(colors))]


def building(rng: Rng, climate: Climate, depth: float, width: float) -> list[Group]:
    """Build a house of this depth along z, with windows in all walls, warm vents and posters."""
    tall, heat = rng.uniform(4, 15), climate.heat
    tone = any_color(rng, 0.45)
    wall = Paint(tone, heat["wall"] + rng.uniform(-6, 6), 0.05, climate.solar)
    groups = box(width, tall, depth, wall)
    storey, pitch = rng.uniform(2.6, 3.4), rng.uniform(1.8, 3.2)
    share, lit = rng.uniform(0.4, 0.75), rng.uniform(0.0, 0.5)
    pane = Paint((0.12, 0.15, 0.2), heat["glass"], 0.1)
    lamp = Paint((0.95, 0.85, 0.6), heat["wall"] + 8, 0.1, glow=rng.uniform(0.4, 0.9))
    for side in range(4):
        corners = groups[side][0][0]
        low, along = corners[0], [b - a for a, b in zip(corners[0], corners[1], strict=True)]
        length = float(np.hypot(along[0], along[2]))
        columns, rows = min(8, int(length / pitch)), min(5, int(tall / storey))
        for row in range(rows):
            for column in range(columns):
                middle = (column + 0.5) / columns
                half = share * 0.5 / columns
                y = row * storey + 0.9
                burning = rng.random() < lit and climate.night
                ends = (middle - half, middle + half)
                window: list[Point] = [
                    (low[0] + t * along[0], h, low[2] + t * along[2])
                    for t, h in ((ends[0], y), (ends[1], y), (ends[1], y + 1.3), (ends[0], y + 1.3))
                ]
                groups[side].append((window, lamp if burning else pane))
        if rng.random() < 0.5 and columns:
            patch = inset(groups[side][1][0], rng.uniform(0.4, 1.1))
            hot = heat["hot"] if rng.random() < 0.6 else wall.heat
            groups[side].append(([(x, y - 0.6, z) for x, y, z in patch], Paint(vivid(rng), hot)))
    return groups


def wall(rng: Rng, climate: Climate, depth: float, width: float) -> list[Group]:
    """Build a low wall with a warm or bright panel."""
    skin = Paint(any_color(rng, 0.5), climate.heat["wall"], 0.12, climate.solar)
    groups = box(min(width, 0.4), rng.uniform(1.0, 2.4), depth, skin)
    for side in (2, 3):
        warm = climate.heat["hot"] if rng.random() < 0.3 else skin.heat
        panel = inset(groups[side][0][0], 0.5)
        groups[side].append((panel, Paint(vivid(rng), warm, 0.1)))
    return groups


def hedge(rng: Rng, climate: Climate, depth: float, width: float) -> list[Group]:
    """Build a clipped hedge."""
    leaf = _leaf(rng, climate)
    return box(min(width, 1.4), rng.uniform(0.8, 1.9), depth, leaf)


def _leaf(rng: Rng, climate: Climate) -> Paint:
    color = (rng.uniform(0.08, 0.4), rng.uniform(0.22, 0.45), rng.uniform(0.04, 0.14))
    return Paint(color, climate.heat["leaf"] + rng.uniform(-3, 3), 0.34)


def _blob(rng: Rng, x: float, y: float, radius: float) -> list[Point]:
    angles = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    reach = radius * rng.uniform(0.78, 1.15, 14)
    xs, ys = x + reach * np.cos(angles), np.maximum(y + 0.85 * reach * np.sin(angles), 0)
    return [(a, b, 0.0) for a, b in zip(xs.tolist(), ys.tolist(), strict=True)]


def tree(rng: Rng, climate: Climate) -> list[Group]:
    """Build a tree: a trunk and a crown of lumps, lighter above."""
    leaf, tall, thick = _leaf(rng, climate), rng.uniform(4.5, 9), rng.uniform(0.12, 0.3)
    bark = Paint((0.22, 0.16, 0.11), climate.heat["bark"], 0.25)
    crown = tall * rng.uniform(0.25, 0.36)
    faces: Group = [(quad(-thick, thick, 0, tall * 0.8), bark)]
    for light in (0.7, 0.85, 1.0, 1.2):
        color = (leaf.color[0] * light, leaf.color[1] * light, leaf.color[2] * light)
        x, y = rng.uniform(-0.6, 0.6) * crown, tall - crown * rng.uniform(0.8, 1.4)
        faces.append((_blob(rng, x, y, crown * rng.uniform(0.6, 0.95)), leaf._replace(color=color)))
    return [faces]


def bush(rng: Rng, climate: Climate) -> list[Group]:
    """Build a low bush."""
    leaf, size = _leaf(rng, climate), rng.uniform(0.35, 0.8)
    return [[(_blob(rng, rng.uniform(-0.4, 0.4), size * 0.6, size), leaf) for _ in range(2)]]


def sign(rng: Rng, climate: Climate) -> list[Group]:
    """Build a road sign: round, square or three-cornered, on a pole."""
    heat, tall = climate.heat["metal"], rng.uniform(1.6, 2.7)
    pole = Paint((0.55, 0.55, 0.55), heat, retro=0.05)
    plate = Paint(vivid(rng), heat + rng.uniform(-4, 8), retro=0.7)
    mark = Paint(vivid(rng), plate.heat, retro=0.7)
    corners = int(rng.choice((3, 4, 12)))
    shape = [(z, y, 0.0) for _, y, z in disc(0, tall, 0, rng.uniform(0.28, 0.42), corners)]
    if corners == 3:
        shape = [(-(y - tall), tall + x * rng.choice((-1, 1)), 0.0) for x, y, _ in shape]
    return [[(quad(-0.04, 0.04, 0, tall), pole), (shape, plate), (inset(shape, 0.55), mark)]]


def street_lamp(rng: Rng, climate: Climate) -> list[Group]:
    """Build a lamp post."""
    pole = Paint((0.3, 0.3, 0.32), climate.heat["metal"])
    burning = Paint((1.0, 0.9, 0.7), climate.heat["hot"], 0.0, glow=float(climate.night))
    head = quad(-0.3, 0.3, LAMP_HEIGHT - 0.15, LAMP_HEIGHT + 0.1)
    return [[(quad(-0.07, 0.07, 0, LAMP_HEIGHT), pole), (head, burning)]]


def bin_or_box(rng: Rng, climate: Climate) -> list[Group]:
    """Build a bin, a cabinet or a vending machine, cold or hot, of any colour."""
    warm = rng.choice((climate.heat["metal"], climate.heat["wall"], climate.heat["hot"]))
    color = vivid(rng) if rng.random() < 0.5 else any_color(rng)
    body = Paint(color, float(warm), 0.05, climate.solar)
    groups = box(rng.uniform(0.4, 0.9), rng.uniform(0.5, 1.7), rng.uniform(0.4, 0.7), body)
    panel = Paint(any_color(rng), float(warm) - 8)
    groups[0].append((inset(groups[0][0][0], 0.6), panel))
    return groups


def barrel(rng: Rng, climate: Climate) -> list[Group]:
    """Build a barrel in the colours of a cone, of one width from foot to top."""
    wide, tall, heat = rng.uniform(0.25, 0.35), rng.uniform(0.7, 1.0), climate.road
    body, band = Paint(vivid(rng), heat, retro=0.4), Paint((0.9, 0.9, 0.9), heat, retro=0.7)
    faces: Group = [(quad(-wide, wide, 0, tall), body)]
    faces.append((quad(-wide, wide, tall * 0.55, tall * 0.75), band))
    return [faces]


def dog(rng: Rng, climate: Climate) -> list[Group]:
    """Build a dog seen from the side, as warm as a person."""
    fur = Paint(any_color(rng), climate.heat["cloth"] + 20, 0.15)
    way = rng.choice((-1.0, 1.0))
    faces: Group = [(quad(x, x + 0.08, 0, 0.3), fur) for x in (-0.33, -0.2, 0.2, 0.32)]
    faces.append((quad(-0.36, 0.4, 0.26, 0.54), fur))
    faces.append((quad(way * 0.36, way * 0.62, 0.48, 0.72), fur))
    return [faces]


def warm_pipe(rng: Rng, climate: Climate) -> list[Group]:
    """Build a hot upright pipe or vent."""
    skin = Paint(any_color(rng), climate.heat["hot"])
    wide = rng.uniform(0.08, 0.25)
    return [[(quad(-wide, wide, 0, rng.uniform(0.5, 2.4)), skin)]]


CLUTTER: tuple[tuple[Builder, float], ...] = (
    (tree, 2.0),
    (bush, 1.5),
    (sign, 2.0),
    (street_lamp, 1.2),
    (bin_or_box, 2.0),
    (barrel, 0.5),
    (dog, 0.7),
    (warm_pipe, 1.2),
)
"""Builders of the objects on the pavements, with their relative frequencies."""
