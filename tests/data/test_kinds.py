"""Kinds of thermal values, presets of makers, Planck's law, and files in which hot is dark."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import samantic
from samantic.cli import main
from samantic.config.scaling import Scaling, parse_scaling
from samantic.data import PairedFolder
from samantic.data.camera import Camera, stored_camera
from samantic.data.images import thermal_array
from samantic.data.kinds import kind_of
from samantic.data.thermal import scale_thermal
from samantic.errors import InputError
from samantic.predict.scaling import scale_images
from samantic.scenes.write import write_scenes
from tests.radiometric import flir

NAMES = [*"abcdefghi"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.array([0, 255], "u1"), "agc"),
        (np.array([29315, 30000], "u2"), "counts"),
        (np.array([3000, 4000], "u2"), "counts"),
        (np.array([293.15, np.nan, 300], "f4"), "kelvin"),
        (np.array([-20, 15, 400], "f4"), "celsius"),
        (np.array([29315, 30000], "f4"), "counts"),
        (np.array([-9000, -8000], "f4"), "counts"),
    ],
)
def test_kinds(values: np.ndarray, kind: str) -> None:
    assert kind_of(values[None]) == kind


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Eight pairs, of which the third thermal image came out of the camera's own contrast."""
    root = tmp_path / "mixed"
    splits = {"train": range(4), "val": range(4, 6), "test": range(6, 8)}
    write_scenes(root, "pairs", splits, seed=2, size=(64, 96))
    for place, path in enumerate(sorted((root / "thermal").iterdir())):
        if place != 2:
            levels = np.asarray(Image.open(path)).astype("u2")
            Image.fromarray(27000 + 20 * levels).save(path)
    return root


def test_a_mixture_is_refused_by_every_verb_unless_told(
    mixed: Path,
    tmp_path: Path,
    write_config: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    what = (
        "thermal images of several kinds: agc (gray levels of 8 bits, the camera's own contrast; 1"
    )
    data = {"root": str(mixed), "layout": "pairs", "classes": NAMES, "workers": 0}
    config = write_config(mixed, data=data, train={"steps": 1, "validations": 1})
    words = ["--rgb", str(mixed / "rgb"), "--thermal", str(mixed / "thermal")]
    out = ["--out", str(tmp_path / "p")]
    check = ["check", "--data", str(mixed), "--layout", "pairs", "--out", str(tmp_path / "c")]
    for scaling in (["27000,33000"], ["8-bit"], ["dataset"]):
        assert main(["train", str(config), "--data.thermal-scaling", *scaling]) == 2
        assert what in capsys.readouterr().err
    assert main(["predict", "nano", *words, "--thermal-scaling", "27000,33000", *out]) == 2
    assert what in capsys.readouterr().err
    assert main(check) == 2
    assert what in capsys.readouterr().out
    assert main([*check, "--thermal-scaling", "frame"]) == 0
    assert "several depths" in capsys.readouterr().out
    assert main(["predict", "nano", *words, "--thermal-scaling", "frame", *out]) == 0


@pytest.mark.parametrize("unit", ["counts", "boson"])
def test_counts_have_no_degrees(unit: str) -> None:
    assert parse_scaling(f"{unit}:3000,9000") == Scaling("fixed", 3000, 9000)
    with pytest.raises(InputError, match="counts and boson take the files' own"):
        parse_scaling("bosons:1,2")


def test_planck_by_each_files_own_constants(tmp_path: Path) -> None:
    """Two cameras whose counts of one temperature differ give one gray for it."""
    scaling = parse_scaling("flir-planck:0,40")
    assert str(scaling) == "flir-planck:0,40"
    assert parse_scaling(str(scaling)) == scaling
    kelvin = np.linspace(273.15, 313.15, 20 * 24).reshape(20, 24)
    for number, (r1, b, f, o, r2) in enumerate(
        [(16528.178, 1427.5, 1.0, -1307, 0.012258549), (21106.77, 1501.0, 1.0, -7340, 0.0125)]
    ):
        counts = np.rint(r1 / (r2 * (np.exp(b / kelvin) - f)) - o).astype("u2")
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(flir(counts, planck=(r1, b, f, o, r2)))
        found = thermal_array(path, planck=True)
        assert np.allclose(found, kelvin, atol=0.05)
        gray = scale_thermal(found, scaling)
        assert np.allclose(gray, (kelvin - 273.15) / 40, atol=0.01)
        assert np.array_equal(thermal_array(path), counts)


def test_planck_in_a_data_set(tmp_path: Path) -> None:
    """What is trained on and evaluated has the gray levels that `predict` sees."""
    kelvin = np.linspace(273.15, 313.15, 20 * 24).reshape(20, 24)
    r1, b, f, o, r2 = 21106.77, 1501.0, 1.0, -7340, 0.0125
    counts = np.rint(r1 / (r2 * (np.exp(b / kelvin) - f)) - o).astype("u2")
    for folder in ("rgb", "thermal", "labels"):
        (tmp_path / folder).mkdir()
    Image.new("RGB", (24, 20)).save(tmp_path / "rgb" / "1.png")
    Image.new("L", (24, 20)).save(tmp_path / "labels" / "1.png")
    (tmp_path / "thermal" / "1.jpg").write_bytes(flir(counts, planck=(r1, b, f, o, r2)))
    camera = Camera(parse_scaling("flir-planck:0,40"))
    data = PairedFolder(tmp_path, "pairs", "all", classes=["a", "b"], camera=camera)
    sample, (_, raw) = data.with_raw(0)
    assert raw is not None
    assert np.allclose(raw, kelvin, atol=0.05)
    assert sample.thermal is not None
    assert np.allclose(sample.thermal[0].numpy(), (kelvin - 273.15) / 40, atol=0.01)


def test_planck_needs_constants(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 9999, (32, 32), "u2")).save(tmp_path / "a.png")
    words = ["predict", "nano", "--thermal", str(tmp_path / "a.png"), "--out", str(tmp_path / "o")]
    assert main([*words, "--thermal-scaling", "flir-planck:0,40"]) == 2
    assert "a.png: holds no constants of Planck's law" in capsys.readouterr().err
    model = samantic.load("nano", device="cpu", thermal_scaling="flir-planck:0,40")
    with pytest.raises(InputError, match="thermal: holds no constants of Planck's law"):
        model.predict(thermal=rng.integers(0, 9999, (32, 32), "u2"))
    warm = rng.uniform(280, 310, (32, 32)).astype("f4")
    assert model.predict(thermal=warm).labels.shape == (32, 32)


