"""Two cameras with different viewpoints: the thermal image is warped into RGB's."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from samantic.config.matrix import NEEDED, check_matrix
from samantic.config.options import fits, quoted
from samantic.errors import InputError, SizeError
from samantic.files import read_yaml
from samantic.spelling import option

RESIZE = "resize"
"""Replaces a calibration where both cameras see the same scene part and only the sizes differ."""

SIZES = ("thermal_size", "rgb_size")
"""Keys beside the matrix in a calibration file: width and height for which the matrix holds."""

Size = tuple[int, int]
"""Height and width in pixels."""

Matrix = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]


class Rig(NamedTuple):
    """How thermal pixels map to RGB pixels.

    Attributes:
        matrix: 3x3 homography from thermal (x, y, 1) to RGB (x, y, 1) in pixels, with pixel centres
            at whole numbers; None where both cameras see the same part of the scene and only the
            sizes differ.
        sizes: Sizes of the thermal and the RGB images for which the matrix holds; None if unknown.
    """

    matrix: Matrix | None
    sizes: tuple[Size, Size] | None = None

    def stored(self) -> Any:
        """The rig in a form for JSON and YAML, which `read_rig` and `rig_from` read back."""
        if self.matrix is None or self.sizes is None:
            return self.matrix or RESIZE
        sizes = {key: size[::-1] for key, size in zip(SIZES, self.sizes, strict=True)}
        return {"thermal_to_rgb": self.matrix, **sizes}

    def check(self, thermal: Size, rgb: Size, name: str, rgb_name: str) -> None:
        """Refuse images of other sizes than the calibration's, and cameras without a common view.

        Raises:
            SizeError: The images have other sizes.
            InputError: No RGB pixel lies in the thermal image.
        """
        for own, size, what in zip(
            self.sizes or (), (thermal, rgb), (name, rgb_name), strict=False
        ):
            if own != size:
                raise SizeError(
                    f"{what}: {size[1]}x{size[0]} pixels, but the calibration is of images of "
                    f"{own[1]}x{own[0]}; give images of that size, or calibrate anew with these"
                )
        if not _meets(self, thermal, rgb):
            raise InputError(
                f"{name}: no pixel of it lies in {rgb_name} by the calibration; is its matrix from "
                "RGB to thermal, or of other sizes? calibrate anew"
            )

    def warp(self, thermal: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
        """Warp (h, w) thermal into RGB's (H, W), bilinearly; 0 where thermal has no pixel."""
        from scipy import ndimage  # imported here: an exported model warps without scipy

        columns, rows = self.places(thermal.shape, size)
        warped: NDArray[np.float32] = ndimage.map_coordinates(
            thermal, [rows, columns], order=1, mode="constant", cval=0.0
        )
        return warped

    def nearest(self, image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
        """Warp an image (h, w) for display into RGB's (H, W), without interpolation or scipy."""
        places = self.places(image.shape, size)
        column, row = (np.rint(place).clip(-1, 1 << 30).astype(np.int64) for place in places)
        seen = (row >= 0) & (column >= 0) & (row < image.shape[0]) & (column < image.shape[1])
        warped = np.zeros(size, np.uint8)
        warped[seen] = image[row[seen], column[seen]]
        return warped

    def places(
        self, thermal: tuple[int, ...], size: tuple[int, int]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Column and row (H, W) in the thermal image (h, w) of each RGB pixel."""
        back = np.linalg.inv(self._homography(thermal, size))
        y, x = np.indices(size, dtype=np.float64)
        there = np.tensordot(back, np.stack([x, y, np.ones_like(x)]), axes=1)
        columns, rows = there[0] / there[2], there[1] / there[2]
        if self.matrix is None:  # border pixels map up to half a pixel beyond the outer centres
            columns, rows = columns.clip(0, thermal[1] - 1), rows.clip(0, thermal[0] - 1)
        return columns, rows

    def _homography(self, thermal: tuple[int, ...], rgb: tuple[int, ...]) -> NDArray[np.float64]:
        if self.matrix is not None:
            return np.array(self.matrix)
        sy, sx = rgb[0] / thermal[0], rgb[1] / thermal[1]
        return np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1]])


@lru_cache(maxsize=16)
def _meets(rig: Rig, thermal: Size, rgb: Size) -> bool:
    """Whether thermal sees any RGB pixel."""
    columns, rows = rig.places(thermal, rgb)
    inside = (columns >= 0) & (columns <= thermal[1] - 1) & (rows >= 0) & (rows <= thermal[0] - 1)
    return bool(inside.any())


def read_rig(text: str | list[list[float]] | dict[str, Any]) -> Rig:
    """Read `resize`, a 3x3 or affine 2x3 matrix, or a YAML file with the key `thermal_to_rgb`.

    With the keys of `SIZES` too, images of other sizes are refused.

    Raises:
        InputError: There is no such file, or it holds no invertible matrix.
    """
    if text == RESIZE:
        return Rig(None)
    if not isinstance(text, str):
        return rig_from(text, option("data.rig"))
    values = read_yaml(Path(text), "calibration; give a YAML file, or resize")
    return rig_from(values if isinstance(values, dict) else None, text)


def rig_from(given: Any, name: str) -> Rig:
    """Make a rig from a nested list of numbers, or from what a calibration file holds.

    Raises:
        InputError: It is no 3x3 or 2x3 matrix, the matrix cannot be inverted, or a size is none.
    """
    matrix, sizes = given, None
    if isinstance(given, dict):
        matrix = given.get("thermal_to_rgb")
        if any(key in given for key in SIZES):
            thermal, rgb = (_size_in(given.get(key), f"{name}: {key}") for key in SIZES)
            sizes = thermal, rgb
    try:
        numbers = np.array(matrix, dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.zeros(0)
    if numbers.shape == (2, 3):
        numbers = np.vstack([numbers, [0, 0, 1]])
    if numbers.shape != (3, 3) or not np.isfinite(numbers).all():
        raise InputError(f"{name}: {NEEDED}")
    check_matrix(numbers.tolist(), name)
    a, b, c = (tuple(float(v) for v in row) for row in numbers)
    return Rig((a, b, c), sizes)  # type: ignore[arg-type]


def _size_in(value: Any, what: str) -> Size:
    """The size in a calibration file, where it is width and height.

    Raises:
        InputError: It is none.
    """
    if not fits(value, tuple[int, int]) or min(value) < 1:
        raise InputError(f"{what} is {quoted(value)}; it must be width and height in pixels")
    return value[1], value[0]
