"""The things of a street, made of solids about their own centre on the ground, facing along z."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from samantic.data.cards.rgb import CITYSCAPES
from samantic.scenes.backdrop import vivid
from samantic.scenes.light import Climate
from samantic.scenes.things import Paint, Rng, any_color
from samantic.scenes.worlds.patterns import Pattern
from samantic.scenes.worlds.solids import Solid

CLASSES = (*CITYSCAPES.classes, "curb", "crosswalk")
"""Classes of the streets' labels."""

LABEL = {name: label for label, name in enumerate(CLASSES)}

Builder = Callable[[Rng, Climate], list[Solid]]

DARK = (0.07, 0.08, 0.1)
"""Colour of glass and tyres."""


def car(rng: Rng, climate: Climate) -> list[Solid]:
    """Build a car, its bonnet warm if it was driven."""
    heat, label = climate.heat, LABEL["car"]
    wide, long, tall = rng.uniform(0.82, 0.93), rng.uniform(1.9, 2.35), rng.uniform(1.4, 1.75)
    paint = Paint(any_color(rng), heat["body"], 0.03, climate.solar)
    bonnet = paint._replace(heat=heat["engine"] if rng.random() < 0.6 else heat["body"])
    glass, lamp = Paint(DARK, heat["glass"], 0.02), Paint((0.9, 0.9, 0.85), heat["body"])
    waist, back = 0.58 * tall, rng.uniform(0.1, 0.5)
    middle, low = waist / 2 + 0.11, waist / 2 - 0.11
    roof = (tall - waist) / 2
    cabin = Solid("box", (0, waist + roof, -back), (wide * 0.86, roof, long * 0.52), paint, label)
    return [
        Solid("box", (0, middle, -long * 0.25), (wide, low, long * 0.75), paint, label),
        Solid(
            "box", (0, middle - 0.03, long * 0.74), (wide, low - 0.03, long * 0.26), bonnet, label
        ),
        cabin.showing(glass, "glass"),
        *(
            Solid("ellipsoid", (x, waist - 0.15, long), (0.15, 0.09, 0.04), lamp, label)
            for x in (-wide * 0.7, wide * 0.7)
        ),
        *_wheels(climate, label, wide, long * 0.62, 0.32),
    ]


def truck(rng: Rng, climate: Climate) -> list[Solid]:
    """Build a truck: a warm cab and a load."""
    heat, label = climate.heat, LABEL["truck"]
    long, tall = rng.uniform(2.4, 4.0), rng.uniform(2.7, 3.6)
    cab = Paint(any_color(rng), heat["body"] + 14, 0.03, climate.solar)
    load = Paint(any_color(rng, 0.5), heat["metal"] + 6, 0.05, climate.solar)
    box = (1.22, (tall - 0.7) / 2, long - 0.8)
    return [
        Solid("box", (0, (tall + 0.7) / 2, -0.95), box, load, label).showing(cab, "courses"),
        Solid("box", (0, 1.45, long), (1.15, 1.05, 0.8), cab, label).showing(
            Paint(DARK, heat["glass"], 0.02), "band"
        ),
        *_wheels(climate, label, 1.15, long * 0.7, 0.48),
    ]


def bus(rng: Rng, climate: Climate) -> list[Solid]:
    """Build a bus."""
    long, label = rng.uniform(4.6, 6.0), LABEL["bus"]
    coach = _coach(rng, climate, label, 0.35, long)
    return [coach, *_wheels(climate, label, 1.2, long * 0.6, 0.48)]


def tram(rng: Rng, climate: Climate) -> list[Solid]:
    """Build a tram of two wagons, which Cityscapes counts among the trains."""
    long, label = rng.uniform(5.5, 7.0), LABEL["train"]
    wagon = _coach(rng, climate, label, 0.2, long)
    joint = Paint(DARK, climate.heat["tyre"])
    return [
        *(wagon.placed(0, z, 0, 0) for z in (-long - 0.2, long + 0.2)),
        Solid("box", (0, 1.6, 0), (0.9, 1.3, 0.3), joint, label),
    ]


def _coach(rng: Rng, climate: Climate, label: int, foot: float, long: float) -> Solid:
    """A long body with a band of windows."""
    paint = Paint(vivid(rng), climate.heat["body"] + 5, 0.03, climate.solar)
    body = Solid("box", (0, foot + 1.4, 0), (1.27, 1.4, long), paint, label)
    return body.showing(Paint(DARK, climate.heat["glass"], 0.02), "band")


