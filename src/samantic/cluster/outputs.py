"""The files of the labels. Every file is complete or absent, and its name depends on its pairs.

For each block, a part of the summary is written first, and then the labels. If a process is killed
in between, labels therefore always have their row. A part does not prove that the labels exist;
only the list of label files does. A part that was removed or damaged later is rebuilt from the
labels.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa

from samantic.cluster.decoding import REQUESTS
from samantic.cluster.forms import (
    Labelled,
    label_png,
    png_labels,
    read_part,
    run_length_labels,
    run_length_table,
    shard_labels,
    shard_of,
)
from samantic.cluster.identity import Keys, block_of, keys_of
from samantic.cluster.order import Order
from samantic.cluster.storage import Place, files_below, is_there, put_new

PARTS = "parts/done"
"""Folder of the parts of the summary."""


class Output(ABC):
    """The labels of a job in one form.

    Args:
        order: The job.
    """

    def __init__(self, order: Order) -> None:
        self.order = order

    @abstractmethod
    def there(self, block: pa.Table) -> list[bool]:
        """Which pairs of a block have labels already, since a block may be tried again."""

    @abstractmethod
    def write(self, block: pa.Table) -> None:
        """Write the labels of a block that are missing, each once."""

    @abstractmethod
    def finished(self) -> Keys:
        """The sorted keys of all pairs that have labels."""

    @abstractmethod
    def part(self, keys: Keys, done: Keys) -> Place:
        """The place of the summary's part for those pairs of a block that are done.

        Args:
            keys: Keys of the whole block.
            done: Keys of the pairs that are done.
        """

    @abstractmethod
    def keys_in(self, path: str) -> Keys:
        """Keys of the pairs in a file below labels/; empty if another program wrote the file."""

    @abstractmethod
    def read(self, path: str) -> Iterator[Labelled]:
        """The pairs in a file below labels/.

        Raises:
            InputError: The file is damaged.
        """

    def _log(self, place: Place, names: Iterable[str]) -> None:
        """Append a line for each pair to the log of writes."""
        if self.order.write_log:
            lines = "".join(f"{time.time():.3f} {os.getpid()} {name}\n" for name in names)
            number = os.open(self.order.write_log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(number, lines.encode())  # one call: lines of processes do not mix
            finally:
                os.close(number)


class Tree(Output):
    """A PNG of class ids for each pair: labels/NAME.png, with the bytes that `predict` writes."""

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

    def part(self, keys: Keys, done: Keys) -> Place:
        # another try has other pairs done, and so another part
        return self.order.output.at(PARTS, f"{block_of(done)}.parquet")

    def keys_in(self, path: str) -> Keys:
        return keys_of([path.removesuffix(".png")] if path.endswith(".png") else [])

    def read(self, path: str) -> Iterator[Labelled]:
        return png_labels(self.order.output.at("labels", path), path.removesuffix(".png"))

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
        path = self._place(block).path.rpartition("/")[2]
        found: list[bool] = np.isin(keys, self.keys_in(path)).tolist()
        return found

    def write(self, block: pa.Table) -> None:
        rows = [place for place in range(block.num_rows) if block["labels"][place].is_valid]
        if not rows:
            return
        place = self._place(block)
        form = shard_of if self._ending == "tar" else run_length_table
        if put_new(place, form(block, rows, self.order.classes)):
            self._log(place, (block["name"][row].as_py() for row in rows))

    def finished(self) -> Keys:
        names = [path for path, _ in files_below(self.order.output.at("labels"))]
        with ThreadPoolExecutor(REQUESTS) as pool:
            found = list(pool.map(self.keys_in, names))
        keys: Keys = np.unique(np.concatenate(found)) if found else np.zeros(0, np.uint64)
        return keys

    def part(self, keys: Keys, done: Keys) -> Place:
        return self._part(block_of(keys))

    def keys_in(self, path: str) -> Keys:
        block, _, ending = path.rpartition(".")
        if ending != self._ending:
            return np.zeros(0, np.uint64)
        table = read_part(self._part(block), ["key"])
        if table is None:
            return np.sort(keys_of(found.name for found in self.read(path)))
        keys: Keys = table["key"].to_numpy()
        return keys

    def read(self, path: str) -> Iterator[Labelled]:
        place = self.order.output.at("labels", path)
        return shard_labels(place) if self._ending == "tar" else run_length_labels(place)

    @property
    def _ending(self) -> str:
        return "tar" if self.order.form == "shards" else "parquet"

    def _place(self, block: pa.Table) -> Place:
        return self.order.output.at("labels", f"{block_of(block['key'].to_numpy())}.{self._ending}")

    def _part(self, block: str) -> Place:
        return self.order.output.at(PARTS, f"{block}.parquet")


def output_of(order: Order) -> Output:
    """The output of a job."""
    return Tree(order) if order.form == "png" else Blocks(order)
