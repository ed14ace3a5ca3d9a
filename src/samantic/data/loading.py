"""From samples to batches, and in which order and from which random numbers a training has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sized
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, distributed
from torch.utils.data import DataLoader, Dataset, Sampler

from samantic.config.classes import IGNORE
from samantic.data.pairs import PairedFolder
from samantic.data.samples import Sample
from samantic.data.sensors import presence
from samantic.data.workers import fitting, options_of
from samantic.errors import InputError, UnreadableError

TRIES = 5
"""So many pairs in a row that cannot be read end a training."""

Draw = tuple[int, int]
"""A pair of a training: the epoch that it is drawn in, and its index in the data set."""


class Batch(NamedTuple):
    """Several pairs of one size.

    Attributes:
        names: N file stems.
        images: (N, C, H, W) float32 in [0, 1] of each sensor that the data set has.
        labels: (N, H, W) int64, 255 ignored; all of them in pairs without labels.
        present: (N, 2) bool: which sensors' images the network may see of a pair.
        inside: (N, H, W) bool, the pixels that parts show of their images; None for all.
        lost: What is wrong with images in whose place others are here.
    """

    names: list[str]
    images: Mapping[str, Tensor]
    labels: Tensor
    present: Tensor
    inside: Tensor | None = None
    lost: tuple[str, ...] = ()

    @property
    def rgb(self) -> Tensor:
        """The RGB images, (N, 3, H, W)."""
        return self.images["rgb"]

    @property
    def thermal(self) -> Tensor | None:
        """The thermal images, (N, 1, H, W); None of a data set without."""
        return self.images.get("thermal")

    def changed(self, **images: Tensor) -> Batch:
        """The batch with other images of some sensors."""
        return self._replace(images={**self.images, **images})


def collate(samples: list[Sample]) -> Batch:
    """Stack pairs of one size into a batch in which nothing is hidden."""
    names = samples[0].images
    labels = [torch.full(s.size, IGNORE) if s.labels is None else s.labels for s in samples]
    inside = [s.inside if s.inside is not None else torch.ones(s.size).bool() for s in samples]
    padded = any(sample.inside is not None for sample in samples)
    return Batch(
        [sample.name for sample in samples],
        {name: torch.stack([sample.images[name] for sample in samples]) for name in names},
        torch.stack(labels),
        torch.tensor([presence(names)]).repeat(len(samples), 1),
        torch.stack(inside) if padded else None,
    )


def mixed(*numbers: int) -> int:
    """A seed of 64 bits for which every one of some numbers (0 or more) counts."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


class Draws(Sampler[list[Draw]]):
    """The batches of a whole training, of which every process takes its share.

    The data set is gone through again and again, each time in another order, and what comes is cut
    into batches of one size, also across the end of an epoch. A draw depends on the seed and on its
    place alone, not on what was drawn before: a training that begins anew at a step goes on with
    the same pairs.

    Args:
        length: Pairs of the data set.
        batch_size: Pairs of a batch, of which each process has one in a step.
        seed: Seed of the order.
        steps: Batches of a process in the whole training.
        start: Batches that are done already.
    """

    def __init__(self, length: int, batch_size: int, seed: int, steps: int, start: int = 0) -> None:
        self.length, self.batch_size, self.seed = length, batch_size, seed
        self.steps, self.start = steps, start

    def __len__(self) -> int:
        """Of the whole training, as Lightning counts the steps that are done too."""
        return self.steps

    def __iter__(self) -> Iterator[list[Draw]]:
        rank, processes = process()
        for step in range(self.start, self.steps):
            first = (step * processes + rank) * self.batch_size
            places = (divmod(first + i, self.length) for i in range(self.batch_size))
            yield [(epoch, _order(self.seed, epoch, self.length)[at]) for epoch, at in places]


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, length: int) -> list[int]:
    """The pairs of an epoch in their order."""
    generator = torch.Generator().manual_seed(mixed(seed, epoch))
    order: list[int] = torch.randperm(length, generator=generator).tolist()
    return order


class Read(NamedTuple):
    """A sample, and what is wrong with the images of those in whose place it stands."""

    sample: Any
    lost: tuple[str, ...]


class Drawn(Dataset[Read]):
    """A data set whose random changes of a pair depend on the seed and on its draw alone.

    So they are the same in any process, and differ from epoch to epoch. In place of a pair with an
    unreadable image stands the next one that can be read, of up to `TRIES`.

    Args:
        dataset: What draws its changes from torch's random numbers.
        seed: Seed of the changes.
    """

    def __init__(self, dataset: Dataset[Any], seed: int) -> None:
        self.dataset, self.seed = dataset, seed

    def __getitem__(self, draw: Draw) -> Read:
        epoch, first = draw
        lost: list[str] = []
        while True:
            index = (first + len(lost)) % len(cast(Sized, self.dataset))
            try:
                with torch.random.fork_rng(devices=[]):
                    torch.default_generator.manual_seed(mixed(self.seed, epoch, index))
                    return Read(self.dataset[index], tuple(lost))
            except UnreadableError as error:
                lost.append(str(error))
                if len(lost) == TRIES:
                    raise


@dataclass(frozen=True)
class Stacked:
    """Makes a batch of what was read, and says in it what could not be."""

    collate: Callable[[list[Any]], Any]

    def __call__(self, found: list[Read]) -> Any:
        batch = self.collate([part.sample for part in found])
        lost = tuple(line for part in found for line in part.lost)
        if not lost:
            return batch
        pairs = pairs_of(batch)._replace(lost=lost)
        return pairs if pairs_of(batch) is batch else batch._replace(pairs=pairs)


def pairs_of(batch: Any) -> Batch:
    """The pairs of a batch, which may bring more than them."""
    return cast(Batch, getattr(batch, "pairs", batch))


@dataclass(frozen=True)
class Source:
    """What a training learns from.

    Attributes:
        dataset: Its pairs.
        workers: Processes that read them; 0 reads in the main one.
        collate: Makes a batch of several.
    """

    dataset: Dataset[Any]
    workers: int
    collate: Callable[[list[Any]], Any] = collate

    def __len__(self) -> int:
        return len(cast(Sized, self.dataset))


def train_loader(source: Source, draws: Draws) -> DataLoader[Any]:
    """The batches of a training."""
    drawn = Drawn(source.dataset, draws.seed)
    options: Any = options_of(fitting(source.workers, lambda: drawn[0, 0], draws.batch_size))
    stacked = Stacked(source.collate)
    return DataLoader(drawn, batch_sampler=draws, collate_fn=stacked, **options)


def one_by_one(dataset: PairedFolder) -> Iterator[Sample | InputError]:
    """The pairs in order; in place of one that cannot be read, what is wrong with it."""
    for index in range(len(dataset)):
        try:
            yield dataset[index]
        except InputError as error:
            yield error


class Share(Sampler[int]):
    """Every pair once, over all processes together; a process beyond the last pair repeats one.

    Args:
        length: Pairs of the data set.
    """

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return len(self._places())

    def __iter__(self) -> Iterator[int]:
        return iter(self._places())

    def _places(self) -> range:
        rank, processes = process()
        return range(rank, self.length, processes) or range(1)


def eval_loader(dataset: Dataset[Any], workers: int) -> DataLoader[Batch]:
    """The pairs in order and one by one, since frames of a data set may differ in size."""
    return DataLoader(
        dataset,
        batch_size=1,
        sampler=Share(len(cast(Sized, dataset))),
        collate_fn=collate,
        **options_of(fitting(workers, lambda: dataset[0], 1)),
    )


def process() -> tuple[int, int]:
    """The rank of this process in a training, and the number of its processes."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()
