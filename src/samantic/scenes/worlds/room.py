"""An office and its furniture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from samantic.data.cards.rgb import STANFORD2D3D
from samantic.scenes.backdrop import vivid
from samantic.scenes.light import Climate, draw_climate
from samantic.scenes.things import Color, Paint, Point, Rng, any_color
from samantic.scenes.worlds.solids import Solid
from samantic.scenes.worlds.view import World

LABEL = {name: label for label, name in enumerate(STANFORD2D3D.classes)}

SLAB = 0.1
"""Half the thickness of walls, floor and ceiling in metres."""


def room_world(seed: int, index: int) -> World:
    """Build the room (seed, index); the eye is to stand in its middle, x = z = 0."""
    rng, weather = (np.random.default_rng([seed, index, part]) for part in range(2))
    climate = draw_climate(weather, night=False)
    indoors = replace(
        climate, sun=(0.0, 0.0, 0.0), sunlight=0.0, ambient=weather.uniform(0.75, 0.95)
    )
    room = _Room(rng, indoors)
    room.hang()
    room.furnish()
    return World(room.solids, None, indoors, (1.0, 1.0, 1.0), LABEL["wall"], (seed, index, 2))


class _Room:
    """A room under construction.

    Attributes:
        half: Half its extent along x and z.
        tall: Its height.
        solids: What there is so far; the floor first.
    """

    def __init__(self, rng: Rng, climate: Climate) -> None:
        self.rng, self.climate = rng, climate
        self.half = (rng.uniform(2.4, 5), rng.uniform(2.4, 5))
        self.tall = rng.uniform(2.6, 3.6)
        self.solids: list[Solid] = []
        self.count = 1
        (x, z), t = self.half, self.tall
        pale = rng.uniform(0.6, 0.85)
        wall = self.paint((pale, pale * rng.uniform(0.9, 1), pale * rng.uniform(0.8, 1)), "wall")
        wood = self.paint((0.45, 0.32, 0.2) if rng.random() < 0.5 else (0.35, 0.36, 0.4), "walk")
        white = self.paint((0.88, 0.88, 0.86), "wall")
        self.box("floor", wood, (0, -SLAB, 0), (x, SLAB, z))
        self.box("ceiling", white, (0, t + SLAB, 0), (x, SLAB, z))
        for side in (-1, 1):
            self.box("wall", wall, (side * (x + SLAB), t / 2, 0), (SLAB, t / 2, z))
            self.box("wall", wall, (0, t / 2, side * (z + SLAB)), (x, t / 2, SLAB))

    def paint(self, color: Color, substance: str) -> Paint:
        """A paint as warm as a substance of the climate."""
        return Paint(color, self.climate.heat[substance], 0.05)

    def add(self, pieces: Sequence[Solid], x: float = 0, z: float = 0, yaw: float = 0) -> None:
        """Place a thing."""
        self.count += 1
        self.solids += [piece.placed(x, z, yaw, self.count) for piece in pieces]

    def box(self, name: str, paint: Paint, centre: Point, half: Point) -> None:
        """Place a thing that is one box."""
        self.add([Solid("box", centre, half, paint, LABEL[name])])

    def on_wall(self, name: str, paint: Paint, half: Point, height: float, side: int) -> None:
        """Hang a box of half extents along, up and deep on wall 0..3, at a drawn place."""
        along, tall, deep = half
        length, away = self.half[side % 2], self.half[1 - side % 2]
        place = float(self.rng.uniform(-1, 1) * max(length - along - 0.2, 0))
        solid = Solid("box", (place, height, away - deep), (along, tall, deep), paint, LABEL[name])
        if name == "bookcase":
            solid = solid.showing(self.paint(any_color(self.rng), "wall"), "books")
        self.add([solid], yaw=side * np.pi / 2)

    def hang(self) -> None:
        """Put doors, windows, boards and shelves on the walls, and perhaps a beam and a column."""
        rng, glass = self.rng, Paint((0.75, 0.85, 0.95), self.climate.heat["glass"], 0.02)
        brown = self.paint((0.42, 0.27, 0.15), "wall")
        for side in rng.permutation(4)[: rng.integers(1, 3)].tolist():
            self.on_wall("door", brown, (0.45, 1.02, 0.03), 1.02, side)
        for side in rng.permutation(4)[: rng.integers(1, 3)].tolist():
            self.on_wall("window", glass, (rng.uniform(0.5, 1.2), 0.6, 0.02), 1.6, side)
        for side in rng.permutation(4)[: rng.integers(0, 3)].tolist():
            board = self.paint((0.9, 0.9, 0.92), "concrete")
            self.on_wall("board", board, (rng.uniform(0.6, 1.2), 0.5, 0.02), 1.5, side)
        for side in rng.permutation(4)[: rng.integers(1, 4)].tolist():
            tall, wood = rng.uniform(0.5, 1.1), self.paint((0.5, 0.38, 0.25), "wall")
            self.on_wall("bookcase", wood, (rng.uniform(0.4, 1.0), tall, 0.17), tall, side)
        grey = self.paint((0.7, 0.7, 0.7), "concrete")
        if rng.random() < 0.6:
            place = (0, self.tall - 0.15, rng.uniform(-0.7, 0.7) * self.half[1])
            self.box("beam", grey, place, (self.half[0], 0.15, 0.12))
        if rng.random() < 0.5:
            x, z = (
                0.8 * self.half[0] * rng.choice((-1, 1)),
                0.5 * self.half[1] * rng.choice((-1, 1)),
            )
            half = (0.2, self.tall / 2, 0.2)
            self.add([Solid("cylinder", (0, self.tall / 2, 0), half, grey, LABEL["column"])], x, z)

    def furnish(self) -> None:
        """Set out tables with chairs and clutter, and perhaps a sofa."""
        for way in (-1, 1):
            x, z = (
                self.rng.uniform(-0.5, 0.5) * self.half[0],
                way * self.rng.uniform(1.4, self.half[1] - 0.9),
            )
            self._table(x, z)
        if self.rng.random() < 0.6:
            paint = self.paint(any_color(self.rng), "cloth")._replace(
                heat=self.climate.heat["wall"]
            )
            x = self.rng.choice((-1, 1)) * (self.half[0] - 0.5)
            seat = Solid("box", (0, 0.22, 0), (0.9, 0.22, 0.4), paint, LABEL["sofa"])
            back = Solid("box", (0, 0.55, 0.33), (0.9, 0.35, 0.1), paint, LABEL["sofa"])
            self.add([seat, back], x, 0, np.pi / 2 if x > 0 else -np.pi / 2)
        for _ in range(self.rng.integers(2, 6)):
            x, z = (
                self.rng.uniform(0.5, 0.9) * self.rng.choice((-1, 1)) * part for part in self.half
            )
            size = tuple(float(part) for part in self.rng.uniform(0.1, 0.25, 3))
            self.box("clutter", self.paint(vivid(self.rng), "wall"), (x, size[1], z), size)  # type: ignore[arg-type]

    def _table(self, x: float, z: float) -> None:
        wood, wide = self.paint(any_color(self.rng, 0.4), "wall"), self.rng.uniform(0.6, 0.9)
        metal = self.paint((0.3, 0.3, 0.3), "concrete")
        top = Solid("box", (0, 0.73, 0), (wide, 0.025, 0.4), wood, LABEL["table"])
        legs = [
            Solid(
                "cylinder",
                (a * (wide - 0.08), 0.36, b * 0.33),
                (0.03, 0.36, 0.03),
                metal,
                LABEL["table"],
            )
            for a in (-1, 1)
            for b in (-1, 1)
        ]
        self.add([top, *legs], x, z)
        screen = Paint((0.08, 0.09, 0.12), self.climate.heat["hot"], 0.02)
        self.box("clutter", screen, (x, 0.98, z), (0.25, 0.17, 0.02))
        for way in (-1, 1):
            self._chair(x + self.rng.uniform(-0.3, 0.3), z + way * 0.7, way)

    def _chair(self, x: float, z: float, way: int) -> None:
        cloth, label = self.paint(any_color(self.rng), "wall"), LABEL["chair"]
        seat = Solid("box", (0, 0.45, 0), (0.22, 0.04, 0.22), cloth, label)
        back = Solid("box", (0, 0.75, 0.22), (0.21, 0.22, 0.03), cloth, label)
        stem = Solid(
            "cylinder",
            (0, 0.22, 0),
            (0.03, 0.2, 0.03),
            self.paint((0.2, 0.2, 0.2), "concrete"),
            label,
        )
        foot = Solid(
            "cylinder",
            (0, 0.03, 0),
            (0.25, 0.03, 0.25),
            self.paint((0.2, 0.2, 0.2), "concrete"),
            label,
        )
        self.add(
            [seat, back, stem, foot], x, z, (0 if way > 0 else np.pi) + self.rng.uniform(-0.4, 0.4)
        )
