"""Batches of equal kind from a mixed sequence: some items are read ahead, the order is kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from samantic.errors import InputError

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def in_batches(
    items: Iterable[Item | InputError],
    count: int,
    kind: Callable[[Item], Hashable],
    answer: Callable[[list[Item]], list[Answer]],
) -> Iterator[tuple[Item, Answer] | InputError]:
    """Answer items in batches of one kind, and yield the answers in the order of the items.

    Args:
        items: Items, or errors of items that could not be made.
        count: Number of items that are read ahead, and the largest size of a batch.
        kind: Key that is equal for items that can form a batch.
        answer: Returns the answers to the items of a batch, one each.

    Yields:
        Each item with its answer, or the error that stands in its place.

    Raises:
        InputError: `count` is less than 1.
    """
    if count < 1:
        raise InputError(f"batch_size is {count}; give 1 or more")
    left = iter(items)
    while ahead := list(islice(left, count)):
        alike: defaultdict[Hashable, dict[int, Item]] = defaultdict(dict)
        for place, item in enumerate(ahead):
            if not isinstance(item, InputError):
                alike[kind(item)][place] = item
        answers: dict[int, Answer] = {}
        for group in alike.values():
            answers |= zip(group, answer(list(group.values())), strict=True)
        for place, item in enumerate(ahead):
            yield item if isinstance(item, InputError) else (item, answers[place])
