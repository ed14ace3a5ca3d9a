"""Splits whose thermal images or labels are in another unit than is said of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import samantic
from samantic.cli import main
from samantic.config.scaling import Scaling
from samantic.data import CATALOG
from samantic.data.camera import Camera
from samantic.errors import InputError
from samantic.scenes.write import write_scenes

CLASSES = [*"abcdefghi"]
RIGHT, WRONG = "268,320", "26800,32000"


@pytest.fixture
def kelvin(tmp_path: Path) -> Path:
    """Scenes with thermal images in kelvin."""
    root = tmp_path / "own"
    splits = {"train": range(4), "val": range(4, 6), "test": range(6, 8)}
    write_scenes(root, "pairs", splits, seed=2, size=(48, 64))
    for path in list((root / "thermal").iterdir()):
        with Image.open(path) as image:
            values = 268 + 0.2 * np.asarray(image, np.float32)
        path.unlink()
        Image.fromarray(values).save(path.with_suffix(".tiff"))
    return root


def config(write_config: Callable[..., Path], root: Path, **data: object) -> str:
    data = {"layout": "pairs", "classes": CLASSES, **data}
    return str(write_config(root, data=data, train={"steps": 1, "validations": 1}))


def masks(root: Path) -> None:
    """Labels in black and white; the lower half is a thing."""
    for path in (root / "labels").iterdir():
        pixels = np.zeros((48, 64), np.uint8)
        pixels[24:] = 255
        Image.fromarray(pixels).save(path)


def told(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_a_range_in_another_unit(
    kelvin: Path,
    trained: Path,
    write_config: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, out = config(write_config, kelvin), str(kelvin.parent / "out")
    assert main(["train", path, f"--data.thermal-scaling={WRONG}"]) == 2
    line = told(capsys)
    assert "thermal values from 2" in line
    assert "the thermal scaling is 26800,32000" in line
    assert "(data.thermal_scaling)" in line
    words = ["--data", str(kelvin), "--layout", "pairs", "--split", "test", "--out", out]
    words += ["--classes", ",".join(CATALOG["mfnet"].classes)]
    assert main(["evaluate", str(trained), *words, "--thermal-scaling", WRONG]) == 2
    assert "2 of 2 images become 0 or 1" in told(capsys)
    words = ["--rgb", f"{kelvin}/rgb", "--thermal", f"{kelvin}/thermal", "--out", out]
    assert main(["predict", str(trained), *words, "--thermal-scaling", WRONG]) == 2
    assert "8 of 8 images become 0 or 1" in told(capsys)
    assert main(["predict", str(trained), *words, "--thermal-scaling", RIGHT]) == 0


def test_a_range_in_another_unit_is_checked(
    kelvin: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["check", "--data", str(kelvin), "--layout", "pairs", "--split", "train"]
    words += ["--classes", ",".join(CLASSES), "--out", str(kelvin.parent / "checked")]
    assert main([*words, "--thermal-scaling", WRONG]) == 2
    assert "4 of 4 images become 0 or 1" in capsys.readouterr().out
    assert main([*words, "--thermal-scaling", RIGHT]) == 0
    assert "say how to scale them" not in capsys.readouterr().out


def test_a_range_in_another_unit_for_one_pair(trained: Path) -> None:
    model = samantic.load(trained, thermal_scaling=WRONG)
    thermal = np.linspace(270, 300, 48 * 64, dtype=np.float32).reshape(48, 64)
    with pytest.raises(InputError, match=r"thermal values from 270.3 to 299.7.*thermal_scaling of"):
        model.predict(thermal=thermal)
    thermal[0, 0] = 27000  # not all of it: a saturated image
    assert model.predict(thermal=thermal).labels.shape == (48, 64)


def test_one_saturated_image_is_no_unit(kelvin: Path, trained: Path) -> None:
    first = next((kelvin / "thermal").iterdir())
    Image.fromarray(np.full((48, 64), 900, np.float32)).save(first)
    words = ["--thermal", f"{kelvin}/thermal", "--out", str(kelvin.parent / "out")]
    assert main(["predict", str(trained), *words, "--thermal-scaling", RIGHT]) == 0


def test_gray_levels_are_never_beyond(
    trained: Path, tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    """Black and white images of 8 bits, read as such and by a range that touches them."""
    folder = tmp_path / "heat"
    folder.mkdir()
    for name, level in (("a", 0), ("b", 255), ("c", 255)):
        Image.new("L", (64, 48), level).save(folder / f"{name}.png")
    words = ["predict", str(trained), "--thermal", str(folder)]
    for number, scaling in enumerate(("8-bit", "frame", "0,255")):
        out = ["--out", str(tmp_path / f"out{number}"), "--thermal-scaling", scaling]
        assert main([*words, *out]) == 0
    assert Camera(Scaling("fixed", 0, 255)).see(np.zeros((2, 2), np.uint8), None).max() == 0


def test_masks_in_black_and_white(
    kelvin: Path,
    trained: Path,
    write_config: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Read as ids, their thing would not count: nothing could be learnt."""
    masks(kelvin)
    scaling = f"--data.thermal-scaling={RIGHT}"
    path = config(write_config, kelvin, classes=["ground", "thing"])
    assert main(["train", path, scaling]) == 2
    assert "labels hold only 0 and 255" in (line := told(capsys))
    assert 'give data.colors ["#000000", "#ffffff"]' in line
    words = ["--data", str(kelvin), "--layout", "pairs", "--split", "test"]
    names = ["--classes", ",".join(CATALOG["mfnet"].classes)]
    evaluate = ["evaluate", str(trained), *words, *names, "--out", str(kelvin.parent / "out")]
    assert main([*evaluate, "--thermal-scaling", RIGHT]) == 2
    assert "labels hold only 0 and 255" in told(capsys)
    checked = kelvin.parent / "checked"
    assert main(["check", *words, "--out", str(checked)]) == 2
    assert "error: " in (shown := capsys.readouterr().out)
    assert "labels hold only 0 and 255" in shown
    facts = json.loads((checked / "check.json").read_text())
    assert facts["splits"]["test"]["ignored_share"] == 0.5
    assert "50% of the label pixels do not count" in " ".join(facts["warnings"])
    colours = '--data.colors=["#000000", "#ffffff"]'
    assert main(["train", path, scaling, colours]) == 0


def test_masks_of_0_and_255_beside_other_colours(
    kelvin: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Red for the thing says nothing of white."""
    masks(kelvin)
    words = ["--data", str(kelvin), "--layout", "pairs", "--classes", "ground,thing"]
    out = ["--out", str(kelvin.parent / "checked")]
    assert main(["check", *words, "--colors", "#000000,#ff0000", *out]) == 2
    assert "labels hold only 0 and 255" in capsys.readouterr().out
    assert main(["check", *words, "--colors", "#000000,#ffffff", *out]) == 0


def test_some_frames_of_only_0_and_255_are_no_masks(
    kelvin: Path, write_config: Callable[..., Path]
) -> None:
    kept = (kelvin / "train.txt").read_text().split()[-1]
    path = kelvin / "labels" / f"{kept}.png"
    body = path.read_bytes()
    masks(kelvin)
    path.write_bytes(body)
    words = ["--data.val=null", "--data.test=null", f"--data.thermal-scaling={RIGHT}"]
    assert main(["train", config(write_config, kelvin), *words]) == 0
