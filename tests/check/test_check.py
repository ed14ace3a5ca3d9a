from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from samantic.cli import main
from samantic.config.data import Layout
from samantic.data import CATALOG
from samantic.data.alignment import estimate_shift
from samantic.data.images import read_rgbt
from samantic.scenes import draw_scene
from samantic.scenes.write import write_scenes


@pytest.fixture
def own(tmp_path: Path) -> Path:
    root = tmp_path / "own"
    splits = {"train": range(4), "val": range(4, 6), "test": range(6, 8)}
    write_scenes(root, "pairs", splits, seed=2, size=(96, 128))
    return root


def run(root: Path, *words: str, layout: str = "pairs") -> tuple[int, dict[str, Any]]:
    out = root.parent / "checked"
    status = main(["check", "--data", str(root), "--layout", layout, "--out", str(out), *words])
    return status, json.loads((out / "check.json").read_text())


def textures(size: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """Blobs that both cameras see, some of them with opposite contrast."""
    rng = np.random.default_rng(0)
    shapes = ndimage.gaussian_filter(rng.normal(size=(size, size)), 4) > 0
    patches = ndimage.gaussian_filter(rng.normal(size=(size, size)), 20) > 0
    rgb = np.repeat((60 + 120 * shapes)[..., None], 3, axis=2)
    thermal = 290 + 8.0 * (shapes ^ patches)
    return (rgb + rng.normal(0, 4, rgb.shape)).clip(0, 255).astype(np.uint8), thermal


@pytest.mark.parametrize("shift", [(0, 0), (7, -4), (-19, 12)])
def test_known_shifts_are_found(shift: tuple[int, int]) -> None:
    rgb, thermal = textures()
    moved = np.roll(thermal, (shift[1], shift[0]), (0, 1))
    found = estimate_shift(rgb, moved)
    assert (found.x, found.y) == shift
    assert found.confident
    assert found.distance == pytest.approx(np.hypot(*shift))


def test_unrelated_images_are_seldom_believed() -> None:
    believed = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        a, b = (ndimage.gaussian_filter(rng.normal(size=(160, 200)), 2) for _ in range(2))
        rgb = np.repeat((128 + 300 * a)[..., None], 3, axis=2).clip(0, 255).astype(np.uint8)
        believed += estimate_shift(rgb, b).confident
    assert believed <= 3


def test_a_name_listed_twice(own: Path) -> None:
    """An error where a training would refuse it, a warning where it learns from it twice."""
    for split, status in (("train", 0), ("val", 2), ("test", 2)):
        listed = own / f"{split}.txt"
        before = listed.read_text()
        listed.write_text(before + before.splitlines()[0] + "\n")
        found_status, found = run(own)
        assert found_status == status
        lines = found["errors" if status else "warnings"]
        assert any(str(listed) in line and "is listed twice" in line for line in lines)
        listed.write_text(before)


@pytest.mark.parametrize("layout", get_args(Layout))
def test_every_layout(tmp_path: Path, layout: Layout) -> None:
    splits = {"train": range(4), "val": range(4, 6), "test": range(6, 8)}
    write_scenes(tmp_path / "data", layout, splits, seed=2, size=(48, 96))
    status, found = run(tmp_path / "data", layout=layout)
    assert status == 0
    assert not found["errors"]
    assert {name: part["pairs"] for name, part in found["splits"].items()} == {
        "train": 4, "val": 2, "test": 2
    }  # fmt: skip
    assert found["splits"]["train"]["sizes"] == {"48x96": 4}
    assert found["splits"]["train"]["night"] == (
        2 if "thermal" in CATALOG[layout].modalities else 0
    )
    deep = CATALOG[layout].bits == 16
    assert any("say how to scale them" in line for line in found["warnings"]) == deep
    if layout in ("mfnet", "pairs"):
        labels = np.stack([draw_scene(2, i, (48, 96)).labels for i in range(4)])
        shares = np.bincount(labels.ravel(), minlength=9) / labels.size
        there = found["splits"]["train"]["class_shares"]
        assert np.allclose(there[:9], shares, atol=1e-6)


def test_what_to_mind(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A picture in two splits, a class that val lacks, a thermal image of one value."""
    train, val, test = (
        (own / f"{name}.txt").read_text().split() for name in ("train", "val", "test")
    )
    for kind in ("rgb", "thermal", "labels"):
        shutil.copy(own / kind / f"{train[1]}.png", own / kind / f"{test[0]}.png")
    for name in val:
        Image.fromarray(np.zeros((96, 128), np.uint8)).save(own / "labels" / f"{name}.png")
    Image.fromarray(np.full((96, 128), 9, np.uint8)).save(own / "thermal" / f"{val[0]}.png")
    status, found = run(own, "--classes", "a,b,c,d,e,f,g,h,i")
    assert status == 0
    told = "\n".join(found["warnings"])
    assert f"1 picture is in both train and test: {train[1]} (in test: {test[0]})" in told
    assert "val: no pixel of b, c, d, e, f, g, h, i; they count 0 in mIoU" in told
    assert f"val: 1 thermal image is of one value, first {val[0]}" in told
    assert run(own, "--strict")[0] == 1
    shown = capsys.readouterr().out
    assert "share of the pixels, %" in shown
    page = (own.parent / "checked" / "check.html").read_text()
    assert "1 picture is in both" in page
    assert '<li class="warning"><strong>warning</strong> val: no pixel of' in page
    assert 'src="http' not in page


def test_what_would_fail(own: Path) -> None:
    train = (own / "train.txt").read_text().split()
    (own / "rgb" / f"{train[0]}.png").write_bytes(b"no image")
    Image.new("L", (9, 9)).save(own / "thermal" / f"{train[1]}.png")
    Image.fromarray(np.full((96, 128), 77, np.uint8)).save(own / "labels" / f"{train[2]}.png")
    (own / "labels" / f"{(own / 'val.txt').read_text().split()[0]}.png").unlink()
    status, found = run(own, "--classes", "a,b,c,d,e,f,g,h,i")
    assert status == 2
    expected = ("is missing; add the partner", "not a readable image", "9x9 pixels", "label id 77")
    assert len(found["errors"]) == len(expected)
    for problem in expected:
        assert sum(problem in line for line in found["errors"]) == 1
    assert found["splits"]["train"]["pairs"] == 1


def test_without_labels_or_folder(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(own / "labels")
    status, found = run(own)
    assert status == 2
    assert found["errors"] == [f"train: no labels in {own / 'labels'}; label it, or only predict"]
    for name in ("train", "val", "test"):
        (own / f"{name}.txt").unlink()
    status, found = run(own)
    assert status == 0
    assert list(found["splits"]) == ["all"]
    assert main(["check", "--data", str(own / "nowhere"), "--layout", "pairs"]) == 2
    assert "no such folder; correct the path of the data set" in capsys.readouterr().err


@pytest.mark.realdata
@pytest.mark.slow
def test_true_statements_about_real_frames(realdata: Path, tmp_path: Path) -> None:
    root = realdata / "mfnet_mini"
    main(["check", "--data", str(root), "--layout", "mfnet", "--split", "test", "--out",
          str(tmp_path)])  # fmt: skip
    found = json.loads((tmp_path / "check.json").read_text())["splits"]["test"]
    names = (root / "test.txt").read_text().split()
    assert found["pairs"] == len(names) == 40
    assert found["sizes"] == {"480x640": 40}
    labels = [np.asarray(Image.open(root / "labels" / f"{name}.png")) for name in names]
    shares = np.bincount(np.stack(labels).ravel(), minlength=9) / (40 * 480 * 640)
    assert np.allclose(found["class_shares"], shares, atol=1e-6)
    by_night = sum(name.endswith("N") for name in names)
    assert abs(found["night"] - by_night) <= 2


@pytest.mark.realdata
@pytest.mark.slow
def test_shifts_of_real_pairs(realdata: Path) -> None:
    """Known shifts of 0 to 20 pixels on top of whatever misalignment the cameras have."""
    rng = np.random.default_rng(0)
    files = sorted((realdata / "mfnet_mini" / "images").iterdir())[::6]
    errors, sure = [], 0
    for path in files:
        rgb, thermal = read_rgbt(path)
        length, angle = rng.uniform(0, 20), rng.uniform(0, 2 * np.pi)
        x, y = round(length * np.cos(angle)), round(length * np.sin(angle))
        moved = ndimage.shift(thermal.astype(float), (y, x), order=0, mode="nearest")
        before, after = estimate_shift(rgb, thermal.astype(float)), estimate_shift(rgb, moved)
        if before.confident and after.confident:
            sure += 1
            errors.append(np.hypot(after.x - before.x - x, after.y - before.y - y))
    assert len(files) == 30
    assert sure >= 15
    assert max(errors) <= 2


def test_options_of_a_camera_that_is_not_read_are_told(own: Path) -> None:
    """`--rgb` alone reads RGB alone, though thermal lies beside it."""
    words = ["--rgb", "rgb", "--split", "test"]
    told = f"{own / 'thermal'} is not read"
    status, found = run(own, *words)
    assert status == 0
    assert f"{told}; add --thermal thermal" in found["warnings"]
    _, found = run(own, *words, "--rig", "resize", "--thermal-scaling", "0,255")
    more = ", so --thermal-scaling and --rig do nothing; add --thermal thermal"
    assert f"{told}{more}" in found["warnings"]
    _, found = run(own, *words, "--thermal", "thermal", "--rig", "resize")
    assert "is not read" not in str(found["warnings"])


def test_a_folder_of_pairs_is_known_without_a_layout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in ("rgb", "thermal"):
        (tmp_path / kind).mkdir()
    assert main(["check", "--data", str(tmp_path)]) == 2
    told = capsys.readouterr().err.strip()
    assert told.endswith(f"looks like pairs: `samantic check --data {tmp_path} --layout pairs`)")
