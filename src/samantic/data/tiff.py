"""TIFFs of one channel that Pillow does not read, or reads in the wrong byte order.

Floats of 16 and 64 bits and compressed big-endian samples are read here if they are stored in
strips: rows one after the other, uncompressed or compressed by zlib. Every page of a file is one
image.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.TiffImagePlugin import ImageFileDirectory_v2

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, STRIPS = 256, 257, 258, 259, 262, 273
ORIENTATION, CHANNELS, ROWS, SIZES, PREDICTOR = 274, 277, 278, 279, 317
TILES, FORMAT = 322, 339

PLAIN, ZLIB = 1, (8, 32946)

MOST_PIXELS = 1 << 27
"""Pixels of the largest page that is read; a broken file may claim any size."""

MOST_PAGES = 100_000
"""Largest number of pages in a file; the links of a broken file may form a loop."""

_KINDS = {1: "u", 2: "i", 3: "f"}
_DEPTHS = {"u": (8, 16, 32), "i": (8, 16, 32), "f": (16, 32, 64)}


def is_plain(tags: Mapping[int, Any]) -> bool:
    """Whether the tags of a page describe strips that `plain_pages` reads."""
    return (
        tags.get(CHANNELS, 1) == 1
        and tags.get(COMPRESSION, PLAIN) in (PLAIN, *ZLIB)
        and tags.get(PREDICTOR, 1) == 1
        and tags.get(PHOTOMETRIC, 1) == 1
        and tags.get(ORIENTATION, 1) == 1
        and TILES not in tags
        and next(iter(tags.get(BITS, (1,)))) in _DEPTHS.get(_kind(tags), ())
    )


def plain_pages(path: Path) -> Iterator[NDArray[Any]]:
    """The pages of a file, (H, W) each in the machine's byte order.

    Raises:
        ValueError: A page has another form than plain strips of one channel, or is cut off.
        OSError: The file cannot be read.
    """
    for file, tags, order in _directories(path):
        yield _page(file, tags, order)


def plain_extents(path: Path) -> Iterator[tuple[int, int]]:
    """Width and height of each page of a file, without decoding; see `plain_pages`."""
    for _, tags, _ in _directories(path):
        yield int(tags[WIDTH]), int(tags[HEIGHT])


def _directories(path: Path) -> Iterator[tuple[Any, ImageFileDirectory_v2, str]]:
    """The tags of each page of a file, with the open file and its byte order."""
    with path.open("rb") as file:
        start = file.read(16)
        big = b"\x2b" in start[2:4]
        tags = ImageFileDirectory_v2(start[: 16 if big else 8])
        order = ">" if start[:2] == b"MM" else "<"
        place, count = tags.next, 0
        while place and count < MOST_PAGES:
            tags = ImageFileDirectory_v2(start[: 16 if big else 8])
            file.seek(place)
            tags.load(file)
            if not is_plain(tags):
                raise ValueError(f"page {count} has another form than plain strips of one channel")
            place, count = tags.next, count + 1
            yield file, tags, order


def _kind(tags: Mapping[int, Any]) -> str:
    return _KINDS.get(next(iter(tags.get(FORMAT, (1,)))), "")


def _page(file: Any, tags: Mapping[int, Any], order: str) -> NDArray[Any]:
    """Read one page.

    Raises:
        ValueError: Its strips do not fill it.
    """
    height, width = int(tags[HEIGHT]), int(tags[WIDTH])
    depth = int(next(iter(tags[BITS]))) // 8
    if not 0 < height * width <= MOST_PIXELS:
        raise ValueError(f"{width}x{height} pixels")
    rows, content = min(int(tags.get(ROWS, height)), height), []
    places, sizes = tuple(tags[STRIPS]), tuple(tags[SIZES])
    wanted = [min(rows, height - top) * width * depth for top in range(0, height, rows)]
    for place, size, need in zip(places, sizes, wanted, strict=True):
        file.seek(place)
        strip = file.read(size)
        if tags.get(COMPRESSION, PLAIN) != PLAIN:
            strip = _unpacked(strip, need)
        if len(strip) < need:
            raise ValueError(f"cut off: {len(strip)} of {need} bytes of a strip are there")
        content.append(strip[:need])
    samples = np.frombuffer(b"".join(content), f"{order}{_kind(tags)}{depth}")
    found: NDArray[Any] = samples.reshape(height, width).astype(samples.dtype.newbyteorder("="))
    return found


def _unpacked(strip: bytes, most: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(strip, most)
    except zlib.error as error:
        raise ValueError(f"a strip is damaged ({error})") from None
