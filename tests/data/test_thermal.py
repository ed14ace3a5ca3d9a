from __future__ import annotations

import json
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

import samantic
from samantic.cli import main
from samantic.config.scaling import Scaling, parse_scaling
from samantic.data import PairedFolder
from samantic.data.camera import Camera
from samantic.data.image_files import open_image
from samantic.data.images import thermal_array
from samantic.data.thermal import clean, dataset_scaling, scale_thermal
from samantic.errors import InputError
from samantic.scenes.write import write_scenes

UNITS: dict[str, tuple[Callable[[NDArray[np.uint8]], NDArray[np.generic]], str, str]] = {
    "counts": (lambda t: 7000 + 20 * t.astype(np.uint16), ".png", "7000,12100"),
    "centikelvin": (lambda t: 26815 + 20 * t.astype(np.uint16), ".tiff", "26815,31915"),
    "kelvin": (lambda t: (268.15 + 0.2 * t).astype(np.float32), ".tiff", "268.15,319.15"),
}
"""Gray levels to a sensor's values, the file's ending, and the scaling that undoes it."""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    root = tmp_path / "own"
    splits = {"train": range(4), "val": range(4, 6), "test": range(6, 8)}
    write_scenes(root, "pairs", splits, seed=2, size=(48, 64))
    return root


def convert(root: Path, unit: str) -> str:
    """Rewrite the thermal images of a data set in another unit; return the scaling."""
    function, ending, scaling = UNITS[unit]
    for path in list((root / "thermal").iterdir()):
        values = function(np.asarray(Image.open(path)))
        path.unlink()
        Image.fromarray(values).save(path.with_suffix(ending))
    return scaling


def test_scales_against_formulas() -> None:
    rng = np.random.default_rng(0)
    gray = rng.integers(0, 256, (20, 30), dtype=np.uint8)
    assert np.array_equal(scale_thermal(gray, Scaling()), gray / np.float32(255))
    smooth = np.linspace(280, 310, 600, dtype=np.float32).reshape(20, 30)
    fixed = scale_thermal(smooth, Scaling("fixed", 285, 305))
    assert np.allclose(fixed, np.clip((smooth - 285) / 20, 0, 1), atol=1e-6)
    assert fixed.dtype == np.float32
    low, high = np.percentile(smooth, 1), np.percentile(smooth, 99)
    frame = scale_thermal(smooth, Scaling("frame"))
    assert np.allclose(frame, np.clip((smooth - low) / (high - low), 0, 1), atol=1e-6)
    assert not scale_thermal(np.full((4, 4), 9, np.uint16), Scaling("frame")).any()


def test_dead_hot_and_missing_pixels() -> None:
    rows = np.linspace(20000, 21000, 32)
    image = np.add.outer(rows, rows).astype(np.float32)
    spoilt = image.copy()
    spoilt[3, 4], spoilt[10, 20], spoilt[31, 31] = 0, 65535, np.nan
    cleaned, count = clean(spoilt)
    assert count == 3
    assert np.abs(cleaned - image).max() < 200  # of a range of 2000
    cleaned[3, 4], cleaned[10, 20], cleaned[31, 31] = image[3, 4], image[10, 20], image[31, 31]
    assert np.array_equal(cleaned, image)
    assert clean(np.full((3, 3), np.nan, np.float32))[1] == 9
    gray = np.zeros((5, 5), np.uint8)
    gray[2, 2] = 255
    assert clean(gray)[1] == 0


def test_range_of_a_data_set_ignores_odd_frames() -> None:
    rng = np.random.default_rng(0)
    frames = [rng.uniform(290, 300, (20, 20)).astype(np.float32) for _ in range(40)]
    frames[7] = frames[7] + 500
    scaling = dataset_scaling(frames)
    assert scaling.kind == "fixed"
    assert 289.9 < scaling.low < 290.5
    assert 299.5 < scaling.high < 300.1
    assert parse_scaling(str(scaling)).low == pytest.approx(scaling.low, rel=1e-5)


