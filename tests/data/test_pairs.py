from __future__ import annotations

import shutil
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from PIL import Image

from samantic.config.data import Layout
from samantic.data import CATALOG, PairedFolder
from samantic.data.cards.card import palette
from samantic.data.images import rgb_array, thermal_array
from samantic.errors import InputError
from samantic.scenes import draw_scene
from samantic.scenes.write import LABELS, write_scenes

CLASSES = list(CATALOG["mfnet"].classes)


@pytest.fixture
def copy(mfnet: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(mfnet, tmp_path / "copy"))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    root = tmp_path / "own"
    write_scenes(root, "pairs", {"train": range(3)}, seed=3, size=(48, 64))
    return root


def first(root: Path, split: str = "train") -> str:
    return (root / f"{split}.txt").read_text().split()[0]


def test_mfnet_layout_keeps_the_fourth_channel(mfnet: Path) -> None:
    data = PairedFolder(mfnet, "mfnet", "test")
    assert len(data) == 2
    sample = data[0]
    with Image.open(mfnet / "images" / f"{sample.name}.png") as image:
        pixels = np.asarray(image)
    with Image.open(mfnet / "labels" / f"{sample.name}.png") as image:
        labels = np.asarray(image)
    assert sample.rgb is not None
    assert sample.thermal is not None
    assert sample.labels is not None
    expected = torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255
    assert torch.equal(torch.cat([sample.rgb, sample.thermal]), expected)
    assert np.array_equal(sample.labels.numpy(), labels)
    assert data.subset("00001D") == "day"
    assert data.subset("00001N") == "night"
    assert data.subset("other") is None


def test_both_layouts_hold_the_same(mfnet: Path, own: Path) -> None:
    ours = PairedFolder(own, "pairs", "train", classes=CLASSES)
    theirs = PairedFolder(mfnet, "mfnet", "train")
    for index in range(3):
        a, b = ours[index], theirs[index]
        assert a.name == b.name
        for one, other in ((a.rgb, b.rgb), (a.thermal, b.thermal), (a.labels, b.labels)):
            assert one is not None
            assert other is not None
            assert torch.equal(one, other)


def test_class_weights(mfnet: Path) -> None:
    data = PairedFolder(mfnet, "mfnet", "train")
    labels = torch.stack([cast(torch.Tensor, data[i].labels) for i in range(len(data))])
    for label, weight in enumerate(data.class_weights(0.5)):
        share = (labels == label).double().mean()
        assert float(weight) == pytest.approx(float(share**-0.5) if share else 0.0, rel=1e-5)


def test_without_split_files_all_is_every_stem(own: Path) -> None:
    for listing in own.glob("*.txt"):
        listing.unlink()
    assert len(PairedFolder(own, "pairs", classes=CLASSES)) == 3


def test_thermal_as_three_equal_channels(own: Path) -> None:
    name = first(own)
    path = own / "thermal" / f"{name}.png"
    with Image.open(path) as image:
        gray = np.asarray(image)
        image.convert("RGB").save(path)
    assert np.array_equal(thermal_array(path), gray)
    jpeg = path.with_suffix(".jpg")
    Image.fromarray(gray).convert("RGB").save(jpeg)
    assert thermal_array(jpeg).shape == gray.shape


def spoil_partner(root: Path, name: str) -> None:
    (root / "thermal" / f"{name}.png").unlink()


def spoil_label_partner(root: Path, name: str) -> None:
    (root / "labels" / f"{name}.png").unlink()


def spoil_size(root: Path, name: str) -> None:
    Image.new("L", (32, 24)).save(root / "thermal" / f"{name}.png")


def spoil_label_size(root: Path, name: str) -> None:
    Image.new("L", (32, 24)).save(root / "labels" / f"{name}.png")


def spoil_label_id(root: Path, name: str) -> None:
    Image.new("L", (64, 48), 17).save(root / "labels" / f"{name}.png")


def spoil_label_mode(root: Path, name: str) -> None:
    Image.new("RGB", (64, 48)).save(root / "labels" / f"{name}.png")


def spoil_truncated(root: Path, name: str) -> None:
    path = root / "rgb" / f"{name}.png"
    path.write_bytes(path.read_bytes()[:400])


def spoil_depth(root: Path, name: str) -> None:
    Image.fromarray(np.full((48, 64), 3000, np.uint16)).save(root / "thermal" / f"{name}.png")


def spoil_colours(root: Path, name: str) -> None:
    Image.new("RGB", (64, 48), (200, 30, 10)).save(root / "thermal" / f"{name}.png")


def spoil_not_an_image(root: Path, name: str) -> None:
    (root / "rgb" / f"{name}.png").write_text("hello")


def spoil_twice(root: Path, name: str) -> None:
    Image.new("RGB", (64, 48)).save(root / "rgb" / f"{name}.jpg")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_partner, r"thermal: \S+ is missing; add the partner"),
        (spoil_label_partner, r"labels: \S+ is missing; add the partner"),
        (spoil_size, r"thermal/\S+: 32x24 pixels, but \S+rgb/\S+ has 64x48; align"),
        (spoil_label_size, r"labels/\S+: 32x24 pixels, but \S+ has 64x48"),
        (spoil_label_id, r"labels/\S+: label id 17, but there are 9 classes \(0\.\.8"),
        (spoil_label_mode, r"labels/\S+: labels must be one 8-bit channel"),
        (spoil_truncated, r"rgb/\S+: not a readable image \(.*; copy it anew"),
        (spoil_depth, r"thermal/\S+: uint16 values up to 3000, deeper than 8 bits; say how"),
        (spoil_colours, r"thermal/\S+: a thermal image in false colours"),
        (spoil_not_an_image, r"rgb/\S+: not a readable image"),
        (spoil_twice, r"rgb/\S+: \S+ has the same stem"),
    ],
)
def test_bad_files(own: Path, spoil: object, message: str) -> None:
    assert callable(spoil)
    spoil(own, first(own))
    with pytest.raises(InputError, match=message) as caught:
        PairedFolder(own, "pairs", "train", classes=CLASSES)[0]
    assert "\n" not in str(caught.value)


