"""Segmentation metrics from one confusion matrix over a whole split.

The mean of per-batch IoUs is a different number; papers do not report it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from samantic.config.classes import IGNORE
from samantic.metrics.protocols import Protocol, counted_pixels


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
    # torchmetrics is a slow import, which prediction does not need
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    matrix: Tensor = multiclass_confusion_matrix(
        prediction.flatten(),
        labels.flatten(),
        num_classes,
        ignore_index=IGNORE,
        validate_args=False,  # validation is slower than counting
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
    """The metrics of one split, all in 0..1; NaN if no pixel has a label.

    Attributes:
        iou: Per-class IoU (K,), NaN where a class is neither in the ground truth nor predicted.
        miou: Mean IoU over all K classes, an absent one counting 0 (MFNet's convention).
        miou_present: Mean IoU over the classes that occur in the ground truth.
        macc: Mean recall over all K classes, an absent one counting 0.
        f1: Mean F1 over all K classes, an absent one counting 0.
        pixel_accuracy: Share of labelled pixels with the correct prediction.
    """

    iou: Tensor
    miou: float
    miou_present: float
    macc: float
    f1: float
    pixel_accuracy: float


def scores(matrix: Tensor) -> Scores:
    """Compute the metrics of a (K, K) confusion matrix.

    Example:
        >>> scores(torch.tensor([[2, 1], [0, 1]])).miou
        0.5833333333333333
    """
    counts = matrix.double()
    hits, truth, predicted = counts.diagonal(), counts.sum(1), counts.sum(0)
    per_class = iou(matrix)
    if not counts.any():
        return Scores(per_class, *[float("nan")] * 5)
    return Scores(
        iou=per_class,
        miou=per_class.nan_to_num(0.0).mean().item(),
        miou_present=per_class[truth > 0].mean().item(),
        macc=(hits / truth).nan_to_num(0.0).mean().item(),
        f1=(2 * hits / (truth + predicted)).nan_to_num(0.0).mean().item(),
        pixel_accuracy=(hits.sum() / counts.sum()).item(),
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


def protocol_miou(matrix: Tensor, protocol: Protocol) -> float:
    """Mean IoU of a (K, K) confusion matrix under a protocol; NaN if none of its classes occurs."""
    counted = counted_pixels(matrix, protocol)
    values, present = iou(counted), counted.sum(1) > 0
    ids = list(protocol.classes or range(len(matrix)))
    if protocol.absent == "left out" or not present[ids].any():
        ids = [i for i in ids if present[i]]
    return values[ids].nan_to_num(0.0).mean().item()
