"""Calibrations of other tools, converted to the homography that this package uses.

A file holds a homography, or two cameras and the pose between them: OpenCV's YAML, Kalibr's, or
plain YAML with the same words. A homography is exact for points of one plane. For two cameras with
different positions it is exact at one distance; for lenses with distortion it is a best fit.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from samantic.calibrate.geometry import Floats, fitted, grid, mapped, normalised
from samantic.data.rig import rig_from
from samantic.errors import InputError
from samantic.files import read_text
from samantic.yaml_text import parse_yaml

HOMOGRAPHY = ("thermaltorgb", "homography", "homographymatrix", "h")
MATRIX = ("cameramatrix", "intrinsicmatrix", "intrinsics", "k", "m", "cm", "mtx")
LENS = ("distortioncoefficients", "distortioncoeffs", "distcoeffs", "distortion", "dist", "d")
"""Words that tools use, without their underscores; a camera's words begin or end with its name."""

WORDS = (
    "it needs thermal_to_rgb, or a homography, or for two cameras camera_matrix and "
    "distortion_coefficients, named 1 and 2 or thermal and rgb, and R and T between them"
)
PLAIN = ("", "none", "pinhole", "radtan", "plumb_bob", "rational_polynomial", "brown", "opencv")
"""Names of a pinhole with Brown's distortion in Kalibr, ROS and other tools."""

ROUNDS = 50
"""Iterations of the fixed point that removes a lens's distortion."""


class Lens(NamedTuple):
    """A pinhole camera with Brown's distortion, as in OpenCV.

    Attributes:
        matrix: (3, 3) focal lengths and principal point in pixels.
        bend: k1, k2, p1, p2, k3, k4, k5, k6; zeros without distortion.
    """

    matrix: Floats
    bend: Floats

    def seen(self, points: Floats) -> Floats:
        """Project points (N, 2) of the plane at distance 1 to pixels."""
        factor, shift = self._bent(points)
        bent = points * factor + shift
        return np.asarray(mapped(self.matrix, bent))

    def unseen(self, pixels: Floats) -> Floats:
        """Points (N, 2) of the plane at distance 1 that project to the pixels, by a fixed point."""
        bent = mapped(np.linalg.inv(self.matrix), pixels)
        points = bent
        for _ in range(ROUNDS):
            factor, shift = self._bent(points)
            points = (bent - shift) / factor
        return points

    def _bent(self, points: Floats) -> tuple[Floats, Floats]:
        k1, k2, p1, p2, k3, k4, k5, k6 = self.bend
        x, y = points.T
        square = x * x + y * y
        factor = (1 + square * (k1 + square * (k2 + square * k3))) / (
            1 + square * (k4 + square * (k5 + square * k6))
        )
        shift = np.stack(
            [
                2 * p1 * x * y + p2 * (square + 2 * x * x),
                p1 * (square + 2 * y * y) + 2 * p2 * x * y,
            ],
            axis=1,
        )
        return factor[:, None], shift


class Found(NamedTuple):
    """The content of a calibration.

    Attributes:
        matrix: Homography from thermal pixels to RGB pixels.
        residual: Largest distance in RGB pixels between the homography and the lens models; 0 for a
            file that holds a homography.
        parallax: Error in RGB pixels at distance 1 (unit of T), if the plane is far away (no
            distance was given); otherwise 0.
        sizes: Heights and widths of thermal and RGB that the principal points suggest; None for a
            file that holds a homography.
    """

    matrix: Floats
    residual: float = 0.0
    parallax: float = 0.0
    sizes: tuple[tuple[int, ...], tuple[int, ...]] | None = None


