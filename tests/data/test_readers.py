"""Every kind of file through every reader: what is read is what was written, or it is refused."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from samantic.data.images import read_rgbt, rgb_array, thermal_array
from samantic.data.instances import read_instances
from samantic.data.labels import LabelCode
from samantic.errors import InputError
from tests.encoders import png, tiff

CASES = settings(
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
PALETTE = np.random.default_rng(1).permutation(256)[:, None] * [1, 3, 7] % 256
COLOURS = tuple((int(r), int(g), int(b)) for r, g, b in PALETTE[:254])
"""254 colours, none twice."""


@dataclass
class Written:
    """A file, and what was written into it.

    `plain` files are those of every day, which must be read.
    """

    body: bytes
    samples: NDArray[Any]
    bits: int
    palette: NDArray[np.uint8] | None = None
    opacity: NDArray[np.bool_] | None = None
    lossy: bool = False
    plain: bool = False
    fourth: NDArray[Any] | None = None

    @property
    def levels(self) -> NDArray[Any]:
        """(H, W) gray levels or values, or (H, W, 3) colours."""
        if self.palette is not None:
            return self.palette[self.samples[..., 0]]
        scale = 255 // (2**self.bits - 1) if self.bits < 8 else 1
        found = self.samples * self.samples.dtype.type(scale)
        return found[..., 0] if found.shape[-1] == 1 else found

    @property
    def opaque(self) -> bool:
        return self.opacity is None or bool(self.opacity.all())


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("readers") / "file.png"


def told(read: Callable[[Path], Any], path: Path) -> Any:
    """What a reader reads; None if it says in one line why not."""
    try:
        return read(path)
    except InputError as refusal:
        line = str(refusal)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    assert ";" in line, f"no cure: {line}"
    return None


def check(written: Written, path: Path) -> None:
    path.write_bytes(written.body)
    _check_rgb(written, path)
    _check_thermal(written, path)
    _check_labels(written, path)


def _check_rgb(written: Written, path: Path) -> None:
    read, levels = told(rgb_array, path), written.levels
    if read is None:
        assert not (written.plain and written.bits <= 8)
    else:
        colours = levels if levels.ndim == 3 else np.repeat(levels[..., None], 3, axis=-1)
        assert written.bits <= 8
        assert read.dtype == np.uint8
        assert read.shape == colours.shape
        assert written.lossy or np.array_equal(read, colours)
    pair = told(read_rgbt, path)
    if pair is not None:
        assert written.fourth is not None
        if written.lossy:
            return
        assert np.array_equal(pair[0], levels)
        assert np.array_equal(pair[1], written.fourth)


def _check_thermal(written: Written, path: Path) -> None:
    read, levels = told(thermal_array, path), written.levels
    gray = levels.ndim == 2 or (np.ptp(levels.astype(float), axis=-1) <= 8).all()
    if read is None:
        assert not (written.plain and gray)
        return
    assert read.ndim == 2
    assert written.opaque
    if not written.lossy:
        assert gray
        expected = levels if levels.ndim == 2 else levels[..., 0]
        expected = expected.astype("f4") if expected.dtype.kind == "f" else expected
        assert np.array_equal(read, expected, equal_nan=True)


def _check_labels(written: Written, path: Path) -> None:
    by_id, by_colour = LabelCode(254), LabelCode(254, colours=COLOURS)
    numbers, ids = told(read_instances, path), told(by_id.read, path)
    colours = told(by_colour.read, path)
    if written.lossy or not written.opaque:
        assert numbers is None
        assert ids is None
        assert colours is None
        return
    if numbers is not None:
        assert written.samples.shape[-1] == 1 or written.opacity is not None
        assert np.array_equal(numbers, written.samples[..., 0])
    if ids is not None:
        assert np.array_equal(ids, written.samples[..., 0])
    elif written.plain and written.palette is None and written.bits == 8:
        assert written.samples.shape[-1] > 1 or (written.samples == 254).any()
    ramp = np.repeat(
        np.arange(0 if written.palette is None else len(written.palette))[:, None], 3, axis=1
    )
    # BMP has no gray but a palette of it, which starts as 0, 1, 2 and so on
    gray = written.body.startswith(b"BM") and np.array_equal(written.palette, ramp)
    indexed = written.palette is not None and not gray
    if colours is not None and (indexed or written.samples.shape[-1] >= 3):
        assert np.array_equal(np.array(COLOURS)[colours], written.levels)
    elif colours is not None:
        assert np.array_equal(colours, written.samples[..., 0])


@st.composite
def pngs(draw: st.DrawFn) -> Written:
    """PNG of every depth, with and without a palette or opacity."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    options: dict[str, Any] = {
        "level": draw(st.integers(0, 9)),
        "interlaced": draw(st.booleans()),
    }
    if draw(st.booleans()):
        return _palette_png(draw, rng, size, options)
    channels = draw(st.integers(1, 4))
    bits = draw(st.sampled_from([1, 2, 4, 8, 16] if channels == 1 else [8, 16]))
    kind = np.uint16 if bits == 16 else np.uint8
    samples = rng.integers(0, draw(st.sampled_from([2, 9, 2**bits])), (*size, channels))
    samples = np.minimum(samples, 2**bits - 1).astype(kind)
    opacity, clear, fourth = None, b"", None
    if channels in (2, 4):
        samples[..., -1] = samples[..., -1] if draw(st.booleans()) else 2**bits - 1
        fourth = samples[..., -1]
        opacity = fourth == 2**bits - 1
    elif draw(st.booleans()):
        key = samples[0, 0] if draw(st.booleans()) else rng.integers(0, 2**bits, channels)
        clear = key.astype(">u2").tobytes()
        opacity = (samples != key).any(axis=-1)
    body = png(samples, bits, clear=clear, **options)
    shown = samples[..., :-1] if channels in (2, 4) else samples
    plain = opacity is None and bits in (8, 16) and not (bits == 16 and channels > 1)
    return Written(
        body, shown, bits, opacity=opacity, plain=plain, fourth=fourth if channels == 4 else None
    )


