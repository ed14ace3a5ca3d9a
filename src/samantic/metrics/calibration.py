"""Expected calibration error: whether pixels of 80 % confidence are correct 80 % of the time.

Source: Guo et al., On Calibration of Modern Neural Networks (arXiv 1706.04599), over pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from samantic.config.classes import IGNORE

BINS = 15
"""Number of equally wide bins of the confidence, as in the paper."""


def calibration_counts(confidence: Tensor, prediction: Tensor, labels: Tensor) -> Tensor:
    """Count the pixels of an image by confidence.

    Args:
        confidence: (H, W) probability of the predicted class, 0..1.
        prediction: (H, W) class ids.
        labels: (H, W) class ids; 255 is ignored.

    Returns:
        (3, 15) float64: pixels of each bin, sum of their confidences, number of correct ones.
    """
    valid = labels != IGNORE
    sure = confidence[valid].double()
    right = (prediction == labels)[valid].double()
    bins = (sure * BINS).long().clamp(0, BINS - 1)
    weights = (torch.ones_like(sure), sure, right)
    return torch.stack([torch.bincount(bins, w, minlength=BINS) for w in weights])


def calibration_error(counts: Tensor) -> float:
    """Expected calibration error: sum_b n_b / n |accuracy_b - confidence_b| over the bins b.

    Args:
        counts: (3, 15) from `calibration_counts`, summed over a split.

    Returns:
        0..1; NaN for a split without labelled pixels.
    """
    pixels, sure, right = counts
    return float((sure - right).abs().sum() / pixels.sum())
