"""summary.parquet, a row for each pair of an output, and summary.json, the totals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import parquet

from samantic.cluster.forms import read_part
from samantic.cluster.identity import Keys, holds, key_of
from samantic.cluster.order import Order
from samantic.cluster.outputs import PARTS, Output, output_of
from samantic.cluster.storage import files_below, put, stream_to
from samantic.cluster.writing import FAILED, summary_schema
from samantic.predict.prediction import class_shares

GROUP = 50_000
"""Number of rows that are collected before they are written."""

READ_AHEAD = 32
"""Number of parts that are read at a time."""


class Totals(NamedTuple):
    """The totals of a job.

    Attributes:
        pairs: Number of pairs of the input.
        done: Number of pairs that this job labelled.
        skipped: Number of pairs that had labels already.
        failed: Number of pairs without labels.
        held: Number of pairs of the input whose labels are in the output at the end; None if they
            were not counted.
        first: The first few errors.
    """

    pairs: int
    done: int
    skipped: int
    failed: int
    held: int | None
    first: tuple[str, ...]

    @property
    def problem(self) -> str | None:
        """What is wrong with the totals; None if every pair is either labelled or failed."""
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


def write_summary(order: Order, totals: Totals, finished: Keys) -> None:
    """Write summary.parquet and summary.json of an output.

    Labels of earlier runs have rows too. A row whose part is missing is rebuilt from its labels,
    without seconds and cameras. Memory grows by 9 bytes for each pair.

    Args:
        order: The job.
        totals: The totals of the job.
        finished: The sorted keys of all pairs that have labels.

    Raises:
        InputError: Labels without a row are damaged too.
    """
    output = output_of(order)
    sums = _Sums(order.classes)
    schema = summary_schema(order.classes)
    with (
        stream_to(order.output.at("summary.parquet")) as sink,
        parquet.ParquetWriter(sink, schema, compression="zstd") as writer,
    ):
        for rows in _grouped(_rows(output, finished)):
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
        self.rows = self.failed = self.rebuilt = 0
        self.pixels = self.seconds = self.confidence = 0.0
        self.shares = np.zeros(len(classes))

    def add(self, rows: pa.Table) -> None:
        """Add rows to the sums."""
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
        self.seconds += float(pc.sum(done["seconds"]).as_py() or 0.0)
        self.rebuilt += done["seconds"].null_count

    def values(self) -> dict[str, Any]:
        """The sums of a whole output; values fit JSON."""
        shares = self.shares / max(1.0, self.pixels)
        return {
            "done": self.rows,
            "failed": self.failed,
            "rebuilt": self.rebuilt,
            "confidence": self.confidence / max(1, self.rows),
            "seconds": self.seconds,
            "shares": dict(zip(self.classes, shares.tolist(), strict=True)),
        }


def _rows(output: Output, finished: Keys) -> Iterator[pa.Table]:
    """One row for each pair that has labels, and one for each that failed."""
    seen = np.zeros(len(finished), np.bool_)
    for table in _parts(output, PARTS):
        yield _first_time(table, finished, seen)
    if not seen.all():
        yield from _rebuilt(output, finished[~seen])
    parts = [table["key"].to_numpy() for table in _parts(output, FAILED)]
    failed: Keys = np.unique(np.concatenate(parts)) if parts else np.zeros(0, np.uint64)
    failed = failed[~holds(finished, failed)]
    seen = np.zeros(len(failed), np.bool_)
    for table in _parts(output, FAILED):
        yield _first_time(table, failed, seen)


def _first_time(table: pa.Table, known: Keys, seen: NDArray[np.bool_]) -> pa.Table:
    """The rows of known pairs that were not seen yet; `seen` is updated."""
    keys = table["key"].to_numpy()
    wanted = holds(known, keys)
    places = np.searchsorted(known, keys[wanted])
    wanted[wanted] = ~seen[places]
    seen[places] = True
    return table.filter(pa.array(wanted))


def _rebuilt(output: Output, lost: Keys) -> Iterator[pa.Table]:
    """Rows for labels without a row, made from the labels; seconds and cameras are null."""
    classes = output.order.classes
    for path, _ in files_below(output.order.output.at("labels")):
        if not holds(lost, output.keys_in(path)).any():
            continue
        rows = [
            {
                "key": key_of(found.name),
                "name": found.name,
                "height": found.labels.shape[0],
                "width": found.labels.shape[1],
                "confidence": found.confidence,
                "shares": class_shares(found.labels, classes),
            }
            for found in output.read(path)
        ]
        table = pa.Table.from_pylist(rows, schema=summary_schema(classes))
        yield table.filter(pa.array(holds(lost, table["key"].to_numpy())))


def _parts(output: Output, folder: str) -> Iterator[pa.Table]:
    """The readable parts in a folder; some of them are read ahead."""
    place = output.order.output.at(folder)
    paths = (place.at(path) for path, _ in files_below(place))
    with ThreadPoolExecutor(READ_AHEAD) as pool:
        while some := list(islice(paths, READ_AHEAD)):
            yield from (table for table in pool.map(read_part, some) if table is not None)


def _grouped(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The rows of tables in groups; each becomes a row group of the file."""
    kept: list[pa.Table] = []
    for table in tables:
        kept.append(table)
        if sum(part.num_rows for part in kept) >= GROUP:
            yield pa.concat_tables(kept)
            kept = []
    if kept:
        yield pa.concat_tables(kept)
