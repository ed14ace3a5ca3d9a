"""WebDataset shards: tar files in which the files of one pair follow each other."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any

from pyarrow import ArrowException

from samantic.cluster.storage import Place
from samantic.data.folders import SUFFIXES
from samantic.data.pairing import WORDS

RECORD = 512
"""Bytes of a record of a tar file."""

MOST = 2**30
"""Bytes of the largest file of a shard that is read."""

APART = (
    "does not follow the other files of its pair, whose labels are made without it; write the "
    "shard anew in the order of names, and its labels to another --output"
)
"""What is wrong with a file of a pair that was left before."""

SENSORS = {word: name for name in ("rgb", "thermal") for word in WORDS[name].split()}
"""The camera for a word in an ending such as `.rgb.png`."""


def tar_rows(place: Place) -> Iterator[dict[str, Any]]:
    """The pairs of a shard: KEY.rgb.png and KEY.thermal.png, or other words and image endings.

    The name of a pair is SHARD/KEY. A shard that is cut off, or is no tar file, gives an error row,
    and so does a pair whose files do not follow each other: only the first of them are predicted.
    """
    shard, seen = PurePosixPath(place.path).stem, set[str]()
    key, refused, images, count = "", "", dict[str, bytes](), 0
    try:
        with (
            place.files.open_input_stream(place.path, compression=None) as stream,
            tarfile.open(fileobj=stream, mode="r|*") as archive,
        ):
            end = 0
            for member in archive:
                end = member.offset_data + -(-member.size // RECORD) * RECORD
                stem, sensor = _parts(member.name)
                if sensor is None or not member.isfile() or stem == refused:
                    continue
                if stem != key and images:
                    yield _row(shard, key, images)
                    images, count = {}, count + 1
                if stem != key and stem in seen:
                    error = f"{place.shown}: {member.name}: {APART}"
                    yield {"name": f"{shard}/{stem}", "error": error}
                    key = refused = stem
                    continue
                key = stem
                seen.add(key)
                if member.size > MOST:
                    error = f"{place.shown}: {member.name}: {member.size / 2**20:.0f} MiB; too much"
                    yield {"name": f"{shard}/{key}", "error": error}
                    images, refused = {}, stem
                    continue
                file = archive.extractfile(member)
                images[sensor] = file.read() if file is not None else b""
            if _is_cut_off(place, archive, end):
                raise EOFError("no mark of its end")
    except (tarfile.TarError, OSError, EOFError, ArrowException) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        problem = f"{place.shown}: cannot be read on after {count} pairs ({why}); copy it anew"
        yield {"name": f"{shard}/{key or 'shard'}", "error": problem}
        return
    if images:
        yield _row(shard, key, images)


def _is_cut_off(place: Place, archive: tarfile.TarFile, end: int) -> bool:
    """Whether a shard lacks the empty record after its last file, which tarfile does not check.

    Args:
        place: The shard.
        archive: The shard, opened as a stream; a compressed shard reports a missing end itself.
        end: Offset at which its last file ends.
    """
    plain = getattr(archive.fileobj, "comptype", "tar") == "tar"
    size: int = place.files.get_file_info(place.path).size or 0
    return plain and size < end + RECORD


def _parts(path: str) -> tuple[str, str | None]:
    """The key of a file (its name up to the first dot), and the camera if it is an image."""
    folder, _, name = path.removeprefix("./").rpartition("/")
    stem, _, ending = name.partition(".")
    word, _, last = ending.lower().rpartition(".")
    key = f"{folder}/{stem}" if folder else stem
    return key, SENSORS.get(word) if f".{last}" in SUFFIXES else None


def _row(shard: str, key: str, images: dict[str, bytes]) -> dict[str, Any]:
    read = {f"{sensor}_bytes": content for sensor, content in images.items()}
    return {"name": f"{shard}/{key}", **read}


def tar_of(members: Iterable[tuple[str, bytes]]) -> bytes:
    """Make a tar of files; the same files give the same bytes."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in members:
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return file.getvalue()
