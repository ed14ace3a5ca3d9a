"""The uncertainty of a mean IoU: bootstrap intervals over the images of a split.

One image does not show how much images differ, so it has no interval: both bounds are NaN.
"""

from __future__ import annotations

import torch
from torch import Tensor

from samantic.metrics.confusion import scores
from samantic.metrics.protocols import ALL_CLASSES, Protocol, counted_pixels

LEVEL = torch.tensor([0.025, 0.975], dtype=torch.float64)
"""Quantiles at the ends of a 95 % interval."""


def bootstrap(
    matrices: Tensor, protocol: Protocol = ALL_CLASSES, *, samples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of the mIoU over images, by resampling the images with replacement.

    A class that is absent from a resample only is left out of its mean. A class that is absent from
    the whole split counts as the protocol says.

    Args:
        matrices: (n, K, K) confusion matrices of n images, or (s, n, K, K) of s models whose mean
            mIoU is wanted.
        protocol: Defines the classes of the mean.
        samples: Number of resamples.
        seed: Seed of the resampling.

    Returns:
        The 2.5th and 97.5th percentile over the resamples that have any of the classes; NaN if
        there are none, and for one image.
    """
    return _interval(_resampled_miou(matrices, protocol, samples, seed))


def class_intervals(matrices: Tensor, *, samples: int = 1000, seed: int = 0) -> Tensor:
    """95 % interval of every class's IoU over the resamples that have the class.

    Args:
        matrices: (n, K, K) confusion matrices of n images.
        samples: Number of resamples.
        seed: Seed of the resampling.

    Returns:
        (K, 2); NaN for a class that is absent from the split, and for one image.
    """
    return _resampled_iou(matrices, _draws(matrices, samples, seed)).nanquantile(LEVEL, dim=0).T


def paired_difference(
    first: Tensor, second: Tensor, *, samples: int = 1000, seed: int = 0
) -> tuple[float, float, float]:
    """Difference of the mIoU of two models on the same images, first minus second.

    Args:
        first: (n, K, K) confusion matrices by image, or (s, n, K, K) of s trainings, whose mean
            mIoU counts.
        second: The same for the other model; its number of trainings may differ.
        samples: Number of resamples of the images, which are the same for both.
        seed: Seed of the resampling.

    Returns:
        The difference, and the 2.5th and 97.5th percentile of its bootstrap distribution; NaN if no
        pixel has a label.

    Raises:
        ValueError: The numbers of images differ.
    """
    if first.shape[-3:] != second.shape[-3:]:
        raise ValueError(f"{first.shape[-3]} and {second.shape[-3]} images cannot be paired")
    whole = [
        sum(scores(m.sum(0)).miou for m in part.flatten(0, -4)) / part.flatten(0, -4).shape[0]
        for part in (first[None], second[None])
    ]
    drawn = _resampled_miou(first, ALL_CLASSES, samples, seed)
    drawn = drawn - _resampled_miou(second, ALL_CLASSES, samples, seed)
    return (whole[0] - whole[1], *_interval(drawn))


def _resampled_miou(matrices: Tensor, protocol: Protocol, samples: int, seed: int) -> Tensor:
    """(samples,) mean mIoU of the models on resampled images."""
    models = counted_pixels(matrices[None] if matrices.ndim == 3 else matrices, protocol)
    draws = _draws(models[0], samples, seed)
    ids = list(protocol.classes) or list(range(models.shape[-1]))
    present = models[0].sum((0, 2))[ids] > 0  # classes that occur in the split
    share = present.double().mean() if protocol.absent == "zero" else 1.0
    means = [_resampled_iou(model, draws)[:, ids].nanmean(1) * share for model in models]
    return torch.stack(means).mean(0)


def _draws(matrices: Tensor, samples: int, seed: int) -> Tensor:
    """(samples, n) float64: how often each of n images occurs in each resample."""
    images = len(matrices)
    generator = torch.Generator().manual_seed(seed)
    draws = torch.randint(images, (samples, images), generator=generator)
    weights = torch.zeros(samples, images, dtype=torch.float64)
    return weights.scatter_add_(1, draws, torch.ones_like(draws, dtype=torch.float64))


def _resampled_iou(matrices: Tensor, draws: Tensor) -> Tensor:
    """(samples, K) IoU on resamples of (n, K, K) matrices; NaN where a class is absent.

    All are NaN for one image, whose resamples are all alike.
    """
    classes = matrices.shape[-1]
    resampled = (draws @ matrices.double().flatten(1)).view(-1, classes, classes)
    hits, truth = resampled.diagonal(dim1=1, dim2=2), resampled.sum(2)
    known = truth > 0 if len(matrices) > 1 else torch.zeros_like(truth, dtype=torch.bool)
    return torch.where(known, hits / (truth + resampled.sum(1) - hits), torch.nan)


def _interval(values: Tensor) -> tuple[float, float]:
    low, high = values.nanquantile(LEVEL).tolist()
    return low, high
