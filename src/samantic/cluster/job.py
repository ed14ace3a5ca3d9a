"""The whole job: read, decode, predict and write as one stream, and the totals at its end."""

from __future__ import annotations

from typing import Any

from samantic.cluster.inputs import Source
from samantic.cluster.labelling import Files
from samantic.cluster.order import Order
from samantic.cluster.planning import (
    Plan,
    beside_driver,
    count_held,
    finished_keys,
    make_plan,
    progress_total,
)
from samantic.cluster.pools import Pool, pool_of
from samantic.cluster.session import check_workers, resources
from samantic.cluster.settings import begin_output, check_settings
from samantic.cluster.stages import opened, stages
from samantic.cluster.summary import Totals, write_summary
from samantic.errors import InputError, StoppedError
from samantic.progress import open_progress

ADVICE = ("Failed to apply UDF", "To change retry attempts")
"""Beginnings of lines that Ray Data appends to an error message."""


def run_job(
    ray: Any, order: Order, source: Source, model: tuple[str, Files], grows: bool = False
) -> Totals:
    """Label all pairs of an input that have no labels yet.

    Args:
        ray: The library, connected.
        order: The job.
        source: The input.
        model: Result of `labelling.pack_model`.
        grows: Whether more machines may join while it runs.

    Raises:
        InputError: The output holds another model's labels, or the input cannot be read.
        StoppedError: Workers fail for a reason other than a pair, such as a full disk.
    """
    check_workers(ray)
    check_settings(order)
    cpus, gpus = resources(ray)
    pool_of(order, cpus, gpus, grows)  # raises its error before anything is read
    try:
        here = beside_driver(ray)
        finished = here(finished_keys).remote(order)
        plan = make_plan(ray, source, finished)
        blocks = -(-(plan.total - plan.already) // order.block)
        pool = pool_of(order, cpus, gpus, grows, blocks if plan.exact else None)
        begin_output(order)  # all checks have passed
        states, first = _stream(ray, order, source, ray.put(model), finished, pool, plan)
        finished = here(finished_keys).remote(order)  # again, now with the new labels
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
    """Run the stages; return the number of pairs by state, and the first few errors."""
    states = {"done": 0, "there": 0, "failed": 0}
    first: list[str] = []
    if plan.exact and plan.total == plan.already:
        return states, first
    results = stages(ray, order, source, model, finished, pool)
    total, before = progress_total(plan), plan.already
    with open_progress("label", "pair", total=total, initial=before) as bar:
        for carried in results.iter_batches(batch_size=None, batch_format="pyarrow"):
            table = opened(carried)
            for state, error in zip(
                table["state"].to_pylist(), table["error"].to_pylist(), strict=True
            ):
                states[state] += 1
                if state == "failed" and len(first) < 10:
                    first.append(error)
            bar.set_postfix(failed=states["failed"], refresh=False)
            bar.update(table.num_rows)
    return states, first


def _one_line(error: Exception) -> InputError | StoppedError:
    """The error that ended the workers, in one line."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, InputError):
            return InputError(str(cause))
        if isinstance(cause, OSError):
            return StoppedError(f"a worker: {cause}; rerun the command to go on")
        cause = getattr(cause, "cause", None) or cause.__cause__
    told = [line for line in str(error).strip().splitlines() if not line.startswith(ADVICE)]
    line = told[-1] if told else type(error).__name__
    return StoppedError(f"the workers have failed: {line}; rerun the command to go on")
