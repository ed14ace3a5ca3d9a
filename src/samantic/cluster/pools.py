"""The number of models and tasks, and the CPUs that each of them claims.

Ray Data starts no task whose claim does not fit beside the claims of all models. One task of each
of the three stages around the models must therefore fit, even on one CPU.
"""

from __future__ import annotations

from typing import NamedTuple

from samantic.cluster.order import Order
from samantic.cluster.planning import TASK_CPUS
from samantic.errors import InputError

ACTOR_SHARE = 0.75
"""Share of its CPUs (with a GPU: of one CPU) that a model claims; the rest decodes and writes."""

GPU_TASK_CPUS = 0.5
"""CPUs of a task that decodes or writes for models on GPUs, whose machines have CPUs to spare."""


class Pool(NamedTuple):
    """Number and claims of models and tasks.

    Attributes:
        models: Smallest and largest number of models.
        model_cpus: CPUs that each model claims.
        tasks: Largest number of parallel tasks of a stage that decodes or writes; None for as many
            as there is room for.
        task_cpus: CPUs that each task claims.
    """

    models: tuple[int, int]
    model_cpus: float
    tasks: int | None
    task_cpus: float


def pool_of(
    order: Order, cpus: float, gpus: float, grows: bool = False, blocks: int | None = None
) -> Pool:
    """The pool for machines with the given CPUs and GPUs.

    Args:
        order: The job.
        cpus: CPUs of all present machines.
        gpus: GPUs of all present machines.
        grows: Whether more machines may join.
        blocks: Number of blocks to label; None if unknown.

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
    low, high = order.concurrency or (1 if grows else needed, needed)  # use the whole machine
    models = max(1, min(low, room)), high if grows else max(1, min(high, room))
    if order.gpus:
        return Pool(models, ACTOR_SHARE, None if grows else max(1, int(cpus)), GPU_TASK_CPUS)
    share = order.cpus * ACTOR_SHARE
    return Pool(models, share, max(1, models[1] * order.cpus // 2), TASK_CPUS)
