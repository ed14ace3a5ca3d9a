"""Images and maps resized for a network and back."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def network_scale(size: tuple[int, ...], short_side: int | None) -> float:
    """The factor by which an image is resized so that its short side has `short_side` pixels.

    Args:
        size: Height and width of the image in pixels.
        short_side: Wanted short side in pixels; None leaves the image unchanged.
    """
    return 1.0 if short_side is None else short_side / min(size)


def magnify(images: Tensor | None, scale: float) -> Tensor | None:
    """Resize images (N, C, H, W) in 0..1 by a factor, bilinearly with antialiasing.

    Export formats have no antialiased resize, so shrinking is a product with two matrices.
    """
    if images is None or scale == 1:
        return images
    height, width = (max(1, round(scale * side)) for side in images.shape[-2:])
    if scale > 1:  # antialiasing has no effect
        resized = F.interpolate(images, (height, width), mode="bilinear", align_corners=False)
    else:
        rows = _weights(images.shape[-2], height).to(images)
        columns = _weights(images.shape[-1], width).to(images)
        with torch.autocast(images.device.type, enabled=False):
            resized = rows @ images @ columns.T
    return resized.clamp(0, 1)


def _weights(inside: int, outside: int) -> Tensor:
    """Weights (outside, inside) of a side's pixels in each pixel of a smaller side.

    Each row is a triangle around the centre of the output pixel; its base is two output pixels
    wide.
    """
    step = max(1.0, inside / outside)
    middles = (torch.arange(outside, dtype=torch.float64) + 0.5) * (inside / outside)
    places = torch.arange(inside, dtype=torch.float64) + 0.5
    weights = (1 - (places - middles[:, None]).abs() / step).clamp(min=0)
    return weights / weights.sum(1, keepdim=True)


def resize_to(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """Resize logits or probabilities (N, K, h, w) to the image's own size, bilinearly."""
    if maps.shape[-2:] == tuple(size):
        return maps
    return F.interpolate(maps, tuple(size), mode="bilinear", align_corners=False)


def labels_at(labels: Tensor, size: tuple[int, ...]) -> Tensor:
    """Resize class ids (N, H, W) int64 by nearest neighbour."""
    if labels.shape[-2:] == tuple(size):
        return labels
    return F.interpolate(labels[:, None].float(), tuple(size), mode="nearest-exact")[:, 0].long()
