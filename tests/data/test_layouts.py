"""Every layout, as its owners publish it: what is written there is read back, by every verb."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from samantic.cli import main
from samantic.config import DataConfig
from samantic.config.data import Layout
from samantic.config.scaling import Scaling
from samantic.data import CATALOG, PairedFolder
from samantic.data.camera import Camera
from samantic.data.cards.catalog import dataset_spec
from samantic.data.folders import filled, find_images, matched
from samantic.data.instances import InstanceFolder
from samantic.data.labels import LabelCode
from samantic.errors import InputError
from samantic.scenes import draw_scene
from samantic.scenes.write import COUNTS, DRAW, LABELS, write_scenes

NAMES = [*"abcdefghi"]
LAYOUTS: list[Layout] = [name for name in get_args(Layout) if name not in DRAW]
SCALING = {16: Scaling("fixed", COUNTS[0], COUNTS[0] + 255 * COUNTS[1])}


def write(root: Path, layout: Layout, size: tuple[int, int] = (48, 64)) -> None:
    splits = {"train": range(4), "val": range(4, 6), "test": range(6, 8)}
    write_scenes(root, layout, splits, seed=3, size=size)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_written_is_read(tmp_path: Path, layout: Layout) -> None:
    write(tmp_path, layout)
    spec = CATALOG[layout]
    data = PairedFolder(
        tmp_path, layout, "test", classes=NAMES, camera=Camera(SCALING.get(spec.bits, Scaling()))
    )
    assert len(data) == 2
    scene, sample = draw_scene(3, 6, (48, 64)), data[0]
    assert sample.rgb is not None
    assert sample.thermal is not None
    assert sample.labels is not None
    lossy = 12 if "jpg" in spec.rgb else 0
    rgb = 255 * sample.rgb.permute(1, 2, 0).numpy()
    assert np.abs(rgb - scene.rgb).mean() <= lossy
    # a warm thing of one pixel looks like a hot pixel, which 16-bit images are cleared of
    assert (np.abs(255 * sample.thermal[0].numpy() - scene.thermal) < 1e-2).mean() > 0.999
    there = np.array(LABELS[layout])[scene.labels]
    for label in range(len(data.classes)):
        code = spec.ids[label] if spec.ids else label
        assert np.array_equal(sample.labels.numpy() == label, there == code)
    things = InstanceFolder(tmp_path, layout, "test", classes=NAMES, camera=data.camera)[0].labels
    assert things is not None
    assert np.array_equal(things.numpy(), scene.instances)


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_verb(tmp_path: Path, layout: Layout, write_config: Callable[..., Path]) -> None:
    root, spec = tmp_path / "data", CATALOG[layout]
    write(root, layout)
    scaling = str(SCALING.get(spec.bits, Scaling()))
    data = {"root": str(root), "layout": layout, "thermal_scaling": scaling, "workers": 0}
    if layout == "pairs":
        data["classes"] = NAMES  # type: ignore[assignment]
    config = write_config(root, data=data, train={"steps": 1, "validations": 1})
    assert main(["train", str(config)]) == 0
    run = str(tmp_path / "run")
    words = ["--data", str(root), "--layout", layout, "--split", "test"]
    assert main(["evaluate", run, *words, "--out", str(tmp_path / "evaluated")]) == 0
    again = json.loads((tmp_path / "evaluated" / "metrics.json").read_text())
    assert again["miou"] == pytest.approx(json.loads(Path(run, "metrics.json").read_text())["miou"])
    folders = {"rgb": spec.images or spec.rgb, "thermal": spec.images or spec.thermal}
    first = {
        kind: next(iter(find_images(root, place.format(split="test")).values()))
        for kind, place in folders.items()
    }
    inputs = ["--rgb", str(first["rgb"]), "--thermal", str(first["thermal"])]
    if spec.images:
        inputs = ["--rgbt", str(first["rgb"])]
    assert main(["predict", run, *inputs, "--out", str(tmp_path / "predicted")]) == 0
    (overlay,) = (tmp_path / "predicted" / "overlays").iterdir()
    with Image.open(overlay) as image:
        assert image.size == (64, 48)


def test_own_folders_patterns_and_colours(
    tmp_path: Path, write_config: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Two drives, partners by suffix, labels painted in colours: named in YAML, not in code."""
    rng = np.random.default_rng(0)
    colours = np.array([[0, 0, 0], [255, 0, 0], [0, 0, 255]], np.uint8)
    for drive in ("drive1", "drive2"):
        (tmp_path / drive).mkdir()
        for frame in range(3):
            stem = str(tmp_path / drive / f"{frame:02d}")
            ids = rng.integers(0, 3, (32, 40))
            Image.fromarray(rng.integers(0, 256, (32, 40, 3), np.uint8)).save(f"{stem}_rgb.png")
            Image.fromarray(rng.integers(0, 256, (32, 40), np.uint8)).save(f"{stem}_th.png")
            Image.fromarray(colours[ids]).save(f"{stem}_label.png")
    data = {
        "root": str(tmp_path),
        "layout": "pairs",
        "classes": ["ground", "person", "car"],
        "rgb": "drive*/*_rgb.png",
        "thermal": "drive*/*_th.png",
        "labels": "drive*/*_label.png",
        "colors": ["#000000", "#ff0000", "#0000FF"],
        **dict.fromkeys(("train", "val", "test"), "all"),
    }
    spec = dataset_spec(DataConfig(**data))  # type: ignore[arg-type]
    pairs = PairedFolder(tmp_path, spec)
    assert [files.name for files in pairs.files] == [f"{d}-0{f}" for d in "12" for f in range(3)]
    labels = pairs[4].labels
    assert labels is not None
    painted = np.asarray(Image.open(tmp_path / "drive2" / "01_label.png"))
    assert np.array_equal(colours[labels.numpy()], painted)
    config = write_config(tmp_path, data=data, train={"steps": 1, "validations": 1})
    assert main(["train", str(config)]) == 0
    values = yaml.safe_load(config.read_text())
    values["data"]["colors"][2] = "#00ff00"
    config.write_text(yaml.safe_dump(values))
    assert (
        main(["train", str(config), "--out", str(tmp_path / "other"), "--loss.class-balance=1"])
        == 2
    )
    assert "_label.png: the colour #0000ff is no class's" in capsys.readouterr().err


