"""In which order a training sees its pairs, and which random numbers each has."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch.utils.data import Dataset

from samantic.config import TrainConfig
from samantic.data import loading
from samantic.data.loading import Drawn, Draws, Share, Source, mixed, train_loader


class Numbers(Dataset[float]):
    """Five items that are nothing but what chance makes of them."""

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> tuple[int, float]:
        return index, float(torch.rand(()))


def stack(items: list[tuple[int, float]]) -> list[tuple[int, float]]:
    return items


def seen(monkeypatch: pytest.MonkeyPatch, draws: Draws, processes: int) -> list[list[list[int]]]:
    """The pairs of every step and process."""
    shares = []
    for rank in range(processes):
        monkeypatch.setattr(loading, "process", lambda rank=rank: (rank, processes))
        shares.append([[index for _, index in batch] for batch in draws])
    return [list(step) for step in zip(*shares, strict=True)]


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_every_pair_is_seen_once_an_epoch_by_all_processes_together(
    monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    steps = TrainConfig(epochs=6).total_steps(7, 2 * processes)
    assert steps == -(-6 * 7 // (2 * processes))
    draws = seen(monkeypatch, Draws(7, 2, 0, steps), processes)
    order = [index for step in draws for share in step for index in share]
    epochs = [order[first : first + 7] for first in range(0, 6 * 7, 7)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1, "every epoch has its own order"


def test_a_batch_is_as_large_as_asked_also_of_few_pairs() -> None:
    batches = list(Draws(3, 8, 0, steps=3))
    assert [len(batch) for batch in batches] == [8, 8, 8]
    counts = Counter(index for batch in batches for _, index in batch)
    assert set(counts.values()) == {8}


def test_a_training_that_begins_at_a_step_goes_on_with_the_same_draws() -> None:
    whole = list(Draws(7, 2, 3, steps=20))
    assert list(Draws(7, 2, 3, steps=20, start=9)) == whole[9:]
    assert list(Draws(7, 2, 4, steps=20)) != whole
    assert len(Draws(7, 2, 3, steps=20, start=9)) == 20


def test_no_epoch_of_a_seed_has_the_order_of_another_seeds() -> None:
    """The second epoch of one training is not the first one of the next."""
    orders = [
        tuple(index for batch in Draws(50, 50, seed, steps=4) for _, index in batch)
        for seed in range(4)
    ]
    epochs = {order[first : first + 50] for order in orders for first in range(0, 200, 50)}
    assert len(epochs) == 16


@pytest.mark.parametrize("workers", [1, 2])
def test_random_changes_do_not_depend_on_the_loading_processes(workers: int) -> None:
    def batches(workers: int) -> list[list[tuple[int, float]]]:
        return list(train_loader(Source(Numbers(), workers, stack), Draws(5, 2, 0, 6)))

    torch.manual_seed(8)
    alone = batches(0)
    torch.manual_seed(9)
    assert batches(workers) == alone
    values = [value for batch in alone for _, value in batch]
    assert len(set(values)) == len(values), "a pair changes anew in every epoch"


def test_drawing_leaves_the_other_random_numbers_alone() -> None:
    data = Drawn(Numbers(), 0)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first = data[0, 2]
    assert torch.equal(torch.rand(3), expected)
    assert data[0, 2] == first
    assert data[1, 2] != first


def test_every_number_of_a_seed_counts() -> None:
    seeds = [mixed(*numbers) for numbers in ((0, 0, 1), (0, 1, 0), (1, 0, 0), (0, 0), (0, 0, 0))]
    assert len(set(seeds[:4])) == 4


@pytest.mark.parametrize(("pairs", "processes"), [(5, 1), (5, 2), (2, 4)])
def test_validation_counts_every_pair_once(
    monkeypatch: pytest.MonkeyPatch, pairs: int, processes: int
) -> None:
    places = []
    for rank in range(processes):
        monkeypatch.setattr(loading, "process", lambda rank=rank: (rank, processes))
        share = list(Share(pairs))
        assert len(share) == len(Share(pairs)) > 0, "a process without a pair would not take part"
        places += share
    extra = [0] * max(0, processes - pairs)
    assert sorted(places) == sorted([*range(pairs), *extra])
