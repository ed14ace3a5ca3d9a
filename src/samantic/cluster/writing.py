"""The last stage: writes labels and parts of the summary, on workers that need no model."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from samantic.cluster.forms import labels_in, table_bytes
from samantic.cluster.identity import block_of
from samantic.cluster.order import Order
from samantic.cluster.outputs import output_of
from samantic.cluster.storage import put
from samantic.predict.prediction import class_shares

FAILED = "parts/failed"
"""Folder of the summary's parts for pairs that failed in one run."""

RESULT = pa.schema([("state", pa.string()), ("name", pa.string()), ("error", pa.string())])
"""Schema of the tables that return to the driver. State: done, there (already), or failed."""


def summary_schema(classes: tuple[str, ...]) -> pa.Schema:
    """Schema of the summary: a row for each pair; unknown values of a failed pair are null."""
    return pa.schema(
        [
            ("key", pa.uint64()),
            ("name", pa.string()),
            ("error", pa.string()),
            ("height", pa.int32()),
            ("width", pa.int32()),
            ("confidence", pa.float64()),
            ("seconds", pa.float64()),
            ("rgb_camera", pa.string()),
            ("thermal_camera", pa.string()),
            ("shares", pa.struct([(name, pa.float64()) for name in classes])),
        ]
    )


class Writer:
    """Writes blocks of labelled pairs.

    Args:
        order: The job.
    """

    def __init__(self, order: Order) -> None:
        self.order, self.output = order, output_of(order)
        self.schema = summary_schema(order.classes)

    def __call__(self, block: pa.Table) -> pa.Table:
        block = block.combine_chunks()
        done = block["labels"].is_valid().to_numpy()
        failed = ~(done | block["there"].to_numpy(zero_copy_only=False).astype(bool))
        keys = block["key"].to_numpy()
        if done.any():
            put(self.output.part(keys, keys[done]), self._summary(block, done))
        if failed.any():
            place = self.order.output.at(FAILED, f"{block_of(keys)}.parquet")
            put(place, self._summary(block, failed))
        self.output.write(block)
        states = np.where(done, "done", np.where(failed, "failed", "there"))
        cells = [pa.array(states), block["name"].combine_chunks(), block["error"].combine_chunks()]
        return pa.table(cells, schema=RESULT)

    def _summary(self, block: pa.Table, wanted: np.ndarray) -> bytes:
        """The rows of some pairs of a block, encoded as a file."""
        rows = block.select([n for n in self.schema.names if n != "shares"]).to_pylist()
        for place, row in enumerate(rows):
            if block["labels"][place].is_valid:
                row["shares"] = class_shares(labels_in(block, place), self.order.classes)
        kept = [row for row, want in zip(rows, wanted, strict=True) if want]
        return table_bytes(pa.Table.from_pylist(kept, schema=self.schema))