def test_three_channels_where_mfnet_has_four(copy: Path) -> None:
    path = copy / "images" / f"{first(copy)}.png"
    Image.new("RGB", (64, 48)).save(path)
    with pytest.raises(InputError, match=r"3 channel\(s\), but 4 are needed, the 4th thermal"):
        PairedFolder(copy, "mfnet", "train")[0]


def test_bad_folders(copy: Path, own: Path) -> None:
    with pytest.raises(InputError, match="no such folder; correct the path of the data set"):
        PairedFolder(copy / "nowhere", "mfnet", "train")
    with pytest.raises(InputError, match=r"dev\.txt: no such file; list the split's file stems"):
        PairedFolder(copy, "mfnet", "dev")
    (copy / "train.txt").write_text("\n")
    with pytest.raises(InputError, match="the split 'train' is empty"):
        PairedFolder(copy, "mfnet", "train")
    shutil.rmtree(copy / "labels")
    with pytest.raises(InputError, match="labels: no such folder of images"):
        PairedFolder(copy, "mfnet", "test")
    with pytest.raises(InputError, match="name 2 to 254 classes"):
        PairedFolder(own, "pairs", "train")


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4), np.uint8), r"rgb: must be \(H, W, 3\) uint8"),
        (np.full((4, 4, 3), 2.0, np.float32), r"rgb: must be \(H, W, 3\) uint8"),
    ],
)
def test_bad_rgb_arrays(image: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rgb_array(image)  # type: ignore[arg-type]


def test_bad_thermal_arrays() -> None:
    for image in (np.zeros((4, 4, 3), np.uint16), np.zeros((4, 4, 2), np.uint8)):
        with pytest.raises(InputError, match="must have one channel, or three equal ones"):
            thermal_array(image)  # type: ignore[arg-type]
    for image in (np.full((4, 4), -1), np.full((4, 4), 70000)):
        with pytest.raises(InputError, match="do not fit 16 bits"):
            thermal_array(image)


def test_palette_follows_pascal_voc() -> None:
    assert palette(5) == ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128))
    assert len(set(palette(255))) == 255


@pytest.mark.realdata
def test_real_mfnet_frames(realdata: Path) -> None:
    root = realdata / "mfnet_mini"
    sizes = {split: len(PairedFolder(root, "mfnet", split)) for split in ("train", "val", "test")}
    assert sizes == {"train": 120, "val": 20, "test": 40}
    sample = PairedFolder(root, "mfnet", "test")[0]
    assert sample.rgb is not None
    assert sample.thermal is not None
    assert sample.rgb.shape == (3, 480, 640)
    assert sample.thermal.std() > 0.01


@pytest.mark.parametrize("layout", ["pst900", "fmb"])
def test_layouts_with_a_folder_for_each_split(tmp_path: Path, layout: Layout) -> None:
    write_scenes(tmp_path, layout, {"train": range(10), "test": [10, 11]}, seed=2, size=(32, 48))
    train, test = (PairedFolder(tmp_path, layout, split) for split in ("train", "test"))
    assert (len(train), len(test)) == (10, 2)
    folder = {"pst900": "rgb", "fmb": "Visible"}[layout]
    assert train.files[0].rgb == tmp_path / "train" / folder / "00002_00000D.png"
    drawn = draw_scene(2, 3, (32, 48))
    sample = train[3]
    assert sample.rgb is not None
    assert sample.labels is not None
    assert np.array_equal((sample.rgb * 255).byte().permute(1, 2, 0).numpy(), drawn.rgb)
    assert np.array_equal(sample.labels.numpy(), np.array(LABELS[layout])[drawn.labels])
    with pytest.raises(InputError, match="no such folder"):
        PairedFolder(tmp_path, layout, "val")


def test_a_part_of_a_split(tmp_path: Path, mfnet: Path) -> None:
    whole = [files.name for files in PairedFolder(mfnet, "mfnet", "train").files]
    first, last = (
        [files.name for files in PairedFolder(mfnet, "mfnet", f"train[{part}]").files]
        for part in (":67%", "67%:")
    )
    assert first == whole[:4]
    assert last == whole[4:]
    with pytest.raises(InputError, match=r"the split 'train\[0%:1%\]' is empty"):
        PairedFolder(mfnet, "mfnet", "train[0%:1%]")
    with pytest.raises(InputError, match=r"train\[half\]\.txt: no such file"):
        PairedFolder(mfnet, "mfnet", "train[half]")


@pytest.mark.realdata
def test_real_pst900_triple(realdata: Path) -> None:
    sample = PairedFolder(realdata / "pst900_sample", "pst900", "test")[0]
    assert sample.labels is not None
    assert sample.rgb is not None
    assert sample.rgb.shape == (3, 720, 1280)
    assert sample.labels.unique().tolist() == [0, 1, 2, 3]
