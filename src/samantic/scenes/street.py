"""The street of a scene: its course, its markings and its surroundings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from samantic.scenes.backdrop import building, hedge, tree, wall
from samantic.scenes.canvas import Viewpoint
from samantic.scenes.light import Climate
from samantic.scenes.things import Color, Group, Paint, Point, Thing

CURVE, BUMP = 4, 8

GROUND = 1e4
"""Distance at which the ground is drawn: before all objects that stand on it."""


class Street:
    """A road through a seeded town, filled with things.

    Places on the ground are given as metres ``s`` to the right of the road's middle line and ``z``
    in front of the camera.

    Attributes:
        things: What has been put into the street so far.
        lamps: Places of the burning lamps.
        width: Width of the road in metres.
        pavement: Width of the pavement on either side in metres.
        camera: The camera.
        climate: Light and temperatures.
        rng: Source of the layout.
    """

    def __init__(self, rng: np.random.Generator, camera: Viewpoint, climate: Climate) -> None:
        self.rng, self.camera, self.climate = rng, camera, climate
        self.things: list[Thing] = []
        self.lamps: list[Point] = []
        self.width, self.pavement = rng.uniform(5, 8.5), rng.uniform(1.4, 3.5)
        self._line = (rng.uniform(-1.3, 1.3), rng.uniform(-0.12, 0.12), rng.uniform(-3e-3, 3e-3))
        self._instances = 1
        grey, tone = rng.uniform(0.2, 0.42), rng.uniform(0.3, 0.6)
        heat, solar = climate.heat, climate.solar
        tints = rng.uniform(0.9, 1.1, 3)
        pave = (tone * tints[0], tone * tints[1], tone * tints[2])
        self.asphalt = Paint((grey, grey, grey * 1.03), heat["road"], 0.11, solar, ground=True)
        self._paving = Paint(pave, heat["walk"], 0.16, solar, ground=True)
        verge = (0.2, 0.26, 0.1) if rng.random() < 0.6 else (0.35, 0.3, 0.22)
        self._earth = Paint(verge, heat["earth"], 0.3, solar, ground=True)

    def instance(self) -> int:
        """Return a fresh instance id; 1 is the sky."""
        self._instances += 1
        return self._instances

    def middle(self, z: float) -> float:
        """Return x of the road's middle line."""
        return self._line[0] + self._line[1] * z + self._line[2] * z * z

    def heading(self, z: float) -> float:
        """Return the direction of the road as a yaw in radians."""
        return float(np.arctan(self._line[1] + 2 * self._line[2] * z))

    def add(
        self,
        label: int,
        groups: list[Group],
        s: float,
        z: float,
        *,
        yaw: float = 0.0,
        solid: bool = False,
        far: float | None = None,
        instance: int | None = None,
    ) -> None:
        """Put an object on the ground, turned by yaw against the direction of the road."""
        number = self.instance() if instance is None else instance
        turn = self.heading(z) + yaw
        self.things.append(Thing(label, number, groups, self.middle(z) + s, z, turn, solid, far))

    def lay(self, label: int, faces: Sequence[tuple[list[Point], Paint]]) -> None:
        """Paint faces, given in x and z of the camera, on the ground over what lies there."""
        layer = GROUND - len(self.things)
        self.things.append(Thing(label, self.instance(), [list(faces)], far=layer))

    def ribbon(self, s0: float, s1: float, z0: float, z1: float) -> list[Point]:
        """Return a band of ground along the road."""
        steps = np.geomspace(max(z0, 0.4), z1, 2 if z1 < 1.6 * z0 else 14).tolist()
        left = [(self.middle(z) + s0, 0.0, z) for z in steps]
        right = [(self.middle(z) + s1, 0.0, z) for z in steps]
        return left + right[::-1]

    def pave(self) -> None:
        """Lay earth, pavements and road, then what is painted on the road by chance."""
        earth: list[Point] = [(-400, 0, 0.6), (400, 0, 0.6), (400, 0, 300), (-400, 0, 300)]
        edge, kerb = self.width / 2, Paint((0.6, 0.6, 0.58), self._paving.heat, 0.1, ground=True)
        self.lay(0, [(earth, self._earth)])
        for side in (-1, 1):
            outer = side * (edge + self.pavement)
            faces = [(self.ribbon(side * edge, outer, 0.6, 90), self._paving)]
            faces.append((self.ribbon(side * edge, side * (edge + 0.14), 0.6, 90), kerb))
            self.lay(0, faces)
        self.lay(0, [(self.ribbon(-edge, edge, 0.6, 90), self.asphalt)])
        chances = (
            (self._patches, 0.5),
            (self._lane_marks, 0.65),
            (self._crossing, 0.22),
            (self._stop_line, 0.2),
            (self._arrow, 0.25),
            (self._manholes, 0.45),
        )
        for paint, chance in chances:
            if self.rng.random() < chance:
                paint()

    def painted(self, color: Color, retro: float = 0.9) -> Paint:
        """Return road paint: as warm and as grained as the asphalt below."""
        return self.asphalt._replace(color=color, retro=retro)

    def _patches(self) -> None:
        for _ in range(self.rng.integers(1, 4)):
            s, z = self.rng.uniform(-0.4, 0.4) * self.width, self.rng.uniform(3, 14)
            grey = self.rng.uniform(0.12, 0.5)
            heat = self.asphalt.heat + self.rng.uniform(-9, 9)
            patch = self.asphalt._replace(color=(grey, grey, grey), heat=heat)
            size = self.rng.uniform(0.4, 1.6), self.rng.uniform(0.6, 4.0)
            self.lay(0, [(self.ribbon(s, s + size[0], z, z + size[1]), patch)])

    def _lane_marks(self) -> None:
        paint = self.painted(((0.8, 0.8, 0.78), (0.8, 0.65, 0.15))[self.rng.integers(2)], 0.6)
        s, wide = self.rng.uniform(-0.12, 0.12) * self.width, self.rng.uniform(0.1, 0.18)
        if self.rng.random() < 0.2:
            dash, gap = 60.0, 1.0
        else:
            dash, gap = self.rng.uniform(1.5, 3), self.rng.uniform(1.5, 4)
        for z in np.arange(self.rng.uniform(1, 4), 30, dash + gap).tolist():
            self.lay(0, [(self.ribbon(s, s + wide, z, z + dash), paint)])

    def _crossing(self) -> None:
        z, deep, wide = (
            self.rng.uniform(5, 15),
            self.rng.uniform(2, 3.5),
            self.rng.uniform(0.4, 0.55),
        )
        paint, edge = self.painted((0.85, 0.85, 0.85), 0.7), self.width / 2 - 0.3
        starts = np.arange(-edge, edge - wide, 2 * wide).tolist()
        self.lay(0, [(self.ribbon(s, s + wide, z, z + deep), paint) for s in starts])

    def _stop_line(self) -> None:
        z, half = self.rng.uniform(4, 12), self.width / 2 - 0.3
        start = self.rng.choice((-half, 0.0))
        line = self.ribbon(start, half, z, z + self.rng.uniform(0.3, 0.5))
        self.lay(0, [(line, self.painted((0.88, 0.88, 0.88)))])

    def _arrow(self) -> None:
        s, z = self.rng.choice((-0.25, 0.25)) * self.width, self.rng.uniform(4, 9)
        x, paint = self.middle(z) + s, self.painted((0.87, 0.87, 0.85))
        head: list[Point] = [(x - 0.45, 0, z + 2), (x + 0.45, 0, z + 2), (x, 0, z + 3.4)]
        self.lay(0, [(self.ribbon(s - 0.1, s + 0.1, z, z + 2), paint), (head, paint)])

    def _manholes(self) -> None:
        angles = np.linspace(0, 2 * np.pi, 14, endpoint=False)
        for _ in range(self.rng.integers(1, 3)):
            s, z = self.rng.uniform(-0.4, 0.4) * self.width, self.rng.uniform(3, 9)
            heat = self.climate.heat[("metal", "hot")[self.rng.integers(2)]]
            lid = self.asphalt._replace(color=(0.25, 0.22, 0.2), heat=heat)
            rim = np.stack([self.middle(z) + s + 0.38 * np.cos(angles), z + 0.38 * np.sin(angles)])
            self.lay(0, [([(x, 0.0, depth) for x, depth in rim.T.tolist()], lid)])

    def curve(self) -> None:
        """Paint the edge of the road on one side or both: class curve."""
        sides = ((-1,), (1,), (-1, 1))[self.rng.integers(3)]
        color = ((0.9, 0.9, 0.88), (0.9, 0.7, 0.1))[self.rng.integers(2)]
        wide, gap = self.rng.uniform(0.45, 0.65), self.rng.uniform(0.0, 0.3)
        for side in sides:
            edge = side * (self.width / 2 - gap)
            reach = self.rng.uniform(1, 3.5), self.rng.uniform(10, 18)
            band = self.ribbon(edge, edge - side * wide, *reach)
            self.lay(CURVE, [(band, self.painted(color))])

    def bump(self) -> None:
        """Paint a speed bump across the road in slanted stripes: class bump."""
        z, deep = 1 / self.rng.uniform(1 / 9, 1 / 3.6), self.rng.uniform(1.0, 1.7)
        half, wide = self.width / 2 - self.rng.uniform(0.1, 0.7), self.rng.uniform(0.35, 0.6)
        light = ((0.9, 0.72, 0.1), (0.9, 0.9, 0.88), (0.85, 0.3, 0.1))[self.rng.integers(3)]
        paints = self.painted(light), self.painted((0.09, 0.09, 0.09), 0.9)
        slant = self.rng.uniform(-0.8, 0.8)
        faces = [(self.ribbon(-half, half, z, z + deep), paints[1])]
        for s in np.arange(-half + 0.4, half - wide - 0.4, 2 * wide).tolist():
            near, far = self.middle(z) + s, self.middle(z + deep) + s + slant * 0.4
            stripe: list[Point] = [(near, 0, z), (near + wide, 0, z)]
            stripe += [(far + wide, 0, z + deep), (far, 0, z + deep)]
            faces.append((stripe, paints[0]))
        self.lay(BUMP, faces)

    def line_with_houses(self) -> None:
        """Fill both sides of the street and its far end with houses, walls, hedges and trees."""
        for side in (-1, 1):
            z = self.rng.uniform(0.5, 5)
            while z < 55:
                depth = self.rng.uniform(5, 14)
                self._lot(side, z, depth)
                z += depth + self.rng.uniform(0, 4)
        for _ in range(self.rng.integers(2, 5)):
            groups = building(self.rng, self.climate, 6, self.rng.uniform(8, 20))
            self.add(0, groups, self.rng.uniform(-40, 40), self.rng.uniform(65, 90), solid=True)

    def _lot(self, side: int, z: float, depth: float) -> None:
        s = side * (self.width / 2 + self.pavement + self.rng.uniform(0.1, 2))
        kind = self.rng.choice(5, p=(0.45, 0.15, 0.15, 0.2, 0.05))
        if kind < 3:
            width = (9.0, 0.4, 1.4)[kind]
            groups = (building, wall, hedge)[kind](self.rng, self.climate, depth, width)
            place = s + side * width / 2
            self.add(0, groups, place, z + depth / 2, solid=True, far=z + depth)
        elif kind == 3:
            for _ in range(self.rng.integers(2, 4)):
                spot = s + side * self.rng.uniform(0, 4)
                self.add(0, tree(self.rng, self.climate), spot, z + self.rng.uniform(0, depth))
