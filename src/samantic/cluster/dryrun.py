"""Time a few pairs stage by stage in this process, and extrapolate to the whole job."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import pyarrow as pa

from samantic.cluster.capacity import Load, Node, capacity, saturation, table
from samantic.cluster.decoding import Decoder, located
from samantic.cluster.forms import label_png
from samantic.cluster.inputs import Source, rows_of, tables_of
from samantic.cluster.labelling import Files, Labeller
from samantic.cluster.order import Order
from samantic.cluster.planning import shard_density
from samantic.cluster.storage import open_place
from samantic.errors import InputError
from samantic.runtime.load import is_exported
from samantic.strings import aligned

SAMPLE = 16
"""Number of pairs that are timed."""

COUNTS = (1, 10, 100, 1000)
"""Numbers of machines in the table."""


def dry_run(
    order: Order,
    source: Source,
    model: tuple[str, Files],
    nodes: int,
    price: float,
    pairs: int | None,
) -> str:
    """Lines on the duration, the cost and the bottleneck of a job.

    Args:
        order: The job.
        source: The input.
        model: Result of `labelling.pack_model`.
        nodes: Number of machines like this one.
        price: Price of a machine for an hour.
        pairs: Number of pairs of the whole job; None counts those of the input.

    Raises:
        InputError: No pair of the sample could be labelled.
    """
    with tempfile.TemporaryDirectory() as folder:  # a new output: pairs with labels are timed too
        load, count = measure(replace(order, output=open_place(folder, "")), source, model)
    total = pairs or _count(source)
    cores = len(os.sched_getaffinity(0))
    both, node = _shared(load, order, cores, price)
    found = capacity(both, node, nodes)
    lines = [
        f"{count} pairs timed: {load.device_seconds:.4f} s in the model ({order.cpus} threads), "
        f"{load.cpu_seconds:.4f} s to read, decode and encode, {load.bytes_in / 1e3:,.0f} kB in, "
        f"{load.bytes_out / 1e3:,.1f} kB out",
        f"{total:,} pairs on {nodes} nodes of {cores} CPUs: {found.rate:,.1f} pairs/s, "
        f"{found.hours(total):,.2f} hours, {found.cost(1e6):,.2f} per million at {price:g} an hour",
        f"bottleneck: {found.bottleneck}",
        *aligned(table(both, node, total, COUNTS)),
        *(
            f"{name} give out from {most:,.0f} nodes on"
            for name, most in saturation(both, node).items()
        ),
    ]
    return "\n".join(lines)


def gpus_here(model: str) -> float:
    """Default number of GPUs for a model on this machine."""
    if is_exported(model):
        return 0.0
    import torch

    return float(torch.cuda.is_available())


def _shared(load: Load, order: Order, cores: int, price: float) -> tuple[Load, Node]:
    """The load on a machine like this one; without GPUs, models and decoding share its CPUs."""
    if order.gpus:
        import torch

        models = max(1, int(torch.cuda.device_count() / order.gpus))
        return load, Node(models, max(1, cores - models), price=price)
    shared = load.device_seconds * order.cpus + load.cpu_seconds
    node = Node(max(1, cores // order.cpus), cores * load.cpu_seconds / shared, price=price)
    return replace(load, device_seconds=shared / order.cpus), node


def measure(order: Order, source: Source, model: tuple[str, Files]) -> tuple[Load, int]:
    """Measure the load of a pair; return it and the number of pairs that were measured.

    Raises:
        InputError: No pair could be labelled.
    """
    blocks = _sample(source)
    decoder, labeller = Decoder(source.base, order.made), Labeller(order, model)
    warm = next(blocks, None)
    if warm is None:
        raise InputError("--input: holds no pairs")
    labeller(decoder(warm))  # the first batch is slower, so it is not timed
    cpu = device = sent = received = 0.0
    count = 0
    for block in (warm, *blocks):
        start = time.perf_counter()
        decoded = decoder(block)
        cpu += time.perf_counter() - start
        start = time.perf_counter()
        labelled = labeller(decoded)
        device += time.perf_counter() - start
        start = time.perf_counter()
        rows = [place for place in range(block.num_rows) if labelled["labels"][place].is_valid]
        sent += sum(len(label_png(labelled, place, order.classes)) for place in rows)
        cpu += time.perf_counter() - start
        received += sum(_size(source, row) for row in block.to_pylist())
        count += len(rows)
    if not count:
        raise InputError(f"--input: no pair of {SAMPLE} could be labelled: {labelled['error'][0]}")
    return Load(device / count, cpu / count, received / count, sent / count), count


def _sample(source: Source) -> Iterator[pa.Table]:
    """The first pairs of the input, one in each table."""
    tables = (table for part in source.parts for table in tables_of(rows_of(source, part), 1))
    return islice(tables, SAMPLE)


def _size(source: Source, row: dict[str, object]) -> int:
    """Bytes of the images of a row."""
    found = 0
    for sensor in ("rgb", "thermal"):
        content, path = row[f"{sensor}_bytes"], row[sensor]
        if isinstance(content, bytes):
            found += len(content)
        elif isinstance(path, str):
            place = located(source.base, path)
            found += place.files.get_file_info(place.path).size or 0
    return found


def _count(source: Source) -> int:
    """Number of pairs of an input; an estimate for shards."""
    if source.kind == "shards":
        pairs, size = shard_density(source)
        return round(pairs * sum(source.sizes) / max(1, size))
    return sum(1 for part in source.parts for _ in rows_of(source, part))
