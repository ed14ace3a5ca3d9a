"""The stream: reading, decoding, models and writing, for blocks of pairs that stay unchanged.

Ray Data splits and joins tables by their bytes. A block must stay as it is, since the name of its
file depends on its pairs. A block is therefore sent as one row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from samantic.cluster.decoding import Decoder
from samantic.cluster.identity import Keys, holds
from samantic.cluster.inputs import Source, rows_of, tables_of
from samantic.cluster.labelling import Labeller
from samantic.cluster.order import Order
from samantic.cluster.pools import Pool
from samantic.cluster.writing import Writer

TABLES = 1024
"""Largest number of tables of input parts: the driver holds a line for each."""


def stages(ray: Any, order: Order, source: Source, model: Any, finished: Any, pool: Pool) -> Any:
    """The stream from input parts to tables of `writing.RESULT`, each carried in one row."""
    task = ray.data.TaskPoolStrategy(size=pool.tasks)
    most = len(source.parts) if pool.tasks is None else min(pool.tasks, len(source.parts))
    reading = ray.data.TaskPoolStrategy(size=most)
    share = {"batch_size": None, "batch_format": "pyarrow", "zero_copy_batch": True}
    light = share | {"num_cpus": pool.task_cpus}
    lighter = share | {"num_cpus": pool.task_cpus / 2}  # else Ray fuses reading and decoding
    ray.data.DataContext.get_current().target_max_block_size = 1  # bytes: every row by itself
    return (
        ray.data.from_arrow(_shared_out(source.parts))
        .map_batches(Reader(source, finished, order.block), compute=reading, **lighter)
        .map_batches(Stage(Decoder(source.base, order.made)), compute=task, **light)
        .map_batches(
            _Remote,
            fn_constructor_args=(order, [model]),
            compute=ray.data.ActorPoolStrategy(min_size=pool.models[0], max_size=pool.models[1]),
            num_cpus=pool.model_cpus,
            num_gpus=order.gpus or None,
            **share,
        )
        .map_batches(Stage(Writer(order)), compute=task, **light)
    )


def _shared_out(parts: list[str]) -> list[pa.Table]:
    """The parts of an input in tables; one task reads each table."""
    each = -(-len(parts) // TABLES)
    return [pa.table({"part": parts[i : i + each]}) for i in range(0, len(parts), each)]


def carried(block: pa.Table) -> pa.Table:
    """Pack a block into one row, which Ray Data cannot split or join with others."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, block.schema) as writer:
        writer.write_table(block)
    content = sink.getvalue()
    ends = pa.py_buffer(np.array([0, content.size], np.int64))
    cell = pa.Array.from_buffers(pa.large_binary(), 1, [None, ends, content])  # without a copy
    return pa.table({"block": cell})


def opened(row: pa.Table) -> pa.Table:
    """Unpack the block in a row; a view of its memory."""
    (cell,) = row["block"]
    return pa.ipc.open_stream(cell.as_buffer()).read_all()


class Stage:
    """A stage from blocks to blocks, each carried in one row.

    Args:
        work: Function of the stage.
    """

    def __init__(self, work: Callable[[pa.Table], pa.Table]) -> None:
        self.work = work

    def __call__(self, row: pa.Table) -> pa.Table:
        return carried(self.work(opened(row)))


class Reader:
    """Reads the pairs of input parts that are not done yet.

    Args:
        source: The input.
        finished: Reference to the sorted keys of pairs that are done. They lie in shared memory,
            once for all processes of a machine.
        block: Number of rows of a table.
    """

    def __init__(self, source: Source, finished: Any, block: int) -> None:
        self.source, self.finished, self.block = source, [finished], block

    def __call__(self, parts: pa.Table) -> Iterator[pa.Table]:
        import ray

        known: Keys = ray.get(self.finished[0])
        for part in parts["part"].to_pylist():
            for table in tables_of(rows_of(self.source, part), self.block):
                done = holds(known, table["key"].to_numpy())
                if self.source.kind == "shards":  # these pairs were not counted before
                    yield carried(_without_images(table, done))
                elif not done.all():
                    yield carried(table.filter(pa.array(~done)))


def _without_images(table: pa.Table, done: NDArray[np.bool_]) -> pa.Table:
    """The table with its done rows marked in `there`; their images are removed."""
    rows = pa.array(done)
    for name in ("rgb_bytes", "thermal_bytes"):
        place = table.column_names.index(name)
        kept = pc.if_else(rows, pa.scalar(None, pa.large_binary()), table[name].combine_chunks())
        table = table.set_column(place, name, kept)
    return table.set_column(table.column_names.index("there"), "there", rows)


class _Remote(Labeller):
    """A model whose files come from Ray's shared memory."""

    def __init__(self, order: Order, model: list[Any]) -> None:
        import ray

        super().__init__(order, ray.get(model[0]))

    def __call__(self, block: pa.Table) -> pa.Table:
        return carried(super().__call__(opened(block)))
