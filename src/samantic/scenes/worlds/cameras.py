"""Cameras as functions from pixels to viewing directions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from samantic.scenes.worlds.patterns import Floats


@dataclass(frozen=True)
class Equirectangular:
    """A panorama: columns are equal steps of azimuth all around, rows of elevation.

    The middle row looks at the horizon. A picture twice as wide as high shows the whole sphere, a
    flatter one the part of it about the horizon: 400x2048 pixels show 70.3° up and down, as
    DensePASS's do.

    Attributes:
        yaw: Where the middle looks, in turns from z towards x; a 1 / width more rolls the
            picture by one column.
    """

    yaw: float = 0.0
    wraps = True

    def rays(self, size: tuple[int, int]) -> Floats:
        """Unit vectors (H, W, 3) of the pixels of a picture.

        Raises:
            ValueError: It is higher than the whole sphere.
        """
        height, width = size
        if 2 * height > width:
            raise ValueError(f"a panorama is at most half as high as wide, not {height}x{width}")
        columns = (np.arange(width) + 0.5 + self.yaw * width) % width
        azimuth = 2 * np.pi * columns / width - np.pi
        elevation = np.pi * (height - 1 - 2 * np.arange(height)) / width
        flat = np.cos(elevation)[:, None]
        x, z = flat * np.sin(azimuth), flat * np.cos(azimuth)
        y = np.broadcast_to(np.sin(elevation)[:, None], x.shape)
        return np.stack([x, y, z], axis=-1).astype(np.float32)


@dataclass(frozen=True)
class Pinhole:
    """A camera with flat pictures.

    Attributes:
        field: Horizontal field of view in degrees.
        yaw: Where it looks, in turns from z towards x.
        pitch: How far it looks up, in degrees.
    """

    field: float
    yaw: float = 0.0
    pitch: float = 0.0
    wraps = False

    def rays(self, size: tuple[int, int]) -> Floats:
        """Unit vectors (H, W, 3) of the pixels of a picture."""
        height, width = size
        focal = width / 2 / np.tan(np.radians(self.field) / 2)
        right = (np.arange(width) + 0.5 - width / 2) / focal
        up = (height / 2 - 0.5 - np.arange(height))[:, None] / focal
        tilt, turn = np.radians(self.pitch), 2 * np.pi * self.yaw
        y = up * np.cos(tilt) + np.sin(tilt) + 0 * right
        ahead = np.cos(tilt) - up * np.sin(tilt)
        x = right * np.cos(turn) + ahead * np.sin(turn)
        z = ahead * np.cos(turn) - right * np.sin(turn)
        rays = np.stack([x, y, z], axis=-1)
        return np.asarray(rays / np.linalg.norm(rays, axis=-1, keepdims=True), np.float32)


Lens = Equirectangular | Pinhole
