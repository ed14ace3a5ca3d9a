"""From samples to batches: the order of a training's pairs and its random numbers."""

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
"""Number of unreadable pairs in a row that ends a training."""

Draw = tuple[int, int]
"""A pair of a training: the epoch in which it is drawn, and its index in the data set."""


class Batch(NamedTuple):
    """Several pairs of one size.

    Attributes:
        names: N file stems.
        images: (N, C, H, W) float32 in [0, 1] for each sensor of the data set.
        labels: (N, H, W) int64, 255 ignored; all 255 for pairs without labels.
        present: (N, 2) bool: which sensors' images of a pair the network may see.
        inside: (N, H, W) bool, the pixels that come from the image and not from padding; None for
            all.
        lost: Messages on unreadable images; other pairs of this batch replace them.
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
        """The thermal images, (N, 1, H, W); None for a data set without thermal."""
        return self.images.get("thermal")

    def changed(self, **images: Tensor) -> Batch:
        """A copy of the batch with other images for some sensors."""
        return self._replace(images={**self.images, **images})


def collate(samples: list[Sample]) -> Batch:
    """Stack pairs of one size into a batch whose sensors are all marked as present."""
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
    """Mix numbers (0 or more) into one seed of 64 bits that depends on each of them."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


class Draws(Sampler[list[Draw]]):
    """The batches of a whole training; every process takes its share.

    The data set is repeated in a new random order each epoch, and the resulting sequence is cut
    into batches of one size, also across the end of an epoch. A draw depends only on the seed and
    on its place in the sequence. A training that resumes at a step therefore continues with the
    same pairs.

    Args:
        length: Number of pairs in the data set.
        batch_size: Number of pairs in a batch; each process gets one batch in a step.
        seed: Seed of the order.
        steps: Number of batches of a process in the whole training.
        start: Number of batches that are already done.
    """

    def __init__(self, length: int, batch_size: int, seed: int, steps: int, start: int = 0) -> None:
        self.length, self.batch_size, self.seed = length, batch_size, seed
        self.steps, self.start = steps, start

    def __len__(self) -> int:
        """Batches of the whole training: Lightning counts the steps that are done too."""
        return self.steps

    def __iter__(self) -> Iterator[list[Draw]]:
        rank, processes = process()
        for step in range(self.start, self.steps):
            first = (step * processes + rank) * self.batch_size
            places = (divmod(first + i, self.length) for i in range(self.batch_size))
            yield [(epoch, _order(self.seed, epoch, self.length)[at]) for epoch, at in places]


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, length: int) -> list[int]:
    """The indices of an epoch's pairs in random order."""
    generator = torch.Generator().manual_seed(mixed(seed, epoch))
    order: list[int] = torch.randperm(length, generator=generator).tolist()
    return order


class Read(NamedTuple):
    """A sample, and messages on the unreadable pairs that it replaces."""

    sample: Any
    lost: tuple[str, ...]


class Drawn(Dataset[Read]):
    """A data set whose random changes of a pair depend only on the seed, the epoch and the pair.

    The changes are therefore equal in every process and differ between epochs. The next readable
    pair replaces a pair with an unreadable image; after `TRIES` unreadable pairs in a row the error
    is raised.

    Args:
        dataset: Data set that draws its changes from torch's random numbers.
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
    """Collates samples into a batch, and stores in `Batch.lost` which images could not be read."""

    collate: Callable[[list[Any]], Any]

    def __call__(self, found: list[Read]) -> Any:
        batch = self.collate([part.sample for part in found])
        lost = tuple(line for part in found for line in part.lost)
        if not lost:
            return batch
        pairs = pairs_of(batch)._replace(lost=lost)
        return pairs if pairs_of(batch) is batch else batch._replace(pairs=pairs)


def pairs_of(batch: Any) -> Batch:
    """The pairs of a batch, which may hold more than its pairs."""
    return cast(Batch, getattr(batch, "pairs", batch))


@dataclass(frozen=True)
class Source:
    """The data of a training.

    Attributes:
        dataset: Its pairs.
        workers: Number of processes that read them; with 0 the main process reads.
        collate: Turns a list of samples into a batch.
    """

    dataset: Dataset[Any]
    workers: int
    collate: Callable[[list[Any]], Any] = collate

    def __len__(self) -> int:
        return len(cast(Sized, self.dataset))


def train_loader(source: Source, draws: Draws) -> DataLoader[Any]:
    """The loader of a training's batches."""
    drawn = Drawn(source.dataset, draws.seed)
    options: Any = options_of(fitting(source.workers, lambda: drawn[0, 0], draws.batch_size))
    stacked = Stacked(source.collate)
    return DataLoader(drawn, batch_sampler=draws, collate_fn=stacked, **options)


def one_by_one(dataset: PairedFolder) -> Iterator[Sample | InputError]:
    """The pairs in order; for a pair that cannot be read, its error."""
    for index in range(len(dataset)):
        try:
            yield dataset[index]
        except InputError as error:
            yield error


class Share(Sampler[int]):
    """Indices of every pair once over all processes; a process without a pair repeats the first.

    Args:
        length: Number of pairs in the data set.
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
    """Load the pairs in order, in batches of one, since frames of a data set may differ in size."""
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
