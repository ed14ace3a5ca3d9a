"""Fields of edge directions of pairs, and their agreement after thermal is warped to RGB."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import fft, ndimage

from samantic.calibrate.geometry import Floats, scaled
from samantic.data.alignment import edge_directions

Field = NDArray[np.complex64]
"""exp(2i angle) of each pixel's gradient, weighed by its strength; 0 where unknown. (H, W), or (N,
H, W) for several images."""

BORDER = 4
"""Width in pixels of the border of a warped image in which gradients are not used."""


@dataclass(frozen=True)
class Pyramid:
    """The pairs of a rig at one resolution of RGB.

    Args:
        rgb: Gray images (H, W) float32, all of one size.
        thermal: Cleaned images (h, w) float32, all of one size.
        width: Width of the RGB images at this resolution, in pixels.
    """

    rgb: Sequence[NDArray[np.float32]]
    thermal: Sequence[NDArray[np.float32]]
    width: int

    @property
    def shrink(self) -> Floats:
        """Homography from full RGB pixels to those of this resolution."""
        height, width = self.rgb[0].shape
        return scaled(self.size[1] / width, self.size[0] / height)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width at this resolution."""
        height, width = self.rgb[0].shape
        wide = min(self.width, width)
        return max(8, round(height * wide / width)), wide

    @cached_property
    def ours(self) -> Field:
        """RGB's fields, (N, H, W)."""
        return np.stack([field_of(resized(image, self.size)) for image in self.rgb])

    def theirs(self, matrix: Floats) -> Field:
        """Thermal's fields (N, H, W), warped by a homography from thermal to RGB pixels."""
        h, w = self.thermal[0].shape
        whole = self.shrink @ matrix
        scale = np.sqrt(abs(np.linalg.det((whole / whole[2, 2])[:2, :2])))
        by = min(1.0, float(scale))
        small = (max(8, round(h * by)), max(8, round(w * by)))
        back = scaled(small[1] / w, small[0] / h) @ np.linalg.inv(whole)
        rows, columns = np.indices(self.size, dtype=np.float64)
        there = np.tensordot(back, np.stack([columns, rows, np.ones_like(rows)]), axes=1)
        x, y = there[0] / there[2], there[1] / there[2]
        inside = (x >= 0) & (x <= small[1] - 1) & (y >= 0) & (y <= small[0] - 1) & (there[2] > 0)
        inside = ndimage.binary_erosion(inside, iterations=BORDER)
        fields = []
        for image in self.thermal:
            warped = ndimage.map_coordinates(resized(image, small), [y, x], order=1, mode="nearest")
            fields.append(np.where(inside, field_of(warped), 0).astype(np.complex64))
        return np.stack(fields)


def field_of(gray: NDArray[np.float32]) -> Field:
    """The field (H, W) of edge directions of an image."""
    cosine, sine = edge_directions(gray.astype(np.float64))
    return (cosine + 1j * sine).astype(np.complex64)


def resized(image: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Resize an image (H, W) by averaging."""
    if image.shape == size:
        return image
    method = Image.Resampling.BOX if size[0] <= image.shape[0] else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(image).resize((size[1], size[0]), method), np.float32)


def without_mean(fields: Field) -> Field:
    """Fields (N, H, W) minus their mean: what all share, such as a logo or a lens's frame."""
    return fields if len(fields) < 3 else fields - fields.mean(axis=0)


def correlation(ours: Field, theirs: Field, reach: tuple[int, int]) -> tuple[Floats, Floats]:
    """Agreement of pairs of fields under shifts of the second, and its variance under chance.

    For a shift t the agreement is sum_x Re(conj(a(x)) b(x + t)), summed over the pairs. For
    independent random directions its variance is half of sum_x |a(x)|² |b(x + t)|².

    Args:
        ours: Fields of RGB, (N, H, W).
        theirs: Fields of thermal, (N, H, W).
        reach: Largest shift (down, right) in pixels.

    Returns:
        Agreement and variance, each with shape (2 reach + 1) in both directions. The agreement
        peaks at the shift by which thermal lies below and to the right of RGB.
    """
    down, right = reach
    h, w = ours.shape[1:]
    size = (fft.next_fast_len(h + down), fft.next_fast_len(w + right))
    first, second = (fft.fft2(x, size) for x in (ours, theirs))
    total = fft.ifft2((np.conj(first) * second).sum(axis=0)).real
    first, second = (fft.rfft2(np.abs(x) ** 2, size) for x in (ours, theirs))
    power = fft.irfft2((np.conj(first) * second).sum(axis=0), size)
    both = [
        np.roll(found, (down, right), (0, 1))[: 2 * down + 1, : 2 * right + 1].astype(np.float64)
        for found in (total, power)
    ]
    return both[0], np.maximum(both[1] / 2, 0)
