"""Boundary IoU: how well contours fit; it depends on thin and small objects.

Source: Cheng et al., Boundary IoU (arXiv 2103.16562).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter
from torch import Tensor

from samantic.config.classes import IGNORE

WIDTH = 0.02
"""Width of a boundary as a share of the image's diagonal, as in the paper."""

OUTSIDE = 254
"""Label outside the image, at which every region ends."""


def boundary_counts(prediction: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Count the boundary pixels of an image by class.

    A pixel is on the boundary of its region if another label, an ignored pixel or the image's
    border lies within d pixels of it horizontally and vertically, where d is 2 % of the diagonal.

    Args:
        prediction: (H, W) class ids.
        labels: (H, W) class ids; pixels with 255 are ignored.
        num_classes: Number of classes K, at most 254.

    Returns:
        (3, K) int64: pixels on the boundary of a class in both, in the labels, in the prediction.
    """
    truth = labels.cpu().numpy().astype(np.uint8)
    valid = truth != IGNORE
    guess = np.where(valid, prediction.cpu().numpy(), IGNORE).astype(np.uint8)
    distance = max(1, round(WIDTH * math.hypot(*truth.shape)))
    edges = [(_boundary(ids, distance) & valid) for ids in (truth, guess)]
    both = edges[0] & edges[1] & (truth == guess)
    parts = (truth[both], truth[edges[0]], guess[edges[1]])
    counts = [np.bincount(part, minlength=num_classes) for part in parts]
    return torch.from_numpy(np.stack(counts)).long()


def boundary_iou(counts: Tensor) -> Tensor:
    """Intersection over union of the boundaries of every class.

    Args:
        counts: (3, K) from `boundary_counts`, summed over a split.

    Returns:
        (K,) float64 in 0..1; NaN for a class without boundary pixels in labels and prediction.
    """
    both, truth, guess = counts.double().unbind()
    return both / (truth + guess - both)


def _boundary(ids: NDArray[np.uint8], distance: int) -> NDArray[np.bool_]:
    """Mask of pixels whose square window of `distance` to each side holds several labels."""
    options = {"size": 2 * distance + 1, "mode": "constant", "cval": OUTSIDE}
    differs: NDArray[np.bool_] = maximum_filter(ids, **options) != minimum_filter(ids, **options)
    return differs
