"""Videos, read frame by frame in their own depth with PyAV (the extra `video`)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from statistics import median
from types import ModuleType, TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from samantic.data.images import check_extent
from samantic.data.raster import gray_of
from samantic.errors import InputError

VIDEOS = (
    *(".mp4", ".mkv", ".avi", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts"),
    *(".wmv", ".mxf", ".ogv", ".flv", ".3gp", ".nut"),
)
"""Endings of files that are taken for videos."""

FIRST = 100
"""Number of frames whose times give the frame rate."""

TICKS = 1000
"""Ticks of a second in the time base of written videos."""

LONGEST = 86_400
"""Most seconds between written frames; a longer break is shortened to this. MP4 holds a frame for
at most 37 hours."""


class Frame(NamedTuple):
    """A frame of a recording.

    Attributes:
        seconds: Its time in seconds.
        image: (H, W, 3) uint8, or thermal (h, w) in its own depth; None for a missing frame.
        why: `dropped` or `unreadable` for a missing frame.
    """

    seconds: float
    image: Any
    why: str = ""


def is_video(path: Path) -> bool:
    """Whether a file's name is that of a video."""
    return path.suffix.lower() in VIDEOS


def pyav(what: Path) -> ModuleType:
    """Import PyAV.

    Args:
        what: The video, for the error.

    Raises:
        InputError: PyAV is not installed.
    """
    try:
        import av
    except ModuleNotFoundError:
        raise InputError(f"{what}: videos need PyAV; pip install 'samantic[video]'") from None
    return av


class Video:
    """A video file of one camera.

    Args:
        path: The file.
        thermal: Whether the camera is thermal: then frames are one channel in its own depth, or
            gray levels.

    Attributes:
        rate: Frames per second, from the times of the first frames; None if they have no times.
        count: Number of frames according to the file; 0 if it does not say.

    Raises:
        InputError: The file is missing, no video, or PyAV is not installed.
    """

    def __init__(self, path: Path, thermal: bool) -> None:
        self.path, self.thermal = path, thermal
        with self._opened() as container:
            stream = container.streams.video[0]
            said = float(stream.average_rate) if stream.average_rate else None
            self.rate = _rate(pyav(path), container, stream) or said
            length = container.duration / 1e6 if container.duration else 0.0
            self.count = int(stream.frames or round(length * (self.rate or 0)))

    def _opened(self) -> Any:
        av = pyav(self.path)
        if not self.path.is_file():
            raise InputError(f"{self.path}: no such video")
        try:
            container = av.open(str(self.path))
        except (av.FFmpegError, OSError) as error:
            why = error.strerror or "FFmpeg cannot open it"
            raise InputError(f"{self.path}: not a readable video ({why}); copy it anew") from None
        if not container.streams.video:
            container.close()
            raise InputError(f"{self.path}: has no video stream; give a video")
        return container

    def __iter__(self) -> Iterator[Frame]:
        """The frames in temporal order; a damaged frame has no image.

        Raises:
            InputError: The frames are no images of this camera.
        """
        av = pyav(self.path)
        with self._opened() as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            number = 0
            for packet in _packets(av, container, stream):
                try:
                    decoded = packet.decode()
                except av.FFmpegError:  # the gap between frame times shows the loss
                    continue
                for frame in decoded:
                    time = frame.time if frame.pts is not None else number / (self.rate or 25.0)
                    number += 1
                    if frame.is_corrupt:
                        yield Frame(time, None, "unreadable")
                    else:
                        yield Frame(time, self._pixels(frame))

    def _pixels(self, frame: Any) -> NDArray[Any]:
        """The pixels of a frame, rotated as the file says."""
        form = frame.format
        deep = max(part.bits for part in form.components) > 8
        gray = form.name.startswith("gray")
        if deep and (not self.thermal or not gray):
            raise InputError(
                f"{self.path}: {form.name} pixels; give "
                + ("gray or gray16le, as FFV1 has them" if self.thermal else "8 bits per colour")
            )
        if gray and self.thermal:
            pixels: NDArray[Any] = frame.to_ndarray()
        else:
            pixels = frame.to_ndarray(format="rgb24")
            pixels = gray_of(pixels, str(self.path)) if self.thermal else pixels
        turns = round(frame.rotation / 90) % 4
        pixels = np.ascontiguousarray(np.rot90(pixels, turns))
        check_extent(pixels, str(self.path))
        return pixels


