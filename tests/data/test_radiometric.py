"""Radiometric files of generated and of real cameras: the counts to the unit, or the reason."""

from __future__ import annotations

import math
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from samantic.cli import main
from samantic.data import radiometric
from samantic.data.images import thermal_array
from samantic.data.radiometric import thermograms
from samantic.errors import InputError
from tests.encoders import tiff
from tests.radiometric import PLANCK, dji, fff, flir, jpeg, with_segments


@pytest.fixture
def counts() -> NDArray[np.uint16]:
    """A warm ball before a gradient, as smooth as the world is."""
    y, x = np.mgrid[:48, :64]
    ball = 900 * (np.hypot(y - 20, x - 40) < 8)
    return (14000 + 10 * x + 3 * y + ball).astype(np.uint16)


@pytest.mark.parametrize("payload", ["plain", "png"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("headers", ["<", ">"])
def test_flir(
    counts: NDArray[np.uint16], tmp_path: Path, payload: str, order: str, headers: str
) -> None:
    options = {"payload": payload, "order": order, "headers": headers}
    for name, content in (
        ("a.jpg", flir(counts, **options)),
        ("b.fff", fff(counts, **options)),
        ("c.png", flir(counts, **options)),  # the content counts, not the name
    ):
        (tmp_path / name).write_bytes(content)
        found = thermal_array(tmp_path / name)
        assert found.dtype == np.uint16
        assert np.array_equal(found, counts), name


@pytest.mark.parametrize("picture", [(48, 64), (96, 128)])
def test_dji(counts: NDArray[np.uint16], tmp_path: Path, picture: tuple[int, int]) -> None:
    (tmp_path / "a.jpg").write_bytes(dji(counts, picture))
    assert np.array_equal(thermal_array(tmp_path / "a.jpg"), counts)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_counts_are_turned_like_the_picture(
    counts: NDArray[np.uint16], tmp_path: Path, orientation: int
) -> None:
    """A camera that was held on its side: by path, and as Pillow opens the file."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name, content in (("flir", flir(counts)), ("dji", dji(counts, counts.shape))):
        segment = b"Exif\0\0" + exif.tobytes().removeprefix(b"Exif\0\0")
        (path := tmp_path / f"{name}.jpg").write_bytes(with_segments(content, [(0xE1, segment)]))
        picture = Image.fromarray(counts.astype(np.int32))
        picture.getexif()[0x0112] = orientation
        expected = np.asarray(ImageOps.exif_transpose(picture))
        assert np.array_equal(thermal_array(path), expected)
        with Image.open(path) as opened:
            assert np.array_equal(thermal_array(opened), expected)


def test_temperatures_by_the_camera_s_own_constants(
    counts: NDArray[np.uint16], tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(flir(counts))
    (found,) = thermograms(tmp_path / "a.jpg")
    assert found.planck is not None
    r1, b, f, o, r2 = PLANCK
    expected = b / math.log(r1 / (r2 * (int(counts[3, 5]) + o)) + f)
    assert found.planck.kelvin(found.counts)[3, 5] == pytest.approx(expected, rel=1e-5)


def test_a_recording_becomes_images(
    counts: NDArray[np.uint16], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "drive.seq"
    record.write_bytes(fff(counts) + bytes(100) + fff(counts + 7, order=">") + fff(counts + 9))
    with pytest.raises(InputError, match="3 frames in one file; `samantic convert` writes each"):
        thermal_array(record)
    pages = [Image.fromarray(counts), Image.fromarray(counts + 1)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(InputError, match="several images in one file; save each by itself, as"):
        thermal_array(tmp_path / "pages.tif")
    assert main(["convert", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().out
    assert told.splitlines()[:2] == ["drive.seq: 3 frames", "pages.tif: 2 frames"]
    for i, more in enumerate((0, 7, 9)):
        found = thermal_array(tmp_path / "out" / f"drive_{i:05d}.png")
        assert np.array_equal(found, counts + more)
    assert np.array_equal(thermal_array(tmp_path / "out" / "pages_00001.png"), counts + 1)


def test_csq_is_a_recording_of_jpeg_ls(
    counts: NDArray[np.uint16], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three frames, known by their content whatever the file is called."""
    frames = [counts, counts + 5, counts[::-1].copy()]
    content = b"".join(fff(frame, payload="jpeg-ls") for frame in frames)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "drive.csq").write_bytes(content)
    assert main(["convert", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 0
    assert "drive.csq: 3 frames" in capsys.readouterr().out
    for i, frame in enumerate(frames):
        assert np.array_equal(thermal_array(tmp_path / "out" / f"drive_{i:05d}.png"), frame)
    alone = tmp_path / "one.jpg"
    alone.write_bytes(fff(counts, payload="jpeg-ls"))
    assert np.array_equal(thermal_array(alone), counts)


def test_csq_without_its_decoder_says_what_to_install(
    counts: NDArray[np.uint16], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csq"
    path.write_bytes(fff(counts, payload="jpeg-ls"))
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r"JPEG-LS \(CSQ\): pip install 'samantic\[csq\]'"):
        thermal_array(path)


def test_pages_of_half_floats_are_a_recording(tmp_path: Path) -> None:
    """Two pages of big-endian float16, which Pillow knows nothing of."""
    pages = [np.arange(24, dtype="f2").reshape(4, 6, 1) + more for more in (270, 300)]
    first, second = (bytearray(tiff(page, 16, ">")) for page in pages)
    count = int.from_bytes(first[8:10], "big")
    shift = len(first)
    for entry in range(count):  # places in the second file, once it lies behind the first
        at = 10 + 12 * entry
        if second[at : at + 2] == (273).to_bytes(2, "big"):
            place = int.from_bytes(second[at + 8 : at + 12], "big")
            second[at + 8 : at + 12] = (place + shift).to_bytes(4, "big")
    first[10 + 12 * count : 14 + 12 * count] = (shift + 8).to_bytes(4, "big")
    path = tmp_path / "in" / "a.tif"
    path.parent.mkdir()
    path.write_bytes(bytes(first + second))
    with pytest.raises(InputError, match="several images in one file"):
        thermal_array(path)
    assert main(["convert", str(path), "--out", str(tmp_path / "out")]) == 0
    for i, page in enumerate(pages):
        found = thermal_array(tmp_path / "out" / f"a_{i:05d}.tiff")
        assert np.array_equal(found, page[..., 0].astype("f4"))


def broken(counts: NDArray[np.uint16]) -> dict[str, tuple[bytes, str]]:
    whole, alone = flir(counts), fff(counts)
    one = b"FLIR\0\x01\x01\x02" + alone[:100]
    no_image = bytearray(alone)
    no_image[64 + 2 * 32 : 64 + 2 * 32 + 2] = b"\0\x07"
    large = bytearray(alone)
    large[-2 * counts.size - 30 : -2 * counts.size - 26] = b"\xff\xff\xff\xff"
    jpeg_ls = alone[: -2 * counts.size] + b"\xff\xd8\xff\xf7" + bytes(2 * counts.size - 4)
    return {
        "part": (with_segments(jpeg((48, 64)), [(0xE1, one)]), "1 of 3 parts of its raw counts"),
        "cut": (alone[:-50], "cut off: "),
        "head": (alone[:40], "its list of records is broken"),
        "none": (bytes(no_image), "no raw counts, only pictures"),
        "large": (bytes(large), "for 65535x65535 counts"),
        "csq": (jpeg_ls, "are no whole JPEG-LS"),
        "png": (flir(counts, payload="png").replace(b"IDAT", b"IDAX"), "are no whole PNG"),
        "dji": (dji(counts[:, :-1], (48, 64)), "do not fill an image of 64:48"),
        "garbage": (whole[:4] + b"\xff" * 40, ""),
    }


@pytest.mark.parametrize("kind", broken(np.zeros((48, 64), np.uint16)))
def test_damaged_files_are_refused_in_a_line(
    counts: NDArray[np.uint16],
    tmp_path: Path,
    kind: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    content, reason = broken(counts)[kind]
    (tmp_path / "a.jpg").write_bytes(content)
    words = ["predict", "nano", "--thermal", str(tmp_path / "a.jpg"), "--out", str(tmp_path / "o")]
    assert main([*words, "--thermal-scaling", "frame"]) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1
    assert str(tmp_path / "a.jpg") in told[0]
    assert reason in told[0]


def test_any_prefix_of_a_file_is_read_or_refused(
    counts: NDArray[np.uint16], tmp_path: Path
) -> None:
    path = tmp_path / "a.jpg"
    for content in (flir(counts, payload="png"), fff(counts), dji(counts, (48, 64))):
        for length in range(2, len(content), 97):
            path.write_bytes(content[:length])
            with suppress(InputError):
                thermal_array(path)


@pytest.mark.parametrize("payload", ["plain", "png", "jpeg-ls"])
def test_more_pixels_than_any_camera_has(
    counts: NDArray[np.uint16], tmp_path: Path, payload: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are refused by their number, before memory is taken for them."""
    monkeypatch.setattr(radiometric, "MOST_PIXELS", counts.size - 1)
    (tmp_path / "a.jpg").write_bytes(flir(counts, payload=payload))
    with pytest.raises(InputError, match=r"64x48 counts|DecompressionBombError|LS of 64x48"):
        thermal_array(tmp_path / "a.jpg")


def test_a_picture_of_a_thermal_image_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg((48, 64)))
    with pytest.raises(InputError, match="in false colours, without raw counts inside; export"):
        thermal_array(tmp_path / "a.jpg")


@pytest.mark.realdata
def test_real_files(realdata: Path, tmp_path: Path) -> None:
    """14 of 14: the counts that another decoder found, or gray levels of 8 bits, or a TIFF's."""
    root = realdata / "radiometric"
    files = sorted((root / "orig").iterdir())
    assert len(files) == 14
    for path in files:
        known = sorted((root / "raw16").glob(f"{path.stem}_*raw16.png"))
        known = [k for k in known if k.name.removeprefix(path.stem)[1:3] in ("ra", "f0", "f1")]
        found = [one.counts for one in thermograms(path)]
        assert len(found) == len(known)
        for counts, expected in zip(found, known, strict=True):
            assert np.array_equal(counts, np.asarray(Image.open(expected))), path.name
    picture = thermal_array(root / "orig" / "flirpy_baboons.jpg")
    assert (picture.shape, picture.dtype) == ((512, 640), np.uint8)
    tiff = thermal_array(root / "orig" / "flirpy_example_radiometric.tiff")
    assert (tiff.dtype, int(tiff.min()), int(tiff.max())) == (np.uint16, 6743, 7077)


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["FLIR", "FLIR_AX8", "FLIR_E40", "Thermimage_IR_2412"])
def test_temperatures_are_those_of_another_decoder(realdata: Path, name: str) -> None:
    """flyr's, for an emissivity of 1, without air and window between."""
    flyr = pytest.importorskip("flyr")
    path = realdata / "radiometric" / "orig" / f"{name}.jpg"
    plain = {"emissivity": 1.0, "object_distance": 0.0, "ir_window_transmission": 1.0}
    (found,) = thermograms(path)
    assert found.planck is not None
    truth = flyr.unpack(str(path)).adjust_metadata(**plain).kelvin
    assert np.abs(found.planck.kelvin(found.counts) - truth).max() < 1e-4
