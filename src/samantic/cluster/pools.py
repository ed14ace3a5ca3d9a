"""Who works: how many models and tasks, and what of the CPUs each claims.

Ray Data starts no task of a stage whose claim does not fit beside what all models claim. So one of
each of the three stages around the models has to fit beside them, on one CPU too.
"""

from __future__ import annotations

from typing import NamedTuple

from samantic.cluster.order import Order
from samantic.cluster.planning import TASK_CPUS
from samantic.errors import InputError

ACTOR_SHARE = 0.75
"""Of its CPUs that a model claims, or of one CPU beside a GPU; the rest decodes and writes."""

GPU_TASK_CPUS = 0.5
"""Of a task that decodes or writes for models on GPUs, whose machines have CPUs to spare."""


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
        return Pool(models, ACTOR_SHARE, None if grows else max(1, int(cpus)), GPU_TASK_CPUS)
    share = order.cpus * ACTOR_SHARE
    return Pool(models, share, max(1, models[1] * order.cpus // 2), TASK_CPUS)