def read_calibration(
    path: Path,
    *,
    first: str = "thermal",
    distance: float | None = None,
    thermal: tuple[int, ...] | None = None,
) -> Found:
    """Read a calibration of two cameras.

    Args:
        path: The file.
        first: The camera that comes first in the file, `thermal` or `rgb`; names in the file take
            precedence.
        distance: Distance of the plane for which the homography is exact, in the unit of T; None
            for far away.
        thermal: Height and width of thermal images; None to take them from the principal point.

    Raises:
        InputError: The file is no calibration, or its lenses or shapes are not supported.
    """
    values = _flat(_parsed(path))
    for name in HOMOGRAPHY:
        if name in values:
            matrix = np.array(rig_from(_numbers(values[name]), str(path)).matrix)
            back = first == "rgb" and name != "thermaltorgb"
            return Found(normalised(np.linalg.inv(matrix) if back else matrix))
    names = _cameras(values, first, path)
    lenses = [_lens(values, name, path) for name in names]
    turn, shift = _pose(values, path)
    if names[0] in ("rgb", "right") or _second_is_thermal(names, first):
        lenses.reverse()
        turn, shift = turn.T, -turn.T @ shift
    size = thermal or _size(lenses[0])
    return _planar(lenses[0], lenses[1], turn, shift, distance, size, path)


def _second_is_thermal(names: list[str], first: str) -> bool:
    return first == "rgb" and not {"thermal", "rgb"} & set(names)


def _planar(
    thermal: Lens,
    rgb: Lens,
    turn: Floats,
    shift: Floats,
    distance: float | None,
    size: tuple[int, ...],
    path: Path,
) -> Found:
    """The homography nearest to the two cameras' views of a plane.

    A thermal pixel's ray x meets the plane at distance d; RGB sees it in the direction R x + t / d.
    """
    pixels = grid(size, 21)
    rays = np.column_stack([thermal.unseen(pixels), np.ones(len(pixels))])
    seen = rays @ turn.T + (0 if distance is None else shift / distance)
    front = seen[:, 2] > 1e-6
    with np.errstate(invalid="ignore", divide="ignore"):
        target = rgb.seen(seen[:, :2] / seen[:, 2:])
    kept = front & np.isfinite(target).all(axis=1) & np.isfinite(rays).all(axis=1)
    if kept.sum() < len(pixels) // 2:
        raise InputError(f"{path}: RGB sees less than half of what thermal does; is R right?")
    matrix = fitted(pixels[kept], target[kept], np.ones(int(kept.sum())))
    residual = np.linalg.norm(mapped(matrix, pixels[kept]) - target[kept], axis=1).max()
    off = float(np.linalg.norm(rgb.matrix[0, 0] * shift[:2])) if distance is None else 0.0
    return Found(matrix, float(residual), off, (_size(thermal), _size(rgb)))


def _parsed(path: Path) -> dict[Any, Any]:
    """The mapping in a YAML file, also in OpenCV's dialect.

    Raises:
        InputError: The file is no YAML mapping.
    """
    text = read_text(path, "calibration; give a YAML file of OpenCV, Kalibr or thermal_to_rgb")
    text = re.sub(r"^%YAML:?\s*1\.\d\s*$", "", text, count=1, flags=re.MULTILINE)
    text = re.sub(r"!!opencv-matrix|!<tag:yaml.org,2002:opencv-matrix>", "", text)
    try:
        values = parse_yaml(text)
    except ValueError as error:
        raise InputError(f"{path}: not valid YAML ({error})") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: no calibration; {WORDS}")
    return values


def _flat(values: dict[Any, Any], prefix: str = "") -> dict[str, Any]:
    """Values by their words without underscores; a nested key gets the outer word as a prefix."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        word = prefix + re.sub(r"[^a-z0-9]", "", str(key).lower())
        if isinstance(value, dict) and "data" not in value:
            found |= _flat(value, word)
        else:
            found[word] = value
    return found


def _numbers(value: Any) -> Any:
    """Numbers as rows: from OpenCV's matrix of rows, columns and data, or from nested lists."""
    if not isinstance(value, dict):
        return value
    try:
        return np.array(value["data"], float).reshape(value["rows"], value["cols"]).tolist()
    except (KeyError, TypeError, ValueError):
        return None