def _wheels(climate: Climate, label: int, x: float, z: float, radius: float) -> list[Solid]:
    """Four wheels with bright hubs."""
    tyre = Paint(DARK, climate.heat["tyre"])
    hub = Paint((0.5, 0.5, 0.5), climate.heat["tyre"] - 6)
    places = [(a, b) for a in (-x + 0.1, x - 0.1) for b in (-z, z)]
    half = (radius, 0.12, radius)
    wheels = [Solid("cylinder", (a, radius, b), half, hub, label, lying=True) for a, b in places]
    return [wheel.showing(tyre, "ring") for wheel in wheels]


def person(rng: Rng, climate: Climate, label: int = LABEL["person"]) -> list[Solid]:
    """Build a person in a stride."""
    heat, size = climate.heat, rng.uniform(0.85, 1.1)
    top = Paint(any_color(rng), heat["cloth"] + rng.uniform(-4, 4), 0.1)
    legs = Paint(any_color(rng, 0.5), heat["cloth"] - 6, 0.1)
    brown = rng.uniform(0.3, 1.0)
    skin = Paint((0.85 * brown, 0.65 * brown, 0.52 * brown), heat["skin"], 0.03)
    wide, stride = 0.2 * size, rng.uniform(0.0, 0.2)
    return [
        *(
            Solid("cylinder", (x, 0.42 * size, z), (0.085, 0.42 * size, 0.1), legs, label)
            for x, z in ((-0.1, stride), (0.1, -stride))
        ),
        Solid("ellipsoid", (0, 1.13 * size, 0), (wide + 0.03, 0.38 * size, 0.17), top, label),
        *(
            Solid("cylinder", (x, 1.12 * size, z), (0.055, 0.3 * size, 0.06), top, label)
            for x, z in ((-wide - 0.03, -stride / 2), (wide + 0.03, stride / 2))
        ),
        Solid("ellipsoid", (0, 1.62 * size, 0), (0.1, 0.14, 0.12), skin, label),
    ]


def bicycle(rng: Rng, climate: Climate) -> list[Solid]:
    """Build a bicycle."""
    return _two_wheeler(rng, climate, LABEL["bicycle"], 0.34, 0.02, climate.heat["metal"])


def motorcycle(rng: Rng, climate: Climate) -> list[Solid]:
    """Build a motorcycle with a hot engine."""
    machine = _two_wheeler(rng, climate, LABEL["motorcycle"], 0.3, 0.08, climate.heat["body"])
    hot = Paint(DARK, climate.heat["engine"] + 10)
    engine = Solid("box", (0, 0.42, 0), (0.17, 0.2, 0.32), hot, LABEL["motorcycle"])
    return [*machine, engine]


def _two_wheeler(
    rng: Rng, climate: Climate, label: int, radius: float, wide: float, heat: float
) -> list[Solid]:
    frame, tyre = Paint(any_color(rng), heat), Paint(DARK, climate.heat["tyre"])
    spokes = Paint((0.35, 0.35, 0.36), heat, 0.2)
    return [
        *(
            Solid(
                "cylinder", (0, radius, z), (radius, wide, radius), spokes, label, lying=True
            ).showing(tyre, "ring")
            for z in (-0.53, 0.53)
        ),
        Solid("box", (0, 0.62, 0), (wide + 0.01, 0.2 + wide, 0.34), frame, label),
        Solid("box", (0, 0.95, -0.18), (0.08 + wide, 0.05 + wide / 2, 0.2), tyre, label),
        Solid("box", (0, 1.0, 0.4), (0.3, 0.03, 0.03), tyre, label),
    ]


def rider(rng: Rng, climate: Climate) -> list[Solid]:
    """Build whoever sits on a two-wheeler."""
    seated = person(rng, climate, LABEL["rider"])
    lifted = [piece.lifted(0.28) for piece in seated[2:]]
    knees = [piece.lifted(0.14) for piece in seated[:2]]
    return [*knees, *lifted]


def tree(rng: Rng, climate: Climate) -> list[Solid]:
    """Build a tree: a trunk and a crown of lumps."""
    label, tall = LABEL["vegetation"], rng.uniform(4.5, 9)
    bark = Paint((0.22, 0.16, 0.11), climate.heat["bark"], 0.25)
    thick, crown = rng.uniform(0.12, 0.26), tall * rng.uniform(0.2, 0.28)
    trunk = Solid("cylinder", (0, tall * 0.35, 0), (thick, tall * 0.35, thick), bark, label)
    leaf = _leaf(rng, climate)
    lumps = []
    for light in (0.75, 0.9, 1.0, 1.15):
        x, z = rng.uniform(-0.6, 0.6, 2) * crown
        y, size = tall - crown * rng.uniform(0.9, 1.5), crown * rng.uniform(0.7, 1.0)
        r, g, b = leaf.color
        paint = leaf._replace(color=(r * light, g * light, b * light))
        half = (size, size * 0.85, size)
        lumps.append(Solid("ellipsoid", (float(x), y, float(z)), half, paint, label))
    return [trunk, *lumps]