def _palette_png(
    draw: st.DrawFn, rng: np.random.Generator, size: tuple[int, int], options: dict[str, Any]
) -> Written:
    bits = draw(st.sampled_from([1, 2, 4, 8]))
    count = draw(st.integers(1, 2**bits))
    palette = _palette(draw, rng, count)
    samples = rng.integers(0, count, (*size, 1)).astype(np.uint8)
    clear, opacity = b"", None
    if draw(st.booleans()):
        table = rng.choice([0, 255, 255, 255, 90], draw(st.integers(1, count))).astype(np.uint8)
        clear = table.tobytes()
        opacity = (np.pad(table, (0, 256 - len(table)), constant_values=255) == 255)[
            samples[..., 0]
        ]
    body = png(samples, bits, palette, clear, **options)
    return Written(body, samples, bits, palette, opacity, plain=opacity is None)


def _palette(draw: st.DrawFn, rng: np.random.Generator, count: int) -> NDArray[np.uint8]:
    """Gray in order, gray in disorder, the classes' colours, or any colours."""
    kind = draw(st.sampled_from(["ramp", "gray", "classes", "any"]))
    if kind == "any":
        return rng.integers(0, 256, (count, 3)).astype(np.uint8)
    if kind == "classes":
        return np.array(COLOURS, np.uint8)[rng.integers(0, 254, count)]
    levels = np.arange(count) if kind == "ramp" else rng.permutation(256)[:count]
    return np.repeat(levels[:, None], 3, axis=1).astype(np.uint8)


