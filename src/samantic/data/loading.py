"""From samples to batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sized
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from samantic.config import IGNORE
from samantic.data.pairs import PairedFolder, Sample
from samantic.errors import InputError


class Batch(NamedTuple):
    """Several pairs of one size.

    Attributes:
        names: N file stems.
        rgb: (N, 3, H, W) float32 in [0, 1].
        thermal: (N, 1, H, W) float32 in [0, 1]; None of a data set without thermal images.
        labels: (N, H, W) int64, 255 ignored; all of them in pairs without labels.
        present: (N, 2) bool: which of RGB and thermal the network may see of a pair.
    """

    names: list[str]
    rgb: Tensor
    thermal: Tensor | None
    labels: Tensor
    present: Tensor


def collate(samples: list[Sample]) -> Batch:
    """Stack pairs of one size into a batch in which nothing is hidden."""
    rgb, thermal = ([getattr(sample, part) for sample in samples] for part in ("rgb", "thermal"))
    labels = [torch.full(s.size, IGNORE) if s.labels is None else s.labels for s in samples]
    both = thermal[0] is not None
    return Batch(
        [sample.name for sample in samples],
        torch.stack(rgb),
        torch.stack(thermal) if both else None,
        torch.stack(labels),
        torch.tensor([[True, both]]).repeat(len(samples), 1),
    )


def train_loader(
    dataset: Dataset[Any],
    batch_size: int,
    workers: int,
    collate: Callable[[list[Any]], Any] = collate,
) -> DataLoader[Any]:
    """Shuffled batches of `batch_size`; the incomplete last one is left out if others remain."""
    return DataLoader(
        dataset,
        batch_size,
        shuffle=True,
        drop_last=len(cast(Sized, dataset)) >= batch_size,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
        collate_fn=collate,
    )


def one_by_one(dataset: PairedFolder) -> Iterator[Sample | InputError]:
    """The pairs in order; in place of one that cannot be read, what is wrong with it."""
    for index in range(len(dataset)):
        try:
            yield dataset[index]
        except InputError as error:
            yield error


def eval_loader(dataset: PairedFolder, workers: int) -> DataLoader[Batch]:
    """The pairs in order and one by one, since frames of a data set may differ in size."""
    return DataLoader(
        dataset,  # type: ignore[arg-type]  # collate turns samples into batches
        batch_size=1,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        collate_fn=collate,
    )
