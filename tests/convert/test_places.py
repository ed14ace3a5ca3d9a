"""Labels and their images in all the places where exports and people put them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from samantic.cli import main
from samantic.config.read import read_config
from samantic.run.data import open_splits
from tests.convert import exports
from tests.convert.exports import SIZE, Shape, painted, save_image, scene

NAMES = ["--classes", "background,person,car"]
COLOURS = {"background": "0,0,0", "person": "128,0,0", "car": "0,128,0"}


def save_labels(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(painted(scene(seed))).save(path)


def labels(out: Path) -> dict[str, np.ndarray]:
    return {p.stem: np.asarray(Image.open(p)) for p in sorted((out / "labels").iterdir())}


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("images/{}.jpg", "masks/{}.png"),
        ("JPEG/{}.jpg", "GT/{}.png"),
        ("{}.jpg", "{}_mask.png"),
        ("photos/{}.jpg", "ids/{}_labelIds.png"),
    ],
)
def test_label_images_beside_their_images(image: str, label: str, tmp_path: Path) -> None:
    """A folder of both is told apart by the words in folders and names."""
    root = tmp_path / "in"
    for seed in range(2):
        save_image(root / image.format(seed))
        save_labels(root / label.format(seed), seed)
    assert main(["convert", str(root), "--out", str(tmp_path / "out"), *NAMES]) == 0
    found = labels(tmp_path / "out")
    assert list(found) == ["0", "1"]
    for seed, pixels in enumerate(found.values()):
        assert (pixels == painted(scene(seed))).all()
    assert sorted(p.name for p in (tmp_path / "out" / "rgb").iterdir()) == ["0.jpg", "1.jpg"]


def test_check_knows_label_images_by_their_places(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_image(tmp_path / "in" / "images" / "1.jpg")
    save_labels(tmp_path / "in" / "masks" / "1.png", 1)
    assert main(["check", "--data", str(tmp_path / "in")]) == 2
    line = capsys.readouterr().err
    assert "label images; convert it by: samantic convert" in line
    words = shlex.split(line.split("convert it by: samantic ")[1])
    assert words[-2:] == ["--classes", "NAMES"]
    assert main([*words[:-1], "background,person,car"]) == 0
    assert (labels(tmp_path / "in-pairs")["1"] == painted(scene(1))).all()
    red = tmp_path / "red"
    save_image(red / "images" / "1.jpg")
    save_image(red / "labels" / "1.png")
    assert main(["check", "--data", str(red)]) == 2
    line = capsys.readouterr().err
    assert f"{red / 'labels'}: label images in colours; convert it by: samantic" in line
    assert f"convert {red} --out" in line, "so that the images are found"
    (tmp_path / "zip").mkdir()
    (tmp_path / "zip" / "export.zip").touch()
    assert main(["check", "--data", str(tmp_path / "zip")]) == 2
    assert "export.zip: an archive; unpack it" in capsys.readouterr().err


def test_splits_of_label_images(tmp_path: Path) -> None:
    """train/images and train/masks: the folders are splits, and say which image is whose."""
    for seed, split in enumerate(("train", "val")):
        save_image(tmp_path / "in" / split / "images" / "1.jpg")
        save_labels(tmp_path / "in" / split / "masks" / "1.png", seed)
    assert main(["convert", str(tmp_path / "in"), "--out", str(tmp_path / "out"), *NAMES]) == 0
    assert (labels(tmp_path / "out")["val-1"] == painted(scene(1))).all()
    data = yaml.safe_load((tmp_path / "out" / "data.yaml").read_text())["data"]
    assert (data["train"], data["val"], data["test"]) == ("train", "val", None)
    assert (tmp_path / "out" / "train.txt").read_text() == "train-1\n"


def test_masks_of_cvat_in_folders(tmp_path: Path) -> None:
    """Images that were uploaded in a folder keep it in SegmentationClass."""
    scenes = {f"frame {i}": scene(i) for i in range(2)}
    root = exports.cvat_masks(tmp_path / "in", scenes, COLOURS)
    for folder, ending in (("SegmentationClass", "png"), ("JPEGImages", "jpg")):
        (root / folder / "cam 1").mkdir()
        (root / folder / f"frame 1.{ending}").rename(root / folder / "cam 1" / f"frame 1.{ending}")
    lists = root / "ImageSets" / "Segmentation"
    (lists / "train.txt").write_text("cam 1/frame 1\n")
    (lists / "val.txt").write_text("frame 0\n")
    for source in (root, tmp_path):  # the export, or the folder around it
        out = tmp_path.with_name(f"{tmp_path.name}-{source.name}")
        assert main(["convert", str(source), "--out", str(out), *NAMES]) == 0
        found = labels(out)
        assert list(found) == ["frame 0", "frame 1"]
        assert (found["frame 1"] == painted(scenes["frame 1"])).all()
        assert (out / "train.txt").read_text() == "frame 1\n"


def test_images_of_one_name_are_known_by_their_folders(tmp_path: Path) -> None:
    shapes = {"night": [Shape(1, 5, 30, (9, 12))], "day": [Shape(1, 30, 20, (5, 5))]}
    for folder, own in shapes.items():
        exports.labelme(tmp_path / "in" / "json" / folder, {"1": own}, "polygon")
        (tmp_path / "in" / "img" / folder).mkdir(parents=True)
        image = tmp_path / "in" / "json" / folder / "1.jpg"
        Image.new("RGB", SIZE[::-1], (9 if folder == "day" else 200,) * 3).save(image)
        image.rename(tmp_path / "in" / "img" / folder / "1.jpg")
    assert main(["convert", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 0
    for folder, own in shapes.items():
        name = f"json-{folder}-1"
        assert (labels(tmp_path / "out")[name] == painted(own)).all()
        level = np.asarray(Image.open(tmp_path / "out" / "rgb" / f"{name}.jpg")).mean()
        assert (level < 100) == (folder == "day")


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def line(*words: str) -> str:
        assert main(["convert", str(tmp_path / "in"), "--out", str(tmp_path / "out"), *words]) == 2
        (told,) = capsys.readouterr().err.splitlines()
        assert not (tmp_path / "out").exists()
        return told

    return line


def test_one_image_is_not_taken_twice(tmp_path: Path, refused: Callable[..., str]) -> None:
    """Of two cameras' labels, one camera's images are there."""
    for camera in ("a", "b"):
        exports.labelme(tmp_path / "in" / camera, {"1": [Shape(1, 5, 30, (9,))]}, "polygon")
    (tmp_path / "in" / "b" / "1.jpg").unlink()
    assert "a/1.jpg: the only image that fits a/1 as well as b/1" in refused()


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_pictures_are_no_recording(mode: str, tmp_path: Path, refused: Callable[..., str]) -> None:
    """A folder of masks or photographs is none of frames; a line says what is missing."""
    (tmp_path / "in").mkdir()
    Image.new(mode, (64, 48)).save(tmp_path / "in" / "1.png")
    assert "for label images give --classes or --map" in refused()


def test_an_archive_in_the_folder(tmp_path: Path, refused: Callable[..., str]) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "export.zip").write_bytes(b"PK")
    assert "export.zip is an archive; unpack it" in refused()


def test_an_export_is_not_written_into_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = exports.labelme(tmp_path / "in", {"1": [Shape(1, 5, 30, (9,))]}, "polygon")
    before = sorted(root.rglob("*"))
    assert main(["convert", str(root), "--out", str(root / ".." / "in")]) == 2
    assert "is what is converted; give another folder" in capsys.readouterr().err
    assert sorted(root.rglob("*")) == before


def test_label_studio_s_images_of_one_name(tmp_path: Path) -> None:
    """Files of a server's folder, two of which are called alike."""
    shapes = {"a": [Shape(1, 5, 30, (9, 12))], "b": [Shape(1, 30, 20, (5, 5))]}
    path = exports.label_studio(tmp_path / "in", shapes, "polygon")
    tasks = json.loads(path.read_text())
    for task, folder in zip(tasks, shapes, strict=True):
        task["data"]["image"] = f"/data/local-files/?d=rec/{folder}/0001.jpg"
        save_image(tmp_path / "photos" / folder / "0001.jpg")
    exports.dump(path, tasks)
    words = ["--images", str(tmp_path / "photos"), "--out", str(tmp_path / "out")]
    assert main(["convert", str(path), *words]) == 0
    for folder, own in shapes.items():
        assert (labels(tmp_path / "out")[f"rec-{folder}-0001"] == painted(own)).all()


