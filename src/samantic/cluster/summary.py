"""summary.parquet, a row for each pair of an output, and summary.json, the sums."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from samantic.cluster.identity import Keys, holds
from samantic.cluster.order import Order
from samantic.cluster.outputs import PARTS, output_of, read_table
from samantic.cluster.storage import files_below, put, stream_to
from samantic.cluster.writing import FAILED, summary_schema

GROUP = 50_000
"""Rows that are held until they are written."""

READ_AHEAD = 32
"""Parts that are read at a time."""


class Totals(NamedTuple):
    """How a job ended.

    Attributes:
        pairs: Of the input.
        done: That were labelled now.
        skipped: That had their labels.
        failed: That have none.
        held: Pairs of the input whose labels were found in the output at the end; None if not
            counted.
        first: Why the first few failed.
    """

    pairs: int
    done: int
    skipped: int
    failed: int
    held: int | None
    first: tuple[str, ...]

    @property
    def problem(self) -> str | None:
        """What is wrong with the sums; None if every pair is either labelled or failed."""
        if self.pairs != self.done + self.skipped + self.failed:
            return (
                f"{self.pairs} pairs came in, but {self.done} are done, {self.skipped} were done "
                f"before and {self.failed} failed; rerun the command"
            )
        if self.held is not None and self.held != self.done + self.skipped:
            return (
                f"{self.done + self.skipped} pairs are done, but the output holds the labels of "
                f"{self.held}; rerun the command"
            )
        return None


def write_summary(order: Order, totals: Totals) -> None:
    """Write summary.parquet and summary.json of an output.

    Rows of labels that an older run has made are among them. Memory does not grow with their number
    but for 9 bytes each.
    """
    finished = output_of(order).finished()
    sums = _Sums(order.classes)
    schema = summary_schema(order.classes)
    with (
        stream_to(order.output.at("summary.parquet")) as sink,
        parquet.ParquetWriter(sink, schema, compression="zstd") as writer,
    ):
        for rows in _grouped(_rows(order, finished)):
            sums.add(rows)
            writer.write_table(rows)
    values = {
        **{
            name: value for name, value in totals._asdict().items() if name not in ("first", "held")
        },
        "complete": totals.problem is None and not totals.failed,
        "output": sums.values() | {"labels": len(finished)},
        **order.made,
        "form": order.form,
    }
    text = json.dumps(values, indent=2, allow_nan=False)
    put(order.output.at("summary.json"), f"{text}\n".encode())


class _Sums:
    """Sums over the rows of a summary."""

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes
        self.rows = self.failed = 0
        self.pixels = self.seconds = self.confidence = 0.0
        self.shares = np.zeros(len(classes))

    def add(self, rows: pa.Table) -> None:
        """Count some rows."""
        done = rows.filter(pc.is_null(rows["error"])).combine_chunks()
        self.failed += rows.num_rows - done.num_rows
        self.rows += done.num_rows
        if not done.num_rows:
            return
        pixels = done["height"].to_numpy().astype(float) * done["width"].to_numpy()
        shares = np.stack([pc.struct_field(done["shares"], [i]) for i in range(len(self.classes))])
        self.pixels += pixels.sum()
        self.shares += shares @ pixels
        self.confidence += float(pc.sum(done["confidence"]).as_py())
        self.seconds += float(pc.sum(done["seconds"]).as_py())

    def values(self) -> dict[str, Any]:
        """The sums of a whole output, as JSON has them."""
        shares = self.shares / max(1.0, self.pixels)
        return {
            "done": self.rows,
            "failed": self.failed,
            "confidence": self.confidence / max(1, self.rows),
            "seconds": self.seconds,
            "shares": dict(zip(self.classes, shares.tolist(), strict=True)),
        }


def _rows(order: Order, finished: Keys) -> Iterator[pa.Table]:
    """A row for each pair that has its labels, and for each that failed, once."""
    seen = np.zeros(len(finished), np.bool_)
    for table in _parts(order, PARTS):
        keys = table["key"].to_numpy()
        wanted = holds(finished, keys)
        places = np.searchsorted(finished, keys[wanted])
        wanted[wanted] = ~seen[places]
        seen[places] = True
        yield table.filter(pa.array(wanted))
    for table in _parts(order, FAILED):
        yield table.filter(pa.array(~holds(finished, table["key"].to_numpy())))


def _parts(order: Order, folder: str) -> Iterator[pa.Table]:
    """The parts of a folder, some of them read ahead."""
    places = [order.output.at(folder, path) for path, _ in files_below(order.output.at(folder))]
    with ThreadPoolExecutor(READ_AHEAD) as pool:
        for first in range(0, len(places), READ_AHEAD):
            yield from pool.map(read_table, places[first : first + READ_AHEAD])


def _grouped(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The rows of tables in groups, each a row group of a file."""
    kept: list[pa.Table] = []
    for table in tables:
        kept.append(table)
        if sum(part.num_rows for part in kept) >= GROUP:
            yield pa.concat_tables(kept)
            kept = []
    if kept:
        yield pa.concat_tables(kept)
