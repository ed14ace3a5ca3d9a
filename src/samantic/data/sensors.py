"""The table of sensors; code that does not depend on a sensor's physics loops over it.

A third sensor needs a row here, a reader (`data/images.py`), its files in a data card and in the
options, and an encoder that reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # exported files run without torch
    import torch
    from torch import Tensor

T = TypeVar("T")

Change = Callable[["Tensor", "torch.Generator"], "Tensor | None"]
"""Function of images (N, C, H, W) in 0..1 and a generator; it returns None for a missing image."""


def _blur(images: Tensor, generator: torch.Generator) -> Tensor:
    """Gaussian blur with a standard deviation of 3 pixels."""
    from kornia.filters import gaussian_blur2d  # the import takes a second

    return gaussian_blur2d(images, (19, 19), (3.0, 3.0))


def _exposure(stops: float, images: Tensor, generator: torch.Generator) -> Tensor:
    """Change the exposure: multiply linear light by 2^stops, for a camera gamma of 2.2."""
    return (images * 2 ** (stops / 2.2)).clamp(0, 1)


def _affine(gain: float, offset: float, images: Tensor, generator: torch.Generator) -> Tensor:
    return (0.5 + gain * (images - 0.5) + offset).clamp(0, 1)


@dataclass(frozen=True)
class Sensor:
    """One sensor of a rig.

    Attributes:
        name: Its key in samples, batches, options and files.
        title: Its name in reports.
        channels: Channels of its images, (channels, H, W) in 0..1.
        disturbances: Disturbances of this sensor alone, by name.
    """

    name: str
    title: str
    channels: int
    disturbances: Mapping[str, Change]

    def as_colour(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) as the three channels that RGB encoders read: (N, 3, H, W)."""
        return images.expand(-1, 3, -1, -1)

    def as_pixels(self, image: Tensor) -> NDArray[np.uint8]:
        """An image (C, H, W) in 0..1 for display: (H, W, 3) uint8, or (H, W) for one channel."""
        pixels: NDArray[np.uint8] = (image * 255).round().byte().permute(1, 2, 0).numpy()
        return pixels[..., 0] if self.channels == 1 else pixels


SENSORS = {
    sensor.name: sensor
    for sensor in (
        Sensor(
            "rgb",
            "RGB",
            3,
            {
                "rgb blur": _blur,
                "rgb overexposed": partial(_exposure, 2.0),
                "rgb underexposed": partial(_exposure, -2.0),
            },
        ),
        Sensor(
            "thermal",
            "thermal",
            1,
            {
                "thermal gain": partial(_affine, 0.5, 0.0),
                "thermal offset": partial(_affine, 1.0, 0.2),
            },
        ),
    )
}
"""The sensors by name, in the order of columns in `present` and of pictures in reports."""

REFERENCE = "rgb"
"""The sensor on whose pixels labels lie. Other sensors are aligned with it and shifted against
it."""


def given(images: Mapping[str, T | None]) -> dict[str, T]:
    """The images that are not None, in the order of the table."""
    return {name: x for name in SENSORS if (x := images.get(name)) is not None}


def noun(names: Collection[str]) -> str:
    """The word for one sample of these sensors: a pair, or an image if there is one sensor."""
    return "pair" if len(names) > 1 else "image"


def presence(names: Iterable[str]) -> list[bool]:
    """One entry for each sensor of the table: whether it is among the names."""
    there = set(names)
    return [name in there for name in SENSORS]
