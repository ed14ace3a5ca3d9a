"""The other labelled objects on the road: people, bikes, cones, car stops, guardrails.

Every builder returns the groups of faces of one object in its own coordinates: x across, y up from
the ground and z along, in metres. Shapes are jittered and colours are random. Only form, place and,
for people and engines, heat identify a class.
"""

from __future__ import annotations

import numpy as np

from samantic.scenes.light import Climate
from samantic.scenes.things import Face, Group, Paint, Point, Rng, any_color, box, disc, quad


def person(rng: Rng, climate: Climate, *, riding: bool = False) -> list[Group]:
    """Build somebody who stands, walks or rides, seen flat on."""
    tall = rng.uniform(1.5, 1.88) if riding or rng.random() < 0.88 else rng.uniform(1.0, 1.3)
    s, step = tall / 1.75, 0.12 if riding else rng.uniform(0.0, 0.18)
    wide, lean = rng.uniform(0.14, 0.24), rng.uniform(-0.06, 0.06)
    heat, grain = climate.heat, 0.08
    top = Paint(any_color(rng), heat["cloth"] + rng.uniform(-6, 6), grain)
    legs = Paint(any_color(rng, 0.6), heat["cloth"] + rng.uniform(-12, 2), grain)
    skin = Paint((0.75, 0.55, 0.43), heat["skin"], 0.03)
    skin = skin._replace(color=tuple(np.array(skin.color) * rng.uniform(0.45, 1.1)))
    hair = Paint((0.1, 0.08, 0.06), heat["skin"] - 18)
    shoe = Paint((0.1, 0.1, 0.1), heat["cloth"] - 14)
    swing = rng.uniform(0.0, 0.12)
    hip, neck = 0.88, 1.48

    def limb(x0: float, y0: float, x1: float, y1: float, thick: float) -> list[Point]:
        ends = ((x0 - thick, y0), (x0 + thick, y0), (x1 + thick, y1), (x1 - thick, y1))
        return [(x * s, y * s, 0.0) for x, y in ends]

    faces: Group = []
    for side in (-1.0, 1.0):
        foot = side * (0.1 + step)
        faces += [(limb(side * 0.09, hip, foot, 0.02, 0.085), legs)]
        faces += [(limb(foot, 0.1, foot + 0.04, 0.0, 0.1), shoe)]
        faces += [(limb(side * wide + lean, neck - 0.06, side * (wide + swing), 0.85, 0.065), top)]
        faces += [(limb(side * (wide + swing), 0.88, side * (wide + swing), 0.78, 0.055), skin)]
    ends = ((-0.17, 0.84), (0.17, 0.84), (wide + lean, 1.4), (0.09 + lean, 1.52))
    mirrored = (*ends, (-0.09 + lean, 1.52), (-wide + lean, 1.4))
    faces.append(([(x * s, y * s, 0.0) for x, y in mirrored], top))
    if rng.random() < 0.3:
        bag = Paint(any_color(rng), heat["cloth"] - 20)
        faces.append((limb(lean, 1.4, lean, 1.0, 0.16), bag))
    head = [(z * s * 0.85 + lean * s, y * s, 0.0) for _, y, z in disc(0, 1.63, 0, 0.125, 10)]
    faces.append((head, skin))
    faces.append(([(x, max(y, 1.66 * s), z) for x, y, z in head], hair))
    return [faces]


def bike(rng: Rng, climate: Climate) -> list[Group]:
    """Build a bicycle along z with its rack, saddle and handlebar."""
    heat = climate.heat
    frame = Paint(any_color(rng), heat["metal"] + rng.uniform(-4, 4), 0.0)
    tyre = Paint((0.06, 0.06, 0.06), heat["tyre"], 0.0)
    spokes = Paint((0.3, 0.3, 0.31), heat["metal"] + 4, 0.15)
    radius, gap = rng.uniform(0.32, 0.36), rng.uniform(0.5, 0.56)

    def bar(z0: float, y0: float, z1: float, y1: float) -> Face:
        along, up = z1 - z0, y1 - y0
        thin = 0.03 / float(np.hypot(along, up))
        dz, dy = -up * thin, along * thin
        ends = ((z0 + dz, y0 + dy), (z1 + dz, y1 + dy), (z1 - dz, y1 - dy), (z0 - dz, y0 - dy))
        return ([(0.0, y, z) for z, y in ends], frame)

    faces: Group = []
    for z in (-gap, gap):
        faces.append((disc(0, radius, z, radius, 14), tyre))
        faces.append((disc(0, radius, z, radius * 0.78, 14), spokes))
    ends = (
        *((-gap, radius, -0.18, 0.8), (-0.05, 0.3, -0.2, 0.92), (-0.05, 0.3, 0.38, 0.8)),
        *((-0.17, 0.78, 0.38, 0.8), (gap, radius, 0.36, 1.0), (-gap, radius, -0.05, 0.3)),
    )
    faces += [bar(*pair) for pair in ends]
    faces.append((quad(-0.3, 0.3, 1.0, 1.07, 0.34), tyre))
    faces.append(([(0, 0.92, -0.34), (0, 0.92, -0.06), (0, 1.0, -0.06), (0, 1.0, -0.34)], tyre))
    if rng.random() < 0.5:
        basket = [(0.0, 0.78, 0.4), (0.0, 0.78, 0.66), (0.0, 1.02, 0.72), (0.0, 1.02, 0.38)]
        faces.append((basket, spokes))
    return [faces]


