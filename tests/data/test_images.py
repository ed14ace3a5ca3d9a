"""One door for images: what comes in, what is refused, and that there is no other."""

from __future__ import annotations

import ast
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samantic.cli import main
from samantic.data.image_files import FORMATS, extent_of
from samantic.data.images import read_rgbt, rgb_array, thermal_array
from samantic.errors import InputError, LargeError
from tests.encoders import png, tiff

ROOT = Path(__file__).parents[2]
LEVELS = np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6)


def test_the_size_in_a_header(tmp_path: Path) -> None:
    """It is read without decoding; of what is no image there is none."""
    (tmp_path / "a").write_bytes(png(LEVELS[..., None], 8)[:60])
    assert extent_of(tmp_path / "a") == (6, 4)
    (tmp_path / "a").write_bytes(b"hello")
    assert extent_of(tmp_path / "a") is None
    for bits in (16, 64):  # Pillow does not read them
        samples = LEVELS[..., None].astype(f"f{bits // 8}")
        (tmp_path / "a").write_bytes(tiff(samples, bits, deflate=True))
        assert extent_of(tmp_path / "a") == (6, 4)
    huge = bytearray(png(LEVELS[..., None], 8))
    huge[16:24] = bytes([0, 0, 200, 0] * 2)
    huge[29:33] = zlib.crc32(huge[12:29]).to_bytes(4, "big")
    (tmp_path / "a").write_bytes(huge)
    with pytest.raises(LargeError, match="cut it into parts"):
        extent_of(tmp_path / "a")


def test_tiles_larger_than_their_image(tmp_path: Path) -> None:
    """A tile of any size unpacks from a few bytes."""
    for side, fits in ((512, True), (2048, False)):
        data = zlib.compress(bytes(side * side))
        tags = {256: 64, 257: 48, 258: 8, 259: 8, 262: 1, 277: 1, 322: side, 323: side, 324: 200}
        rows = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items()]
        rows.append(struct.pack("<HHII", 325, 4, 1, len(data)))
        head = b"II*\0" + struct.pack("<IH", 8, len(rows)) + b"".join(rows)
        (tmp_path / "a").write_bytes(head.ljust(200, b"\0") + data)
        if fits:
            assert thermal_array(tmp_path / "a").shape == (48, 64)
            continue
        with pytest.raises(InputError, match="a: tiles of 2048x2048 pixels, more than the image"):
            thermal_array(tmp_path / "a")


def test_one_door() -> None:
    """No other module opens pictures, and the door knows its formats."""
    found = []
    for folder in ("src", "training", "examples", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                    "Image.open",
                    "PIL.Image.open",
                    "plt.imread",
                    "cv2.imread",
                ):
                    found.append((path.relative_to(ROOT).as_posix(), ast.unparse(node)))
    assert sorted(found) == [
        ("src/samantic/cluster/forms.py", "Image.open(io.BytesIO(content), formats=('PNG',))"),
        (
            "src/samantic/convert/formats/pictures.py",
            "Image.open(io.BytesIO(data), formats=('PNG',))",
        ),
        ("src/samantic/data/image_files.py", "Image.open(path, formats=FORMATS)"),
        ("src/samantic/data/radiometric.py", "Image.open(io.BytesIO(payload), formats=('PNG',))"),
    ]
    assert set(FORMATS) == {"PNG", "JPEG", "BMP", "TIFF", "WEBP"}


def test_postscript_starts_no_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained: Path
) -> None:
    stand_in = tmp_path / "gs"
    stand_in.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\nexit 1\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    folder = tmp_path / "rgb"
    folder.mkdir()
    (folder / "0.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 48\nshowpage\n")
    assert main(["predict", str(trained), "--rgb", str(folder), "--out", str(tmp_path / "o")]) == 2
    assert not (tmp_path / "started").exists()


