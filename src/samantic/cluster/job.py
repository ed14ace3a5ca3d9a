"""The whole job: read, decode, predict and write as one stream, and the sums at its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from samantic.cluster.decoding import Decoder
from samantic.cluster.identity import Keys, holds
from samantic.cluster.inputs import Source, rows_of, tables_of
from samantic.cluster.labelling import Files, Labeller
from samantic.cluster.order import Order
from samantic.cluster.planning import (
    TASK_CPUS,
    Plan,
    beside_driver,
    count_held,
    finished_keys,
    make_plan,
    progress_total,
)
from samantic.cluster.session import check_workers, resources
from samantic.cluster.settings import check_settings, clear_failures
from samantic.cluster.summary import Totals, write_summary
from samantic.cluster.writing import Writer
from samantic.errors import InputError, StoppedError
from samantic.progress import open_progress

ACTOR_SHARE = 0.75
"""Of its CPUs that a model claims on machines without GPUs; the rest decodes and writes."""


class Pool(NamedTuple):
    """Who works.

    Attributes:
        models: Models, at least and at most.
        model_cpus: CPUs that each claims.
        tasks: Tasks of a stage that decodes or writes, at most at a time; None as there is room.
        task_cpus: CPUs that each claims.
    """

    models: tuple[int, int]
    model_cpus: float
    tasks: int | None
    task_cpus: float


def pool_of(
    order: Order, cpus: float, gpus: float, grows: bool = False, blocks: int | None = None
) -> Pool:
    """Who works on machines with so many CPUs and GPUs.

    Args:
        order: The job.
        cpus: Of all machines that are there now.
        gpus: Of all machines that are there now.
        grows: Whether more machines may come.
        blocks: Of pairs that are to be labelled; None if that is not known.

    Raises:
        InputError: There is no room for one model.
    """
    room = int(gpus / order.gpus if order.gpus else cpus / order.cpus)
    if room < 1 and not (grows and order.concurrency):
        what = f"{order.gpus:g} GPUs" if order.gpus else f"{order.cpus} CPUs"
        fewer = "--gpus-per-actor" if order.gpus else "--cpus-per-actor"
        more = "; if machines are yet to come, give --concurrency A:B" if grows else ""
        raise InputError(
            f"one model takes {what}, and there are {cpus:g} CPUs and {gpus:g} GPUs; give less "
            f"with {fewer}{more}"
        )
    needed = room if blocks is None else max(1, min(room, blocks))
    low, high = order.concurrency or (1 if grows else needed, needed)  # all of a machine at once
    models = max(1, min(low, room)), high if grows else max(1, min(high, room))
    if order.gpus:
        return Pool(models, 1.0, None, 1.0)
    share = order.cpus * ACTOR_SHARE
    return Pool(models, share, None if grows else max(1, int(cpus / 2)), TASK_CPUS)


def run_job(
    ray: Any, order: Order, source: Source, model: tuple[str, Files], grows: bool = False
) -> Totals:
    """Label all pairs of an input that have no labels yet.

    Args:
        ray: The library, connected.
        order: The job.
        source: The input.
        model: From `labelling.pack_model`.
        grows: Whether more machines may come while it runs.

    Raises:
        InputError: The output holds what another model has made, or the input cannot be read.
        StoppedError: Workers fail for another reason than a pair, such as a full disk.
    """
    check_workers(ray)
    check_settings(order)
    cpus, gpus = resources(ray)
    pool_of(order, cpus, gpus, grows)  # refuses before anything is read
    clear_failures(order)
    try:
        here = beside_driver(ray)
        finished = here(finished_keys).remote(order)
        plan = make_plan(ray, source, finished)
        blocks = -(-(plan.total - plan.already) // order.block)
        pool = pool_of(order, cpus, gpus, grows, blocks if plan.exact else None)
        states, first = _stream(ray, order, source, ray.put(model), finished, pool, plan)
        finished = here(finished_keys).remote(order)  # anew
        held = None if plan.keys is None else ray.get(here(count_held).remote(plan.keys, finished))
        counts = Totals(
            pairs=plan.total if plan.exact else sum(states.values()),
            done=states["done"],
            skipped=plan.already + states["there"],
            failed=states["failed"],
            held=held,
            first=tuple(first),
        )
        ray.get(here(write_summary).remote(order, counts, finished))
    except ray.exceptions.RayError as error:
        raise _one_line(error) from error
    return counts


def _stream(
    ray: Any,
    order: Order,
    source: Source,
    model: Any,
    finished: Any,
    pool: Pool,
    plan: Plan,
) -> tuple[dict[str, int], list[str]]:
    """Run the stages; the number of pairs by state, and why the first few failed."""
    states = {"done": 0, "there": 0, "failed": 0}
    first: list[str] = []
    if plan.exact and plan.total == plan.already:
        return states, first
    results = stages(ray, order, source, model, finished, pool)
    total, before = progress_total(plan), plan.already
    with open_progress("label", "pair", total=total, initial=before) as bar:
        for table in results.iter_batches(batch_size=None, batch_format="pyarrow"):
            for state, error in zip(
                table["state"].to_pylist(), table["error"].to_pylist(), strict=True
            ):
                states[state] += 1
                if state == "failed" and len(first) < 10:
                    first.append(error)
            bar.set_postfix(failed=states["failed"], refresh=False)
            bar.update(table.num_rows)
    return states, first


def stages(ray: Any, order: Order, source: Source, model: Any, finished: Any, pool: Pool) -> Any:
    """The stream from the parts of an input to tables of `writing.RESULT`."""
    task = ray.data.TaskPoolStrategy(size=pool.tasks)
    most = len(source.parts) if pool.tasks is None else min(pool.tasks, len(source.parts))
    reading = ray.data.TaskPoolStrategy(size=most)
    share = {"batch_size": None, "batch_format": "pyarrow", "zero_copy_batch": True}
    light = share | {"num_cpus": pool.task_cpus}
    parts = ray.data.from_arrow(pa.table({"part": source.parts}))
    return (
        parts.repartition(target_num_rows_per_block=1)
        .map_batches(Reader(source, finished, order.block), compute=reading, **light)
        .repartition(target_num_rows_per_block=order.block)
        .map_batches(Decoder(source.base, order.made), compute=task, **light)
        .map_batches(
            _Remote,
            fn_constructor_args=(order, [model]),
            compute=ray.data.ActorPoolStrategy(min_size=pool.models[0], max_size=pool.models[1]),
            num_cpus=pool.model_cpus,
            num_gpus=order.gpus or None,
            **share,
        )
        .map_batches(Writer(order), compute=task, **light)
    )


class Reader:
    """The pairs of parts of an input that are not done yet.

    Args:
        source: The input.
        finished: Reference to the sorted keys of pairs that are done: shared memory, once for all
            processes of a machine.
        block: Rows of a table.
    """

    def __init__(self, source: Source, finished: Any, block: int) -> None:
        self.source, self.finished, self.block = source, [finished], block

    def __call__(self, parts: pa.Table) -> Iterator[pa.Table]:
        import ray

        known: Keys = ray.get(self.finished[0])
        for part in parts["part"].to_pylist():
            for table in tables_of(rows_of(self.source, part), self.block):
                done = holds(known, table["key"].to_numpy())
                if self.source.kind != "shards":
                    yield table.filter(pa.array(~done))
                else:  # nobody has counted these before
                    yield _without_images(table, done)


def _without_images(table: pa.Table, done: NDArray[np.bool_]) -> pa.Table:
    """A table of rows that are marked as done where they are, and then hold no images."""
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


def _one_line(error: Exception) -> InputError | StoppedError:
    """What has ended the workers, in one line."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, InputError):
            return InputError(str(cause))
        if isinstance(cause, OSError):
            return StoppedError(f"a worker: {cause}; rerun the command to go on")
        cause = getattr(cause, "cause", None) or cause.__cause__
    line = str(error).strip().splitlines()[-1]
    return StoppedError(f"the workers have failed: {line}; rerun the command to go on")
