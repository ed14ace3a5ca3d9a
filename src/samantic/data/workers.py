"""The processes that read the pairs of a training: how many, and what they do in trouble."""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from samantic.progress import tell

SHARED = Path("/dev/shm")  # noqa: S108  # the system's, where processes hand over batches
AHEAD = 2
"""Batches that each process reads ahead, as PyTorch has it."""

SECONDS = 300
"""A training ends if no batch comes for so long."""


def options_of(workers: int) -> dict[str, Any]:
    """Options of a `DataLoader` with so many processes; 0 reads in the main one."""
    several: dict[str, Any] = {"timeout": SECONDS, "worker_init_fn": leave_trouble}
    return {
        "num_workers": workers,
        "pin_memory": torch.cuda.is_available(),
        **(several if workers else {}),
    }


def leave_trouble(worker: int) -> None:
    """Let the main process answer Ctrl-C, which a terminal sends to all, and tell of it.

    It ends the others, perhaps in the middle of a batch that one of them hands over.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.excepthook = unless_left


def unless_left(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Show an error of the thread that hands batches over, unless the main process has left."""
    if not issubclass(kind, ConnectionError | EOFError):
        sys.__excepthook__(kind, error, trace)


def fitting(workers: int, first: Callable[[], Any], batch_size: int) -> int:
    """As many of the processes as shared memory has room for; a line if those are fewer.

    Containers have 64 MB of it, in which a training would wait for ever. What is learnt does not
    depend on the number of processes.

    Args:
        workers: Processes that are wanted.
        first: Reads a pair as they do, to see how large it is.
        batch_size: Pairs of a batch.
    """
    if not workers or not SHARED.is_dir():
        return workers
    each = AHEAD * (batch_size + 1) * size_of(first())  # one more for validations
    free = shutil.disk_usage(SHARED).free
    if workers * each <= free:
        return workers
    fits = free // each
    tell(
        f"data.workers: {fits} in place of {workers}, which need {workers * each / 1e6:.0f} MB of "
        f"{SHARED}, where {free / 1e6:.0f} MB are free; start the container with --shm-size "
        f"{-(-workers * each // 10**9)}g"
    )
    return int(fits)


def size_of(value: Any) -> int:
    """Bytes of the tensors in a value."""
    if isinstance(value, Tensor):
        return value.nbytes
    if isinstance(value, Mapping):
        return sum(map(size_of, value.values()))
    return sum(map(size_of, value)) if isinstance(value, list | tuple) else 0
