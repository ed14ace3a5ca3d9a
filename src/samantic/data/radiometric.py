"""Raw counts in files of thermal cameras: R-JPEG, FFF, SEQ and CSQ of FLIR, and R-JPEG of DJI.

A radiometric JPEG holds a coloured picture and the sensor's raw counts. FLIR stores an FFF file in
segments of the JPEG: a header, a list of records, and in one record the image, plain or as PNG. A
SEQ holds FFF files one after the other; a CSQ holds FFF files whose images are JPEG-LS. DJI stores
plain counts in its own segments. The offsets of the fields are those in ExifTool's documentation of
the FLIR and DJI tags. Counts have the orientation of the stored picture, and are turned as its EXIF
says, like every other image.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Counts = NDArray[np.uint16]

MOST_PIXELS = 1 << 24
"""Pixels of the largest image that is read, far more than any camera has; a broken file may claim
any size."""

_JPEG, _FFF, _FLIR = b"\xff\xd8", b"FFF\0", b"FLIR\0"
_HEADER, _RECORD = 64, 32
_APP1, _APP3, _SCAN = 0xE1, 0xE3, 0xDA
_RAW, _CAMERA = 1, 32
_JPEG_LS = b"\xff\xd8\xff\xf7"
_EXIF, _ORIENTATION, _SHORT = b"Exif\0\0", 0x0112, 3

_TURNS: dict[int, Callable[[Counts], Counts]] = {
    2: lambda counts: counts[:, ::-1],
    3: lambda counts: counts[::-1, ::-1],
    4: lambda counts: counts[::-1],
    5: lambda counts: counts.T,
    6: lambda counts: counts[::-1].T,
    7: lambda counts: counts[::-1, ::-1].T,
    8: lambda counts: counts.T[::-1],
}
"""How an image is turned upright, by EXIF's orientation."""


class Planck(NamedTuple):
    """Constants of a FLIR camera that turn counts into temperatures.

    T = B / ln(R1 / (R2 (S + O)) + F) in kelvin, for counts S, an emissivity of 1 and no atmosphere
    in between. The names are ExifTool's, without the prefix `Planck`.
    """

    r1: float
    b: float
    f: float
    o: float
    r2: float

    def kelvin(self, counts: Counts) -> NDArray[np.float32]:
        """Temperatures (H, W) in kelvin; NaN where the formula has no value for a count."""
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = self.r1 / (self.r2 * (counts.astype(np.float64) + self.o)) + self.f
            return (self.b / np.log(ratio)).astype(np.float32)


class Thermogram(NamedTuple):
    """A frame of a thermal camera.

    Attributes:
        counts: (H, W) uint16.
        maker: Maker of the camera: FLIR or DJI.
        planck: Constants that turn counts into temperatures, where the file has them.
    """

    counts: Counts
    maker: str
    planck: Planck | None = None


