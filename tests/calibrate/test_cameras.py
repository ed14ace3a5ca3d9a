from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import fsolve
from scipy.spatial.transform import Rotation

from samantic.calibrate.cameras import Lens, read_calibration
from samantic.calibrate.geometry import grid, mapped
from samantic.errors import InputError

K1 = np.array([[300.0, 0, 158], [0, 305, 122], [0, 0, 1]])
K2 = np.array([[620.0, 0, 322], [0, 618, 241], [0, 0, 1]])
D1 = np.array([-0.08, 0.02, 0.001, -0.0007, 0.0])
D2 = np.array([0.06, -0.02, 0.0005, 0.0002, 0.01])
R = Rotation.from_rotvec([0.01, -0.03, 0.02]).as_matrix()
T = np.array([[-0.06], [0.004], [0.01]])


def written(path: Path, names: dict[str, np.ndarray]) -> Path:
    """A file as OpenCV's FileStorage writes it."""
    lines = ["%YAML:1.0", "---"]
    for name, value in names.items():
        rows, cols = np.atleast_2d(value).shape
        data = ", ".join(f"{v:.17g}" for v in np.ravel(value))
        lines += [f"{name}: !!opencv-matrix", f"   rows: {rows}", f"   cols: {cols}", "   dt: d"]
        lines.append(f"   data: [ {data} ]")
    path.write_text("\n".join(lines) + "\n")
    return path


def bent(x: float, y: float, bend: np.ndarray) -> tuple[float, float]:
    """Brown's model as OpenCV's documentation of calib3d writes it."""
    k1, k2, p1, p2, k3, k4, k5, k6 = np.pad(bend, (0, 8 - len(bend)))
    r = np.hypot(x, y)
    f = (1 + k1 * r**2 + k2 * r**4 + k3 * r**6) / (1 + k4 * r**2 + k5 * r**4 + k6 * r**6)
    return (
        x * f + 2 * p1 * x * y + p2 * (r**2 + 2 * x**2),
        y * f + p1 * (r**2 + 2 * y**2) + 2 * p2 * x * y,
    )


def seen_by(point: np.ndarray, matrix: np.ndarray, bend: np.ndarray) -> np.ndarray:
    x, y = bent(point[0] / point[2], point[1] / point[2], bend)
    return (matrix @ (x, y, 1))[:2]


def by_the_book(pixels: np.ndarray, distance: float) -> np.ndarray:
    """RGB pixels of thermal ones that see a plane at a distance, one by one."""
    found = []
    for u, v in pixels:
        x, y, _ = np.linalg.solve(K1, (u, v, 1))
        ray = fsolve(lambda p, x=x, y=y: np.subtract(bent(*p, D1), (x, y)), (x, y))
        point = R @ (distance * np.array([*ray, 1])) + T.ravel()
        found.append(seen_by(point, K2, D2))
    return np.array(found)


@pytest.mark.parametrize(
    "bend", [D1[:4], D1, np.array([-0.2, 0.1, 1e-3, -2e-3, 0.01, 0.1, 0.02, 0])]
)
def test_lenses_against_the_formula(bend: np.ndarray) -> None:
    lens = Lens(K1, np.pad(bend, (0, 8 - len(bend))))
    pixels = grid((240, 320), 7)
    rays = lens.unseen(pixels)
    assert np.allclose(lens.seen(rays), pixels, atol=1e-6)
    seen = [seen_by(np.array([*ray, 1]), K1, bend) for ray in rays]
    assert np.allclose(seen, pixels, atol=1e-6)


@pytest.mark.parametrize(
    "words",
    [
        ("M1", "D1", "M2", "D2", "R", "T"),
        ("K1", "dist1", "K2", "dist2", "R", "t"),
        ("cameraMatrix1", "distCoeffs1", "cameraMatrix2", "distCoeffs2", "R", "T"),
        ("thermal_camera_matrix", "thermal_dist", "rgb_camera_matrix", "rgb_dist", "R", "T"),
    ],
)
@pytest.mark.parametrize("distance", [2.0, 1000.0])
def test_two_cameras_of_opencv(tmp_path: Path, words: tuple[str, ...], distance: float) -> None:
    path = written(tmp_path / "rig.yml", dict(zip(words, (K1, D1, K2, D2, R, T), strict=True)))
    found = read_calibration(path, distance=distance, thermal=(240, 320))
    pixels = grid((240, 320), 15)
    off = np.linalg.norm(mapped(found.matrix, pixels) - by_the_book(pixels, distance), axis=1)
    assert np.median(off) < 3, "the nearest homography of lenses that distort"
    assert off.max() <= found.residual + 0.5
    assert found.residual > 2
    assert found.parallax == 0


