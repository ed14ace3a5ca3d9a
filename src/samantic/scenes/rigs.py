"""Scenes as a rig sees them: the thermal camera has its own viewpoint and its own faults."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.floating]


def draw_rig(rng: np.random.Generator, rgb: tuple[int, int], thermal: tuple[int, int]) -> Floats:
    """Draw a homography from thermal pixels to RGB pixels, typical for a rig of two cameras.

    Thermal's view is 0.5 to 1.15 times as wide as RGB's, rotated by up to 4 degrees, shifted by up
    to 8 % of RGB's width, stretched by up to 3 %, and tilted by up to 4 % of a side.

    Args:
        rng: Random generator.
        rgb: Height and width of RGB's images.
        thermal: Height and width of thermal images.
    """
    (tall, wide), (h, w) = rgb, thermal
    across = rng.uniform(0.5, 1.15) * wide / w
    turn = np.radians(rng.uniform(-4, 4))
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    part = across * rotation @ np.diag([1, rng.uniform(0.97, 1.03)])
    middle = np.array([(wide - 1) / 2, (tall - 1) / 2]) + rng.uniform(-0.08, 0.08, 2) * wide
    tilt, centre = np.eye(3), np.eye(3)
    tilt[2, :2] = rng.uniform(-0.04, 0.04, 2) / np.array([w, h])
    centre[:2, 2] = -(w - 1) / 2, -(h - 1) / 2
    placed = np.vstack([np.column_stack([part, middle]), [0, 0, 1]])
    matrix = placed @ tilt @ centre
    found: Floats = matrix / matrix[2, 2]
    return found


def seen_by_rig(thermal: NDArray[np.uint8], matrix: Floats, size: tuple[int, int]) -> Floats:
    """Warp a thermal image that is aligned with RGB to a rig's thermal camera.

    Args:
        thermal: (H, W), aligned with RGB.
        matrix: Homography from thermal pixels to RGB pixels.
        size: Height and width of the camera's images; beyond the scene, its mirror image continues.
    """
    rows, columns = np.indices(size, dtype=np.float64)
    there = np.tensordot(matrix, np.stack([columns, rows, np.ones_like(rows)]), axes=1)
    shrink = np.sqrt(abs(np.linalg.det(matrix[:2, :2])))
    soft = ndimage.gaussian_filter(thermal.astype(np.float64), max(0.0, 0.5 * shrink - 0.3))
    places = [there[1] / there[2], there[0] / there[2]]
    found: Floats = ndimage.map_coordinates(soft, places, order=1, mode="mirror")
    return found


def other_contrast(rng: np.random.Generator, thermal: Floats, noise: float = 3.0) -> Floats:
    """Map the gray levels of a thermal image to an unrelated order, and add sensor noise.

    A curve through random points maps the gray levels, so that edges vanish or change their sign.
    Noise is added to each pixel, and an offset to each column.

    Args:
        rng: Random generator.
        thermal: (h, w) in 0..255.
        noise: Standard deviation of the noise in gray levels.
    """
    levels = np.interp(thermal, np.linspace(0, 255, 6), rng.uniform(0, 255, 6))
    columns = rng.normal(0, noise / 2, thermal.shape[1])
    return levels + columns + rng.normal(0, noise, thermal.shape)