@pytest.mark.parametrize("text", ["8-bit", "frame", "1000,9000", "flir-planck:0,40"])
def test_hot_may_be_dark(text: str) -> None:
    """Turned over is 1 minus what it was, the same as tensors; a model remembers it."""
    rng = np.random.default_rng(1)
    raw = rng.integers(0, 255, (20, 24), "u1")
    if text != "8-bit":
        raw = rng.integers(0, 9999, (20, 24)).astype("u2")
    plain, inverted = parse_scaling(text), parse_scaling(f"inverted:{text}")
    assert str(inverted) == f"inverted:{text}"
    expected = scale_thermal(raw, inverted)
    assert np.allclose(expected, 1 - scale_thermal(raw, plain), atol=1e-6)
    tensor = scale_images(
        torch.from_numpy(raw.astype("u1" if text == "8-bit" else "i4"))[None], inverted
    )
    assert np.allclose(tensor[0, 0].numpy(), expected, atol=1e-5)
    camera = Camera(inverted)
    assert stored_camera(json.loads(json.dumps(camera.stored()))) == camera
    assert Camera(plain).changed(None, None, True) == camera
    assert camera.changed("frame", None).scaling == Scaling("frame", inverted=True)
    assert camera.changed("frame", None, False).scaling == Scaling("frame")


def test_black_hot_through_training_and_prediction(
    tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    root = tmp_path / "own"
    splits = {"train": range(4), "val": range(4, 6), "test": range(6, 8)}
    write_scenes(root, "pairs", splits, seed=2, size=(64, 96))
    data = {"root": str(root), "layout": "pairs", "classes": NAMES, "workers": 0}
    data["thermal_inverted"] = True
    config = write_config(root, data=data, train={"steps": 1, "validations": 1})
    assert main(["train", str(config)]) == 0
    stored = json.loads((tmp_path / "run" / "model" / "config.json").read_text())
    assert stored["thermal_scaling"] == "inverted:8-bit"
    words = ["--thermal", str(root / "thermal"), "--save", "labels"]
    assert main(["predict", str(tmp_path / "run"), *words, "--out", str(tmp_path / "a")]) == 0
    for path in (root / "thermal").iterdir():
        Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    run = ["predict", str(tmp_path / "run"), *words]
    assert main([*run, "--no-thermal-inverted", "--out", str(tmp_path / "b")]) == 0
    for path in (tmp_path / "a" / "labels").iterdir():
        other = Image.open(tmp_path / "b" / "labels" / path.name)
        assert np.array_equal(np.asarray(Image.open(path)), np.asarray(other))