def test_own_four_channel_files(mfnet: Path) -> None:
    spec = dataset_spec(DataConfig("data", "pairs", NAMES, rgbt="images/*.png"))
    ours, theirs = PairedFolder(mfnet, spec, "test")[0], PairedFolder(mfnet, "mfnet", "test")[0]
    for part in ("rgb", "thermal", "labels"):
        assert torch.equal(getattr(ours, part), getattr(theirs, part))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rgbt": "a", "thermal": "b"}, r"data\.rgbt: replaces data\.rgb and data\.thermal"),
        ({"layout": "mfnet", "rgb": "x"}, r"data\.rgb: layout mfnet has its own"),
        ({"layout": "fmb", "colors": ["#000000"]}, r"data\.colors: layout fmb has its own"),
        ({"colors": ["#000000"]}, r"data\.colors: 1 colours for 2 classes"),
        ({"colors": ["#000000", "red"]}, r"data\.colors: 'red' is not a colour"),
        ({"classes": ["one"]}, "name 2 to 254 classes"),
    ],
)
def test_bad_data_cards(changes: dict[str, object], message: str) -> None:
    values = {"layout": "pairs", "classes": ["a", "b"], **changes}
    with pytest.raises(InputError, match=message):
        dataset_spec(DataConfig("somewhere", **values))  # type: ignore[arg-type]


def test_patterns() -> None:
    assert matched("color/*_eo-*.jpg", "color/duck_1_eo-07.jpg") == "duck_1-07"
    assert matched("color/*_eo-*.jpg", "plain") == "plain"
    assert matched("rgb", "00001D") == "00001D"
    assert matched("a+b/*.png", "a+b/1.png") == "1"
    assert matched("*_th.*", "7_th.tiff") == "7"
    path = filled("color/*_eo-*.jpg", "00003-00001D")
    assert path == "color/00003_eo-00001D.jpg"
    assert filled("d/*.png", "a_b_c") == "d/a_b_c.png"
    assert filled("d/*/*.*", "a-b-c") == "d/a/b-c.png"
    assert filled("d", "a-b") == "d/a-b.png"


def test_files_without_a_match_or_with_one_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no image matches; correct the pattern"):
        find_images(tmp_path, "*_rgb.png")
    for name in ("1_rgb.png", "1_rgb.jpg", "2_rgb.txt"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match="has the same name 1; remove one"):
        find_images(tmp_path, "*_rgb.*")


def test_ids_that_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "labels.png"
    Image.fromarray(np.array([[0, 1, 2, 11, 255]], np.uint8)).save(path)
    spec = CATALOG["cart"]
    code = LabelCode(len(spec.classes), spec.ids, spec.ignored)
    assert code.read(path).tolist() == [[255, 255, 0, 9, 255]]
    Image.fromarray(np.array([[12]], np.uint8)).save(path)
    with pytest.raises(InputError, match="label id 12, but there are 10 classes"):
        code.read(path)
