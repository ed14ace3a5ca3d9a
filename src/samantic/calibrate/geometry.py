"""Homographies of image planes: for resized images, fitted to points, and their distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

TUKEY = 4.685
"""Residuals beyond this many standard deviations have weight 0 (Beaton and Tukey, 1974)."""


def scaled(by: float, by_y: float | None = None) -> Floats:
    """Homography from an image's pixels to the resized image's, centres at whole numbers."""
    by_y = by if by_y is None else by_y
    return np.array([[by, 0, (by - 1) / 2], [0, by_y, (by_y - 1) / 2], [0, 0, 1.0]])


def mapped(matrix: Floats, points: Floats) -> Floats:
    """Map points (N, 2) by a homography; NaN behind the camera."""
    there = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.where(there[:, 2:] > 0, there[:, :2] / there[:, 2:], np.nan)
    return found


def normalised(matrix: Floats) -> Floats:
    """The same homography, scaled so that its last entry is 1."""
    found: Floats = matrix / matrix[2, 2]
    return found


def grid(size: tuple[int, ...], count: int = 9) -> Floats:
    """Points (count², 2) spread evenly over an image of (height, width)."""
    ys, xs = (np.linspace(0, side - 1, count) for side in size[:2])
    return np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)


def apart(one: Floats, other: Floats, thermal: tuple[int, ...], rgb: tuple[int, ...]) -> Floats:
    """Distances in RGB pixels between two homographies, at thermal pixels that RGB sees.

    Args:
        one: Homography from thermal pixels to RGB pixels.
        other: Another one.
        thermal: Height and width of thermal images.
        rgb: Height and width of RGB images.

    Returns:
        A distance for each grid point that at least one homography maps into RGB's image; infinite
        where the other maps it behind the camera. (1,) infinite if there is no such point.
    """
    points = grid(thermal, 21)
    a, b = mapped(one, points), mapped(other, points)
    limit = np.array([rgb[1] - 1, rgb[0] - 1])
    inside = (((a >= 0) & (a <= limit)) | ((b >= 0) & (b <= limit))).all(axis=1)
    distances = np.nan_to_num(np.linalg.norm(a - b, axis=1), nan=np.inf)[inside]
    return distances if inside.any() else np.array([np.inf])


def fitted(source: Floats, target: Floats, weights: Floats) -> Floats:
    """Fit a homography to weighted points (N, 2) by the normalised direct linear transform.

    Source: Hartley and Zisserman, Multiple View Geometry, 2nd edition, algorithm 4.2.
    """
    to, back = _centred(source), _centred(target)
    a, b = mapped(to, source), mapped(back, target)
    one, zero = np.ones(len(a)), np.zeros((len(a), 3))
    rows = np.column_stack([a, one])
    upper = np.hstack([rows, zero, -b[:, :1] * rows])
    lower = np.hstack([zero, rows, -b[:, 1:] * rows])
    system = np.vstack([upper, lower]) * np.sqrt(np.tile(weights, 2))[:, None]
    matrix = np.linalg.svd(system, full_matrices=False)[2][-1].reshape(3, 3)
    return normalised(np.linalg.inv(back) @ matrix @ to)


def affine(source: Floats, target: Floats, weights: Floats) -> Floats:
    """Fit an affine map to weighted points (N, 2) by least squares."""
    root = np.sqrt(weights)[:, None]
    rows = np.column_stack([source, np.ones(len(source))])
    found = np.linalg.lstsq(rows * root, target * root, rcond=None)[0]
    return np.vstack([found.T, [0, 0, 1]])


def robust(source: Floats, target: Floats, weights: Floats, model: str) -> tuple[Floats, Floats]:
    """Fit a map to points with outliers, by reweighted least squares (Tukey).

    The start is an affine map through three points: of 200 random triples, the one with the
    smallest median residual.

    Args:
        source: Points (N, 2).
        target: Their images (N, 2).
        weights: (N,) reliability of each point.
        model: `affine` or `homography`.

    Returns:
        The map, and each point's residual in pixels.
    """
    rng, best = np.random.default_rng(0), np.inf
    matrix: Floats = np.eye(3)
    share = weights / weights.sum()
    for _ in range(200):
        chosen = rng.choice(len(source), 3, replace=False, p=share)
        sample = affine(source[chosen], target[chosen], np.ones(3))
        middle = float(np.median(np.linalg.norm(mapped(sample, source) - target, axis=1)))
        if middle < best:
            best, matrix = middle, sample
    residuals = np.linalg.norm(mapped(matrix, source) - target, axis=1)
    fit = affine if model == "affine" else fitted
    for _ in range(15):
        deviation = max(1.4826 * float(np.median(residuals)), 0.25)
        kept = np.clip(1 - (residuals / (TUKEY * deviation)) ** 2, 0, None) ** 2
        matrix = fit(source, target, weights * kept + 1e-9)
        there = np.linalg.norm(mapped(matrix, source) - target, axis=1)
        residuals = np.nan_to_num(there, nan=1e6)
    return matrix, residuals


def _centred(points: Floats) -> Floats:
    """The map that moves points to their mean and scales their mean distance from it to √2."""
    middle = points.mean(axis=0)
    by = np.sqrt(2) / max(float(np.linalg.norm(points - middle, axis=1).mean()), 1e-9)
    return np.array([[by, 0, -by * middle[0]], [0, by, -by * middle[1]], [0, 0, 1]])
