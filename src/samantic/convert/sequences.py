"""Recordings of thermal cameras, frame by frame: SEQ and FFF, and TIFF of several pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from samantic.data.folders import stems
from samantic.data.image_files import pages
from samantic.data.radiometric import thermograms
from samantic.errors import InputError
from samantic.files import replacing
from samantic.progress import progress


def convert_frames(source: Path, out: Path) -> dict[str, int]:
    """Write each frame of a recording as a file of its own, with unchanged values.

    Counts become PNG of 16 bits, gray levels PNG of 8 bits, floats TIFF. NAME.seq becomes
    NAME_00000.png, NAME_00001.png and so on. Existing files of these names are overwritten.

    Args:
        source: A recording, or a folder of recordings.
        out: Folder to write to.

    Returns:
        The number of frames of each recording, by its name.

    Raises:
        InputError: There is no recording, or one cannot be read.
    """
    files = {source.stem: source} if source.is_file() else stems(source)
    if not files:
        raise InputError(f"{source}: {_neither(source)}")
    if not any(map(_is_recording, files.values())):
        raise InputError(f"{source}: {_neither(source)}")
    out.mkdir(parents=True, exist_ok=True)
    written = {}
    for name, path in progress(files.items(), "convert", "file"):
        count = 0
        for frame in frames(path):
            _save(frame, out / f"{name}_{count:05d}")
            count += 1
        written[path.name] = count
    return written


def _is_recording(path: Path) -> bool:
    """Whether a file is one of FLIR or DJI, or a TIFF, by its content."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
        return start in (b"FFF\0", b"II*\0", b"MM\0*") or bool(thermograms(path))
    except ValueError:  # a radiometric file, but damaged
        return True


def _neither(source: Path) -> str:
    """What to do about a file or folder with neither recordings nor a tool's labels."""
    archives = [] if source.is_file() else sorted(p for p in source.iterdir() if is_archive(p))
    if archives:
        return f"{archives[0].name} is an archive; unpack it, and give the folder"
    return (
        "no labels of a known format, and no recording (SEQ, FFF, CSQ, TIFF, radiometric JPEG); "
        "for label images give --classes or --map, which define their pixels"
    )


def is_archive(path: Path) -> bool:
    """Whether a file is an archive, by its name."""
    return path.suffix.lower() in (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")


def frames(path: Path) -> Iterator[NDArray[Any]]:
    """The frames of a recording, (H, W) each in the sensor's own unit.

    Raises:
        InputError: The recording cannot be read.
    """
    try:
        found = thermograms(path)
    except ValueError as error:
        raise InputError(f"{path}: {error}; copy or export it anew") from None
    yield from (one.counts for one in found) if found else pages(path)


def _save(frame: NDArray[Any], stem: Path) -> None:
    ending = ".tiff" if frame.dtype == np.float32 else ".png"
    with replacing(stem.with_name(stem.name + ending)) as temporary:
        Image.fromarray(frame).save(temporary, format=ending[1:])
