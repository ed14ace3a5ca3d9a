"""Work in threads ahead of who wants it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from samantic.predict.ahead import ahead


def test_results_come_in_order_and_no_more_are_held() -> None:
    begun: list[int] = []
    given: list[int] = []
    last = threading.Event()

    def call(item: int) -> int:
        begun.append(item)
        if item == 0:
            assert last.wait(10)  # done after the others
        elif item == 2:
            last.set()
        return item * item

    def items() -> Iterator[int]:
        for item in range(50):
            given.append(item)
            yield item

    results = ahead(call, items(), 3)
    assert next(results) == 0
    assert given == [0, 1, 2, 3]
    assert list(results) == [item * item for item in range(1, 50)]
    assert sorted(begun) == list(range(50))


def test_an_error_comes_in_its_place_and_ends_the_work() -> None:
    begun: list[int] = []

    def call(item: int) -> int:
        begun.append(item)
        if item == 2:
            raise OSError("the disk is full")
        return item

    results = ahead(call, range(100), 2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(OSError, match="the disk is full"):
        next(results)
    assert max(begun) <= 4


def test_reading_goes_on_while_the_caller_works() -> None:
    read = threading.Event()
    results = ahead(lambda item: read.set() if item else None, [0, 1], 2)
    next(results)
    assert read.wait(10)  # the second was done without being asked for
    results.close()
