"""Seeded street scenes as an RGB and a thermal camera see them, with labels and instances.

The classes are those of the MFNet benchmark: 0 unlabelled, 1 car, 2 person, 3 bike, 4 curve (the
painted edge of the road), 5 car stop (bollard or parking block), 6 guardrail, 7 color cone, 8 bump
(painted speed bump). By night the RGB camera sees road paint and reflectors but hardly any car,
person or bike; the thermal camera sees these but no paint and no cones. Neither is enough.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from samantic.errors import InputError
from samantic.scenes.backdrop import CLUTTER, LAMP_HEIGHT, street_lamp
from samantic.scenes.canvas import Viewpoint, draw_things
from samantic.scenes.cars import car
from samantic.scenes.light import Climate, draw_climate, render
from samantic.scenes.objects import bike, bollard, cone, parking_block, person, rail_piece
from samantic.scenes.street import Street
from samantic.scenes.things import Group, Paint

CAR, PERSON, BIKE, CAR_STOP, GUARDRAIL, CONE = 1, 2, 3, 5, 6, 7


class Scene(NamedTuple):
    """One labelled scene.

    Attributes:
        rgb: (H, W, 3) uint8.
        thermal: (H, W) uint8.
        labels: (H, W) uint8 class ids 0..8.
        instances: (H, W) uint16 ids of the things seen; 1 is the sky, and the ground's parts and
            all unlabelled objects have ids too, so no pixel is 0. Ids have gaps where things are
            out of sight.
        night: True by night.
    """

    rgb: NDArray[np.uint8]
    thermal: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    instances: NDArray[np.uint16]
    night: bool


def draw_scene(
    seed: int, index: int, size: tuple[int, int] = (480, 640), *, night: bool | None = None
) -> Scene:
    """Draw one scene; the same arguments always give the same bytes.

    Args:
        seed: Family of scenes, 0 or more.
        index: Number of the scene in the family, 0 or more.
        size: Height and width in pixels, 32 or more each; the layout does not depend on it.
        night: Whether it is night; by default odd indices are.

    Returns:
        The scene.

    Raises:
        ValueError: If seed or index is negative or the size too small.
    """
    check_scene(seed, index, size)
    dark = index % 2 == 1 if night is None else night
    layout, weather, pixels = (np.random.default_rng([seed, index, part]) for part in range(3))
    climate = draw_climate(weather, dark)
    camera = Viewpoint(
        layout.uniform(1.2, 1.7), layout.uniform(0.95, 1.25), layout.uniform(0.28, 0.42)
    )
    street = _lay_out(layout, camera, climate)
    grey = weather.uniform(0.55, 0.95)
    blue = (grey * weather.uniform(0.7, 1.0), grey * weather.uniform(0.9, 1.0), grey)
    sky = Paint(blue, climate.heat["sky"], weather.uniform(0.0, 0.04))
    drawing = draw_things(street.things, sky, camera, climate.sun, size)
    rgb, thermal = render(drawing, camera, climate, street.lamps, pixels)
    return Scene(rgb, thermal, drawing.labels[drawing.face], drawing.instances[drawing.face], dark)


def check_scene(seed: int, index: int, size: tuple[int, int]) -> None:
    """Raise InputError if seed or index is negative or the size too small."""
    if seed < 0 or index < 0:
        raise InputError(f"seed and index must be 0 or more, not {seed} and {index}")
    if min(size) < 32:
        raise InputError(
            f"a scene needs at least 32 x 32 pixels, not {size[0]} x {size[1]}; give a larger size"
        )


def _lay_out(rng: np.random.Generator, camera: Viewpoint, climate: Climate) -> Street:
    """Fill a street with the things of four to seven of the eight classes."""
    street = Street(rng, camera, climate)
    street.pave()
    chosen = rng.permutation(8)[: rng.integers(4, 8)] + 1
    if 4 in chosen:
        street.curve()
    if 8 in chosen:
        street.bump()
    street.line_with_houses()
    filler = _Filler(street)
    fillers = {
        GUARDRAIL: filler.guardrail,
        CAR: filler.cars,
        CAR_STOP: filler.car_stops,
        BIKE: filler.bikes,
        PERSON: filler.people,
        CONE: filler.cones,
    }
    for label, fill in fillers.items():
        if label in chosen:
            fill()
    filler.clutter()
    return street


class _Filler:
    """Finds free places in a street for what stands there."""

    def __init__(self, street: Street) -> None:
        self.street, self.rng, self.climate = street, street.rng, street.climate
        self._taken: list[tuple[float, float]] = []

    def _place(self, reach: tuple[float, float], near: float, far: float) -> tuple[float, float]:
        """Return the least hidden of some places (s, z) within the view and this reach of s."""
        best, least = (0.0, far), np.inf
        for _ in range(10):
            z = 1 / self.rng.uniform(1 / far, 1 / near)
            view, middle = 0.56 / self.street.camera.focal * z, self.street.middle(z)
            low, high = max(reach[0], -view - middle), min(reach[1], view - middle)
            s = self.rng.uniform(low, high) if low < high else self.rng.uniform(*reach)
            angle, half = (middle + s) / z, 0.5 / z
            cover = sum(
                max(0.0, min(angle + half, right) - max(angle - half, left)) / half
                for left, right in self._taken
            )
            outside = 10.0 * (low >= high)
            if cover + outside < least:
                best, least = (float(s), float(z)), cover + outside
        return best

    def _claim(self, s: float, z: float, half: float) -> None:
        angle = (self.street.middle(z) + s) / z
        self._taken.append((angle - half / z, angle + half / z))

    def _edge(self) -> float:
        return self.street.width / 2

    def cars(self) -> None:
        """Park and drive cars along the road, some across it."""
        for _ in range(self.rng.integers(1, 3)):
            side = self._edge() - 1.0
            s, z = self._place((-side, side), 6, 13)
            across = self.rng.random() < 0.25
            turn = np.pi * self.rng.integers(2) + self.rng.uniform(-0.3, 0.3)
            yaw = turn + np.pi / 2 * across
            self.street.add(CAR, car(self.rng, self.climate), s, z, yaw=yaw, solid=True)
            self._claim(s, z, 2.0 if across else 1.0)

    def people(self) -> None:
        """Let people stand and walk anywhere."""
        wide = self._edge() + self.street.pavement
        for _ in range(self.rng.integers(1, 4)):
            s, z = self._place((-wide, wide), 3.8, 8.5)
            self._stand(PERSON, person(self.rng, self.climate), s, z)
            self._claim(s, z, 0.35)

    def _stand(self, label: int, groups: list[Group], s: float, z: float) -> None:
        """Put a flat figure so that it faces the camera."""
        self.street.add(label, groups, s, z, yaw=-self.street.heading(z))

    def bikes(self) -> None:
        """Park bikes, some in rows, and let others be ridden."""
        wide = self._edge() + 0.7 * self.street.pavement
        for _ in range(self.rng.integers(1, 3)):
            s, z = self._place((-wide, wide), 3.5, 7)
            yaw = self.rng.choice((-1, 1)) * self.rng.uniform(0.85, 2.3)
            ridden = self.rng.random() < 0.45
            row = 1 if ridden else self.rng.integers(1, 3)
            for number in range(row):
                spot = z + 0.8 * number
                self.street.add(BIKE, bike(self.rng, self.climate), s, spot, yaw=yaw)
            if ridden:
                rider = person(self.rng, self.climate, riding=True)
                self._stand(PERSON, rider, s, z + 0.02)
            self._claim(s, z, 0.7)

    def cones(self) -> None:
        """Set out cones, alone or in a row."""
        edge = self._edge()
        s, z = self._place((-edge, edge), 3.2, 6)
        step, drift = self.rng.uniform(0.6, 1.6), self.rng.uniform(-0.8, 0.8)
        for number in range(self.rng.integers(1, 4)):
            place = s + drift * number, z + step * number
            self._stand(CONE, cone(self.rng, self.climate), *place)
            self._claim(*place, 0.3)

    def car_stops(self) -> None:
        """Set a row of bollards, or of parking blocks."""
        edge, count = self._edge(), self.rng.integers(2, 4)
        if self.rng.random() < 0.5:
            s, z = self._place((-edge - 0.6, edge + 0.6), 3.4, 6)
            along = self.rng.random() < 0.6
            for number in range(count):
                place = (s, z + 1.3 * number) if along else (s + 1.4 * (number - 1), z)
                self._stand(CAR_STOP, bollard(self.rng, self.climate), *place)
                self._claim(*place, 0.2)
        else:
            side = self.rng.choice((-1, 1))
            s, z = self._place((side * edge - 1.6, side * edge + 1.0), 3.4, 6)
            for number in range(count):
                block = parking_block(self.rng, self.climate)
                self.street.add(CAR_STOP, block, s, z + 2.0 * number, solid=True)
            self._claim(s, z, 1.0)

    def guardrail(self) -> None:
        """Run a guardrail along the pavement, or across the end of a part of the road."""
        side, instance = self.rng.choice((-1, 1)), self.street.instance()
        state = self.rng.integers(1 << 30)
        across = self.rng.random() < 0.35
        z = self.rng.uniform(4.5, 8) if across else self.rng.uniform(3, 4.5)
        s = side * (self._edge() + self.rng.uniform(-1.2, 0.0))
        for number in range(self.rng.integers(3, 6)):
            piece = rail_piece(np.random.default_rng(state), self.climate, 2.0)
            place = (s - side * 2.0 * number, z) if across else (s, z + 2.0 * number)
            yaw = -side * np.pi / 2 if across else 0.0
            far = place[1] + (0 if across else 1.0)
            self.street.add(GUARDRAIL, piece, *place, yaw=yaw, far=far, instance=instance)

    def clutter(self) -> None:
        """Scatter unlabelled things on the pavements."""
        builders, weights = zip(*CLUTTER, strict=True)
        shares = np.array(weights) / sum(weights)
        for _ in range(self.rng.integers(4, 9)):
            build = builders[self.rng.choice(len(builders), p=shares)]
            side, edge = self.rng.choice((-1, 1)), self._edge()
            reach = sorted((side * (edge + 0.5), side * (edge + self.street.pavement)))
            s, z = self._place((reach[0], reach[1]), 5, 30)
            self._stand(0, build(self.rng, self.climate), s, z)
            if build is street_lamp:
                self.street.lamps.append((self.street.middle(z) + s, LAMP_HEIGHT, z))
