"""Recordings of two cameras that are not synchronised: their frames, paired by time.

The pairs equal those of `timestamps.by_time`, but only one frame is read ahead. If both cameras are
equally fast, jitter loses no pair.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from statistics import median
from typing import Any, NamedTuple

from samantic.config.scaling import PLANCK
from samantic.data.video import Frame, Video
from samantic.errors import InputError
from samantic.predict.sources import FolderFrames, Source

GAP = 1.5
"""Frames are lost where the next frame comes after more than this many intervals."""

LONG = 10_000
"""Largest number of lost frames in a gap that are replaced one by one; a longer gap is a break."""

EVEN = 1.2
"""Cameras count as equally fast if their rates differ by less than this factor."""

KNOWN = 5
"""Number of intervals from which their median replaces the rate that the file gives."""


class Meeting(NamedTuple):
    """Frames of both cameras that belong together; None for a camera without a frame.

    Attributes:
        rgb: The RGB camera's frame.
        thermal: The thermal camera's frame.
    """

    rgb: Frame | None
    thermal: Frame | None

    @property
    def seconds(self) -> float:
        """The time of the RGB frame, or else of the thermal frame, in seconds."""
        return next(frame.seconds for frame in self if frame is not None)


class CameraFrames:
    """Iterates over a camera's frames; a lost frame becomes a frame without an image.

    Attributes:
        frames: Number of frames so far, without the lost ones.
        repeated: Number of frames that are no later than the previous one; they are skipped.
        breaks: Gaps too long to be filled: their first and last second.
        lone: Number of frames without a partner.
        span: Times of the first and the last frame so far, in seconds.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.frames = self.repeated = self.lone = 0
        self.breaks: list[tuple[float, float]] = []
        self.span: tuple[float, float] | None = None

    def stored(self) -> dict[str, Any]:
        """The counts, for JSON."""
        names = ("frames", "repeated", "lone")
        more = {"breaks": self.breaks, "span": self.span}
        return {name: getattr(self, name) for name in names} | more

    def __iter__(self) -> Iterator[Frame]:
        steps: deque[float] = deque(maxlen=31)
        last: float | None = None
        usual = 1 / self.source.rate if self.source.rate else 0.0
        for frame in self.source:
            self.frames += 1
            if last is not None and frame.seconds <= last:
                self.repeated += 1
                continue
            if last is not None:
                step = frame.seconds - last
                interval = median(steps) if len(steps) >= KNOWN else usual or step
                yield from self._lost(last, step, interval)
                steps.append(step)
            last = frame.seconds
            self.span = (last if self.span is None else self.span[0], last)
            yield frame

    def _lost(self, last: float, step: float, interval: float) -> Iterator[Frame]:
        """Frames without images that fill a gap after the time `last`."""
        count = round(step / interval) - 1 if step > GAP * interval else 0
        if count > LONG:
            self.breaks.append((last, last + step))
            return
        for i in range(1, count + 1):
            yield Frame(last + i * step / (count + 1), None, "dropped")


def meet(
    rgb: Iterable[Frame], thermal: Iterable[Frame], tolerance: float, even: bool = False
) -> Iterator[tuple[Frame | None, Frame | None]]:
    """Pair frames that are each other's nearest in time and within the tolerance.

    A frame without a partner is yielded alone. Of two equally near frames, the earlier is taken.

    Args:
        rgb: Frames in temporal order.
        thermal: Frames in temporal order.
        tolerance: Largest difference in seconds between the frames of a pair.
        even: Whether both cameras are equally fast. A nearer next frame then takes the partner only
            if it is less than half as far, so that cameras half an interval apart lose no pairs.
    """
    sides = (iter(rgb), iter(thermal))
    heads = [next(side, None) for side in sides]
    after = [next(side, None) for side in sides]
    before: list[float | None] = [None, None]

    def step(i: int) -> Frame:
        frame = heads[i]
        assert frame is not None  # noqa: S101  # only called if there is a frame
        before[i], heads[i], after[i] = frame.seconds, after[i], next(sides[i], None)
        return frame

    while heads[0] is not None and heads[1] is not None:
        early = 0 if heads[0].seconds <= heads[1].seconds else 1
        late = 1 - early
        mine, other, following = heads[early], heads[late], after[early]
        assert mine is not None and other is not None  # noqa: S101, PT018
        apart = other.seconds - mine.seconds
        far = apart / 2 if even else apart
        nearer = following is not None and abs(following.seconds - other.seconds) < far
        past = before[late]
        taken = not even and past is not None and mine.seconds - past <= apart
        if nearer or taken or apart > tolerance:
            frame = step(early)
            yield (frame, None) if early == 0 else (None, frame)
        else:
            yield step(0), step(1)
    for i in (0, 1):
        while heads[i] is not None:
            frame = step(i)
            yield (frame, None) if i == 0 else (None, frame)


class Recording:
    """The pairs of a recording, in temporal order.

    Args:
        rgb: RGB camera's frames, or None.
        thermal: Thermal camera's frames, or None.
        tolerance: Largest difference in seconds between the frames of a pair; None for the interval
            of the faster camera.

    Attributes:
        cameras: The counts of each camera.
        apart: Largest difference in seconds between the frames of a pair so far.
    """

    def __init__(
        self, rgb: Source | None, thermal: Source | None, tolerance: float | None = None
    ) -> None:
        given = {"rgb": rgb, "thermal": thermal}
        self.cameras = {
            n: CameraFrames(source) for n, source in given.items() if source is not None
        }
        rates = [camera.source.rate for camera in self.cameras.values()]
        fastest = max((rate for rate in rates if rate), default=25.0)
        self.tolerance = 1 / fastest if tolerance is None else tolerance
        self.even = (
            len(rates) == 2
            and None not in rates
            and fastest < EVEN * min(rate for rate in rates if rate)
        )
        self.rate = min((rate for rate in rates if rate), default=25.0)
        self.count = min(camera.source.count for camera in self.cameras.values())
        self.apart = 0.0

    def take_kelvin(self) -> None:
        """Convert thermal counts to kelvin by the constants of Planck's law in each file.

        Raises:
            InputError: The recording holds no such constants.
        """
        source = self.cameras["thermal"].source if "thermal" in self.cameras else None
        if isinstance(source, FolderFrames):
            source.planck = True
        elif isinstance(source, Video):
            raise InputError(
                f"{source.path}: a video holds no constants of Planck's law, which {PLANCK} needs; "
                "give a folder of FLIR's radiometric files, or another --thermal-scaling"
            )

    def __iter__(self) -> Iterator[Meeting]:
        """Pairs with at least one image; for a single camera, its frames."""
        if len(self.cameras) == 1:
            ((name, camera),) = self.cameras.items()
            for frame in camera:
                yield Meeting(frame, None) if name == "rgb" else Meeting(None, frame)
            return
        both = self.cameras["rgb"], self.cameras["thermal"]
        for rgb, thermal in meet(*both, self.tolerance, self.even):
            if rgb is not None and thermal is not None:
                if rgb.image is not None and thermal.image is not None:
                    self.apart = max(self.apart, abs(rgb.seconds - thermal.seconds))
                yield Meeting(rgb, thermal)
                continue
            for name, lone in (("rgb", rgb), ("thermal", thermal)):
                self.cameras[name].lone += lone is not None and lone.image is not None
