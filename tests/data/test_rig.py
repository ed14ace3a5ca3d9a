from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from scipy import ndimage

import samantic
from samantic.cli import main
from samantic.config.scaling import Scaling
from samantic.data.camera import Camera, stored_camera
from samantic.data.rig import Rig, read_rig, rig_from
from samantic.data.shifts import shifted
from samantic.errors import InputError
from samantic.scenes.write import write_scenes

NAMES = [*"abcdefghi"]
SIZED = {"thermal_size": [64, 48], "rgb_size": [128, 96]}


def calibration(path: Path, matrix: object) -> str:
    path.write_text(yaml.safe_dump({"thermal_to_rgb": matrix}))
    return str(path)


def test_homography_against_a_loop_over_pixels(tmp_path: Path) -> None:
    """Every RGB pixel that thermal sees has the value at its place there, bilinearly."""
    rng = np.random.default_rng(0)
    thermal = rng.random((12, 16)).astype(np.float32)
    matrix = np.array([[1.3, 0.1, 2.0], [-0.05, 1.2, 1.5], [0.001, 0.002, 1.0]])
    rig = read_rig(calibration(tmp_path / "rig.yaml", matrix.tolist()))
    warped = rig.warp(thermal, (20, 30))
    back, inside = np.linalg.inv(matrix), 0
    for y in range(20):
        for x in range(30):
            u, v, w = back @ (x, y, 1)
            u, v = u / w, v / w
            if not (0 <= u <= 15 and 0 <= v <= 11):
                if u < -1 or u > 16 or v < -1 or v > 12:
                    assert warped[y, x] == 0
                continue
            inside += 1
            i, j = min(int(v), 10), min(int(u), 14)
            a, b = v - i, u - j
            value = (1 - a) * ((1 - b) * thermal[i, j] + b * thermal[i, j + 1])
            value += a * ((1 - b) * thermal[i + 1, j] + b * thermal[i + 1, j + 1])
            assert warped[y, x] == pytest.approx(value, abs=1e-5)
    assert inside > 100


def test_resize_keeps_the_view() -> None:
    ramp = np.linspace(0, 1, 24, dtype=np.float32)[None].repeat(18, 0)
    wide = Rig(None).warp(ramp, (36, 48))
    assert wide.shape == (36, 48)
    centres = (np.arange(48) + 0.5) / 2 - 0.5
    expected = np.interp(centres, np.arange(24), ramp[0])
    assert np.allclose(wide, expected, atol=1e-5)
    assert np.array_equal(Rig(None).warp(ramp, (18, 24)), ramp)


