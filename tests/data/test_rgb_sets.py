"""Data sets without thermal images: their layouts, and every verb on them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samantic.cli import main
from samantic.config import DataConfig
from samantic.config.data import Layout
from samantic.data import CATALOG, PairedFolder
from samantic.data.cards.catalog import dataset_spec
from samantic.data.instances import InstanceFolder
from samantic.data.labels import LabelCode
from samantic.data.loading import collate
from samantic.errors import InputError
from samantic.scenes.write import DRAW, LABELS, write_scenes

SIZE = (32, 128)
SPLITS = {"train": range(4), "val": range(4, 6), "test": range(6, 8)}
FIRST = {  # RGB image, and label image, of scene 6 of seed 3 in the split test
    "cityscapes": (
        "leftImg8bit/test/world3/world3_000006_000000_leftImg8bit.png",
        "gtFine/test/world3/world3_000006_000000_gtFine_labelIds.png",
    ),
    "densepass": (
        "leftImg8bit/test/cs/0000300006_.png",
        "gtFine/test/cs/0000300006_labelTrainIds.png",
    ),
    "wildpass": ("leftImg8bit/test/cs/0000300006.png", "gtFine/test/cs/0000300006.png"),
    "stanford2d3d": (
        "test/pano/rgb/camera_0000300006_office_1_frame_equirectangular_domain_rgb.png",
        "test/pano/semantic/camera_0000300006_office_1_frame_equirectangular_domain_semantic.png",
    ),
}


@pytest.fixture(scope="module")
def panoramas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("densepass")
    write_scenes(root, "densepass", SPLITS, seed=3, size=SIZE)
    return root


@pytest.mark.parametrize("layout", list(DRAW))
def test_what_is_written_is_read(tmp_path: Path, layout: Layout) -> None:
    write_scenes(tmp_path, layout, SPLITS, seed=3, size=SIZE)
    scene = DRAW[layout][0](3, 6, SIZE)
    for path in FIRST[layout]:
        assert (tmp_path / path).is_file()
    data = PairedFolder(tmp_path, layout, "test")
    sample = data[0]
    assert len(data) == 2
    assert data.spec.modalities == ("rgb",)
    assert sample.thermal is None
    assert sample.rgb is not None
    assert sample.labels is not None
    assert np.array_equal((255 * sample.rgb).round().permute(1, 2, 0).byte().numpy(), scene.rgb)
    there = np.array(LABELS[layout])[scene.labels]
    ids = data.spec.ids or range(len(data.classes))
    if layout == "stanford2d3d":  # object 0 is unknown
        ids = range(1, 14)
    for label, code in enumerate(ids):
        assert np.array_equal(sample.labels.numpy() == label, there == code)
    things = InstanceFolder(tmp_path, layout, "test")[0].labels
    assert things is not None
    assert np.array_equal(things.numpy(), scene.instances)
    thermal = Image.open(tmp_path / "thermal" / f"{sample.name}.png")
    assert np.array_equal(np.asarray(thermal), scene.thermal)
    assert len(PairedFolder(tmp_path, layout, "train", labelled=False)) == 4


def test_a_split_of_several_folders(tmp_path: Path) -> None:
    write_scenes(tmp_path, "stanford2d3d", {"train": [0], "val": [1]}, seed=0, size=SIZE)
    write_scenes(tmp_path, "stanford2d3d", {"area_3": [2, 3]}, seed=0, size=SIZE)
    assert len(PairedFolder(tmp_path, "stanford2d3d", "train")) == 3
    assert len(PairedFolder(tmp_path, "stanford2d3d", "area_3")) == 2
    assert len(PairedFolder(tmp_path, "stanford2d3d", "val")) == 1
    with pytest.raises(InputError, match=r"area_6/pano/rgb.*no image matches"):
        PairedFolder(tmp_path, "stanford2d3d", "area_6")


def test_densepass_images_that_are_unlabelled(panoramas: Path, tmp_path: Path) -> None:
    """Those of the true data set lie in folders of cities and end in no underscore."""
    place = tmp_path / "leftImg8bit" / "train" / "Amsterdam"
    place.mkdir(parents=True)
    Image.open(panoramas / FIRST["densepass"][0]).save(place / "17.png")
    (sample,) = PairedFolder(tmp_path, "densepass", "train", labelled=False)
    assert (sample.name, sample.labels) == ("Amsterdam-17", None)


def test_numbered_objects(tmp_path: Path) -> None:
    path = tmp_path / "labels.png"
    numbers = np.array([[0, 1, 2, 258, 0x0D0D0D]])
    pixels = np.stack([numbers >> 16, numbers >> 8 & 255, numbers & 255], axis=-1)
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    objects = (255, 4, 7, *[0] * 255, 12)
    assert LabelCode(13, objects=objects).read(path).tolist() == [[255, 4, 7, 12, 255]]
    write_scenes(tmp_path, "stanford2d3d", {"val": [0]}, seed=0, size=SIZE)
    (tmp_path / "assets" / "semantic_labels.json").unlink()
    with pytest.raises(InputError, match=r"semantic_labels\.json: no such file"):
        PairedFolder(tmp_path, "stanford2d3d", "val")
    assert len(PairedFolder(tmp_path, "stanford2d3d", "val", labelled=False)) == 1


def test_batches(panoramas: Path) -> None:
    data = PairedFolder(panoramas, "densepass", "val")
    batch = collate([data[0], data[1]])
    assert batch.thermal is None
    assert batch.rgb.shape == (2, 3, *SIZE)
    assert batch.present.tolist() == [[True, False]] * 2


def test_every_verb(
    panoramas: Path, tmp_path: Path, write_config: Callable[..., Path], trained: Path
) -> None:
    data = {"root": str(panoramas), "layout": "densepass", "workers": 0}
    rgb = {"base": "random-micro", "fusion": "rgb"}
    small = {"steps": 1, "validations": 1}
    assert main(["train", str(write_config(panoramas, data=data, model=rgb, train=small))]) == 0
    words = ["--data", str(panoramas), "--layout", "densepass", "--split", "test"]
    run, out = str(tmp_path / "run"), str(tmp_path / "evaluated")
    assert main(["evaluate", run, *words, "--out", out, "--robustness"]) == 0
    first, again = (json.loads(Path(p, "metrics.json").read_text()) for p in (run, out))
    assert again["miou"] == pytest.approx(first["miou"])
    assert again["robustness"]["rgb missing"] is None
    page = Path(run, "report.html").read_text()
    assert "<figcaption>thermal" not in page
    folder = str(panoramas / "leftImg8bit" / "val" / "cs")
    assert main(["predict", run, "--rgb", folder, "--out", str(tmp_path / "predicted")]) == 0
    assert len(list((tmp_path / "predicted" / "labels").iterdir())) == 2


def test_check(panoramas: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data", str(panoramas), "--layout", "densepass", "--out", str(tmp_path)]
    assert main(["check", *words]) == 0
    facts = json.loads((tmp_path / "check.json").read_text())
    assert facts["errors"] == []
    assert {name: part["pairs"] for name, part in facts["splits"].items()} == {
        "train": 4, "val": 2, "test": 2
    }  # fmt: skip
    assert facts["splits"]["train"]["thermal_depth"] == {}
    assert facts["splits"]["train"]["thermal_range"] is None
    assert facts["splits"]["train"]["misalignment"]["estimated"] == 0
    assert "not to be told" not in capsys.readouterr().out
    assert "Alignment" not in (tmp_path / "check.html").read_text()


def test_networks_that_need_thermal(
    panoramas: Path,
    tmp_path: Path,
    write_config: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = {"root": str(panoramas), "layout": "densepass", "workers": 0}
    small = {"steps": 1, "validations": 1}
    assert main(["train", str(write_config(panoramas, data=data))]) == 2
    line = "has no thermal images, which fusion paper reads; set model.fusion to rgb"
    assert line in capsys.readouterr().err
    flat = tmp_path / "flat"  # the same panoramas as pairs, with thermal
    for kind, source in (
        ("rgb", "leftImg8bit/{}/cs"),
        ("labels", "gtFine/{}/cs"),
        ("thermal", "thermal"),
    ):
        (flat / kind).mkdir(parents=True)
        for split in SPLITS:
            for path in (panoramas / source.format(split)).iterdir():
                name = path.stem.removesuffix("labelTrainIds").removeprefix("cs-")
                (flat / kind / f"{name}.png").write_bytes(path.read_bytes())
    values = {
        "root": str(flat),
        "layout": "pairs",
        "classes": list(CATALOG["densepass"].classes),
        "workers": 0,
        **dict.fromkeys(("train", "val", "test"), "all"),
    }
    model = {"base": "random-micro", "fusion": "thermal"}
    assert main(["train", str(write_config(flat, data=values, model=model, train=small))]) == 0
    words = ["--data", str(panoramas), "--layout", "densepass", "--split", "test"]
    assert main(["evaluate", str(tmp_path / "run"), *words, "--out", str(tmp_path / "e")]) == 2
    assert "has rgb images, but the model reads thermal; evaluate on" in capsys.readouterr().err
    config = write_config(
        panoramas,
        data=data,
        model=model | {"fusion": "rgb"},
        train=small | {"teacher": str(tmp_path / "run")},
        out=str(tmp_path / "taught"),
    )
    assert main(["train", str(config)]) == 2
    assert "run reads thermal; take a teacher" in capsys.readouterr().err
    model["fusion"] = "average"
    config = write_config(flat, data=values, model=model, train=small, out=str(tmp_path / "both"))
    assert main(["train", str(config)]) == 0  # it reads both, and does with one
    assert main(["evaluate", str(tmp_path / "both"), *words, "--out", str(tmp_path / "f")]) == 0


def test_own_folder_of_rgb_alone(panoramas: Path) -> None:
    spec = dataset_spec(DataConfig("data", "pairs", ["a", "b"], rgb="leftImg8bit/train/*/*.png"))
    data = PairedFolder(panoramas, spec, labelled=False)
    assert spec.modalities == ("rgb",)
    assert len(data) == 4
    assert data[0].thermal is None
    assert data.estimate_scaling().kind == "8-bit"
    both = dataset_spec(DataConfig("data", "pairs", ["a", "b"], rgb="x", thermal="y"))
    assert both.modalities == ("rgb", "thermal")


@pytest.mark.parametrize("layout", list(DRAW))
def test_the_command_writes_them(tmp_path: Path, layout: Layout) -> None:
    words = ["--layout", layout, "--out", str(tmp_path), "--count", "3", "--seed", "1"]
    assert main(["synthesize", *words, "--size", "32x64"]) == 0
    assert [len(PairedFolder(tmp_path, layout, split)) for split in SPLITS] == [1, 1, 1]
