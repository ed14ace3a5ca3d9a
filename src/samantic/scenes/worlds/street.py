"""A street, with or without a crossing, and its surroundings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from samantic.scenes.light import Climate, draw_climate
from samantic.scenes.things import Paint, Rng
from samantic.scenes.worlds import things
from samantic.scenes.worlds.patterns import Floats
from samantic.scenes.worlds.solids import Solid
from samantic.scenes.worlds.things import LABEL
from samantic.scenes.worlds.view import Ground, World

AHEAD = 90.0
"""Length of the street in metres, ahead and behind."""

CLEAR = 5.5
"""Smallest distance in metres between the camera and a vehicle in its lane."""

TRAFFIC = (things.car, things.truck, things.bus, things.tram, things.motorcycle, things.bicycle)
SHARES = (0.4, 0.12, 0.14, 0.1, 0.12, 0.12)
"""Kinds of vehicles and their frequencies."""

NOWHERE = 1e6
"""Position of the crossing for a street without one."""


def street_world(seed: int, index: int) -> World:
    """Build the street (seed, index); the eye is to stand at x = z = 0, in its right lane."""
    rng, weather = (np.random.default_rng([seed, index, part]) for part in range(2))
    climate = draw_climate(weather, night=False)
    street = _Street(rng, climate)
    street.line_with_houses()
    street.plant()
    street.park()
    street.drive()
    street.furnish()
    street.people()
    grey = weather.uniform(0.65, 0.95)
    share = weather.uniform(0.65, 1.0)
    blue = (grey * share, grey * (0.6 + 0.4 * share), grey)
    return World(street.solids, street.ground(), climate, blue, LABEL["sky"], (seed, index, 2))


class _Street:
    """A street under construction; the first solid is its ground.

    Attributes:
        lane: Half the width of the road.
        parking: Whether there is room to park.
        path: How far from the middle of the road vehicles drive, and the camera stands.
        walk: Width of the pavement.
        verge: Width of the grass between pavement and houses.
        crossing: Where along z another road crosses.
        across: Half the width of that road.
        zebra: Where along z pedestrians cross if no road does.
        solids: What there is so far.
    """

    def __init__(self, rng: Rng, climate: Climate) -> None:
        self.rng, self.climate = rng, climate
        self.lane, self.walk = rng.uniform(3.4, 6.5), rng.uniform(1.8, 4.0)
        self.parking = self.lane > 4.8
        self.path = self.lane / 2 - (1.1 if self.parking else 0.0)
        self.verge = rng.uniform(1, 5) if rng.random() < 0.4 else 0.0
        there = rng.random() < 0.6
        self.crossing = float(rng.choice((-1, 1)) * rng.uniform(10, 35)) if there else NOWHERE
        self.across = rng.uniform(3.0, 5.0)
        self.zebra = float(rng.uniform(-20, 20))
        earth = Paint((0.2, 0.2, 0.2), climate.heat["earth"])
        self.solids = [Solid("box", (0, -0.5, 0), (600, 0.5, 600), earth, LABEL["terrain"])]
        self.count = 1  # number of instances; the sky is the first

    def instance(self) -> int:
        """The next instance id."""
        self.count += 1
        return self.count

    def add(self, pieces: Sequence[Solid], x: float, z: float, yaw: float = 0.0) -> None:
        """Place a thing at x metres right of the road's middle."""
        instance = self.instance()
        self.solids += [piece.placed(x - self.path, z, yaw, instance) for piece in pieces]

    def put(self, build: things.Builder, x: float, z: float, yaw: float = 0.0) -> None:
        """Build a thing and place it."""
        self.add(build(self.rng, self.climate), x, z, yaw)

    def edge(self) -> float:
        """Distance from the road's middle to the houses."""
        return self.lane + self.walk + self.verge

    def free(self, z: float, room: float) -> bool:
        """Whether a place along the street is off the crossing by `room` metres."""
        return abs(z - self.crossing) > self.across + room

    def ground(self) -> Ground:
        """Road with its markings, zebra crossings, curbs, pavements and earth, in four corners."""
        climate, rng = self.climate, self.rng
        grey = rng.uniform(0.2, 0.34)
        asphalt = Paint((grey, grey, grey * 1.04), climate.heat["road"], 0.1, climate.solar)
        white = asphalt._replace(color=(0.85, 0.85, 0.83))
        pale = rng.uniform(0.42, 0.62)
        slabs = Paint((pale, pale * 0.97, pale * 0.93), climate.heat["walk"], 0.09, climate.solar)
        curb = slabs._replace(color=(0.72, 0.72, 0.7))
        grass = Paint((0.24, 0.36, 0.12), climate.heat["earth"], 0.22, climate.solar)
        road, zebra = self.instance(), self.instance()
        corners = [self.instance() for _ in range(12)]
        names = ("road", "road", "crosswalk", "crosswalk")
        sides = ("curb", "sidewalk", "terrain")
        return Ground(
            self.region,
            [asphalt, white, asphalt, white, *[curb] * 4, *[slabs] * 4, *[grass] * 4],
            [LABEL[n] for n in names] + [LABEL[n] for n in sides for _ in range(4)],
            [road, road, zebra, zebra, *corners],
        )

    def region(self, x: Floats, z: Floats) -> NDArray[np.intp]:
        """Number of the region of the ground at (n,) places."""
        x = x + self.path
        along, over = abs(x) - self.lane, abs(z - self.crossing) - self.across
        off = np.minimum(along, over)
        corner = (x > 0) + 2 * (z > self.crossing).astype(np.intp)
        line = (abs(x) < 0.07) & (z % 6 < 3) | (abs(along + 0.35) < 0.05)
        region = np.where(line & (over > 4), 1, 0)
        away = abs(z - self.zebra) if self.crossing == NOWHERE else abs(over - 2.3)
        region = np.where((along < 0) & (away < 1.5), np.where(x % 1.0 < 0.5, 3, 2), region)
        region = np.where(off > 0, 4 + corner, region)
        region = np.where(off > 0.2, 8 + corner, region)
        return np.asarray(np.where(off > self.walk, 12 + corner, region), np.intp)

    def line_with_houses(self) -> None:
        """Line both sides with houses, or with gardens behind walls, fences and hedges."""
        for side in (-1, 1):
            z = -AHEAD
            while z < AHEAD:
                long, deep = self.rng.uniform(8, 18), self.rng.uniform(4, 7)
                middle = z + long / 2
                if self.free(middle, long / 2 + self.walk):
                    if self.rng.random() < 0.72:
                        self._house((deep, long / 2), side * (self.edge() + deep), middle)
                    else:
                        self._garden(side, middle, long)
                z += long + (self.rng.uniform(1, 4) if self.rng.random() < 0.2 else 0)
        for z in (-AHEAD - 15, AHEAD + 15):  # the street ends at a house
            self._house((self.rng.uniform(8, 25), 6), self.rng.uniform(-8, 8), z)
        if self.crossing != NOWHERE:
            self._line_the_crossing()

    def _line_the_crossing(self) -> None:
        for side in (-1, 1):
            for way in (-1, 1):
                x = self.edge() + 14.5
                while x < 70:
                    half, deep = self.rng.uniform(4, 9), self.rng.uniform(4, 7)
                    z = self.crossing + way * (self.across + self.walk + deep)
                    self._house((half, deep), side * (x + half), z)
                    x += 2 * half
            self._house((6, 25), side * 85, self.crossing)

    def _house(self, half: tuple[float, float], x: float, z: float) -> None:
        """Half its extent along x and z."""
        build = partial(things.building, half=(half[0], self.rng.uniform(2.8, 11), half[1]))
        self.put(build, x, z)

    def _garden(self, side: int, z: float, long: float) -> None:
        kind = ("wall", "fence", "hedge")[self.rng.integers(3)]
        self.put(partial(things.barrier, kind=kind, long=long), side * (self.edge() + 0.4), z)
        for _ in range(self.rng.integers(1, 4)):
            x, place = self.edge() + self.rng.uniform(3, 9), z + self.rng.uniform(-0.4, 0.4) * long
            self.put(things.tree, side * x, place)

    def plant(self) -> None:
        """Plant an avenue of trees, and bushes on the verge."""
        for side in (-1, 1):
            step = self.rng.uniform(7, 16)
            for z in np.arange(-AHEAD / 2, AHEAD / 2, step).tolist():
                place = z + self.rng.uniform(-1, 1)
                if self.rng.random() < 0.45 and self.free(place, 3):
                    self.put(things.tree, side * (self.lane + 0.8), place)
                if self.verge and self.free(place, 4):
                    x = side * (self.edge() - self.verge / 2)
                    self.put(things.bush, x, place + 2)

    def park(self) -> None:
        """Park cars and a few trucks along the curbs."""
        for side in (-1, 1) if self.parking else ():
            density, z = self.rng.uniform(0.1, 0.75), -45.0 + self.rng.uniform(0, 5)
            while z < 50:
                build = things.car if abs(z) < 12 or self.rng.random() < 0.9 else things.truck
                half = 2.4 if build is things.car else 4.1
                if self.rng.random() < density and self.free(z + half, 5):
                    self.put(build, side * (self.lane - 1.05), z + half, _heading(side))
                z += 2 * half + self.rng.uniform(0.8, 3.5)

    def drive(self) -> None:
        """Let vehicles drive in both lanes, clear of the camera and of one another."""
        for side in (-1, 1):
            for way in (-1, 1):
                z = CLEAR + self.rng.uniform(0, 8)
                while z < 60:
                    z += self._vehicle(side, way, z) + self.rng.uniform(8, 32)

    def _vehicle(self, side: int, way: int, gap: float) -> float:
        """Add a vehicle that begins `gap` metres from the camera; how long it is."""
        build = TRAFFIC[self.rng.choice(len(TRAFFIC), p=SHARES)]
        pieces = build(self.rng, self.climate)
        half = max(abs(piece.centre[2]) + max(piece.half) for piece in pieces)
        x, z = side * self.path, way * (gap + half)
        if self.free(z, 4):
            self.add(pieces, x, z, _heading(side))
            if build in (things.motorcycle, things.bicycle):
                self.put(things.rider, x, z, _heading(side))
        return 2 * half

    def furnish(self) -> None:
        """Set up lamp posts, road signs, traffic lights and parked bicycles."""
        for side in (-1, 1):
            x = side * (self.lane + 0.5)
            for z in np.arange(-40, 45, self.rng.uniform(18, 28)).tolist():
                self.put(things.pole, x, z, _heading(side))
            for _ in range(self.rng.integers(1, 4)):
                self._mast(things.sign_plate, x, self.rng.uniform(-30, 30), _heading(side))
            for way in (-1, 1) if self.crossing != NOWHERE else ():
                z = self.crossing + way * (self.across + 0.6)
                self._mast(things.light_box, x, z, _heading(-way))
            for _ in range(self.rng.integers(0, 3)):
                place = side * (self.lane + self.walk - 0.4), self.rng.uniform(-20, 20)
                self.put(things.bicycle, *place, self.rng.uniform(-0.3, 0.3))

    def _mast(self, build: things.Builder, x: float, z: float, yaw: float) -> None:
        self.put(things.post, x, z, yaw)
        self.put(build, x, z, yaw)

    def people(self) -> None:
        """Let people walk on the pavements, and a few cross the road."""
        for _ in range(self.rng.integers(5, 14)):
            side, z = self.rng.choice((-1, 1)), self.rng.uniform(-25, 30)
            x = side * (self.lane + self.rng.uniform(0.5, self.walk - 0.3))
            self.put(things.person, x, z, _heading(self.rng.choice((-1, 1))))
        for _ in range(self.rng.integers(0, 3)):
            z = self.rng.choice((-1, 1)) * self.rng.uniform(CLEAR, 14)
            self.put(things.person, self.rng.uniform(-0.9, 0.9) * self.lane, z, np.pi / 2)


def _heading(side: int) -> float:
    """Turn of what goes ahead on the right side, and comes back on the left."""
    return 0.0 if side > 0 else np.pi
