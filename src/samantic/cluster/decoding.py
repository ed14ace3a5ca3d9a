"""From paths or bytes to images in memory, on workers that need no model."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pyarrow as pa

from samantic.cluster.storage import STORES, Place, open_place, read_bytes
from samantic.config.scaling import parse_scaling
from samantic.data.images import RawPair, read_both
from samantic.errors import InputError
from samantic.provenance import digest, file_digest

REQUESTS = 16
"""Number of parallel requests of one process to an object store."""

PIXELS = [(f"{name}_{part}", kind) for name in ("rgb", "thermal") for part, kind in (
    ("pixels", pa.large_binary()), ("shape", pa.list_(pa.int32())), ("type", pa.string())
)]  # fmt: skip

SCHEMA = pa.schema(
    [
        ("key", pa.uint64()),
        ("name", pa.string()),
        ("error", pa.string()),
        ("there", pa.bool_()),
        ("mark", pa.string()),
        ("seconds", pa.float64()),
        *PIXELS,
    ]
)
"""Schema of the tables that go from decoding to the models."""


class Decoder:
    """Reads the images of a block of pairs.

    Args:
        base: Folder to which paths are relative.
        made: Settings with which labels are made; part of the labels' digests.
    """

    def __init__(self, base: Place, made: dict[str, Any]) -> None:
        self.base, self.made = base, digest(made)
        self.planck = parse_scaling(made["thermal_scaling"]).planck

    def __call__(self, block: pa.Table) -> pa.Table:
        rows = block.to_pylist()
        with ThreadPoolExecutor(REQUESTS) as pool:
            run: Callable[..., Any] = map if self.base.is_local else pool.map
            return pa.Table.from_pylist(list(run(self._decoded, rows)), schema=SCHEMA)

    def _decoded(self, row: dict[str, Any]) -> dict[str, Any]:
        """The images of a row as bytes, or the error for which there are none."""
        start = time.perf_counter()
        found = {name: row[name] for name in ("key", "name", "error", "there")}
        if row["error"] or row["there"]:
            return found
        try:
            pair, digests = self._read(row)
        except (InputError, OSError, MemoryError) as error:
            return {**found, "error": str(error) or type(error).__name__}
        mark = digest([*digests, self.made])
        return {**found, "mark": mark, "seconds": time.perf_counter() - start, **packed(pair)}

    def _read(self, row: dict[str, Any]) -> tuple[RawPair, list[str | None]]:
        """The images of a pair, and the digests of their files."""
        with tempfile.TemporaryDirectory() as folder:
            paths: list[Path | None] = []
            shown: dict[str, str] = {}
            for sensor in ("rgb", "thermal"):
                if sensor == "thermal" and row["thermal"] and row["rgb"] == row["thermal"]:
                    paths.append(paths[0])
                    continue
                path, name = self._file(row, sensor, Path(folder))
                paths.append(path)
                shown[str(path)] = name
            if paths == [None, None]:
                raise InputError(f"{row['name']}: no image was given")
            try:
                digests = [None if path is None else file_digest(path) for path in paths]
                return read_both(*paths, planck=self.planck), digests
            except InputError as error:
                line = str(error)
                for there, name in shown.items():
                    line = line.replace(there, name)
                raise InputError(line) from None

    def _file(self, row: dict[str, Any], sensor: str, folder: Path) -> tuple[Path | None, str]:
        """An image as a file on this machine's disk, and its name in messages."""
        content = row[f"{sensor}_bytes"]
        if content is not None:
            name, ending = f"{row['name']}.{sensor}", ".img"
        elif row[sensor]:
            place = located(self.base, row[sensor])
            if place.is_local:
                return Path(place.path), place.path
            content, name = read_bytes(place), place.shown
            ending = PurePosixPath(place.path).suffix
        else:
            return None, ""
        path = folder / f"{sensor}{ending}"
        path.write_bytes(content)
        return path, name


def located(base: Place, text: str) -> Place:
    """The place of an image: a path relative to `base`, an absolute path, or a URI."""
    if "://" not in text:
        return base.beside(text) if text.startswith("/") else base.at(text)
    address = urlsplit(text)
    path, machine = unquote(address.path), address.netloc.rpartition("@")[2]
    if base.files.type_name in STORES and base.shown.startswith(f"{address.scheme}://"):
        return base.beside(f"{machine}{path}")
    root = _root(f"{address.scheme}://{address.netloc}/", address.query)
    return root.beside(f"{root.path}{path}")


@cache
def _root(start: str, query: str) -> Place:
    """The root of a file system, opened once for all of its files."""
    return open_place(f"{start}?{query}" if query else start, "manifest")


def packed(pair: RawPair) -> dict[str, Any]:
    """Pack a pair into cells of `SCHEMA`."""
    cells: dict[str, Any] = {}
    for name, image in zip(("rgb", "thermal"), pair, strict=True):
        if image is not None:
            cells[f"{name}_pixels"] = image.tobytes()
            cells[f"{name}_shape"] = list(image.shape)
            cells[f"{name}_type"] = str(image.dtype)
    return cells


def unpacked(block: pa.Table, place: int) -> RawPair:
    """Unpack the pair in a row of a table of `SCHEMA`; its arrays are views of the table."""
    found: list[Any] = []
    for name in ("rgb", "thermal"):
        cell = block[f"{name}_pixels"][place]
        if not cell.is_valid:
            found.append(None)
            continue
        kind, shape = block[f"{name}_type"][place].as_py(), block[f"{name}_shape"][place].as_py()
        found.append(np.frombuffer(cell.as_buffer(), kind).reshape(shape))
    return found[0], found[1]