def bush(rng: Rng, climate: Climate) -> list[Solid]:
    """Build a bush."""
    size = rng.uniform(0.4, 0.9)
    half = (size, size * 0.9, size * rng.uniform(0.8, 1.6))
    return [Solid("ellipsoid", (0, size * 0.6, 0), half, _leaf(rng, climate), LABEL["vegetation"])]


def _leaf(rng: Rng, climate: Climate) -> Paint:
    color = (rng.uniform(0.1, 0.34), rng.uniform(0.24, 0.42), rng.uniform(0.05, 0.14))
    return Paint(color, climate.heat["leaf"] + rng.uniform(-3, 3), 0.34)


def barrier(rng: Rng, climate: Climate, kind: str, long: float) -> list[Solid]:
    """Build a wall, a fence or a hedge along z, `long` metres in all."""
    tall, color = rng.uniform(1.1, 2.2), any_color(rng, 0.4)
    pattern: Pattern = "plain"
    match kind:
        case "wall":
            label, thick, pattern = LABEL["wall"], 0.15, "courses"
            paint = Paint(color, climate.heat["concrete"] + 6, 0.12, climate.solar)
        case "fence":
            label, thick, pattern = LABEL["fence"], 0.03, "pickets"
            paint = Paint(color, climate.heat["metal"] + 6, 0.12)
        case _:
            label, thick, paint = LABEL["vegetation"], 0.4, _leaf(rng, climate)
    gap = paint._replace(
        color=(0.45 * paint.color[0], 0.45 * paint.color[1], 0.45 * paint.color[2])
    )
    body = Solid("box", (0, tall / 2, 0), (thick, tall / 2, long / 2), paint, label)
    return [body.showing(gap, pattern)]


def building(rng: Rng, climate: Climate, half: tuple[float, float, float]) -> list[Solid]:
    """Build a house with windows on all sides; half its height, and half of both sides."""
    color = [0.25 + 0.65 * part for part in any_color(rng, 0.4)]
    wall = Paint(
        (color[0], color[1], color[2]),
        climate.heat["wall"] + rng.uniform(-6, 6),
        0.06,
        climate.solar,
    )
    pane = Paint((0.14, 0.17, 0.22), climate.heat["glass"], 0.1)
    return [Solid("box", (0, half[1], 0), half, wall, LABEL["building"]).showing(pane, "windows")]


def pole(rng: Rng, climate: Climate) -> list[Solid]:
    """Build a lamp post whose arm reaches over the road, towards -x."""
    label, tall = LABEL["pole"], rng.uniform(5.0, 7.5)
    metal = Paint((0.32, 0.33, 0.34), climate.heat["metal"] + 4, 0.05)
    return [
        Solid("cylinder", (0, tall / 2, 0), (0.08, tall / 2, 0.08), metal, label),
        Solid("box", (-0.7, tall, 0), (0.8, 0.06, 0.08), metal, label),
    ]


def sign_plate(rng: Rng, climate: Climate) -> list[Solid]:
    """Build the plate of a road sign, round or square, that faces along -z."""
    label, metal = LABEL["traffic sign"], climate.heat["metal"] + 6
    plate, edge = Paint(vivid(rng), metal), Paint(vivid(rng), metal)
    size, tall = rng.uniform(0.28, 0.42), rng.uniform(2.1, 2.8)
    if rng.random() < 0.6:
        half = (size, 0.02, size)
        disc = Solid("cylinder", (0, tall, -0.1), half, plate, label, yaw=np.pi / 2, lying=True)
        return [disc.showing(edge, "ring")]
    return [Solid("box", (0, tall, -0.1), (size, size, 0.02), plate, label)]


def light_box(rng: Rng, climate: Climate) -> list[Solid]:
    """Build the box of a traffic light, one lamp lit."""
    lamp = ((0.95, 0.1, 0.08), (0.95, 0.6, 0.1))[rng.integers(2)]
    lit, dark = (
        Paint(lamp, climate.heat["body"] + 20),
        Paint((0.08, 0.09, 0.08), climate.heat["body"]),
    )
    body = Solid("box", (0, 2.9, -0.15), (0.17, 0.45, 0.14), dark, LABEL["traffic light"])
    return [body.showing(lit, "lamp")]


def post(rng: Rng, climate: Climate) -> list[Solid]:
    """Build the thin pole of a sign or of a traffic light."""
    metal = Paint((0.5, 0.5, 0.5), climate.heat["metal"] + 4, 0.05)
    return [Solid("cylinder", (0, 1.5, 0), (0.045, 1.5, 0.045), metal, LABEL["pole"])]
