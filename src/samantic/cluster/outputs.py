"""What labels are written as. Every file is whole or absent, and its name follows from its pairs.

A block of pairs first leaves a part of the summary, and then its labels: whatever is killed, labels
have their row. A part says nothing of whether the labels followed; the list of the labels does.
"""

from __future__ import annotations

import io
import json
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from samantic.cluster.decoding import REQUESTS
from samantic.cluster.identity import Keys, block_of, keys_of
from samantic.cluster.order import Order
from samantic.cluster.storage import Place, files_below, is_there, put_new
from samantic.cluster.tars import tar_of
from samantic.predict.exchange import run_lengths
from samantic.predict.saving import write_label_png
from samantic.predict.selection import UNKNOWN

PARTS = "parts/done"
"""Folder of the parts of the summary."""

RUN_LENGTHS = pa.list_(pa.struct([("label", pa.uint8()), ("counts", pa.string())]))
"""The masks of the classes that an image shows, as COCO's compressed run lengths."""


class Output(ABC):
    """Labels of one form.

    Args:
        order: The job.
    """

    def __init__(self, order: Order) -> None:
        self.order = order

    @abstractmethod
    def there(self, block: pa.Table) -> list[bool]:
        """Which pairs of a block have their labels already, since it is tried once more."""

    @abstractmethod
    def write(self, block: pa.Table) -> None:
        """Write the labels of a block that are not there, each once."""

    @abstractmethod
    def finished(self) -> Keys:
        """The keys of all pairs that have their labels, sorted."""

    def _log(self, place: Place, names: Iterable[str]) -> None:
        """Append a line for each pair to the log of writes."""
        if self.order.write_log:
            lines = "".join(f"{time.time():.3f} {os.getpid()} {name}\n" for name in names)
            number = os.open(self.order.write_log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(number, lines.encode())  # one write: lines of processes do not mix
            finally:
                os.close(number)


class Tree(Output):
    """A PNG of class ids for each pair: labels/NAME.png, the same bytes as `predict` writes."""

    def there(self, block: pa.Table) -> list[bool]:
        places = [self._place(name) for name in block["name"].to_pylist()]
        if self.order.output.is_local:
            return [is_there(place) for place in places]
        with ThreadPoolExecutor(REQUESTS) as pool:
            return list(pool.map(is_there, places))

    def write(self, block: pa.Table) -> None:
        rows = [place for place in range(block.num_rows) if block["labels"][place].is_valid]
        if self.order.output.is_local:
            for place in rows:
                self._write(block, place)
            return
        with ThreadPoolExecutor(REQUESTS) as pool:
            list(pool.map(lambda place: self._write(block, place), rows))

    def finished(self) -> Keys:
        names = (path for path, _ in files_below(self.order.output.at("labels")))
        keys = keys_of(name.removesuffix(".png") for name in names if name.endswith(".png"))
        keys.sort()
        return keys

    def _write(self, block: pa.Table, place: int) -> None:
        name = block["name"][place].as_py()
        target = self._place(name)
        if put_new(target, label_png(block, place, self.order.classes)):
            self._log(target, [name])

    def _place(self, name: str) -> Place:
        return self.order.output.at("labels", f"{name}.png")


class Blocks(Output):
    """One file for each block: labels/BLOCK.tar or labels/BLOCK.parquet."""

    def there(self, block: pa.Table) -> list[bool]:
        if not is_there(self._place(block)):
            return [False] * block.num_rows
        keys = block["key"].to_numpy()
        found: list[bool] = np.isin(keys, self._keys(block_of(keys))).tolist()
        return found

    def write(self, block: pa.Table) -> None:
        rows = [place for place in range(block.num_rows) if block["labels"][place].is_valid]
        if not rows:
            return
        place = self._place(block)
        form = _shard if self.order.form == "shards" else _run_length_table
        if put_new(place, form(block, rows, self.order.classes)):
            self._log(place, (block["name"][row].as_py() for row in rows))

    def finished(self) -> Keys:
        ending = f".{self._ending}"
        names = [path for path, _ in files_below(self.order.output.at("labels"))]
        blocks = [name.removesuffix(ending) for name in names if name.endswith(ending)]
        with ThreadPoolExecutor(REQUESTS) as pool:
            found = list(pool.map(self._keys, blocks))
        keys: Keys = np.unique(np.concatenate(found)) if found else np.zeros(0, np.uint64)
        return keys

    @property
    def _ending(self) -> str:
        return "tar" if self.order.form == "shards" else "parquet"

    def _place(self, block: pa.Table) -> Place:
        return self.order.output.at("labels", f"{block_of(block['key'].to_numpy())}.{self._ending}")

    def _keys(self, block: str) -> Keys:
        """The keys of the pairs of a block that were done."""
        table = read_table(self.order.output.at(PARTS, f"{block}.parquet"), ["key"])
        keys: Keys = table["key"].to_numpy()
        return keys


def output_of(order: Order) -> Output:
    """The output of a job."""
    return Tree(order) if order.form == "png" else Blocks(order)


def labels_in(block: pa.Table, place: int) -> NDArray[np.uint8]:
    """The labels (H, W) in a row of a block; a view of its memory."""
    shape = block["height"][place].as_py(), block["width"][place].as_py()
    return np.frombuffer(block["labels"][place].as_buffer(), np.uint8).reshape(shape)


def label_png(block: pa.Table, place: int, classes: tuple[str, ...]) -> bytes:
    """The label PNG of a row of a block."""
    file = io.BytesIO()
    confidence, mark = block["confidence"][place].as_py(), block["mark"][place].as_py()
    write_label_png(file, labels_in(block, place), classes, confidence, mark)
    return file.getvalue()


def _shard(block: pa.Table, rows: list[int], classes: tuple[str, ...]) -> bytes:
    """A WebDataset shard: KEY.png with the labels and KEY.json, which tells the pair's name."""
    members: list[tuple[str, bytes]] = []
    for place in rows:
        name, confidence = block["name"][place].as_py(), block["confidence"][place].as_py()
        key = name if "." not in name else f"{block['key'][place].as_py():016x}"
        about = json.dumps({"name": name, "confidence": confidence})
        members.append((f"{key}.png", label_png(block, place, classes)))
        members.append((f"{key}.json", about.encode()))
    return tar_of(members)


def _run_length_table(block: pa.Table, rows: list[int], classes: tuple[str, ...]) -> bytes:
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
    """A table as a file of Parquet."""
    file = io.BytesIO()
    parquet.write_table(table, file, compression="zstd")
    return file.getvalue()


def read_table(place: Place, columns: list[str] | None = None) -> pa.Table:
    """A file of Parquet."""
    with place.files.open_input_file(place.path) as file:
        return parquet.ParquetFile(file).read(columns)
