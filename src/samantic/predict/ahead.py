"""Calls in threads ahead of their use: files are read and written while the network computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

THREADS = 4
"""Number of threads. Decoding and encoding release Python's lock, so threads are enough."""


def ahead(call: Callable[[Item], Result], items: Iterable[Item], count: int) -> Iterator[Result]:
    """Call a function on items in threads; yield the results in the order of the items.

    Args:
        call: Function that a thread runs on each item.
        items: Read one by one in the caller's thread.
        count: Largest number of items that are started before their results are read.

    Raises:
        Exception: An error of the call, in place of its result; no later item is started.
    """
    with ThreadPoolExecutor(min(count, THREADS)) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(call, item))
                if len(waiting) > count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for left in waiting:
                left.cancel()