@pytest.mark.parametrize(
    "text",
    ["percent", "1", "5,5", "9,2", "nan,3", "1,2,3", "0,inf", "kelvn:0,40", ":0,40", "optris:"],
)
def test_bad_scalings(text: str) -> None:
    with pytest.raises(InputError, match="give 8-bit, frame, LOW,HIGH"):
        parse_scaling(text)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("celsius:-20,60", -20, 60),
        ("kelvin:0,40", 273.15, 313.15),
        ("decikelvin:0,40", 2731.5, 3131.5),
        ("centikelvin:0,40", 27315, 31315),
        ("lepton-tlinear:-10,40", 26315, 31315),
        ("optris:0,40", 1000, 1400),
    ],
)
def test_degrees_of_files_in_a_known_unit(text: str, low: float, high: float) -> None:
    """What is stored is a plain range in the files' unit, which every version reads."""
    assert parse_scaling(text) == Scaling("fixed", pytest.approx(low), pytest.approx(high))
    assert parse_scaling(str(parse_scaling(text))) == parse_scaling(text)


@pytest.mark.parametrize("unit", UNITS)
def test_units_give_the_same_labels(trained: Path, own: Path, unit: str) -> None:
    """One model, one scene, several ways to store it, through the real command."""
    out = own.parent
    words = ["predict", str(trained), "--rgb", f"{own}/rgb", "--thermal", f"{own}/thermal"]
    assert main([*words, "--out", f"{out}/gray"]) == 0
    scaling = convert(own, unit)
    assert main([*words, "--out", f"{out}/deep", f"--thermal-scaling={scaling}"]) == 0
    for path in (out / "gray" / "labels").iterdir():
        there = np.asarray(open_image(out / "deep" / "labels" / path.name))
        assert (np.asarray(open_image(path)) == there).mean() >= 0.995


def test_more_than_256_values_reach_the_network(trained: Path) -> None:
    model = samantic.load(trained, thermal_scaling="20000,30000")
    seen = []
    model.network.register_forward_pre_hook(lambda _, given: seen.append(given[1]))
    values = np.linspace(20000, 30000, 64 * 64).astype(np.uint16).reshape(64, 64)
    model.predict(thermal=values)
    assert len(torch.unique(seen[0])) > 4000


def test_a_run_learns_from_deep_images_and_remembers_the_scale(
    own: Path, write_config: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    convert(own, "centikelvin")
    data = {"root": str(own), "layout": "pairs", "classes": [*"abcdefghi"], "workers": 0}
    path = write_config(own, data=data, train={"steps": 2, "validations": 1})
    assert main(["train", str(path)]) == 2
    assert "deeper than 8 bits; say how to scale them" in capsys.readouterr().err
    assert main(["train", str(path), "--data.thermal-scaling", "dataset"]) == 0
    run = path.parent / "run"
    stored = json.loads((run / "model" / "config.json").read_text())["thermal_scaling"]
    train_set = PairedFolder(own, "pairs", "train", classes=[*"abcdefghi"])
    assert parse_scaling(stored).low == pytest.approx(train_set.estimate_scaling().low, rel=1e-5)
    predict = ["predict", str(run), "--thermal", str(own / "thermal"), "--out", str(run / "p")]
    assert main(predict) == 0
    overlay = next((run / "p" / "overlays").iterdir())
    assert np.ptp(np.asarray(Image.open(overlay))) > 50  # a picture, not black
    evaluate = ["evaluate", str(run), "--data", str(own), "--layout", "pairs", "--split", "test"]
    assert main([*evaluate, "--out", str(run / "e"), "--thermal-scaling", "frame"]) == 0


def test_sixteen_bits_in_three_channels_are_not_squeezed(tmp_path: Path) -> None:
    """Pillow would read such a file as 8 bits without a word."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(
            ">I", zlib.crc32(kind + body)
        )  # fmt: skip

    pixels = b"".join(b"\0" + bytes(8 * 6) for _ in range(8))
    header = struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)
    path = tmp_path / "deep.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(pixels))
        + chunk(b"IEND", b"")
    )
    for read in (thermal_array, open_image):
        with pytest.raises(InputError, match="16 bits in several channels"):
            read(path)


def test_a_size_that_contains_16_is_no_depth(tmp_path: Path) -> None:
    Image.new("RGB", (160, 16)).save(tmp_path / "wide.png")
    assert open_image(tmp_path / "wide.png").shape == (16, 160, 3)


def test_unchanged_models_still_load(trained: Path, tmp_path: Path) -> None:
    """A model from before the scaling was stored reads gray levels."""
    copy = tmp_path / "model"
    shutil.copytree(trained / "model", copy)
    values = json.loads((copy / "config.json").read_text())
    del values["thermal_scaling"], values["rig"]
    (copy / "config.json").write_text(json.dumps(values))
    assert samantic.load(copy).camera == Camera()
