"""The processes that read the pairs of a training: their number and their errors."""

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

SHARED = Path("/dev/shm")  # noqa: S108  # shared memory through which processes pass batches
AHEAD = 2
"""Number of batches that each process reads ahead, PyTorch's default."""

SECONDS = 300
"""Longest wait for a batch in seconds; after this time a training ends."""


def options_of(workers: int) -> dict[str, Any]:
    """Options of a `DataLoader` with `workers` processes; with 0 the main process reads."""
    several: dict[str, Any] = {"timeout": SECONDS, "worker_init_fn": leave_trouble}
    return {
        "num_workers": workers,
        "pin_memory": torch.cuda.is_available(),
        **(several if workers else {}),
    }


def leave_trouble(worker: int) -> None:
    """Make a reading process ignore Ctrl-C, which a terminal sends to all processes.

    The main process handles it, reports it and ends the others, perhaps while one of them hands
    over a batch.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.excepthook = unless_left


def unless_left(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print an error of the thread that hands batches over, unless the main process has ended."""
    if not issubclass(kind, ConnectionError | EOFError):
        sys.__excepthook__(kind, error, trace)


def fitting(workers: int, first: Callable[[], Any], batch_size: int) -> int:
    """The number of processes for which shared memory has room; log a line if it is smaller.

    Containers have 64 MB of shared memory, with which a training could wait for ever. The number of
    processes does not change what is learnt.

    Args:
        workers: Wanted number of processes.
        first: Reads one pair as the processes do, to measure its size.
        batch_size: Number of pairs in a batch.
    """
    if not workers or not SHARED.is_dir():
        return workers
    each = AHEAD * (batch_size + 1) * size_of(first())  # one more pair for validation
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
