"""Writers of PNG and TIFF for every depth, apart from the library that reads them."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

PNG_TYPE = {1: 0, 2: 4, 3: 2, 4: 6}
"""Colour type by number of channels; a palette's is 3."""

INTERLACED = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)]
INTERLACED += [(1, 0, 2, 1)]
"""First row, first column, row step and column step of Adam7's passes."""


def packed(samples: NDArray[np.integer], bits: int, order: str = ">") -> list[bytes]:
    """The rows of (H, W, C) samples, filled up to whole bytes."""
    flat = samples.reshape(len(samples), -1)
    if bits >= 8:
        kind = flat.dtype.kind if flat.dtype.kind in "if" else "u"
        return [row.astype(f"{order}{kind}{bits // 8}").tobytes() for row in flat]
    each = (flat[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    return [row.tobytes() for row in np.packbits(each.reshape(len(flat), -1), axis=1)]


def png(
    samples: NDArray[np.integer],
    bits: int,
    palette: NDArray[np.uint8] | None = None,
    clear: bytes = b"",
    level: int = 6,
    interlaced: bool = False,
) -> bytes:
    """A PNG of (H, W, C) samples.

    Args:
        samples: Below 2^bits each.
        bits: Of a sample.
        palette: (n, 3) colours, if the samples are indices.
        clear: What the chunk tRNS holds.
        level: Of zlib's compression.
        interlaced: By Adam7.
    """

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    height, width, channels = samples.shape
    colour = 3 if palette is not None else PNG_TYPE[channels]
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, int(interlaced))
    passes = [samples[a::c, b::d] for a, b, c, d in INTERLACED] if interlaced else [samples]
    rows = [row for part in passes if part.size for row in packed(part, bits)]
    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header)]
    if palette is not None:
        parts.append(chunk(b"PLTE", palette.tobytes()))
    if clear:
        parts.append(chunk(b"tRNS", clear))
    parts.append(chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows), level)))
    return b"".join([*parts, chunk(b"IEND", b"")])


def tiff(
    samples: NDArray[np.number],
    bits: int,
    order: str = "<",
    palette: NDArray[np.uint16] | None = None,
    extra: tuple[int, ...] = (),
    deflate: bool = False,
    rows: int = 0,
    photometric: int | None = None,
) -> bytes:
    """A TIFF of (H, W, C) samples, integers with or without a sign or floats.

    Args:
        samples: The samples.
        bits: Of a sample.
        order: `<` or `>`, the order of bytes.
        palette: (3, 2^bits) colours, if the samples are indices.
        extra: What the channels beyond gray or RGB are: 0 unknown, 1 multiplied, 2 opacity.
        deflate: Compressed.
        rows: Of a strip; 0 for all.
        photometric: In place of what fits.
    """
    height, width, channels = samples.shape
    rows = rows or height
    lines = packed(samples, bits, order)
    strips = [b"".join(lines[row : row + rows]) for row in range(0, height, rows)]
    strips = [zlib.compress(strip) if deflate else strip for strip in strips]
    fits = 3 if palette is not None else 2 if channels - len(extra) == 3 else 1
    kind = {"u": 1, "b": 1, "i": 2, "f": 3}[samples.dtype.kind]
    fields: dict[int, tuple[str, tuple[int, ...]]] = {
        256: ("L", (width,)),
        257: ("L", (height,)),
        258: ("H", (bits,) * channels),
        259: ("H", (8 if deflate else 1,)),
        262: ("H", (fits if photometric is None else photometric,)),
        273: ("L", (0,) * len(strips)),
        277: ("H", (channels,)),
        278: ("L", (rows,)),
        279: ("L", tuple(map(len, strips))),
        339: ("H", (kind,) * channels),
    }
    if palette is not None:
        fields[320] = ("H", tuple(palette.ravel().tolist()))
    if extra:
        fields[338] = ("H", extra)
    return _with_directory(dict(sorted(fields.items())), strips, order)


def _with_directory(
    fields: dict[int, tuple[str, tuple[int, ...]]], strips: list[bytes], order: str
) -> bytes:
    """Header, directory, values too long for it, strips."""
    place = 8 + 2 + 12 * len(fields) + 4
    sizes = [struct.calcsize(f"={len(content)}{kind}") for kind, content in fields.values()]
    long = sum(size for size in sizes if size > 4)
    starts = np.cumsum([place + long, *map(len, strips)])[:-1]
    fields[273] = ("L", tuple(starts.tolist()))
    entries, values = b"", b""
    for tag, (kind, content) in fields.items():
        body = struct.pack(f"{order}{len(content)}{kind}", *content)
        where = body.ljust(4, b"\0")
        if len(body) > 4:
            where = struct.pack(order + "L", place + len(values))
            values += body
        entries += struct.pack(order + "HHL", tag, {"H": 3, "L": 4}[kind], len(content)) + where
    start = (b"II" if order == "<" else b"MM") + struct.pack(order + "HL", 42, 8)
    directory = struct.pack(order + "H", len(fields)) + entries + bytes(4)
    return b"".join([start, directory, values, *strips])
