"""Convert a pair's labels to bytes and back: PNG, WebDataset shards, Parquet with run lengths."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image
from pyarrow import ArrowException, parquet

from samantic.cluster.storage import Place, read_bytes
from samantic.cluster.tars import tar_of
from samantic.errors import InputError
from samantic.predict.exchange import run_lengths
from samantic.predict.saving import CONFIDENCE, write_label_png
from samantic.predict.selection import UNKNOWN

RUN_LENGTHS = pa.list_(pa.struct([("label", pa.uint8()), ("counts", pa.string())]))
"""Type of the masks of an image's classes, as COCO's compressed run lengths."""


class Labelled(NamedTuple):
    """The content of a label file for one pair.

    Attributes:
        name: Name of the pair.
        labels: (H, W).
        confidence: Mean over the pixels.
    """

    name: str
    labels: NDArray[np.uint8]
    confidence: float


def labels_in(block: pa.Table, place: int) -> NDArray[np.uint8]:
    """The labels (H, W) in a row of a block; a view of its memory."""
    shape = block["height"][place].as_py(), block["width"][place].as_py()
    return np.frombuffer(block["labels"][place].as_buffer(), np.uint8).reshape(shape)


def label_png(block: pa.Table, place: int, classes: tuple[str, ...]) -> bytes:
    """Encode the labels in a row of a block as PNG."""
    file = io.BytesIO()
    confidence, mark = block["confidence"][place].as_py(), block["mark"][place].as_py()
    write_label_png(file, labels_in(block, place), classes, confidence, mark)
    return file.getvalue()


def shard_of(block: pa.Table, rows: list[int], classes: tuple[str, ...]) -> bytes:
    """A WebDataset shard: KEY.png with the labels, and KEY.json with the pair's name."""
    members: list[tuple[str, bytes]] = []
    for place in rows:
        name, confidence = block["name"][place].as_py(), block["confidence"][place].as_py()
        key = name if "." not in name else f"{block['key'][place].as_py():016x}"
        about = json.dumps({"name": name, "confidence": confidence})
        members.append((f"{key}.png", label_png(block, place, classes)))
        members.append((f"{key}.json", about.encode()))
    return tar_of(members)


def run_length_table(block: pa.Table, rows: list[int], classes: tuple[str, ...]) -> bytes:
    """Parquet with a row for each pair: name, height, width, and the masks of its classes."""
    found = block.select(["key", "name", "height", "width", "confidence"]).take(rows)
    masks = [_run_lengths(labels_in(block, place)) for place in rows]
    return table_bytes(found.append_column("masks", pa.array(masks, RUN_LENGTHS)))


def _run_lengths(labels: NDArray[np.uint8]) -> list[dict[str, Any]]:
    return [
        {"label": int(label), "counts": run_lengths(labels == label)["counts"]}
        for label in np.unique(labels)
        if label != UNKNOWN
    ]


def labels_of(row: dict[str, Any]) -> NDArray[np.uint8]:
    """The labels (H, W) of a row of Parquet; 255 where no class has a mask.

    Example:
        >>> labels_of(pyarrow.parquet.read_table("labels/5f...c1.parquet").to_pylist()[0]).shape
        (480, 640)
    """
    from pycocotools import mask as tool

    size = [row["height"], row["width"]]
    labels = np.full(size, UNKNOWN, np.uint8)
    for mask in row["masks"]:
        run = {"size": size, "counts": mask["counts"].encode()}
        labels[tool.decode(run).astype(bool)] = mask["label"]
    return labels


def table_bytes(table: pa.Table) -> bytes:
    """Encode a table as a Parquet file."""
    file = io.BytesIO()
    parquet.write_table(table, file, compression="zstd")
    return file.getvalue()


def png_labels(place: Place, name: str) -> Iterator[Labelled]:
    """The pair in a label PNG.

    Raises:
        InputError: The file is damaged.
    """
    yield _from_png(place, read_bytes(place), name)


def shard_labels(place: Place) -> Iterator[Labelled]:
    """The pairs in a shard that `shard_of` made.

    Raises:
        InputError: The shard is damaged.
    """
    picture = b""
    try:
        with tarfile.open(fileobj=io.BytesIO(read_bytes(place))) as archive:
            for member in archive:
                file = archive.extractfile(member)
                content = file.read() if file is not None else b""
                if member.name.endswith(".png"):
                    picture = content
                else:
                    yield _from_png(place, picture, json.loads(content)["name"])
    except (tarfile.TarError, KeyError, ValueError) as error:
        raise _damaged(place, error) from None


def run_length_labels(place: Place) -> Iterator[Labelled]:
    """The pairs in a table that `run_length_table` made.

    Raises:
        InputError: The table is damaged.
    """
    try:
        for row in read_table(place).to_pylist():
            yield Labelled(row["name"], labels_of(row), row["confidence"])
    except (ArrowException, KeyError, ValueError) as error:
        raise _damaged(place, error) from None


def _from_png(place: Place, content: bytes, name: str) -> Labelled:
    try:
        with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
            labels = np.asarray(image, np.uint8)
            return Labelled(name, labels, float(image.info[CONFIDENCE]))
    except (OSError, KeyError, ValueError, SyntaxError) as error:
        raise _damaged(place, error) from None


def _damaged(place: Place, error: Exception) -> InputError:
    why = (str(error).splitlines() or [""])[0] or type(error).__name__
    return InputError(f"{place.shown}: damaged ({why}); remove it and repeat the command")


def read_table(place: Place, columns: list[str] | None = None) -> pa.Table:
    """Read a Parquet file."""
    with place.files.open_input_file(place.path) as file:
        return parquet.ParquetFile(file).read(columns)


def read_part(place: Place, columns: list[str] | None = None) -> pa.Table | None:
    """Read a part of the summary; None if it is missing or damaged."""
    try:
        return read_table(place, columns)
    except (FileNotFoundError, ArrowException):
        return None
