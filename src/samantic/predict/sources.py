"""The frames of one camera with their times, from a video or from a folder of images."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from numpy.typing import NDArray

from samantic.data.folders import stems
from samantic.data.images import check_extent, rgb_array, thermal_array
from samantic.data.timestamps import seconds_of
from samantic.data.video import Frame, Video, is_video
from samantic.errors import InputError, UnreadableError


class Source(Protocol):
    """The frames of one camera.

    Attributes:
        rate: Frames per second, or None if unknown.
        count: Number of frames, or 0 if unknown.
    """

    rate: float | None
    count: int

    def __iter__(self) -> Iterator[Frame]: ...


class FolderFrames:
    """The images of a folder as frames.

    Args:
        path: The folder.
        thermal: Whether they are the thermal camera's.
        fps: Frames per second, if names are numbered; None if names hold times.

    Attributes:
        start: Number or time in the name of the first frame; it becomes time 0.
        planck: Whether thermal counts become kelvin by the constants in each file.

    Raises:
        InputError: There are no images, or a name holds no time.
    """

    def __init__(self, path: Path, thermal: bool, fps: float | None) -> None:
        found = stems(path)
        if not found:
            raise InputError(f"{path}: no images in this folder")
        times = {name: _number(name) if fps else seconds_of(name) for name in found}
        lone = next((name for name, time in times.items() if time is None), None)
        if lone is not None:
            what = "number" if fps else "time"
            cure = "" if fps else "; for numbered frames give the frames per second, as --fps 30"
            raise InputError(f"{found[lone]}: no {what} in its name{cure}")
        order = sorted((time, name) for name, time in times.items() if time is not None)
        self.thermal, self.planck = thermal, False
        self.files = [(time / (fps or 1), found[name]) for time, name in order]
        self.start, self.count = self.files[0][0], len(order)
        steps = [b[0] - a[0] for a, b in zip(self.files, self.files[1:], strict=False)]
        self.rate = fps or (1 / max(median(steps), 1e-9) if steps else None)

    def __iter__(self) -> Iterator[Frame]:
        kelvin = partial(thermal_array, planck=self.planck)
        read: Callable[[Path], NDArray[Any]] = kelvin if self.thermal else rgb_array
        for seconds, path in self.files:
            try:
                pixels = read(path)
                check_extent(pixels, str(path))
            except UnreadableError:
                yield Frame(seconds - self.start, None, "unreadable")
            else:
                yield Frame(seconds - self.start, pixels)


def _number(stem: str) -> float | None:
    """The last whole number in a name."""
    found = re.findall(r"\d+", stem)
    return float(found[-1]) if found else None


def open_source(path: Path, thermal: bool, fps: float | None) -> Source:
    """Open a video, or a folder of frames.

    Raises:
        InputError: The path is neither.
    """
    if is_video(path):
        return Video(path, thermal)
    if path.is_file():
        raise InputError(f"{path}: one image; beside a video give a video or a folder of frames")
    return FolderFrames(path, thermal, fps)


def open_sources(rgb: Path | None, thermal: Path | None, fps: float | None) -> list[Source | None]:
    """Open both cameras' frames; two folders count time from the first frame of the earlier one.

    Raises:
        InputError: A path is no recording.
    """
    found = [
        None if path is None else open_source(path, name == "thermal", fps)
        for name, path in (("rgb", rgb), ("thermal", thermal))
    ]
    folders = [source for source in found if isinstance(source, FolderFrames)]
    if len(folders) == 2:
        folders[0].start = folders[1].start = min(folder.start for folder in folders)
    return found
