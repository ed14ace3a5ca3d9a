"""Writers of thermal cameras' files, from the published places of their fields."""

from __future__ import annotations

import io
import struct
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.encoders import png

Counts = NDArray[np.uint16]
PLANCK = (17096.453, 1428.0, 1.0, -267, 0.0466)


def jpeg(size: tuple[int, int]) -> bytes:
    """A picture in false colours, (height, width)."""
    buffer = io.BytesIO()
    picture = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
    Image.fromarray(picture).save(buffer, "JPEG")
    return buffer.getvalue()


def with_segments(picture: bytes, segments: list[tuple[int, bytes]]) -> bytes:
    parts = [bytes([0xFF, m]) + struct.pack(">H", len(c) + 2) + c for m, c in segments]
    return picture[:2] + b"".join(parts) + picture[2:]


def jpeg_ls(counts: Counts) -> bytes:
    """Counts as FFmpeg's encoder of JPEG-LS writes them."""
    import av

    encoder = av.CodecContext.create("jpegls", "w")
    encoder.height, encoder.width = counts.shape
    encoder.pix_fmt, encoder.time_base = "gray16le", Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(counts, format="gray16le")
    return b"".join(map(bytes, [*encoder.encode(frame), *encoder.encode(None)]))


def fff(
    counts: Counts,
    payload: str = "plain",
    order: str = "<",
    headers: str = ">",
    planck: tuple[float, float, float, int, float] = PLANCK,
) -> bytes:
    """An FFF file: the camera's record, then the image's.

    Args:
        counts: (h, w).
        payload: `plain`, `jpeg-ls` as in a CSQ, or `png` with the bytes of each
            sample in the other order.
        order: Of the records, and of plain counts.
        headers: Byte order of the file's header and list of records.
    """
    height, width = counts.shape
    image = struct.pack(f"{order}HHH", 2, width, height).ljust(32, b"\0")
    payloads = {
        "png": lambda: png(counts.byteswap()[..., None], 16),
        "jpeg-ls": lambda: jpeg_ls(counts),
        "plain": lambda: counts.astype(f"{order}u2").tobytes(),
    }
    image += payloads[payload]()
    camera = bytearray(struct.pack(f"{order}HHH", 2, width, height).ljust(0x400, b"\0"))
    struct.pack_into(f"{order}fff", camera, 0x58, *planck[:3])
    struct.pack_into(f"{order}if", camera, 0x308, *planck[3:])
    head = b"FFF\0" + b"TEST".ljust(16, b"\0") + struct.pack(f"{headers}III", 101, 64, 3)
    head, start, table, body = head.ljust(64, b"\0"), 64 + 3 * 32, b"", b""
    for kind, record in ((0, b""), (32, bytes(camera)), (1, image)):
        entry = struct.pack(f"{headers}HHIIII", kind, 0, 101, 1, start + len(body), len(record))
        table, body = table + entry.ljust(32, b"\0"), body + record
    return head + table + body


def flir(counts: Counts, part: int = 2000, **options: Any) -> bytes:
    """FLIR's radiometric JPEG, its FFF file cut into parts."""
    content = fff(counts, **options)
    parts = [content[i : i + part] for i in range(0, len(content), part)]
    segments = [(0xE1, b"FLIR\0\x01" + bytes([i, len(parts) - 1]) + p) for i, p in enumerate(parts)]
    return with_segments(jpeg((60, 80)), segments)


def dji(counts: Counts, picture: tuple[int, int], part: int = 1000) -> bytes:
    """DJI's radiometric JPEG; the picture may be larger than what was measured."""
    raw = counts.astype("<u2").tobytes()
    segments = [(0xE1, b"Exif\0\0II*\0 DJI ZH20T")]
    segments += [(0xE3, raw[i : i + part]) for i in range(0, len(raw), part)]
    return with_segments(jpeg(picture), segments)
