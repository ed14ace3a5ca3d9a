"""Images shown to a network in another size than their own."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def network_scale(size: tuple[int, ...], short_side: int | None) -> float:
    """By how much an image is magnified so that its short side has so many pixels.

    Args:
        size: Height and width of the image in pixels.
        short_side: None leaves the image as it is.
    """
    return 1.0 if short_side is None else short_side / min(size)


def magnify(images: Tensor | None, scale: float) -> Tensor | None:
    """Images (N, C, H, W) in 0..1 at a magnification, bilinear with antialiasing.

    Smaller images are a product with two matrices, since export formats have no antialiased resize.
    """
    if images is None or scale == 1:
        return images
    height, width = (max(1, round(scale * side)) for side in images.shape[-2:])
    if scale > 1:  # antialiasing changes nothing
        resized = F.interpolate(images, (height, width), mode="bilinear", align_corners=False)
    else:
        rows = _weights(images.shape[-2], height).to(images)
        columns = _weights(images.shape[-1], width).to(images)
        with torch.autocast(images.device.type, enabled=False):
            resized = rows @ images @ columns.T
    return resized.clamp(0, 1)


def _weights(inside: int, outside: int) -> Tensor:
    """(outside, inside), how much each pixel of a smaller side takes of each pixel of a side.

    A triangle around the pixel's middle, as wide as two pixels of the smaller side.
    """
    step = max(1.0, inside / outside)
    middles = (torch.arange(outside, dtype=torch.float64) + 0.5) * (inside / outside)
    places = torch.arange(inside, dtype=torch.float64) + 0.5
    weights = (1 - (places - middles[:, None]).abs() / step).clamp(min=0)
    return weights / weights.sum(1, keepdim=True)


def resize_to(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """Logits or probabilities (N, K, h, w) of a magnified image in the image's own size."""
    if maps.shape[-2:] == tuple(size):
        return maps
    return F.interpolate(maps, tuple(size), mode="bilinear", align_corners=False)


def labels_at(labels: Tensor, size: tuple[int, ...]) -> Tensor:
    """Class ids (N, H, W) int64 in another size, by nearest neighbour."""
    if labels.shape[-2:] == tuple(size):
        return labels
    return F.interpolate(labels[:, None].float(), tuple(size), mode="nearest-exact")[:, 0].long()