def _cameras(values: dict[str, Any], first: str, path: Path) -> list[str]:
    """The names of the two cameras in the file, the first one first."""
    for names in (["thermal", "rgb"], ["1", "2"], ["cam0", "cam1"], ["left", "right"]):
        if all(_value(values, name, MATRIX) is not None for name in names):
            return names
    raise InputError(f"{path}: no calibration of two cameras; {WORDS}")


def _value(values: dict[str, Any], camera: str, words: tuple[str, ...]) -> Any:
    for word in words:
        for key in (f"{camera}{word}", f"{word}{camera}"):
            if key in values:
                return _numbers(values[key])
    return None


def _array(value: Any, name: str, path: Path) -> Floats:
    try:
        numbers = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.array(np.nan)
    if not np.isfinite(numbers).all():
        raise InputError(f"{path}: {name} is no matrix of numbers")
    return numbers


def _lens(values: dict[str, Any], camera: str, path: Path) -> Lens:
    """A camera's matrix and distortion.

    Raises:
        InputError: A shape is wrong, or the lens is a fisheye.
    """
    what = f"the camera matrix of {camera}"
    matrix = _array(_value(values, camera, MATRIX), what, path)
    if matrix.size == 4:  # Kalibr's fx, fy, cx, cy
        fx, fy, cx, cy = matrix.ravel()
        matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    if matrix.shape != (3, 3) or abs(np.linalg.det(matrix)) < 1e-9:
        raise InputError(f"{path}: {what} must be 3x3, or fx, fy, cx, cy")
    for key in ("cameramodel", "distortionmodel"):
        model = str(values.get(f"{camera}{key}", "")).lower()
        if model not in PLAIN:
            raise InputError(
                f"{path}: {camera} has a lens of the model {model}, a fisheye or another that is "
                "not supported; undistort its images first, and give the matrix of these with a "
                "distortion of zeros"
            )
    given = _value(values, camera, LENS)
    bend = np.zeros(0) if given is None else _array(given, f"the distortion of {camera}", path)
    if bend.size not in (0, 4, 5, 8):
        raise InputError(
            f"{path}: {bend.size} distortion coefficients of {camera}; 4, 5 or 8 fit: "
            "undistort its images first, and give zeros"
        )
    return Lens(matrix, np.pad(bend.ravel(), (0, 8 - bend.size)))


def _pose(values: dict[str, Any], path: Path) -> tuple[Floats, Floats]:
    """The pose of the second camera: it sees points x of the first at R x + T.

    Raises:
        InputError: There is no such pose, or R is no rotation.
    """
    whole = values.get("cam1tcncnm1")
    if whole is not None:
        pose = _array(_numbers(whole), "T_cn_cnm1", path)
        if pose.shape != (4, 4):
            raise InputError(f"{path}: T_cn_cnm1 must be 4x4")
        turn, shift = pose[:3, :3], pose[:3, 3]
    else:
        parts = [next((values[w] for w in words if w in values), None) for words in _POSE]
        if parts[0] is None or parts[1] is None:
            raise InputError(f"{path}: R or T is missing, the second camera's place; {WORDS}")
        turn, shift = (_array(_numbers(p), n, path) for p, n in zip(parts, "RT", strict=True))
    if turn.shape != (3, 3) or shift.size != 3 or np.abs(turn @ turn.T - np.eye(3)).max() > 0.01:
        raise InputError(f"{path}: R must be a 3x3 rotation and T three numbers")
    return turn, shift.ravel()


_POSE = (("r", "rotation", "rotationmatrix"), ("t", "translation", "translationvector"))


def _size(lens: Lens) -> tuple[int, ...]:
    """Height and width of an image, estimated from the principal point near its middle."""
    return round(2 * lens.matrix[1, 2]) + 1, round(2 * lens.matrix[0, 2]) + 1
