"""What the values of a label image mean: ids, indices, gray levels or colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from samantic.data.labels import Colour, LabelCode
from samantic.errors import InputError
from tests.encoders import png, tiff

BLACK_RED_BLUE = ((0, 0, 0), (255, 0, 0), (0, 0, 255))
MASK = ((0, 0, 0), (255, 255, 255))
IDS = np.arange(3, dtype=np.uint8)[None, :].repeat(2, 0)


def palette_png(
    path: Path, ids: NDArray[np.uint8], colours: Sequence[Colour], **options: bytes
) -> Path:
    image = Image.fromarray(ids)
    image.putpalette([value for colour in colours for value in colour])
    image.save(path, format="PNG", **options)  # type: ignore[arg-type]
    return path


def gray(path: Path, *levels: int) -> Path:
    Image.fromarray(np.array([levels], np.uint8)).save(path, format="PNG")
    return path


def test_the_colour_of_a_palette_counts(tmp_path: Path) -> None:
    """A palette in another order than the classes: indices would swap red and blue."""
    path = palette_png(tmp_path / "a.png", IDS, [(0, 0, 255), (0, 0, 0), (255, 0, 0)])
    assert LabelCode(3, colours=BLACK_RED_BLUE).read(path).tolist() == [[2, 0, 1]] * 2
    assert LabelCode(3).read(path).tolist() == IDS.tolist()


def test_colours_of_a_palette_that_are_no_class(tmp_path: Path) -> None:
    code = LabelCode(3, colours=BLACK_RED_BLUE)
    path = palette_png(tmp_path / "a.png", IDS, [(0, 0, 0), (255, 0, 0), (9, 9, 9)])
    with pytest.raises(InputError, match=r"#090909 of the palette is no class's.*hold ids"):
        code.read(path)
    unused = palette_png(tmp_path / "b.png", np.minimum(IDS, 1), [*BLACK_RED_BLUE[:2], (9, 9, 9)])
    assert code.read(unused).tolist() == [[0, 1, 1]] * 2
    path.write_bytes(png(IDS[..., None], 8, np.array(BLACK_RED_BLUE[:2], np.uint8)))
    with pytest.raises(InputError, match="index 2, but its palette has 2 colours"):
        code.read(path)


def test_indices_and_gray_levels_of_a_palette(tmp_path: Path) -> None:
    """Some optimisers write gray ids 0, 2, 5 as a palette of these grays: both could be meant."""
    path = tmp_path / "a.png"
    squeezed = np.repeat(np.array([[0], [2], [5]], np.uint8), 3, axis=1)
    path.write_bytes(png(IDS[..., None], 2, squeezed))
    with pytest.raises(InputError, match="may be class ids, or stand for gray levels"):
        LabelCode(9).read(path)
    shown = palette_png(tmp_path / "b.png", IDS, [(0, 0, 0), (127, 127, 127), (255, 255, 255)])
    assert LabelCode(9).read(shown).tolist() == IDS.tolist()


@pytest.mark.parametrize("bits", [2, 4])
def test_ids_of_few_bits(tmp_path: Path, bits: int) -> None:
    """A decoder that shows them stretches 0, 1, 2 to 0, 85, 170 or to 0, 17, 34."""
    path = tmp_path / "a.png"
    path.write_bytes(png(IDS[..., None], bits))
    assert LabelCode(3).read(path).tolist() == IDS.tolist()
    assert LabelCode(3, colours=BLACK_RED_BLUE).read(path).tolist() == IDS.tolist()
    top = np.where(IDS == 1, 2**bits - 1, 0)[..., None]
    path.write_bytes(png(top, bits))
    with pytest.raises(InputError, match="may be class ids, or stand for gray levels"):
        LabelCode(20).read(path)


def test_one_bit(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png((IDS > 0)[..., None].astype(np.uint8), 1))
    with pytest.raises(InputError, match="may be class ids, or stand for gray levels"):
        LabelCode(2).read(path)
    assert LabelCode(2, colours=MASK).read(path).tolist() == [[0, 1, 1]] * 2


def test_gray_colours_are_read_from_one_channel(tmp_path: Path) -> None:
    mask, turned = LabelCode(2, colours=MASK), LabelCode(2, colours=MASK[::-1])
    path = gray(tmp_path / "a.png", 0, 255, 0)
    assert mask.read(path).tolist() == [[0, 1, 0]]
    assert turned.read(path).tolist() == [[1, 0, 1]]
    with pytest.raises(InputError, match=r"#010101 is no class's.*leave these out"):
        mask.read(gray(tmp_path / "ids.png", 0, 1))
    mixed = LabelCode(3, colours=((0, 0, 0), (255, 0, 0), (255, 255, 255)))
    assert mixed.read(gray(tmp_path / "b.png", 0, 1, 2)).tolist() == [[0, 1, 2]]
    with pytest.raises(InputError, match="may be class ids, or stand for gray levels or colours"):
        mixed.read(path)


def lossy_tiff(path: Path) -> None:
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(path, format="TIFF", compression="jpeg")


LOSSY: dict[str, Callable[[Path], None]] = {
    "JPEG": lambda path: Image.new("L", (16, 16)).save(path, format="JPEG", quality=100),
    "WebP with loss": lambda path: Image.new("RGB", (16, 16)).save(path, format="WEBP"),
    "TIFF with JPEG inside": lossy_tiff,
}


@pytest.mark.parametrize("kind", LOSSY)
def test_labels_compressed_with_loss(tmp_path: Path, kind: str) -> None:
    """Whatever they hold and however the file is named."""
    path = tmp_path / "labels.png"
    LOSSY[kind](path)
    for code in (LabelCode(3), LabelCode(3, colours=BLACK_RED_BLUE)):
        with pytest.raises(InputError, match=f"saved as {kind}, which changes ids"):
            code.read(path)


def test_webp_without_loss(tmp_path: Path) -> None:
    path = tmp_path / "labels.webp"
    pixels = np.array(BLACK_RED_BLUE, np.uint8)[IDS]
    Image.fromarray(pixels).save(path, lossless=True, icc_profile=b"x" * 33)  # an odd chunk before
    assert LabelCode(3, colours=BLACK_RED_BLUE).read(path).tolist() == IDS.tolist()


def test_transparent_labels(tmp_path: Path) -> None:
    code, opaque = LabelCode(3, colours=BLACK_RED_BLUE), np.full((*IDS.shape, 1), 255, np.uint8)
    path = tmp_path / "a.png"
    colours = np.array(BLACK_RED_BLUE, np.uint8)[IDS]
    path.write_bytes(png(np.dstack([colours, opaque]), 8))
    assert code.read(path).tolist() == IDS.tolist()
    path.write_bytes(png(np.dstack([colours, np.where(IDS == 0, 0, 255)[..., None]]), 8))
    with pytest.raises(InputError, match=r"transparent pixels \(33.3%\) have no class"):
        code.read(path)
    palette_png(path, IDS, BLACK_RED_BLUE, transparency=b"\xff\x40")
    with pytest.raises(InputError, match="transparent pixels"):
        LabelCode(3).read(path)
    path.write_bytes(png(np.dstack([IDS[..., None], opaque]), 8))
    assert LabelCode(3).read(path).tolist() == IDS.tolist()


def test_values_behind_the_scenes(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(255 - IDS[..., None], 8, photometric=0))
    with pytest.raises(InputError, match="WhiteIsZero"):
        LabelCode(3).read(path)
    path.write_bytes(tiff(np.dstack([IDS, IDS]), 8, extra=(0,)))
    with pytest.raises(InputError, match="2 channels, of which the last is not marked as opacity"):
        LabelCode(3).read(path)
    eight = np.zeros((3, 256), np.uint16)
    eight[:, :3] = np.array(BLACK_RED_BLUE).T
    path.write_bytes(tiff(IDS[..., None], 8, palette=eight))
    with pytest.raises(InputError, match="8-bit values in 16-bit fields"):
        LabelCode(3, colours=BLACK_RED_BLUE).read(path)
