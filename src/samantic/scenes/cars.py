"""Cars: side views in a table, swept across the width to bodies that can be seen from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from samantic.scenes.light import Climate
from samantic.scenes.things import Group, Paint, Rng, any_color, disc, inset, quad


@dataclass(frozen=True, slots=True)
class CarBody:
    """Side view of a car.

    Attributes:
        width: Metres across.
        profile: Corners from the rear bumper over the roof to the front one: z, y in metres and
            the width there as a share of the full one.
        strips: What lies between each corner and the next.
    """

    width: float
    profile: tuple[tuple[float, float, float], ...]
    strips: tuple[str, ...]


_SHORT = ("tail", "glass", "roof", "glass", "hood", "nose")
CAR_BODIES = (
    CarBody(  # saloon
        1.75,
        (
            *((0.0, 0.28, 1.0), (0.0, 0.92, 1.0), (0.75, 1.0, 1.0), (1.35, 1.44, 0.8)),
            *((2.7, 1.45, 0.8), (3.5, 1.0, 1.0), (4.4, 0.82, 1.0), (4.5, 0.28, 1.0)),
        ),
        ("tail", "trunk", "glass", "roof", "glass", "hood", "nose"),
    ),
    CarBody(  # hatchback
        1.68,
        (
            *((0.0, 0.28, 1.0), (0.0, 0.95, 1.0), (0.42, 1.47, 0.82), (2.3, 1.52, 0.82)),
            *((3.1, 1.03, 1.0), (3.85, 0.88, 1.0), (3.95, 0.28, 1.0)),
        ),
        _SHORT,
    ),
    CarBody(  # off-roader
        1.85,
        (
            *((0.0, 0.36, 1.0), (0.0, 1.05, 1.0), (0.28, 1.68, 0.85), (2.9, 1.72, 0.85)),
            *((3.6, 1.14, 1.0), (4.5, 1.02, 1.0), (4.6, 0.36, 1.0)),
        ),
        _SHORT,
    ),
    CarBody(  # van
        1.8,
        (
            *((0.0, 0.3, 1.0), (0.0, 1.1, 1.0), (0.1, 1.9, 0.9), (3.4, 1.95, 0.9)),
            *((3.9, 1.15, 1.0), (4.4, 1.0, 1.0), (4.5, 0.3, 1.0)),
        ),
        _SHORT,
    ),
)


def car(rng: Rng, climate: Climate) -> list[Group]:
    """Build a car, parked cold or running hot; z runs from its tail to its nose."""
    body = CAR_BODIES[rng.integers(len(CAR_BODIES))]
    running = rng.random() < 0.7
    heat, warm = climate.heat, rng.uniform(0.8, 1.3) if running else 0.0
    engine = warm * (heat["engine"] - heat["road"])
    base = heat["body"] + rng.uniform(-4, 4) + 0.25 * engine
    shell = Paint(any_color(rng), base, 0.03, climate.solar)
    glass = Paint((0.07, 0.09, 0.11), heat["glass"] + 0.1 * engine, 0.03)
    tyre = Paint((0.05, 0.05, 0.05), heat["tyre"] + 0.4 * engine)
    hub = Paint((0.4, 0.4, 0.42), heat["tyre"] + 0.5 * engine)
    hood = shell._replace(heat=base + 0.7 * engine)
    half, middle = body.width / 2, body.profile[-1][0] / 2
    edge = [(z - middle, y, half * share) for z, y, share in body.profile]
    groups: list[Group] = []
    for kind, (z0, y0, w0), (z1, y1, w1) in zip(body.strips, edge, edge[1:], strict=False):
        strip = [(-w0, y0, z0), (w0, y0, z0), (w1, y1, z1), (-w1, y1, z1)]
        group: Group = [(strip, hood if kind in ("hood", "nose") else shell)]
        if kind == "glass":
            group.append((inset(strip, 0.86), glass))
        elif kind in ("tail", "nose"):
            exhaust = Paint((0.1, 0.1, 0.1), base + engine)
            lamp = _car_lamp(kind, rng.random() < 0.15 and running and climate.night, shell.heat)
            group += _car_end(half, min(y0, y1), z0, (tyre, exhaust, lamp))
        groups.append(group)
    for side in (-1.0, 1.0):
        groups.append(_car_side(edge, side, (shell, glass, tyre, hub)))
    return groups


def _car_lamp(kind: str, burning: bool, heat: float) -> Paint:
    color = (0.8, 0.08, 0.06) if kind == "tail" else (0.95, 0.93, 0.85)
    return Paint(color, heat, 0.0, retro=0.05, glow=float(burning))


def _car_end(half: float, bottom: float, z: float, paints: tuple[Paint, Paint, Paint]) -> Group:
    """Return wheels, underbody, lamps and number plate of a car's tail or nose."""
    tyre, exhaust, lamp = paints
    plate = Paint((0.7, 0.7, 0.65), lamp.heat, 0.0, retro=0.06)
    return [
        (quad(-half, half, 0.12, bottom + 0.1, z), exhaust),
        (quad(-half, -half + 0.25, 0.0, bottom + 0.12, z), tyre),
        (quad(half - 0.25, half, 0.0, bottom + 0.12, z), tyre),
        (quad(-half + 0.06, -half + 0.36, 0.66, 0.82, z), lamp),
        (quad(half - 0.36, half - 0.06, 0.66, 0.82, z), lamp),
        (quad(-0.25, 0.25, 0.5, 0.64, z), plate),
    ]


def _car_side(
    edge: Sequence[tuple[float, float, float]],
    side: float,
    paints: tuple[Paint, Paint, Paint, Paint],
) -> Group:
    """Return one side of a car with its windows and wheels."""
    shell, glass, tyre, hub = paints
    corners = [(side * w, y, z) for z, y, w in edge]
    half = max(w for _, _, w in edge)
    roof = [number for number, (_, _, w) in enumerate(edge) if w < half]
    window = corners[roof[0] - 1 : roof[-1] + 2]
    front, rear = edge[-1][0], edge[0][0]
    group: Group = [(corners, shell), (inset(window, 0.84), glass)]
    x0, y0, _ = corners[roof[0]]
    pillar = [(x0, y0, 0.0), (x0, y0, 0.12), (side * half, 0.9, 0.12), (side * half, 0.9, 0.0)]
    group.append((pillar, shell))
    for z in (rear + 0.8, front - 0.75):
        group += [(disc(side * half, 0.33, z, 0.33), tyre), (disc(side * half, 0.33, z, 0.17), hub)]
    return group