def cone(rng: Rng, climate: Climate) -> list[Group]:
    """Build a traffic cone, as warm as the road it stands on."""
    color = ((0.9, 0.3, 0.08), (0.85, 0.12, 0.1), (0.15, 0.6, 0.25), (0.85, 0.75, 0.1))
    heat = climate.road
    shade = rng.uniform(0.75, 1.05)
    r, g, b = color[rng.choice(4, p=(0.5, 0.3, 0.13, 0.07))]
    skin = Paint((r * shade, g * shade, b * shade), heat, retro=0.45)
    band = Paint((0.9, 0.9, 0.9), heat, retro=0.9)
    tall, wide = rng.uniform(0.7, 1.0), rng.uniform(0.19, 0.25)
    foot = wide * 1.45

    def slice_(low: float, high: float) -> list[Point]:
        a, b = wide * (1 - 0.88 * low), wide * (1 - 0.88 * high)
        return [(-a, low * tall, 0), (a, low * tall, 0), (b, high * tall, 0), (-b, high * tall, 0)]

    faces: Group = [(quad(-foot, foot, 0, 0.07 * tall), skin), (slice_(0.04, 1.0), skin)]
    for low in (0.3, 0.6) if rng.random() < 0.6 else (0.45,):
        faces.append((slice_(low, low + 0.17), band))
    return [faces]


def bollard(rng: Rng, climate: Climate) -> list[Group]:
    """Build a bollard: one of the two forms of a car stop."""
    heat = climate.heat["concrete"]
    tall, wide = rng.uniform(0.7, 0.9), rng.uniform(0.13, 0.19)
    grey = rng.uniform(0.06, 0.3)
    body = Paint((grey, grey, grey), heat, retro=0.08)
    band = Paint((0.9, 0.85, 0.5 + 0.4 * rng.random()), heat, retro=0.7)
    high = rng.uniform(0.72, 0.84) * tall
    faces: Group = [(quad(-wide, wide, 0, tall), body)]
    faces.append((quad(-wide, wide, high - 0.12, high), band))
    if rng.random() < 0.5:
        faces.append((quad(-wide, wide, high - 0.36, high - 0.24), band))
    return [faces]


def parking_block(rng: Rng, climate: Climate) -> list[Group]:
    """Build a parking block: the other form of a car stop."""
    heat, grey = climate.heat["concrete"], rng.uniform(0.4, 0.7)
    wide, tall = rng.uniform(1.6, 2.0), rng.uniform(0.26, 0.36)
    groups = box(wide, tall, 0.3, Paint((grey, grey, grey), heat, retro=0.12))
    band = Paint(((0.9, 0.75, 0.1), (0.9, 0.9, 0.9))[rng.integers(2)], heat, retro=0.6)
    for x in (-0.36 * wide, 0.0, 0.36 * wide):
        groups[0].append((quad(x - 0.15, x + 0.15, 0.2 * tall, 0.85 * tall, -0.15), band))
    return groups


def rail_piece(rng: Rng, climate: Climate, length: float) -> list[Group]:
    """Build a piece of guardrail along z: a post and a beam with a reflector."""
    heat, grey = climate.heat["metal"], rng.uniform(0.6, 0.85)
    metal = Paint((grey, grey, grey), heat, 0.03, retro=0.14)
    dark = metal._replace(color=(grey * 0.6, grey * 0.6, grey * 0.6))
    shine = Paint((0.9, 0.6, 0.1), heat, retro=0.9)

    def strip(low: float, high: float, z0: float, z1: float) -> list[Point]:
        return [(0.0, low, z0), (0.0, low, z1), (0.0, high, z1), (0.0, high, z0)]

    faces: Group = [(strip(0.0, 0.9, 0.0, 0.14), dark)]
    faces += [(strip(0.3, 0.9, 0.0, length), metal), (strip(0.57, 0.63, 0.0, length), dark)]
    faces.append((strip(0.52, 0.7, 0.4, 0.62), shine))
    return [faces]
