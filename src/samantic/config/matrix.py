"""The matrix of a rig, as a configuration gives it. Imports no numpy."""

from __future__ import annotations

from math import isfinite

from samantic.errors import InputError

NEEDED = (
    "needs thermal_to_rgb, a 3x3 homography or a 2x3 affine matrix that takes thermal pixels to "
    "RGB pixels"
)

SINGULAR = "thermal_to_rgb is singular; calibrate anew"

LEAST = 1e-9
"""Determinant below which a matrix counts as singular."""


def check_matrix(rig: str | list[list[float]] | None, key: str = "data.rig") -> None:
    """Refuse an invalid matrix of a rig; a file is checked when it is read.

    Raises:
        InputError: The matrix has a wrong shape or is singular.
    """
    if rig is None or isinstance(rig, str):
        if rig is not None and not rig.strip():
            raise InputError(f"{key} is empty; give a calibration file, a matrix, resize or null")
        return
    rows = [[float(value) for value in row] for row in rig]
    if len(rows) == 2:
        rows.append([0.0, 0.0, 1.0])
    if len(rows) != 3 or any(len(row) != 3 or not all(map(isfinite, row)) for row in rows):
        raise InputError(f"{key}: {NEEDED}")
    (a, b, c), (d, e, f), (g, h, i) = rows
    if abs(a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)) < LEAST:
        raise InputError(f"{key}: {SINGULAR}")
