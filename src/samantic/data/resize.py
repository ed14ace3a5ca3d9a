"""Images shown to a network in another size than their own."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def shown_scale(size: tuple[int, ...], short_side: int | None) -> float:
    """By how much an image is magnified so that its short side has so many pixels.

    Args:
        size: Height and width of the image in pixels.
        short_side: None leaves the image as it is.
    """
    return 1.0 if short_side is None else short_side / min(size)


def magnified(images: Tensor | None, scale: float) -> Tensor | None:
    """Images (N, C, H, W) in 0..1 at a magnification, bilinear with antialiasing."""
    if images is None or scale == 1:
        return images
    height, width = (max(1, round(scale * side)) for side in images.shape[-2:])
    return F.interpolate(images, (height, width), mode="bilinear", antialias=True).clamp(0, 1)


def brought_to(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """Logits or probabilities (N, K, h, w) of a magnified image in the image's own size."""
    if maps.shape[-2:] == tuple(size):
        return maps
    return F.interpolate(maps, tuple(size), mode="bilinear", align_corners=False)


def labels_at(labels: Tensor, size: tuple[int, ...]) -> Tensor:
    """Class ids (N, H, W) int64 in another size, by nearest neighbour."""
    if labels.shape[-2:] == tuple(size):
        return labels
    return F.interpolate(labels[:, None].float(), tuple(size), mode="nearest-exact")[:, 0].long()