@st.composite
def tiffs(draw: st.DrawFn) -> Written:
    """TIFF of both orders of bytes, integers and floats of every depth, several channels."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    kind = draw(st.sampled_from(["u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8"]))
    bits = 8 * int(kind[1])
    order = draw(st.sampled_from("<>"))
    options: dict[str, Any] = {
        "order": order,
        "deflate": draw(st.booleans()),
        "rows": draw(st.integers(0, size[0])),
    }
    if kind == "u1" and draw(st.booleans()):
        palette = _palette(draw, rng, 256)
        scale = draw(st.sampled_from([1, 256, 257]))
        samples = rng.integers(0, draw(st.integers(1, 256)), (*size, 1)).astype(np.uint8)
        colours = palette.T.astype(np.uint16) * np.uint16(scale)
        body = tiff(samples, 8, palette=colours, **options)
        return Written(body, samples, 8, palette, plain=scale > 1)
    channels = draw(st.integers(1, 5))
    samples = _numbers(draw, rng, kind, (*size, channels))
    extra = {1: 0, 2: 1, 3: 0, 4: 1, 5: 2}[channels]
    marks = tuple(draw(st.sampled_from([0, 1, 2])) for _ in range(extra))
    swapped = draw(st.integers(0, 9)) == 0 and channels == 1
    photometric = 0 if swapped else None
    body = tiff(samples, bits, extra=marks, photometric=photometric, **options)
    shown = samples[..., : channels - extra]
    opacity = samples[..., channels - extra] == 255 if extra and marks[0] else None
    plain = channels in (1, 3) and kind in ("u1", "u2", "f4") and not swapped
    plain &= not (bits > 8 and channels > 1) and not (order == ">" and kind == "f4")
    plain &= kind != "f4" or bool(np.isfinite(shown).any())
    fourth = samples[..., 3] if channels == 4 else None
    return Written(body, shown, bits, opacity=opacity, plain=plain, fourth=fourth)


def _numbers(
    draw: st.DrawFn, rng: np.random.Generator, kind: str, shape: tuple[int, ...]
) -> NDArray[Any]:
    if kind[0] == "f":
        values = rng.normal(300, 50, shape)
        values[rng.random(shape) < draw(st.sampled_from([0, 0.1, 1]))] = np.nan
        return values.astype(kind)
    top = draw(st.sampled_from([2, 100, np.iinfo(kind).max + 1]))
    low = draw(st.sampled_from([0, -5])) if kind[0] == "i" else 0
    return rng.integers(low, top, shape).astype(kind)


@st.composite
def others(draw: st.DrawFn) -> Written:
    """Files that Pillow writes: its formats, modes and compressions."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    mode = draw(st.sampled_from(["1", "L", "P", "RGB", "RGBA", "LA", "I;16", "I", "F", "CMYK"]))
    bands = {"RGB": 3, "RGBA": 4, "LA": 2, "CMYK": 4}.get(mode, 1)
    top = {"1": 2, "I;16": 1 << 16, "I": 1 << 16, "F": 1 << 16}.get(mode, 256)
    count = draw(st.integers(2, 256)) if mode == "P" else min(top, draw(st.sampled_from([2, top])))
    samples = rng.integers(0, count, (*size, bands)).astype(
        {"I;16": np.uint16, "I": np.int32, "F": np.float32}.get(mode, np.uint8)
    )
    palette = _palette(draw, rng, count) if mode == "P" else None
    options, lossy = _container(draw)
    foreign = options["format"] == "WEBP" and not mode.startswith("RGB")  # would be converted
    body = None if foreign else _saved(mode, samples, palette, options)
    if body is None:  # the format has no such mode
        return Written(b"", samples, 8)
    bits = {"1": 1, "I;16": 16, "I": 32, "F": 32}.get(mode, 8)
    clear = mode in ("LA", "RGBA")
    if clear and options["format"] == "BMP":  # its fourth byte is said to mean nothing
        return Written(body, samples[..., :3], bits)
    return Written(
        body,
        samples[..., :-1] if clear else samples,
        bits,
        palette,
        samples[..., -1] == 255 if clear else None,
        lossy,
        fourth=samples[..., 3] if mode == "RGBA" else None,
    )


def _saved(
    mode: str, samples: NDArray[Any], palette: NDArray[np.uint8] | None, options: dict[str, Any]
) -> bytes | None:
    """A file as Pillow writes it; None if it cannot."""
    pixels = samples[..., 0] if samples.shape[-1] == 1 else samples
    buffer = io.BytesIO()
    try:
        if mode == "1":
            image = Image.fromarray(pixels * np.uint8(255)).convert("1")
        else:
            image = Image.fromarray(pixels, mode=mode)
        if palette is not None:
            image.putpalette(palette.ravel().tolist())
        image.save(buffer, **options)
    except (OSError, ValueError, RuntimeError):
        return None
    return buffer.getvalue()


def _container(draw: st.DrawFn) -> tuple[dict[str, Any], bool]:
    """Options of a format, and whether values may change."""
    kind = draw(st.sampled_from(["PNG", "BMP", "TIFF", "TIFF", "WEBP", "JPEG"]))
    if kind == "TIFF":
        names = [None, "tiff_lzw", "packbits", "tiff_adobe_deflate", "zstd", "lzma", "jpeg"]
        compression = draw(st.sampled_from(names))
        return {"format": kind, "compression": compression}, compression == "jpeg"
    if kind == "WEBP":
        lossless = draw(st.booleans())
        return {"format": kind, "lossless": lossless, "exact": True}, not lossless
    return {"format": kind}, kind == "JPEG"


@settings(CASES, max_examples=800)
@given(pngs())
def test_every_png(path: Path, written: Written) -> None:
    check(written, path)


@settings(CASES, max_examples=800)
@given(tiffs())
def test_every_tiff(path: Path, written: Written) -> None:
    check(written, path)


@settings(CASES, max_examples=600)
@given(others())
def test_every_file_of_pillow(path: Path, written: Written) -> None:
    check(written, path)
