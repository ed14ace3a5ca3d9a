"""Timing things side by side, so that what else the machine does touches all alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter, process_time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

WARM_UP = 2
"""Calls of each before any is timed: memory is taken, kernels are chosen."""


class Times(NamedTuple):
    """How long a call took.

    Attributes:
        seconds: (n,) of each round.
        cpu: (n,) seconds that all CPUs together spent on it. With one thread, and on the CPU, they
            are what the call would take on a machine that does nothing else.
        ratio: Median over the rounds of its time over that of the first, in the same round.
    """

    seconds: NDArray[np.float64]
    cpu: NDArray[np.float64]
    ratio: float

    @property
    def median(self) -> float:
        """Seconds that half of the calls took at most."""
        return float(np.median(self.seconds))

    @property
    def p95(self) -> float:
        """Seconds that 95 % of the calls took at most."""
        return float(np.percentile(self.seconds, 95))


def in_rounds(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Times]:
    """Time calls that take turns.

    Each round calls each once. The rounds begin with another one each time, so that none always
    follows the same.

    Args:
        calls: What to time, by name; each returns when its work is done.
        rounds: How often.
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
