"""Work in threads, ahead of who wants its results: reading and writing beside the network."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

THREADS = 4
"""Files are decoded and encoded outside Python's lock, so that threads suffice."""


def ahead(call: Callable[[Item], Result], items: Iterable[Item], count: int) -> Iterator[Result]:
    """The results of a call, in the order of the items.

    Args:
        call: What is done with each item, in a thread.
        items: Taken one by one, by the thread that wants the results.
        count: Items that are at work or done before their results are wanted; no more are held.

    Raises:
        Exception: What the call raised, in the place of its result; nothing later is begun.
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
