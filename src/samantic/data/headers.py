"""Facts from the header of an image file that a decoder does not pass on.

Pillow keeps only the high byte of deep colours, scales samples of 1, 2 and 4 bits, and drops
channels without a warning. Each file's header is therefore read before Pillow decodes it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from PIL.TiffImagePlugin import ImageFileDirectory_v2

from samantic.data.tiff import is_plain

LOSSY_TIFF = {6: "JPEG", 7: "JPEG", 34887: "LERC", 34892: "JPEG", 50001: "WebP", 50002: "JPEG XL"}
"""TIFF compressions that change values, or may change them."""

_BIG_TIFF = b"\x2b"
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_USUAL_TILE = 1 << 20
_HEIGHT, _TILE_WIDTH, _TILE_HEIGHT = 257, 322, 323
_WIDTH, _BITS, _COMPRESSION, _PHOTOMETRIC, _CHANNELS = 256, 258, 259, 262, 277
_COLOUR_MAP, _EXTRA, _FORMAT = 320, 338, 339
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3
_PLAIN = 1


class Header(NamedTuple):
    """What a header says of the pixels.

    Attributes:
        bits: Bits of a sample.
        channels: Samples of a pixel; 0 where the header is not asked for their number.
        lossy: The kind of lossy compression; "" where every value is kept.
        premultiplied: Whether colours were multiplied by their opacity.
        problem: Why the file cannot be read correctly; "" if it can.
        own: Whether the file is a TIFF that `tiff.plain_pages` reads in place of Pillow.
    """

    bits: int = 8
    channels: int = 0
    lossy: str = ""
    premultiplied: bool = False
    problem: str = ""
    own: bool = False


def read_header(path: Path) -> Header:
    """The header of a file, recognised by its content, not by its ending.

    Returns:
        The default header for a kind of file that is not known here.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is a broken TIFF.
    """
    with path.open("rb") as file:
        start = file.read(32)
    if start.startswith(b"\x89PNG\r\n\x1a\n") and len(start) > 25:
        return _png(start)
    if start.startswith(b"\xff\xd8"):
        return Header(lossy="JPEG")
    if start.startswith(b"BM") and len(start) > 29:
        return _bmp(start)
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return Header(lossy="" if _keeps_values(path) else "WebP with loss")
    if start[:2] in (b"II", b"MM") and start[2:4] in (b"*\0", b"\0*", b"+\0", b"\0+"):
        return _tiff(path, start)
    return Header()


def _png(start: bytes) -> Header:
    bits, channels = start[24], _PNG_CHANNELS.get(start[25], 0)
    return Header(bits, channels, problem=_too_deep(bits, channels))


def _bmp(start: bytes) -> Header:
    """BITMAPCOREHEADER has 12 bytes; all later headers hold the bits of a pixel at byte 28."""
    (size,) = struct.unpack_from("<I", start, 14)
    (bits,) = struct.unpack_from("<H", start, 24 if size == 12 else 28)
    return Header(min(bits, 8))


def _keeps_values(path: Path) -> bool:
    """Whether a WebP is lossless (VP8L). A chunk is a name, a size and its bytes."""
    with path.open("rb") as file:
        file.seek(12)
        while len(chunk := file.read(8)) == 8:
            kind, size = chunk[:4], int.from_bytes(chunk[4:], "little")
            if kind in (b"VP8 ", b"VP8L"):
                return kind == b"VP8L"
            # a frame of an animation holds chunks after 16 bytes of its own
            file.seek(16 if kind == b"ANMF" else size + size % 2, 1)
    return False


def _tiff(path: Path, start: bytes) -> Header:
    """Read the tags of the first image of a TIFF.

    Raises:
        ValueError: There are no tags, or they are broken.
    """
    big = _BIG_TIFF in start[2:4]
    try:
        tags = ImageFileDirectory_v2(start[: 16 if big else 8])
        with path.open("rb") as file:
            file.seek(tags.next)
            tags.load(file)
        bits = tuple(tags.get(_BITS, (1,)))
        kinds = tuple(tags.get(_FORMAT, (_UNSIGNED,)))
        channels, extra = int(tags.get(_CHANNELS, 1)), tuple(tags.get(_EXTRA, ()))
        compression = tags.get(_COMPRESSION, _PLAIN)
        deep, swapped = _too_deep(max(bits), channels), start[:2] == b"MM"
        swapped = swapped and _swapped(max(bits), max(kinds), compression)
        half = max(kinds) == _FLOAT and max(bits) in (16, 64)
        if not deep and (half or swapped) and is_plain(tags):
            return Header(max(bits), channels, own=True)
        problem = deep or _unknown_samples(bits, kinds) or _vast_tiles(tags)
        lossy = LOSSY_TIFF.get(compression, "")
        colours = tags.get(_COLOUR_MAP, (0,))
        if not problem and swapped:
            problem = "big-endian TIFF of this depth; save it little-endian, or as PNG of 16 bits"
        elif not problem and tags.get(_PHOTOMETRIC, 0) == 0:
            problem = "its zero is white (TIFF's WhiteIsZero); save it with black as zero"
        elif not problem and 0 < max(colours) < 256:
            problem = "its palette has 8-bit values in 16-bit fields; save it as PNG"
    except (SyntaxError, TypeError, KeyError, struct.error, OverflowError) as error:
        raise ValueError(f"broken tags: {error}") from None
    lossy = f"TIFF with {lossy} inside" if lossy else ""
    return Header(max(bits), channels, lossy, 1 in extra, problem)


def _unknown_samples(bits: tuple[int, ...], kinds: tuple[int, ...]) -> str:
    """Why samples with these bits and sample formats, which only TIFF allows, cannot be read."""
    depth, kind = max(bits), max(kinds)
    if len(set(bits)) > 1 or len(set(kinds)) > 1:
        return "its channels differ in depth; save them with one depth"
    if kind == _FLOAT and depth != 32:
        return f"floats of {depth} bits that are not in plain strips; save floats of 32 bits"
    if kind == _SIGNED and depth == 8:
        return "signed integers of 8 bits; save them unsigned, or as floats of 32 bits"
    if kind > _FLOAT:
        return "samples of no known kind; save integers or floats"
    if depth not in (1, 2, 4, 8, 12, 16, 32):
        return f"samples of {depth} bits; save 8 or 16"
    return ""


def _vast_tiles(tags: Mapping[int, Any]) -> str:
    """Why tiles that take much more memory than the image cannot be read."""
    wide, tall = (int(tags.get(tag, 0)) for tag in (_TILE_WIDTH, _TILE_HEIGHT))
    area = int(tags.get(_WIDTH, 0)) * int(tags.get(_HEIGHT, 0))
    if wide * tall <= max(_USUAL_TILE, 4 * area):
        return ""
    return f"tiles of {wide}x{tall} pixels, more than the image; save it without tiles"


def _swapped(bits: int, kind: int, compression: int) -> bool:
    """Whether Pillow reads big-endian samples in the wrong byte order, or not at all.

    libtiff returns decompressed samples in the machine's byte order. Pillow then swaps all of them
    once more, except plain integers of 16 bits.
    """
    return bits > 8 and (compression != _PLAIN if kind != _UNSIGNED else bits != 16)


def _too_deep(bits: int, channels: int) -> str:
    if bits > 8 and channels > 1:
        return (
            f"{bits} bits in several channels; save thermal as one channel, colours with 8 bits, "
            "without transparency"
        )
    return ""