def _rate(av: ModuleType, container: Any, stream: Any) -> float | None:
    """Frames per second: the inverse of the median interval of the first frames, not decoded.

    The rate in the file's header may be the rate that was requested of the recorder.
    """
    packets = islice(_packets(av, container, stream), FIRST)
    times = sorted({float(p.pts * p.time_base) for p in packets if p.pts is not None})
    steps = [later - sooner for sooner, later in pairwise(times)]
    return 1 / median(steps) if steps else None


def _packets(av: ModuleType, container: Any, stream: Any) -> Iterator[Any]:
    """The packets of a stream, up to the point where the file is cut off."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):
            return
        yield packet


class VideoWriter:
    """Writes frames as a video: H.264 for pictures (H, W, 3), lossless FFV1 for levels (H, W).

    Args:
        path: NAME.mp4 or NAME.mkv; levels need NAME.mkv.
        like: An image of the size and channels of all frames.
        rate: Approximate frames per second.

    Example:
        >>> with VideoWriter(Path("labels.mkv"), labels, 30) as video:
        ...     video.write(labels, 0.0)
    """

    def __init__(self, path: Path, like: NDArray[np.uint8], rate: float) -> None:
        self.av = pyav(path)
        self.shape, self.last, self.cut = like.shape, -1, 0
        coloured = like.ndim == 3
        names = ("libx264", "mpeg4") if coloured else ("ffv1",)
        codec = next(name for name in names if name in self.av.codecs_available)
        self.container = self.av.open(str(path), "w")
        self.stream = self.container.add_stream(codec, rate=Fraction(rate).limit_denominator(1001))
        self.format = "rgb24" if coloured else "gray"
        self.stream.pix_fmt = "yuv420p" if coloured else "gray"
        self.stream.height, self.stream.width = (
            (side + side % 2 if coloured else side) for side in like.shape[:2]
        )
        self.stream.codec_context.time_base = Fraction(1, TICKS)
        self.stream.time_base = Fraction(1, TICKS)
        if codec == "libx264":
            self.stream.options = {"crf": "20", "preset": "veryfast"}

    def write(self, pixels: NDArray[np.uint8], seconds: float) -> None:
        """Add a frame, at least one tick and at most `LONGEST` seconds after the last one.

        Raises:
            InputError: The frame has another size than the first.
        """
        if pixels.shape != self.shape:
            tall, wide = self.shape[:2]
            raise InputError(
                f"at {seconds:.3f} s: a frame of {pixels.shape[1]}x{pixels.shape[0]} pixels after "
                f"{wide}x{tall}; the frames of a recording have one size, so cut it there"
            )
        odd = [(0, side - own) for side, own in zip(self._sides(), pixels.shape[:2], strict=True)]
        if any(more for _, more in odd):
            pixels = np.pad(pixels, [*odd, *[(0, 0)] * (pixels.ndim - 2)], mode="edge")
        frame = self.av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=self.format)
        tick = max(round(seconds * TICKS) - self.cut, self.last + 1)
        if self.last >= 0 and tick > self.last + LONGEST * TICKS:
            self.cut += tick - self.last - LONGEST * TICKS
            tick = self.last + LONGEST * TICKS
        self.last = tick
        frame.pts, frame.time_base = self.last, Fraction(1, TICKS)
        self.container.mux(self.stream.encode(frame))

    def _sides(self) -> tuple[int, int]:
        return self.stream.height, self.stream.width

    def close(self) -> None:
        """Write the buffered frames and the end of the file."""
        self.container.mux(self.stream.encode())
        self.container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.container.close()