def test_affine_matrices_have_two_rows(tmp_path: Path) -> None:
    two = read_rig(calibration(tmp_path / "a.yaml", [[1, 0, 3], [0, 1, -2]]))
    assert two == rig_from([[1, 0, 3], [0, 1, -2], [0, 0, 1]], "x")
    assert read_rig([[1, 0, 3], [0, 1, -2]]) == two
    image = np.random.default_rng(0).random((10, 12)).astype(np.float32)
    assert np.allclose(two.warp(image, (10, 12))[:8, 3:], image[2:, :9])


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[1, 2], [3, 4]], "a 3x3 homography or a 2x3 affine"),
        ("text", "a 3x3 homography or a 2x3 affine"),
        ([[1, 0, 0], [0, 1, 0], [0, float("nan"), 1]], "a 3x3 homography or a 2x3 affine"),
        ([[1, 2, 3], [2, 4, 6], [0, 0, 1]], "is singular; calibrate anew"),
        (None, "a 3x3 homography or a 2x3 affine"),
    ],
)
def test_bad_calibrations(tmp_path: Path, matrix: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_rig(calibration(tmp_path / "rig.yaml", matrix))


def test_unreadable_calibrations(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such calibration; give a YAML file, or resize"):
        read_rig(str(tmp_path / "none.yaml"))
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(InputError, match="not valid YAML"):
        read_rig(str(tmp_path / "bad.yaml"))


@pytest.mark.parametrize(
    "camera",
    [
        Camera(),
        Camera(Scaling("frame"), Rig(None)),
        Camera(Scaling("fixed", 268.15, 319.15), rig_from([[1, 0, 3], [0, 1, 2]], "x")),
        Camera(Scaling(), rig_from({"thermal_to_rgb": [[1, 0, 3], [0, 1, 2]], **SIZED}, "x")),
    ],
)
def test_models_remember_their_camera(camera: Camera) -> None:
    assert stored_camera(json.loads(json.dumps(camera.stored()))) == camera


@pytest.mark.parametrize(
    ("values", "thermal", "told"),
    [
        (SIZED, (24, 32), "a.png: 32x24 pixels, but the calibration is of images of 64x48; give"),
        (SIZED | {"rgb_size": [64, 48]}, (48, 64), "a.png: 128x96 pixels, but the calibration is"),
        (
            SIZED | {"rgb_size": [0, 48]},
            (48, 64),
            "rgb_size is [0, 48]; it must be width and height",
        ),
        ({"thermal_size": [64, 48]}, (48, 64), "rig.yaml: rgb_size is None; it must be width and"),
        ({"thermal_to_rgb": [[1, 0, 500], [0, 1, 0]]}, (48, 64), "a.png: no pixel of it lies in"),
    ],
)
def test_a_rig_of_other_images_is_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    values: dict[str, object],
    thermal: tuple[int, int],
    told: str,
) -> None:
    """A matrix in pixels says nothing of images of another size."""
    rig = {"thermal_to_rgb": [[2, 0, 0], [0, 2, 0], [0, 0, 1]], **values}
    (tmp_path / "rig.yaml").write_text(yaml.safe_dump(rig))
    words = ["predict", "nano", "--rig", str(tmp_path / "rig.yaml"), "--out", str(tmp_path / "o")]
    for kind, size in (("rgb", (96, 128, 3)), ("thermal", thermal)):
        (tmp_path / kind).mkdir()
        gray = np.random.default_rng(0).integers(0, 255, size, dtype=np.uint8)
        Image.fromarray(gray).save(tmp_path / kind / "a.png")
        words += [f"--{kind}", str(tmp_path / kind)]
    assert main(words) == 2
    assert told in capsys.readouterr().err


def test_a_rig_through_every_verb(
    tmp_path: Path, write_config: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Thermal of half the size and shifted; the calibration undoes both."""
    root = tmp_path / "own"
    splits = {"train": range(4), "val": range(4, 6), "test": range(6, 8)}
    write_scenes(root, "pairs", splits, seed=2, size=(96, 128))
    for path in (root / "thermal").iterdir():
        moved = ndimage.shift(np.asarray(Image.open(path)), (6, -10), order=0, mode="nearest")
        Image.fromarray(moved[::2, ::2]).save(path)
    rig = calibration(tmp_path / "rig.yaml", [[2, 0, 10], [0, 2, -6], [0, 0, 1]])
    data = {"root": str(root), "layout": "pairs", "classes": NAMES, "workers": 0}
    config = write_config(root, data=data, train={"steps": 1, "validations": 1})
    assert main(["train", str(config)]) == 2
    assert "64x48 pixels, but" in capsys.readouterr().err
    assert main(["train", str(config), "--data.rig", "[[1, 2], [3, 4]]"]) == 2
    assert "data.rig: needs" in capsys.readouterr().err
    assert main(["train", str(config), "--data.rig", "[[2, 0, 10], [0, 2, -6]]"]) == 0
    run = tmp_path / "run"
    assert json.loads((run / "model" / "config.json").read_text())["rig"][0] == [2, 0, 10]
    words = ["--rgb", str(root / "rgb"), "--thermal", str(root / "thermal")]
    assert main(["predict", str(run), *words, "--out", str(tmp_path / "p")]) == 0
    with Image.open(next((tmp_path / "p" / "labels").iterdir())) as labels:
        assert labels.size == (128, 96)
    check = ["check", "--data", str(root), "--layout", "pairs", "--out", str(tmp_path / "c")]
    assert main(check) == 2
    assert main([*check, "--rig", rig]) == 0
    other = samantic.load(run, rig="resize")
    assert other.camera.rig == Rig(None)


def test_shifts_of_a_batch() -> None:
    images = torch.rand(50, 1, 9, 11)
    assert shifted(images, 0) is images
    moved = shifted(images, 2)
    seen = set()
    for before, after in zip(images[:, 0], moved[:, 0], strict=True):
        fits = [
            (y, x)
            for y in range(-2, 3)
            for x in range(-2, 3)
            if torch.equal(after[2:7, 2:9], before[2 - y : 7 - y, 2 - x : 9 - x])
        ]
        assert len(fits) == 1
        seen.add(fits[0])
    assert len(seen) > 12
