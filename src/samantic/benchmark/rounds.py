"""Time several calls in turns, so that other work on the machine affects all of them alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter, process_time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

WARM_UP = 2
"""Untimed calls of each before the first round, which allocate memory and select kernels."""


class Times(NamedTuple):
    """The durations of a call.

    Attributes:
        seconds: (n,) seconds of each round.
        cpu: (n,) seconds that all CPUs together spent on it. With one thread, and on the CPU, this
            is the duration on an otherwise idle machine.
        ratio: Median over the rounds of its time divided by that of the first call in the same
            round.
    """

    seconds: NDArray[np.float64]
    cpu: NDArray[np.float64]
    ratio: float

    @property
    def median(self) -> float:
        """Median duration in seconds."""
        return float(np.median(self.seconds))

    @property
    def p95(self) -> float:
        """95th percentile of the duration in seconds."""
        return float(np.percentile(self.seconds, 95))


def in_rounds(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Times]:
    """Time calls in turns.

    Each round calls each once. Every round starts with another call, so that no call always follows
    the same one.

    Args:
        calls: Calls by name; each returns when its work is done.
        rounds: Number of rounds.
    """
    names = list(calls)
    for _ in range(WARM_UP):
        for call in calls.values():
            call()
    seconds, cpu = ({name: np.zeros(rounds) for name in names} for _ in range(2))
    for i in range(rounds):
        first = i % len(names)
        for name in (*names[first:], *names[:first]):
            start, spent = perf_counter(), process_time()
            calls[name]()
            seconds[name][i], cpu[name][i] = perf_counter() - start, process_time() - spent
    base = seconds[names[0]]
    return {
        name: Times(taken, cpu[name], float(np.median(taken / base)))
        for name, taken in seconds.items()
    }
