"""The number of pairs to label, counted by workers so that the driver holds no names."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import numpy as np

from samantic.cluster.identity import Keys, holds, key_of, keys_of
from samantic.cluster.inputs import Source, rows_of
from samantic.cluster.order import Order
from samantic.cluster.outputs import output_of
from samantic.cluster.tars import tar_rows
from samantic.errors import InputError

TASK_CPUS = 0.05
"""CPUs of a task that mostly waits for files."""


class Plan(NamedTuple):
    """The size of a job.

    Attributes:
        total: Number of pairs of the input; an estimate for shards.
        already: Number of them that have labels.
        exact: Whether the pairs were counted.
        keys: Reference to the sorted keys of the input; None for shards.
    """

    total: int
    already: int
    exact: bool
    keys: Any


def make_plan(ray: Any, source: Source, finished: Any) -> Plan:
    """Count the pairs of an input.

    Args:
        ray: The library, connected.
        source: The input.
        finished: Reference to the sorted keys of pairs that are done.

    Raises:
        InputError: Two pairs have one name, or the input cannot be read.
    """
    run = ray.remote(num_cpus=TASK_CPUS)
    if source.kind == "shards":
        pairs, size = ray.get(run(shard_density).remote(source))
        return Plan(round(pairs * sum(source.sizes) / max(1, size)), 0, False, None)
    parts = [run(part_keys).remote(source, part) for part in source.parts]
    keys, total, repeated = ray.remote(num_cpus=TASK_CPUS, num_returns=3)(joined).remote(*parts)
    if (twice := ray.get(repeated)) is not None:
        name = ray.get(run(name_of).remote(source, twice))
        raise InputError(
            f"--input: two pairs are called {name}; give each pair its own name in the column name"
        )
    already = ray.get(run(count_held).remote(keys, finished))
    return Plan(ray.get(total), already, True, keys)


def beside_driver(ray: Any) -> Any:
    """A decorator that runs a function as a task on the driver's machine.

    The result lives as long as the driver. A lost machine therefore cannot cause a second
    computation from an output that has changed. The driver process itself holds nothing that grows
    with the pairs.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    node = ray.get_runtime_context().get_node_id()
    strategy = NodeAffinitySchedulingStrategy(node, soft=False)
    return ray.remote(num_cpus=0, scheduling_strategy=strategy)  # a head node may offer no CPUs


def finished_keys(order: Order) -> Keys:
    """The sorted keys of all pairs that have their labels."""
    return output_of(order).finished()


def shard_density(source: Source) -> tuple[int, int]:
    """Number of pairs and of bytes of the first shard."""
    return sum(1 for _ in tar_rows(source.base.beside(source.parts[0]))), source.sizes[0]


def part_keys(source: Source, part: str) -> Keys:
    """The keys of a part, in its order."""
    return keys_of(row["name"] for row in rows_of(source, part))


def joined(*parts: Keys) -> tuple[Keys, int, int | None]:
    """The sorted keys of all parts, their number, and a key that occurs twice (or None)."""
    keys = np.sort(np.concatenate(parts))
    same = np.flatnonzero(keys[1:] == keys[:-1])
    return keys, len(keys), int(keys[same[0]]) if len(same) else None


def name_of(source: Source, key: int) -> str:
    """The name to which a key belongs."""
    for part in source.parts:
        for row in rows_of(source, part):
            if key_of(row["name"]) == key:
                return str(row["name"])
    return str(key)


def count_held(keys: Keys, known: Keys) -> int:
    """Number of keys that are among the known ones, which are sorted."""
    return int(holds(known, keys).sum())


def progress_total(plan: Plan) -> int | None:
    """The total of the progress bar; None if it is unknown."""
    return min(plan.total, sys.maxsize) or None