def thermograms(path: Path) -> list[Thermogram]:
    """The frames of a thermal camera's file; an empty list for any other file.

    Raises:
        ValueError: The file is damaged, or compressed in a way that is not supported.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(4)
        if start[:2] != _JPEG and start != _FFF:
            return []
    data = path.read_bytes()
    if start == _FFF:
        return list(_frames(data))
    flir, dji = _embedded(data)
    if not flir and dji is None:
        return []
    found = Thermogram(dji, "DJI") if dji is not None and not flir else _frame(flir, 0)[0]
    turn = _TURNS.get(_orientation(data))
    return [found if turn is None else found._replace(counts=turn(found.counts).copy())]


def _orientation(data: bytes) -> int:
    """The orientation in the EXIF of a JPEG, a TIFF without an image; 1 (upright) without one."""
    for marker, content in _segments(data):
        exif = content.removeprefix(_EXIF)
        order = {b"II": "<", b"MM": ">"}.get(exif[:2])
        if marker != _APP1 or order is None or len(exif) == len(content):
            continue
        with suppress(struct.error):  # cut off: a viewer shows the picture as it is stored
            (start,) = struct.unpack_from(f"{order}I", exif, 4)
            (count,) = struct.unpack_from(f"{order}H", exif, start)
            for place in range(start + 2, start + 2 + 12 * count, 12):
                tag, kind, _, value = struct.unpack_from(f"{order}HHIH", exif, place)
                if (tag, kind) == (_ORIENTATION, _SHORT):
                    return int(value)
    return 1


def _embedded(data: bytes) -> tuple[bytes, Counts | None]:
    """The FFF file inside a JPEG (b"" if there is none), and DJI's counts (None if there are none).

    Raises:
        ValueError: Parts of the FFF file are missing.
    """
    parts: dict[int, bytes] = {}
    raw, dji, size, last = [], False, (0, 0), -1
    for marker, content in _segments(data):
        if marker == _APP1 and content.startswith(_FLIR) and len(content) > 8:
            parts[content[6]], last = content[8:], content[7]
        elif marker == _APP1:
            dji |= b"DJI" in content
        elif marker == _APP3:
            raw.append(content)
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and len(content) > 5:
            size = struct.unpack(">HH", content[1:5])
    if parts and sorted(parts) != list(range(last + 1)):
        raise ValueError(f"{len(parts)} of {last + 1} parts of its raw counts are there")
    flir = b"".join(parts[i] for i in sorted(parts))
    return flir, _plain(b"".join(raw), size) if dji and raw else None


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and content of each segment of a JPEG before its compressed picture."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != _SCAN:
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        yield marker, data[place + 4 : place + 2 + length]
        place += 2 + length


def _plain(raw: bytes, picture: tuple[int, ...]) -> Counts:
    """DJI's counts (H, W); their size follows from the picture's aspect ratio.

    Raises:
        ValueError: The counts do not fill an image of that aspect ratio.
    """
    high, wide = picture
    count = len(raw) // 2
    height = round(math.sqrt(count * high / wide)) if high and wide else 0
    if not height or len(raw) != 2 * height * (width := round(height * wide / high)):
        raise ValueError(f"{count} raw counts do not fill an image of {wide}:{high}")
    return np.frombuffer(raw, "<u2").reshape(height, width).astype(np.uint16)


def _frames(data: bytes) -> Iterator[Thermogram]:
    """The frames of FFF files that lie one after the other, with any bytes in between."""
    place = 0
    while place >= 0:
        found, length = _frame(data, place)
        yield found
        place = data.find(_FFF, place + length)


def _frame(data: bytes, start: int) -> tuple[Thermogram, int]:
    """The image of the FFF file that starts at `start`, and the file's length in bytes.

    Raises:
        ValueError: The file is damaged, or holds no image that can be read.
    """
    try:
        order = next(
            o for o in "><" if 100 <= struct.unpack_from(f"{o}I", data, start + 20)[0] < 200
        )
        first, count = struct.unpack_from(f"{order}II", data, start + 24)
        records: dict[int, bytes] = {}
        end = _HEADER
        for i in range(min(count, 256)):
            place = start + first + i * _RECORD
            (kind,) = struct.unpack_from(f"{order}H", data, place)
            at, length = struct.unpack_from(f"{order}II", data, place + 12)
            if kind:
                records.setdefault(kind, data[start + at : start + at + length])
                end = max(end, at + length)
        if _RAW not in records:
            raise ValueError("it holds no raw counts, only pictures of them")
        if start + end > len(data):
            raise ValueError(f"cut off: {len(data) - start} of {end} bytes are there")
        planck = _planck(records[_CAMERA]) if _CAMERA in records else None
        return Thermogram(_image(records[_RAW]), "FLIR", planck), end
    except (struct.error, StopIteration):
        raise ValueError("its list of records is broken") from None


def _image(record: bytes) -> Counts:
    """The counts (H, W) of a record, plain or as PNG. The record gives its byte order and size.

    The samples of a PNG may have either byte order. The order in which neighbouring pixels differ
    less is taken as the right one.

    Raises:
        ValueError: The record holds no such image.
    """
    order = next(o for o in "<>" if struct.unpack_from(f"{o}H", record)[0] <= 3)
    width, height = struct.unpack_from(f"{order}HH", record, 2)
    payload = record[_RECORD:]
    if payload.startswith(_JPEG_LS):
        return _jpeg_ls(payload, height, width)
    if payload.startswith(b"\x89PNG"):
        try:
            with Image.open(io.BytesIO(payload), formats=("PNG",)) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise Image.DecompressionBombError
                pixels = np.asarray(image).astype(np.uint16)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise ValueError(f"its counts are no whole PNG ({type(error).__name__})") from None
        swapped = pixels.byteswap()
        return min(pixels, swapped, key=_roughness)
    if not 0 < width * height <= MOST_PIXELS or len(payload) < 2 * width * height:
        raise ValueError(f"{len(payload)} bytes for {width}x{height} counts")
    counts = np.frombuffer(payload, f"{order}u2", width * height)
    return counts.reshape(height, width).astype(np.uint16)


def _jpeg_ls(payload: bytes, height: int, width: int) -> Counts:
    """Decode the frame of a CSQ with PyAV.

    Raises:
        ValueError: PyAV is not installed, or the frame is damaged or has another size.
    """
    try:
        import av
    except ImportError:
        raise ValueError(
            "its frames are compressed as JPEG-LS (CSQ): pip install 'samantic[csq]', or export "
            "them as TIFF or SEQ"
        ) from None
    if struct.unpack_from(">HH", payload, 7) != (height, width) or height * width > MOST_PIXELS:
        raise ValueError(f"its counts are no whole JPEG-LS of {width}x{height}")
    decoder = av.CodecContext.create("jpegls", "r")
    try:
        frames = [*decoder.decode(av.Packet(payload)), *decoder.decode(None)]
        counts: NDArray[Any] = frames[0].to_ndarray()
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise ValueError(f"its counts are no whole JPEG-LS ({type(error).__name__})") from None
    if counts.shape != (height, width) or counts.dtype != np.uint16:
        raise ValueError(f"{counts.dtype} {counts.shape} for {width}x{height} counts")
    return counts.astype(np.uint16)


def _roughness(pixels: Counts) -> float:
    """Mean absolute difference of neighbouring pixels."""
    return float(np.abs(np.diff(pixels.astype(np.int32), axis=1)).mean())


def _planck(record: bytes) -> Planck | None:
    """The constants in a camera record; None if it has none."""
    order = next(o for o in "<>" if struct.unpack_from(f"{o}H", record)[0] <= 3)
    r1, b, f = struct.unpack_from(f"{order}fff", record, 0x58)
    o, r2 = struct.unpack_from(f"{order}if", record, 0x308)
    return Planck(r1, b, f, o, r2) if r1 > 0 and b > 0 and r2 > 0 else None