def test_a_pipe_in_a_folder(
    tmp_path: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "rgb"
    folder.mkdir()
    os.mkfifo(folder / "0.png")
    Image.new("RGB", (64, 48)).save(folder / "1.png")
    assert main(["predict", str(trained), "--rgb", str(folder), "--out", str(tmp_path / "o")]) == 1
    assert "0.png: not a readable image (no regular file)" in capsys.readouterr().err


def test_a_device_and_a_folder(tmp_path: Path) -> None:
    for path, why in ((Path("/dev/zero"), "no regular file"), (tmp_path, "a folder, not an image")):
        with pytest.raises(InputError, match=why):
            rgb_array(path)


def test_thermal_palettes_are_read_by_their_levels(tmp_path: Path) -> None:
    path, order = tmp_path / "a.png", np.random.default_rng(0).permutation(256).astype(np.uint8)
    palette = np.repeat(order[:, None], 3, axis=1)
    indices = np.argsort(order).astype(np.uint8)[LEVELS]
    path.write_bytes(png(indices[..., None], 8, palette))
    assert np.array_equal(thermal_array(path), LEVELS)
    assert np.array_equal(thermal_array(Image.open(path)), LEVELS)
    palette[:, 2] //= 2
    path.write_bytes(png(indices[..., None], 8, palette))
    with pytest.raises(InputError, match="false colours"):
        thermal_array(path)


DEEP: dict[str, Callable[[np.ndarray], bytes]] = {
    "RGB PNG": lambda x: png(np.dstack([x, x, x]), 16),
    "RGBA PNG": lambda x: png(np.dstack([x, x, x, x]), 16),
    "gray and opacity PNG": lambda x: png(np.dstack([x, x]), 16),
    "RGB TIFF": lambda x: tiff(np.dstack([x, x, x]), 16),
    "RGBA TIFF": lambda x: tiff(np.dstack([x, x, x, x]), 16, order=">", extra=(2,)),
    "two channels TIFF": lambda x: tiff(np.dstack([x, x]), 16, extra=(0,), deflate=True),
}


@pytest.mark.parametrize("kind", DEEP)
def test_deep_colours_lose_no_byte(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "deep"
    path.write_bytes(DEEP[kind](np.arange(24, dtype=np.uint16).reshape(4, 6) * 700))
    for read in (rgb_array, thermal_array, read_rgbt):
        with pytest.raises(InputError, match="16 bits in several channels"):
            read(path)
    if "TIFF" not in kind:
        with pytest.raises(InputError, match="16 bits in several channels"), Image.open(path) as im:
            rgb_array(im)


@pytest.mark.parametrize("kind", ["i2", "i4", "f4"])
def test_big_endian_compressed_values_are_not_turned(tmp_path: Path, kind: str) -> None:
    path, values = tmp_path / "a.tif", (LEVELS[..., None] * 20).astype(kind)
    for order, deflate in (("<", False), ("<", True), (">", False), (">", True)):
        path.write_bytes(tiff(values, 8 * int(kind[1]), order, deflate=deflate))
        assert np.array_equal(thermal_array(path), values[..., 0])
        with Image.open(path) as image:
            assert np.array_equal(thermal_array(image), values[..., 0])


@pytest.mark.parametrize("kind", ["f2", "f8"])
@pytest.mark.parametrize("rows", [0, 1, 3])
@pytest.mark.parametrize(
    ("order", "deflate"), [("<", False), ("<", True), (">", False), (">", True)]
)
def test_floats_of_other_depths(
    tmp_path: Path, kind: str, rows: int, order: str, deflate: bool
) -> None:
    path, values = tmp_path / "a.tif", (LEVELS[..., None] / 7 + 270).astype(kind)
    whole = tiff(values, 8 * int(kind[1]), order, deflate=deflate, rows=rows)
    path.write_bytes(whole)
    found = thermal_array(path)
    assert found.dtype == np.float32
    assert np.array_equal(found, values[..., 0].astype("f4"))
    path.write_bytes(whole[: len(whole) - len(whole) // 8])
    with pytest.raises(InputError, match="not a readable image"):
        thermal_array(path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (LEVELS.astype(np.int8), "signed integers of 8 bits"),
        (LEVELS.astype(np.int16) - 300, "do not fit 16 bits"),
        (np.full((4, 6), np.nan, np.float32), "no pixel is a number"),
    ],
)
def test_values_that_are_no_counts(tmp_path: Path, values: np.ndarray, message: str) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(values[..., None], 8 * values.itemsize))
    with pytest.raises(InputError, match=message):
        thermal_array(path)


def test_opacity_of_thermal_images(tmp_path: Path) -> None:
    path, opaque = tmp_path / "a.png", np.full_like(LEVELS, 255)
    path.write_bytes(png(np.dstack([LEVELS, opaque]), 8))
    assert np.array_equal(thermal_array(path), LEVELS)
    path.write_bytes(png(np.dstack([LEVELS, opaque - (LEVELS == 0)]), 8))
    with pytest.raises(InputError, match=r"transparent pixels .* have no temperature"):
        thermal_array(path)
    path.write_bytes(png(LEVELS[..., None], 8, clear=b"\0\x0a"))
    with pytest.raises(InputError, match=r"transparent pixels .* have no temperature"):
        thermal_array(path)


def test_a_fourth_channel_that_is_not_marked(tmp_path: Path) -> None:
    """Such a TIFF would be read without its thermal channel; one that is marked is read."""
    path, pixels = tmp_path / "a.tif", np.dstack([LEVELS, LEVELS, LEVELS, LEVELS + 3])
    path.write_bytes(tiff(pixels, 8, extra=(0,)))
    with pytest.raises(InputError, match="4 channels, of which the last is not marked"):
        read_rgbt(path)
    path.write_bytes(tiff(pixels, 8, extra=(1,)))  # colours would be divided by thermal
    with pytest.raises(InputError, match="multiplied by their opacity"):
        read_rgbt(path)
    path.write_bytes(tiff(pixels, 8, extra=(2,)))
    assert np.array_equal(np.dstack(read_rgbt(path)), pixels)


def test_the_first_picture_of_several_jpegs_in_one(tmp_path: Path) -> None:
    """Cameras add a preview or a second view (MPO); the first is the picture."""
    path, first = tmp_path / "a.jpg", Image.new("RGB", (32, 24), (90, 90, 90))
    first.save(path, format="MPO", save_all=True, append_images=[Image.new("RGB", (16, 16))])
    assert rgb_array(path).shape == (24, 32, 3)


def test_gray_bmp_of_four_bits(tmp_path: Path) -> None:
    """Pillow takes a byte of two pixels for one."""
    path = tmp_path / "a.bmp"
    Image.fromarray(np.arange(16, dtype=np.uint8).reshape(2, 8)).save(path)
    body = bytearray(path.read_bytes())
    body[28:30], body[46:50] = (4).to_bytes(2, "little"), (16).to_bytes(4, "little")
    path.write_bytes(body)
    with pytest.raises(InputError, match="BMP with 4 bits of gray"):
        thermal_array(path)
