"""What there is to do, counted by workers: the driver holds no names."""

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
"""Of a task that mostly waits for files."""


class Plan(NamedTuple):
    """How much there is to do.

    Attributes:
        total: Pairs of the input; of shards about so many.
        already: Of them, those that have their labels.
        exact: Whether these were counted.
        keys: Reference to the sorted keys of the input; None of shards.
    """

    total: int
    already: int
    exact: bool
    keys: Any


def make_plan(ray: Any, source: Source, finished: Any) -> Plan:
    """Count an input.

    Args:
        ray: The library, connected.
        source: The input.
        finished: Reference to the sorted keys that are done.

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
            f"--input: two pairs are called {name}; give each a name of its own, in the column name"
        )
    already = ray.get(run(count_held).remote(keys, finished))
    return Plan(ray.get(total), already, True, keys)


def beside_driver(ray: Any) -> Any:
    """What makes a function a task on the driver's machine.

    Its result lasts as long as the driver, so that no lost machine makes it be computed once more
    from an output that has changed; and the driver itself holds nothing that grows with the pairs.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    node = ray.get_runtime_context().get_node_id()
    strategy = NodeAffinitySchedulingStrategy(node, soft=False)
    return ray.remote(num_cpus=0, scheduling_strategy=strategy)  # a head may offer no CPUs


def finished_keys(order: Order) -> Keys:
    """The sorted keys of all pairs that have their labels."""
    return output_of(order).finished()


def shard_density(source: Source) -> tuple[int, int]:
    """Pairs and bytes of the first shard."""
    return sum(1 for _ in tar_rows(source.base.beside(source.parts[0]))), source.sizes[0]


def part_keys(source: Source, part: str) -> Keys:
    """The keys of a part, in its order."""
    return keys_of(row["name"] for row in rows_of(source, part))


def joined(*parts: Keys) -> tuple[Keys, int, int | None]:
    """The sorted keys of all parts, their number, and one that is there twice."""
    keys = np.sort(np.concatenate(parts))
    same = np.flatnonzero(keys[1:] == keys[:-1])
    return keys, len(keys), int(keys[same[0]]) if len(same) else None


def name_of(source: Source, key: int) -> str:
    """The name that a key is of."""
    for part in source.parts:
        for row in rows_of(source, part):
            if key_of(row["name"]) == key:
                return str(row["name"])
    return str(key)


def count_held(keys: Keys, known: Keys) -> int:
    """How many keys are among known ones, which are sorted."""
    return int(holds(known, keys).sum())


def progress_total(plan: Plan) -> int | None:
    """What a bar counts to; None where nothing is known."""
    return min(plan.total, sys.maxsize) or None