def test_without_distortion_a_plane_is_exact(tmp_path: Path) -> None:
    """H = K2 (R + t n'/d) inv(K1) (Hartley and Zisserman, 13.1), and back if RGB comes first."""
    names = {"M1": K1, "M2": K2, "R": R, "T": T}
    path = written(tmp_path / "rig.yml", names)
    plane = np.array([[0, 0, 1.0]])
    matrix = K2 @ (R + T @ plane / 3) @ np.linalg.inv(K1)
    found = read_calibration(path, distance=3)
    assert np.allclose(found.matrix, matrix / matrix[2, 2], atol=1e-6)
    assert found.residual < 1e-6
    far = read_calibration(path)
    assert far.parallax == pytest.approx(620 * np.hypot(0.06, 0.004))
    infinite = K2 @ R @ np.linalg.inv(K1)
    assert np.allclose(far.matrix, infinite / infinite[2, 2], atol=1e-6)
    back = K1 @ R.T @ np.linalg.inv(K2)
    other = read_calibration(path, first="rgb")
    assert np.allclose(other.matrix, back / back[2, 2], atol=1e-6)


def test_kalibr(tmp_path: Path) -> None:
    pose = np.vstack([np.hstack([R, T]), [0, 0, 0, 1]]).tolist()
    text = f"""
cam0: {{camera_model: pinhole, intrinsics: [300.0, 305.0, 158.0, 122.0], resolution: [320, 240],
        distortion_model: radtan, distortion_coeffs: [0.0, 0.0, 0.0, 0.0]}}
cam1: {{T_cn_cnm1: {pose}, camera_model: pinhole, intrinsics: [620.0, 618.0, 322.0, 241.0],
        distortion_model: radtan, distortion_coeffs: [0.0, 0.0, 0.0, 0.0]}}
"""
    path = tmp_path / "camchain.yaml"
    path.write_text(text)
    matrix = K2 @ R @ np.linalg.inv(K1)
    assert np.allclose(read_calibration(path).matrix, matrix / matrix[2, 2], atol=1e-6)
    path.write_text(text.replace("pinhole", "omni"))
    with pytest.raises(InputError, match="cam0 has a lens of the model omni"):
        read_calibration(path)
    path.write_text(text.replace("radtan", "equidistant"))
    with pytest.raises(
        InputError, match=r"the model equidistant, a fisheye .* undistort its images first"
    ):
        read_calibration(path)


@pytest.mark.parametrize("name", ["H", "homography", "thermal_to_rgb"])
def test_homographies(tmp_path: Path, name: str) -> None:
    matrix = np.array([[2, 0.1, 3], [0, 2.1, -4], [1e-5, 0, 1]])
    path = written(tmp_path / "h.yml", {name: matrix})
    assert np.allclose(read_calibration(path).matrix, matrix)
    other = read_calibration(path, first="rgb").matrix
    back = np.linalg.inv(matrix)
    assert np.allclose(other, matrix if name == "thermal_to_rgb" else back / back[2, 2])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1", "no calibration of two cameras; it needs thermal_to_rgb"),
        ("[1, 2]", "no calibration; it needs"),
        ("a: [", "not valid YAML"),
        ("H: [[1, 2], [3, 4]]", "a 3x3 homography"),
        ("{K1: [1, 2], K2: [1, 2, 3, 4]}", "the camera matrix of 1 must be 3x3"),
        ("{K1: [9, 9, 4, 4], K2: [9, 9, 4, 4]}", "R or T is missing"),
        ("{K1: [9, 9, 4, 4], K2: [9, 9, 4, 4], R: [1], T: [1, 2, 3]}", "R must be a 3x3 rotation"),
        ("{K1: [9, 9, 4, 4], K2: [9, 9, 4, 4], D1: [1, 2]}", "2 distortion coefficients of 1"),
        ("{K1: [9, 9, 4, x], K2: [9, 9, 4, 4]}", "the camera matrix of 1 is no matrix"),
    ],
)
def test_bad_calibrations(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_calibration(path)
