"""Files that cannot be used, through the real command: one clear line, the right exit status."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samantic.cli import main
from samantic.scenes.write import write_scenes

CLASSES = "[" + ",".join("abcdefghi") + "]"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    root = tmp_path / "own"
    splits = {"train": range(3), "val": range(3, 4), "test": range(4, 5)}
    write_scenes(root, "pairs", splits, seed=2, size=(48, 64))
    return root


def save(image: Image.Image, **options: object) -> Callable[[Path], None]:
    return lambda path: image.save(path, **options)  # type: ignore[arg-type]


def gray(value: object, dtype: type, shape: tuple[int, int] = (48, 64)) -> Image.Image:
    return Image.fromarray(np.full(shape, value, dtype))


def animated(path: Path) -> None:
    frames = [Image.new("RGB", (64, 48), (i * 50, 0, 0)) for i in range(3)]
    frames[0].save(path, format="PNG", save_all=True, append_images=frames[1:])


def pages(path: Path) -> None:
    gray(3, np.uint8).save(path, format="TIFF", save_all=True, append_images=[gray(9, np.uint8)])


def cmyk(path: Path) -> None:
    Image.new("CMYK", (64, 48)).save(path, format="JPEG")


def turned(path: Path) -> None:
    image = Image.new("RGB", (64, 48))
    exif = image.getexif()
    exif[274] = 6  # turned by 90 degrees
    image.save(path, format="JPEG", exif=exif)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent / "nowhere.png")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def bomb(path: Path) -> None:
    """A header that promises 30,000 x 30,000 pixels."""
    data = bytearray(path.read_bytes())
    data[16:24] = (30000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    path.write_bytes(bytes(data))


IMAGES: list[tuple[str, Callable[[Path], object], str]] = [
    ("rgb", truncated, "not a readable image"),
    ("rgb", lambda p: p.write_bytes(b""), "not a readable image"),
    ("rgb", lambda p: p.write_text("hello"), "not a readable image"),
    ("rgb", animated, "several images in one file; save each by itself"),
    ("rgb", pages, "several images in one file; save each by itself"),
    ("rgb", cmyk, "colours as CMYK; save it as RGB"),
    ("rgb", turned, "64x48 pixels, but"),
    ("rgb", save(Image.new("RGB", (1, 1))), "1x1 pixels; nothing smaller than 16x16"),
    ("rgb", save(Image.new("RGB", (32, 24))), "64x48 pixels, but"),
    ("rgb", save(gray(7, np.uint16)), "more than 8 bits a channel"),
    ("rgb", dangling, "no such image"),
    ("rgb", folder, "a folder, not an image"),
    ("rgb", bomb, "cut it into parts"),
    ("thermal", truncated, "not a readable image"),
    ("thermal", save(gray(3000, np.uint16)), "deeper than 8 bits; say how to scale them"),
    ("thermal", save(gray(300.0, np.float32), format="TIFF"), "deeper than 8 bits; say how"),
    ("thermal", save(gray(-5, np.int32), format="TIFF"), "do not fit 16 bits"),
    ("thermal", save(Image.new("RGB", (64, 48), (9, 90, 200))), "in false colours"),
    ("thermal", save(Image.new("LA", (64, 48))), "transparent pixels (100.0%) have no temperature"),
    ("thermal", save(Image.new("L", (40, 48))), "40x48 pixels, but"),
]


@pytest.mark.parametrize(("kind", "spoil", "message"), IMAGES)
def test_one_bad_pair_is_told_and_the_others_are_predicted(
    trained: Path,
    own: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    spoil: Callable[[Path], object],
    message: str,
) -> None:
    path = sorted((own / kind).iterdir())[1]
    spoil(path)
    out = tmp_path / "out"
    words = ["predict", str(trained), "--rgb", f"{own}/rgb", "--thermal", f"{own}/thermal"]
    status = main([*words, "--out", str(out)])
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("samantic: ")]
    assert status == 1
    assert len(told) == 1
    assert message in told[0]
    assert path.stem in told[0]
    summary = json.loads((out / "summary.json").read_text())
    assert list(summary["failed"]) == [path.stem]
    assert summary["count"] == 4
    assert not summary["complete"]
    assert len(list((out / "labels").iterdir())) == len(list((out / "overlays").iterdir())) == 4
    assert not [p for p in out.rglob(".*") if p.is_file()]


LABELS: list[tuple[Callable[[Path], object], str]] = [
    (save(gray(17, np.uint8)), "label id 17, but there are 9 classes (0..8"),
    (save(gray(1.5, np.float32), format="TIFF"), "labels must be one 8-bit channel"),
    (save(gray(3, np.uint16)), "labels must be one 8-bit channel"),
    (save(Image.new("RGB", (64, 48))), "or give the classes' colours"),
    (save(gray(0, np.uint8, (24, 32))), "32x24 pixels, but"),
    (truncated, "not a readable image"),
]


@pytest.mark.parametrize(("spoil", "message"), LABELS)
def test_bad_labels_stop_a_training(
    own: Path,
    write_config: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Path], object],
    message: str,
) -> None:
    spoil(own / "labels" / f"{(own / 'val.txt').read_text().split()[0]}.png")
    config = write_config(own, data={"layout": "pairs"}, train={"steps": 1, "validations": 1})
    assert main(["train", str(config), "--data.classes", CLASSES]) == 2
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("samantic: ")]
    assert len(told) == 1
    assert message in told[0]


def duplicate(root: Path) -> None:
    name = sorted((root / "rgb").iterdir())[0]
    Image.new("RGB", (64, 48)).save(name.with_suffix(".bmp"))


def stranger(root: Path) -> None:
    (root / "train.txt").write_text("nobody\n")


def no_labels(root: Path) -> None:
    for path in (root / "labels").iterdir():
        path.unlink()


FOLDERS: list[tuple[Callable[[Path], object], list[str], str]] = [
    (duplicate, [], "has the same stem; remove one"),
    (stranger, [], "rgb: nobody is missing; add the partner"),
    (no_labels, [], "labels: 3 of 3 are missing: 00002_00000D, "),
    (lambda r: (r / "train.txt").write_bytes(b"\xff\xfe\x00"), [], "not UTF-8"),
    (lambda r: (r / "train.txt").write_text(" \n"), [], "the split 'train' is empty"),
    (lambda r: (r / "train.txt").unlink(), [], "list the split's file stems in it"),
    (lambda r: None, ["--data.thermal", "*_th.png"], "no image matches; correct the pattern"),
    (lambda r: None, ["--data.rgb", "rgb"], "has no thermal images, which fusion paper reads"),
    (lambda r: None, ["--data.rig", "none.yaml"], "no such calibration"),
    (lambda r: None, ["--data.thermal-scaling", "9,3"], "give 8-bit, frame, LOW,HIGH"),
    (lambda r: None, ["--data.classes", "[one]"], "name 2 to 254 classes"),
    (lambda r: None, ["--data.colors", "[red]"], "'red' is not a colour"),
]


@pytest.mark.parametrize(("spoil", "words", "message"), FOLDERS)
def test_bad_folders_stop_a_training(
    own: Path,
    write_config: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Path], object],
    words: list[str],
    message: str,
) -> None:
    spoil(own)
    config = write_config(own, data={"layout": "pairs"}, train={"steps": 1, "validations": 1})
    status = main(["train", str(config), f"--data.classes={CLASSES}", *words])
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("samantic: ")]
    assert status == 2
    assert len(told) == 1
    assert message in told[0]


def test_names_that_are_no_text(trained: Path, tmp_path: Path) -> None:
    """Bytes that are no UTF-8 in a file name do no harm."""
    heat = tmp_path / "heat"
    heat.mkdir()
    with (heat / os.fsdecode(b"caf\xe9.png")).open("wb") as file:
        Image.new("L", (64, 48)).save(file, format="PNG")
    out = tmp_path / "out"
    assert main(["predict", str(trained), "--thermal", str(heat), "--out", str(out)]) == 0
    assert len(list((out / "labels").iterdir())) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_files_that_may_not_be_read(
    trained: Path, own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = sorted((own / "rgb").iterdir())[0]
    path.chmod(0)
    words = ["predict", str(trained), "--rgb", f"{own}/rgb", "--out", str(tmp_path / "out")]
    assert main(words) == 1
    assert "no permission to read it; change its permissions" in capsys.readouterr().err
