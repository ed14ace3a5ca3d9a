"""Ten generated scenes to try a model on: days, nights, and a street full of smoke."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from samantic.scenes import draw_scene

SEED = 2
"""Scene family from which the scenes are drawn."""

SIZE = (480, 640)


class Shown(NamedTuple):
    """A scene.

    Attributes:
        title: Its title on the page.
        number: Its number in the family.
        night: Whether it is night.
        smoke: Share of light that the smoke absorbs where it is thickest.
    """

    title: str
    number: int
    night: bool
    smoke: float = 0.0


SCENES = {
    "day-street": Shown("People and cones by day", 0, False),
    "day-car": Shown("A car across the road by day", 2, False),
    "day-cones": Shown("Cones and bikes by day", 4, False),
    "night-street": Shown("Riders and cars at night", 1, True),
    "night-cars": Shown("Parked cars at night", 3, True),
    "night-person": Shown("A person at night", 5, True),
    "night-bike": Shown("People and a bike at night", 7, True),
    "smoke-day": Shown("Smoke by day", 6, False, 0.9),
    "smoke-thick": Shown("Thick smoke by day", 8, False, 1.0),
    "smoke-night": Shown("Smoke at night", 9, True, 0.9),
}
"""The scenes by name: three by day, four at night, three with smoke."""


@lru_cache(maxsize=2 * len(SCENES))
def picture(name: str, camera: str) -> bytes:
    """The PNG of a camera, rgb or thermal, for a scene of `SCENES`."""
    shown = SCENES[name]
    scene = draw_scene(SEED, shown.number, SIZE, night=shown.night)
    pixels = scene.thermal if camera == "thermal" else smoky(scene.rgb, shown)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def smoky(rgb: NDArray[np.uint8], shown: Shown) -> NDArray[np.uint8]:
    """An image (H, W, 3) with smoke, which absorbs visible light but not long-wave infrared.

    The smoke is noise of two scales, in the gray level of its light.
    """
    if not shown.smoke:
        return rgb
    rng = np.random.default_rng([SEED, shown.number])
    height, width = rgb.shape[:2]
    clouds = sum(
        weight * _noise(rng, cells, (height, width)) for cells, weight in ((4, 0.7), (14, 0.3))
    )
    share = shown.smoke * np.clip(0.45 + 1.1 * clouds, 0, 1)[..., None]
    gray = 45.0 if shown.night else 175.0
    mixed: NDArray[np.uint8] = ((1 - share) * rgb + share * gray).round().astype(np.uint8)
    return mixed


def _noise(rng: np.random.Generator, cells: int, size: tuple[int, int]) -> NDArray[np.float32]:
    """Smooth noise (H, W) in 0..1; its values change over the size of a cell."""
    grid = Image.fromarray(rng.random((cells, cells), dtype=np.float32))
    return np.asarray(grid.resize(size[::-1], Image.Resampling.BICUBIC)).clip(0, 1)
