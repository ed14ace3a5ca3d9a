"""Things that go through a network together: a window ahead is sorted by kind, order is kept."""

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
    """Answer items in their order, of which those of a kind are asked together.

    Args:
        items: What is asked, or why there is nothing to ask.
        count: Items that are read ahead, and that go together at most.
        kind: Items of one kind can go together.
        answer: The answers to items of a kind, one each.

    Yields:
        Each item with its answer, or why there was nothing to ask.

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