def test_thermal_images_are_found_by_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only some frames are labelled, and the thermal camera runs by itself."""
    times = [1706702400 + 0.5 * index for index in range(6)]
    for place, time in enumerate(times):
        save_image(tmp_path / "images" / f"{time:.3f}.jpg")
        (tmp_path / "heat").mkdir(exist_ok=True)
        gray = Image.new("L", SIZE[::-1], 10 * place)
        gray.save(tmp_path / "heat" / f"{time + 0.008:.3f}.png")
    for seed, place in enumerate((0, 3, 5)):
        save_labels(tmp_path / "labels" / f"{times[place]:.3f}.png", seed)
    command = ["convert", str(tmp_path / "labels"), "--images", str(tmp_path / "images"), *NAMES]
    command += ["--thermal", str(tmp_path / "heat"), "--out", str(tmp_path / "out")]
    assert main(command) == 2
    told = capsys.readouterr().err
    assert "the names hold times, and 3 of both lie at most 8ms apart" in told
    assert main([*command, "--tolerance", "1ms"]) == 2
    assert "the closest are 0.008 s apart" in capsys.readouterr().err
    assert main([*command, "--tolerance", "8ms"]) == 0
    found = sorted((tmp_path / "out" / "thermal").iterdir())
    assert [path.stem for path in found] == [f"{times[place]:.3f}" for place in (0, 3, 5)]
    assert [Image.open(path).getpixel((0, 0)) for path in found] == [0, 30, 50]
    (tmp_path / "heat" / "1706702402.508.png").unlink()
    assert main([*command[:-1], str(tmp_path / "two"), "--tolerance", "8ms"]) == 2
    assert "correct --thermal or --tolerance 0.008" in capsys.readouterr().err


def test_recordings_in_folders_are_paired_by_time_or_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Equal names in two folders are two images, and a folder's date is no frame's time."""

    def record(root: Path, starts: dict[str, float]) -> None:
        for seed, (folder, start) in enumerate(starts.items()):
            for place in range(2):
                save_image(root / "images" / folder / f"{start + place:.1f}.jpg")
                heat = root / "heat" / folder / f"{start + place + 0.1:.1f}.png"
                heat.parent.mkdir(parents=True, exist_ok=True)
                Image.new("L", SIZE[::-1], 10 * seed + place).save(heat)
                save_labels(root / "labels" / folder / f"{start + place:.1f}.png", seed)

    def convert(root: Path) -> int:
        words = ["--images", str(root / "images"), "--thermal", str(root / "heat"), *NAMES]
        words += ["--tolerance", "100ms", "--out", str(root / "out")]
        return main(["convert", str(root / "labels"), *words])

    record(tmp_path / "own", {"20240131_120000": 100.0, "20240131_130000": 200.0})
    assert convert(tmp_path / "own") == 0
    found = sorted((tmp_path / "own" / "out" / "thermal").iterdir())
    assert [Image.open(path).getpixel((0, 0)) for path in found] == [0, 1, 10, 11]
    record(tmp_path / "same", {"a": 0.0, "b": 0.0})
    assert convert(tmp_path / "same") == 2
    assert "their images lie in the same time; convert the recordings" in capsys.readouterr().err
    assert not (tmp_path / "same" / "out").exists()


