"""Segmentation metrics, all from one confusion matrix over a whole split.

A mean of per-batch IoUs is another number, and not one that papers report.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics.functional import spearman_corrcoef
from torchmetrics.functional.classification import multiclass_confusion_matrix

from samantic.config import IGNORE


def confusion_matrix(prediction: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Count pixels by (true class, predicted class).

    Args:
        prediction: Class ids, any shape.
        labels: Class ids of the same shape; 255 is ignored.
        num_classes: Classes K.

    Returns:
        (K, K) int64; rows are the truth, columns the prediction.

    Example:
        >>> confusion_matrix(torch.tensor([0, 1, 1]), torch.tensor([0, 1, 255]), 2)
        tensor([[1, 0],
                [0, 1]])
    """
    matrix: Tensor = multiclass_confusion_matrix(
        prediction.flatten(), labels.flatten(), num_classes, ignore_index=IGNORE
    )
    return matrix.long()


def iou(matrix: Tensor) -> Tensor:
    """Intersection over union of every class: diagonal / (row sum + column sum - diagonal).

    Args:
        matrix: (K, K) confusion matrix.

    Returns:
        (K,) float64 in 0..1; NaN for a class that is neither in the truth nor predicted.
    """
    counts = matrix.double()
    hits = counts.diagonal()
    return hits / (counts.sum(0) + counts.sum(1) - hits)


class Scores(NamedTuple):
    """The numbers of one split, all in 0..1.

    Attributes:
        iou: Per-class IoU (K,), NaN where a class is neither in the truth nor predicted.
        miou: Mean IoU over all K classes, an absent one counting 0 (MFNet's convention).
        miou_present: Mean IoU over the classes that occur in the truth.
        macc: Mean recall over all K classes, an absent one counting 0.
        f1: Mean F1 over all K classes, an absent one counting 0.
        pixel_accuracy: Share of labelled pixels that are right.
    """

    iou: Tensor
    miou: float
    miou_present: float
    macc: float
    f1: float
    pixel_accuracy: float


def scores(matrix: Tensor) -> Scores:
    """Summarise a (K, K) confusion matrix.

    Example:
        >>> scores(torch.tensor([[2, 1], [0, 1]])).miou
        0.5833333333333333
    """
    counts = matrix.double()
    hits, truth, predicted = counts.diagonal(), counts.sum(1), counts.sum(0)
    per_class = iou(matrix)
    present = truth > 0
    return Scores(
        iou=per_class,
        miou=per_class.nan_to_num(0.0).mean().item(),
        miou_present=per_class[present].mean().item() if present.any() else 0.0,
        macc=(hits / truth).nan_to_num(0.0).mean().item(),
        f1=(2 * hits / (truth + predicted)).nan_to_num(0.0).mean().item(),
        pixel_accuracy=(hits.sum() / counts.sum().clamp(min=1)).item(),
    )


def to_json(result: Scores, classes: tuple[str, ...]) -> dict[str, object]:
    """Scores as in metrics.json: IoU by class name, null for a class that does not occur."""
    per_class = [None if torch.isnan(value) else value.item() for value in result.iou]
    return {
        "miou": result.miou,
        "miou_present": result.miou_present,
        "macc": result.macc,
        "f1": result.f1,
        "pixel_accuracy": result.pixel_accuracy,
        "iou": dict(zip(classes, per_class, strict=True)),
    }


def bootstrap(matrices: Tensor, *, samples: int = 1000, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the mIoU over images, by resampling the images with replacement.

    A class that a resample lacks is left out of its mean; one that the whole split lacks counts 0
    in all of them, as in `scores`.

    Args:
        matrices: (n, K, K) confusion matrices of n images, or (s, n, K, K) of s models whose mean
            mIoU is wanted.
        samples: Resamples.
        seed: Seed of the resampling.

    Returns:
        The 2.5th and the 97.5th percentile.
    """
    return _interval(_resampled_miou(matrices, samples, seed))


def paired_difference(
    first: Tensor, second: Tensor, *, samples: int = 1000, seed: int = 0
) -> tuple[float, float, float]:
    """By how much the mIoU of the first model exceeds the second's, on the same images.

    Args:
        first: (n, K, K) confusion matrices by image, or (s, n, K, K) of several trainings, whose
            mean mIoU counts.
        second: The same of the other model; it may have another number of trainings.
        samples: Resamples of the images, the same for both.
        seed: Seed of the resampling.

    Returns:
        The difference, and the 2.5th and the 97.5th percentile of its bootstrap distribution.

    Raises:
        ValueError: The numbers of images differ.
    """
    if first.shape[-3:] != second.shape[-3:]:
        raise ValueError(f"{first.shape[-3]} and {second.shape[-3]} images cannot be paired")
    whole = [
        sum(scores(m.sum(0)).miou for m in part.flatten(0, -4)) / part.flatten(0, -4).shape[0]
        for part in (first[None], second[None])
    ]
    drawn = _resampled_miou(first, samples, seed) - _resampled_miou(second, samples, seed)
    return (whole[0] - whole[1], *_interval(drawn))


def rank_correlation(first: Tensor, second: Tensor) -> float:
    """Spearman's correlation of two (K, K) similarity matrices over the pairs of classes.

    Pairs with NaN in either are left out; NaN if fewer than three remain.
    """
    rows, columns = torch.triu_indices(len(first), len(first), 1)
    pairs = torch.stack([first[rows, columns].cpu(), second[rows, columns].cpu()])
    pairs = pairs[:, ~pairs.isnan().any(0)]
    return float(spearman_corrcoef(*pairs)) if pairs.shape[1] > 2 else float("nan")


def _resampled_miou(matrices: Tensor, samples: int, seed: int) -> Tensor:
    """(samples,) mean mIoU of the models on resampled images."""
    models = matrices[None] if matrices.ndim == 3 else matrices
    images, classes = models.shape[1], models.shape[2]
    generator = torch.Generator().manual_seed(seed)
    draws = torch.randint(images, (samples, images), generator=generator)
    weights = torch.zeros(samples, images, dtype=torch.float64)
    weights.scatter_add_(1, draws, torch.ones_like(draws, dtype=torch.float64))
    share = (models[0].sum((0, 2)) > 0).double().mean()  # classes that the split has at all
    means = []
    for model in models.double():
        resampled = (weights @ model.flatten(1)).view(samples, classes, classes)
        hits, truth = resampled.diagonal(dim1=1, dim2=2), resampled.sum(2)
        values = hits / (truth + resampled.sum(1) - hits)
        means.append(torch.where(truth > 0, values, torch.nan).nanmean(1) * share)
    return torch.stack(means).mean(0)


def _interval(values: Tensor) -> tuple[float, float]:
    low, high = values.quantile(torch.tensor([0.025, 0.975], dtype=values.dtype)).tolist()
    return low, high