@pytest.mark.parametrize(("count", "sizes"), [(12, (7, 3, 2)), (60, (48, 6, 6))])
def test_a_conversion_ends_with_a_training(
    count: int,
    sizes: tuple[int, int, int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its options are taken as they are printed; no split of a few frames is a single one."""
    monkeypatch.chdir(tmp_path)
    for seed in range(count):
        save_image(tmp_path / "in" / "images" / f"{seed:02}.jpg")
        save_labels(tmp_path / "in" / "labels" / f"{seed:02}.png", seed)
    assert main(["convert", "in", "--out", "mine", *NAMES]) == 0
    line = capsys.readouterr().out.strip().splitlines()[-1]
    words = shlex.split(line)
    assert words[:3] == ["samantic", "train", "mine/data.yaml"]
    assert words[-2:] == ["--out", "runs/mine"]
    config = read_config(Path(words[2]), words[3:])
    assert (config.model.network, config.train.start) == ("student", "nano")
    splits = open_splits(config.data)
    assert tuple(len(splits[name]) for name in ("train", "val", "test")) == sizes
    bare = ["train", "mine/data.yaml", "--out", "x", "--data.train", "train"]
    assert main(bare) == 2
    assert "mine/data.yaml names the splits that convert made" in capsys.readouterr().err
